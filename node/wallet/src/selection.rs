//! Which coins pay: as few as possible, and of those the oldest.
//!
//! Few, because each input costs a fee and is one more coin that a reorganisation can take back. Oldest, because an old coin is
//! the least likely to vanish. The answer depends on the coins and the goal alone, so that it is the same in every run.

use std::collections::BTreeSet;

use bitcoin::{Amount, FeeRate, OutPoint, Weight};
use darkswap_trade::asset::Asset;
use thiserror::Error;

use crate::coin::OwnCoin;

/// The most inputs of one transaction: small enough for every relay policy (100 taproot inputs are 5,750 of 100,000 vbytes).
pub const MAX_INPUTS: usize = 100;

/// The weight of spending a taproot output by its key: 41 bytes of input, one count, one length, 64 bytes of signature (BIP 341).
pub const INPUT_WEIGHT: Weight = Weight::from_wu(4 * 41 + 1 + 1 + 64);

/// Coins that reach a goal together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Where they are, the oldest first.
    pub outpoints: Vec<OutPoint>,
    /// The bitcoin on them.
    pub value: Amount,
}

/// Why no coins reach a goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SelectionError {
    /// The coins that may be spent as bitcoin do not suffice.
    #[error(
        "{needed} are needed, {available} can be spent as bitcoin at this fee rate; \
         coins that are reserved, carry assets or were not checked for assets do not count"
    )]
    NotEnough {
        /// The goal.
        needed: Amount,
        /// What all of them (at most [`MAX_INPUTS`]) give after the fee of spending them.
        available: Amount,
    },
    /// The coins that carry the asset do not suffice.
    #[error(
        "{needed} units of {asset} are needed, {available} can be spent; reserved and unconfirmed coins do not count"
    )]
    NotEnoughUnits {
        /// The asset.
        asset: Asset,
        /// The goal.
        needed: u128,
        /// What all of them (at most [`MAX_INPUTS`]) carry.
        available: u128,
    },
    /// The fee of an input is beyond all bitcoin.
    #[error("the fee rate {0} is beyond all reason; give one in satoshi per virtual byte")]
    FeeRate(FeeRate),
}

/// Coins whose values, each without the fee of spending it, reach `needed`. `coins` come oldest first.
pub(crate) fn bitcoin<'c>(
    coins: &[&'c OwnCoin],
    needed: Amount,
    fee_rate: FeeRate,
    most: usize,
) -> Result<Vec<&'c OwnCoin>, SelectionError> {
    let input_fee = fee_rate.fee_wu(INPUT_WEIGHT).ok_or(SelectionError::FeeRate(fee_rate))?;
    let worth: Vec<(&OwnCoin, u128)> = coins
        .iter()
        .filter_map(|coin| {
            let value = coin.output.value.checked_sub(input_fee)?;
            (value > Amount::ZERO).then(|| (*coin, u128::from(value.to_sat())))
        })
        .collect();
    fewest_then_oldest(&worth, u128::from(needed.to_sat()), most).map_err(|available| SelectionError::NotEnough {
        needed,
        available: Amount::from_sat(u64::try_from(available).unwrap_or(u64::MAX)),
    })
}

/// Coins that carry at least `needed` units together. `coins` come oldest first.
///
/// Coins that carry nothing else come first; only when they do not suffice may others help. An alkane never comes along with
/// runes: a transaction without a protostone would burn it.
pub(crate) fn asset<'c>(coins: &[&'c OwnCoin], asset: Asset, needed: u128) -> Result<Vec<&'c OwnCoin>, SelectionError> {
    let pure: Vec<_> = coins
        .iter()
        .filter_map(|coin| coin.units(&asset).filter(|_| coin.carries_only(&asset)).map(|units| (*coin, units)))
        .collect();
    if let Ok(chosen) = fewest_then_oldest(&pure, needed, MAX_INPUTS) {
        return Ok(chosen);
    }
    let mixed: Vec<_> = coins
        .iter()
        .filter(|coin| matches!(asset, Asset::Alkane(_)) || !coin.carries_alkanes())
        .filter_map(|coin| coin.units(&asset).map(|units| (*coin, units)))
        .collect();
    fewest_then_oldest(&mixed, needed, MAX_INPUTS).map_err(|available| SelectionError::NotEnoughUnits {
        asset,
        needed,
        available,
    })
}

/// The smallest number of items that reach `needed`, and of such sets the one whose items come first in `items`; else how much
/// the most valuable `most` items give.
///
/// Sums saturate: a sum beyond `u128` is more than any goal.
fn fewest_then_oldest<T: Copy>(items: &[(T, u128)], needed: u128, most: usize) -> Result<Vec<T>, u128> {
    // What is left, by value. The position keeps equal values apart.
    let mut left: BTreeSet<(u128, usize)> = items.iter().enumerate().map(|(at, (_, value))| (*value, at)).collect();
    let top = |left: &BTreeSet<(u128, usize)>, count: usize| {
        left.iter().rev().take(count).fold(0_u128, |sum, (value, _)| sum.saturating_add(*value))
    };
    let mut count = 0;
    let mut reach = 0_u128;
    for (value, _) in left.iter().rev().take(most) {
        if reach >= needed {
            break;
        }
        reach = reach.saturating_add(*value);
        count += 1;
    }
    if reach < needed {
        return Err(reach);
    }
    let mut chosen = Vec::with_capacity(count);
    let mut sum = 0_u128;
    for (at, (item, value)) in items.iter().enumerate() {
        if chosen.len() == count {
            break;
        }
        left.remove(&(*value, at));
        // Taking it must leave the goal within reach of the most valuable younger ones.
        let rest = top(&left, count - chosen.len() - 1);
        if sum.saturating_add(*value).saturating_add(rest) >= needed {
            chosen.push(*item);
            sum = sum.saturating_add(*value);
        }
    }
    assert!(sum >= needed, "the goal was within reach of the most valuable items");
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn positions(values: &[u128], needed: u128, most: usize) -> Result<Vec<usize>, u128> {
        let items: Vec<_> = values.iter().copied().enumerate().collect();
        fewest_then_oldest(&items, needed, most)
    }

    #[test]
    fn the_fewest_coins_pay_and_of_those_the_oldest() {
        assert_eq!(positions(&[1, 1, 1, 5, 7], 4, 9), Ok(vec![3]));
        assert_eq!(positions(&[2, 5, 2, 7, 3], 9, 9), Ok(vec![0, 3]));
        assert_eq!(positions(&[5, 5, 5], 10, 9), Ok(vec![0, 1]));
        assert_eq!(positions(&[5, 5, 5], 15, 2), Err(10));
        assert_eq!(positions(&[5], 0, 9), Ok(vec![]));
        assert_eq!(positions(&[u128::MAX, u128::MAX], u128::MAX, 9), Ok(vec![0]));
    }

    proptest! {
        #[test]
        fn no_smaller_and_no_older_set_reaches_the_goal(
            values in prop::collection::vec(0_u128..20, 0..10), needed in 0_u128..100
        ) {
            // Every subset, as positions in order.
            let mut best: Option<Vec<usize>> = None;
            for bits in 0_u32..(1 << values.len()) {
                let set: Vec<usize> = (0..values.len()).filter(|at| bits & (1 << at) != 0).collect();
                if set.iter().map(|at| values[*at]).sum::<u128>() >= needed {
                    let better = best.as_ref().is_none_or(|b| (set.len(), &set) < (b.len(), b));
                    if better {
                        best = Some(set);
                    }
                }
            }
            prop_assert_eq!(positions(&values, needed, 100).ok(), best);
        }
    }
}
