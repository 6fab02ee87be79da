//! Prices: exact comparison and payments.

use std::cmp::Ordering;

use bitcoin::Amount;

use super::Price;

impl Price {
    /// What `units` cost, rounded up to whole satoshis; none where that is more than there can be, or where the price is not one.
    #[must_use]
    pub fn payment(&self, units: u128) -> Option<Amount> {
        if self.units == 0 {
            return None;
        }
        let sats = match units.checked_mul(u128::from(self.sats)) {
            Some(exact) => u64::try_from(exact.div_ceil(self.units)).ok()?,
            None => self.large_payment(units)?,
        };
        let amount = Amount::from_sat(sats);
        (amount <= Amount::MAX_MONEY).then_some(amount)
    }

    /// Compares the values of two fractions exactly: 1/2 is 2/4.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Ordering {
        wide_product(other.units, self.sats).cmp(&wide_product(self.units, other.sats))
    }

    /// The payment where units times satoshis has more than 128 bits: the least amount that covers the product, by bisection.
    fn large_payment(&self, units: u128) -> Option<u64> {
        let exact = wide_product(units, self.sats);
        let covers = |sats: u64| wide_product(self.units, sats) >= exact;
        let (mut low, mut high) = (0, Amount::MAX_MONEY.to_sat());
        if !covers(high) {
            return None;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if covers(middle) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Some(high)
    }
}

/// The 192 bits of a product, highest first: 128 and 64.
fn wide_product(a: u128, b: u64) -> (u128, u64) {
    let b = u128::from(b);
    let low = (a & u128::from(u64::MAX)) * b;
    // At most (2^64 - 1)^2 + 2^64 - 1, which is less than 2^128.
    let high = (a >> 64) * b + (low >> 64);
    #[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
    let low = low as u64;
    (high, low)
}
