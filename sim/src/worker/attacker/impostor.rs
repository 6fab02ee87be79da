//! The other end of sessions that nodes open: it takes part in all of the handshake, and proves with another key than that in its name
//! who it is.

use std::collections::BTreeSet;

use bytes::Bytes;
use darkswap_messages::identity::{Identity, Party};
use darkswap_messages::seal::Sessions;
use darkswap_messages::wire::{LENGTH, Outcome, Parcel, Receipt, Refused, Request, Response, framed};
use futures::channel::mpsc;
use futures::{AsyncReadExt as _, AsyncWriteExt as _, StreamExt as _};
use libp2p::PeerId;
use libp2p::identity::Keypair;
use libp2p::swarm::Stream;

use super::victim::{draw, identity, party, sessions};
use super::{Reply, Report};

/// The longest request that is read.
const LONGEST: u64 = 64 << 10;
/// The longest message of a parcel.
const MESSAGE: usize = 64 << 10;

/// The answering end.
pub(super) struct Impostor {
    report: Report,
    sessions: Sessions,
    other: Identity,
    /// Who was given a false proof and has not shown what it thinks of it.
    fooled: BTreeSet<Party>,
}

impl Impostor {
    /// An impostor that signs with the key of `other`.
    pub(super) fn new(report: Report, other: &Keypair) -> Option<Self> {
        let sessions = sessions(&report.identity, report.runtime.as_ref())?;
        Some(Self { report, sessions, other: identity(other)?, fooled: BTreeSet::new() })
    }

    /// Answers until there are no more streams, or drops those that it has no answer to.
    pub(super) async fn run(mut self, mut streams: mpsc::Receiver<(PeerId, Stream)>) {
        while let Some((peer, stream)) = streams.next().await {
            self.serve(peer, stream).await;
        }
    }

    async fn serve(&mut self, peer: PeerId, mut stream: Stream) -> Option<()> {
        let mut request = Vec::new();
        (&mut stream).take(LONGEST).read_to_end(&mut request).await.ok()?;
        let request = Request::decode(&Bytes::from(request.get(LENGTH..)?.to_vec())).ok()?;
        let response = self.answer(peer, party(peer)?, request)?;
        stream.write_all(&framed(&response.encode())).await.ok()?;
        stream.close().await.ok()
    }

    fn answer(&mut self, peer: PeerId, party: Party, request: Request) -> Option<Response> {
        let now = self.report.now();
        let judged = match (&request, self.sessions.current(now, party)) {
            // Whoever goes on in the session believes the proof.
            (Request::Sealed(_), Some(_)) => Reply::Taken,
            _ => Reply::Refused,
        };
        if self.fooled.remove(&party) {
            self.report.record(&self.report.cast.name_of(peer), "challenge", judged);
        }
        match request {
            Request::Hello(hello) => {
                let answer = self.sessions.hello(now, party, &hello, draw(self.report.runtime.as_ref()));
                Some(answer.map_or(Response::Refused(Refused::TooSoon), |answer| Response::Answer(answer.into())))
            }
            Request::Finish { finish, sealed } => {
                self.sessions.finish(now, party, &finish).ok()?;
                self.receive(party, &sealed)
            }
            Request::Sealed(sealed) => self.receive(party, &sealed),
        }
    }

    fn receive(&mut self, party: Party, sealed: &Bytes) -> Option<Response> {
        if sealed.is_empty() {
            return Some(Response::Sealed(Bytes::new()));
        }
        let now = self.report.now();
        let Ok(plaintext) = self.sessions.unseal(now, party, sealed, MESSAGE) else {
            return Some(Response::Refused(Refused::UnknownSession));
        };
        let parcel = Parcel::decode(&plaintext.into(), MESSAGE).ok()?;
        let channel = self.sessions.channel_of(party, sealed)?;
        let proof = parcel.challenge.map(|challenge| challenge.prove(&self.other, party, channel));
        if proof.is_some() {
            self.fooled.insert(party);
        }
        let receipt = Receipt { proof, outcomes: vec![Outcome::Delivered; parcel.entries.len()] };
        let receipt = self.sessions.reply(party, sealed, &receipt.encode()).ok()?;
        Some(Response::Sealed(receipt.into()))
    }
}
