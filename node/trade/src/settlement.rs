//! What came of trades, judged from outside: who holds less than the swaps that settled explain.
//!
//! Whoever tests traders (a scenario, a test on a real chain) says three things and is told the rest:
//!
//! | what | where it comes from |
//! |---|---|
//! | an [`Account`] for each trader | the chain: what its scripts held before, and hold now |
//! | a [`Claim`] of each trader about each of its swaps | its own reports |
//! | a [`Settlement`] for each transaction that a claim names and a block has | the chain |
//!
//! What a trader paid and got outside of swaps (payments, mints, the fees of reclaims) only the test knows, and says in the account. A
//! crash loses no claim, since swaps are durable. The maker of a presigned order has none: its taker's is enough.
//!
//! ```
//! # use std::collections::BTreeMap;
//! # use bitcoin::Amount;
//! # use darkswap_trade::order::TraderKey;
//! # use darkswap_trade::settlement::{judge, Account, Wealth};
//! # let (alice, chain) = (TraderKey([1; 32]), BTreeMap::new());
//! let before = Wealth::of(Amount::from_sat(50_000));
//! let account = Account { after: before.clone(), before, ..Account::default() };
//! let verdict = judge(&BTreeMap::from([(alice, account)]), &[], &chain)?;
//! assert!(verdict.is_exact(), "{verdict}");
//! # Ok::<(), darkswap_trade::settlement::Overflow>(())
//! ```
//!
//! The rule: a swap whose transaction is in a block moved exactly the agreed units one way and the agreed payment the other, and its
//! taker paid the fee, which is within what was agreed. Any other swap moved nothing. What a trader then has less than it should is
//! [`lost`](Verdict::lost), whatever the reason. What it has more is [`gained`](Verdict::gained): somebody lost it, or the test forgot to
//! say that it came.

#[cfg(test)]
mod tests;
mod total;

use std::collections::BTreeMap;
use std::fmt;

use bitcoin::{Amount, FeeRate, Txid, Weight};
use thiserror::Error;

use self::total::Total;
use crate::asset::Asset;
use crate::coin::Holdings;
use crate::order::{Side, TraderKey};
use crate::swap::{Phase, Role, SwapId};

/// What somebody holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wealth {
    /// All bitcoin, also that on outputs that carry assets.
    pub bitcoin: Amount,
    /// Units of assets.
    pub assets: Holdings,
}

/// What a trader had, has, and did outside of swaps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// What it held at the beginning.
    pub before: Wealth,
    /// What it got since then outside of swaps.
    pub received: Wealth,
    /// What it gave away on purpose outside of swaps, with the fees of these transactions.
    pub spent: Wealth,
    /// What it holds at the end.
    pub after: Wealth,
}

/// What one trader says about one of its swaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who says it.
    pub trader: TraderKey,
    /// With whom it swaps.
    pub peer: TraderKey,
    /// Which swap of the two.
    pub swap: SwapId,
    /// What the trader is in it.
    pub role: Role,
    /// The side of the order: what its maker does with the asset.
    pub side: Side,
    /// What is traded.
    pub asset: Asset,
    /// Its units.
    pub units: u128,
    /// The bitcoin for them.
    pub payment: Amount,
    /// Where the swap is.
    pub phase: Phase,
    /// Its transaction, where the trader knows it.
    pub txid: Option<Txid>,
}

/// What the chain says about the transaction of a swap that is in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// What it paid to the miner.
    pub fee: Amount,
    /// What it may pay by what was agreed: see [`highest_fee`].
    pub highest: Amount,
}

/// What came of it all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What traders have less than they should. Nobody is named who lost nothing.
    pub lost: BTreeMap<TraderKey, Wealth>,
    /// What traders have more than they should.
    pub gained: BTreeMap<TraderKey, Wealth>,
    /// What is wrong about swaps.
    pub faults: Vec<Fault>,
    /// Swaps whose transaction is in a block.
    pub settled: usize,
    /// Swaps that moved nothing and are over for everybody who speaks of them.
    pub aborted: usize,
    /// Swaps that are not over for somebody.
    pub open: Vec<Key>,
}

/// A swap as everybody names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Who made the order.
    pub maker: TraderKey,
    /// Who took it.
    pub taker: TraderKey,
    /// Which one of the two.
    pub swap: SwapId,
}

/// Something about a swap that must not be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// Its sides disagree about what was swapped.
    #[error("{swap}: maker and taker do not tell the same terms")]
    Contradiction {
        /// Which.
        swap: Key,
    },
    /// A trader takes it for settled, and no block has its transaction.
    #[error("{swap}: {trader} says that it has settled, and no block has its transaction")]
    Unsettled {
        /// Which.
        swap: Key,
        /// Who says so.
        trader: TraderKey,
    },
    /// A trader takes it for aborted, and a block has its transaction.
    #[error("{swap}: {trader} says that it was aborted, and its transaction {txid} is in a block")]
    Denied {
        /// Which.
        swap: Key,
        /// Who says so.
        trader: TraderKey,
        /// The transaction.
        txid: Txid,
    },
    /// Its transaction pays more to the miner than was agreed.
    #[error("{swap}: the fee is {fee}, expected at most {highest}")]
    Fee {
        /// Which.
        swap: Key,
        /// What was paid.
        fee: Amount,
        /// What was agreed.
        highest: Amount,
    },
}

/// Amounts do not fit: what was told cannot be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("found amounts of {trader} whose sum is more than there can be; expected what a chain can hold")]
pub struct Overflow {
    /// Whose.
    pub trader: TraderKey,
}

/// Judges traders by the swaps that they tell of and by what the chain has.
///
/// Peers that have no account are not judged.
///
/// # Errors
///
/// When amounts cannot be added.
pub fn judge(
    accounts: &BTreeMap<TraderKey, Account>,
    claims: &[Claim],
    chain: &BTreeMap<Txid, Settlement>,
) -> Result<Verdict, Overflow> {
    let mut verdict = Verdict::default();
    let mut expected = BTreeMap::new();
    for (trader, account) in accounts {
        let mut books = Books::default();
        let mut open = || {
            books.due.add(&account.before)?;
            books.due.add(&account.received)?;
            books.gone.add(&account.spent)
        };
        open().ok_or(Overflow { trader: *trader })?;
        expected.insert(*trader, books);
    }
    let mut swaps: BTreeMap<Key, Vec<&Claim>> = BTreeMap::new();
    for claim in claims {
        swaps.entry(claim.key()).or_default().push(claim);
    }
    for (key, claims) in swaps {
        if let Some(settlement) = verdict.see(key, &claims, chain) {
            exchange(&mut expected, key, claims[0], settlement.fee)?;
        }
    }
    for ((trader, mut books), account) in expected.into_iter().zip(accounts.values()) {
        let (lost, gained) = books.compare(&account.after).ok_or(Overflow { trader })?;
        let entries = [(&mut verdict.lost, lost), (&mut verdict.gained, gained)];
        for (to, wealth) in entries.into_iter().filter(|(_, wealth)| *wealth != Wealth::default()) {
            to.insert(trader, wealth);
        }
    }
    Ok(verdict)
}

/// The most that a swap's transaction may pay: its weight at the agreed rate, and change that is too small to be made.
///
/// None where that is more than there can be.
#[must_use]
pub fn highest_fee(weight: Weight, fee_rate: FeeRate) -> Option<Amount> {
    fee_rate.fee_wu(weight)?.checked_add(LARGEST_DUST)
}

/// Change below this is left to the miner: the largest of the limits that `Core` has for the scripts of wallets (P2PKH).
const LARGEST_DUST: Amount = Amount::from_sat(546);

/// What one trader should have: what is due to it, less what is gone.
#[derive(Default)]
struct Books {
    due: Total,
    gone: Total,
}

impl Books {
    /// What is missing and what is too much.
    fn compare(&mut self, found: &Wealth) -> Option<(Wealth, Wealth)> {
        self.gone.add(found)?;
        Some((self.due.beyond(&self.gone)?, self.gone.beyond(&self.due)?))
    }
}

/// Moves what a settled swap moves.
fn exchange(expected: &mut BTreeMap<TraderKey, Books>, key: Key, claim: &Claim, fee: Amount) -> Result<(), Overflow> {
    let (seller, buyer) = match claim.side {
        Side::Sell => (key.maker, key.taker),
        Side::Buy => (key.taker, key.maker),
    };
    let asset = Wealth { bitcoin: Amount::ZERO, assets: [(claim.asset, claim.units)].into() };
    let (payment, fee) = (Wealth::of(claim.payment), Wealth::of(fee));
    for (trader, due, gone) in [(seller, &payment, &asset), (buyer, &asset, &payment)] {
        let Some(books) = expected.get_mut(&trader) else { continue };
        books.due.add(due).and_then(|()| books.gone.add(gone)).ok_or(Overflow { trader })?;
        if trader == key.taker {
            books.gone.add(&fee).ok_or(Overflow { trader })?;
        }
    }
    Ok(())
}

impl Wealth {
    /// Bitcoin alone.
    #[must_use]
    pub fn of(bitcoin: Amount) -> Self {
        Self { bitcoin, assets: Holdings::new() }
    }
}

impl Claim {
    fn key(&self) -> Key {
        let (maker, taker) = match self.role {
            Role::Maker => (self.trader, self.peer),
            Role::Taker => (self.peer, self.trader),
        };
        Key { maker, taker, swap: self.swap }
    }

    fn terms(&self) -> (Side, Asset, u128, Amount) {
        (self.side, self.asset, self.units, self.payment)
    }

    fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Done | Phase::Aborted)
    }
}

impl Verdict {
    /// Whether nobody lost or gained anything, nothing is wrong and every swap is over.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.is_lossless() && self.gained.is_empty() && self.faults.is_empty() && self.open.is_empty()
    }

    /// Whether nobody lost anything.
    #[must_use]
    pub fn is_lossless(&self) -> bool {
        self.lost.is_empty()
    }

    /// Takes note of one swap, and says what the chain has of it.
    fn see(&mut self, key: Key, claims: &[&Claim], chain: &BTreeMap<Txid, Settlement>) -> Option<Settlement> {
        let differ = |pair: &[&Claim]| {
            let txids = pair[0].txid.zip(pair[1].txid);
            pair[0].terms() != pair[1].terms() || txids.is_some_and(|(one, other)| one != other)
        };
        if claims.windows(2).any(differ) {
            self.faults.push(Fault::Contradiction { swap: key });
        }
        if !claims.iter().all(|claim| claim.is_over()) {
            self.open.push(key);
        }
        let found = claims.iter().filter_map(|claim| claim.txid).find_map(|txid| Some((txid, *chain.get(&txid)?)));
        let Some((txid, settlement)) = found else {
            let wrong = claims.iter().filter(|claim| claim.phase == Phase::Done);
            self.faults.extend(wrong.map(|claim| Fault::Unsettled { swap: key, trader: claim.trader }));
            self.aborted += usize::from(claims.iter().all(|claim| claim.phase == Phase::Aborted));
            return None;
        };
        self.settled += 1;
        let wrong = claims.iter().filter(|claim| claim.phase == Phase::Aborted);
        self.faults.extend(wrong.map(|claim| Fault::Denied { swap: key, trader: claim.trader, txid }));
        let Settlement { fee, highest } = settlement;
        if fee > highest {
            self.faults.push(Fault::Fee { swap: key, fee, highest });
        }
        Some(settlement)
    }
}

impl fmt::Display for Wealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.bitcoin)?;
        self.assets.iter().try_for_each(|(asset, units)| write!(f, " and {units} of {asset}"))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "swap {} of maker {} and taker {}", self.swap, self.maker, self.taker)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} settled, {} aborted, {} open", self.settled, self.aborted, self.open.len())?;
        self.open.iter().try_for_each(|key| write!(f, "\nopen: {key}"))?;
        self.faults.iter().try_for_each(|fault| write!(f, "\nwrong: {fault}"))?;
        self.lost.iter().try_for_each(|(trader, wealth)| write!(f, "\n{trader} lost {wealth}"))?;
        self.gained.iter().try_for_each(|(trader, wealth)| write!(f, "\n{trader} gained {wealth}"))
    }
}
