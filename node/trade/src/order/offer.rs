//! What may be taken of an offer.

use thiserror::Error;

use super::Offer;

/// Why so many units may not be taken of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FillRefusal {
    /// Less than the smallest fill.
    #[error("found a fill of {found} units, expected at least {minimum}; take more or another order")]
    BelowMinimum {
        /// What was asked for.
        found: u128,
        /// The smallest fill.
        minimum: u128,
    },
    /// More than there is.
    #[error("found a fill of {found} units, expected at most {available}; take less")]
    BeyondOffer {
        /// What was asked for.
        found: u128,
        /// What there is.
        available: u128,
    },
    /// What would be left is too little for anybody to take.
    #[error("found a fill that leaves {remainder} units, expected none or at least {minimum}; take all or leave more")]
    Remainder {
        /// What would be left.
        remainder: u128,
        /// The smallest fill.
        minimum: u128,
    },
}

impl Offer {
    /// Checks a fill against what is `available` of this offer: all of its units, or what earlier fills left.
    ///
    /// # Errors
    /// [`FillRefusal`] for a fill below the minimum, beyond what is available, or one with a remainder that nobody could take.
    pub fn check_fill(&self, units: u128, available: u128) -> Result<(), FillRefusal> {
        let Some(remainder) = available.checked_sub(units) else {
            return Err(FillRefusal::BeyondOffer { found: units, available });
        };
        if units < self.minimum || units == 0 {
            return Err(FillRefusal::BelowMinimum { found: units, minimum: self.minimum });
        }
        if remainder > 0 && remainder < self.minimum {
            return Err(FillRefusal::Remainder { remainder, minimum: self.minimum });
        }
        Ok(())
    }

    /// The largest permitted fill of the whole offer that is not more than `wanted`; none where there is no such fill.
    #[must_use]
    pub fn largest_fill(&self, wanted: u128) -> Option<u128> {
        let units = if wanted >= self.units {
            self.units
        } else {
            // Taken only in part, at least the minimum has to stay.
            wanted.min(self.units.checked_sub(self.minimum)?)
        };
        self.check_fill(units, self.units).is_ok().then_some(units)
    }
}
