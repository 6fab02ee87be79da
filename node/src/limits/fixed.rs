//! Bounds that nobody should need to change, by protocol, with their reasons.

/// Every connection.
pub mod connection {
    use std::time::Duration;

    /// How long a stream connection may take to become usable, from the first packet to the end of noise and yamux.
    pub const HANDSHAKE: Duration = Duration::from_secs(10);
    /// Silence on every stream after which a connection is closed. Connections are kept by whoever wants the peer; this only collects
    /// what nobody closed.
    pub const IDLE: Duration = Duration::from_secs(3_600);
    /// Streams of one connection that may negotiate their protocol at once.
    pub const NEGOTIATING: usize = 256;
}

/// QUIC.
pub mod quic {
    use std::time::Duration;

    /// How long a handshake may take.
    pub const HANDSHAKE: Duration = Duration::from_secs(5);
    /// Silence after which a connection is lost. Three keep-alives may get lost before.
    pub const IDLE: Duration = Duration::from_secs(12);
    /// Pause after which a packet keeps the connection and the NAT's mapping alive (RFC 4787 REQ-5 asks NATs for 2 minutes; 30 s are
    /// common).
    pub const KEEP_ALIVE: Duration = Duration::from_secs(4);
    /// Concurrent streams that a peer may open.
    pub const STREAMS: u32 = 256;
    /// Bytes that a peer may send ahead of the reader on one stream.
    pub const STREAM_WINDOW: u32 = 1 << 20;
    /// Bytes that a peer may send ahead of the reader on a whole connection.
    pub const WINDOW: u32 = 4 << 20;
    /// Handshakes under way on a listener before further ones are refused.
    pub const PENDING: usize = 256;
    /// Hole punches to one address at once: several circuits to one peer may each lead to one.
    pub const PUNCHES: usize = 8;
    /// How long the packets of a hole punch are sent.
    pub const PUNCH: Duration = Duration::from_secs(5);
    /// Bounds of the random pause between two of these packets, in milliseconds.
    pub const PUNCH_PAUSE_MS: (u64, u64) = (10, 200);
}

/// WebRTC.
pub mod webrtc {
    use std::time::Duration;

    /// How long a connection may take to become usable, from the first packet to the end of noise.
    pub const HANDSHAKE: Duration = Duration::from_secs(10);
    /// How long the first try of a dialler may take until its DTLS connection and data channels stand. A lost flight can disarm DTLS'
    /// retransmission for good; a new try with a new socket then still has the rest of [`HANDSHAKE`].
    pub const FIRST_TRY: Duration = Duration::from_secs(4);
    /// Substreams that a peer may have open at once; what it opens beyond is closed at once.
    pub const STREAMS: usize = 256;
    /// Data channels with a label that a peer opened and nobody accepted.
    pub const UNACCEPTED_CHANNELS: usize = 64;
    /// Data channels with a label that a peer may have open at once, besides substreams.
    pub const CHANNELS: usize = 256;
    /// Largest datagram that is received whole. Peers keep below the MTU of Ethernet; longer ones fail DTLS' check and are lost.
    pub const DATAGRAM: usize = 2_048;
    /// Bytes that wait at a listener's socket for one connection: a whole SCTP window of 1 MiB with headers and the cost of each datagram.
    pub const INBOX: usize = 3 << 19;
    /// The same while its client has not proved who it is; a few flights of DTLS.
    pub const HALF_OPEN_INBOX: usize = 32 << 10;
    /// Datagrams per socket that a driver takes before other tasks get their turn.
    pub const TURN: usize = 64;
}

/// Signalling for `/webrtc`.
pub mod signalling {
    use std::time::Duration;

    /// How long a peer may take to agree to a signalling stream, over a relay that may be slow.
    pub const STREAM: Duration = Duration::from_secs(5);
    /// How long a peer that opened a stream may take until its offer is there.
    pub const OFFER: Duration = Duration::from_secs(5);
    /// How long a connection may take from the offer until its data channels can be used: a round trip of signalling over a slow relay,
    /// then ICE, which gives up by itself somewhat earlier.
    pub const SET_UP: Duration = Duration::from_secs(20);
    /// How long DTLS and SCTP may take once ICE has a pair. A lost flight can disarm DTLS' retransmission for good; the dialler then
    /// negotiates once more.
    pub const SECURE: Duration = Duration::from_secs(4);
    /// How often a dialler negotiates for one dial.
    pub const TRIES: usize = 2;
    /// Bounds of the random pause before the second try, in milliseconds: both sides may have dialled.
    pub const PAUSE_MS: (u64, u64) = (50, 250);
    /// How long an ICE restart may take before the connection is given up for a new one.
    pub const RESTART: Duration = Duration::from_secs(10);
    /// A peer that ends signalling within this time of the set-up does not keep it for restarts. Less than what a path machine lets a
    /// relayed connection linger, with which a kept stream ends.
    pub const KEPT: Duration = Duration::from_secs(3);
    /// Negotiations with one peer at once, in each role: one, and further tries while the end of those before is not noticed.
    pub const NEGOTIATIONS_PER_PEER: usize = 4;
    /// Negotiations in all at once. Each has a socket per address of the host and costs some 300 kB.
    pub const NEGOTIATIONS: usize = 128;
    /// Messages between the transport and the behaviour that wait for the other side's turn.
    pub const LINK: usize = 64;
    /// Commands that wait for the task of one connection.
    pub const COMMANDS: usize = 4;
    /// How long the addresses of an ICE server's name are used before it is resolved again.
    pub const RESOLVED: Duration = Duration::from_secs(300);
    /// Data channels that a peer opened and the application has not accepted.
    pub const UNACCEPTED_CHANNELS: usize = 64;
}

/// TCP, WebSocket and yamux.
pub mod stream {
    use std::time::Duration;

    /// How long a TCP connection may take to be established.
    pub const CONNECT: Duration = Duration::from_secs(5);
    /// yamux streams per connection. At this number rust-yamux keeps every stream's window at or below 1 MiB, which is also the
    /// largest frame that it accepts; js-libp2p sends frames as large as the window.
    pub const YAMUX_STREAMS: usize = 4_093;
    /// Largest WebSocket frame that is accepted: a yamux frame with its noise overhead.
    pub const WEBSOCKET_FRAME: usize = (1 << 20) + (64 << 10);
    /// Resolved addresses of one host name that are tried, in the resolver's order.
    pub const NAME_ADDRESSES: usize = 4;
}

/// Ping.
pub mod ping {
    use std::time::Duration;

    /// Pause between two pings. js-libp2p aborts a ping stream that is idle for 10 s.
    pub const INTERVAL: Duration = Duration::from_secs(8);
    /// How long an answer may take before the connection counts as dead.
    pub const TIMEOUT: Duration = Duration::from_secs(8);
}

/// Identify, and what is kept of what it tells.
pub mod identify {
    use std::time::Duration;

    /// Pause between two exchanges; changes are pushed at once.
    pub const INTERVAL: Duration = Duration::from_secs(300);
    /// Peers whose addresses libp2p keeps.
    pub const CACHE: usize = 256;
    /// Characters of a peer's `agent_version` that are kept.
    pub const AGENT: usize = 128;
    /// Addresses under which peers saw us that are kept, to tell new ones.
    pub const OWN_ADDRESSES: usize = 32;
    /// Such addresses that wait to be announced; more than one per observer is of no use.
    pub const CANDIDATES: usize = 32;
    /// The shortest time between two rounds of asking relays how they see us.
    pub const OBSERVATION: Duration = Duration::from_secs(10);
}

/// Messages.
pub mod message {
    use std::time::Duration;

    /// How long one attempt to deliver a message waits for its acknowledgement.
    pub const ATTEMPT: Duration = Duration::from_secs(10);
    /// Messages of one connection that are handled at once, in each direction.
    pub const STREAMS: usize = 128;
    /// Messages that share a batch: as many as an outbox has in flight.
    pub const BATCHED: usize = 32;
    /// Bytes of a batch. More gains nothing, and one lost batch repeats all of it.
    pub const BATCH: usize = 16 << 10;
    /// Bytes of a message for each byte of its compressed form.
    pub const RATIO: usize = 100;
    /// How long messages wait for a sealed session before the outbox tries them again.
    pub const SESSION: Duration = Duration::from_secs(3);
    /// Bytes of what a receipt says: a proof, and a byte for each message of a parcel.
    pub const RECEIPT: usize = 256;
    /// Commands of the application that wait for the node's loop; a sender of more waits itself.
    pub const COMMANDS: usize = 256;
}

/// Gossip.
pub mod gossip {
    use std::time::Duration;

    /// Heartbeats (seconds) in which a message is announced to peers outside the mesh. Streams do not lose announcements; the second is
    /// for a connection that closed with the first.
    pub const ANNOUNCEMENTS: usize = 2;
    /// Frames that wait for one slow peer before further ones are dropped.
    pub const QUEUE: usize = 1_024;
    /// How long a message may wait there. After a relayed connection has given way to a direct one, libp2p-gossipsub 0.50 does not notice
    /// the first message until something else, such as the next ping, uses the connection; this is two of them.
    pub const QUEUED: Duration = Duration::from_secs(16);
}

/// Relays, as a client.
pub mod relay {
    use std::time::Duration;

    /// The first and the largest delay before a relay that failed is asked again.
    pub const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
    /// The life of a reservation as the machine that renews it takes it, the specification's default: libp2p does not tell. What lives
    /// less long is renewed in time by libp2p, which knows.
    pub const LIFE: Duration = Duration::from_secs(3_600);
    /// Addresses that are kept of one relay: a few transports, each with IPv4 and IPv6.
    pub const ADDRESSES: usize = 8;
    /// Circuits that are tried at once to a peer of which nothing is known. Each may cost a connection to another relay.
    pub const CIRCUITS: usize = 8;
    /// How long the first choice waits for the first estimates of all relays. A relay that takes longer is not the nearest.
    pub const SETTLED: Duration = Duration::from_secs(1);
    /// Questions about load, and notices of a drain, of one connection that are handled at once, in each direction.
    pub const QUESTIONS: usize = 16;
}

/// Serving as a relay, besides what an operator sets.
pub mod relay_server {
    use std::time::Duration;

    /// Requests of one connection that are read or answered at once. A client has one or two.
    pub const REQUESTS: usize = 10;
    /// How long a client may take to send its request, and again to read the answer.
    pub const REQUEST: Duration = Duration::from_secs(10);
    /// How long the destination of a circuit may take to accept it: less than clients wait for it.
    pub const STOP: Duration = Duration::from_secs(20);
    /// Bytes that a circuit holds in each direction: with the largest number of circuits by default 16 MiB in all.
    pub const CHUNK: usize = 8 << 10;
    /// Bytes of this relay's addresses in a reservation: with a voucher they fit into a message.
    pub const ADDRESSES: usize = 3 << 10;
    /// Accounts that are shown, those with most bytes first.
    pub const ACCOUNTS: usize = 16;
}

/// The DHT.
pub mod dht {
    use std::time::Duration;

    /// Parallel requests of a query (Kademlia's alpha).
    pub const PARALLELISM: usize = 3;
    /// How long a query may take.
    pub const QUERY: Duration = Duration::from_secs(30);
    /// Largest packet in bytes.
    pub const PACKET: usize = 16 << 10;
    /// Peer records that a server keeps for others, of up to 2 KiB each.
    pub const RECORDS: usize = 4_096;
    /// Relays that a server knows to announce themselves.
    pub const PROVIDERS: usize = 128;
    /// The share of both that peers of one address prefix may take: one part of so many. Peer ids cost nothing, addresses do.
    pub const PREFIX_SHARE: usize = 4;
    /// How long a relay's announcement lasts: so long a relay that is gone is still named.
    pub const PROVIDER_LIFETIME: Duration = Duration::from_secs(30 * 60);
    /// Addresses that are kept of a relay that was found or that announces itself. An answer names twenty relays in one packet.
    pub const RELAY_ADDRESSES: usize = 4;
    /// How long changes are gathered before they are published.
    pub const DEBOUNCE: Duration = Duration::from_secs(1);
    /// The shortest time from one publication or search to one that nothing calls for but new servers.
    pub const JOINED: Duration = Duration::from_secs(5);
    /// The mean pause after which records and announcements are published again: they outlive two that fail.
    pub const PUBLISH_AGAIN: Duration = Duration::from_secs(10 * 60);
    /// The first and the largest mean pause after a publication that reached nobody.
    pub const PUBLISH_RETRY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));
    /// Found relays that are enough to choose from: a home, standbys that fail independently, and some to compare with.
    pub const RELAYS_ENOUGH: usize = 8;
    /// The mean pause between two searches for relays when enough were found.
    pub const SEARCH_AGAIN: Duration = Duration::from_secs(5 * 60);
    /// The mean pause when some were found, and not enough.
    pub const SEARCH_FEW: Duration = Duration::from_secs(60);
    /// The first and the largest mean pause while none was found. Nodes that start together look before the relays have announced themselves.
    pub const SEARCH_RETRY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(120));
    /// Relays that one search takes up. Servers may name any number.
    pub const RELAYS_PER_SEARCH: usize = 32;
    /// Found relays that are kept in mind; the one that was confirmed longest ago makes room.
    pub const RELAYS_FOUND: usize = 64;
    /// How long a found relay that drains is left alone at least: until the servers that name it have heard of the drain, and not so long
    /// that one that started anew is missed.
    pub const DRAINED: Duration = Duration::from_secs(120);
}
