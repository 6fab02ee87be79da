//! The three messages with which two identities agree on a session.

use std::fmt;

use snow::{Builder, HandshakeState};
use thiserror::Error;

use super::noise::{KEY, Resolver, TAG};
use super::{CERTIFICATE, Certificate, CertificateError, Channel, Entropy, Session, StaticKey};
use crate::Time;
use crate::identity::{Identity, Party};

/// The longest message of a handshake: two keys, a certificate with its two bytes, and two tags.
pub const HANDSHAKE: usize = KEY + (KEY + TAG) + (2 + CERTIFICATE + TAG);

const PATTERN: &str = "Noise_XX_25519_ChaChaPoly_SHA256";
/// What both ends must agree on, before their names.
const PROLOGUE: &[u8] = b"darkswap sealed session 1";
/// The first byte of what a handshake carries.
const VERSION: u8 = 1;
const ZSTD: u8 = 1;

/// What an end takes, said within the handshake's encryption, so that nobody between can take it away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities {
    /// Messages in zstd frames.
    pub zstd: bool,
}

/// Why there is no session.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HandshakeError {
    /// It is too long for any message of the handshake.
    #[error("found a handshake message of {found} bytes, expected at most {HANDSHAKE}")]
    Oversized {
        /// What was found.
        found: usize,
    },
    /// It breaks the pattern, or was made for other parties.
    #[error("found a handshake message that is none between {initiator} and {responder}: {reason}")]
    Noise {
        /// Who opens.
        initiator: Party,
        /// Who answers.
        responder: Party,
        /// What snow says.
        reason: String,
    },
    /// Another version, or flags that have no meaning.
    #[error("found version {version} with the flags {flags:#010b}, expected version {VERSION} and at most bit 0")]
    Version {
        /// What was found.
        version: u8,
        /// What was found.
        flags: u8,
    },
    /// What it carries is cut or not signed.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The static key is another than the certificate's, or the certificate is another party's: somebody poses as the peer.
    #[error("found the key of {found}, expected that of {expected}")]
    Spoofed {
        /// Who answers.
        found: Party,
        /// Who was to answer.
        expected: Party,
    },
    /// Nobody waits for it.
    #[error("found a handshake message that nothing waits for: open a new session")]
    Unexpected,
}

impl HandshakeError {
    /// Whether the peer posed as another: worth a name of its own in what is counted.
    #[must_use]
    pub fn is_spoofed(&self) -> bool {
        matches!(self, Self::Spoofed { .. } | Self::Certificate(CertificateError::Unsigned { .. }))
    }
}

/// What a node needs for every handshake.
#[derive(Debug)]
pub struct Handshakes {
    identity: Identity,
    key: StaticKey,
    certificate: Certificate,
    capabilities: Capabilities,
}

/// One handshake that waits for the peer's next message.
pub(crate) struct Handshake {
    noise: HandshakeState,
    initiator: Party,
    responder: Party,
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("initiator", &self.initiator)
            .field("responder", &self.responder)
            .finish_non_exhaustive()
    }
}

impl Handshakes {
    /// Handshakes of this identity with this static key.
    #[must_use]
    pub fn new(identity: Identity, key: StaticKey, capabilities: Capabilities) -> Self {
        let certificate = Certificate::new(&identity, &key);
        Self { identity, key, certificate, capabilities }
    }

    /// The node's identity.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The certificate of its static key.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    pub(crate) fn key(&self) -> &StaticKey {
        &self.key
    }

    /// Opens a session: the hello.
    pub(crate) fn open(&self, peer: Party, entropy: Entropy) -> (Handshake, Vec<u8>) {
        let mut handshake = self.start(self.identity.party(), peer, true, entropy);
        let hello = handshake.write(&[]);
        (handshake, hello)
    }

    /// Answers a hello.
    pub(crate) fn answer(
        &self,
        peer: Party,
        hello: &[u8],
        entropy: Entropy,
    ) -> Result<(Handshake, Vec<u8>), HandshakeError> {
        let mut handshake = self.start(peer, self.identity.party(), false, entropy);
        let carried = handshake.read(hello)?;
        if !carried.is_empty() {
            return Err(CertificateError::Length { found: carried.len() }.into());
        }
        let answer = handshake.write(&self.carried());
        Ok((handshake, answer))
    }

    /// Takes the answer: the session, and the finish with which the peer has it as well.
    pub(crate) fn finish(
        &self,
        mut handshake: Handshake,
        now: Time,
        answer: &[u8],
    ) -> Result<(Session, Vec<u8>), HandshakeError> {
        let carried = handshake.read(answer)?;
        let peer = handshake.responder;
        let capabilities = handshake.check(&carried, peer)?;
        let finish = handshake.write(&self.carried());
        Ok((handshake.into_session(peer, capabilities, now), finish))
    }

    /// Takes the finish: the session.
    pub(crate) fn finished(
        &self,
        mut handshake: Handshake,
        now: Time,
        finish: &[u8],
    ) -> Result<Session, HandshakeError> {
        let carried = handshake.read(finish)?;
        let peer = handshake.initiator;
        let capabilities = handshake.check(&carried, peer)?;
        Ok(handshake.into_session(peer, capabilities, now))
    }

    fn start(&self, initiator: Party, responder: Party, opens: bool, entropy: Entropy) -> Handshake {
        let prologue = [PROLOGUE, &initiator.0, &responder.0].concat();
        let builder =
            Builder::with_resolver(PATTERN.parse().expect("a pattern that snow knows"), Resolver::new(entropy))
                .local_private_key(self.key.secret())
                .and_then(|builder| builder.prologue(&prologue))
                .expect("each is set once");
        let noise = if opens { builder.build_initiator() } else { builder.build_responder() };
        Handshake { noise: noise.expect("nothing is missing for the pattern"), initiator, responder }
    }

    fn carried(&self) -> Vec<u8> {
        let flags = if self.capabilities.zstd { ZSTD } else { 0 };
        [&[VERSION, flags][..], &self.certificate.encode()].concat()
    }
}

impl Handshake {
    fn write(&mut self, carried: &[u8]) -> Vec<u8> {
        let mut message = vec![0; HANDSHAKE];
        let length = self.noise.write_message(carried, &mut message).expect("it is our turn, and the message has room");
        message.truncate(length);
        message
    }

    fn read(&mut self, message: &[u8]) -> Result<Vec<u8>, HandshakeError> {
        if message.len() > HANDSHAKE {
            return Err(HandshakeError::Oversized { found: message.len() });
        }
        let mut carried = vec![0; HANDSHAKE];
        let length = self.noise.read_message(message, &mut carried).map_err(|error| HandshakeError::Noise {
            initiator: self.initiator,
            responder: self.responder,
            reason: error.to_string(),
        })?;
        carried.truncate(length);
        Ok(carried)
    }

    /// What the peer takes, once it has shown that it is the peer.
    fn check(&self, carried: &[u8], peer: Party) -> Result<Capabilities, HandshakeError> {
        let ([version, flags], certificate) =
            carried.split_first_chunk().ok_or(CertificateError::Length { found: carried.len() })?;
        if *version != VERSION || flags & !ZSTD != 0 {
            return Err(HandshakeError::Version { version: *version, flags: *flags });
        }
        let certificate = Certificate::decode(certificate)?;
        // A certificate alone proves nothing, since everybody has it who ever talked to its party: the key has to be the one that
        // took part in the handshake.
        if certificate.party() != peer || self.noise.get_remote_static() != Some(&certificate.key()[..]) {
            return Err(HandshakeError::Spoofed { found: certificate.party(), expected: peer });
        }
        Ok(Capabilities { zstd: flags & ZSTD != 0 })
    }

    fn into_session(self, peer: Party, capabilities: Capabilities, now: Time) -> Session {
        let hash = self.noise.get_handshake_hash().try_into().expect("SHA-256 has 32 bytes");
        let noise = self.noise.into_stateless_transport_mode().expect("the handshake is finished");
        Session::new(noise, peer, Channel(hash), capabilities, now)
    }
}

/// A session of two identities, both ends: the first opened it.
#[cfg(test)]
pub(crate) fn sessions(first: &Handshakes, second: &Handshakes) -> (Session, Session) {
    let parties = (first.identity().party(), second.identity().party());
    let (opened, hello) = first.open(parties.1, Entropy::new([31; 32]));
    let (answered, answer) = second.answer(parties.0, &hello, Entropy::new([32; 32])).unwrap();
    let (session, finish) = first.finish(opened, Time::ZERO, &answer).unwrap();
    (session, second.finished(answered, Time::ZERO, &finish).unwrap())
}

/// Handshakes of a test's identity.
#[cfg(test)]
pub(crate) fn handshakes(number: u8) -> Handshakes {
    let key = StaticKey::new(zeroize::Zeroizing::new([number + 100; 32]));
    Handshakes::new(crate::identity::identity(number), key, Capabilities { zstd: number % 2 == 1 })
}

#[cfg(test)]
mod tests;
