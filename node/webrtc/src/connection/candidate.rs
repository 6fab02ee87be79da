//! Candidates, pairs and datagrams.

use std::net::SocketAddr;

use bytes::Bytes;

/// A datagram to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// From which address of ours: a socket's, or one that a TURN server relays.
    pub local: SocketAddr,
    /// To whom.
    pub remote: SocketAddr,
    /// What.
    pub payload: Bytes,
}

/// A candidate of ours (RFC 8445 section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalCandidate {
    /// How we came by it.
    pub kind: CandidateKind,
    /// Where the peer may send to.
    pub address: SocketAddr,
    /// The socket it is reached through.
    pub base: SocketAddr,
    /// The TURN server of a relayed one.
    pub server: Option<SocketAddr>,
}

/// RFC 8445's kinds of candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CandidateKind {
    /// A socket's own address.
    Host,
    /// What a STUN server saw.
    ServerReflexive,
    /// What the peer saw in a connectivity check.
    PeerReflexive,
    /// An address of a TURN server.
    Relayed,
}

impl CandidateKind {
    /// The kind's name in events and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::ServerReflexive => "server_reflexive",
            Self::PeerReflexive => "peer_reflexive",
            Self::Relayed => "relayed",
        }
    }
}

/// One end of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// How its owner came by it.
    pub kind: CandidateKind,
    /// Its address.
    pub address: SocketAddr,
}

/// The pair that data takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CandidatePair {
    /// Our end.
    pub local: Candidate,
    /// The peer's end.
    pub remote: Candidate,
}
