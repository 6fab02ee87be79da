//! The parts that Noise is made of here: ring's cipher and hash, curve25519-dalek's exchange, and random bytes from the caller.

use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, DefaultResolver, RingResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use zeroize::Zeroizing;

use super::Entropy;

/// The longest message of Noise.
pub(crate) const RECORD: usize = 65_535;
/// Bytes of an authentication tag.
pub(crate) const TAG: usize = 16;
/// Bytes of a Diffie-Hellman key.
pub(crate) const KEY: usize = 32;

/// Resolves Noise's parts; its random bytes are these and no others.
pub(crate) struct Resolver {
    entropy: Entropy,
}

impl Resolver {
    pub(crate) fn new(entropy: Entropy) -> Box<Self> {
        Box::new(Self { entropy })
    }
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Once { entropy: Some(self.entropy.clone()) }))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        RingResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        RingResolver.resolve_cipher(choice)
    }
}

/// Gives its bytes once: a second key of the same bytes would be the same key.
struct Once {
    entropy: Option<Entropy>,
}

impl Random for Once {
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), snow::Error> {
        let entropy = self.entropy.take().ok_or(snow::Error::Rng)?;
        if bytes.len() != entropy.len() {
            return Err(snow::Error::Rng);
        }
        bytes.copy_from_slice(&entropy[..]);
        Ok(())
    }
}

/// The public key of an X25519 secret key (RFC 7748).
pub(crate) fn public(secret: &Zeroizing<[u8; KEY]>) -> [u8; KEY] {
    let mut key = DefaultResolver.resolve_dh(&DHChoice::Curve25519).expect("snow is built with curve25519");
    key.set(&secret[..]);
    key.pubkey().try_into().expect("a key has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_bytes_are_given_once() {
        let mut random = Resolver::new(Entropy::new([7; 32])).resolve_rng().unwrap();
        let mut bytes = [0; 32];
        random.try_fill_bytes(&mut bytes).unwrap();
        assert_eq!(bytes, [7; 32]);
        assert!(random.try_fill_bytes(&mut bytes).is_err());
    }
}
