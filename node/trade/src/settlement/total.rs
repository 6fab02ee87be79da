//! Sums of what traders hold.

use std::collections::BTreeMap;

use bitcoin::Amount;

use super::Wealth;
use crate::asset::Asset;

/// A sum by asset; bitcoin is the one without a name. Many amounts may be in it, so it is wider than any of them.
#[derive(Default)]
pub(super) struct Total(BTreeMap<Option<Asset>, u128>);

impl Total {
    /// None when it is too much.
    pub(super) fn add(&mut self, wealth: &Wealth) -> Option<()> {
        let bitcoin = (None, u128::from(wealth.bitcoin.to_sat()));
        let assets = wealth.assets.iter().map(|(asset, units)| (Some(*asset), *units));
        for (asset, units) in assets.chain([bitcoin]) {
            let sum = self.0.entry(asset).or_default();
            *sum = sum.checked_add(units)?;
        }
        Some(())
    }

    /// What it has more than another one. None when it is too much.
    pub(super) fn beyond(&self, other: &Self) -> Option<Wealth> {
        let mut wealth = Wealth::default();
        for (asset, units) in &self.0 {
            let more = units.saturating_sub(other.0.get(asset).copied().unwrap_or_default());
            match asset {
                None => wealth.bitcoin = Amount::from_sat(u64::try_from(more).ok()?),
                Some(_) if more == 0 => {}
                Some(asset) => {
                    wealth.assets.insert(*asset, more);
                }
            }
        }
        Some(wealth)
    }
}
