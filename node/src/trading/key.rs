//! A trader's key and its peer id: the same Ed25519 key, which such a peer id carries (libp2p specification, peer ids).

use darkswap_trade::order::TraderKey;
use libp2p::PeerId;
use libp2p::identity::{PublicKey, ed25519};
use thiserror::Error;

/// The multihash code of a peer id that carries its key.
const IDENTITY: u64 = 0;

/// A key or a peer id is not that of a trader.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotEd25519 {
    /// The peer id does not carry an Ed25519 key.
    #[error("found peer {0}, whose id carries no Ed25519 key; only peers with such an identity trade")]
    Peer(PeerId),
    /// The bytes are no public key.
    #[error("found trader {0}, which is no Ed25519 public key")]
    Key(TraderKey),
}

/// The trader behind a peer id.
pub(crate) fn trader(peer: &PeerId) -> Result<TraderKey, NotEd25519> {
    let hash = peer.as_ref();
    let key = (hash.code() == IDENTITY).then(|| PublicKey::try_decode_protobuf(hash.digest()).ok()).flatten();
    // Another encoding of the same key would be another peer id of the same trader.
    let key = key.filter(|key| key.to_peer_id() == *peer).and_then(|key| key.try_into_ed25519().ok());
    key.map(|key| TraderKey(key.to_bytes())).ok_or(NotEd25519::Peer(*peer))
}

/// The peer id of a trader.
pub(crate) fn peer(trader: &TraderKey) -> Result<PeerId, NotEd25519> {
    let key = ed25519::PublicKey::try_from_bytes(&trader.0).map_err(|_| NotEd25519::Key(*trader))?;
    Ok(PublicKey::from(key).to_peer_id())
}

#[cfg(test)]
mod tests {
    use libp2p::identity::Keypair;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_and_a_peer_id_lead_to_each_other() {
        for _ in 0..8 {
            let identity = Keypair::generate_ed25519();
            let id = identity.public().to_peer_id();
            let key = trader(&id).unwrap();
            assert_eq!(key.0, identity.public().try_into_ed25519().unwrap().to_bytes());
            assert_eq!(peer(&key), Ok(id));
        }
    }

    #[test]
    fn a_peer_id_that_is_only_a_hash_is_refused_by_its_name() {
        let id: PeerId = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N".parse().unwrap();
        assert!(trader(&id).unwrap_err().to_string().contains(&id.to_string()));
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn whatever_the_bytes_a_key_is_a_peer_or_refused(bytes: [u8; 32]) {
            if let Ok(id) = peer(&TraderKey(bytes)) {
                prop_assert_eq!(trader(&id), Ok(TraderKey(bytes)));
            }
        }
    }
}
