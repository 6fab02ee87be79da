//! Addresses, and the state that all parts of the wallet share.

mod chain;
mod coins;
mod store;

use std::collections::{BTreeMap, BTreeSet};

use bdk_wallet::KeychainKind;
use bitcoin::{Address, Network, OutPoint, Script, key::Secp256k1};
use thiserror::Error;

use crate::{coin::Told, keys::Keys, reservation::Reservations, seed::Seed};

pub(crate) use chain::total;
pub use chain::{MAX_TRANSACTIONS_OF_UPDATE, ScanRequest, SyncRequest, UpdateError, WalletTransaction};
pub use coins::{AssetBalance, Balance, HoldingsError, MAX_ASSETS_OF_COIN};
pub use store::{LoadError, MAX_APPENDED, Write};

/// The most unused addresses in a row at the end of a keychain. A wallet that is restored from its seed stops looking after this
/// many (the number that wallets agree on since BIP 44), so coins behind a longer gap would be lost to it.
pub const GAP_LIMIT: u32 = 20;

/// The most addresses of one keychain: years of trades, and a bound on what a lying server can make this wallet derive.
pub const MAX_ADDRESSES: u32 = 200_000;

/// A wallet of one BIP 86 account.
///
/// Every call that changes it leaves changes to be stored: see [`take_changes`](Self::take_changes).
#[derive(Debug)]
pub struct Wallet {
    /// Public descriptors, chain, transactions. Its outpoint locks and signers are not used.
    pub(crate) inner: bdk_wallet::Wallet,
    pub(crate) keys: Keys,
    /// What the caller said of coins. Only of coins that are there.
    pub(crate) told: BTreeMap<OutPoint, Told>,
    told_changed: BTreeSet<OutPoint>,
    pub(crate) reservations: Reservations,
    /// Changes given out since the last snapshot.
    appended: u32,
    /// Addresses given out again since the last new one, to take turns.
    repeated: u32,
}

/// A wallet cannot be made for a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("network {0} is not supported; expected bitcoin, testnet4, signet or regtest")]
pub struct NetworkError(pub Network);

impl Wallet {
    /// A new wallet, or one restored from its seed: the latter needs a [scan](Self::scan_request) to find its coins.
    pub fn create(seed: &Seed, network: Network) -> Result<Self, NetworkError> {
        match network {
            Network::Bitcoin | Network::Testnet4 | Network::Signet | Network::Regtest => {}
            other => return Err(NetworkError(other)),
        }
        let secp = Secp256k1::new();
        let keys = Keys::new(seed, network, &secp);
        let inner = bdk_wallet::Wallet::create(
            keys.descriptor(KeychainKind::External, &secp),
            keys.descriptor(KeychainKind::Internal, &secp),
        )
        .network(network)
        .lookahead(GAP_LIMIT)
        .create_wallet_no_persist()
        .expect("BIP 86 descriptors of a fresh key are valid");
        Ok(Self::over(inner, keys))
    }

    fn over(inner: bdk_wallet::Wallet, keys: Keys) -> Self {
        Self {
            inner,
            keys,
            told: BTreeMap::new(),
            told_changed: BTreeSet::new(),
            reservations: Reservations::default(),
            appended: 0,
            repeated: 0,
        }
    }

    /// The network of this wallet.
    #[must_use]
    pub fn network(&self) -> Network {
        self.inner.network()
    }

    /// The public descriptor of a keychain, for a wallet that only watches.
    #[must_use]
    pub fn descriptor(&self, keychain: KeychainKind) -> String {
        self.inner.public_descriptor(keychain).to_string()
    }

    /// An address that nothing has paid yet: the next new one, until [`GAP_LIMIT`] of them are unused; then those take turns.
    pub fn address(&mut self, keychain: KeychainKind) -> Address {
        let index = self.inner.spk_index();
        let revealed = index.last_revealed_index(keychain).map_or(0, |last| last.saturating_add(1));
        let used = index.last_used_index(keychain).map_or(0, |last| last.saturating_add(1));
        let unused = revealed.saturating_sub(used);
        if unused < GAP_LIMIT && revealed < MAX_ADDRESSES {
            self.repeated = 0;
            return self.inner.reveal_next_address(keychain).address;
        }
        // When even the last address is used, the last one is the best there is.
        let turn = self.repeated.checked_rem(unused).unwrap_or(0);
        self.repeated = self.repeated.wrapping_add(1);
        let number = used.saturating_add(turn).min(revealed.saturating_sub(1));
        self.inner.peek_address(keychain, number).address
    }

    /// Whether a script is one of this wallet's.
    #[must_use]
    pub fn is_mine(&self, script: &Script) -> bool {
        self.inner.is_mine(script.to_owned())
    }
}
