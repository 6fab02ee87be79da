//! What is on its way to one peer.

use std::collections::VecDeque;
use std::time::Duration;

use darkswap_core::Time;
use darkswap_core::message::MessageId;
use darkswap_messages::batch::{Batcher, Input, Item, Limits, Output};
use darkswap_messages::compression::{Bounds, Compressor, Rule};
use darkswap_messages::identity::Party;
use darkswap_messages::seal::Channel;
use libp2p::PeerId;

use crate::limits::fixed::message;
use crate::trading::key;

/// Messages to one peer between its outbox and the wire. All of them are in flight for the outbox, which bounds them.
#[derive(Debug)]
pub(in crate::node) struct Lane {
    /// The peer's key; peers with other keys than Ed25519 cannot seal.
    pub(super) party: Option<Party>,
    pub(super) batcher: Batcher<MessageId>,
    /// Batches that wait for a session.
    pub(super) ready: VecDeque<Vec<Item<MessageId>>>,
    /// Since when they do.
    pub(super) waiting: Option<Time>,
    /// Whether the peer has not answered the finish of a handshake yet: what comes before it would be of an unknown session.
    pub(super) is_finishing: bool,
    /// Whether the peer speaks the plain protocol only.
    pub(super) is_plain: bool,
    /// Whether there ever was a session with the peer, which then cannot pretend that it does not seal.
    pub(super) has_sealed: bool,
    /// The session in which the peer was asked to prove who it is.
    pub(super) challenged: Option<Channel>,
    compressor: Option<Compressor>,
}

impl Lane {
    pub(in crate::node) fn new(peer: &PeerId, delay: Duration) -> Self {
        let limits = Limits { bytes: message::BATCH, items: message::BATCHED, delay };
        Self {
            party: key::trader(peer).ok().map(|key| Party(key.0)),
            batcher: Batcher::new(limits),
            ready: VecDeque::new(),
            waiting: None,
            is_finishing: false,
            is_plain: false,
            has_sealed: false,
            challenged: None,
            compressor: None,
        }
    }

    /// When something has to be done if nothing else happens.
    pub(in crate::node) fn deadline(&self) -> Option<Time> {
        let waiting = self.waiting.map(|since| since + message::SESSION);
        [self.batcher.deadline(), waiting].into_iter().flatten().min()
    }

    /// There is a new session.
    pub(super) fn established(&mut self) {
        (self.has_sealed, self.is_plain, self.waiting) = (true, false, None);
    }

    /// Takes a message, or the time when there is none.
    pub(super) fn gather(&mut self, now: Time, item: Option<Item<MessageId>>) {
        self.batcher.handle(now, item.map_or(Input::Tick, Input::Push));
        while let Some(output) = self.batcher.poll() {
            let (Output::Send(batch) | Output::Return(batch)) = output;
            self.ready.push_back(batch);
        }
    }

    /// Everything that waits, for another try.
    pub(super) fn take_all(&mut self, now: Time) -> Vec<Item<MessageId>> {
        self.batcher.handle(now, Input::Abandon);
        self.gather(now, None);
        self.waiting = None;
        self.ready.drain(..).flatten().collect()
    }

    /// Packs a message for a peer that takes compressed ones.
    pub(super) fn pack(&mut self, message: &[u8], bounds: Bounds) -> Vec<u8> {
        self.compressor.get_or_insert_with(|| Compressor::new(Rule::default(), bounds)).pack(message)
    }
}
