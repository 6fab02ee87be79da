//! A proof, asked for now, that the other end of a session holds its identity's key.
//!
//! The handshake of a session shows a static key that an identity certified at some time. The challenge shows that whoever talks
//! holds the identity's key itself, at this moment: the prover signs the verifier's random bytes together with both names and the
//! session's [`Channel`].
//!
//! | bytes | challenge | proof |
//! |---|---|---|
//! | 1 | version: 1 | version: 1 |
//! | 32 | random bytes | the same random bytes |
//! | 64 | | signature |
//!
//! A replayed proof meets no open challenge; a reflected one has the names in the wrong order; one that was won from another session
//! is bound to another channel; one from another verifier names that verifier.

use std::collections::BTreeMap;
use std::time::Duration;

use thiserror::Error;

use crate::Time;
use crate::identity::{Domain, Identity, Party, SIGNATURE};
use crate::seal::Channel;

/// The version that is spoken.
pub const VERSION: u8 = 1;
/// Bytes of a challenge.
pub const CHALLENGE: usize = 1 + NONCE;
/// Bytes of a proof.
pub const PROOF: usize = 1 + NONCE + SIGNATURE;
/// How long a challenge may be answered: some round trips over the slowest relay.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Challenges that are open at once, one for each session. The oldest makes room: its peer is challenged again, or not believed.
pub const OPEN: usize = 512;

const NONCE: usize = 32;
const DOMAIN: Domain = Domain("darkswap challenge 1");

/// What a verifier asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Challenge {
    nonce: [u8; NONCE],
}

/// What a prover answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    nonce: [u8; NONCE],
    signature: [u8; SIGNATURE],
}

/// Why bytes are no challenge or no proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Malformed {
    /// Too many or too few bytes.
    #[error("found {found} bytes, expected {expected}")]
    Length {
        /// What was found.
        found: usize,
        /// What was expected.
        expected: usize,
    },
    /// Another version.
    #[error("found version {found}, expected {VERSION}")]
    Version {
        /// What was found.
        found: u8,
    },
}

/// Why a proof is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum ProofError {
    /// The peer was not challenged, or has answered already: a replay, or a reflection.
    #[error("found a proof of {prover} that nobody waits for")]
    Unexpected {
        /// Who answers.
        prover: Party,
    },
    /// The time is over.
    #[error("found a proof after {after:?}, expected it within {PATIENCE:?}")]
    Late {
        /// How long it took.
        after: Duration,
    },
    /// It answers another challenge.
    #[error("found a proof of {prover} for another challenge")]
    Other {
        /// Who answers.
        prover: Party,
    },
    /// The signature is not the prover's, or for another verifier, prover or session.
    #[error("found a proof that {prover} did not sign for this session")]
    Unsigned {
        /// Who was to sign.
        prover: Party,
    },
}

impl Challenge {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; CHALLENGE] {
        let mut bytes = [VERSION; CHALLENGE];
        bytes[1..].copy_from_slice(&self.nonce);
        bytes
    }

    /// Reads a challenge.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let bytes: &[u8; CHALLENGE] = sized(bytes)?;
        let [_, nonce @ ..] = *bytes;
        Ok(Self { nonce })
    }

    /// The proof of this identity to that verifier, in this session only.
    #[must_use]
    pub fn prove(&self, identity: &Identity, verifier: Party, channel: Channel) -> Proof {
        let parts = [&verifier.0[..], &identity.party().0, &self.nonce, &channel.0];
        Proof { nonce: self.nonce, signature: identity.sign(DOMAIN, &parts) }
    }
}

impl Proof {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; PROOF] {
        let mut bytes = [VERSION; PROOF];
        bytes[1..=NONCE].copy_from_slice(&self.nonce);
        bytes[1 + NONCE..].copy_from_slice(&self.signature);
        bytes
    }

    /// Reads a proof. Whether it holds is for [`Verifier::check`] to say.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let bytes: &[u8; PROOF] = sized(bytes)?;
        let (nonce, signature) = bytes[1..].split_at(NONCE);
        let (nonce, signature) = (nonce.try_into().expect("32 bytes"), signature.try_into().expect("64 bytes"));
        Ok(Self { nonce, signature })
    }
}

/// Who is challenged.
#[derive(Debug)]
pub struct Verifier {
    party: Party,
    /// By prover and session, so that the challenge of a new session leaves that of the last one alone.
    open: BTreeMap<(Party, Channel), Open>,
}

#[derive(Debug)]
struct Open {
    challenge: Challenge,
    since: Time,
}

impl Verifier {
    /// A verifier of this name that challenged nobody yet.
    #[must_use]
    pub fn new(party: Party) -> Self {
        Self { party, open: BTreeMap::new() }
    }

    /// Challenges a peer in a session, with random bytes that the caller drew. An older challenge in that session is void.
    pub fn challenge(&mut self, now: Time, prover: Party, channel: Channel, nonce: [u8; 32]) -> Challenge {
        let challenge = Challenge { nonce };
        if self.open.len() >= OPEN && !self.open.contains_key(&(prover, channel)) {
            let oldest = self.open.iter().min_by_key(|(_, open)| open.since).map(|(whom, _)| *whom);
            oldest.and_then(|oldest| self.open.remove(&oldest));
        }
        self.open.insert((prover, channel), Open { challenge, since: now });
        challenge
    }

    /// Checks a proof, once: whatever comes of it, the challenge is over.
    ///
    /// # Errors
    /// [`ProofError`] for anything but the proof of that peer for the challenge in that session, in time.
    pub fn check(&mut self, now: Time, prover: Party, channel: Channel, proof: &Proof) -> Result<(), ProofError> {
        let open = self.open.remove(&(prover, channel)).ok_or(ProofError::Unexpected { prover })?;
        let after = now.saturating_sub(open.since);
        if after > PATIENCE {
            return Err(ProofError::Late { after });
        }
        if proof.nonce != open.challenge.nonce {
            return Err(ProofError::Other { prover });
        }
        let parts = [&self.party.0[..], &prover.0, &proof.nonce, &channel.0];
        if prover.has_signed(DOMAIN, &parts, &proof.signature) { Ok(()) } else { Err(ProofError::Unsigned { prover }) }
    }

    /// Gives up what was not answered in time: who did not.
    pub fn expire(&mut self, now: Time) -> Vec<Party> {
        let late = |open: &Open| now.saturating_sub(open.since) > PATIENCE;
        let parties: Vec<Party> =
            self.open.iter().filter(|(_, open)| late(open)).map(|((party, _), _)| *party).collect();
        self.open.retain(|_, open| !late(open));
        parties
    }
}

/// Bytes of the right length that start with the version.
fn sized<const N: usize>(bytes: &[u8]) -> Result<&[u8; N], Malformed> {
    match bytes.first() {
        Some(&VERSION) => bytes.try_into().map_err(|_| Malformed::Length { found: bytes.len(), expected: N }),
        Some(&found) => Err(Malformed::Version { found }),
        None => Err(Malformed::Length { found: 0, expected: N }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::identity::identity;

    const CHANNEL: Channel = Channel([5; 32]);
    const NOW: Time = Duration::from_secs(1);

    fn verifier() -> (Verifier, Challenge) {
        let mut verifier = Verifier::new(identity(1).party());
        let challenge = verifier.challenge(NOW, identity(2).party(), CHANNEL, [9; 32]);
        (verifier, challenge)
    }

    fn check(proof: &Proof) -> Result<(), ProofError> {
        verifier().0.check(NOW, identity(2).party(), CHANNEL, proof)
    }

    #[test]
    fn a_proof_is_believed_once() {
        let (mut verifier, challenge) = verifier();
        let (alice, bob) = (identity(1).party(), identity(2));
        let proof = challenge.prove(&bob, alice, CHANNEL);
        assert_eq!(verifier.check(NOW + PATIENCE, bob.party(), CHANNEL, &proof), Ok(()));
        let again = verifier.check(NOW + PATIENCE, bob.party(), CHANNEL, &proof);
        assert_eq!(again, Err(ProofError::Unexpected { prover: bob.party() }));
    }

    #[test]
    fn a_proof_holds_for_its_verifier_its_prover_its_session_and_its_challenge_only() {
        let (_, challenge) = verifier();
        let (alice, bob, carol) = (identity(1), identity(2), identity(3));
        let unsigned = Err(ProofError::Unsigned { prover: bob.party() });
        assert_eq!(check(&challenge.prove(&bob, alice.party(), CHANNEL)), Ok(()));
        assert_eq!(check(&challenge.prove(&bob, carol.party(), CHANNEL)), unsigned, "won by another verifier");
        assert_eq!(check(&challenge.prove(&carol, alice.party(), CHANNEL)), unsigned, "of another party");
        assert_eq!(check(&challenge.prove(&bob, alice.party(), Channel([6; 32]))), unsigned, "of another session");
        assert_eq!(check(&challenge.prove(&alice, bob.party(), CHANNEL)), unsigned, "reflected");
        let other = Challenge { nonce: [8; 32] }.prove(&bob, alice.party(), CHANNEL);
        assert_eq!(check(&other), Err(ProofError::Other { prover: bob.party() }));
    }

    #[test]
    fn a_late_proof_is_refused_and_a_missing_one_is_told() {
        let (mut verifier, challenge) = verifier();
        let bob = identity(2);
        let proof = challenge.prove(&bob, identity(1).party(), CHANNEL);
        let late = NOW + PATIENCE + Duration::from_millis(1);
        let after = PATIENCE + Duration::from_millis(1);
        assert_eq!(verifier.check(late, bob.party(), CHANNEL, &proof), Err(ProofError::Late { after }));
        verifier.challenge(NOW, bob.party(), CHANNEL, [1; 32]);
        assert_eq!(verifier.expire(NOW + PATIENCE), []);
        assert_eq!(verifier.expire(late), [bob.party()]);
    }

    #[test]
    fn a_proof_of_one_peer_does_not_use_up_the_challenge_of_another() {
        let (mut verifier, challenge) = verifier();
        let (bob, carol) = (identity(2), identity(3));
        let proof = challenge.prove(&bob, identity(1).party(), CHANNEL);
        assert!(verifier.check(NOW, carol.party(), CHANNEL, &proof).is_err());
        assert_eq!(verifier.check(NOW, bob.party(), CHANNEL, &proof), Ok(()));
    }

    #[test]
    fn open_challenges_are_bounded() {
        let mut verifier = Verifier::new(identity(1).party());
        for n in 0..2 * OPEN as u64 {
            let mut party = [0; 32];
            party[..8].copy_from_slice(&n.to_be_bytes());
            verifier.challenge(NOW + Duration::from_secs(n), Party(party), CHANNEL, [1; 32]);
        }
        assert_eq!(verifier.open.len(), OPEN);
    }

    #[test]
    fn the_bytes_of_version_1_stay() {
        let (_, challenge) = verifier();
        let proof = challenge.prove(&identity(2), identity(1).party(), CHANNEL);
        assert_eq!(challenge.encode()[..3], [1, 9, 9]);
        assert_eq!(proof.encode()[33..41], VECTOR);
    }

    const VECTOR: [u8; 8] = [36, 20, 127, 24, 250, 150, 22, 1];

    proptest! {
        #![proptest_config(crate::cases())]

        #[test]
        fn no_bytes_make_the_decoders_panic_and_what_they_take_is_canonical(bytes in prop::collection::vec(any::<u8>(), 0..120), first: bool) {
            let bytes = if first { [&[VERSION], &bytes[..]].concat() } else { bytes };
            if let Ok(challenge) = Challenge::decode(&bytes) {
                prop_assert_eq!(challenge.encode().to_vec(), bytes.clone());
            }
            if let Ok(proof) = Proof::decode(&bytes) {
                prop_assert_eq!(proof.encode().to_vec(), bytes);
                prop_assert!(check(&proof).is_err());
            }
        }

        #[test]
        fn proofs_round_trip(nonce: [u8; 32]) {
            let proof = Challenge { nonce }.prove(&identity(2), identity(1).party(), CHANNEL);
            prop_assert_eq!(Proof::decode(&proof.encode()), Ok(proof));
            prop_assert_eq!(Challenge::decode(&Challenge { nonce }.encode()), Ok(Challenge { nonce }));
        }
    }
}
