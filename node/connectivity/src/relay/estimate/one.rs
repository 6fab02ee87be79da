//! The estimate of one relay.

use std::time::Duration;

use super::{CONTRADICTION, LONGEST_DOUBT, LOSS_OF_OVERLOAD, REPORT_LIFE, SHORTEST_DOUBT, UNKNOWN_LOAD};
use crate::Time;
use crate::rtt::Rtt;

/// Probes lost in a row after which the relay counts as gone, and what was measured as worth nothing.
const ABSENT: u32 = 2;
/// The weight of a new outcome in the loss.
const LOSS_WEIGHT: f64 = 1.0 / 16.0;
/// Reservation attempts that are remembered, so that a relay can recover from its past.
const ATTEMPTS: u32 = 16;
/// How long the lowest round-trip time is looked for, so that a change of route is not taken for load for ever.
const FLOOR_WINDOW: Duration = Duration::from_secs(600);
/// A round-trip time that varies by this says nothing about load.
const SLACK: Duration = Duration::from_millis(20);
/// What an uncontradicted report restores of a relay's credibility.
const CREDIT: f64 = 1.0 / 16.0;
/// Reports that come faster restore nothing: credibility takes time, not many messages.
const CREDIT_INTERVAL: Duration = Duration::from_secs(10);

/// What is known of one relay.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    rtt: Option<Rtt>,
    floor: Floor,
    loss: f64,
    /// Probes lost in a row.
    missed: u32,
    granted: u32,
    refused: u32,
    report: Option<Report>,
    credibility: f64,
    credited: Time,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Report {
    load: f64,
    at: Time,
}

/// The lowest sample of this window and the one before.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Floor {
    since: Time,
    now: Option<Duration>,
    before: Option<Duration>,
}

impl Floor {
    fn record(&mut self, now: Time, sample: Duration) {
        if now.saturating_sub(self.since) >= FLOOR_WINDOW {
            *self = Self { since: now, now: None, before: self.now };
        }
        self.now = Some(self.now.map_or(sample, |lowest| lowest.min(sample)));
    }

    fn lowest(&self) -> Option<Duration> {
        [self.now, self.before].into_iter().flatten().min()
    }
}

impl Default for Estimate {
    fn default() -> Self {
        Self {
            rtt: None,
            floor: Floor::default(),
            loss: 0.0,
            missed: 0,
            granted: 0,
            refused: 0,
            report: None,
            credibility: 1.0,
            credited: Time::ZERO,
        }
    }
}

impl Estimate {
    /// A probe was answered.
    pub fn answered(&mut self, now: Time, rtt: Duration) {
        match &mut self.rtt {
            Some(estimate) => estimate.record(rtt),
            None => self.rtt = Some(Rtt::first(rtt)),
        }
        self.floor.record(now, rtt.min(crate::rtt::LONGEST));
        self.missed = 0;
        self.loss -= self.loss * LOSS_WEIGHT;
    }

    /// A probe was lost.
    pub fn unanswered(&mut self) {
        self.loss += (1.0 - self.loss) * LOSS_WEIGHT;
        self.miss(1);
    }

    /// It answered nothing any more while it was in use.
    pub fn silent(&mut self) {
        self.miss(ABSENT);
    }

    /// A dead relay keeps no round-trip time by which it would look near.
    fn miss(&mut self, probes: u32) {
        self.missed = self.missed.saturating_add(probes);
        if self.is_absent() {
            self.rtt = None;
        }
    }

    fn is_absent(&self) -> bool {
        self.missed >= ABSENT
    }

    /// Whether the last probe was answered, or none was sent yet.
    #[must_use]
    pub fn answers(&self) -> bool {
        self.missed == 0
    }

    /// A reservation was granted.
    pub fn granted(&mut self) {
        self.granted += 1;
        self.forget_attempts();
    }

    /// A reservation was refused.
    pub fn refused(&mut self) {
        self.refused += 1;
        self.forget_attempts();
    }

    fn forget_attempts(&mut self) {
        if self.granted + self.refused >= ATTEMPTS {
            self.granted /= 2;
            self.refused /= 2;
        }
    }

    /// The relay told its load.
    pub fn reported(&mut self, now: Time, load: f64) {
        // A NaN is a claim of nothing, which is the least credible one.
        let load = if load.is_nan() { 0.0 } else { load.clamp(0.0, 1.0) };
        if self.pressure() > load + CONTRADICTION {
            self.credibility /= 2.0;
            self.credited = now;
        } else if now.saturating_sub(self.credited) >= CREDIT_INTERVAL {
            self.credibility = (self.credibility + CREDIT).min(1.0);
            self.credited = now;
        }
        self.report = Some(Report { load, at: now });
    }

    /// The smoothed round-trip time, once a probe was answered, and until too many in a row are lost.
    #[must_use]
    pub fn rtt(&self) -> Option<Rtt> {
        self.rtt
    }

    /// After which time an answer is late.
    #[must_use]
    pub fn doubt(&self) -> Duration {
        let expected = self.rtt.map_or(LONGEST_DOUBT, |rtt| rtt.smoothed() + rtt.variation() * 4);
        expected.clamp(SHORTEST_DOUBT, LONGEST_DOUBT)
    }

    /// The share of probes that are lost.
    #[must_use]
    pub fn loss(&self) -> f64 {
        self.loss
    }

    /// How likely a reservation is granted.
    #[must_use]
    pub fn success(&self) -> f64 {
        (f64::from(self.granted) + 1.0) / (f64::from(self.granted + self.refused) + 2.0)
    }

    /// How much the relay's reports are believed.
    #[must_use]
    pub fn credibility(&self) -> f64 {
        self.credibility
    }

    /// The load that we measure, whatever the relay says.
    #[must_use]
    pub fn pressure(&self) -> f64 {
        if self.is_absent() {
            return 1.0;
        }
        let refusals = f64::from(self.refused) / (f64::from(self.granted + self.refused) + 2.0);
        self.inflation().max(self.loss / LOSS_OF_OVERLOAD).max(refusals).min(1.0)
    }

    /// How far the round-trip time is above its lowest: 0.0 at it, 1.0 at twice of it and of the slack.
    fn inflation(&self) -> f64 {
        let (Some(rtt), Some(floor)) = (self.rtt, self.floor.lowest()) else { return 0.0 };
        rtt.smoothed().saturating_sub(floor).as_secs_f64() / (floor + SLACK).as_secs_f64()
    }

    /// The load that is assumed now.
    #[must_use]
    pub fn load(&self, now: Time) -> f64 {
        let stated = self.report.map_or(UNKNOWN_LOAD, |report| {
            let age = now.saturating_sub(report.at).as_secs_f64() / REPORT_LIFE.as_secs_f64();
            let weight = self.credibility * (1.0 - age.min(1.0));
            weight * report.load + (1.0 - weight) * UNKNOWN_LOAD
        });
        stated.max(self.pressure())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn at(seconds: u64) -> Time {
        Time::from_secs(seconds)
    }

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_relay_that_is_gone_keeps_no_round_trip_time() {
        let mut estimate = Estimate::default();
        estimate.answered(at(0), ms(20));
        estimate.unanswered();
        assert!(!estimate.answers() && estimate.rtt().is_some(), "one lost probe says little");
        estimate.unanswered();
        assert_eq!(estimate.rtt(), None);
        estimate.answered(at(9), ms(30));
        assert!(estimate.answers() && estimate.rtt() == Some(Rtt::first(ms(30))));
    }

    #[test]
    fn a_report_fades_into_the_unknown() {
        let mut estimate = Estimate::default();
        assert_eq!(estimate.load(at(0)), UNKNOWN_LOAD);
        estimate.reported(at(0), 0.0);
        assert_eq!(estimate.load(at(0)), 0.0);
        assert_eq!(estimate.load(REPORT_LIFE / 2), UNKNOWN_LOAD / 2.0);
        assert_eq!(estimate.load(REPORT_LIFE * 2), UNKNOWN_LOAD);
    }

    #[test]
    fn a_relay_that_lies_about_its_load_is_not_believed() {
        let mut estimate = Estimate::default();
        estimate.answered(at(0), ms(50));
        for second in 1..60 {
            estimate.answered(at(second), ms(400));
            estimate.reported(at(second), 0.0);
        }
        assert!(estimate.credibility() < 0.01, "{}", estimate.credibility());
        assert!(estimate.load(at(60)) >= UNKNOWN_LOAD);
    }

    #[test]
    fn an_honest_report_of_a_stalling_relay_is_believed() {
        let mut estimate = Estimate::default();
        estimate.answered(at(0), ms(50));
        for second in 1..60 {
            estimate.answered(at(second), ms(400));
            estimate.reported(at(second), 0.9);
        }
        assert_eq!(estimate.credibility(), 1.0);
    }

    #[test]
    fn many_reports_at_once_restore_no_credibility() {
        let mut estimate = Estimate { credibility: 0.0, ..Estimate::default() };
        for _ in 0..1_000 {
            estimate.reported(at(100), 0.0);
        }
        assert_eq!(estimate.credibility(), CREDIT);
    }

    #[test]
    fn a_new_route_is_not_taken_for_load_for_ever() {
        let mut estimate = Estimate::default();
        for step in 0..300 {
            estimate.answered(at(step * 5), if step < 10 { ms(20) } else { ms(200) });
        }
        assert!(estimate.pressure() < 0.01, "{}", estimate.pressure());
    }

    #[test]
    fn success_starts_in_the_middle_and_follows_the_outcomes() {
        let mut estimate = Estimate::default();
        assert_eq!(estimate.success(), 0.5);
        for _ in 0..100 {
            estimate.granted();
        }
        assert!(estimate.success() > 0.9);
        for _ in 0..32 {
            estimate.refused();
        }
        assert!(estimate.success() < 0.1);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Answered(u64),
        Unanswered,
        Granted,
        Refused,
        Reported(f64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            any::<u64>().prop_map(Step::Answered),
            (0_u64..2_000).prop_map(Step::Answered),
            Just(Step::Unanswered),
            Just(Step::Granted),
            Just(Step::Refused),
            any::<f64>().prop_map(Step::Reported),
            (0.0..1.0).prop_map(Step::Reported),
        ];
        prop::collection::vec(step, 0..64)
    }

    fn run(steps: &[Step]) -> Estimate {
        let mut estimate = Estimate::default();
        for (second, step) in (0..).zip(steps) {
            match step {
                Step::Answered(millis) => estimate.answered(at(second), ms(*millis)),
                Step::Unanswered => estimate.unanswered(),
                Step::Granted => estimate.granted(),
                Step::Refused => estimate.refused(),
                Step::Reported(load) => estimate.reported(at(second), *load),
            }
        }
        estimate
    }

    proptest! {
        #![proptest_config(crate::cases())]

        #[test]
        fn every_estimate_is_a_fraction_whatever_happens(steps in steps(), now in 0_u64..1_000) {
            let estimate = run(&steps);
            for value in [estimate.loss(), estimate.success(), estimate.pressure(), estimate.load(at(now)), estimate.credibility()] {
                prop_assert!((0.0..=1.0).contains(&value), "{}", value);
            }
            prop_assert!(estimate.load(at(now)) >= estimate.pressure());
        }

        #[test]
        fn a_higher_report_never_means_less_load_unless_the_lower_one_is_a_lie(steps in steps(), low in 0.0..1.0, more in 0.0..1.0) {
            let estimate = run(&steps);
            let now = at(64);
            let load = |reported: f64| {
                let mut estimate = estimate.clone();
                estimate.reported(now, reported);
                (estimate.credibility(), estimate.load(now))
            };
            let ((credit, lower), (same, higher)) = (load(low), load(f64::min(low + more, 1.0)));
            prop_assert!(credit < same || lower <= higher);
        }

        #[test]
        fn another_lost_probe_never_lowers_loss_or_load(steps in steps()) {
            let mut estimate = run(&steps);
            let before = (estimate.loss(), estimate.load(at(64)));
            estimate.unanswered();
            prop_assert!(estimate.loss() >= before.0 && estimate.load(at(64)) >= before.1);
        }
    }
}
