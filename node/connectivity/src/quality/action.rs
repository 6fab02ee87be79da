//! What to do about a connection whose score stays low.

use std::time::Duration;

use super::{Factor, Score};
use crate::Time;
use crate::backoff::Backoff;

/// Below this a score is low.
pub const LOW: u8 = 40;
/// From this on it is high. Between the two nothing changes, so that noise around one threshold does nothing.
pub const HIGH: u8 = 60;
/// How long a score must be low before the first action, or high to be recovered: longer than a burst of loss.
pub const HOLD: Duration = Duration::from_secs(10);
/// How long an action may take to show, and the longest pause when none ever does.
pub const PAUSE: (Duration, Duration) = (Duration::from_secs(40), Duration::from_secs(600));
/// A score that old says nothing: probes stopped, and their time-out finds out why.
pub const STALE: Duration = Duration::from_secs(60);

/// How the connection reaches its peer now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Peer to peer.
    Direct,
    /// Through a relay.
    Relayed,
}

/// What can be done. A more drastic one compares greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Try to get a direct path beside the relayed one. Nothing is lost when it fails.
    Upgrade,
    /// Reach the peer through another relay.
    SwitchRelay,
    /// Close the connection and get another one.
    Reconnect,
}

impl Action {
    /// Its name in events and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Upgrade => "upgrade",
            Self::SwitchRelay => "switch_relay",
            Self::Reconnect => "reconnect",
        }
    }
}

/// Why something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    /// The score now.
    pub score: Score,
    /// How long it has been low.
    pub low_for: Duration,
    /// The number of actions since it was last high, this one included.
    pub attempt: u32,
}

impl Reason {
    /// What costs most points.
    #[must_use]
    pub fn weakest(&self) -> Factor {
        self.score.weakest
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// The connection was measured.
    Scored {
        /// Its score.
        score: Score,
        /// How it reaches its peer.
        way: Way,
    },
    /// Time passed; nothing else happened.
    Tick,
}

/// What to do, or what to report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Do this. Needs no answer: the next scores tell.
    Act {
        /// What.
        action: Action,
        /// Why.
        reason: Reason,
    },
    /// The score is high again, after it was low.
    Recovered {
        /// How long it was low.
        low_for: Duration,
        /// The number of actions that were taken.
        attempts: u32,
    },
}

/// Acts on the score of one connection to a peer, whichever that is at the time.
///
/// | state | leaves it by |
/// |---|---|
/// | fine | a score below [`LOW`]: low |
/// | low, for less than [`HOLD`] | the time: an action, then pausing; [`HIGH`] for [`HOLD`]: fine |
/// | pausing, for [`PAUSE`] with back-off | the time: the next action; [`HIGH`] for [`HOLD`]: fine, and `Recovered` |
///
/// Actions in turn: relayed, upgrade, switch the relay, reconnect; direct, reconnect. Then from the first again, with ever longer
/// pauses: a peer behind a bad line stays there whatever we do.
#[derive(Debug, Clone)]
pub struct Machine {
    last: Option<(Score, Way, Time)>,
    low_since: Option<Time>,
    high_since: Option<Time>,
    attempts: u32,
    rung: usize,
    next: Time,
    pause: Backoff,
    output: Option<Output>,
}

impl Machine {
    /// A connection of which nothing is known yet. `seed` feeds the jitter of pauses.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            last: None,
            low_since: None,
            high_since: None,
            attempts: 0,
            rung: 0,
            next: Time::ZERO,
            pause: Backoff::new(PAUSE.0, PAUSE.1, seed),
            output: None,
        }
    }

    /// Takes note of what happened. Drain [`poll`](Self::poll) afterwards.
    pub fn handle(&mut self, now: Time, input: Input) {
        match input {
            Input::Scored { score, way } => self.scored(now, score, way),
            Input::Tick => {}
        }
        self.advance(now);
    }

    /// What to do next; call until `None`.
    pub fn poll(&mut self) -> Option<Output> {
        self.output.take()
    }

    /// When to send [`Input::Tick`] if nothing else happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let (score, _, at) = self.last?;
        let recovery = self.high_since.map(|since| since + HOLD);
        let action = self.low_since.filter(|_| score.points < LOW).map(|since| (since + HOLD).max(self.next));
        recovery.or(action).filter(|due| *due <= at + STALE)
    }

    fn scored(&mut self, now: Time, score: Score, way: Way) {
        // What was tried on one way says nothing about the other.
        if self.last.is_some_and(|(_, before, _)| before != way) {
            self.rung = 0;
        }
        self.last = Some((score, way, now));
        if score.points < LOW {
            self.low_since.get_or_insert(now);
            self.high_since = None;
        } else if score.points < HIGH {
            self.high_since = None;
        } else if self.low_since.is_some() {
            self.high_since.get_or_insert(now);
        }
    }

    fn advance(&mut self, now: Time) {
        let (Some((score, way, at)), Some(low_since)) = (self.last, self.low_since) else { return };
        if now > at + STALE {
            self.last = None;
            return;
        }
        let low_for = now.saturating_sub(low_since);
        if let Some(high_since) = self.high_since {
            if now >= high_since + HOLD {
                self.recover(low_for);
            }
        } else if score.points < LOW && low_for >= HOLD && now >= self.next {
            self.attempts = self.attempts.saturating_add(1);
            let reason = Reason { score, low_for, attempt: self.attempts };
            self.output = Some(Output::Act { action: self.turn(way), reason });
            self.next = now + self.pause.next_delay();
        }
    }

    fn recover(&mut self, low_for: Duration) {
        if self.attempts > 0 {
            self.output = Some(Output::Recovered { low_for, attempts: self.attempts });
        }
        (self.low_since, self.high_since, self.attempts, self.rung) = (None, None, 0, 0);
        // A connection that is good now and then is acted on as rarely as one that never is: `next` stays.
        self.pause.reset();
    }

    fn turn(&mut self, way: Way) -> Action {
        let ladder: &[Action] = match way {
            Way::Relayed => &[Action::Upgrade, Action::SwitchRelay, Action::Reconnect],
            Way::Direct => &[Action::Reconnect],
        };
        let action = ladder[self.rung % ladder.len()];
        self.rung = (self.rung + 1) % ladder.len();
        action
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_secs(seconds)
    }

    fn scored(points: u8, way: Way) -> Input {
        Input::Scored { score: Score { points, weakest: Factor::Loss }, way }
    }

    fn step(machine: &mut Machine, now: Time, input: Input) -> Option<Output> {
        machine.handle(now, input);
        machine.poll()
    }

    /// The actions on a score for each second.
    fn actions(way: Way, points: impl Iterator<Item = u8>) -> Vec<(u64, Action)> {
        let mut machine = Machine::new(7);
        (0..)
            .zip(points)
            .filter_map(|(second, points)| match step(&mut machine, at(second), scored(points, way)) {
                Some(Output::Act { action, .. }) => Some((second, action)),
                Some(Output::Recovered { .. }) | None => None,
            })
            .collect()
    }

    #[test]
    fn a_relayed_connection_is_upgraded_then_moved_then_made_anew() {
        let order: Vec<_> = actions(Way::Relayed, std::iter::repeat_n(10, 200)).into_iter().map(|(_, it)| it).collect();
        assert_eq!(order[..3], [Action::Upgrade, Action::SwitchRelay, Action::Reconnect]);
    }

    #[test]
    fn a_direct_connection_is_made_anew() {
        let done = actions(Way::Direct, std::iter::repeat_n(10, 60));
        assert_eq!(done[0], (10, Action::Reconnect));
    }

    #[test]
    fn a_short_dip_is_left_alone() {
        let dip = (0..100).map(|second| if second % 20 == 0 { 5 } else { 90 });
        assert_eq!(actions(Way::Relayed, dip), []);
    }

    #[test]
    fn scores_between_low_and_high_change_nothing() {
        assert_eq!(actions(Way::Relayed, std::iter::repeat_n(LOW, 200)), []);
        let mut machine = Machine::new(7);
        step(&mut machine, at(0), scored(LOW - 1, Way::Direct));
        for second in 1..60 {
            assert_eq!(step(&mut machine, at(second), scored(HIGH - 1, Way::Direct)), None);
        }
        assert!(matches!(step(&mut machine, at(60), scored(LOW - 1, Way::Direct)), Some(Output::Act { .. })));
    }

    #[test]
    fn an_action_says_why_and_a_recovery_how_long_it_took() {
        let mut machine = Machine::new(7);
        step(&mut machine, at(0), scored(10, Way::Relayed));
        let score = Score { points: 20, weakest: Factor::Loss };
        let reason = Reason { score, low_for: at(12), attempt: 1 };
        assert_eq!(
            step(&mut machine, at(12), scored(20, Way::Relayed)),
            Some(Output::Act { action: Action::Upgrade, reason })
        );
        assert_eq!(step(&mut machine, at(20), scored(90, Way::Direct)), None);
        assert_eq!(machine.deadline(), Some(at(20) + HOLD));
        assert_eq!(step(&mut machine, at(30), Input::Tick), Some(Output::Recovered { low_for: at(30), attempts: 1 }));
    }

    #[test]
    fn an_old_score_moves_nobody() {
        let mut machine = Machine::new(7);
        step(&mut machine, at(0), scored(10, Way::Relayed));
        assert_eq!(step(&mut machine, at(0) + STALE * 2, Input::Tick), None);
        assert_eq!(machine.deadline(), None, "nothing is due until the next score");
    }

    proptest! {
        #![proptest_config(crate::cases())]

        #[test]
        fn actions_need_a_low_score_that_stayed_and_a_pause(points in prop::collection::vec(0_u8..=100, 0..400), seed: u64, way in prop_oneof![Just(Way::Direct), Just(Way::Relayed)]) {
            let mut machine = Machine::new(seed);
            let (mut acted, mut low_since) = (None::<u64>, None::<u64>);
            for (second, points) in (0..).zip(points) {
                if points < LOW {
                    low_since.get_or_insert(second);
                }
                if let Some(Output::Act { reason, .. }) = step(&mut machine, at(second), scored(points, way)) {
                    prop_assert!(points < LOW && reason.score.points == points);
                    prop_assert!(low_since.is_some_and(|since| at(second - since) >= HOLD));
                    prop_assert!(acted.is_none_or(|acted| at(second - acted) >= PAUSE.0 / 2));
                    acted = Some(second);
                }
                prop_assert!(machine.deadline().is_none_or(|deadline| deadline > at(second)));
            }
        }

        #[test]
        fn whoever_is_never_low_is_never_disturbed(points in prop::collection::vec(LOW..=100, 0..200)) {
            prop_assert_eq!(actions(Way::Relayed, points.into_iter()), []);
        }
    }
}
