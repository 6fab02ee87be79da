//! Probes of relays: questions about their load, whose answers also tell the round-trip time. And the other end of it.

use darkswap_connectivity::relay::estimate;
use darkswap_connectivity::relay::load_report::{LoadReport, Malformed};
use darkswap_core::Time;
use libp2p::PeerId;
use libp2p::request_response::{self, Message, OutboundFailure, OutboundRequestId};

use super::Relays;
use crate::event::{Event, Misbehaviour};
use crate::node::Node;
use crate::relay_load::{Answer, Request};
use crate::relay_server;

/// A question under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    pub(super) relay: PeerId,
    asked: Time,
}

impl Relays {
    /// Ends the wait for the first estimates when there is nothing more to wait for. Whether it did so now.
    pub(super) fn settle(&mut self, now: Time) -> bool {
        let is_over = |until| now >= until || self.known.values().all(|relay| relay.is_measured);
        self.settled.take_if(|until| is_over(*until)).is_some()
    }

    /// Tells the estimates which relays have a slot, when that changed.
    pub(super) fn note_used(&mut self, now: Time) {
        if !self.reservations.relays().eq(self.used.iter().copied()) {
            self.used = self.reservations.relays().collect();
            self.estimates.handle(now, estimate::Input::Uses { relays: self.used.clone() });
        }
    }

    fn measured(&mut self, relay: PeerId, load: Option<f64>) {
        if let Some(entry) = self.known.get_mut(&relay) {
            entry.is_measured = true;
            entry.load = load;
        }
    }
}

impl Node {
    /// Asks a relay how busy it is, to learn that and how far away it is.
    pub(super) fn probe_relay(&mut self, relay: PeerId) {
        if let Some(entry) = self.relays.known.get_mut(&relay) {
            entry.is_question_due = true;
        }
        self.reach_relay(relay);
    }

    pub(super) fn ask_relay(&mut self, relay: PeerId) {
        let request = self.swarm.behaviour_mut().relay_load.inner().send_request(&relay, Ok(Request::Question));
        let asked = self.now();
        self.relays.questions.insert(request, Question { relay, asked });
    }

    pub(in crate::node) fn on_relay_load(
        &mut self,
        event: request_response::Event<Result<Request, Malformed>, Answer>,
    ) {
        match event {
            request_response::Event::Message { peer, message, .. } => match message {
                Message::Request { request: Ok(Request::Question), channel, .. } => {
                    // Without an answer the stream ends: whoever asked takes this node for one that tells nothing.
                    if let Some(report) = self.load_report() {
                        let _ =
                            self.swarm.behaviour_mut().relay_load.inner().send_response(channel, Answer::of(report));
                    }
                }
                Message::Request { request: Ok(Request::Telling(report)), channel, .. } => {
                    let _ = self.swarm.behaviour_mut().relay_load.inner().send_response(channel, Answer::Taken);
                    self.on_telling(peer, report);
                }
                Message::Request { request: Err(malformed), .. } => self.on_malformed(peer, malformed.to_string()),
                Message::Response { request_id, response } => self.on_load_answer(request_id, response),
            },
            request_response::Event::OutboundFailure { peer, request_id, error, .. } => {
                self.on_load_failure(peer, request_id, &error);
            }
            request_response::Event::InboundFailure { .. } | request_response::Event::ResponseSent { .. } => {}
        }
    }

    fn on_malformed(&mut self, peer: PeerId, evidence: String) {
        self.report(Event::Misbehaviour { peer, kind: Misbehaviour::Malformed, evidence });
    }

    fn on_load_answer(&mut self, request: OutboundRequestId, answer: Answer) {
        let Some(Question { relay, .. }) = self.relays.questions.remove(&request) else { return };
        let Answer::Report { report, round_trip } = answer else { return };
        let (now, load) = (self.now(), report.load());
        self.relays.measured(relay, Some(load));
        self.relays.tell(now, estimate::Input::Answered { relay, rtt: round_trip });
        self.relays.tell(now, estimate::Input::Reported { relay, load });
        self.report(Event::RelayProbed { relay, round_trip: Some(round_trip), load: Some(load) });
        if let Some(within) = report.drains_in {
            self.on_draining(relay, within);
        }
        self.leave_relay(relay);
        if let Some(within) = report.drains_in {
            self.drop_draining(relay, within);
        }
    }

    fn on_load_failure(&mut self, peer: PeerId, request: OutboundRequestId, error: &OutboundFailure) {
        if let OutboundFailure::Io(error) = error
            && error.kind() == std::io::ErrorKind::InvalidData
        {
            self.on_malformed(peer, error.to_string());
        }
        let Some(Question { relay, asked }) = self.relays.questions.remove(&request) else { return };
        if matches!(error, OutboundFailure::UnsupportedProtocols) {
            // A relay that is not one of ours. That it does not know the question took it one round trip to say.
            let now = self.now();
            let round_trip = now.saturating_sub(asked);
            self.relays.measured(relay, None);
            self.relays.tell(now, estimate::Input::Answered { relay, rtt: round_trip });
            self.report(Event::RelayProbed { relay, round_trip: Some(round_trip), load: None });
        } else {
            self.on_relay_unanswered(relay);
        }
        self.leave_relay(relay);
    }

    /// A probe was lost, or could not even be sent.
    pub(super) fn on_relay_unanswered(&mut self, relay: PeerId) {
        let now = self.now();
        self.relays.measured(relay, None);
        self.relays.tell(now, estimate::Input::Unanswered { relay });
        self.report(Event::RelayProbed { relay, round_trip: None, load: None });
    }

    /// How busy this node is as a relay; `None` when it is none.
    pub(super) fn load_report(&self) -> Option<LoadReport> {
        self.swarm.behaviour().relay_server.as_ref().map(relay_server::Behaviour::load_report)
    }
}
