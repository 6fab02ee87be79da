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
    /// Commands of the application that wait for the node's loop; a sender of more waits itself.
    pub const COMMANDS: usize = 256;
}

/// Gossip.
pub mod gossip {
    /// Heartbeats (seconds) in which a message is announced to peers outside the mesh. Streams do not lose announcements; the second is
    /// for a connection that closed with the first.
    pub const ANNOUNCEMENTS: usize = 2;
    /// Frames that wait for one slow peer before further ones are dropped.
    pub const QUEUE: usize = 1_024;
}

/// Relaying, as server and as client.
pub mod relay {
    use std::time::Duration;

    /// How long a reservation lasts: the specification's default.
    pub const RESERVATION: Duration = Duration::from_secs(3_600);
    /// Reservations of one peer, over its connections.
    pub const RESERVATIONS_PER_PEER: usize = 4;
    /// How often one peer may ask for a reservation. Enough for a peer that reconnects through a bad hour.
    pub const RESERVATION_RATE: (u32, Duration) = (30, Duration::from_secs(120));
    /// How often one peer may ask for a circuit.
    pub const CIRCUIT_RATE: (u32, Duration) = (60, Duration::from_secs(60));
    /// Both from one address, behind which a carrier's NAT may hide many peers.
    pub const ADDRESS_RATE: (u32, Duration) = (600, Duration::from_secs(60));
    /// The first and the largest delay before a lost reservation is asked for again.
    pub const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
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
}
