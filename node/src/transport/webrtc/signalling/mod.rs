//! Signalling for `/webrtc`: a behaviour that carries offers, answers and candidates over relayed connections.
//!
//! A stream of `/webrtc-signaling/0.0.1` on a relayed connection is between two peers that noise has authenticated; that is what
//! binds a WebRTC connection to a peer id. The behaviour opens and accepts these streams; the [transport](super::signalled) does
//! the rest. On a direct connection there is nothing to negotiate: a stream there is refused and counted.

mod behaviour;
mod handler;
mod link;

pub(crate) use behaviour::{Behaviour, Event};
pub use link::NoStream;
pub(crate) use link::{Failed, Purpose};
pub(super) use link::{Opened, Report, Request, Ticket, ToBehaviour, ToTransport, TransportEnd, link};
