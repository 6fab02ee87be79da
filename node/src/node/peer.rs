//! Everything the node keeps of one peer.

use std::collections::BTreeMap;
use std::time::Duration;

use darkswap_connectivity::{doubt, quality};
use darkswap_core::Time;
use darkswap_core::message::{Inbox, MessageId, Outbox};
use darkswap_core::path::{ConnectionKey, Machine, PathKind};
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use tokio::sync::oneshot;

use super::address_book::AddressBook;
use super::doubt::Request;
use super::quality::Scores;
use super::sealed::Lane;
use crate::event::{HolePunchRole, TransportKind};
use crate::handle::{CommandError, Receipt};
use crate::transport::metered::SharedMeter;

/// Somebody who waits for a path.
pub(super) type PathWaiter = oneshot::Sender<Result<PathKind, CommandError>>;

/// One peer: its machines, its addresses.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) path: Machine,
    pub(super) doubt: doubt::Machine<Request>,
    pub(super) quality: quality::Machine,
    /// The relay that is not to be used for the next circuit.
    pub(super) avoided: Option<PeerId>,
    pub(super) outbox: Outbox,
    pub(super) inbox: Inbox,
    pub(super) lane: Lane,
    pub(super) book: AddressBook,
    pub(super) connections: BTreeMap<ConnectionKey, Connection>,
    pub(super) receipts: BTreeMap<MessageId, Submitted>,
    pub(super) agent: Option<String>,
    pub(super) last_error: Option<String>,
    pub(super) last_used: Time,
    /// The deadline under which the peer is noted in the node's timers.
    pub(super) timer: Option<Time>,
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) kind: PathKind,
    pub(super) transport: TransportKind,
    /// Our role in it; of a relayed connection also our role in the hole punch that follows.
    pub(super) role: HolePunchRole,
    pub(super) address: Multiaddr,
    pub(super) round_trip: Option<Duration>,
    /// Whether ICE has lost the peer on it, or it does not answer.
    pub(super) disturbed: bool,
    /// What was measured of it.
    pub(super) meter: SharedMeter,
    pub(super) scores: Scores,
}

/// A message whose sender waits.
#[derive(Debug)]
pub(super) struct Submitted {
    pub(super) answer: oneshot::Sender<Result<Receipt, CommandError>>,
    pub(super) size: usize,
}

impl Peer {
    /// The connection behind the best path: the oldest of the best kind.
    pub(super) fn best(&self) -> Option<&Connection> {
        self.best_entry().map(|(_, connection)| connection)
    }

    /// The same with its key.
    pub(super) fn best_entry(&self) -> Option<(ConnectionKey, &Connection)> {
        let kind = self.path.best()?;
        let of_kind = || self.connections.iter().filter(|(_, connection)| connection.kind == kind);
        let (key, connection) = of_kind().find(|(_, it)| !it.disturbed).or_else(|| of_kind().next())?;
        Some((*key, connection))
    }

    /// Bytes that its open relayed connections carried, in both directions.
    pub(super) fn relayed_bytes(&self) -> u64 {
        let relayed = self.connections.values().filter(|connection| connection.kind == PathKind::Relayed);
        relayed.map(|connection| connection.meter.measure()).map(|carried| carried.sent + carried.received).sum()
    }

    /// When something has to be done for this peer if nothing else happens.
    pub(super) fn deadline(&self) -> Option<Time> {
        let machines = [self.path.deadline(), self.outbox.deadline(), self.doubt.deadline(), self.quality.deadline()];
        machines.into_iter().chain([self.lane.deadline()]).flatten().min()
    }

    /// Whether nothing is lost when the peer is forgotten.
    pub(super) fn is_idle(&self) -> bool {
        self.path.is_idle() && self.outbox.is_empty()
    }
}
