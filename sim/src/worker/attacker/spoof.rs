//! Somebody else's name, and somebody's words once more.

use std::time::Duration;

use bytes::Bytes;
use darkswap_messages::compression::plain;
use darkswap_messages::wire::{Outcome, Refused, Request, Response};
use libp2p::identity::Keypair;
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};

use super::victim::{Victim, draw, handshakes, party};
use super::{Reply, Report};

/// Longer than a node's pause between two hellos of one peer that it answers.
const GAP: Duration = Duration::from_millis(300);
/// The beginning of what both ends of a handshake agree on.
const PROLOGUE: &[u8] = b"darkswap sealed session 1";
/// Version and flags before a certificate.
const CARRIED: [u8; 2] = [1, 0];

/// Does all of it to a node; `other` is whose certificate is shown.
pub(super) async fn spoof(victim: &mut Victim, other: &Keypair, report: &Report) {
    let reply = said_again(victim, report).await.unwrap_or(Reply::Failed);
    report.record(&victim.name, "replay", reply);
    let reply = changed(victim, report).await.unwrap_or(Reply::Failed);
    report.record(&victim.name, "forge", reply);
    tokio::time::sleep(GAP).await;
    let reply = as_another(victim, other, report).await.unwrap_or(Reply::Failed);
    report.record(&victim.name, "certificate", reply);
}

/// Sends a message, and then the same bytes again.
async fn said_again(victim: &mut Victim, report: &Report) -> Option<Reply> {
    victim.meet(report.now(), report.runtime.as_ref()).await?;
    let request = victim.parcel(report.now(), vec![plain(b"once")])?;
    let response = victim.ask(&request).await;
    if victim.outcomes(report.now(), response)? != [Outcome::Delivered] {
        return None;
    }
    Some(judge(victim.ask(&request).await?))
}

/// Sends a message of which a bit was changed on its way.
async fn changed(victim: &mut Victim, report: &Report) -> Option<Reply> {
    victim.meet(report.now(), report.runtime.as_ref()).await?;
    let Request::Sealed(sealed) = victim.parcel(report.now(), vec![plain(b"changed")])? else { return None };
    let mut sealed = sealed.to_vec();
    *sealed.last_mut()? ^= 1;
    Some(judge(victim.ask(&Request::Sealed(sealed.into())).await?))
}

fn judge(response: Response) -> Reply {
    match response {
        Response::Refused(Refused::Misbehaviour) => Reply::Refused,
        Response::Refused(_) => Reply::Failed,
        Response::Sealed(_) | Response::Answer(_) => Reply::Taken,
    }
}

/// Opens a session with the certificate of another.
async fn as_another(victim: &Victim, other: &Keypair, report: &Report) -> Option<Reply> {
    let runtime = report.runtime.as_ref();
    let certificate = handshakes(other, runtime)?.certificate().encode();
    let own = party(report.identity.public().to_peer_id())?;
    let prologue = [PROLOGUE, &own.0, &victim.party.0].concat();
    let pattern = "Noise_XX_25519_ChaChaPoly_SHA256".parse().ok()?;
    let mut ephemeral = [0; 32];
    ephemeral.copy_from_slice(&draw(runtime)[..]);
    let mut noise = snow::Builder::with_resolver(pattern, Box::new(Drawn(ephemeral)))
        .local_private_key(&draw(runtime)[..])
        .and_then(|builder| builder.prologue(&prologue))
        .and_then(snow::Builder::build_initiator)
        .ok()?;
    let mut buffer = [0; 1_000];
    let length = noise.write_message(&[], &mut buffer).ok()?;
    let hello = Request::Hello(Bytes::copy_from_slice(buffer.get(..length)?));
    let Response::Answer(answer) = victim.ask(&hello).await? else { return None };
    noise.read_message(&answer, &mut buffer).ok()?;
    let length = noise.write_message(&[&CARRIED, &certificate[..]].concat(), &mut buffer).ok()?;
    let finish = Bytes::copy_from_slice(buffer.get(..length)?);
    Some(judge(victim.ask(&Request::Finish { finish, sealed: Bytes::new() }).await?))
}

/// Noise whose random bytes were drawn before.
struct Drawn([u8; 32]);

impl CryptoResolver for Drawn {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Self(self.0)))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(choice)
    }
}

impl Random for Drawn {
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), snow::Error> {
        // Of one handshake, in which one key is drawn.
        bytes.iter_mut().zip(self.0).for_each(|(byte, drawn)| *byte = drawn);
        Ok(())
    }
}
