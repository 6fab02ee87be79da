//! How to reach one peer: direct first, through a relay when that fails, direct again when it becomes possible.
//!
//! One [`Machine`] per peer. States, by the best open connection:
//!
//! | state | wanted: what the machine does | leaves it by |
//! |---|---|---|
//! | no path | dials direct; dials the relay as well when that fails, is late ([`HEAD_START`]) or has private addresses only; repeats with back-off | `Opened` |
//! | relayed | lets DCUtR work, which the accepting side of the circuit starts; [`ICE_STAGGER`] later the dialling side negotiates WebRTC; when DCUtR's roles failed, dials a circuit the other way round; tries again with back-off | `Opened` direct, `Closed` |
//! | direct | gives up a negotiation, closes relayed connections after [`LINGER`] | `Closed`: the relay is dialled at once |
//! | direct, disturbed | dials the relay at once, and the address again if it was dialled; negotiates through the relay; counts as relayed as soon as that is open | `Recovered`, `Closed`, `Opened` direct |
//! | relayed, disturbed | dials the circuits once more, of which other relays' may answer | `Recovered`, `Closed`, `Opened` |
//!
//! **Which direct connection stays.** An undisturbed one before a disturbed one, one that works well before one to be replaced, one with an address of its own (QUIC, TCP, WebSocket,
//! webrtc-direct) before a [negotiated](Origin::Negotiated) one, which is the costlier to keep and to restore, and of equals the
//! oldest, on which a reservation or circuits may live. Only the side with the smaller peer id closes, so that both ends keep the
//! same one even when they saw them open in another order.
//!
//! **Replacing.** A connection that works badly ([`Input::Replace`]) is made anew beside itself and closed [`HANDOVER`] after another
//! one of its kind, or better, is open: by whoever replaces it, whichever side that is, and well before the other side would close the
//! new one for a surplus one. When no other one comes about, the bad one stays.
//!
//! The machine never drops a peer's last connection on its own; that is [`Input::Release`].

mod machine;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

pub use machine::Machine;

/// How long a direct dial runs alone before the relay is dialled as well: above the round-trip time between any two places on
/// Earth, far below a transport's own time-out.
pub const HEAD_START: Duration = Duration::from_secs(1);

/// How long DCUtR works alone on a new circuit before WebRTC is negotiated as well: the connection attempt delay of Happy Eyeballs
/// (RFC 8305, section 8). A punch that needs no more than this spares both sides the dearer set-up.
pub const ICE_STAGGER: Duration = Duration::from_millis(250);

/// How long a peer that does not speak the signalling protocol is not asked again. It may be updated while we know it.
pub const UNSUPPORTED: Duration = Duration::from_secs(3_600);

/// How long a surplus connection is kept, so that what is in flight on it arrives.
pub const LINGER: Duration = Duration::from_secs(5);

/// How long a connection that is being replaced is kept beside the new one: what is in flight on it arrives, and the peer, which may be
/// the one that closes surplus connections, hears of the end before [`LINGER`] is over and keeps the new one.
pub const HANDOVER: Duration = Duration::from_secs(1);

/// The delay before the second try to get a path, and its cap.
pub const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// The delay before the second try to upgrade a relayed path, and its cap. NATs and address changes move in minutes.
pub const UPGRADE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(600));

/// How soon a relayed path is tried to be upgraded after an address of our own became known. The peer may be learning its own.
pub const NEWS: Duration = Duration::from_secs(1);

/// Direct, or through a relay. A better kind compares greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathKind {
    /// Through a relay's circuit.
    Relayed,
    /// Peer to peer.
    Direct,
}

impl fmt::Display for PathKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Relayed => "relayed",
            Self::Direct => "direct",
        })
    }
}

/// A number for a connection, unique in the life of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionKey(pub u64);

/// How a connection came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// We dialled an address.
    Dialled,
    /// The peer dialled an address of ours.
    Accepted,
    /// Both sides exchanged candidates over a relayed connection and ICE chose a pair (WebRTC).
    Negotiated,
}

/// Which kinds of address are known of the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known {
    /// Direct addresses that are routed everywhere.
    pub global: bool,
    /// Direct addresses that are routed in one network only. Dialling them gets no head start: behind another NAT, the usual case,
    /// the attempt is hopeless.
    pub private: bool,
    /// Circuits through relays.
    pub relayed: bool,
}

impl Known {
    /// Whether there is anything to dial directly.
    #[must_use]
    pub fn direct(self) -> bool {
        self.global || self.private
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Somebody needs a path to the peer.
    Want,
    /// Nobody needs a path any more: every connection is closed.
    Release,
    /// What is known of the peer's addresses now.
    Addresses(Known),
    /// A connection was opened, by either side.
    Opened {
        /// Its number.
        connection: ConnectionKey,
        /// Its kind.
        kind: PathKind,
        /// How it came to be.
        origin: Origin,
    },
    /// A connection ended.
    Closed {
        /// Its number.
        connection: ConnectionKey,
    },
    /// A [`Output::Dial`] of this kind ended without a connection.
    DialFailed {
        /// The kind that was asked for.
        kind: PathKind,
    },
    /// Our side of a DCUtR exchange, with us as the QUIC server, gave up.
    HolePunchFailed,
    /// An [`Output::Negotiate`] ended without a connection.
    NegotiationFailed,
    /// The peer does not speak the signalling protocol: a negotiation failed and none is tried for [`UNSUPPORTED`].
    NegotiationUnsupported,
    /// Nothing arrives on a connection any more: a NAT may have forgotten it, or its relay be gone. It is not lost yet.
    Disturbed {
        /// Its number.
        connection: ConnectionKey,
    },
    /// A connection that was disturbed, or to be replaced, works again.
    Recovered {
        /// Its number.
        connection: ConnectionKey,
    },
    /// An address of our own became known that was not known before, after a NAT forgot its mappings, say: a hole punch that failed
    /// may succeed now.
    OwnAddress,
    /// A relayed path works badly: try to upgrade it soon.
    Upgrade,
    /// A connection works badly: dial another one of its kind, and close it when that is open. Of a negotiated one a new one is
    /// negotiated, as of one that is [disturbed](Input::Disturbed). Of no effect while nobody wants the peer.
    Replace {
        /// Its number.
        connection: ConnectionKey,
    },
    /// Time passed; nothing else happened.
    Tick,
}

/// What to do, or what to report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Dial the peer's addresses of this kind, also when it is connected already. Answer with `Opened` or `DialFailed`.
    Dial {
        /// The kind.
        kind: PathKind,
    },
    /// Negotiate a direct connection over the relayed one, or restore the disturbed one. Answer with `Opened`, `Recovered` or
    /// `NegotiationFailed`.
    Negotiate,
    /// Stop negotiating: a direct connection came about otherwise. Needs no answer.
    AbandonNegotiation,
    /// Close a connection in good order.
    Close {
        /// Its number.
        connection: ConnectionKey,
    },
    /// The best path changed.
    Changed {
        /// Before.
        from: Option<PathKind>,
        /// Now.
        to: Option<PathKind>,
        /// Time since the change before, or since a path was first wanted.
        elapsed: Duration,
    },
    /// Every known way failed in this round.
    Failed {
        /// Time since a path was wanted or lost.
        elapsed: Duration,
    },
}
