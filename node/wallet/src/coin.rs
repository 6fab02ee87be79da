//! An own output and what may be done with it.

use bdk_wallet::KeychainKind;
use bitcoin::{BlockHash, OutPoint, TxOut};
use darkswap_trade::{
    asset::Asset,
    coin::{Coin, Holdings},
};
use serde::{Deserialize, Serialize};

use crate::{pairs, reservation::Holder};

/// What is known of the assets on a coin.
///
/// | state | pays bitcoin and fees | moves assets |
/// |---|---|---|
/// | unknown | no | no |
/// | clean | yes | no |
/// | carries | no | yes |
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CoinState {
    /// Nobody said yet. Spending it could burn what is on it.
    Unknown,
    /// It carries bitcoin only.
    Clean,
    /// It carries these assets.
    Carries(Holdings),
}

/// How far a coin can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// In a block, at this height, and spendable.
    Confirmed(u32),
    /// Waiting, from a transaction whose inputs are all ours: nobody else can take it back.
    Own,
    /// Waiting, from somebody else, who can still spend it elsewhere; or mined and not mature.
    Foreign,
}

/// An unspent output of this wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnCoin {
    /// Where it is.
    pub outpoint: OutPoint,
    /// Its value and script.
    pub output: TxOut,
    /// How far it can be relied on.
    pub standing: Standing,
    /// The assets on it.
    pub state: CoinState,
    /// Who has it reserved.
    pub reserved_by: Option<Holder>,
    /// The keychain of its key.
    pub keychain: KeychainKind,
    /// The number of its key on the keychain.
    pub index: u32,
}

impl OwnCoin {
    /// Whether it may pay bitcoin and fees.
    #[must_use]
    pub fn pays(&self) -> bool {
        self.state == CoinState::Clean && self.reserved_by.is_none() && self.standing != Standing::Foreign
    }

    /// Whether its assets may be moved.
    #[must_use]
    pub fn moves(&self) -> bool {
        matches!(self.state, CoinState::Carries(_)) && self.reserved_by.is_none() && self.standing != Standing::Foreign
    }

    /// The units of an asset on it.
    #[must_use]
    pub fn units(&self, asset: &Asset) -> Option<u128> {
        match &self.state {
            CoinState::Carries(holdings) => holdings.get(asset).copied(),
            CoinState::Unknown | CoinState::Clean => None,
        }
    }

    /// Whether an asset is the only one on it.
    #[must_use]
    pub fn carries_only(&self, asset: &Asset) -> bool {
        matches!(&self.state, CoinState::Carries(holdings) if holdings.keys().all(|other| other == asset))
    }

    /// Whether an alkane is on it, which a transaction without a protostone burns.
    #[must_use]
    pub fn carries_alkanes(&self) -> bool {
        matches!(&self.state, CoinState::Carries(holdings) if holdings.keys().any(|a| matches!(a, Asset::Alkane(_))))
    }

    /// The coin as the checks of a trade see it; none while its assets are unknown.
    #[must_use]
    pub fn checked(&self) -> Option<Coin> {
        let holdings = match &self.state {
            CoinState::Unknown => return None,
            CoinState::Clean => Holdings::new(),
            CoinState::Carries(holdings) => holdings.clone(),
        };
        let height = match self.standing {
            Standing::Confirmed(height) => Some(height),
            Standing::Own | Standing::Foreign => None,
        };
        Some(Coin { outpoint: self.outpoint, output: self.output.clone(), height, holdings })
    }
}

/// What the caller said of a coin, and when it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    #[serde(with = "pairs")]
    pub(crate) holdings: Holdings,
    /// The block that had the coin then; none for the mempool. In another block the order of transactions is another, and with it
    /// perhaps what a mint gave.
    pub(crate) block: Option<BlockHash>,
}

impl Told {
    pub(crate) fn state(&self, block: Option<BlockHash>) -> CoinState {
        if self.block != block {
            CoinState::Unknown
        } else if self.holdings.is_empty() {
            CoinState::Clean
        } else {
            CoinState::Carries(self.holdings.clone())
        }
    }
}
