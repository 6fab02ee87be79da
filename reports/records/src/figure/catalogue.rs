//! Every figure, in the order in which reports and the documentation list them.

use super::{Figure, Unit};

const PAIR: &[&str] = &["from", "to", "from_nat", "to_nat", "path", "transport"];
const PAIR_WITHOUT_PATH: &[&str] = &["from", "to", "from_nat", "to_nat", "transport"];
const PATHS: &[&str] = &["direct", "relayed", "failed"];

const fn seconds(name: &'static str, tags: &'static [&'static str], about: &'static str) -> Figure {
    Figure { name, unit: Unit::Seconds, tags, categories: &[], about }
}

const fn bytes(name: &'static str, tags: &'static [&'static str], about: &'static str) -> Figure {
    Figure { name, unit: Unit::Bytes, tags, categories: &[], about }
}

const fn count(name: &'static str, tags: &'static [&'static str], about: &'static str) -> Figure {
    Figure { name, unit: Unit::Count, tags, categories: &[], about }
}

const fn share(name: &'static str, tags: &'static [&'static str], about: &'static str) -> Figure {
    Figure { name, unit: Unit::Share, tags, categories: &[], about }
}

const fn category(
    name: &'static str,
    categories: &'static [&'static str],
    tags: &'static [&'static str],
    about: &'static str,
) -> Figure {
    Figure { name, unit: Unit::Category, tags, categories, about }
}

/// Every figure that a run may measure.
pub const FIGURES: &[Figure] = &[
    // Paths between two hosts.
    seconds(
        "connect_time",
        PAIR,
        "Time from the request to connect to the first usable path, one sample per connected pair.",
    ),
    category("first_path", PATHS, PAIR_WITHOUT_PATH, "The path over which a pair could first talk, or `failed`."),
    category("path", PATHS, PAIR_WITHOUT_PATH, "The path of each requested pair at the end of the run."),
    seconds("upgrade_time", PAIR_WITHOUT_PATH, "Time from the first relayed path of a pair to its first direct one."),
    seconds(
        "relay_return_time",
        PAIR_WITHOUT_PATH,
        "Time from the break of a direct path until the pair talks through a relay.",
    ),
    seconds(
        "recovery_time",
        &["from", "to", "fault"],
        "Time from the lifting of a fault (from its application when it has no duration) until an affected pair talks again.",
    ),
    category(
        "hole_punch",
        &["succeeded", "failed"],
        &["from", "to", "from_nat", "to_nat", "role"],
        "Outcome of each hole punching attempt.",
    ),
    category(
        "direct_possible",
        &["as_predicted", "worse", "better"],
        &["from", "to", "from_nat", "to_nat", "predicate"],
        "The path of a pair against what the predicate over both NATs says: `worse` is relayed where direct was predicted. A path through a TURN server counts as relayed.",
    ),
    // WebRTC.
    category(
        "negotiation",
        &["succeeded", "failed"],
        &["from", "to", "from_nat", "to_nat", "role", "purpose"],
        "Outcome of each negotiation of a WebRTC connection over a relayed one, one sample for each side.",
    ),
    seconds(
        "negotiation_time",
        &["from", "to", "from_nat", "to_nat", "role", "purpose"],
        "Time from the first message of signalling until the WebRTC connection works.",
    ),
    category(
        "candidate_pair",
        &["host", "server_reflexive", "peer_reflexive", "relayed"],
        &["from", "to", "from_nat", "to_nat", "remote_kind"],
        "The pair of candidates that ICE chose, by the kind of the own one; again whenever it changes.",
    ),
    category(
        "doubt",
        &["doubted", "cleared", "dead"],
        &["from", "to", "path"],
        "What was thought of a connection on which answers were late: it does not answer, it does again, or it was closed for another.",
    ),
    category("dial", &["succeeded", "failed"], &["from", "to", "transport"], "Outcome of each dialled address."),
    // Traffic.
    seconds("round_trip", &["from", "to", "path"], "Round-trip time that a ping measured."),
    count(
        "quality",
        &["from", "to", "path", "relay", "weakest"],
        "Score of a connection, 0 to 100: when it is pinged first, when its score enters another class (below 40, to 59, from 60), and once a minute.",
    ),
    bytes(
        "throughput",
        &["from", "to", "path"],
        "Bytes per second of a connection in both directions, with each score, of one that had something to carry in the last minute.",
    ),
    category(
        "quality_action",
        &["upgrade", "switch_relay", "reconnect"],
        &["from", "to"],
        "What a node did because the score of its connection to a wanted peer stayed low.",
    ),
    category(
        "message",
        &["delivered", "failed", "duplicate", "lost"],
        &["from", "to", "path"],
        "Fate of each message: acknowledged, reported as failed to its sender, received twice, or neither received nor reported.",
    ),
    seconds("message_time", &["from", "to", "path"], "Time from sending a message to its acknowledgement."),
    bytes("message_bytes", &["from", "to", "path"], "Payload of each delivered message."),
    category(
        "gossip",
        &["delivered", "missed"],
        &["from", "to", "topic"],
        "Whether a publication reached a subscriber, one sample for each.",
    ),
    seconds("gossip_time", &["from", "to", "topic"], "Time from publication to reception."),
    share(
        "gossip_coverage",
        &["from", "topic"],
        "Share of the subscribers that a publication reached, one sample per publication.",
    ),
    category(
        "channel",
        &["completed", "failed"],
        &["from", "to", "priority"],
        "Fate of each data channel: its receiver has all that was sent, less what an unreliable one may lose, or it has not.",
    ),
    seconds(
        "channel_open_time",
        &["from", "to", "priority"],
        "Time from opening a data channel until its receiver has it.",
    ),
    seconds(
        "channel_time",
        &["from", "to", "priority"],
        "Time from opening a data channel until its receiver has confirmed what was sent over it.",
    ),
    bytes(
        "channel_bytes",
        &["from", "to", "priority"],
        "Bytes of messages that arrived over each completed data channel.",
    ),
    share(
        "channel_delivered",
        &["from", "to", "priority"],
        "Share of the messages of each completed data channel that arrived.",
    ),
    category(
        "lie",
        &["refused", "taken", "failed"],
        &["from", "to", "how"],
        "What a peer did about each lie of a `lie` entry: it ended the stream at once, or it went on; or the lie could not be told.",
    ),
    category(
        "attack",
        &["refused", "taken", "failed"],
        &["from", "to", "how"],
        "What a node did about each attack of a peer with `conduct`: it refused what was asked, it did it, or it was not reached and had no chance to show.",
    ),
    bytes("bytes_direct", &[], "Bytes that peers received from each other without a relay in one interval."),
    bytes(
        "bytes_relayed",
        &[],
        "Bytes to and from relays in one interval: what they carry, twice, and their own protocols.",
    ),
    bytes("delivered_bytes", &[], "Bytes of messages that arrived in one interval."),
    // Relays.
    category(
        "reservation",
        &["accepted", "refused", "lost"],
        &["from", "relay"],
        "Fate of each reservation at a relay.",
    ),
    category(
        "relay_reservation",
        &["granted", "denied"],
        &["relay", "kind"],
        "What relays answered to requests for a reservation; `kind` says why not, or that it was a `renewal`.",
    ),
    category(
        "relay_circuit",
        &["opened", "denied"],
        &["relay", "kind"],
        "What relays answered to requests for a circuit; `kind` says why not.",
    ),
    seconds(
        "reservation_time",
        &["from", "relay"],
        "Time from the choice of a relay to its reservation: connection included.",
    ),
    share(
        "reservation_success",
        &["from"],
        "Share of the reservations that a host asked for and was granted, renewals and requests in vain left out, one sample at the end of the run per host that asked a relay which was there.",
    ),
    count(
        "reservation_in_vain",
        &["from"],
        "Reservations that a host asked for and was not granted while the relay or the host itself was down or cut off, one sample per host that asked at the end of the run.",
    ),
    // The choice of relays.
    category(
        "home_change",
        &["first", "failed", "ending", "better"],
        &["from", "relay"],
        "Each change of a host's home relay, by its reason: there was none, the one before failed or is about to stop, or the policy prefers the new one. The relay is the new one, or `none`.",
    ),
    count(
        "flaps",
        &["from"],
        "Changes of home per hour that had no other reason than that the policy prefers another relay, from a host's first home to the end of the run, one sample per host that had a home.",
    ),
    Figure {
        name: "latency_stretch",
        unit: Unit::Ratio,
        tags: &["from", "to"],
        categories: &[],
        about: "Round-trip time of each ping over a relayed path, over that of the direct way as the scenario has it: both access links and the regions between, without jitter and queues. Pairs behind a shared NAT have none.",
    },
    Figure {
        name: "circuit_stretch",
        unit: Unit::Ratio,
        tags: &["from", "to", "relay"],
        categories: &[],
        about: "Round-trip time of the way over the relay of each circuit that was opened, over that of the direct way, both as the scenario has them: what the choice of the relay costs, without jitter, queues and the relay's own work.",
    },
    share(
        "relay_load",
        &["relay", "of"],
        "Each relay's share of what all relays did in the run: of the `bytes` that they sent, of the `reservations` that hosts announced, of the `circuits` that were opened. `jain` of it is 1 when all relays carry the same.",
    ),
    bytes("relay_bytes", &["relay"], "Bytes that each relay sent in one interval, headers included."),
    count("relay_reservations", &["relay"], "Hosts that are up and announce each relay at the end of one interval."),
    category(
        "relay_probe",
        &["answered", "silent"],
        &["from", "relay"],
        "Each probe of a relay that ended, and whether there was an answer.",
    ),
    count(
        "probes",
        &["host"],
        "Probes of relays per minute, one sample for each host that made one, at the end of the run.",
    ),
    Figure {
        name: "control_traffic",
        unit: Unit::BytesPerSecond,
        tags: &["host"],
        categories: &[],
        about: "Bytes that each peer sent per second of the run, less the payload that its own load sent and others received: messages, publications and data channels. Headers, acknowledgements, retries and what a peer forwards count; relays have no sample.",
    },
    bytes(
        "relayed_bytes_before_upgrade",
        &["from", "to", "from_nat", "to_nat"],
        "Bytes that the substreams of a pair's relayed connections sent and received until one of the two first had a direct path, as that one counted them, one sample for each pair that changed from a relayed to a direct path.",
    ),
    seconds(
        "failover_time",
        &["to", "relay", "fault"],
        "Time from the death of a peer's home relay until the first dial of the peer that began after it and succeeded, one sample per peer that a `reach` entry dials; the rest of the run when none did.",
    ),
    category(
        "reach",
        &["reached", "unreached"],
        &["from", "to", "relay"],
        "Fate of each fresh dial of a `reach` entry: there is a path within 30 s, or not.",
    ),
    seconds(
        "reach_time",
        &["from", "to", "relay"],
        "Time from the beginning of a fresh dial through what a peer announces until there is a path.",
    ),
    seconds(
        "unreachable_time",
        &["host"],
        "Each time for which a peer announced no relay that was up and on which it held a reservation, after it had been reachable.",
    ),
    seconds(
        "unreachable_per_day",
        &["host"],
        "Time for which a peer was unreachable, scaled to a day, a total per peer that announced a relay.",
    ),
    count(
        "relay_lie",
        &["host", "kind"],
        "Load reports that a relay with `conduct` made up (`report`), and requests that it broke the rules about (`refuse`, `stall`, `garble`, `drop`, `swallow`, `corrupt`), totals at the end of the run.",
    ),
    // STUN and TURN servers.
    count(
        "ice_server",
        &["host", "kind"],
        "Binding requests, allocations, releases, expiries and refusals that a STUN or TURN server counted, totals at the end of the run.",
    ),
    bytes(
        "ice_server_bytes",
        &["host", "direction"],
        "Bytes that a TURN server relayed `to_peers` and `to_clients`, totals at the end of the run.",
    ),
    // The Bitcoin chain.
    count(
        "chain",
        &["kind"],
        "What happened to the chain since the start of the run: transactions `accepted`, `refused`, `replaced`, `evicted`, `conflicted`, by reorgs `returned` and `lost`, and blocks `connected` and `disconnected`, totals at the end of the run.",
    ),
    count(
        "indexer",
        &["host", "kind"],
        "Clients that an indexer `served` and `refused`, its `answers`, `notifications` and RPC `calls`, totals at the end of the run.",
    ),
    bytes(
        "indexer_bytes",
        &["host", "direction"],
        "Bytes that an indexer received (`in`) and sent (`out`), without headers of TCP, totals at the end of the run.",
    ),
    category(
        "tip",
        &["agreed", "behind", "stale", "unknown"],
        &["from", "to"],
        "The last tip that a watcher heard of from an indexer against the chain at the end of the run: the same, below it, on a branch that lost, or none.",
    ),
    seconds(
        "tip_time",
        &["from", "to"],
        "Time from a new tip of the chain until a watcher heard of it from an indexer.",
    ),
    category(
        "payment",
        &["confirmed", "waiting", "lost", "refused", "failed"],
        &["from", "to"],
        "What the chain says of each payment at the end of the run; `lost` was taken by the indexer and is nowhere, `failed` had no answer.",
    ),
    seconds(
        "payment_time",
        &["from", "to"],
        "Time from the broadcast of a payment until the indexer told that it is confirmed.",
    ),
    // Trades.
    category(
        "order",
        &["placed", "refused"],
        &["host"],
        "What a trader's node said to each order that it was asked to place.",
    ),
    seconds(
        "order_time",
        &["from", "to"],
        "Time from the making of an order until it is in another trader's book, by the clocks of both.",
    ),
    category(
        "take",
        &["taken", "nothing", "refused"],
        &["host"],
        "What came of each request to take an order: a swap began, there was no order, or the trader's node refused.",
    ),
    category(
        "swap",
        &["settled", "aborted", "open"],
        &["from", "to", "role"],
        "Where each swap is at the end of the run, one sample for each of its two sides that knows of it.",
    ),
    seconds(
        "broadcast_time",
        &["from", "to", "role"],
        "Time from the taking of an order until its maker has broadcast the transaction of the swap, and until its taker knows that.",
    ),
    seconds(
        "swap_time",
        &["from", "to", "role"],
        "Time from the beginning of a swap until it is settled, one sample for each side.",
    ),
    category(
        "trade",
        &["settled", "aborted", "open"],
        &["from", "to"],
        "What the chain says at the end of the run of each swap that its maker agreed to, from taker to maker: a block has its transaction; or none has, and either both sides know that it is over or one does not.",
    ),
    count(
        "stuck",
        &["host"],
        "Swaps that a trader has open at the end of the run although both deadline and grace have passed and no transaction of it is in a block, a total per trader; a trader that is down has the swaps that it had.",
    ),
    count(
        "value_lost",
        &["host", "asset"],
        "What each trader that does not lie has less on the confirmed chain than what it was founded with, the swaps whose transaction is in a block and the fees that it agreed to explain: satoshis, and units of each rune.",
    ),
    count(
        "value_gained",
        &["host", "asset"],
        "What each trader that does not lie has more on the confirmed chain than the same explains: as `value_lost`, the other way round. Bitcoin that somebody paid to it besides swaps is such a gain.",
    ),
    count(
        "trade_fault",
        &["host"],
        "What is wrong about the swaps of each trader at the end of the run: its sides tell different terms, it takes it for settled or aborted and the chain says otherwise, or the fee is more than agreed.",
    ),
    category(
        "trade_lie",
        &["settled", "aborted", "open"],
        &["from", "to", "how"],
        "Where each swap in which a trader lied is at the end of the run, as the other side sees it.",
    ),
    category(
        "flood",
        &["published", "refused"],
        &["host", "how"],
        "What the own node said to each statement of a `flood` entry.",
    ),
    category(
        "book",
        &["equal", "different"],
        &["host"],
        "The order book of each trader at the end of the run against that of the first one.",
    ),
    seconds(
        "convergence_time",
        &["after"],
        "Time until the order books of all traders that are up are equal again, from the last time that one of them changed or cancelled an order of its own, that a trader started, or that a fault of the network was lifted.",
    ),
    count("book_orders", &["host"], "Orders in the book of each trader at the end of the run."),
    bytes(
        "reconcile_bytes",
        &["from", "to"],
        "Bytes of each reconciliation of two order books in both directions, without the orders themselves.",
    ),
    bytes(
        "order_bytes",
        &["from", "to"],
        "Bytes of each reconciliation that found a difference, in both directions and without the orders themselves, for each order that one of the two books lacked.",
    ),
    count("reconcile_lacked", &["from", "to"], "Orders that a trader lacked before each reconciliation."),
    category(
        "chain_server",
        &["connected", "left", "misbehaved", "reorganised"],
        &["host", "kind"],
        "What a trader noticed of the servers that tell it the chain: it asks one, leaves one because of the world or because of what no correct one does (the kind), or is shown that blocks were replaced.",
    ),
    count(
        "trader_bitcoin",
        &["host", "moment"],
        "Satoshis of a trader as the chain has them, waiting transactions included, when it was `founded` and at the `end` of the run.",
    ),
    count(
        "trader_runes",
        &["host", "rune", "moment"],
        "Units of each rune of a trader as the confirmed chain has them, when it was `founded` and at the `end` of the run.",
    ),
    // NATs.
    category(
        "nat_probe",
        &["as_configured", "different"],
        &["nat", "property"],
        "What a probe from behind a NAT found against how that NAT is configured, one sample per property.",
    ),
    // The run itself. Totals have a sample for each of their tags even when it is zero, so that `== 0` has evidence.
    count(
        "misbehaviour",
        &["host", "kind"],
        "Acts of a peer that broke the protocol, a total per host at the end of the run.",
    ),
    count(
        "sealed_bytes",
        &["host", "form"],
        "Bytes of messages that a host sent sealed, as the application gave them (`plain`) and in requests (`wire`), a total at the end of the run.",
    ),
    count(
        "message_parcels",
        &["host", "form"],
        "Messages that a host sent sealed (`messages`) and the requests they shared (`parcels`), a total at the end of the run.",
    ),
    count(
        "event_lag",
        &["host"],
        "Events a consumer missed because it fell behind, a total per host at the end of the run.",
    ),
    count("crash", &["host"], "Unplanned ends of a node, a total per host at the end of the run."),
    count(
        "fault_touched",
        &["kind", "target"],
        "Packets, mappings, hosts, blocks, transactions or answers of indexers that a fault touched, one sample per fault.",
    ),
    count("packets_sent", &[], "Packets that hosts sent, a total at the end of the run."),
    count("packets_delivered", &[], "Packets that hosts received, a total at the end of the run."),
    count("packets_lost", &[], "Packets that links lost, a total at the end of the run."),
    count("packets_filtered", &[], "Packets that NATs filtered, a total at the end of the run."),
    count("packets_queue_dropped", &[], "Packets that found a link's queue full, a total at the end of the run."),
];
