//! The keys of an account: BIP 86, `m/86'/coin'/0'`, one output key per address.

use std::fmt;

use bdk_wallet::{KeychainKind, template::Bip86Public};
use bitcoin::{
    Network,
    bip32::{ChildNumber, Fingerprint, Xpriv, Xpub},
    key::{Keypair, Secp256k1, TapTweak, TweakedKeypair},
    secp256k1::All,
};

use crate::seed::Seed;

/// The purpose field of BIP 86.
const PURPOSE: u32 = 86;

/// The branch of keys that lock the commitments to names of runes. BIP 44 names 0 and 1 only; no address is made of this one.
const COMMITMENTS: u32 = 2;

/// The private key of the account. The wallet's descriptors hold public keys only.
pub(crate) struct Keys {
    account: Xpriv,
    fingerprint: Fingerprint,
}

impl Keys {
    pub(crate) fn new(seed: &Seed, network: Network, secp: &Secp256k1<All>) -> Self {
        let mut master = seed.master(network);
        // SLIP 44: coin type 0 is bitcoin, 1 every test network.
        let coin = if network == Network::Bitcoin { 0 } else { 1 };
        let path = [PURPOSE, coin, 0].map(|index| ChildNumber::from_hardened_idx(index).expect("far below 2^31"));
        let account = master.derive_priv(secp, &path).expect("a hash that is no valid key has never been found");
        let fingerprint = master.fingerprint(secp);
        master.private_key.non_secure_erase();
        Self { account, fingerprint }
    }

    /// The public descriptor of one keychain: `tr([fingerprint/86'/coin'/0']xpub/keychain/*)`.
    pub(crate) fn descriptor(&self, keychain: KeychainKind, secp: &Secp256k1<All>) -> Bip86Public<Xpub> {
        Bip86Public(Xpub::from_priv(secp, &self.account), self.fingerprint, keychain)
    }

    /// The key pair of a commitment, not tweaked.
    pub(crate) fn commitment_key(&self, number: u32, secp: &Secp256k1<All>) -> Keypair {
        let mut child = self.child(COMMITMENTS, number, secp);
        let pair = Keypair::from_secret_key(secp, &child.private_key);
        child.private_key.non_secure_erase();
        pair
    }

    /// The key pair that an output of ours is locked to, tweaked as BIP 86 says (no script tree).
    pub(crate) fn output_key(&self, keychain: KeychainKind, index: u32, secp: &Secp256k1<All>) -> TweakedKeypair {
        let branch = match keychain {
            KeychainKind::External => 0,
            KeychainKind::Internal => 1,
        };
        let mut child = self.child(branch, index, secp);
        let mut pair = Keypair::from_secret_key(secp, &child.private_key);
        let tweaked = pair.tap_tweak(secp, None);
        child.private_key.non_secure_erase();
        pair.non_secure_erase();
        tweaked
    }

    fn child(&self, branch: u32, index: u32, secp: &Secp256k1<All>) -> Xpriv {
        let path =
            [branch, index].map(|index| ChildNumber::from_normal_idx(index).expect("numbers of keys are bounded"));
        self.account.derive_priv(secp, &path).expect("a hash that is no valid key has never been found")
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.account.private_key.non_secure_erase();
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.fingerprint)
    }
}
