//! Whose a static key is.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use super::noise::{self, KEY};
use crate::identity::{Domain, Identity, PARTY, Party, SIGNATURE};

/// Bytes of a certificate: party, static key, signature.
pub const CERTIFICATE: usize = PARTY + KEY + SIGNATURE;

/// What identities sign of static keys. Another one than libp2p-noise's, so that neither takes a key of the other.
const DOMAIN: Domain = Domain("darkswap static key 1");

/// An X25519 key for sealing. Its memory is wiped when it is dropped.
pub struct StaticKey {
    secret: Zeroizing<[u8; KEY]>,
    public: [u8; KEY],
}

impl fmt::Debug for StaticKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticKey").finish_non_exhaustive()
    }
}

impl StaticKey {
    /// The key of these secret bytes: random ones, new with each run of a node.
    #[must_use]
    pub fn new(secret: Zeroizing<[u8; KEY]>) -> Self {
        let public = noise::public(&secret);
        Self { secret, public }
    }

    pub(crate) fn secret(&self) -> &[u8] {
        &self.secret[..]
    }
}

/// The statement of a party that a static key is its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    party: Party,
    key: [u8; KEY],
    signature: [u8; SIGNATURE],
}

/// Why bytes are not the certificate of a static key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CertificateError {
    /// Too many or too few bytes.
    #[error("found a certificate of {found} bytes, expected {CERTIFICATE}")]
    Length {
        /// What was found.
        found: usize,
    },
    /// The party did not sign it.
    #[error("found a certificate that {party} did not sign")]
    Unsigned {
        /// Whose it says it is.
        party: Party,
    },
}

impl Certificate {
    /// The certificate of a static key.
    #[must_use]
    pub fn new(identity: &Identity, key: &StaticKey) -> Self {
        let signature = identity.sign(DOMAIN, &[&key.public]);
        Self { party: identity.party(), key: key.public, signature }
    }

    /// Whose the key is.
    #[must_use]
    pub fn party(&self) -> Party {
        self.party
    }

    /// The static key.
    #[must_use]
    pub fn key(&self) -> &[u8; KEY] {
        &self.key
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; CERTIFICATE] {
        let mut bytes = [0; CERTIFICATE];
        bytes[..PARTY].copy_from_slice(&self.party.0);
        bytes[PARTY..PARTY + KEY].copy_from_slice(&self.key);
        bytes[PARTY + KEY..].copy_from_slice(&self.signature);
        bytes
    }

    /// Reads a certificate and checks its signature.
    ///
    /// # Errors
    /// [`CertificateError`]; of what is wrong nothing is told but its party.
    pub fn decode(bytes: &[u8]) -> Result<Self, CertificateError> {
        let length = CertificateError::Length { found: bytes.len() };
        let (party, rest) = bytes.split_first_chunk().ok_or(length)?;
        let (key, rest) = rest.split_first_chunk().ok_or(length)?;
        let signature = rest.try_into().map_err(|_| length)?;
        let certificate = Self { party: Party(*party), key: *key, signature };
        if !certificate.party.has_signed(DOMAIN, &[key], &signature) {
            return Err(CertificateError::Unsigned { party: certificate.party });
        }
        Ok(certificate)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::identity::identity;

    fn certificate() -> Certificate {
        Certificate::new(&identity(1), &StaticKey::new(Zeroizing::new([9; 32])))
    }

    #[test]
    fn a_certificate_round_trips_and_no_change_of_it_holds() {
        let bytes = certificate().encode();
        assert_eq!(Certificate::decode(&bytes), Ok(certificate()));
        for at in 0..CERTIFICATE {
            let mut changed = bytes;
            changed[at] ^= 1;
            assert!(matches!(Certificate::decode(&changed), Err(CertificateError::Unsigned { .. })), "byte {at}");
        }
    }

    #[test]
    fn the_public_key_is_that_of_rfc_7748() {
        // Section 5.2: one iteration from the base point, with the scalar of the same bytes.
        let mut secret = [0; KEY];
        secret[0] = 9;
        let public: String =
            StaticKey::new(Zeroizing::new(secret)).public.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(public, "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
    }

    proptest! {
        #![proptest_config(crate::cases())]

        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Certificate::decode(&bytes).is_err());
        }
    }
}
