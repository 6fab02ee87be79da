//! One node under attack, as the attacker sees it.

use std::time::Duration;

use bytes::Bytes;
use darkswap_core::Time;
use darkswap_messages::identity::{Identity, Party};
use darkswap_messages::seal::{Capabilities, Entropy, Handshakes, Limits, Sessions, StaticKey};
use darkswap_messages::wire::{Entry, LENGTH, Outcome, Parcel, Receipt, Refused, Request, Response, framed};
use darkswap_node::Runtime;
use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use libp2p::identity::{Keypair, PublicKey};
use libp2p::{PeerId, StreamProtocol};
use tokio::time::timeout;

use crate::worker::line::Line;

/// The sealed message protocol.
pub(super) const SEALED: StreamProtocol = StreamProtocol::new("/darkswap/message/2");
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read; those of the protocols have some hundred bytes.
const LONGEST: u64 = 64 << 10;

/// A node under attack.
pub(super) struct Victim {
    /// Its index among the members.
    pub(super) index: usize,
    pub(super) name: String,
    pub(super) peer: PeerId,
    pub(super) party: Party,
    pub(super) is_relay: bool,
    pub(super) sessions: Sessions,
    pub(super) line: Line,
    /// Of the messages to it.
    pub(super) sequence: u64,
}

impl Victim {
    /// Asks for something and reads what comes until the node ends the stream; `None` when it takes none, or does not end it in time.
    pub(super) async fn exchange(&self, protocol: StreamProtocol, request: &[u8]) -> Option<Vec<u8>> {
        let exchanged = async {
            let mut stream = self.line.open(self.peer, protocol).await?;
            stream.write_all(request).await.ok()?;
            stream.close().await.ok()?;
            let mut answer = Vec::new();
            stream.take(LONGEST).read_to_end(&mut answer).await.ok()?;
            Some(answer)
        };
        timeout(PATIENCE, exchanged).await.ok()?
    }

    /// The response to a request of the sealed protocol.
    pub(super) async fn ask(&self, request: &Request) -> Option<Response> {
        let answer = self.exchange(SEALED, &framed(&request.encode())).await?;
        (answer.len() > LENGTH).then(|| Response::decode(&Bytes::from(answer).slice(LENGTH..)).ok())?
    }

    /// Opens a session as an honest peer does, unless there is one.
    pub(super) async fn meet(&mut self, now: Time, runtime: &dyn Runtime) -> Option<()> {
        if self.sessions.current(now, self.party).is_some() {
            return Some(());
        }
        self.sessions.failed(self.party);
        let hello = self.sessions.open(now, self.party, draw(runtime))?;
        let Response::Answer(answer) = self.ask(&Request::Hello(hello.into())).await? else { return None };
        let finish = self.sessions.answer(now, self.party, &answer).ok()?;
        let finished = self.ask(&Request::Finish { finish: finish.into(), sealed: Bytes::new() }).await?;
        if !matches!(finished, Response::Sealed(_)) {
            self.sessions.unknown(self.party);
            return None;
        }
        Some(())
    }

    /// A request with these packed messages.
    pub(super) fn parcel(&mut self, now: Time, messages: Vec<Vec<u8>>) -> Option<Request> {
        let first = self.sequence;
        self.sequence += messages.len() as u64;
        let entry = |(sequence, packed): (u64, Vec<u8>)| Entry { sequence, packed: packed.into() };
        let entries = (first..).zip(messages).map(entry).collect();
        let parcel = Parcel { challenge: None, session: SESSION, entries }.encode();
        Some(Request::Sealed(self.sessions.seal(now, self.party, &parcel).ok()?.into()))
    }

    /// What became of the messages of a parcel.
    pub(super) fn outcomes(&mut self, now: Time, response: Option<Response>) -> Option<Vec<Outcome>> {
        match response? {
            Response::Sealed(receipt) => {
                let receipt = self.sessions.unseal(now, self.party, &receipt, 1_000).ok()?;
                Some(Receipt::decode(&receipt.into()).ok()?.outcomes)
            }
            Response::Refused(Refused::UnknownSession) => {
                self.sessions.unknown(self.party);
                None
            }
            Response::Refused(_) | Response::Answer(_) => None,
        }
    }
}

/// The session of message ids: an attacker has one run, and numbers that grow.
const SESSION: u64 = 7;

/// Sessions of an identity that has just started.
pub(super) fn sessions(identity: &Keypair, runtime: &dyn Runtime) -> Option<Sessions> {
    Some(Sessions::new(handshakes(identity, runtime)?, Limits::default()))
}

/// Handshakes of an identity, with a new static key.
pub(super) fn handshakes(identity: &Keypair, runtime: &dyn Runtime) -> Option<Handshakes> {
    Some(Handshakes::new(self::identity(identity)?, StaticKey::new(draw(runtime)), Capabilities { zstd: true }))
}

pub(super) fn identity(keypair: &Keypair) -> Option<Identity> {
    let secret = keypair.clone().try_into_ed25519().ok()?.secret();
    Some(Identity::new(&Entropy::new(secret.as_ref().try_into().ok()?)))
}

/// The key in a peer's name, which is one of Ed25519 in every scenario.
pub(super) fn party(peer: PeerId) -> Option<Party> {
    let key = PublicKey::try_decode_protobuf(peer.as_ref().digest()).ok()?;
    Some(Party(key.try_into_ed25519().ok()?.to_bytes()))
}

/// Random bytes from the host's entropy, for one key.
pub(super) fn draw(runtime: &dyn Runtime) -> Entropy {
    let mut bytes = Entropy::default();
    runtime.fill_random(&mut bytes[..]);
    bytes
}
