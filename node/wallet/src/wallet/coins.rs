//! The coins of the wallet: what is on them, what they are worth, who has them.

use std::collections::{BTreeMap, BTreeSet};

use bdk_wallet::{
    KeychainKind,
    chain::{CanonicalizationParams, ChainPosition, ConfirmationBlockTime, FullTxOut},
};
use bitcoin::{Amount, BlockHash, FeeRate, OutPoint, Txid};
use darkswap_trade::{Time, asset::Asset, coin::Holdings};
use thiserror::Error;

use super::{Wallet, chain::total};
use crate::{
    coin::{CoinState, OwnCoin, Standing, Told},
    reservation::{Holder, Reservation, ReservationError},
    selection::{self, MAX_INPUTS, Selection, SelectionError},
};

/// How many waiting ancestors are followed to see whether all of them are ours: as many as a mempool accepts.
const MAX_ANCESTORS: usize = 25;

/// The most assets on one coin that are remembered: an output can be made to carry very many by somebody else.
pub const MAX_ASSETS_OF_COIN: usize = 1024;

/// The bitcoin of this wallet. Each coin counts once, in the first part that fits, from below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// In blocks, known to carry nothing else: can be spent.
    pub confirmed: Amount,
    /// In blocks, nobody said yet whether assets are on it.
    pub unknown: Amount,
    /// Waiting, or mined and not mature.
    pub pending: Amount,
    /// On coins that carry assets.
    pub locked: Amount,
    /// On coins that somebody has reserved.
    pub reserved: Amount,
}

/// The units of one asset in this wallet. Each coin counts once, as in [`Balance`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AssetBalance {
    /// In blocks, can be spent.
    pub confirmed: u128,
    /// Waiting.
    pub pending: u128,
    /// Reserved.
    pub reserved: u128,
}

/// Why what was said of a coin was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HoldingsError {
    /// It is not an output of this wallet that the chain has.
    #[error("{0} is no output of this wallet; synchronise first")]
    NotOurs(OutPoint),
    /// An entry with no units.
    #[error("found zero units of {0}; leave out what is not there")]
    Zero(Asset),
    /// Too many assets on one coin.
    #[error("found {0} assets on one output; at most {MAX_ASSETS_OF_COIN} are remembered, the output stays locked")]
    TooMany(usize),
}

/// An own output with who spends it.
pub(crate) struct Owned {
    pub(crate) coin: OwnCoin,
    pub(crate) spent_by: Option<Spender>,
    block: Option<BlockHash>,
}

/// A transaction that spends an own output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spender {
    pub(crate) txid: Txid,
    pub(crate) confirmed: bool,
}

impl Wallet {
    /// All unspent coins, the oldest first.
    #[must_use]
    pub fn coins(&self) -> Vec<OwnCoin> {
        self.owned().into_iter().filter(|owned| owned.spent_by.is_none()).map(|owned| owned.coin).collect()
    }

    /// The unspent coins of which nobody said what is on them, the oldest first.
    #[must_use]
    pub fn unknown(&self) -> Vec<OutPoint> {
        let unknown = self.coins().into_iter().filter(|coin| coin.state == CoinState::Unknown);
        unknown.map(|coin| coin.outpoint).collect()
    }

    /// Takes what an index of assets says is on a coin; empty holdings make it clean.
    ///
    /// It holds for the block that has the coin now. When a reorganisation moves the coin, or a block takes up a waiting one, the
    /// coin is unknown again.
    pub fn set_holdings(&mut self, outpoint: OutPoint, holdings: Holdings) -> Result<(), HoldingsError> {
        if let Some((asset, _)) = holdings.iter().find(|(_, units)| **units == 0) {
            return Err(HoldingsError::Zero(*asset));
        }
        if holdings.len() > MAX_ASSETS_OF_COIN {
            return Err(HoldingsError::TooMany(holdings.len()));
        }
        let owned = self.owned().into_iter().find(|owned| owned.coin.outpoint == outpoint);
        let block = owned.ok_or(HoldingsError::NotOurs(outpoint))?.block;
        let told = Told { holdings, block };
        if self.told.get(&outpoint) != Some(&told) {
            self.told.insert(outpoint, told);
            self.told_changed.insert(outpoint);
        }
        Ok(())
    }

    /// The bitcoin of this wallet.
    #[must_use]
    pub fn balance(&self) -> Balance {
        let coins = self.coins();
        let part = |wanted: Part| total(coins.iter().filter(|coin| part(coin) == wanted).map(|coin| coin.output.value));
        Balance {
            confirmed: part(Part::Confirmed),
            unknown: part(Part::Unknown),
            pending: part(Part::Pending),
            locked: part(Part::Locked),
            reserved: part(Part::Reserved),
        }
    }

    /// The assets of this wallet, as far as it was told. Sums stop at the most that can be said.
    #[must_use]
    pub fn assets(&self) -> BTreeMap<Asset, AssetBalance> {
        let mut balances: BTreeMap<Asset, AssetBalance> = BTreeMap::new();
        for coin in self.coins() {
            let CoinState::Carries(holdings) = &coin.state else { continue };
            for (asset, units) in holdings {
                let balance = balances.entry(*asset).or_default();
                let sum = match (coin.reserved_by, coin.standing) {
                    (Some(_), _) => &mut balance.reserved,
                    (None, Standing::Confirmed(_)) => &mut balance.confirmed,
                    (None, Standing::Own | Standing::Foreign) => &mut balance.pending,
                };
                *sum = sum.saturating_add(*units);
            }
        }
        balances
    }

    /// Coins that pay `amount` and the fee of spending themselves.
    pub fn select_bitcoin(&self, amount: Amount, fee_rate: FeeRate) -> Result<Selection, SelectionError> {
        let coins = self.coins();
        let paying: Vec<_> = coins.iter().filter(|coin| coin.pays()).collect();
        selection::bitcoin(&paying, amount, fee_rate, MAX_INPUTS).map(|chosen| selection_of(&chosen))
    }

    /// Coins that carry at least `units` of an asset.
    pub fn select_asset(&self, asset: Asset, units: u128) -> Result<Selection, SelectionError> {
        let coins = self.coins();
        let moving: Vec<_> = coins.iter().filter(|coin| coin.moves()).collect();
        selection::asset(&moving, asset, units).map(|chosen| selection_of(&chosen))
    }

    /// Reserves coins for a holder, all or nothing, in addition to what it has; all of it until `until`.
    pub fn reserve(
        &mut self,
        holder: Holder,
        outpoints: &BTreeSet<OutPoint>,
        until: Time,
    ) -> Result<(), ReservationError> {
        let unspent: BTreeSet<_> = self.coins().into_iter().map(|coin| coin.outpoint).collect();
        if let Some(outpoint) = outpoints.difference(&unspent).next() {
            return Err(ReservationError::NotOurs { outpoint: *outpoint });
        }
        self.reservations.reserve(holder, outpoints, until)
    }

    /// Gives back everything that a holder has; returns it.
    pub fn release(&mut self, holder: Holder) -> BTreeSet<OutPoint> {
        self.reservations.release(holder)
    }

    /// Ends every reservation whose time has come; returns their holders. Until this is called, they hold.
    pub fn expire(&mut self, now: Time) -> Vec<Holder> {
        self.reservations.expire(now)
    }

    /// When to call [`expire`](Self::expire).
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.reservations.deadline()
    }

    /// All reservations.
    #[must_use]
    pub fn reservations(&self) -> &BTreeMap<Holder, Reservation> {
        self.reservations.all()
    }

    /// All own outputs that the chain or the mempool has, spent or not, the oldest first.
    pub(crate) fn owned(&self) -> Vec<Owned> {
        let graph = self.inner.tx_graph();
        let index = self.inner.spk_index();
        let chain = self.inner.local_chain();
        let tip = chain.tip().block_id();
        let outpoints = index.outpoints().iter().copied();
        let mut found: Vec<_> =
            graph.filter_chain_txouts(chain, tip, CanonicalizationParams::default(), outpoints).collect();
        found.sort_by(|(_, a), (_, b)| {
            a.chain_position.cmp(&b.chain_position).then_with(|| a.outpoint.cmp(&b.outpoint))
        });
        found
            .into_iter()
            .map(|((keychain, index), output)| self.owned_of(keychain, index, output, tip.height))
            .collect()
    }

    fn owned_of(
        &self,
        keychain: KeychainKind,
        index: u32,
        output: FullTxOut<ConfirmationBlockTime>,
        tip: u32,
    ) -> Owned {
        let (block, standing) = match &output.chain_position {
            ChainPosition::Confirmed { anchor, .. } if output.is_mature(tip) => {
                (Some(anchor.block_id.hash), Standing::Confirmed(anchor.block_id.height))
            }
            ChainPosition::Confirmed { anchor, .. } => (Some(anchor.block_id.hash), Standing::Foreign),
            ChainPosition::Unconfirmed { .. } if self.comes_from_us(output.outpoint.txid) => (None, Standing::Own),
            ChainPosition::Unconfirmed { .. } => (None, Standing::Foreign),
        };
        let state = self.told.get(&output.outpoint).map_or(CoinState::Unknown, |told| told.state(block));
        let spent_by = output.spent_by.map(|(position, txid)| Spender { txid, confirmed: position.is_confirmed() });
        let coin = OwnCoin {
            outpoint: output.outpoint,
            output: output.txout,
            standing,
            state,
            reserved_by: self.reservations.holder_of(&output.outpoint),
            keychain,
            index,
        };
        Owned { coin, spent_by, block }
    }

    /// Whether a waiting transaction and all its waiting ancestors spend own outputs only.
    fn comes_from_us(&self, txid: Txid) -> bool {
        let (graph, index) = (self.inner.tx_graph(), self.inner.spk_index());
        let mut seen = BTreeSet::new();
        let mut queue = vec![txid];
        while let Some(txid) = queue.pop() {
            if !seen.insert(txid) {
                continue;
            }
            let Some(node) = graph.get_tx_node(txid).filter(|_| seen.len() <= MAX_ANCESTORS) else { return false };
            // An anchor says little: its block may be out of the chain by now.
            let confirmed = |txid: Txid| {
                graph.get_tx_node(txid).is_some_and(|parent| {
                    parent.anchors.iter().any(|anchor| {
                        let chain = self.inner.local_chain();
                        chain.get(anchor.block_id.height).is_some_and(|block| block.hash() == anchor.block_id.hash)
                    })
                })
            };
            for input in &node.tx.input {
                let parent = input.previous_output;
                if index.txout(parent).is_none() {
                    return false;
                }
                if !confirmed(parent.txid) {
                    queue.push(parent.txid);
                }
            }
        }
        true
    }

    /// Forgets what was said of coins that are gone: spent by a block, or not there any more.
    pub(super) fn forget_gone(&mut self) {
        let there: BTreeSet<_> = self
            .owned()
            .into_iter()
            .filter(|owned| owned.spent_by.is_none_or(|spender| !spender.confirmed))
            .map(|owned| owned.coin.outpoint)
            .collect();
        let gone: Vec<_> = self.told.keys().filter(|outpoint| !there.contains(outpoint)).copied().collect();
        for outpoint in gone {
            self.told.remove(&outpoint);
            self.told_changed.insert(outpoint);
        }
    }
}

/// The part of the balance that a coin counts in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Confirmed,
    Unknown,
    Pending,
    Locked,
    Reserved,
}

fn part(coin: &OwnCoin) -> Part {
    match (&coin.reserved_by, &coin.state, coin.standing) {
        (Some(_), _, _) => Part::Reserved,
        (None, CoinState::Carries(_), _) => Part::Locked,
        (None, _, Standing::Own | Standing::Foreign) => Part::Pending,
        (None, CoinState::Unknown, Standing::Confirmed(_)) => Part::Unknown,
        (None, CoinState::Clean, Standing::Confirmed(_)) => Part::Confirmed,
    }
}

fn selection_of(chosen: &[&OwnCoin]) -> Selection {
    Selection {
        outpoints: chosen.iter().map(|coin| coin.outpoint).collect(),
        value: total(chosen.iter().map(|coin| coin.output.value)),
    }
}
