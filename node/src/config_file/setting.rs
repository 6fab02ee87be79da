//! Every setting: its name, what it holds, what it means. File, environment, flags, template and messages all follow this table.

use std::ops::RangeInclusive;
use std::time::Duration;

use bitcoin::Network;
use darkswap_connectivity::relay::reservation::STANDBYS;
use darkswap_trade::psbt::{MAX_FEE_RATE, MIN_FEE_RATE};
use darkswap_trade::swap::WINDOW;

use super::preset::{PRESETS, Preset};
use super::value::{Choice, Field, Number};
use crate::config::{Reachability, Sealing};
use crate::limits::MOST_CONNECTIONS;

/// One setting.
#[derive(Debug)]
pub(super) struct Setting {
    /// The TOML table it stands in.
    pub(super) table: &'static str,
    /// Its key in the table.
    pub(super) key: &'static str,
    /// What it holds.
    pub(super) field: Field,
    /// What it means, for the operator.
    pub(super) about: &'static str,
    /// A value other than the default, as TOML.
    pub(super) example: Option<&'static str>,
}

impl Setting {
    const fn new(table: &'static str, key: &'static str, field: Field, about: &'static str) -> Self {
        Self { table, key, field, about, example: None }
    }

    const fn with_example(self, example: &'static str) -> Self {
        Self { table: self.table, key: self.key, field: self.field, about: self.about, example: Some(example) }
    }

    /// `table.key`.
    pub(super) fn name(&self) -> String {
        format!("{}.{}", self.table, self.key)
    }

    /// The environment variable that sets it.
    pub(super) fn variable(&self) -> String {
        format!("DARKSWAP_{}_{}", self.table, self.key).to_ascii_uppercase()
    }
}

/// The tables with a line about each, in the order of the template.
pub(super) const TABLES: [(&str, &str); 10] = [
    ("node", "The node itself."),
    ("relay", "Circuit relay v2: relaying for others, and the relays that this node uses."),
    ("discovery", "Finding peers through the DHT."),
    (
        "webrtc",
        "WebRTC: direct paths between hosts behind NATs, and to browsers. `darkswap ice test` tries the servers.",
    ),
    ("messages", "Messages to one peer, above the transport: `/darkswap/message/2`."),
    ("gossip", "Messages to everybody who subscribed to a topic."),
    (
        "trading",
        "Trading bitcoin against runes and alkanes. It needs a wallet (`darkswap wallet create`) and an Electrum server.",
    ),
    (
        "bandwidth",
        "How many bytes per second may pass, by the time of day (UTC): \"unlimited\", a rate such as \"2MiB\", or a list of times \
         with a rate each, outside of which there is no limit.",
    ),
    ("limits", "Bounds that keep a flood or a broken peer from exhausting this host."),
    ("control", "The local endpoint through which `darkswap peers`, `darkswap send` and so on reach a running node."),
];

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;

/// Access to a number in `Limits`. The setting's range keeps it within the type of the limit.
macro_rules! limit {
    ($name:ident) => {
        Number {
            read: |settings| u64::try_from(settings.node.limits.$name).unwrap_or(u64::MAX),
            write: |settings, value| {
                settings.node.limits.$name = value.try_into().unwrap_or(settings.node.limits.$name)
            },
        }
    };
}

macro_rules! count {
    ($name:ident, $range:expr, $about:literal) => {
        Setting::new("limits", stringify!($name), Field::Count($range, limit!($name)), $about)
    };
}

macro_rules! size {
    ($name:ident, $range:expr, $about:literal) => {
        Setting::new("limits", stringify!($name), Field::Size($range, limit!($name)), $about)
    };
}

macro_rules! duration {
    ($name:ident, $range:expr, $about:literal) => {
        Setting::new("limits", stringify!($name), Field::Duration($range, |all| &mut all.node.limits.$name), $about)
    };
}

/// Access to a number in the limits of a relay.
macro_rules! relay_number {
    ($($name:ident).+) => {
        Number {
            read: |settings| u64::try_from(settings.node.relay_limits.$($name).+).unwrap_or(u64::MAX),
            write: |settings, value| {
                let place = &mut settings.node.relay_limits.$($name).+;
                *place = value.try_into().unwrap_or(*place)
            },
        }
    };
}

macro_rules! relay_count {
    ($name:ident, $range:expr, $about:literal) => {
        Setting::new("relay", stringify!($name), Field::Count($range, relay_number!($name)), $about)
    };
}

macro_rules! relay_size {
    ($name:ident, $range:expr, $about:literal) => {
        Setting::new("relay", stringify!($name), Field::Size($range, relay_number!($name)), $about)
    };
}

macro_rules! relay_duration {
    ($name:ident, $range:expr, $about:literal) => {
        Setting::new(
            "relay",
            stringify!($name),
            Field::Duration($range, |all| &mut all.node.relay_limits.$name),
            $about,
        )
    };
}

/// How many at once.
macro_rules! relay_pace {
    ($name:ident, $key:literal, $about:literal) => {
        Setting::new("relay", $key, Field::Count(1..=1_000_000, relay_number!($name.burst)), $about)
    };
}

/// How often after that.
macro_rules! relay_interval {
    ($name:ident, $key:literal, $about:literal) => {
        Setting::new(
            "relay",
            $key,
            Field::Duration(MILLISECOND..=HOUR, |all| &mut all.node.relay_limits.$name.interval),
            $about,
        )
    };
}

const PREFIX_V4: Number = relay_number!(prefixes.v4);
const PREFIX_V6: Number = relay_number!(prefixes.v6);

const REACHABILITY: Choice = Choice {
    names: &["auto", "public", "private"],
    read: |all| match all.node.reachability {
        Reachability::Auto => "auto",
        Reachability::Public => "public",
        Reachability::Private => "private",
    },
    write: |all, name| {
        all.node.reachability = match name {
            "public" => Reachability::Public,
            "private" => Reachability::Private,
            _ => Reachability::Auto,
        }
    },
};

const SEALING: Choice = Choice {
    names: &["off", "preferred", "required"],
    read: |all| match all.node.messages.sealing {
        Sealing::Off => "off",
        Sealing::Preferred => "preferred",
        Sealing::Required => "required",
    },
    write: |all, name| {
        all.node.messages.sealing = match name {
            "off" => Sealing::Off,
            "required" => Sealing::Required,
            _ => Sealing::Preferred,
        }
    },
};

const PRESET: Choice = Choice {
    names: &[PRESETS[0].0, PRESETS[1].0, PRESETS[2].0, PRESETS[3].0],
    read: |all| all.preset.name(),
    write: |all, found| {
        all.preset = PRESETS.iter().find(|(name, _)| *name == found).map_or(Preset::Home, |(_, preset)| *preset)
    },
};

/// The names are those of `RTCIceTransportPolicy` in browsers.
const POLICY: Choice = Choice {
    names: &["all", "relay"],
    read: |all| if all.node.webrtc.relay_only { "relay" } else { "all" },
    write: |all, name| all.node.webrtc.relay_only = name == "relay",
};

const NETWORK: Choice = Choice {
    names: &["bitcoin", "testnet4", "signet", "regtest"],
    read: |all| match all.trading.network {
        Network::Testnet4 => "testnet4",
        Network::Signet => "signet",
        Network::Regtest => "regtest",
        _ => "bitcoin",
    },
    write: |all, name| {
        all.trading.network = match name {
            "testnet4" => Network::Testnet4,
            "signet" => Network::Signet,
            "regtest" => Network::Regtest,
            _ => Network::Bitcoin,
        }
    },
};

const CONFIRMATIONS: Number = Number {
    read: |all| all.trading.policy.confirmations.into(),
    write: |all, value| all.trading.policy.confirmations = value.try_into().unwrap_or(u32::MAX),
};

const RELAY_STANDBYS: Number = Number {
    read: |all| all.node.relay_selection.standbys as u64,
    write: |all, value| all.node.relay_selection.standbys = value.try_into().unwrap_or(STANDBYS),
};

const CONNECTIONS: RangeInclusive<u64> = 1..=MOST_CONNECTIONS as u64;

/// Every setting, by table.
pub(super) static SETTINGS: &[Setting] = &[
    Setting::new(
        "node",
        "identity",
        Field::Path(|all| &mut all.identity),
        "File with the private key of this node, relative to the node's folder. Only its owner may read it (mode 0600).",
    ),
    Setting::new(
        "node",
        "listen",
        Field::Listen(|all| &mut all.node.listen),
        "Addresses to listen on; the node dials with every transport, whatever it listens on. Browsers need a `/ws` \
         or a `/webrtc-direct` address, hole punching a `/quic-v1` one.",
    ),
    Setting::new(
        "node",
        "external",
        Field::External(|all| &mut all.node.external),
        "Addresses under which others reach this node, when it cannot find them out itself.",
    )
    .with_example(r#"["/ip4/198.51.100.7/udp/4001/quic-v1", "/dns4/node.example.org/tcp/443/wss"]"#),
    Setting::new(
        "node",
        "reachability",
        Field::Choice(REACHABILITY),
        "Whether others can dial this node: \"auto\" asks other peers (AutoNAT), \"public\" holds no relay reservation and serves \
         the DHT, \"private\" holds relay reservations and only asks the DHT.",
    ),
    Setting::new(
        "node",
        "hole_punching",
        Field::Flag(|all| &mut all.node.hole_punching),
        "Whether relayed connections are upgraded to direct ones (DCUtR).",
    ),
    Setting::new(
        "relay",
        "server",
        Field::Flag(|all| &mut all.node.relay_server),
        "Whether this node relays for others. It has to be reachable for them.",
    ),
    Setting::new(
        "relay",
        "relays",
        Field::Peers(|all| &mut all.node.relays),
        "Relays to choose from: on one of them and on `standbys` others this node holds a reservation, so that others reach it behind \
         a NAT.",
    )
    .with_example(r#"["/ip4/198.51.100.7/udp/4001/quic-v1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"]"#),
    relay_count!(reservations, CONNECTIONS, "Reservations that this node grants as a relay. Each peer has one at most."),
    relay_count!(
        reservations_per_prefix,
        CONNECTIONS,
        "Reservations of one network of peers (see `prefix_v4`). Behind a carrier's NAT are many peers."
    ),
    relay_duration!(reservation_life, Duration::from_secs(60)..=HOUR.saturating_mul(24), "How long a reservation lasts unless it is renewed."),
    relay_pace!(requests, "request_burst", "Reservations that one peer may ask for at once."),
    relay_interval!(requests, "request_interval", "After which time it may ask for one more."),
    relay_count!(circuits, CONNECTIONS, "Circuits that this node carries at once as a relay."),
    relay_count!(circuits_per_peer, CONNECTIONS, "Circuits of one peer, whichever end it is."),
    relay_count!(circuits_per_prefix, CONNECTIONS, "Circuits that peers of one network opened."),
    relay_pace!(circuit_requests, "circuit_burst", "Circuits that one peer may ask for at once."),
    relay_interval!(circuit_requests, "circuit_interval", "After which time it may ask for one more."),
    relay_duration!(
        circuit_life,
        SECOND..=HOUR.saturating_mul(24 * 30),
        "How long a circuit lasts. Long enough for a peer that can never be direct to trade."
    ),
    relay_size!(circuit_bytes, KIB..=TIB, "Bytes of one circuit, both directions together."),
    relay_size!(peer_bytes, KIB..=TIB, "Bytes in an hour of the circuits that one peer opened."),
    relay_size!(prefix_bytes, KIB..=TIB, "Bytes in an hour of the circuits that peers of one network opened."),
    relay_size!(peer_rate, KIB..=TIB, "Bytes per second of the circuits that one peer opened."),
    relay_size!(prefix_rate, KIB..=TIB, "Bytes per second of the circuits that peers of one network opened."),
    relay_size!(rate, KIB..=TIB, "Bytes per second of all circuits."),
    relay_pace!(accepts, "accept_burst", "Connections of one network that a relay accepts at once."),
    relay_interval!(accepts, "accept_interval", "After which time it accepts one more."),
    Setting::new(
        "relay",
        "prefix_v4",
        Field::Count(8..=32, PREFIX_V4),
        "Leading bits of an IPv4 address that make a network for the limits above: 16 is about a provider, 32 one address.",
    ),
    Setting::new(
        "relay",
        "prefix_v6",
        Field::Count(16..=128, PREFIX_V6),
        "The same for IPv6: 32 is about a provider, 64 one subscriber.",
    ),
    Setting::new(
        "relay",
        "drain",
        Field::Duration(Duration::ZERO..=HOUR, |all| &mut all.relay_drain),
        "How long a relay that is told to stop by a signal gives its clients to move to other ones. A second signal ends it at once.",
    ),
    Setting::new(
        "relay",
        "policy",
        Field::RelayPolicy(|all| &mut all.node.relay_selection.policy),
        "How the home relay is chosen, the first of those that this node holds. docs/operating.md explains each policy.",
    )
    .with_example("\"latency_x_load\""),
    Setting::new(
        "relay",
        "parameters",
        Field::RelayParameters(|all| &mut all.node.relay_selection.parameters),
        "What the policy is told, where it is not the default. docs/operating.md explains each.",
    )
    .with_example("{ absolute_margin = 0.05, relative_margin = 0.3 }"),
    Setting::new(
        "relay",
        "hints",
        Field::RelayHints(|all| &mut all.node.relay_selection.hints),
        "The round-trip times that the places of relays suggest, by peer id. Only \"geographic_hint\" looks at them.",
    )
    .with_example("{ 12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN = \"40ms\" }"),
    Setting::new(
        "relay",
        "standbys",
        Field::Count(0..=STANDBYS as u64, RELAY_STANDBYS),
        "Relays that are held beside the home, best in other networks: when the home dies, others reach this node through them.",
    ),
    Setting::new(
        "relay",
        "probe_in_use",
        Field::Duration(SECOND..=HOUR, |all| &mut all.node.relay_selection.probe_in_use),
        "Mean time between two probes of a relay that is held. A dead one is noticed some two seconds after the next probe.",
    ),
    Setting::new(
        "relay",
        "probe_idle",
        Field::Duration(SECOND..=HOUR, |all| &mut all.node.relay_selection.probe_idle),
        "Mean time between two probes of the five nearest others; farther ones are probed a fifth as often. Each makes a connection and closes it again.",
    ),
    Setting::new(
        "relay",
        "discovery",
        Field::Flag(|all| &mut all.node.relay_selection.discovery),
        "Whether relays are looked for in the DHT as well.",
    ),
    Setting::new(
        "discovery",
        "enabled",
        Field::Flag(|all| &mut all.node.discovery),
        "Whether this node takes part in the DHT: as a client behind a NAT, as a server when it is public.",
    ),
    Setting::new(
        "discovery",
        "bootstrap",
        Field::Peers(|all| &mut all.node.bootstrap),
        "Peers through which this node joins the DHT.",
    )
    .with_example(r#"["/dns4/boot.example.org/tcp/4001/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"]"#),
    Setting::new(
        "webrtc",
        "enabled",
        Field::Flag(|all| &mut all.node.webrtc.enabled),
        "Whether this node speaks WebRTC.",
    ),
    Setting::new(
        "webrtc",
        "preset",
        Field::Choice(PRESET),
        "The network that this node is in, which says what `ice_servers` and `policy` are unless they are set:\n\
         \"home\": behind a home router. Two public STUN servers, policy \"all\".\n\
         \"corporate\": behind a firewall that passes few ports. Public STUN servers on port 3478 and on 443, policy \"all\". Where \
         the firewall passes no UDP to strangers, add a TURN server of your own.\n\
         \"mobile\": behind a carrier's NAT, on a battery. One public STUN server, policy \"all\". Many carriers' NATs forbid direct \
         paths to each other; a TURN server of your own helps then.\n\
         \"relay-only\": no STUN server, policy \"relay\". Needs a TURN server in `ice_servers`.",
    )
    .with_example("\"corporate\""),
    Setting::new(
        "webrtc",
        "ice_servers",
        Field::IceServers(|all| &mut all.ice_servers),
        "STUN servers (RFC 8489), which tell a host behind a NAT its address outside, and TURN servers (RFC 8656), which relay where \
         no direct path exists. Replaces the preset's list; at most 8. The default ones are public servers of Cloudflare and Google: \
         two owners, so that one may fail.\n\
         Privacy: a STUN server learns this host's public address and each time that a connection is prepared, but not to whom and \
         not this node's peer id. A TURN server also learns the addresses and the amount of what it relays, which it cannot read. \
         An empty list asks nobody: then only hosts with a public address, or in the same network, are reached over WebRTC.\n\
         The credential of a TURN server is best kept in a file of its own, relative to the node's folder.",
    )
    .with_example(
        r#"["stun:stun.example.org:3478", { url = "turn:turn.example.org", username = "alice", credential_file = "turn-credential" }]"#,
    ),
    Setting::new(
        "webrtc",
        "policy",
        Field::Choice(POLICY),
        "Which addresses are offered to peers over WebRTC: \"all\", or with \"relay\" only those of TURN servers, so that no peer \
         learns this host's addresses that way. Other transports are not affected: see `node.listen` and `node.hole_punching`.",
    ),
    Setting::new(
        "webrtc",
        "certificate",
        Field::Path(|all| &mut all.certificate),
        "File with the certificate of WebRTC connections and its key, relative to the folder of the identity file. It is made when it \
         is missing. Addresses with `/webrtc-direct` name its fingerprint, so keep it. Only its owner may read it (mode 0600).",
    ),
    Setting::new(
        "messages",
        "sealing",
        Field::Choice(SEALING),
        "Whether messages are encrypted end to end with the keys of both peers, above the transport's encryption: \"preferred\" seals \
         for every peer that can, \"required\" sends and takes nothing else, \"off\" leaves it to the transport. A peer that has sealed \
         once is not believed when it says that it cannot.",
    )
    .with_example("\"required\""),
    Setting::new(
        "messages",
        "compression",
        Field::Flag(|all| &mut all.node.messages.compression),
        "Whether messages are compressed (zstd) where that pays, and compressed ones are taken. Each is compressed by itself.",
    ),
    Setting::new(
        "messages",
        "batch_delay",
        Field::Duration(Duration::ZERO..=SECOND, |all| &mut all.node.messages.batch_delay),
        "The shortest time between two batches of messages to a peer. A message after a pause goes at once; only those that come \
         close together wait for each other, at most this long.",
    ),
    Setting::new("gossip", "topics", Field::Topics(|all| &mut all.node.topics), "Topics to subscribe to.")
        .with_example(r#"["orders"]"#),
    Setting::new(
        "trading",
        "enabled",
        Field::Flag(|all| &mut all.trading.enabled),
        "Whether this node trades. Without it, orders of others are not even kept.",
    ),
    Setting::new("trading", "network", Field::Choice(NETWORK), "The chain. A wallet file serves all of them.")
        .with_example("\"regtest\""),
    Setting::new(
        "trading",
        "electrum",
        Field::Servers(|all| &mut all.trading.electrum),
        "Electrum servers, at most 8: `host:port` without TLS, `ssl://host:port` with it. A server that made its certificate itself is \
         pinned by its fingerprint: `ssl://host:port#sha256=<64 hexadecimal digits>`. The first one that answers is asked, and \
         compared with another one where there is one.\n\
         Privacy: the server learns every address of the wallet, and from where it is asked. One's own is best.",
    )
    .with_example(r#"["127.0.0.1:50001", "ssl://electrum.example.org:50002"]"#),
    Setting::new(
        "trading",
        "bitcoind",
        Field::Bitcoind(|all| &mut all.trading.bitcoind),
        "RPC server of a bitcoind with all blocks (not pruned), from which this node finds out which runes are on which output. \
         Without one, runes cannot be traded.",
    )
    .with_example("\"http://127.0.0.1:8332\""),
    Setting::new(
        "trading",
        "bitcoind_cookie_file",
        Field::OptionalPath(|all| &mut all.trading.bitcoind_cookie_file),
        "The file `.cookie` in bitcoind's folder, with which this node logs in. Relative to the node's folder.",
    )
    .with_example("\"/var/lib/bitcoind/.cookie\""),
    Setting::new(
        "trading",
        "bitcoind_password_file",
        Field::OptionalPath(|all| &mut all.trading.bitcoind_password_file),
        "Instead of the cookie: a file with the line `user:password`. Only its owner may read it (mode 0600).",
    ),
    Setting::new(
        "trading",
        "confirmations",
        Field::Count(1..=144, CONFIRMATIONS),
        "Confirmations after which a swap counts as settled and is no longer watched.",
    ),
    Setting::new(
        "trading",
        "lowest_fee_rate",
        Field::FeeRate(MIN_FEE_RATE..=MAX_FEE_RATE, |all| &mut all.trading.policy.fee_rates.0),
        "Swaps that pay less are refused: they may never confirm.",
    ),
    Setting::new(
        "trading",
        "highest_fee_rate",
        Field::FeeRate(MIN_FEE_RATE..=MAX_FEE_RATE, |all| &mut all.trading.policy.fee_rates.1),
        "Nothing pays more, whatever a server estimates or a peer proposes.",
    ),
    Setting::new(
        "trading",
        "swap_window",
        Field::Duration(WINDOW.0..=WINDOW.1, |all| &mut all.trading.policy.window),
        "How long a taker of this node's orders has, from acceptance to signatures. Its coins and this node's are reserved meanwhile.",
    ),
    Setting::new(
        "trading",
        "folder",
        Field::Path(|all| &mut all.trading.folder),
        "Folder of orders, swaps, history and indexes, relative to the node's folder.",
    ),
    Setting::new(
        "trading",
        "wallet",
        Field::Path(|all| &mut all.trading.wallet),
        "File with the sealed seed of the wallet, relative to the node's folder. `darkswap wallet create` makes it. Only its owner \
         may read it (mode 0600).",
    ),
    Setting::new(
        "trading",
        "passphrase_file",
        Field::OptionalPath(|all| &mut all.trading.passphrase_file),
        "File with the passphrase of the wallet, for a node that starts by itself. Without it and without key_file, `darkswap run` \
         asks on the terminal. Only its owner may read it (mode 0600).",
    ),
    Setting::new(
        "trading",
        "key_file",
        Field::OptionalPath(|all| &mut all.trading.key_file),
        "File with the key of a wallet that has no passphrase, best on another medium than the wallet. Only its owner may read it \
         (mode 0600).",
    )
    .with_example("\"/media/stick/wallet.key\""),
    Setting::new(
        "bandwidth",
        "node_sends",
        Field::Rate(|all| &mut all.node.bandwidth.sending.node),
        "What this node sends on all connections together. A relay's circuits count twice: received from one peer, sent to the other.",
    )
    .with_example(r#"[{ from = "08:00", to = "18:00", rate = "2MiB" }, { from = "22:00", to = "06:00", rate = "16MiB" }]"#),
    Setting::new(
        "bandwidth",
        "node_receives",
        Field::Rate(|all| &mut all.node.bandwidth.receiving.node),
        "What this node receives on all connections together.",
    ),
    Setting::new(
        "bandwidth",
        "connection_sends",
        Field::Rate(|all| &mut all.node.bandwidth.sending.connection),
        "What this node sends on each connection.",
    )
    .with_example("\"512KiB\""),
    Setting::new(
        "bandwidth",
        "connection_receives",
        Field::Rate(|all| &mut all.node.bandwidth.receiving.connection),
        "What this node receives on each connection.",
    ),
    count!(
        connections,
        CONNECTIONS,
        "Open connections in all. Each costs about 100 kB of memory. Unless it is set, a relay has four for each of its `reservations`."
    ),
    count!(
        connections_per_peer,
        2..=64,
        "Open connections to one peer: a direct and a relayed one, in both directions while a hole punch is under way."
    ),
    count!(pending_connections, CONNECTIONS, "Connections in each direction that have not finished their handshake."),
    size!(message_size, KIB..=16 * MIB, "Largest message that is sent or received."),
    count!(pending_messages, 1..=65_536, "Messages to one peer that wait for an acknowledgement."),
    duration!(
        message_deadline,
        SECOND..=HOUR,
        "How long a message is retried before its sender is told that it failed."
    ),
    size!(gossip_size, KIB..=MIB, "Largest gossip message."),
    count!(peers, 1..=1_000_000, "Peers whose path is kept in mind."),
    duration!(
        idle,
        SECOND..=HOUR.saturating_mul(24),
        "How long the connections to a peer are kept that this node asked for and does not use any more."
    ),
    count!(addresses_per_peer, 1..=256, "Addresses that are remembered of one peer."),
    Setting::new(
        "control",
        "enabled",
        Field::Flag(|all| &mut all.control),
        "Whether a running node can be controlled. Only the user who runs it can.",
    ),
    Setting::new(
        "control",
        "socket",
        Field::Path(|all| &mut all.control_socket),
        "The endpoint's socket, relative to the node's folder. On Windows the name of a pipe is derived from it.",
    ),
];

/// The setting of this table and key.
pub(super) fn find(table: &str, key: &str) -> Option<usize> {
    SETTINGS.iter().position(|setting| setting.table == table && setting.key == key)
}
