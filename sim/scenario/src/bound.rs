//! What a scenario, or a plan, may ask for at most, each with its reason.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Bytes of a scenario file: ten times the longest one that a person would write.
pub const FILE: usize = 256 << 10;
/// Nesting of the YAML, against the stack: the schema needs five levels.
pub const DEPTH: usize = 16;
/// YAML nodes of a file, against memory: a node is about 100 bytes.
pub const NODES: usize = 50_000;
/// Problems reported at once: more than fit a screen help nobody.
pub const PROBLEMS: usize = 50;
/// Characters of a title, which is one line of a table.
pub const TITLE: usize = 100;
/// Characters of `about`, which opens a report.
pub const ABOUT: usize = 4_000;
/// Characters of a name, which is a column of a table.
pub const NAME: usize = 40;
/// Hosts of a scenario: at 1.5 MB per node, 3 GB.
pub const HOSTS: usize = 2_000;
/// Entries of one section (`links`, `nats`, `sites`, `hosts`, `load`, `faults`, `expect`).
pub const ENTRIES: usize = 500;
/// Mean interval of probes of a relay: below, the probes would be the load.
pub const PROBE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_600);
/// Reservations or circuits of a relay; zero refuses all.
pub const SLOTS: u64 = 100_000;
/// Bytes that a relay carries for somebody: up to a terabyte, which no run gets near.
pub const RELAYED: RangeInclusive<u64> = 0..=1 << 40;
/// Life of a reservation: what a node takes at all, and a day.
pub const RESERVATION: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(86_400);
/// Life of a circuit.
pub const CIRCUIT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);
/// Mean time that a host stays, or is away: below, it would hardly have started.
pub const SESSION: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_600);
/// Absences of a run: each restarts a node.
pub const ABSENCES: usize = 10_000;
/// NATs in a row: a home behind a building behind a carrier, and one to spare.
pub const NESTING: usize = 4;
/// Seeds of a scenario: each is a process of its own.
pub const SEEDS: usize = 1_000;
/// Pairs of hosts that one load entry may name: every pair of 200 hosts.
pub const PAIRS: usize = 20_000;
/// Actions of a run, over all load entries: each leaves records of some hundred bytes.
pub const ACTIONS: u64 = 500_000;

/// Simulated time of a run: longer ones belong into a soak test.
pub const DURATION: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_600);
/// Interval of throughput samples: below, the records outgrow the run.
pub const INTERVAL: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);
/// One-way latency, jitter and reordering delay: a satellite takes 0.3 s.
pub const LATENCY: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(10);
/// Bandwidth in bits per second: below, a handshake does not fit into its timeout; above, a packet takes no time.
pub const RATE: RangeInclusive<u64> = 8_000..=100_000_000_000;
/// Queue of a link in bytes: at least one full packet.
pub const QUEUE: RangeInclusive<u64> = 1_500..=64 << 20;
/// Life of a NAT mapping: RFC 4787 wants two minutes, the worst seen are some seconds.
pub const LIFE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);
/// Period of a repeated action: the clock of the simulation ticks in milliseconds.
pub const EVERY: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(3_600);
/// Duration of a fault.
pub const FAULT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(3_600);
/// Within which time a relay drains: notices count in seconds, and a day is the longest.
pub const DRAIN: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_600);
/// Payload of a message: what the node accepts.
pub const MESSAGE: RangeInclusive<u64> = 1..=1 << 20;
/// Data channels that one action opens between a pair at once: what a node lets a peer have.
pub const CHANNELS: RangeInclusive<u64> = 1..=256;
/// Messages on one data channel: with the largest size 160 MB, minutes of a run.
pub const CHANNEL_MESSAGES: RangeInclusive<u64> = 1..=10_000;
/// Bytes of one message on a data channel: what every WebRTC implementation takes whole.
pub const CHANNEL_MESSAGE: RangeInclusive<u64> = 1..=16 << 10;
/// How long a message on a data channel is sent again: 16 bits of milliseconds of RFC 8832, section 5.1.
pub const CHANNEL_LIFETIME: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_millis(65_535);
/// Priorities that the channels of one action take in turn: every one of the four, some of them twice or more.
pub const PRIORITIES: usize = 16;
/// Payload of a gossip publication: what gossipsub accepts by default.
pub const GOSSIP: RangeInclusive<u64> = 1..=60_000;
/// Interval between two blocks: ten minutes on the real chain, and no less than the packets of a block need to get around.
pub const BLOCK_INTERVAL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_600);
/// Lowest fee rate that is relayed, in satoshis per virtual byte: above, the coins of `pay` do not last.
pub const RELAY_FEE: RangeInclusive<u64> = 1..=100;
/// Depth of a reorg, and blocks by which an indexer lags: beyond coinbase maturity the money of a scenario would be undone.
pub const BLOCKS: RangeInclusive<u64> = 1..=100;
/// Bitcoin that a trader begins with, in satoshis: no coin is dust, and some twenty rewards pay the most.
pub const BITCOIN: RangeInclusive<u64> = 20_000..=1_000 * 100_000_000;
/// Coins of a trader: what a wallet finds without a gap, which is 20 addresses (BIP 44).
pub const COINS: RangeInclusive<u64> = 1..=20;
/// Runes of a trader.
pub const RUNES: usize = 8;
/// Letters of a rune's name in a scenario: shorter than what a young chain allows, which names are filled up to.
pub const RUNE_NAME: usize = 12;
/// Units of a rune that a trader begins with.
pub const RUNE_UNITS: RangeInclusive<u64> = 1..=1_000_000_000_000_000;
/// Payments of a run: each spends a coin that is made before the start.
pub const PAYMENTS: u64 = 5_000;
/// Satoshis for one unit of an order: up to a bitcoin.
pub const PRICE: RangeInclusive<u64> = 1..=100_000_000;
/// How long an order lasts: what the order book allows.
pub const ORDER_LIFE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);
/// Statements of each kind in one flood: some ten times what a node takes from one maker at once.
pub const FLOOD: RangeInclusive<u64> = 1..=5_000;
/// Variants of a plan: more lines than one figure can tell apart.
pub const VARIANTS: usize = 20;
/// Parameters of a plan: their values multiply.
pub const PARAMETERS: usize = 4;
/// Values of one parameter.
pub const VALUES: usize = 20;
/// Points of a plan: each is a row of every table.
pub const POINTS: usize = 200;
/// What a plan compares: each is a figure of its page.
pub const MEASURES: usize = 20;
/// Runs of a sweep: a week of ten machines at a minute each.
pub const CELLS: usize = 100_000;
