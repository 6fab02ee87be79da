//! Outgoing work in the order of its urgency: swaps before messages before reconciliation.
//!
//! The [limiter](darkswap_connectivity::limiter) says what may go; what may not yet waits here. A message holds its place until it is
//! acknowledged or given up, an exchange of the traders until its answer or its end.
//!
//! **Bound.** A swap's message waits for other swaps' messages to the same peer only: places are kept for them. On the wire at most
//! [`PER_PEER`] requests to its peer are ahead of it.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use darkswap_connectivity::limiter::{Input, Machine, Output, Priority, RefusalReason, Settings, Ticket};
use darkswap_core::Time;
use darkswap_core::message::SubmitError;
use libp2p::PeerId;
use tokio::sync::oneshot;

use super::Node;
use super::doubt::Request;
use super::peer::Submitted;
use super::pool::Hold;
use crate::handle::{CommandError, Receipt};
use crate::limits::Limits;
use crate::trading::limits::EXCHANGE;

/// What is under way at once. A peer that is gone keeps its share for a message's deadline, so this is the share of many.
const RUNNING: usize = 4_096;
/// What is under way with one peer, as much as an outbox has in flight: more would only queue in the transport, where nothing overtakes.
const PER_PEER: usize = 32;
/// Of both, what is kept for swaps.
const KEPT: usize = 256;
/// Of what is under way with one peer, what is kept for swaps.
pub(super) const KEPT_PER_PEER: usize = 8;
/// What waits, of all peers.
const WAITING: usize = 4_096;

/// Something that goes out when it may.
#[derive(Debug)]
pub(super) enum Work {
    /// A message of the application.
    Message { payload: Bytes, answer: oneshot::Sender<Result<Receipt, CommandError>> },
    /// A swap's message.
    Swap { bytes: Bytes },
    /// A step of reconciliation.
    Step { token: u64, bytes: Bytes },
}

/// What waits and what is under way.
#[derive(Debug)]
pub(super) struct Limiter {
    machine: Machine<PeerId>,
    waiting: BTreeMap<Ticket, (PeerId, Work)>,
    running: BTreeMap<(PeerId, Request), Ticket>,
    /// Messages to each peer, waiting or under way.
    messages: BTreeMap<PeerId, usize>,
    next: u64,
}

impl Limiter {
    pub(super) fn new(limits: &Limits) -> Self {
        // Of an application's messages, so many are under way and so many wait.
        let running = limits.pending_messages.min(PER_PEER - KEPT_PER_PEER);
        let waiting = limits.pending_messages.saturating_sub(running).max(1);
        let settings = Settings {
            running: RUNNING,
            running_per_peer: running + KEPT_PER_PEER,
            kept: KEPT,
            kept_per_peer: KEPT_PER_PEER,
            waiting: WAITING.max(limits.pending_messages),
            waiting_per_peer: waiting,
        };
        Self {
            machine: Machine::new(settings),
            waiting: BTreeMap::new(),
            running: BTreeMap::new(),
            messages: BTreeMap::new(),
            next: 0,
        }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.machine.deadline()
    }

    /// Messages to a peer that wait or are under way.
    pub(super) fn messages(&self, id: PeerId) -> usize {
        self.messages.get(&id).copied().unwrap_or(0)
    }
}

impl Node {
    /// Has something go out to a peer, now or later.
    pub(super) fn submit(&mut self, id: PeerId, priority: Priority, within: Duration, work: Work) {
        if let Work::Message { .. } = work {
            *self.limiter.messages.entry(id).or_default() += 1;
        }
        self.limiter.next += 1;
        let ticket = Ticket(self.limiter.next);
        self.limiter.waiting.insert(ticket, (id, work));
        self.limiter_input(Input::Ask { ticket, peer: id, priority, within });
    }

    /// Has a swap's message or a step of reconciliation go out.
    pub(super) fn submit_exchange(&mut self, id: PeerId, priority: Priority, work: Work) {
        self.submit(id, priority, EXCHANGE, work);
    }

    pub(super) fn limiter_input(&mut self, input: Input<PeerId>) {
        let now = self.now();
        self.limiter.machine.handle(now, input);
        while let Some(output) = self.limiter.machine.poll() {
            match output {
                Output::Admit { ticket } => self.admit(ticket),
                Output::Refuse { ticket, reason } => self.refuse(ticket, reason),
            }
        }
    }

    /// Something that went out is done.
    pub(super) fn finished(&mut self, id: PeerId, request: Request) {
        let Some(ticket) = self.limiter.running.remove(&(id, request)) else { return };
        if let Request::Message(_) = request {
            self.message_gone(id);
        }
        self.limiter_input(Input::Done { ticket });
    }

    fn message_gone(&mut self, id: PeerId) {
        if let Some(count) = self.limiter.messages.get_mut(&id) {
            *count -= 1;
            if *count == 0 {
                self.limiter.messages.remove(&id);
                self.let_go(id, Hold::Messages);
            }
        }
    }

    fn admit(&mut self, ticket: Ticket) {
        let Some((id, work)) = self.limiter.waiting.remove(&ticket) else { return };
        let request = match work {
            Work::Message { payload, answer } => self.send_message(id, payload, answer),
            Work::Swap { bytes } => self.send_swap(id, bytes),
            Work::Step { token, bytes } => self.send_step(token, id, bytes),
        };
        match request {
            Some(request) => {
                self.limiter.running.insert((id, request), ticket);
                self.drive(id);
            }
            None => {
                let now = self.now();
                self.limiter.machine.handle(now, Input::Done { ticket });
            }
        }
    }

    fn send_message(
        &mut self,
        id: PeerId,
        payload: Bytes,
        answer: oneshot::Sender<Result<Receipt, CommandError>>,
    ) -> Option<Request> {
        let (now, size) = (self.now(), payload.len());
        let peer = self.peer(id);
        match peer.outbox.submit(now, payload) {
            Ok(message) => {
                peer.receipts.insert(message, Submitted { answer, size });
                Some(Request::Message(message.sequence))
            }
            Err(SubmitError::Full { pending, limit }) => {
                let what = "messages that wait for an acknowledgement";
                let _ = answer.send(Err(CommandError::LimitReached { what, found: pending, limit }));
                self.message_gone(id);
                None
            }
        }
    }

    fn refuse(&mut self, ticket: Ticket, reason: RefusalReason) {
        let Some((peer, work)) = self.limiter.waiting.remove(&ticket) else { return };
        match work {
            Work::Message { answer, .. } => {
                let _ = answer.send(Err(CommandError::Busy { peer, reason }));
                self.message_gone(peer);
            }
            // The swap repeats what matters.
            Work::Swap { .. } => tracing::debug!(%peer, %reason, "a swap's message did not go out"),
            Work::Step { token, .. } => self.step_unanswered(token),
        }
    }
}
