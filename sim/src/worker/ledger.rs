//! What a run promises and what came of it: messages, publications, outages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use darkswap_core::message::MessageId;
use darkswap_core::path::PathKind;
use darkswap_node::event::CandidateKind;
use darkswap_records::record::Tags;

use super::reach::Reachability;
use super::relay::RelayBook;

/// The books of a run. Clones share. Hosts are named by their index in the topology.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger {
    pub(super) reachability: Reachability,
    inner: Arc<Mutex<Inner>>,
    /// What hosts say about relays.
    pub(super) relays: RelayBook,
}

#[derive(Debug, Default)]
struct Inner {
    /// By sender, receiver and id, which is unique for the two.
    acknowledged: BTreeMap<(usize, usize, MessageId), PathKind>,
    received: BTreeSet<(usize, usize, MessageId)>,
    publications: Vec<Publication>,
    outages: BTreeMap<(usize, usize), Outage>,
    last_fault: Option<(Duration, &'static str)>,
    wanted: BTreeSet<(usize, usize)>,
    misbehaviour: BTreeMap<(usize, &'static str), u64>,
    message_bytes: BTreeMap<usize, MessageBytes>,
    delivered_bytes: u64,
    /// By dialer and listener of the relayed connection: whether their first hole punch succeeded.
    first_punches: BTreeMap<(usize, usize), bool>,
    /// By host and peer: the pair of candidates that ICE chose last, the host's own first.
    selected: BTreeMap<(usize, usize), (CandidateKind, CandidateKind)>,
    /// Data channels under way, by number: when they were opened, and their tags.
    channels: BTreeMap<u64, (Duration, Tags)>,
    channels_opened: u64,
}

/// What a host sent in sealed parcels.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct MessageBytes {
    pub(super) parcels: u64,
    pub(super) messages: u64,
    pub(super) plain: u64,
    pub(super) wire: u64,
}

/// A gossip message and whom it reached.
#[derive(Debug, Clone)]
pub(super) struct Publication {
    pub(super) at: Duration,
    pub(super) from: usize,
    pub(super) topic: usize,
    pub(super) reached: BTreeMap<usize, Duration>,
}

/// A pair that was connected and is not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outage {
    pub(super) since: Duration,
    pub(super) was_direct: bool,
}

impl Ledger {
    pub(super) fn new(relays: RelayBook) -> Self {
        Self { relays, ..Self::default() }
    }

    /// Somebody asked for a path between two hosts.
    pub(super) fn want(&self, from: usize, to: usize) {
        self.lock().wanted.insert((from, to));
    }

    /// Pairs for which a path was asked for.
    pub(super) fn wanted(&self) -> Vec<(usize, usize)> {
        self.lock().wanted.iter().copied().collect()
    }

    /// The receiver's application got a message; `false` when it got it before.
    pub(super) fn receive(&self, from: usize, to: usize, id: MessageId, size: usize) -> bool {
        let mut inner = self.lock();
        inner.delivered_bytes += size as u64;
        inner.received.insert((from, to, id))
    }

    /// The sender's application was told that a message arrived.
    pub(super) fn acknowledge(&self, from: usize, to: usize, id: MessageId, path: PathKind) {
        self.lock().acknowledged.insert((from, to, id), path);
    }

    /// Messages that were acknowledged but never received: sender, receiver and path of each.
    pub(super) fn lost(&self) -> Vec<(usize, usize, PathKind)> {
        let inner = self.lock();
        let lost = inner.acknowledged.iter().filter(|(key, _)| !inner.received.contains(key));
        lost.map(|((from, to, _), path)| (*from, *to, *path)).collect()
    }

    /// Bytes of messages received since the last call.
    pub(super) fn take_delivered_bytes(&self) -> u64 {
        std::mem::take(&mut self.lock().delivered_bytes)
    }

    /// Notes a publication and answers with its number.
    pub(super) fn publish(&self, at: Duration, from: usize, topic: usize) -> u64 {
        let mut inner = self.lock();
        inner.publications.push(Publication { at, from, topic, reached: BTreeMap::new() });
        inner.publications.len() as u64 - 1
    }

    /// A host received a publication; answers with its publisher, topic and age when it is a known one.
    pub(super) fn reach(&self, number: u64, host: usize, now: Duration) -> Option<(usize, usize, Duration)> {
        let mut inner = self.lock();
        let publication = inner.publications.get_mut(usize::try_from(number).ok()?)?;
        publication.reached.entry(host).or_insert(now);
        Some((publication.from, publication.topic, now.saturating_sub(publication.at)))
    }

    /// Every publication.
    pub(super) fn publications(&self) -> Vec<Publication> {
        self.lock().publications.clone()
    }

    /// A fault was applied or lifted.
    pub(super) fn fault(&self, at: Duration, kind: &'static str) {
        self.lock().last_fault = Some((at, kind));
    }

    /// The last fault that was applied or lifted.
    pub(super) fn last_fault(&self) -> Option<(Duration, &'static str)> {
        self.lock().last_fault
    }

    /// A pair lost its path.
    pub(super) fn lose(&self, from: usize, to: usize, outage: Outage) {
        self.lock().outages.entry((from, to)).or_insert(outage);
    }

    /// A pair has a path again; answers with the outage that ended.
    pub(super) fn regain(&self, from: usize, to: usize) -> Option<Outage> {
        self.lock().outages.remove(&(from, to))
    }

    /// A hole punch between the dialer and the listener of a relayed connection ended.
    pub(super) fn punch(&self, dialer: usize, listener: usize, succeeded: bool) {
        self.lock().first_punches.entry((dialer, listener)).or_insert(succeeded);
    }

    /// How the first hole punch with these roles ended, if there was one.
    pub(super) fn first_punch(&self, dialer: usize, listener: usize) -> Option<bool> {
        self.lock().first_punches.get(&(dialer, listener)).copied()
    }

    /// ICE chose a pair of candidates.
    pub(super) fn select(&self, host: usize, peer: usize, local: CandidateKind, remote: CandidateKind) {
        self.lock().selected.insert((host, peer), (local, remote));
    }

    /// Whether ICE chose last, as the host sees it, a pair of candidates one of which is a TURN server's.
    pub(super) fn is_turned(&self, host: usize, peer: usize) -> bool {
        let selected = self.lock().selected.get(&(host, peer)).copied();
        selected.is_some_and(|(local, remote)| [local, remote].contains(&CandidateKind::Relayed))
    }

    /// A data channel is opened; answers with its number.
    pub(super) fn open_channel(&self, at: Duration, tags: Tags) -> u64 {
        let mut inner = self.lock();
        inner.channels_opened += 1;
        let number = inner.channels_opened;
        inner.channels.insert(number, (at, tags));
        number
    }

    /// When a data channel under way was opened, and its tags.
    pub(super) fn channel(&self, number: u64) -> Option<(Duration, Tags)> {
        self.lock().channels.get(&number).cloned()
    }

    /// A data channel is not under way any more.
    pub(super) fn close_channel(&self, number: u64) {
        self.lock().channels.remove(&number);
    }

    /// The tags of every data channel that is still under way.
    pub(super) fn channels(&self) -> Vec<Tags> {
        self.lock().channels.values().map(|(_, tags)| tags.clone()).collect()
    }

    /// A peer broke a rule.
    pub(super) fn misbehave(&self, host: usize, kind: &'static str) {
        *self.lock().misbehaviour.entry((host, kind)).or_default() += 1;
    }

    /// A host sent messages as one sealed parcel.
    pub(super) fn send_parcel(&self, host: usize, messages: usize, plain: usize, wire: usize) {
        let mut inner = self.lock();
        let sent = inner.message_bytes.entry(host).or_default();
        sent.parcels += 1;
        sent.messages += messages as u64;
        sent.plain += plain as u64;
        sent.wire += wire as u64;
    }

    /// What a host sent in sealed parcels.
    pub(super) fn message_bytes(&self, host: usize) -> MessageBytes {
        self.lock().message_bytes.get(&host).copied().unwrap_or_default()
    }

    /// How often rules were broken, by the host that saw it and the rule.
    pub(super) fn misbehaviour(&self) -> BTreeMap<(usize, &'static str), u64> {
        self.lock().misbehaviour.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
