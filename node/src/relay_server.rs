//! A relay of ours: circuit relay v2, the side that serves (libp2p specifications, `relay/circuit-v2.md`).
//!
//! | module | noun |
//! |---|---|
//! | `behaviour` | who has a reservation, which circuits are open; asks the server and tells the node |
//! | `handler` | one connection: its requests, its answers, the circuits that its peer opened |
//! | `circuit` | one circuit: two streams, each copied to the other |
//! | `exchange` | messages on a stream |
//! | `shared` | the server, which behaviour and circuits ask |
//! | `reservation` | what a granted reservation says, and its voucher |
//! | `status` | what the relay says of itself |
//!
//! What is admitted, counted and closed is decided by [`Server`](darkswap_connectivity::relay::server::Server); what is here asks it and
//! does what it says. It stands in for the server side of `libp2p::relay`, which cannot limit by address prefix or rate, counts nothing
//! and cannot drain ([0022](../../../docs/decisions/0022-own-relay-server.md)).
//!
//! The server is behind a lock, because circuits run in the tasks of their connections and ask it for every chunk. Nothing waits while
//! it holds the lock, and behaviours and handlers of one swarm take turns anyway, but for the threads of the shipped binary.

mod behaviour;
mod circuit;
mod exchange;
mod handler;
mod reservation;
mod shared;
mod status;
#[cfg(test)]
mod tests;

use std::time::Duration;

use libp2p::{PeerId, StreamProtocol};

pub(crate) use behaviour::Behaviour;
pub use status::RelayService;

use crate::event::{Misbehaviour, RelayServerEvent};

/// What clients ask.
const HOP: StreamProtocol = StreamProtocol::new("/libp2p/circuit/relay/0.2.0/hop");
/// What destinations are asked.
const STOP: StreamProtocol = StreamProtocol::new("/libp2p/circuit/relay/0.2.0/stop");

/// What the node hears of its relay.
#[derive(Debug)]
pub(crate) enum Event {
    /// Something to report.
    Report(RelayServerEvent),
    /// A peer with a reservation is to be told that the relay stops within this time.
    Notify { peer: PeerId, within: Duration },
    /// A peer broke a rule.
    Misbehaviour { peer: PeerId, kind: Misbehaviour, evidence: String },
}
