//! The key that a node is known by, and what it signs.
//!
//! A party is an Ed25519 public key, the one in its peer id. Everything that an identity signs here starts with a domain of its own,
//! so that no signature for one purpose, of this crate or of libp2p, means anything for another.

use std::fmt;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

/// Bytes of a public key.
pub const PARTY: usize = 32;
/// Bytes of a signature.
pub const SIGNATURE: usize = 64;

/// Whom a node is known as: its public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Party(pub [u8; PARTY]);

/// A node's own key. Its memory is wiped when it is dropped.
pub struct Identity {
    key: SigningKey,
    party: Party,
}

/// What a signature is for: it is signed as well, so that it holds for nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Domain(pub(crate) &'static str);

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("party", &self.party).finish_non_exhaustive()
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Identity {
    /// The identity of an Ed25519 secret key (RFC 8032, section 5.1.5).
    #[must_use]
    pub fn new(secret: &Zeroizing<[u8; 32]>) -> Self {
        let key = SigningKey::from_bytes(secret);
        let party = Party(key.verifying_key().to_bytes());
        Self { key, party }
    }

    /// Whom others know it as.
    #[must_use]
    pub fn party(&self) -> Party {
        self.party
    }

    /// Signs these parts for this purpose.
    #[must_use]
    pub(crate) fn sign(&self, domain: Domain, parts: &[&[u8]]) -> [u8; SIGNATURE] {
        self.key.sign(&signed(domain, parts)).to_bytes()
    }
}

impl Party {
    /// Whether this party signed these parts for this purpose. Keys of small order and signatures with a second form are refused.
    #[must_use]
    pub(crate) fn has_signed(&self, domain: Domain, parts: &[&[u8]], signature: &[u8; SIGNATURE]) -> bool {
        VerifyingKey::from_bytes(&self.0)
            .and_then(|key| key.verify_strict(&signed(domain, parts), &Signature::from_bytes(signature)))
            .is_ok()
    }
}

/// What is signed: each part with its length before it, so that no other parts give the same bytes.
fn signed(domain: Domain, parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in [domain.0.as_bytes()].iter().chain(parts) {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

/// Identities for tests.
#[cfg(test)]
pub(crate) fn identity(number: u8) -> Identity {
    Identity::new(&Zeroizing::new([number; 32]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOMAIN: Domain = Domain("test 1");

    #[test]
    fn a_signature_holds_for_its_signer_its_domain_and_its_parts_only() {
        let (alice, bob) = (identity(1), identity(2));
        let signature = alice.sign(DOMAIN, &[b"ab", b"c"]);
        assert!(alice.party().has_signed(DOMAIN, &[b"ab", b"c"], &signature));
        assert!(!bob.party().has_signed(DOMAIN, &[b"ab", b"c"], &signature));
        assert!(!alice.party().has_signed(Domain("test 2"), &[b"ab", b"c"], &signature));
        assert!(!alice.party().has_signed(DOMAIN, &[b"a", b"bc"], &signature));
        assert!(!alice.party().has_signed(DOMAIN, &[b"abc"], &signature));
    }

    #[test]
    fn a_key_of_small_order_has_signed_nothing() {
        let neutral = Party({
            let mut bytes = [0; 32];
            bytes[0] = 1;
            bytes
        });
        // With the neutral point as key and R, and s = 0, the equation of a lenient check holds for every message.
        let mut signature = [0; SIGNATURE];
        signature[0] = 1;
        assert!(!neutral.has_signed(DOMAIN, &[b"anything"], &signature));
    }

    #[test]
    fn a_secret_is_not_printed() {
        let shown = format!("{:?}", identity(7));
        assert!(!shown.contains("7, 7, 7"), "{shown}");
    }
}
