//! Requests of peers become messages and receipts.

use bytes::Bytes;
use darkswap_core::message::MessageId;
use darkswap_core::path::PathKind;
use darkswap_core::wire::Verdict;
use darkswap_messages::seal::{HandshakeError, OpenError, Refusal};
use darkswap_messages::wire::{Outcome, Parcel, Receipt, Refused, Request, Response, longest};
use libp2p::PeerId;
use libp2p::swarm::ConnectionId;

use super::draw;
use crate::event::{Event, Misbehaviour};
use crate::limits::fixed::message;
use crate::node::Node;

impl Node {
    /// What to answer to a request.
    pub(super) fn answer_sealed(&mut self, peer: PeerId, connection: ConnectionId, request: Request) -> Response {
        match request {
            Request::Hello(hello) => self.on_hello(peer, &hello),
            Request::Sealed(sealed) => self.on_parcel(peer, connection, &sealed),
            Request::Finish { finish, sealed } => {
                if let Err(refused) = self.on_finish(peer, &finish) {
                    return Response::Refused(refused);
                }
                // The session is told before its first messages.
                self.drain_sessions();
                if sealed.is_empty() {
                    Response::Sealed(Bytes::new())
                } else {
                    self.on_parcel(peer, connection, &sealed)
                }
            }
        }
    }

    fn on_hello(&mut self, peer: PeerId, hello: &[u8]) -> Response {
        let now = self.now();
        let (Some(party), Some(sealed)) = (self.party(peer), &mut self.sealed) else {
            return Response::Refused(Refused::Misbehaviour);
        };
        match sealed.sessions.hello(now, party, hello, draw(self.runtime.as_ref())) {
            Ok(answer) => Response::Answer(answer.into()),
            Err(Refusal::Crossed) => Response::Refused(Refused::Crossed),
            // An honest peer that lost the answer asks again at once, too.
            Err(Refusal::TooSoon { .. }) => Response::Refused(Refused::TooSoon),
            Err(Refusal::Handshake(error)) => {
                self.misbehaved(peer, Misbehaviour::Malformed, &error);
                Response::Refused(Refused::Misbehaviour)
            }
        }
    }

    fn on_finish(&mut self, peer: PeerId, finish: &[u8]) -> Result<(), Refused> {
        let now = self.now();
        let (Some(party), Some(sealed)) = (self.party(peer), &mut self.sealed) else {
            return Err(Refused::Misbehaviour);
        };
        match sealed.sessions.finish(now, party, finish) {
            Ok(()) => Ok(()),
            // The handshake waited too long, or another took its place.
            Err(HandshakeError::Unexpected) => Err(Refused::UnknownSession),
            Err(error) => {
                let kind = if error.is_spoofed() { Misbehaviour::Spoofed } else { Misbehaviour::Malformed };
                self.misbehaved(peer, kind, &error);
                Err(Refused::Misbehaviour)
            }
        }
    }

    fn on_parcel(&mut self, peer: PeerId, connection: ConnectionId, sealed: &[u8]) -> Response {
        let (now, limit) = (self.now(), longest(self.config.limits.message_size.max(message::BATCH)));
        let (Some(party), Some(ours)) = (self.party(peer), &mut self.sealed) else {
            return Response::Refused(Refused::Misbehaviour);
        };
        let plaintext = match ours.sessions.unseal(now, party, sealed, limit) {
            Ok(plaintext) => plaintext,
            Err(OpenError::UnknownSession) => return Response::Refused(Refused::UnknownSession),
            Err(error) => {
                if let Some(kind) = fault(&error) {
                    self.misbehaved(peer, kind, &error);
                }
                return Response::Refused(Refused::Misbehaviour);
            }
        };
        let parcel = match Parcel::decode(&plaintext.into(), self.config.limits.message_size) {
            Ok(parcel) => parcel,
            Err(error) => {
                self.misbehaved(peer, Misbehaviour::Malformed, &error);
                return Response::Refused(Refused::Misbehaviour);
            }
        };
        let proof = self.prove(peer, sealed, &parcel);
        let outcomes = self.deliver(peer, self.sealed_path(connection), parcel);
        let receipt = Receipt { proof, outcomes };
        match self.sealed.as_mut().map(|ours| ours.sessions.reply(party, sealed, &receipt.encode())) {
            Some(Ok(receipt)) => Response::Sealed(receipt.into()),
            _ => Response::Refused(Refused::UnknownSession),
        }
    }

    /// The proof that a parcel asks for, in its session.
    fn prove(&self, peer: PeerId, sealed: &[u8], parcel: &Parcel) -> Option<darkswap_messages::challenge::Proof> {
        let (ours, party) = (self.sealed.as_ref()?, self.party(peer)?);
        let channel = ours.sessions.channel_of(party, sealed)?;
        Some(parcel.challenge?.prove(ours.sessions.handshakes().identity(), party, channel))
    }

    /// Unpacks and delivers the messages of a parcel.
    fn deliver(&mut self, peer: PeerId, path: PathKind, parcel: Parcel) -> Vec<Outcome> {
        // All messages of a parcel together: many small bombs are one large one.
        let mut left = self.config.limits.message_size.max(message::BATCH);
        let session = parcel.session;
        let mut outcomes = Vec::with_capacity(parcel.entries.len());
        for entry in parcel.entries {
            let id = MessageId { session, sequence: entry.sequence };
            let bounds = self.message_bounds(left);
            let Some(ours) = &mut self.sealed else { break };
            outcomes.push(match ours.inflater.unpack(&entry.packed, bounds) {
                Ok(payload) => {
                    left -= payload.len();
                    self.take_message(peer, path, id, payload.into())
                }
                Err(error) => {
                    let kind = if error.is_bomb() { Misbehaviour::Bomb } else { Misbehaviour::Malformed };
                    self.misbehaved(peer, kind, &error);
                    Outcome::Refused
                }
            });
        }
        outcomes
    }

    fn take_message(&mut self, peer: PeerId, path: PathKind, id: MessageId, payload: Bytes) -> Outcome {
        match self.peer(peer).inbox.admit(id) {
            Verdict::Delivered => {
                self.report(Event::MessageReceived { peer, id, path, payload });
                Outcome::Delivered
            }
            verdict @ (Verdict::Duplicate | Verdict::Stale) => {
                self.report(Event::MessageDuplicate { peer, id });
                if verdict == Verdict::Stale { Outcome::Stale } else { Outcome::Duplicate }
            }
        }
    }
}

/// Which rule a sealed message breaks; none when an honest peer may send it, since its session ended here.
pub(super) fn fault(error: &OpenError) -> Option<Misbehaviour> {
    match error {
        OpenError::UnknownSession => None,
        OpenError::Replayed { .. } | OpenError::Stale { .. } => Some(Misbehaviour::Replayed),
        OpenError::Forged => Some(Misbehaviour::Forged),
        OpenError::Oversized { .. } => Some(Misbehaviour::Oversized),
        OpenError::Truncated { .. } | OpenError::Length { .. } => Some(Misbehaviour::Malformed),
    }
}
