//! A probability as a threshold over 64 random bits.

use rand_chacha::rand_core::Rng;
use thiserror::Error;

/// The chance of an event, between 0 and 1 inclusive.
///
/// A probability of 0 draws nothing from the generator, so an unused impairment costs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Probability(u64);

/// A number that is not a probability.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error("{0} is not a probability: it must lie between 0 and 1")]
pub struct NotAProbability(pub f64);

impl Probability {
    /// The event that never happens.
    pub const NEVER: Self = Self(0);
    /// The event that always happens.
    pub const ALWAYS: Self = Self(u64::MAX);

    /// Makes a probability from a share between 0 and 1 (0.01 is one per cent).
    ///
    /// # Errors
    /// [`NotAProbability`] if `share` is not a number, negative or above 1.
    pub fn new(share: f64) -> Result<Self, NotAProbability> {
        if (0.0..=1.0).contains(&share) {
            // The cast saturates, so a share of 1 becomes `ALWAYS`.
            Ok(Self((share * 2f64.powi(64)) as u64))
        } else {
            Err(NotAProbability(share))
        }
    }

    /// The share between 0 and 1.
    pub fn share(self) -> f64 {
        self.0 as f64 / 2f64.powi(64)
    }

    /// Draws whether the event happens this time.
    pub(crate) fn happens(self, rng: &mut impl Rng) -> bool {
        match self {
            Self::NEVER => false,
            Self::ALWAYS => true,
            Self(threshold) => rng.next_u64() < threshold,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_outside_the_unit_interval_are_refused() {
        assert_eq!(Probability::new(1.5), Err(NotAProbability(1.5)));
        assert!(Probability::new(f64::NAN).is_err());
        assert!(Probability::new(-0.1).is_err());
        assert_eq!(Probability::new(0.0), Ok(Probability::NEVER));
        assert_eq!(Probability::new(1.0), Ok(Probability::ALWAYS));
    }
}
