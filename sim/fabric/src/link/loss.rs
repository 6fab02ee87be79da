//! Loss in bursts.

use rand_chacha::rand_core::Rng;

use crate::probability::Probability;

/// The two-state loss model of Gilbert and Elliott: loss depends on a state that changes from packet to packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GilbertElliott {
    /// Chance per packet to go from the good to the bad state.
    pub good_to_bad: Probability,
    /// Chance per packet to go from the bad to the good state.
    pub bad_to_good: Probability,
    /// Loss in the good state.
    pub loss_in_good: Probability,
    /// Loss in the bad state.
    pub loss_in_bad: Probability,
}

impl GilbertElliott {
    /// The share of packets lost in the long run. A model that never changes state stays in the good one.
    pub fn long_run_loss(&self) -> f64 {
        let (to_bad, to_good) = (self.good_to_bad.share(), self.bad_to_good.share());
        if to_bad + to_good == 0.0 {
            return self.loss_in_good.share();
        }
        (to_good * self.loss_in_good.share() + to_bad * self.loss_in_bad.share()) / (to_bad + to_good)
    }
}

/// The state of the model on one link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum BurstState {
    #[default]
    Good,
    Bad,
}

impl BurstState {
    /// Changes the state and draws whether the packet is lost in the new one.
    pub(super) fn loses(&mut self, model: &GilbertElliott, rng: &mut impl Rng) -> bool {
        *self = match *self {
            Self::Good if model.good_to_bad.happens(rng) => Self::Bad,
            Self::Bad if model.bad_to_good.happens(rng) => Self::Good,
            unchanged => unchanged,
        };
        match *self {
            Self::Good => model.loss_in_good.happens(rng),
            Self::Bad => model.loss_in_bad.happens(rng),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn the_long_run_share_of_losses_is_that_of_the_model() {
        let share = |share| Probability::new(share).expect("a share");
        let model = GilbertElliott {
            good_to_bad: share(0.02),
            bad_to_good: share(0.2),
            loss_in_good: share(0.001),
            loss_in_bad: share(0.6),
        };
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut state = BurstState::default();
        let packets = 400_000;
        let lost = (0..packets).filter(|_| state.loses(&model, &mut rng)).count();
        let measured = lost as f64 / f64::from(packets);
        assert!((measured - model.long_run_loss()).abs() < 0.003, "{measured} against {}", model.long_run_loss());
    }

    #[test]
    fn losses_come_in_bursts() {
        let share = |share| Probability::new(share).expect("a share");
        let model = GilbertElliott {
            good_to_bad: share(0.01),
            bad_to_good: share(0.1),
            loss_in_good: Probability::NEVER,
            loss_in_bad: Probability::ALWAYS,
        };
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut state = BurstState::default();
        let losses: Vec<bool> = (0..100_000).map(|_| state.loses(&model, &mut rng)).collect();
        let lost = losses.iter().filter(|&&lost| lost).count();
        let after_loss = losses.windows(2).filter(|pair| pair[0] && pair[1]).count();
        assert!(after_loss as f64 / lost as f64 > 0.8, "a loss should mostly be followed by another");
    }
}
