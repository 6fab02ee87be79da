//! Messages above the transport: batched, compressed and sealed, over `/darkswap/message/2`.
//!
//! | module | what it does |
//! |---|---|
//! | `lane` | what is on its way to one peer |
//! | `outbound` | batches become parcels in a session, which is opened when there is none |
//! | `inbound` | requests of peers become messages and receipts |
//!
//! The outbox stays what promises delivery: a message that could not be sealed or sent goes back to it. Falling back to the plain
//! protocol is for peers that have never sealed in this run of the node: one that has is not believed when it says that it cannot.

mod inbound;
mod lane;
mod outbound;

use std::collections::BTreeMap;
use std::sync::Arc;

use darkswap_core::Time;
use darkswap_core::message::MessageId;
use darkswap_messages::challenge::Verifier;
use darkswap_messages::compression::{Bounds, Inflater};
use darkswap_messages::identity::{Identity, Party};
use darkswap_messages::seal::{Capabilities, Channel, Entropy, Handshakes, Limits, Output, Sessions, StaticKey};
use darkswap_trade::order::TraderKey;
use libp2p::PeerId;
use libp2p::identity::Keypair;
use libp2p::request_response::{self, Message as Exchange, OutboundRequestId};
use libp2p::swarm::ConnectionId;
use zeroize::Zeroizing;

pub(super) use self::lane::Lane;
use super::{Node, doubt};
use crate::Runtime;
use crate::config::{Config, Sealing};
use crate::event::{Event, Misbehaviour};
use crate::limits::fixed::message;
use crate::sealed_codec::Refused;
use crate::trading::key;

type Request = Result<darkswap_messages::wire::Request, Refused>;
type Response = darkswap_messages::wire::Response;

/// What the node keeps for sealing.
#[derive(Debug)]
pub(super) struct Sealed {
    sessions: Sessions,
    verifier: Verifier,
    inflater: Inflater,
    /// Requests that wait for their response.
    requests: BTreeMap<OutboundRequestId, Asked>,
}

/// What a request of ours asked.
#[derive(Debug)]
enum Asked {
    Hello,
    Parcel {
        /// The session it was sealed in.
        channel: Channel,
        messages: Vec<MessageId>,
        /// Whether the peer was to prove who it is.
        is_challenge: bool,
        /// Whether it carried the handshake's finish.
        is_finish: bool,
    },
}

impl Sealed {
    /// What a node with this identity needs; nothing when it does not seal, or has no Ed25519 key.
    pub(super) fn new(config: &Config, identity: &Keypair, runtime: &Arc<dyn Runtime>) -> Option<Self> {
        if config.messages.sealing == Sealing::Off {
            return None;
        }
        let secret = identity.clone().try_into_ed25519().ok()?.secret();
        let identity = Identity::new(&Zeroizing::new(secret.as_ref().try_into().ok()?));
        let key = StaticKey::new(draw(runtime.as_ref()));
        let capabilities = Capabilities { zstd: config.messages.compression };
        let verifier = Verifier::new(identity.party());
        Some(Self {
            sessions: Sessions::new(Handshakes::new(identity, key, capabilities), Limits::default()),
            verifier,
            inflater: Inflater::new(),
            requests: BTreeMap::new(),
        })
    }

    /// When something has to be done for a session if nothing else happens.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.sessions.deadline()
    }
}

impl Node {
    /// Time passed.
    pub(super) fn on_sealed_deadline(&mut self, now: Time) {
        if let Some(sealed) = &mut self.sealed {
            sealed.sessions.handle(now);
        }
        self.drain_sessions();
    }

    pub(super) fn on_sealed(&mut self, event: request_response::Event<Request, Response>) {
        match event {
            request_response::Event::Message { peer, connection_id, message } => match message {
                Exchange::Request { request: Ok(request), channel, .. } => {
                    self.peer(peer);
                    self.used(peer, connection_id);
                    let response = self.answer_sealed(peer, connection_id, request);
                    // The response is lost when the connection is gone; the sender asks again and is told of the duplicate.
                    let _ = self.swarm.behaviour_mut().sealed.send_response(channel, response);
                    self.drain_sessions();
                    self.drive(peer);
                }
                // Without the channel the stream ends unanswered.
                Exchange::Request { request: Err(refused), .. } => {
                    let kind = match refused {
                        Refused::Malformed(darkswap_messages::wire::WireError::Oversized { .. }) => {
                            Misbehaviour::Oversized
                        }
                        Refused::Malformed(_) | Refused::Truncated => Misbehaviour::Malformed,
                    };
                    self.report(Event::Misbehaviour { peer, kind, evidence: refused.to_string() });
                }
                Exchange::Response { request_id, response } => {
                    self.used(peer, connection_id);
                    self.on_sealed_response(peer, connection_id, request_id, response);
                    self.drain_sessions();
                    self.drive(peer);
                }
            },
            request_response::Event::OutboundFailure { peer, request_id, error, .. } => {
                self.on_sealed_failure(peer, request_id, &error);
                self.drain_sessions();
                self.drive(peer);
            }
            request_response::Event::InboundFailure { .. } | request_response::Event::ResponseSent { .. } => {}
        }
    }

    /// Does what comes of sessions.
    fn drain_sessions(&mut self) {
        while let Some(output) = self.sealed.as_mut().and_then(|sealed| sealed.sessions.poll()) {
            let (Output::Established { peer: party, .. }
            | Output::Renew { peer: party }
            | Output::Ended { peer: party, .. }) = output;
            let Ok(peer) = key::peer(&TraderKey(party.0)) else { continue };
            match output {
                Output::Established { .. } => {
                    let initiator = self.session_of(peer).is_some_and(|session| session.is_initiator());
                    self.peer(peer).lane.established();
                    self.report(Event::SessionOpened { peer, initiator });
                    self.drive(peer);
                }
                Output::Renew { .. } if self.peer(peer).path.best().is_some() => self.open_session(peer),
                Output::Renew { .. } => {}
                Output::Ended { reason, .. } => {
                    self.report(Event::SessionEnded { peer, reason });
                }
            }
        }
    }

    /// The session that messages to a peer are sealed with.
    fn session_of(&self, peer: PeerId) -> Option<&darkswap_messages::seal::Session> {
        self.sealed.as_ref()?.sessions.current(self.now(), self.party(peer)?)
    }

    /// The key in a peer's name; peers with other keys than Ed25519 cannot seal.
    fn party(&self, peer: PeerId) -> Option<Party> {
        self.peers.get(&peer)?.lane.party
    }

    /// Sends a request and notes what it asked.
    fn ask_sealed(&mut self, peer: PeerId, request: darkswap_messages::wire::Request, what: Asked) {
        let id = self.swarm.behaviour_mut().sealed.send_request(&peer, Ok(request));
        if let Some(sealed) = &mut self.sealed {
            sealed.requests.insert(id, what);
        }
    }

    /// Gives messages back to the outbox, which tries again.
    pub(super) fn attempts_failed(&mut self, peer: PeerId, messages: impl IntoIterator<Item = MessageId>) {
        let now = self.now();
        for message in messages {
            self.ended(peer, doubt::Request::Message(message.sequence));
            self.peer(peer).outbox.attempt_failed(now, message);
        }
    }

    /// Reports a peer's fault.
    fn misbehaved(&mut self, peer: PeerId, kind: Misbehaviour, evidence: &impl ToString) {
        self.report(Event::Misbehaviour { peer, kind, evidence: evidence.to_string() });
    }

    /// Bounds of one packed message of a parcel that may have so many bytes left.
    fn message_bounds(&self, left: usize) -> Bounds {
        Bounds { message: self.config.limits.message_size.min(left), ratio: message::RATIO }
    }

    /// The path of a connection, for events.
    fn sealed_path(&self, connection: ConnectionId) -> darkswap_core::path::PathKind {
        self.path_of(connection).unwrap_or(darkswap_core::path::PathKind::Direct)
    }
}

/// Random bytes from the host's entropy, for one key.
fn draw(runtime: &dyn Runtime) -> Entropy {
    let mut bytes = Entropy::default();
    runtime.fill_random(&mut bytes[..]);
    bytes
}
