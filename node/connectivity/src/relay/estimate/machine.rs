//! The machine behind [`super`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use super::{
    Estimate, FAR, Input, NEAR, Origin, Output, PROBE_ANSWER, RELAYS, RELAYS_PER_PREFIX, SHORTEST_SILENCE, Settings,
};
use crate::Time;
use crate::prefix::{Prefix, Prefixes};
use crate::relay::policy::Candidate;
use crate::relay::reservation::Known;
use darkswap_core::random::Random;

/// The relays that are kept in mind.
#[derive(Debug)]
pub struct Machine<P> {
    settings: Settings,
    relays: BTreeMap<P, Entry>,
    random: Random,
    outputs: VecDeque<Output<P>>,
}

#[derive(Debug)]
struct Entry {
    origin: Origin,
    prefixes: Prefixes,
    hint: Option<Duration>,
    estimate: Estimate,
    in_use: bool,
    heard: Time,
    /// When it answered last.
    answered: Option<Time>,
    probe: Probe,
}

#[derive(Debug, Clone, Copy)]
enum Probe {
    Due { at: Time },
    Asked { at: Time, silence: Silence },
}

/// What comes of the silence of a relay that was asked.
#[derive(Debug, Clone, Copy)]
enum Silence {
    /// Nothing before the answer is lost.
    Ignored,
    /// It is asked again.
    Doubted { at: Time },
    /// It was asked again, and is given up if another relay answered meanwhile.
    Believed { at: Time },
    /// No other relay answered either, so it may be our link that is slow: it is given up when the answer is lost.
    Unwitnessed,
}

impl Probe {
    /// When time alone changes it.
    fn deadline(self) -> Time {
        match self {
            Self::Due { at } => at,
            Self::Asked { at, silence: Silence::Ignored | Silence::Unwitnessed } => at + PROBE_ANSWER,
            Self::Asked { at, silence: Silence::Doubted { at: next } | Silence::Believed { at: next } } => {
                next.min(at + PROBE_ANSWER)
            }
        }
    }
}

impl Entry {
    /// Whether a stranger may take its place.
    fn is_displaceable(&self) -> bool {
        self.origin == Origin::Found && !self.in_use
    }

    /// What is given up first compares least: what never answered, and of those what was heard of longest ago.
    fn worth(&self) -> (bool, Time) {
        (self.estimate.rtt().is_some(), self.heard)
    }
}

impl<P: Copy + Ord> Machine<P> {
    /// A machine that knows no relay. `seed` feeds the jitter of probes.
    #[must_use]
    pub fn new(settings: Settings, seed: u64) -> Self {
        Self { settings, relays: BTreeMap::new(), random: Random::new(seed), outputs: VecDeque::new() }
    }

    /// Takes note of what happened. Drain [`poll`](Self::poll) afterwards.
    pub fn handle(&mut self, now: Time, input: Input<P>) {
        match input {
            Input::Learnt { relay, origin, addresses, hint } => self.learn(now, relay, origin, addresses, hint),
            Input::Forgotten { relay } => {
                self.relays.remove(&relay);
            }
            Input::Answered { relay, rtt } => {
                if let Some(entry) = self.relays.get_mut(&relay) {
                    (entry.heard, entry.answered) = (now, Some(now));
                    if rtt <= PROBE_ANSWER {
                        entry.estimate.answered(now, rtt);
                        self.schedule(now, relay);
                    }
                    self.witness(now);
                }
            }
            Input::Unanswered { relay } => self.unanswered(now, relay),
            Input::Reported { relay, load } => {
                self.change(relay, |entry| entry.estimate.reported(now, load));
            }
            Input::Granted { relay } => self.change(relay, |entry| entry.estimate.granted()),
            Input::Refused { relay } => self.change(relay, |entry| entry.estimate.refused()),
            Input::Uses { relays } => self.uses(now, &relays.into_iter().collect()),
            Input::Tick => {}
        }
        self.probe(now);
    }

    /// What to do next; call until `None`.
    pub fn poll(&mut self) -> Option<Output<P>> {
        self.outputs.pop_front()
    }

    /// When to send [`Input::Tick`] if nothing else happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.relays.values().map(|entry| entry.probe.deadline()).min()
    }

    /// What is known of a relay.
    #[must_use]
    pub fn estimate(&self, relay: P) -> Option<&Estimate> {
        self.relays.get(&relay).map(|entry| &entry.estimate)
    }

    /// Every relay as the [reservation machine](crate::relay::reservation) wants to hear of it, in order of their ids.
    #[must_use]
    pub fn candidates(&self, now: Time) -> Vec<Known<P>> {
        let known = |(relay, entry): (&P, &Entry)| {
            let estimate = &entry.estimate;
            let candidate = Candidate {
                rtt: estimate.rtt().map(|rtt| rtt.smoothed()),
                loss: estimate.loss(),
                load: estimate.load(now),
                success: estimate.success(),
                hint: entry.hint,
            };
            Known { relay: *relay, prefixes: entry.prefixes.clone(), answers: estimate.answers(), candidate }
        };
        self.relays.iter().map(known).collect()
    }

    fn change(&mut self, relay: P, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.relays.get_mut(&relay) {
            change(entry);
        }
    }

    fn learn(&mut self, now: Time, relay: P, origin: Origin, addresses: Vec<IpAddr>, hint: Option<Duration>) {
        let prefixes = self.settings.prefixes.of_all(addresses);
        if let Some(entry) = self.relays.get_mut(&relay) {
            entry.origin = entry.origin.max(origin);
            entry.heard = now;
            entry.hint = hint.or(entry.hint);
            // What strangers say of a configured relay must not make it look dependent on others.
            let is_news = prefixes != entry.prefixes && prefixes.iter().next().is_some();
            if is_news && origin == entry.origin {
                self.move_to(relay, prefixes);
            }
            return;
        }
        if !self.make_room(origin, &prefixes) {
            self.outputs.push_back(Output::Unplaced { relay });
            return;
        }
        let estimate = Estimate::default();
        let probe = Probe::Due { at: now };
        self.relays.insert(
            relay,
            Entry { origin, prefixes, hint, estimate, in_use: false, heard: now, answered: None, probe },
        );
    }

    /// A relay is elsewhere now. It stays where it was when there is no room, or moving would be the way round the bound.
    fn move_to(&mut self, relay: P, prefixes: Prefixes) {
        let Some(entry) = self.relays.get_mut(&relay) else { return };
        let before = std::mem::replace(&mut entry.prefixes, prefixes);
        let is_crowded = self.counts().values().any(|count| *count > RELAYS_PER_PREFIX);
        self.change(relay, |entry| {
            if is_crowded {
                entry.prefixes = before;
            }
        });
    }

    /// Makes room for a newcomer, if there is any. A full prefix gives up one of its own that never answered. A full table gives up
    /// one that never answered, or one of the prefix with the most relays, when that has more than the newcomer's.
    fn make_room(&mut self, origin: Origin, prefixes: &Prefixes) -> bool {
        let counts = self.counts();
        let of = |prefix: &Prefix| counts.get(prefix).copied().unwrap_or(0);
        let fullest = |prefixes: &Prefixes| prefixes.iter().map(|prefix| of(&prefix)).max().unwrap_or(0);
        let is_crowded = origin == Origin::Found && fullest(prefixes) >= RELAYS_PER_PREFIX;
        if !is_crowded && self.relays.len() < RELAYS {
            return true;
        }
        let others = self.relays.iter().filter(|(_, entry)| entry.is_displaceable());
        let given_up = if is_crowded {
            let full: BTreeSet<Prefix> = prefixes.iter().filter(|prefix| of(prefix) >= RELAYS_PER_PREFIX).collect();
            // One of every full prefix at once, or the prefix would stay full.
            others
                .filter(|(_, entry)| entry.estimate.rtt().is_none())
                .filter(|(_, entry)| full.is_subset(&entry.prefixes.iter().collect()))
                .min_by_key(|(_, entry)| entry.worth())
        } else {
            let least = if origin == Origin::Configured { 0 } else { fullest(prefixes) + 1 };
            others.filter(|(_, entry)| fullest(&entry.prefixes) > least || entry.estimate.rtt().is_none()).min_by_key(
                |(_, entry)| (entry.estimate.rtt().is_some(), usize::MAX - fullest(&entry.prefixes), entry.heard),
            )
        };
        let Some(relay) = given_up.map(|(relay, _)| *relay) else { return false };
        self.relays.remove(&relay);
        self.outputs.push_back(Output::Displaced { relay });
        true
    }

    /// How many found relays there are of each prefix.
    fn counts(&self) -> BTreeMap<Prefix, usize> {
        let mut counts = BTreeMap::new();
        for entry in self.relays.values().filter(|entry| entry.origin == Origin::Found) {
            for prefix in entry.prefixes.iter() {
                *counts.entry(prefix).or_default() += 1;
            }
        }
        counts
    }

    fn uses(&mut self, now: Time, used: &BTreeSet<P>) {
        let mut fresh = Vec::new();
        for (relay, entry) in &mut self.relays {
            let in_use = used.contains(relay);
            if in_use && !entry.in_use && matches!(entry.probe, Probe::Due { .. }) {
                fresh.push(*relay);
            }
            entry.in_use = in_use;
        }
        for relay in fresh {
            self.schedule(now, relay);
        }
    }

    fn unanswered(&mut self, now: Time, relay: P) {
        if let Some(entry) = self.relays.get_mut(&relay)
            && matches!(entry.probe, Probe::Asked { .. })
        {
            entry.estimate.unanswered();
            self.schedule(now, relay);
        }
    }

    /// The next probe, half to one and a half intervals from now.
    fn schedule(&mut self, now: Time, relay: P) {
        let interval = self.interval(relay);
        let at = now + self.random.between(interval / 2, interval * 3 / 2);
        self.change(relay, |entry| entry.probe = Probe::Due { at });
    }

    fn interval(&self, relay: P) -> Duration {
        let Some(entry) = self.relays.get(&relay).filter(|entry| !entry.in_use) else { return self.settings.in_use };
        let distance = |entry: &Entry| entry.estimate.rtt().map_or(Duration::MAX, |rtt| rtt.smoothed());
        let own = (distance(entry), relay);
        let idle = self.relays.iter().filter(|(_, entry)| !entry.in_use);
        let nearer = idle.filter(|(relay, entry)| (distance(entry), **relay) < own).count();
        self.settings.idle * if nearer < NEAR { 1 } else { FAR }
    }

    fn probe(&mut self, now: Time) {
        let due = self.relays.iter().filter(|(_, entry)| now >= entry.probe.deadline());
        let due: Vec<P> = due.map(|(relay, _)| *relay).collect();
        for relay in due {
            self.probe_one(now, relay);
        }
    }

    /// Does what the time asks for at one relay.
    fn probe_one(&mut self, now: Time, relay: P) {
        let Some(entry) = self.relays.get(&relay) else { return };
        let (probe, in_use, doubt) = (entry.probe, entry.in_use, entry.estimate.doubt());
        let probe = match probe {
            Probe::Due { .. } => {
                self.outputs.push_back(Output::Probe { relay });
                let silence = if in_use { Silence::Doubted { at: now + doubt } } else { Silence::Ignored };
                Probe::Asked { at: now, silence }
            }
            Probe::Asked { at, silence: Silence::Doubted { .. } } if now < at + PROBE_ANSWER && in_use => {
                self.outputs.push_back(Output::Probe { relay });
                self.ask_witnesses(now, relay, at);
                Probe::Asked { at, silence: Silence::Believed { at: now + (doubt * 2).max(SHORTEST_SILENCE) } }
            }
            Probe::Asked { at, silence: Silence::Believed { .. } }
                if now < at + PROBE_ANSWER && in_use && !self.has_witness(at) =>
            {
                Probe::Asked { at, silence: Silence::Unwitnessed }
            }
            Probe::Asked { silence: Silence::Believed { .. } | Silence::Unwitnessed, .. } if in_use => {
                return self.silent(now, relay);
            }
            Probe::Asked { at, .. } if now < at + PROBE_ANSWER => Probe::Asked { at, silence: Silence::Ignored },
            Probe::Asked { .. } => return self.unanswered(now, relay),
        };
        self.change(relay, |entry| entry.probe = probe);
    }

    fn silent(&mut self, now: Time, relay: P) {
        self.unanswered(now, relay);
        self.change(relay, |entry| entry.estimate.silent());
        self.outputs.push_back(Output::Silent { relay });
    }

    /// Whether any relay answered since then, which shows that our link works.
    fn has_witness(&self, since: Time) -> bool {
        self.relays.values().any(|entry| entry.answered.is_some_and(|at| at >= since))
    }

    /// Asks others whether they answer: those in use, and the nearest other one when there are none.
    fn ask_witnesses(&mut self, now: Time, doubted: P, since: Time) {
        if self.has_witness(since) {
            return;
        }
        let is_due = |entry: &&Entry| matches!(entry.probe, Probe::Due { .. });
        let others = || self.relays.iter().filter(|(relay, entry)| **relay != doubted && is_due(entry));
        let mut asked: Vec<P> = others().filter(|(_, entry)| entry.in_use).map(|(relay, _)| *relay).collect();
        if asked.is_empty() {
            let near = |entry: &Entry| entry.estimate.rtt().map(|rtt| rtt.smoothed());
            let nearest = others().filter_map(|(relay, entry)| Some((near(entry)?, *relay))).min();
            asked.extend(nearest.map(|(_, relay)| relay));
        }
        for relay in asked {
            self.probe_one(now, relay);
        }
    }

    /// A relay answered, so our link works: whoever stays silent has but a moment left.
    fn witness(&mut self, now: Time) {
        for entry in self.relays.values_mut() {
            if let Probe::Asked { at, silence: Silence::Unwitnessed } = entry.probe {
                let silence = Silence::Believed { at: now + entry.estimate.doubt() };
                entry.probe = Probe::Asked { at, silence };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::super::{LONGEST_DOUBT, SHORTEST_DOUBT};
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_secs(seconds)
    }

    fn learnt(relay: u16, network: u8, origin: Origin) -> Input<u16> {
        let addresses = vec![Ipv4Addr::new(198, network, 0, 1).into()];
        Input::Learnt { relay, origin, addresses, hint: None }
    }

    fn step(machine: &mut Machine<u16>, now: Time, input: Input<u16>) -> Vec<Output<u16>> {
        machine.handle(now, input);
        std::iter::from_fn(|| machine.poll()).collect()
    }

    #[test]
    fn a_relay_is_probed_at_once_and_again_with_jitter() {
        let mut machine = Machine::new(Settings::default(), 7);
        let probe = [Output::Probe { relay: 1 }];
        assert_eq!(step(&mut machine, at(0), learnt(1, 1, Origin::Found)), probe);
        step(&mut machine, at(0), Input::Answered { relay: 1, rtt: Duration::from_millis(40) });
        let next = machine.deadline().unwrap();
        assert!(next >= at(30) && next <= at(90), "{next:?}");
        assert_eq!(step(&mut machine, next, Input::Tick), probe);
    }

    #[test]
    fn relays_far_away_are_probed_less_often_than_the_nearest() {
        let mut machine = Machine::new(Settings::default(), 7);
        let mut probes = BTreeMap::<u16, u32>::new();
        let mut now = at(0);
        for relay in 0..20 {
            let outputs = step(&mut machine, now, learnt(relay, u8::try_from(relay).unwrap(), Origin::Found));
            assert_eq!(outputs, [Output::Probe { relay }], "each is measured once");
            let rtt = Duration::from_millis(100 - u64::from(relay));
            step(&mut machine, now, Input::Answered { relay, rtt });
        }
        while now < at(3_600) {
            now = machine.deadline().unwrap();
            for output in step(&mut machine, now, Input::Tick) {
                let Output::Probe { relay } = output else { panic!("{output:?}") };
                *probes.entry(relay).or_default() += 1;
                let rtt = Duration::from_millis(100 - u64::from(relay));
                step(&mut machine, now, Input::Answered { relay, rtt });
            }
        }
        let (far, near) = (0..15_u16, 15..20_u16);
        assert!(far.into_iter().all(|relay| (8..20).contains(&probes[&relay])), "{probes:?}");
        assert!(near.into_iter().all(|relay| (50..80).contains(&probes[&relay])), "{probes:?}");
    }

    #[test]
    fn a_late_answer_is_a_loss() {
        let mut machine = Machine::new(Settings::default(), 7);
        step(&mut machine, at(0), learnt(1, 1, Origin::Found));
        step(&mut machine, PROBE_ANSWER, Input::Tick);
        assert!(machine.estimate(1).unwrap().loss() > 0.0);
    }

    #[test]
    fn a_relay_in_use_is_probed_often() {
        let mut machine = Machine::new(Settings::default(), 7);
        step(&mut machine, at(0), learnt(1, 1, Origin::Found));
        step(&mut machine, at(0), Input::Answered { relay: 1, rtt: Duration::from_millis(40) });
        step(&mut machine, at(0), Input::Uses { relays: vec![1] });
        assert!(machine.deadline().unwrap() <= at(8));
    }

    /// A machine with one relay in use, another one that is not, the time of the first's next probe.
    fn asked_in_use() -> (Machine<u16>, Time) {
        let mut machine = Machine::new(Settings::default(), 7);
        for relay in [1, 2] {
            step(&mut machine, at(0), learnt(relay, 1, Origin::Found));
        }
        step(&mut machine, at(0), Input::Uses { relays: vec![1] });
        for relay in [1, 2] {
            step(&mut machine, at(0), Input::Answered { relay, rtt: Duration::from_millis(40) });
        }
        let asked = machine.deadline().unwrap();
        assert_eq!(step(&mut machine, asked, Input::Tick), [Output::Probe { relay: 1 }]);
        (machine, asked)
    }

    #[test]
    fn a_dead_relay_in_use_is_silent_within_five_seconds_of_its_death() {
        let (mut machine, asked) = asked_in_use();
        assert_eq!(asked, asked.min(at(3)), "the last answer was at 0");
        let doubt = machine.deadline().unwrap();
        assert_eq!(doubt, asked + SHORTEST_DOUBT);
        let both = [Output::Probe { relay: 1 }, Output::Probe { relay: 2 }];
        assert_eq!(step(&mut machine, doubt, Input::Tick), both, "another one shows that our link works");
        let rtt = Duration::from_millis(40);
        assert_eq!(step(&mut machine, doubt + rtt, Input::Answered { relay: 2, rtt }), []);
        let end = machine.deadline().unwrap();
        assert_eq!(end, doubt + SHORTEST_SILENCE);
        assert_eq!(step(&mut machine, end, Input::Tick), [Output::Silent { relay: 1 }]);
        assert!(machine.estimate(1).unwrap().loss() > 0.0);
        let is_known = |known: &Known<u16>| known.answers && known.candidate.rtt.is_some();
        assert_eq!(machine.candidates(end).iter().map(is_known).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn while_nobody_answers_no_relay_is_silent_before_its_answer_is_lost() {
        let (mut machine, asked) = asked_in_use();
        let mut outputs = Vec::new();
        let mut now = asked;
        while now < asked + PROBE_ANSWER {
            assert!(!outputs.contains(&Output::Silent { relay: 1 }), "at {now:?}");
            now = machine.deadline().unwrap();
            outputs = step(&mut machine, now, Input::Tick);
        }
        assert_eq!((now, outputs), (asked + PROBE_ANSWER, vec![Output::Silent { relay: 1 }]));
    }

    #[test]
    fn a_link_that_becomes_slow_costs_no_relay() {
        let mut machine = Machine::new(Settings::default(), 7);
        for relay in [1, 2] {
            step(&mut machine, at(0), learnt(relay, 1, Origin::Found));
        }
        step(&mut machine, at(0), Input::Uses { relays: vec![1, 2] });
        for relay in [1, 2] {
            step(&mut machine, at(0), Input::Answered { relay, rtt: Duration::from_millis(40) });
        }
        // From now on every answer takes three seconds.
        let rtt = Duration::from_secs(3);
        let mut answers = BTreeSet::new();
        let mut now = at(0);
        while now < at(60) {
            let next = machine.deadline().unwrap();
            let (at, input) = match answers.pop_first() {
                Some((at, relay)) if at <= next => (at, Input::Answered { relay, rtt }),
                answer => {
                    answers.extend(answer);
                    (next, Input::Tick)
                }
            };
            now = at;
            for output in step(&mut machine, now, input) {
                match output {
                    Output::Probe { relay } => drop(answers.insert((now + rtt, relay))),
                    output => panic!("{output:?} at {now:?}"),
                }
            }
        }
    }

    #[test]
    fn whoever_is_silent_while_another_one_answers_again_is_given_up() {
        let (mut machine, asked) = asked_in_use();
        while machine.deadline().unwrap() < asked + Duration::from_secs(2) {
            let now = machine.deadline().unwrap();
            step(&mut machine, now, Input::Tick);
        }
        let back = asked + Duration::from_secs(2);
        assert_eq!(step(&mut machine, back, Input::Answered { relay: 2, rtt: Duration::from_millis(1_800) }), []);
        let end = machine.deadline().unwrap();
        assert!(end <= back + LONGEST_DOUBT, "{end:?}");
        assert_eq!(step(&mut machine, end, Input::Tick), [Output::Silent { relay: 1 }]);
    }

    #[test]
    fn one_answer_to_either_question_ends_the_doubt() {
        let (mut machine, _) = asked_in_use();
        let doubt = machine.deadline().unwrap();
        step(&mut machine, doubt, Input::Tick);
        let rtt = Duration::from_millis(900);
        assert_eq!(step(&mut machine, doubt + rtt, Input::Answered { relay: 1, rtt }), []);
        assert!(machine.deadline().unwrap() >= doubt + rtt + Settings::default().in_use / 2);
    }

    #[test]
    fn a_relay_that_is_not_in_use_is_never_silent() {
        let mut machine = Machine::new(Settings::default(), 7);
        step(&mut machine, at(0), learnt(1, 1, Origin::Found));
        assert_eq!(machine.deadline(), Some(PROBE_ANSWER));
        assert_eq!(step(&mut machine, PROBE_ANSWER, Input::Tick), []);
    }

    /// When the answer comes of which each packet is lost with one chance in twenty, in both directions, and sent again after a
    /// time-out that doubles, as QUIC does (RFC 9002, 6.2).
    fn answer_after(random: &mut Random, rtt: Duration) -> Duration {
        let (mut delay, mut pause) = (rtt, SHORTEST_DOUBT);
        while random.unit() < 0.0975 {
            delay += pause;
            pause *= 2;
        }
        delay
    }

    #[test]
    fn a_day_of_five_percent_loss_hardly_makes_a_relay_silent() {
        let mut machine = Machine::new(Settings::default(), 7);
        let (mut random, mut now, mut silent) = (Random::new(3), at(0), 0);
        step(&mut machine, now, learnt(1, 1, Origin::Found));
        step(&mut machine, now, Input::Uses { relays: vec![1] });
        let mut answers: BTreeMap<Time, Duration> = BTreeMap::new();
        while now < at(86_400) {
            let next = machine.deadline().unwrap();
            let first = answers.pop_first().map(|(at, rtt)| (at.max(now), rtt));
            let input = match first {
                Some((at, rtt)) if at <= next => {
                    now = at;
                    Input::Answered { relay: 1, rtt }
                }
                first => {
                    answers.extend(first);
                    now = next;
                    Input::Tick
                }
            };
            for output in step(&mut machine, now, input) {
                match output {
                    Output::Probe { .. } => {
                        let rtt = answer_after(&mut random, Duration::from_millis(80));
                        answers.insert(now + rtt, rtt);
                    }
                    Output::Silent { .. } => silent += 1,
                    Output::Displaced { .. } | Output::Unplaced { .. } => {}
                }
            }
        }
        assert!(silent <= 3, "{silent} times a day");
    }

    #[test]
    fn one_network_cannot_fill_the_table() {
        let mut machine = Machine::new(Settings::default(), 7);
        for relay in 0..100 {
            step(&mut machine, at(0), learnt(relay, 1, Origin::Found));
            step(&mut machine, at(0), Input::Answered { relay, rtt: Duration::from_millis(40) });
        }
        assert_eq!(machine.candidates(at(0)).len(), RELAYS_PER_PREFIX);
    }

    #[test]
    fn a_flood_from_many_networks_displaces_neither_configured_nor_used_nor_measured_relays() {
        let mut machine = Machine::new(Settings::default(), 7);
        step(&mut machine, at(0), learnt(0, 0, Origin::Configured));
        for relay in 1..3 {
            step(&mut machine, at(0), learnt(relay, 1, Origin::Found));
        }
        step(&mut machine, at(0), Input::Answered { relay: 1, rtt: Duration::from_millis(40) });
        step(&mut machine, at(0), Input::Uses { relays: vec![2] });
        for relay in 3..1_000 {
            step(&mut machine, at(1), learnt(relay, u8::try_from(relay % 200).unwrap(), Origin::Found));
        }
        assert!([0, 1, 2].into_iter().all(|relay| machine.estimate(relay).is_some()));
    }

    proptest! {
        #![proptest_config(crate::cases())]

        #[test]
        fn the_table_stays_bounded_and_keeps_what_is_configured(
            steps in prop::collection::vec((0_u16..200, 0_u8..40, 0_u8..6), 0..400),
        ) {
            let mut machine = Machine::new(Settings::default(), 7);
            let mut configured = BTreeSet::new();
            for (second, (relay, network, kind)) in (0..).zip(steps) {
                let input = match kind {
                    0 | 1 => learnt(relay, network, Origin::Found),
                    2 if configured.len() < RELAYS / 2 => learnt(relay, network, Origin::Configured),
                    3 => Input::Answered { relay, rtt: Duration::from_millis(u64::from(relay)) },
                    4 => Input::Uses { relays: vec![relay] },
                    _ => Input::Reported { relay, load: 0.3 },
                };
                let is_configured = matches!(input, Input::Learnt { origin: Origin::Configured, .. });
                step(&mut machine, at(second), input);
                // A table full of used and configured relays takes no more: room was asked for when it was named.
                if is_configured && machine.estimate(relay).is_some() {
                    configured.insert(relay);
                }
                prop_assert!(machine.relays.len() <= RELAYS);
                prop_assert!(machine.counts().values().all(|count| *count <= RELAYS_PER_PREFIX));
                prop_assert!(configured.iter().all(|relay| machine.relays.contains_key(relay)));
                prop_assert!(machine.deadline().is_none_or(|deadline| deadline > at(second)));
            }
        }
    }
}
