//! Which relay is best: pure functions over estimates, the relay in use, parameters and random bits.
//!
//! | name | chooses | keeps the relay in use |
//! |---|---|---|
//! | `lowest_latency` | the lowest round-trip time | never on purpose: the baseline that flaps |
//! | `power_of_two_choices` | of two drawn at random the one with less load | as one of the two that are compared |
//! | `random_of_best_n` | at random among the `best_n` lowest round-trip times | while it is among those |
//! | `latency_x_load` | the lowest [`cost`] | never on purpose |
//! | `sticky` | the lowest [`cost`] | unless another gains both `absolute_margin` and `relative_margin` |
//! | `geographic_hint` | the lowest mix of measured round-trip time and region's hint | never on purpose |
//!
//! **A new policy is one file and one line**: a file in `policy/` with a unit struct that implements [`Policy`], and its line in
//! [`POLICIES`]. The properties at the end of this file hold for whatever is registered.

mod geographic_hint;
mod latency_x_load;
mod lowest_latency;
mod parameters;
mod power_of_two_choices;
mod random_of_best_n;
mod sticky;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use geographic_hint::GeographicHint;
pub use latency_x_load::LatencyTimesLoad;
pub use lowest_latency::LowestLatency;
pub use parameters::{PARAMETERS, Parameter, ParameterError, Parameters};
pub use power_of_two_choices::PowerOfTwoChoices;
pub use random_of_best_n::RandomOfBestN;
pub use sticky::Sticky;
use thiserror::Error;

/// Every policy, in the order in which they are listed to people.
pub const POLICIES: &[&dyn Policy] =
    &[&LowestLatency, &PowerOfTwoChoices, &RandomOfBestN, &LatencyTimesLoad, &Sticky, &GeographicHint];

/// What a policy knows of one relay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// The smoothed round-trip time, if it was ever measured.
    pub rtt: Option<Duration>,
    /// The share of lost probes, `0.0..=1.0`.
    pub loss: f64,
    /// The assumed load, `0.0..=1.0`.
    pub load: f64,
    /// How likely a reservation is granted, `0.0..=1.0`.
    pub success: f64,
    /// The round-trip time that its region suggests, if it is known.
    pub hint: Option<Duration>,
}

/// What a policy decides by.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The relays that can be chosen.
    pub candidates: &'a [Candidate],
    /// The index of the one in use, if it can be chosen.
    pub current: Option<usize>,
    /// What an operator, or a sweep of the laboratory, set.
    pub parameters: &'a Parameters,
    /// Fresh random bits; the same view gives the same choice.
    pub bits: u64,
}

impl<'a> View<'a> {
    /// The one in use with its index.
    #[must_use]
    pub fn in_use(&self) -> Option<(usize, &'a Candidate)> {
        self.current.and_then(|index| Some((index, self.candidates.get(index)?)))
    }

    /// The index of the lowest by `key`; of equals the one in use, else the first.
    #[must_use]
    pub fn lowest(&self, key: impl Fn(&Candidate) -> Duration) -> Option<usize> {
        let is_other = |index: usize| self.current != Some(index);
        let keyed = self.candidates.iter().enumerate();
        keyed.min_by_key(|(index, candidate)| (key(candidate), is_other(*index), *index)).map(|(index, _)| index)
    }

    /// The round-trip time that is assumed: the measured one, else the parameter `unknown_rtt`.
    #[must_use]
    pub fn rtt(&self, candidate: &Candidate) -> Duration {
        candidate.rtt.unwrap_or(self.parameters.unknown_rtt)
    }

    /// What a round trip through the relay is expected to cost, see [`cost`].
    #[must_use]
    pub fn cost(&self, candidate: &Candidate) -> Duration {
        cost(candidate, self.parameters)
    }
}

/// One way to choose.
pub trait Policy: Sync + std::fmt::Debug {
    /// The name in configurations and reports: lower case with underscores.
    fn name(&self) -> &'static str;

    /// The index of the relay to use, `None` only of no candidates. It draws on nothing but the view.
    fn choose(&self, view: &View<'_>) -> Option<usize>;
}

/// What a round trip through a relay is expected to cost:
/// `rtt * (1 + load_weight * load) * (1 + loss_weight * loss) * (1 + refusal_weight * (1 - success))`.
///
/// It grows with each of them; a relay that was never measured counts with `unknown_rtt`.
#[must_use]
pub fn cost(candidate: &Candidate, parameters: &Parameters) -> Duration {
    let load = 1.0 + parameters.load_weight * candidate.load;
    let loss = 1.0 + parameters.loss_weight * candidate.loss;
    let refusal = 1.0 + parameters.refusal_weight * (1.0 - candidate.success);
    candidate.rtt.unwrap_or(parameters.unknown_rtt).mul_f64(load * loss * refusal)
}

/// There is no such policy.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("found the policy `{found}`, expected one of {}", names().join(", "))]
pub struct UnknownPolicy {
    /// What was asked for.
    pub found: String,
}

/// The policy with this name.
///
/// # Errors
/// [`UnknownPolicy`], whose text lists the known ones.
pub fn policy(name: &str) -> Result<&'static dyn Policy, UnknownPolicy> {
    let found = POLICIES.iter().find(|policy| policy.name() == name);
    found.copied().ok_or_else(|| UnknownPolicy { found: name.to_owned() })
}

/// The names of all policies.
#[must_use]
pub fn names() -> Vec<&'static str> {
    POLICIES.iter().map(|policy| policy.name()).collect()
}
