//! The messages of `/webrtc-signaling/0.0.1` and the rules of one exchange on one stream.
//!
//! Specification: libp2p WebRTC, "Signaling Protocol" and "Connection Establishment"; candidates as in W3C WebRTC,
//! `RTCIceCandidateInit`, trickled as in RFC 8838. The stream runs over a connection whose peer is authenticated, so what comes in can
//! be false or too much, but never from somebody else.

mod candidate;
mod event;
mod message;
mod misbehaviour;
mod session;
mod ufrags;

pub use candidate::{Candidate, CandidateError, MAX_CANDIDATE};
pub use event::{Event, Role, SessionError, Waiting};
pub use message::{Decoder, MAX_MESSAGE, MAX_SDP, Message, MessageError};
pub use misbehaviour::{MAX_EVIDENCE, Misbehaviour};
pub use session::{Session, SessionSettings};

/// The name of the protocol, as js-libp2p speaks it.
pub const SIGNALLING_PROTOCOL: &str = "/webrtc-signaling/0.0.1";

#[cfg(test)]
mod tests;
