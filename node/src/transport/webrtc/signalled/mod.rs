//! The transport `/webrtc`: a direct connection between two peers behind NATs, negotiated over their relayed connection (libp2p
//! WebRTC specification, "Browser to Browser").
//!
//! | module | what it is |
//! |---|---|
//! | `address` | the addresses `/webrtc/p2p/..` and `<circuit>/webrtc/p2p/..` |
//! | `transport` | libp2p's view: dials, and listens wherever there is a reservation |
//! | `negotiation` | offer, answer and candidates until the connection stands |
//! | `attendance` | what goes on afterwards: ICE's state, and restarts |
//! | `exchange` | the messages on one signalling stream |
//! | `sockets`, `servers` | what candidates are gathered with |
//! | `addresses` | the host's addresses, and when a change of them restarts ICE |
//!
//! **Who the peer is.** The signalling stream runs over a relayed connection on which noise has authenticated both ends. Each end
//! tells its certificate's fingerprint there; DTLS proves that whoever answers at the negotiated address holds that certificate. So the
//! peer id is that of the relayed connection, and nothing like noise runs on top. The relay sees ciphertext only.
//!
//! **Certificates** are made for one connection each. A peer's fingerprint therefore names one connection: an offer with the
//! fingerprint of a live one is an ICE restart of it, whatever stream it comes on.

pub(crate) mod address;
mod addresses;
mod attendance;
mod exchange;
mod negotiation;
mod servers;
mod setting;
mod sockets;
mod transport;

use std::sync::Arc;

use super::signalling::{self, link};
pub use negotiation::Error;
pub use transport::Transport;

pub(crate) use setting::Setting;

/// A transport and the behaviour that carries its signalling.
pub(crate) fn new(setting: Setting) -> (Transport, signalling::Behaviour) {
    let (transport, behaviour) = link();
    (Transport::new(Arc::new(setting), transport), signalling::Behaviour::new(behaviour))
}
