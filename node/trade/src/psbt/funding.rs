//! What the two sides bring: the coins behind the inputs of the terms, as the chain shows them.

use std::collections::BTreeSet;

use bitcoin::{Amount, FeeRate, OutPoint};

use super::presigned::Ask;
use super::spend::{self, Spend};
use super::{BuildError, MAX_FEE_RATE, MAX_STAKE_INPUTS, MIN_FEE_RATE, Party, Stake, Style, Terms};
use crate::asset::Asset;
use crate::coin::{Coin, Coins, Holdings};

/// An input with the coin that it spends.
pub(super) struct Source<'a> {
    pub(super) coin: &'a Coin,
    pub(super) spend: Spend,
    pub(super) party: Party,
}

/// Both sides' inputs, the seller's first.
pub(super) struct Funding<'a> {
    pub(super) sources: Vec<Source<'a>>,
    pub(super) seller_total: Amount,
    pub(super) buyer_total: Amount,
    /// What the seller keeps: everything on its inputs but the units that it sells.
    pub(super) remainder: Holdings,
    /// Whether any input holds an alkane.
    pub(super) alkanes: bool,
}

impl<'a> Funding<'a> {
    /// Looks up what the terms name and refuses what cannot be traded.
    pub(super) fn new(terms: &Terms, style: Style, coins: &'a impl Coins) -> Result<Self, BuildError> {
        figures(terms.units, terms.payment)?;
        rate(terms.fee_rate)?;
        scripts(Party::Seller, &terms.seller)?;
        scripts(Party::Buyer, &terms.buyer)?;
        let mut seen = BTreeSet::new();
        let mut funding = Self::of_seller(terms.asset, terms.units, &terms.seller, coins, &mut seen)?;
        if style == Style::Presigned {
            funding.whole()?;
        }
        let buyer = side(Party::Buyer, &terms.buyer, coins, &mut seen)?;
        if let Some((source, asset)) = buyer.iter().find_map(|s| Some((s, *s.coin.holdings.keys().next()?))) {
            return Err(BuildError::BuyerHolds { outpoint: source.coin.outpoint, asset });
        }
        funding.buyer_total = total(&buyer)?;
        funding.sources.extend(buyer);
        Ok(funding)
    }

    /// The seller's part alone, for an ask.
    pub(super) fn of_ask(ask: &Ask, coins: &'a impl Coins) -> Result<Self, BuildError> {
        figures(ask.units, ask.payment)?;
        let stake = ask.stake();
        scripts(Party::Seller, &stake)?;
        let funding = Self::of_seller(ask.asset, ask.units, &stake, coins, &mut BTreeSet::new())?;
        funding.whole()?;
        Ok(funding)
    }

    fn of_seller(
        asset: Asset,
        units: u128,
        stake: &Stake,
        coins: &'a impl Coins,
        seen: &mut BTreeSet<OutPoint>,
    ) -> Result<Self, BuildError> {
        let sources = side(Party::Seller, stake, coins, seen)?;
        let held = held(&sources)?;
        Ok(Self {
            seller_total: total(&sources)?,
            buyer_total: Amount::ZERO,
            remainder: remainder(asset, units, &held)?,
            alkanes: held.keys().any(|asset| matches!(asset, Asset::Alkane(_))),
            sources,
        })
    }

    /// An ask sells one output with everything on it, since the buyer says where it goes.
    fn whole(&self) -> Result<(), BuildError> {
        if self.sources.len() == 1 && self.remainder.is_empty() {
            return Ok(());
        }
        Err(BuildError::NotWhole { inputs: self.sources.len(), remainder: self.remainder.clone() })
    }

    /// What each input holds.
    pub(super) fn holdings(&self) -> Vec<Holdings> {
        self.sources.iter().map(|source| source.coin.holdings.clone()).collect()
    }

    /// Everything on the inputs.
    pub(super) fn total(&self) -> Result<Amount, BuildError> {
        add(self.seller_total, self.buyer_total)
    }
}

fn figures(units: u128, payment: Amount) -> Result<(), BuildError> {
    if units == 0 {
        return Err(BuildError::NoUnits);
    }
    if payment == Amount::ZERO || payment > Amount::MAX_MONEY {
        return Err(BuildError::Payment { found: payment });
    }
    Ok(())
}

fn rate(found: FeeRate) -> Result<(), BuildError> {
    if found < MIN_FEE_RATE || found > MAX_FEE_RATE {
        return Err(BuildError::FeeRate { found });
    }
    Ok(())
}

fn scripts(party: Party, stake: &Stake) -> Result<(), BuildError> {
    match [&stake.receive, &stake.change].into_iter().find(|script| !spend::is_payable(script)) {
        Some(script) => Err(BuildError::Script { party, script: script.clone() }),
        None => Ok(()),
    }
}

/// The coins of one side.
fn side<'a>(
    party: Party,
    stake: &Stake,
    coins: &'a impl Coins,
    seen: &mut BTreeSet<OutPoint>,
) -> Result<Vec<Source<'a>>, BuildError> {
    if stake.inputs.is_empty() || stake.inputs.len() > MAX_STAKE_INPUTS {
        return Err(BuildError::InputCount { party, found: stake.inputs.len() });
    }
    let mut sources = Vec::with_capacity(stake.inputs.len());
    for &outpoint in &stake.inputs {
        if !seen.insert(outpoint) {
            return Err(BuildError::Twice { outpoint });
        }
        sources.push(source(party, outpoint, coins)?);
    }
    Ok(sources)
}

/// The coin of one input.
fn source(party: Party, outpoint: OutPoint, coins: &impl Coins) -> Result<Source<'_>, BuildError> {
    let coin =
        coins.coin(&outpoint).filter(|c| c.outpoint == outpoint).ok_or(BuildError::Missing { party, outpoint })?;
    if party == Party::Seller && coin.height.is_none() {
        return Err(BuildError::Unconfirmed { outpoint });
    }
    let spend = Spend::of(&coin.output.script_pubkey).ok_or(BuildError::Unspendable { outpoint })?;
    Ok(Source { coin, spend, party })
}

/// Everything that these inputs hold.
fn held(sources: &[Source<'_>]) -> Result<Holdings, BuildError> {
    let mut held = Holdings::new();
    for (asset, units) in sources.iter().flat_map(|source| &source.coin.holdings) {
        let balance = held.entry(*asset).or_default();
        *balance = balance.checked_add(*units).ok_or(BuildError::Overflow)?;
    }
    held.retain(|_, units| *units > 0);
    Ok(held)
}

/// What is left of it without the units that are sold.
fn remainder(asset: Asset, units: u128, held: &Holdings) -> Result<Holdings, BuildError> {
    let found = held.get(&asset).copied().unwrap_or_default();
    let rest = found.checked_sub(units).ok_or(BuildError::NotEnoughUnits { found, expected: units })?;
    let mut remainder = held.clone();
    if rest == 0 {
        remainder.remove(&asset);
    } else {
        remainder.insert(asset, rest);
    }
    Ok(remainder)
}

fn total(sources: &[Source<'_>]) -> Result<Amount, BuildError> {
    sources.iter().try_fold(Amount::ZERO, |sum, source| add(sum, source.coin.output.value))
}

/// A sum that is an amount of bitcoin.
pub(super) fn add(left: Amount, right: Amount) -> Result<Amount, BuildError> {
    left.checked_add(right).filter(|sum| *sum <= Amount::MAX_MONEY).ok_or(BuildError::Overflow)
}
