//! The node's side of trading: gossip of statements, the two protocols of traders, and the paths that the trader wants.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use darkswap_connectivity::limiter::Priority;
use darkswap_core::path::PathKind;
use darkswap_trade::order::{self, MAX_WIDE_STATEMENT};
use darkswap_trader::input::Input;
use darkswap_trader::output::Verdict;
use libp2p::request_response::{self, Message as Exchange, OutboundFailure, OutboundRequestId, ResponseChannel};
use libp2p::{PeerId, gossipsub};

use super::Node;
use super::doubt::Request;
use super::limiter::Work;
use super::pool::Hold;
use crate::event::{Event, Misbehaviour};
use crate::trading::codec::{Refused, TAKEN};
use crate::trading::limits::{SYNC_ANSWERS, VERDICTS};
use crate::trading::link::{Act, Link};
use crate::trading::{ORDERS, key};

/// What the loop keeps for a trader.
#[derive(Debug)]
pub(super) struct Trades {
    link: Link,
    next_token: u64,
    /// Statements whose verdict is awaited, and who passed them on.
    verdicts: BTreeMap<u64, (gossipsub::MessageId, PeerId)>,
    /// Our steps of reconciliation that are not answered yet.
    questions: BTreeMap<OutboundRequestId, u64>,
    /// Peers' steps of reconciliation that are not answered yet.
    answers: BTreeMap<u64, ResponseChannel<Bytes>>,
    /// Connected peers that speak both protocols.
    traders: BTreeSet<PeerId>,
}

impl Trades {
    pub(super) fn new(link: Link) -> Self {
        Self {
            link,
            next_token: 0,
            verdicts: BTreeMap::new(),
            questions: BTreeMap::new(),
            answers: BTreeMap::new(),
            traders: BTreeSet::new(),
        }
    }

    /// Ends the trader's task and waits for it.
    pub(super) async fn close(self) {
        self.link.close().await;
    }

    fn token(&mut self) -> u64 {
        self.next_token += 1;
        self.next_token
    }

    fn set_trader(&mut self, id: PeerId, trades: bool) {
        let changed = if trades { self.traders.insert(id) } else { self.traders.remove(&id) };
        match key::trader(&id) {
            Ok(trader) if changed => self.link.connected(trader, trades),
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "a peer speaks the protocols of traders"),
        }
    }
}

impl Node {
    /// Carries out what the trader asks for.
    pub(super) fn on_act(&mut self, act: Act) {
        match act {
            Act::Publish(bytes) => {
                // Who is not connected now asks for it later.
                if let Err(error) = self.publish(ORDERS, bytes) {
                    tracing::debug!(%error, "a statement");
                }
            }
            Act::Verdict { token, verdict } => {
                let awaited = self.trades.as_mut().and_then(|trades| trades.verdicts.remove(&token));
                if let Some((id, from)) = awaited {
                    self.judge(&id, &from, verdict);
                }
            }
            Act::Connect(peer) => self.connect_trader(peer),
            Act::Release(peer) => self.let_go(peer, Hold::Trader),
            Act::Send { to, bytes } => self.submit_exchange(to, Priority::Trade, Work::Swap { bytes }),
            Act::SyncAsk { token, to, bytes } => self.submit_exchange(to, Priority::Bulk, Work::Step { token, bytes }),
            Act::SyncAnswer { token, bytes } => {
                let channel = self.trades.as_mut().and_then(|trades| trades.answers.remove(&token));
                // Without an answer the stream ends, and the peer knows.
                if let (Some(channel), Some(bytes)) = (channel, bytes)
                    && let Some(sync) = self.swarm.behaviour_mut().sync.as_mut()
                {
                    let _ = sync.send_response(channel, bytes);
                }
            }
            Act::Event(event) => self.report(Event::Trade(event)),
            Act::ChainEvent(event) => self.report(Event::Chain(event)),
        }
    }

    /// Whether a gossip message is one of the orders' topic; it is dealt with here.
    ///
    /// With validation nothing is passed on before it is judged. Other topics are not judged: they are passed on as ever.
    pub(super) fn judges(&mut self, message: &gossipsub::Message, id: &gossipsub::MessageId, from: PeerId) -> bool {
        if !self.validates {
            return false;
        }
        if message.topic.as_str() != ORDERS {
            self.judge(id, &from, Verdict::Accept);
            return false;
        }
        if self.trades.is_some() {
            self.on_statement(&message.data, id, from);
            return true;
        }
        // A node that passes orders on without trading itself sees what needs no chain and no book.
        let verdict = match order::decode(&message.data, self.runtime.wall_clock()) {
            Ok(_) => Verdict::Accept,
            Err(refusal) if refusal.is_misbehaviour() => {
                let (kind, evidence) = (Misbehaviour::Malformed, refusal.to_string());
                self.report(Event::Misbehaviour { peer: from, kind, evidence });
                Verdict::Reject
            }
            Err(_) => Verdict::Ignore,
        };
        self.judge(id, &from, verdict);
        verdict != Verdict::Accept
    }

    fn on_statement(&mut self, bytes: &[u8], id: &gossipsub::MessageId, peer: PeerId) {
        if bytes.len() > MAX_WIDE_STATEMENT {
            let evidence = format!("found a statement of {} bytes, expected at most {MAX_WIDE_STATEMENT}", bytes.len());
            self.report(Event::Misbehaviour { peer, kind: Misbehaviour::Oversized, evidence });
            return self.judge(id, &peer, Verdict::Reject);
        }
        let Some(trades) = self.trades.as_mut() else { return };
        let token = trades.token();
        let bytes = Bytes::copy_from_slice(bytes);
        let offered = match key::trader(&peer) {
            Ok(from) => trades.link.offer(Input::Statement { token, from, bytes }).is_ok(),
            Err(_) => false,
        };
        if !offered {
            return self.judge(id, &peer, Verdict::Ignore);
        }
        trades.verdicts.insert(token, (id.clone(), peer));
        if trades.verdicts.len() > VERDICTS
            && let Some((_, (id, from))) = trades.verdicts.pop_first()
        {
            self.judge(&id, &from, Verdict::Ignore);
        }
    }

    fn judge(&mut self, id: &gossipsub::MessageId, from: &PeerId, verdict: Verdict) {
        let acceptance = match verdict {
            Verdict::Accept => gossipsub::MessageAcceptance::Accept,
            Verdict::Ignore => gossipsub::MessageAcceptance::Ignore,
            Verdict::Reject => gossipsub::MessageAcceptance::Reject,
        };
        // It is false for what gossip has forgotten meanwhile, which is not passed on then.
        let _ = self.swarm.behaviour_mut().gossip.report_message_validation_result(id, from, acceptance);
    }

    fn has_path(&self, id: PeerId) -> bool {
        self.peers.get(&id).is_some_and(|peer| peer.path.best().is_some())
    }

    fn connect_trader(&mut self, id: PeerId) {
        if id == self.handle.peer_id() || self.trades.is_none() {
            return;
        }
        if let Err(error) = self.hold(id, Hold::Trader) {
            // The trader has its own time-out, and asks again.
            tracing::debug!(peer = %id, %error, "the trader gets no path");
        }
    }

    /// Notes what identify tells: whether a peer speaks the protocols of traders.
    pub(super) fn note_protocols(&mut self, id: PeerId, trades: bool) {
        let trades = trades && self.has_path(id);
        if let Some(traders) = self.trades.as_mut() {
            traders.set_trader(id, trades);
        }
    }

    /// Notes the best path to a peer. Its machine is drained by whoever drives the peer.
    pub(super) fn note_path(&mut self, id: PeerId, best: Option<PathKind>) {
        let Some(trades) = self.trades.as_mut() else { return };
        if best.is_none() {
            trades.set_trader(id, false);
        }
    }

    /// Sends a swap's message, unless there is no path: then the swap repeats it.
    pub(super) fn send_swap(&mut self, to: PeerId, bytes: Bytes) -> Option<Request> {
        let size = bytes.len();
        if !self.has_path(to) {
            return None;
        }
        let request = Request::Trade(self.swarm.behaviour_mut().trade.as_mut()?.send_request(&to, Ok(bytes)));
        self.asked(to, request, size);
        Some(request)
    }

    /// Sends a step of reconciliation, or answers that there is no path.
    pub(super) fn send_step(&mut self, token: u64, to: PeerId, bytes: Bytes) -> Option<Request> {
        let size = bytes.len();
        let has_path = self.has_path(to);
        let Some(sync) = self.swarm.behaviour_mut().sync.as_mut().filter(|_| has_path) else {
            self.step_unanswered(token);
            return None;
        };
        let request = sync.send_request(&to, Ok(bytes));
        if let Some(trades) = self.trades.as_mut() {
            trades.questions.insert(request, token);
        }
        self.asked(to, Request::Sync(request), size);
        Some(Request::Sync(request))
    }

    /// Tells the trader that a step of its has no answer.
    pub(super) fn step_unanswered(&mut self, token: u64) {
        if let Some(trades) = self.trades.as_mut() {
            let _ = trades.link.answer(Input::SyncAnswered { token, bytes: None });
        }
    }

    pub(super) fn on_sync(&mut self, event: request_response::Event<Result<Bytes, Refused>, Bytes>) {
        match event {
            request_response::Event::Message { peer, connection_id, message } => match message {
                Exchange::Request { request: Ok(bytes), channel, .. } => {
                    self.used(peer, connection_id);
                    self.on_step(peer, bytes, channel);
                    self.drive(peer);
                }
                Exchange::Request { request: Err(refused), .. } => self.on_refused(peer, &refused),
                Exchange::Response { request_id, response } => {
                    self.answered(peer, connection_id, Request::Sync(request_id));
                    self.on_step_answered(request_id, Some(response));
                }
            },
            request_response::Event::OutboundFailure { peer, request_id, error, .. } => {
                self.ended(peer, Request::Sync(request_id));
                self.on_malformed_answer(peer, &error);
                self.on_step_answered(request_id, None);
            }
            request_response::Event::InboundFailure { .. } | request_response::Event::ResponseSent { .. } => {
                if let Some(trades) = self.trades.as_mut() {
                    trades.answers.retain(|_, channel| channel.is_open());
                }
            }
        }
    }

    /// Without the channel the stream ends unanswered.
    fn on_step(&mut self, peer: PeerId, bytes: Bytes, channel: ResponseChannel<Bytes>) {
        let Some(trades) = self.trades.as_mut() else { return };
        let token = trades.token();
        let Ok(from) = key::trader(&peer) else { return };
        if trades.answers.len() < SYNC_ANSWERS && trades.link.offer(Input::SyncRequest { token, from, bytes }).is_ok() {
            trades.answers.insert(token, channel);
        }
    }

    fn on_step_answered(&mut self, request: OutboundRequestId, bytes: Option<Bytes>) {
        let Some(trades) = self.trades.as_mut() else { return };
        if let Some(token) = trades.questions.remove(&request) {
            // The trader has its own time-out for what is lost here.
            let _ = trades.link.answer(Input::SyncAnswered { token, bytes });
        }
    }

    pub(super) fn on_trade(&mut self, event: request_response::Event<Result<Bytes, Refused>, Bytes>) {
        match event {
            request_response::Event::Message { peer, connection_id, message } => match message {
                Exchange::Request { request: Ok(bytes), channel, .. } => {
                    self.used(peer, connection_id);
                    self.drive(peer);
                    let taken = match (self.trades.as_ref(), key::trader(&peer)) {
                        (Some(trades), Ok(from)) => trades.link.offer(Input::Message { from, bytes }).is_ok(),
                        _ => false,
                    };
                    if taken && let Some(trade) = self.swarm.behaviour_mut().trade.as_mut() {
                        let _ = trade.send_response(channel, Bytes::from_static(TAKEN));
                    }
                }
                Exchange::Request { request: Err(refused), .. } => self.on_refused(peer, &refused),
                Exchange::Response { request_id, response } => {
                    self.answered(peer, connection_id, Request::Trade(request_id));
                    if response != TAKEN {
                        let evidence =
                            format!("found {response:?} as the answer to a swap's message, expected {TAKEN:?}");
                        self.report(Event::Misbehaviour { peer, kind: Misbehaviour::Malformed, evidence });
                    }
                }
            },
            // The swap repeats what matters.
            request_response::Event::OutboundFailure { peer, request_id, error, .. } => {
                self.ended(peer, Request::Trade(request_id));
                self.on_malformed_answer(peer, &error);
            }
            request_response::Event::InboundFailure { .. } | request_response::Event::ResponseSent { .. } => {}
        }
    }

    fn on_refused(&mut self, peer: PeerId, refused: &Refused) {
        let kind = match refused {
            Refused::Oversized { .. } => Misbehaviour::Oversized,
            Refused::Truncated => Misbehaviour::Malformed,
        };
        self.report(Event::Misbehaviour { peer, kind, evidence: refused.to_string() });
    }

    fn on_malformed_answer(&mut self, peer: PeerId, error: &OutboundFailure) {
        match error {
            OutboundFailure::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                let (kind, evidence) = (Misbehaviour::Oversized, error.to_string());
                self.report(Event::Misbehaviour { peer, kind, evidence });
            }
            error => tracing::debug!(%peer, %error, "a request of the trader was not answered"),
        }
    }
}
