//! Whose connections are kept, and why; and who waits for one.
//!
//! The [pool](darkswap_connectivity::pool) decides, and the path machine of each peer carries out: `Dial` is its `Want`, `Close` and
//! `Abandon` are its `Release`. Which peers are kept follows from [`Hold`]s; a peer without one may be closed for being idle, or for
//! room. See decision 0024.

use std::collections::{BTreeMap, BTreeSet};

use darkswap_connectivity::pool::{
    CloseReason, DIAL, GetError, Input, Lease, Machine, Output, Settings, Ticket, Usage,
};
use darkswap_core::Time;
use darkswap_core::path::{ConnectionKey, Input as PathInput, PathKind};
use libp2p::PeerId;
use libp2p::swarm::ConnectionId;
use tokio::sync::oneshot;

use super::Node;
use super::peer::PathWaiter;
use crate::event::Event;
use crate::handle::CommandError;
use crate::limits::Limits;

/// Connections of which one is left free for the second one to a peer, which replaces the first: the pool holds the other seven eighths.
const SPARE: u32 = 8;

/// Why the connections to a peer are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hold {
    /// The application connected and has not disconnected.
    Application,
    /// Messages wait for their acknowledgement.
    Messages,
    /// The trader wants a path.
    Trader,
    /// Our reservation is there.
    Relay,
    /// Its reservation is here.
    Client,
    /// A circuit: it carries one of ours, or has one through this relay.
    Circuit,
    /// The application has a data channel with it.
    Channels,
}

impl Hold {
    /// Whether the peer is kept because this node sought it. A peer that others sought, or that came by itself, is a stranger again
    /// as soon as the reason is gone: whoever opened its connections closes them.
    fn is_ours(self) -> bool {
        match self {
            Self::Application | Self::Messages | Self::Trader | Self::Relay => true,
            Self::Client | Self::Circuit | Self::Channels => false,
        }
    }
}

/// The pool of a node, and who waits for it.
#[derive(Debug)]
pub(super) struct Pool {
    machine: Machine<PeerId>,
    holds: BTreeMap<PeerId, BTreeSet<Hold>>,
    /// Circuits that peers carry for this node, or have through it: as many as those bounds let be.
    circuits: BTreeMap<PeerId, usize>,
    waiting: BTreeMap<Ticket, (PeerId, Option<PathWaiter>)>,
    next: u64,
    /// What the last answer to a hold's ticket was, when it was a refusal.
    refused: Option<GetError>,
    /// Why the path failed of which the machine is told now.
    reason: Option<String>,
}

impl Pool {
    pub(super) fn new(limits: &Limits) -> Self {
        let connections = limits.connections as usize;
        let peers = (connections - connections / SPARE as usize).max(1);
        let settings = Settings { peers, idle: limits.idle, ..Settings::default() };
        Self {
            machine: Machine::new(settings),
            holds: BTreeMap::new(),
            circuits: BTreeMap::new(),
            waiting: BTreeMap::new(),
            next: 0,
            refused: None,
            reason: None,
        }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.machine.deadline()
    }

    /// How the connections to a peer are used. None: there is none, and none is dialled.
    pub(super) fn usage(&self, id: PeerId) -> Option<Usage> {
        self.machine.usage(id)
    }

    fn is_held(&self, id: PeerId) -> bool {
        self.holds.contains_key(&id)
    }

    /// Forgets a reason to keep a peer's connections; whether it was the last one.
    fn unhold(&mut self, id: PeerId, hold: Hold) -> bool {
        let Some(holds) = self.holds.get_mut(&id) else { return false };
        holds.remove(&hold);
        let is_last = holds.is_empty();
        if is_last {
            self.holds.remove(&id);
        }
        is_last
    }

    /// What tells the machine that a peer is held.
    fn pin(&self, id: PeerId) -> Option<Input<PeerId>> {
        let holds = self.holds.get(&id)?;
        Some(Input::Pin { peer: id, asked: holds.iter().any(|hold| hold.is_ours()) })
    }

    fn ticket(&mut self, id: PeerId, waiter: Option<PathWaiter>) -> Ticket {
        self.next += 1;
        let ticket = Ticket(self.next);
        self.waiting.insert(ticket, (id, waiter));
        ticket
    }
}

impl Node {
    /// Gives the pool an input and does what comes out.
    pub(super) fn pool_input(&mut self, input: Input<PeerId>) {
        let now = self.now();
        self.pool.machine.handle(now, input);
        while let Some(output) = self.pool.machine.poll() {
            self.on_pool_output(output);
        }
    }

    /// Answers when there is a connection to the peer, or none can be made.
    pub(super) fn await_path(&mut self, id: PeerId, waiter: PathWaiter) {
        let ticket = self.pool.ticket(id, Some(waiter));
        self.pool_input(Input::Get { peer: id, ticket, within: DIAL });
    }

    /// Makes a path to a peer and keeps it until [`let_go`](Self::let_go).
    ///
    /// # Errors
    /// When the pool has no room.
    pub(super) fn hold(&mut self, id: PeerId, hold: Hold) -> Result<(), GetError> {
        if self.pool.holds.entry(id).or_default().insert(hold) {
            let ticket = self.pool.ticket(id, None);
            self.pool.refused = None;
            self.pool_input(Input::Get { peer: id, ticket, within: DIAL });
            if let Some(reason) = self.pool.refused.take() {
                self.pool.unhold(id, hold);
                self.report(Event::PoolRefused { peer: id, reason });
                return Err(reason);
            }
            self.pin(id);
        }
        self.want_path(id);
        Ok(())
    }

    /// Keeps a connection that is there, without wanting one.
    pub(super) fn hold_open(&mut self, id: PeerId, hold: Hold) {
        self.pool.holds.entry(id).or_default().insert(hold);
        self.pin(id);
    }

    fn pin(&mut self, id: PeerId) {
        if let Some(pin) = self.pool.pin(id) {
            self.pool_input(pin);
        }
    }

    /// A request or an answer of a peer arrived: neither the connection nor the peer is idle. The peer's machines are drained by
    /// whoever drives it.
    pub(super) fn used(&mut self, id: PeerId, connection: ConnectionId) {
        self.heard(connection);
        self.pool_input(Input::Used { peer: id });
    }

    /// A circuit through a peer, or of a peer through this relay, was opened.
    pub(super) fn circuit_opened(&mut self, id: PeerId) {
        *self.pool.circuits.entry(id).or_default() += 1;
        self.hold_open(id, Hold::Circuit);
    }

    /// One has ended.
    pub(super) fn circuit_closed(&mut self, id: PeerId) {
        let Some(count) = self.pool.circuits.get_mut(&id) else { return };
        *count -= 1;
        if *count == 0 {
            self.pool.circuits.remove(&id);
            self.let_go(id, Hold::Circuit);
        }
    }

    /// A data channel with a peer began or ended.
    pub(super) fn channels_changed(&mut self, id: PeerId) {
        if self.channels.are_used(id) {
            self.hold_open(id, Hold::Channels);
        } else {
            self.let_go(id, Hold::Channels);
        }
    }

    /// A connection was opened. Who was held before there was one is held with it.
    pub(super) fn pool_opened(&mut self, id: PeerId, connection: ConnectionKey, kind: PathKind) {
        self.pool_input(Input::Opened { peer: id, connection, kind });
        self.pin(id);
    }

    /// A reason to keep a peer's connections is gone. Without another they are closed when nobody used them for a while.
    pub(super) fn let_go(&mut self, id: PeerId, hold: Hold) {
        if self.pool.unhold(id, hold) {
            self.pool_input(Input::Unpin { peer: id });
            self.stop_seeking(id);
        }
    }

    /// The application does not want the peer any more, nor its data channels with it: unless somebody else does, its connections are
    /// closed at once.
    pub(super) fn disconnect(&mut self, id: PeerId) {
        self.let_go(id, Hold::Application);
        self.let_go(id, Hold::Channels);
        if !self.pool.is_held(id) && self.peers.contains_key(&id) {
            self.pool_input(Input::Drop { peer: id });
            self.input(id, PathInput::Release);
        }
    }

    /// Nobody wants a path that is not there.
    pub(super) fn stop_seeking(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get(&id) else { return };
        if !self.pool.is_held(id) && peer.path.is_wanted() && peer.connections.is_empty() {
            self.input(id, PathInput::Release);
        }
    }

    /// Every way to a peer failed in this round.
    pub(super) fn pool_dial_failed(&mut self, id: PeerId, reason: String) {
        self.pool.reason = Some(reason);
        self.pool_input(Input::DialFailed { peer: id });
        self.pool.reason = None;
        self.stop_seeking(id);
    }

    fn on_pool_output(&mut self, output: Output<PeerId>) {
        match output {
            Output::Dial { peer } => self.want_path(peer),
            Output::Abandon { peer } => {
                // Whoever holds it goes on waiting, and the path machine seeking.
                self.stop_seeking(peer);
            }
            Output::Close { peer, reason } => {
                if reason != CloseReason::Dropped {
                    self.report(Event::PoolClosed { peer, reason });
                }
                self.pool.holds.remove(&peer);
                if self.peers.contains_key(&peer) {
                    self.input(peer, PathInput::Release);
                }
            }
            Output::Answer { ticket, result } => self.on_pool_answer(ticket, result),
            // Its answer came before and took the ticket; holds keep the entry.
            Output::Broken { .. } => {}
        }
    }

    fn on_pool_answer(&mut self, ticket: Ticket, result: Result<Lease, GetError>) {
        let Some((id, waiter)) = self.pool.waiting.remove(&ticket) else { return };
        if result.is_ok() {
            let now = self.now();
            self.pool.machine.handle(now, Input::Return { ticket });
        }
        match waiter {
            Some(waiter) => {
                let _ = waiter.send(result.map(|lease| lease.kind).map_err(|error| self.pool_error(id, error)));
            }
            // A hold outlives failed dials: the path machine goes on. Only a pool without room refuses it.
            None => self.pool.refused = result.err().filter(|reason| is_about_room(*reason)),
        }
    }

    fn pool_error(&self, peer: PeerId, reason: GetError) -> CommandError {
        match (reason, &self.pool.reason) {
            (GetError::Unreachable, Some(reason)) => CommandError::Unreachable { peer, reason: reason.clone() },
            (GetError::Unreachable | GetError::Dropped, _) => {
                CommandError::Unreachable { peer, reason: reason.to_string() }
            }
            (reason, _) => CommandError::NoConnection { peer, reason },
        }
    }

    /// Refuses whoever waits for a path to this node itself.
    pub(super) fn refuse_self(&self, answer: oneshot::Sender<Result<PathKind, CommandError>>) {
        let reason = "it is this node itself".to_owned();
        let _ = answer.send(Err(CommandError::Unreachable { peer: self.handle.peer_id(), reason }));
    }
}

/// Whether the pool refuses for want of room, and not because a peer was not reached.
fn is_about_room(reason: GetError) -> bool {
    matches!(reason, GetError::Full { .. } | GetError::TooMany { .. })
}
