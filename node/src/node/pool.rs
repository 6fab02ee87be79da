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
}

/// The pool of a node, and who waits for it.
#[derive(Debug)]
pub(super) struct Pool {
    machine: Machine<PeerId>,
    holds: BTreeMap<PeerId, BTreeSet<Hold>>,
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
                self.pool.holds.remove(&id);
                self.report(Event::PoolRefused { peer: id, reason });
                return Err(reason);
            }
            self.pool_input(Input::Pin { peer: id });
        }
        self.want_path(id);
        Ok(())
    }

    /// Keeps a connection that is there, without wanting one.
    pub(super) fn hold_open(&mut self, id: PeerId, hold: Hold) {
        self.pool.holds.entry(id).or_default().insert(hold);
        self.pool_input(Input::Pin { peer: id });
    }

    /// A connection was opened. Who was held before there was one is held with it.
    pub(super) fn pool_opened(&mut self, id: PeerId, connection: ConnectionKey, kind: PathKind) {
        self.pool_input(Input::Opened { peer: id, connection, kind });
        if self.pool.is_held(id) {
            self.pool_input(Input::Pin { peer: id });
        }
    }

    /// A reason to keep a peer's connections is gone. Without another they are closed when nobody used them for a while.
    pub(super) fn let_go(&mut self, id: PeerId, hold: Hold) {
        let Some(holds) = self.pool.holds.get_mut(&id) else { return };
        holds.remove(&hold);
        if holds.is_empty() {
            self.pool.holds.remove(&id);
            self.pool_input(Input::Unpin { peer: id });
            self.stop_seeking(id);
        }
    }

    /// The application does not want the peer any more: unless somebody else does, its connections are closed at once.
    pub(super) fn disconnect(&mut self, id: PeerId) {
        self.let_go(id, Hold::Application);
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
