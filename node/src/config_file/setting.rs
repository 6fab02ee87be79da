//! Every setting: its name, what it holds, what it means. File, environment, flags, template and messages all follow this table.

use std::ops::RangeInclusive;
use std::time::Duration;

use bitcoin::Network;
use darkswap_trade::psbt::{MAX_FEE_RATE, MIN_FEE_RATE};
use darkswap_trade::swap::WINDOW;

use super::preset::{PRESETS, Preset};
use super::value::{Choice, Field, Number};
use crate::config::{Reachability, Sealing};

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
pub(super) const TABLES: [(&str, &str); 9] = [
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
    ("limits", "Bounds that keep a flood or a broken peer from exhausting this host."),
    ("control", "The local endpoint through which `darkswap peers`, `darkswap send` and so on reach a running node."),
];

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

/// More connections than this need more ports, descriptors and memory than one process has.
const CONNECTIONS: RangeInclusive<u64> = 1..=65_536;

/// Every setting, by table.
pub(super) static SETTINGS: [Setting; 48] = [
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
        "Relays on which this node holds a reservation, so that others reach it behind a NAT.",
    )
    .with_example(r#"["/ip4/198.51.100.7/udp/4001/quic-v1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"]"#),
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
    count!(connections, CONNECTIONS, "Open connections in all. Each costs about 100 kB of memory."),
    count!(
        connections_per_peer,
        2..=64,
        "Open connections to one peer: a direct and a relayed one, in both directions while a hole punch is under way."
    ),
    count!(pending_connections, CONNECTIONS, "Connections in each direction that have not finished their handshake."),
    count!(relay_reservations, CONNECTIONS, "Reservations that a relay grants."),
    count!(relay_circuits, CONNECTIONS, "Circuits that a relay carries at once."),
    count!(relay_circuits_per_peer, CONNECTIONS, "Circuits that a relay carries at once for one peer."),
    duration!(relay_circuit_duration, SECOND..=HOUR.saturating_mul(24 * 30), "How long a relay carries one circuit."),
    size!(relay_circuit_bytes, KIB..=TIB, "How many bytes a relay carries on one circuit."),
    size!(message_size, KIB..=16 * MIB, "Largest message that is sent or received."),
    count!(pending_messages, 1..=65_536, "Messages to one peer that wait for an acknowledgement."),
    duration!(
        message_deadline,
        SECOND..=HOUR,
        "How long a message is retried before its sender is told that it failed."
    ),
    size!(gossip_size, KIB..=MIB, "Largest gossip message."),
    count!(peers, 1..=1_000_000, "Peers whose path is kept in mind."),
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
