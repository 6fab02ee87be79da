//! Batches become parcels in a session, which is opened when there is none.

use bytes::Bytes;
use darkswap_core::message::MessageId;
use darkswap_core::wire::Verdict;
use darkswap_messages::batch::Item;
use darkswap_messages::compression::plain;
use darkswap_messages::seal::{Channel, EndReason};
use darkswap_messages::wire::{Entry, Outcome, Parcel, Receipt, Refused, Request, Response};
use libp2p::PeerId;
use libp2p::request_response::{OutboundFailure, OutboundRequestId};
use libp2p::swarm::ConnectionId;

use super::{Asked, draw};
use crate::config::Sealing;
use crate::event::{Event, Misbehaviour};
use crate::limits::fixed::message;
use crate::node::Node;

impl Node {
    /// Sends a message by the best protocol that the peer speaks.
    pub(in crate::node) fn transmit(&mut self, peer: PeerId, name: MessageId, bytes: Bytes) {
        let is_plain = self.sealed.is_none() || self.party(peer).is_none() || self.peer(peer).lane.is_plain;
        if !is_plain {
            let now = self.now();
            self.peer(peer).lane.gather(now, Some(Item { name, bytes }));
        } else if self.config.messages.sealing == Sealing::Required {
            let reason = "the peer does not seal messages, and messages.sealing is \"required\"";
            self.give_up(peer, name, reason.to_owned());
        } else {
            self.transmit_plain(peer, name, bytes);
        }
    }

    /// Sends what is ready to a peer, or opens a session for it.
    pub(in crate::node) fn post(&mut self, peer: PeerId) {
        let now = self.now();
        if self.peer(peer).lane.deadline().is_some_and(|deadline| deadline <= now) {
            self.peer(peer).lane.gather(now, None);
        }
        let lane = &mut self.peer(peer).lane;
        if lane.ready.is_empty() || lane.is_finishing {
            return;
        }
        if self.session_of(peer).is_some() {
            while let Some(batch) = self.peer(peer).lane.ready.pop_front() {
                self.send_parcel(peer, batch, None);
            }
            self.peer(peer).lane.waiting = None;
            return;
        }
        let lane = &mut self.peer(peer).lane;
        if now < *lane.waiting.get_or_insert(now) + message::SESSION {
            return self.open_session(peer);
        }
        let waiting = lane.take_all(now);
        self.attempts_failed(peer, waiting.into_iter().map(|item| item.name));
    }

    /// Opens a session, unless one is under way.
    pub(super) fn open_session(&mut self, peer: PeerId) {
        let (now, Some(party)) = (self.now(), self.party(peer)) else { return };
        let Some(sealed) = &mut self.sealed else { return };
        if sealed.sessions.is_answering(party) {
            return;
        }
        let Some(hello) = sealed.sessions.open(now, party, draw(self.runtime.as_ref())) else { return };
        self.ask_sealed(peer, Request::Hello(hello.into()), Asked::Hello);
    }

    /// Seals a batch and sends it; with the finish of a handshake, if there is one.
    fn send_parcel(&mut self, peer: PeerId, batch: Vec<Item<MessageId>>, finish: Option<Vec<u8>>) {
        let messages: Vec<MessageId> = batch.iter().map(|item| item.name).collect();
        let bytes = batch.iter().map(|item| item.bytes.len()).sum();
        let Some((channel, sealed, is_challenge)) = self.seal_parcel(peer, batch) else {
            return self.attempts_failed(peer, messages);
        };
        let (count, is_finish) = (messages.len(), finish.is_some());
        let request = match finish {
            Some(finish) => Request::Finish { finish: finish.into(), sealed: sealed.into() },
            None => Request::Sealed(sealed.into()),
        };
        let wire = request.encode().len();
        self.peer(peer).lane.is_finishing |= is_finish;
        self.ask_sealed(peer, request, Asked::Parcel { channel, messages, is_challenge, is_finish });
        if count > 0 {
            self.report(Event::MessageBytes { peer, messages: count, plain: bytes, wire });
        }
    }

    /// A sealed parcel of these messages, nothing of none; and whether it challenges the peer.
    fn seal_parcel(&mut self, peer: PeerId, batch: Vec<Item<MessageId>>) -> Option<(Channel, Vec<u8>, bool)> {
        let (now, party, bounds) = (self.now(), self.party(peer)?, self.message_bounds(usize::MAX));
        let session = self.session_of(peer)?;
        let channel = session.channel();
        let compresses = self.config.messages.compression && session.capabilities().zstd;
        if batch.is_empty() {
            return Some((channel, Vec::new(), false));
        }
        let lane = &mut self.peer(peer).lane;
        let is_challenge = lane.challenged.replace(channel) != Some(channel);
        let pack = |item: Item<MessageId>| {
            let packed = if compresses { lane.pack(&item.bytes, bounds) } else { plain(&item.bytes) };
            Entry { sequence: item.name.sequence, packed: packed.into() }
        };
        let entries = batch.into_iter().map(pack).collect();
        let nonce = is_challenge.then(|| *draw(self.runtime.as_ref()));
        let sealed = self.sealed.as_mut()?;
        let challenge = nonce.map(|nonce| sealed.verifier.challenge(now, party, channel, nonce));
        let parcel = Parcel { challenge, session: self.session, entries };
        let sealed = sealed.sessions.seal(now, party, &parcel.encode()).ok()?;
        Some((channel, sealed, is_challenge))
    }

    pub(super) fn on_sealed_response(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        request: OutboundRequestId,
        response: Response,
    ) {
        let Some(what) = self.sealed.as_mut().and_then(|sealed| sealed.requests.remove(&request)) else {
            return;
        };
        match (what, response) {
            (Asked::Hello, Response::Answer(answer)) => self.on_answer(peer, &answer),
            (Asked::Hello, Response::Refused(refused)) => self.on_hello_refused(peer, refused),
            (Asked::Parcel { channel, messages, is_challenge, is_finish }, Response::Sealed(receipt)) => {
                self.peer(peer).lane.is_finishing &= !is_finish;
                let challenged = is_challenge.then_some(channel);
                self.on_receipt(peer, connection, messages, challenged, &receipt);
            }
            (Asked::Parcel { channel, messages, is_finish, .. }, Response::Refused(refused)) => {
                if refused == Refused::UnknownSession {
                    self.forget_session(peer, channel, EndReason::Unknown);
                }
                self.peer(peer).lane.is_finishing &= !is_finish;
                self.attempts_failed(peer, messages);
            }
            (what, response) => {
                let kind = if matches!(response, Response::Answer(_)) { "an answer" } else { "a receipt" };
                self.misbehaved(peer, Misbehaviour::Unsolicited, &format!("found {kind} to another request"));
                self.on_asked_in_vain(peer, what);
            }
        }
    }

    pub(super) fn on_sealed_failure(&mut self, peer: PeerId, request: OutboundRequestId, error: &OutboundFailure) {
        if let OutboundFailure::Io(error) = error
            && error.kind() == std::io::ErrorKind::InvalidData
        {
            self.misbehaved(peer, Misbehaviour::Malformed, error);
        }
        let Some(what) = self.sealed.as_mut().and_then(|sealed| sealed.requests.remove(&request)) else {
            return;
        };
        let cannot_seal = matches!(error, OutboundFailure::UnsupportedProtocols);
        if cannot_seal {
            self.on_cannot_seal(peer, what);
        } else {
            self.on_asked_in_vain(peer, what);
        }
    }

    /// The peer does not speak the sealed protocol. Plain is for those that never did.
    fn on_cannot_seal(&mut self, peer: PeerId, what: Asked) {
        let now = self.now();
        let lane = &mut self.peer(peer).lane;
        let waiting = lane.take_all(now);
        if !lane.has_sealed {
            lane.is_plain = true;
            self.hello_failed(peer);
            for item in waiting {
                self.transmit(peer, item.name, item.bytes);
            }
            return;
        }
        let asked = match &what {
            Asked::Hello => Vec::new(),
            Asked::Parcel { messages, .. } => messages.clone(),
        };
        self.on_asked_in_vain(peer, what);
        for message in asked.into_iter().chain(waiting.into_iter().map(|item| item.name)) {
            self.give_up(peer, message, "the peer sealed before and says now that it cannot".to_owned());
        }
    }

    /// A request was not answered as it should be: what it carried is tried again.
    fn on_asked_in_vain(&mut self, peer: PeerId, what: Asked) {
        let now = self.now();
        match what {
            Asked::Hello => {
                self.hello_failed(peer);
                let waiting = self.peer(peer).lane.take_all(now);
                self.attempts_failed(peer, waiting.into_iter().map(|item| item.name));
            }
            Asked::Parcel { channel, messages, is_challenge, is_finish } => {
                let lane = &mut self.peer(peer).lane;
                if is_challenge {
                    lane.challenged.take_if(|challenged| *challenged == channel);
                }
                if is_finish {
                    // Whether the peer has the session nobody knows.
                    lane.is_finishing = false;
                    self.forget_session(peer, channel, EndReason::Unknown);
                }
                self.attempts_failed(peer, messages);
            }
        }
    }

    /// The session is there for us; the first batch goes with the finish.
    fn on_answer(&mut self, peer: PeerId, answer: &[u8]) {
        let (now, Some(party)) = (self.now(), self.party(peer)) else { return };
        let Some(sealed) = &mut self.sealed else { return };
        match sealed.sessions.answer(now, party, answer) {
            Ok(finish) => {
                let batch = self.peer(peer).lane.ready.pop_front().unwrap_or_default();
                self.send_parcel(peer, batch, Some(finish));
            }
            // Ours gave way to the peer's, or waited too long.
            Err(darkswap_messages::seal::HandshakeError::Unexpected) => {}
            Err(error) => {
                let kind = if error.is_spoofed() { Misbehaviour::Spoofed } else { Misbehaviour::Malformed };
                self.misbehaved(peer, kind, &error);
                self.on_asked_in_vain(peer, Asked::Hello);
            }
        }
    }

    fn on_hello_refused(&mut self, peer: PeerId, refused: Refused) {
        match refused {
            // The peer's is under way: what is ready waits for it.
            Refused::Crossed => self.hello_failed(peer),
            Refused::TooSoon | Refused::UnknownSession | Refused::Misbehaviour => {
                self.on_asked_in_vain(peer, Asked::Hello);
            }
        }
    }

    fn hello_failed(&mut self, peer: PeerId) {
        if let (Some(party), Some(sealed)) = (self.party(peer), &mut self.sealed) {
            sealed.sessions.failed(party);
        }
    }

    /// Ends the session with a peer, if it is still that one.
    fn forget_session(&mut self, peer: PeerId, channel: Channel, reason: EndReason) {
        let is_current = self.session_of(peer).is_some_and(|session| session.channel() == channel);
        if let (true, Some(party), Some(sealed)) = (is_current, self.party(peer), &mut self.sealed) {
            match reason {
                EndReason::Unknown => sealed.sessions.unknown(party),
                EndReason::Expired | EndReason::Evicted | EndReason::Dropped => sealed.sessions.drop_peer(party),
            }
        }
    }

    /// What became of the messages of a parcel.
    fn on_receipt(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        messages: Vec<MessageId>,
        challenged: Option<Channel>,
        sealed: &[u8],
    ) {
        if messages.is_empty() {
            return;
        }
        match self.open_receipt(peer, messages.len(), challenged, sealed) {
            Ok(outcomes) => {
                let path = self.sealed_path(connection);
                for (message, outcome) in messages.into_iter().zip(outcomes) {
                    match outcome {
                        Outcome::Delivered => self.settle(peer, message, Verdict::Delivered, path),
                        Outcome::Duplicate => self.settle(peer, message, Verdict::Duplicate, path),
                        Outcome::Stale => self.settle(peer, message, Verdict::Stale, path),
                        Outcome::Refused => self.give_up(peer, message, "the peer could not unpack it".to_owned()),
                    }
                }
            }
            Err((kind, evidence)) => {
                if let Some(kind) = kind {
                    self.misbehaved(peer, kind, &evidence);
                }
                if let Some(channel) = challenged {
                    self.peer(peer).lane.challenged.take_if(|challenged| *challenged == channel);
                    if kind == Some(Misbehaviour::Spoofed) {
                        self.forget_session(peer, channel, EndReason::Dropped);
                    }
                }
                self.attempts_failed(peer, messages);
            }
        }
    }

    /// The outcomes in a receipt, or what is wrong with it; no kind for what an honest peer may do as well.
    fn open_receipt(
        &mut self,
        peer: PeerId,
        messages: usize,
        challenged: Option<Channel>,
        sealed: &[u8],
    ) -> Result<Vec<Outcome>, (Option<Misbehaviour>, String)> {
        let now = self.now();
        let (Some(party), Some(ours)) = (self.party(peer), &mut self.sealed) else { return Err((None, String::new())) };
        let plaintext = ours
            .sessions
            .unseal(now, party, sealed, message::RECEIPT)
            .map_err(|error| (super::inbound::fault(&error), error.to_string()))?;
        let malformed = |error: &dyn ToString| (Some(Misbehaviour::Malformed), error.to_string());
        let receipt = Receipt::decode(&plaintext.into()).map_err(|error| malformed(&error))?;
        if let Some(channel) = challenged {
            let spoofed = |evidence: String| (Some(Misbehaviour::Spoofed), evidence);
            let proof = receipt.proof.ok_or_else(|| spoofed("found no proof, expected one".to_owned()))?;
            ours.verifier.check(now, party, channel, &proof).map_err(|error| spoofed(error.to_string()))?;
        }
        if receipt.outcomes.len() != messages {
            let found = receipt.outcomes.len();
            let evidence = format!("found the outcomes of {found} messages, expected those of {messages}");
            return Err((Some(Misbehaviour::Unsolicited), evidence));
        }
        Ok(receipt.outcomes)
    }
}
