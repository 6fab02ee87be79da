use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::*;
use crate::Time;
use crate::prefix::PrefixLengths;
use crate::relay::policy::{LowestLatency, POLICIES};

const LIFE: Duration = Duration::from_secs(3_600);

fn at(seconds: u64) -> Time {
    Time::from_secs(seconds)
}

/// A relay in a network of this number.
fn known(relay: u8, network: u8, rtt: u64) -> Known<u8> {
    let address: IpAddr = Ipv4Addr::new(198, network, 0, relay).into();
    let rtt = Some(Duration::from_millis(rtt));
    let candidate = Candidate { rtt, loss: 0.0, load: 0.0, success: 1.0, hint: None };
    Known { relay, prefixes: PrefixLengths::default().of_all([address]), answers: true, candidate }
}

fn step(machine: &mut Machine<u8>, now: Time, input: Input<u8>) -> Vec<Output<u8>> {
    machine.handle(now, input);
    std::iter::from_fn(|| machine.poll()).collect()
}

fn ask(relay: u8) -> Output<u8> {
    Output::Reserve { relay, purpose: Purpose::New }
}

fn announce(relays: &[u8]) -> Output<u8> {
    Output::Announce { relays: relays.to_vec() }
}

fn machine(standbys: usize, candidates: &[Known<u8>]) -> Machine<u8> {
    let settings = Settings { standbys, policy: &LowestLatency, ..Settings::default() };
    let mut machine = Machine::new(settings, 7);
    step(&mut machine, at(0), Input::Candidates(candidates.to_vec()));
    machine
}

/// A machine with relays 1 (home), 2 and so on up to `standbys + 1`, granted at time 0.
fn settled(standbys: usize, candidates: &[Known<u8>]) -> Machine<u8> {
    let mut machine = machine(standbys, candidates);
    let mut asked: Vec<u8> = asked(&step(&mut machine, at(0), Input::Want));
    while let Some(relay) = asked.pop() {
        asked.extend(self::asked(&step(&mut machine, at(0), Input::Granted { relay, life: LIFE })));
    }
    machine
}

fn asked(outputs: &[Output<u8>]) -> Vec<u8> {
    let relay = |output: &Output<u8>| if let Output::Reserve { relay, .. } = output { Some(*relay) } else { None };
    outputs.iter().filter_map(relay).collect()
}

#[test]
fn the_best_is_home_and_the_standby_is_elsewhere() {
    let mut machine = machine(1, &[known(1, 1, 10), known(2, 1, 20), known(3, 3, 30)]);
    assert_eq!(
        step(&mut machine, at(0), Input::Want),
        [ask(1), ask(3), Output::Short { held: 0, wanted: 2 }][..2],
        "2 shares its prefix with 1"
    );
    assert_eq!(step(&mut machine, at(1), Input::Granted { relay: 3, life: LIFE }), [announce(&[3])]);
    assert_eq!(
        step(&mut machine, at(2), Input::Granted { relay: 1, life: LIFE }),
        [Output::Home { from: None, to: Some(1), reason: HomeReason::First }, announce(&[1, 3])]
    );
}

#[test]
fn when_the_home_dies_the_standby_is_announced_in_the_same_drain() {
    let mut machine = settled(1, &[known(1, 1, 10), known(2, 2, 20), known(3, 3, 30)]);
    assert_eq!(
        step(&mut machine, at(9), Input::Lost { relay: 1 }),
        [
            Output::Failed { relay: 1, failure: Failure::Lost },
            Output::Home { from: Some(1), to: Some(2), reason: HomeReason::Failed },
            ask(3),
            announce(&[2]),
        ]
    );
}

#[test]
fn without_a_standby_nothing_is_announced_until_another_relay_grants() {
    let mut machine = settled(0, &[known(1, 1, 10), known(2, 2, 20)]);
    let outputs = step(&mut machine, at(9), Input::Lost { relay: 1 });
    assert!(outputs.contains(&announce(&[])) && outputs.contains(&ask(2)), "{outputs:?}");
    let outputs = step(&mut machine, at(11), Input::Granted { relay: 2, life: LIFE });
    assert!(outputs.contains(&announce(&[2])), "{outputs:?}");
}

#[test]
fn a_dependent_standby_is_better_than_none_until_there_is_an_independent_one() {
    let (near, far) = ([known(1, 1, 10), known(2, 1, 20)], known(3, 3, 30));
    let mut machine = settled(1, &near);
    assert_eq!(machine.relays().collect::<Vec<_>>(), [1, 2]);
    let all = [near.to_vec(), vec![far]].concat();
    assert_eq!(step(&mut machine, at(9), Input::Candidates(all)), [ask(3)]);
    assert_eq!(step(&mut machine, at(10), Input::Granted { relay: 3, life: LIFE }), [announce(&[1, 3])]);
    assert_eq!(step(&mut machine, at(10) + LINGER, Input::Tick).first(), Some(&Output::Release { relay: 2 }));
}

#[test]
fn a_reservation_is_renewed_well_before_its_end() {
    let mut machine = settled(0, &[known(1, 1, 10)]);
    let renewal = [Output::Reserve { relay: 1, purpose: Purpose::Renewal }];
    assert_eq!(step(&mut machine, LIFE * 3 / 4, Input::Tick), renewal);
    assert_eq!(step(&mut machine, LIFE * 3 / 4 + at(1), Input::Granted { relay: 1, life: LIFE }), []);
}

#[test]
fn a_refused_renewal_is_used_until_its_end_while_another_relay_is_asked() {
    let mut machine = settled(0, &[known(1, 1, 10), known(2, 2, 20)]);
    step(&mut machine, LIFE * 3 / 4, Input::Tick);
    assert_eq!(
        step(&mut machine, LIFE * 3 / 4, Input::Refused { relay: 1 }),
        [ask(2), Output::Short { held: 0, wanted: 1 }][..1]
    );
    assert_eq!(
        step(&mut machine, LIFE * 3 / 4 + at(1), Input::Granted { relay: 2, life: LIFE }),
        [Output::Home { from: Some(1), to: Some(2), reason: HomeReason::Ending }, announce(&[2])]
    );
}

#[test]
fn a_drain_is_left_before_the_relay_stops() {
    let mut machine = settled(1, &[known(1, 1, 10), known(2, 2, 20), known(3, 3, 30)]);
    let notice = Input::Draining { relay: 1, within: at(300) };
    assert_eq!(
        step(&mut machine, at(9), notice),
        [Output::Home { from: Some(1), to: Some(2), reason: HomeReason::Ending }, ask(3), announce(&[2, 1])]
    );
    assert_eq!(step(&mut machine, at(10), Input::Granted { relay: 3, life: LIFE }), [announce(&[2, 3])]);
    let outputs = step(&mut machine, at(10) + LINGER, Input::Tick);
    assert_eq!(outputs, [Output::Release { relay: 1 }], "and it is not asked again before it has stopped");
}

#[test]
fn a_better_home_is_reserved_before_the_change() {
    let mut machine = settled(0, &[known(1, 1, 50)]);
    step(&mut machine, at(1), Input::Candidates(vec![known(1, 1, 50), known(2, 2, 10)]));
    assert_eq!(step(&mut machine, at(60), Input::Tick), [ask(2)]);
    assert_eq!(
        step(&mut machine, at(61), Input::Granted { relay: 2, life: LIFE }),
        [Output::Home { from: Some(1), to: Some(2), reason: HomeReason::Better }, announce(&[2])]
    );
}

#[test]
fn a_relay_that_failed_is_left_alone_for_a_while() {
    let mut machine = machine(0, &[known(1, 1, 10)]);
    step(&mut machine, at(0), Input::Want);
    let outputs = step(&mut machine, at(0), Input::Refused { relay: 1 });
    assert_eq!(outputs, [Output::Failed { relay: 1, failure: Failure::Refused }, Output::Short { held: 0, wanted: 1 }]);
    let next = machine.deadline().unwrap();
    assert!(next >= at(2), "{next:?}");
    assert_eq!(step(&mut machine, next, Input::Tick), [ask(1)]);
}

#[test]
fn whoever_answers_probes_is_asked_before_nearer_ones_that_do_not() {
    let dead = |relay, rtt| Known { answers: false, ..known(relay, relay, rtt) };
    let mut machine = machine(0, &[dead(1, 10), dead(2, 20), known(3, 3, 300)]);
    assert_eq!(asked(&step(&mut machine, at(0), Input::Want)), [3]);
}

#[test]
fn of_relays_that_answer_those_are_asked_first_that_failed_least() {
    let mut machine = machine(0, &[known(1, 1, 10), known(2, 2, 20), known(3, 3, 300)]);
    assert_eq!(asked(&step(&mut machine, at(0), Input::Want)), [1]);
    assert_eq!(asked(&step(&mut machine, at(1), Input::Lost { relay: 1 })), [2]);
    // The rest of relay 1 is over, and its round-trip time is still the lowest that was measured.
    assert_eq!(asked(&step(&mut machine, at(60), Input::Lost { relay: 2 })), [3]);
    step(&mut machine, at(61), Input::Granted { relay: 3, life: LIFE });
    assert_eq!(machine.home(), Some(3));
}

#[test]
fn while_a_relay_is_late_with_its_answer_others_are_asked_but_not_all() {
    let relays: Vec<_> = (1..=6).map(|relay| known(relay, relay, 10 * u64::from(relay))).collect();
    let mut machine = machine(0, &relays);
    assert_eq!(asked(&step(&mut machine, at(0), Input::Want)), [1]);
    assert_eq!(machine.deadline(), Some(PATIENCE));
    assert_eq!(asked(&step(&mut machine, PATIENCE, Input::Tick)), [2]);
    assert_eq!(asked(&step(&mut machine, PATIENCE * 2, Input::Tick)), [3]);
    assert_eq!(asked(&step(&mut machine, PATIENCE * 3, Input::Tick)), [0; 0], "two are late already");
    let outputs = step(&mut machine, PATIENCE * 3, Input::Granted { relay: 3, life: LIFE });
    let first = Output::Home { from: None, to: Some(3), reason: HomeReason::First };
    assert_eq!(outputs[..2], [first, announce(&[3])], "whoever is late is waited for no longer");
    let outputs = step(&mut machine, PATIENCE * 3, Input::Granted { relay: 1, life: LIFE });
    assert!(outputs.is_empty() && machine.home() == Some(3), "{outputs:?}");
}

#[test]
fn a_relay_that_does_not_answer_is_no_better_home() {
    let mut machine = settled(0, &[known(1, 1, 50)]);
    let dead = Known { answers: false, ..known(2, 2, 10) };
    step(&mut machine, at(1), Input::Candidates(vec![known(1, 1, 50), dead]));
    assert_eq!(asked(&step(&mut machine, at(60), Input::Tick)), [0; 0]);
}

#[test]
fn whoever_roams_renews_everything_at_once() {
    let mut machine = settled(1, &[known(1, 1, 10), known(2, 2, 20)]);
    assert_eq!(asked(&step(&mut machine, at(9), Input::Roamed)), [1, 2]);
}

#[test]
fn a_reservation_that_ends_at_once_is_no_reservation() {
    let mut machine = machine(0, &[known(1, 1, 10)]);
    step(&mut machine, at(0), Input::Want);
    let outputs = step(&mut machine, at(0), Input::Granted { relay: 1, life: Duration::ZERO });
    assert_eq!(outputs[..2], [Output::Release { relay: 1 }, Output::Failed { relay: 1, failure: Failure::TooShort }]);
}

/// What the world does to a machine.
#[derive(Debug, Clone)]
enum Act {
    Answer { pick: usize, life: u64 },
    Refuse { pick: usize },
    Kill { relay: u8 },
    Drain { relay: u8, seconds: u64 },
    Candidates { mask: u16 },
    Stray { relay: u8, life: u64 },
    Roam,
    Rest,
    Pass { seconds: u64 },
    Toggle,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let relay = || 0_u8..16;
    let act = prop_oneof![
        8 => (any::<usize>(), 30_u64..4_000).prop_map(|(pick, life)| Act::Answer { pick, life }),
        2 => any::<usize>().prop_map(|pick| Act::Refuse { pick }),
        3 => relay().prop_map(|relay| Act::Kill { relay }),
        1 => (relay(), 0_u64..600).prop_map(|(relay, seconds)| Act::Drain { relay, seconds }),
        2 => any::<u16>().prop_map(|mask| Act::Candidates { mask }),
        1 => (relay(), 0_u64..4_000).prop_map(|(relay, life)| Act::Stray { relay, life }),
        1 => Just(Act::Roam),
        3 => Just(Act::Rest),
        3 => (0_u64..600).prop_map(|seconds| Act::Pass { seconds }),
        1 => Just(Act::Toggle),
    ];
    prop::collection::vec(act, 0..120)
}

/// The world around a machine: what was asked of whom, and what holds.
struct World {
    machine: Machine<u8>,
    standbys: usize,
    now: Time,
    wanted: bool,
    /// Requests without an answer.
    open: BTreeSet<u8>,
    /// Reservations that relays hold for us.
    granted: std::collections::BTreeMap<u8, Time>,
    announced: Vec<u8>,
}

impl World {
    fn feed(&mut self, input: Input<u8>) -> Vec<Output<u8>> {
        let outputs = step(&mut self.machine, self.now, input);
        for output in &outputs {
            match output {
                Output::Reserve { relay, .. } => assert!(self.open.insert(*relay), "{relay} was asked twice at once"),
                Output::Release { relay } => {
                    self.open.remove(relay);
                    self.granted.remove(relay);
                }
                Output::Announce { relays } => {
                    assert_ne!(relays, &self.announced, "nothing new was announced");
                    self.announced.clone_from(relays);
                }
                Output::Home { from, to, .. } => assert_ne!(from, to),
                Output::Failed { .. } | Output::Short { .. } => {}
            }
        }
        self.check();
        outputs
    }

    fn check(&self) {
        let slots: Vec<u8> = self.machine.relays().collect();
        assert!(slots.len() <= self.standbys + 3 + LATE + 2 * LEAVING, "{slots:?}");
        assert!(self.announced.iter().all(|relay| self.granted.contains_key(relay)), "announced without a reservation");
        let distinct: BTreeSet<_> = self.announced.iter().collect();
        assert_eq!(distinct.len(), self.announced.len());
        if let Some(home) = self.machine.home() {
            assert_eq!(self.announced.first(), Some(&home), "the home comes first");
        }
        assert!(self.wanted || (self.announced.is_empty() && self.open.is_empty() && self.granted.is_empty()));
        assert!(self.machine.deadline().is_some() == self.wanted);
    }

    /// Lets time pass from deadline to deadline.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let mut steps = 0;
        while let Some(deadline) = self.machine.deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.feed(Input::Tick);
            steps += 1;
            assert!(steps < 10_000, "time does not move");
        }
        self.now = end;
    }

    fn grant(&mut self, relay: u8, life: Duration) {
        self.open.remove(&relay);
        self.granted.insert(relay, self.now + life);
        self.feed(Input::Granted { relay, life });
    }

    fn act(&mut self, act: Act) {
        let picked = |open: &BTreeSet<u8>, pick: usize| open.iter().nth(pick % open.len().max(1)).copied();
        match act {
            Act::Answer { pick, life } => {
                if let Some(relay) = picked(&self.open, pick) {
                    self.grant(relay, Duration::from_secs(life));
                }
            }
            Act::Refuse { pick } => {
                if let Some(relay) = picked(&self.open, pick) {
                    self.open.remove(&relay);
                    self.feed(Input::Refused { relay });
                }
            }
            Act::Kill { relay } => {
                let others: Vec<u8> = self.announced.iter().filter(|other| **other != relay).copied().collect();
                self.open.remove(&relay);
                self.granted.remove(&relay);
                self.announced_in(Input::Lost { relay }, relay, &others);
            }
            Act::Drain { relay, seconds } => {
                self.feed(Input::Draining { relay, within: Duration::from_secs(seconds) });
            }
            Act::Candidates { mask } => {
                let relays = (0..16).filter(|relay| mask & (1 << relay) != 0);
                self.feed(Input::Candidates(
                    relays.map(|relay| known(relay, relay / 2, 10 + u64::from(relay))).collect(),
                ));
            }
            Act::Stray { relay, life } => {
                if !self.open.contains(&relay) && !self.granted.contains_key(&relay) && self.wanted {
                    self.grant(relay, Duration::from_secs(life));
                }
            }
            Act::Roam => drop(self.feed(Input::Roamed)),
            Act::Rest => {
                for relay in self.open.clone() {
                    self.grant(relay, LIFE);
                }
            }
            Act::Pass { seconds } => self.pass(Duration::from_secs(seconds)),
            Act::Toggle => {
                self.wanted = !self.wanted;
                self.feed(if self.wanted { Input::Want } else { Input::Unwant });
            }
        }
    }

    /// A relay fails: what else was announced still is, and one of it is home, before anything else happens.
    fn announced_in(&mut self, input: Input<u8>, lost: u8, others: &[u8]) {
        self.feed(input);
        assert!(!self.announced.contains(&lost));
        assert!(others.iter().any(|other| self.announced.contains(other)) || others.is_empty());
        assert!(others.is_empty() || self.machine.home().is_none_or(|home| others.contains(&home)));
    }
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn any_interleaving_keeps_the_promises(acts in acts(), standbys in 0_usize..4, policy in 0..POLICIES.len(), seed: u64) {
        let settings = Settings { standbys, policy: POLICIES[policy], ..Settings::default() };
        let mut machine = Machine::new(settings, seed);
        step(&mut machine, at(0), Input::Want);
        let granted = std::collections::BTreeMap::new();
        let (open, announced) = (BTreeSet::new(), Vec::new());
        let mut world = World { machine, standbys, now: at(0), wanted: true, open, granted, announced };
        for act in acts {
            world.act(act);
        }

        // Heal, and demand progress: every relay there, every request granted.
        if !world.wanted {
            world.act(Act::Toggle);
        }
        world.act(Act::Candidates { mask: u16::MAX });
        for _ in 0..400 {
            world.act(Act::Rest);
            world.pass(Duration::from_secs(3));
        }
        prop_assert_eq!(world.announced.len(), standbys + 1);
        let networks: BTreeSet<u8> = world.announced.iter().map(|relay| relay / 2).collect();
        prop_assert_eq!(networks.len(), standbys + 1, "{:?} are not independent", world.announced);
    }

    #[test]
    fn nothing_that_is_held_ever_ends_while_relays_answer(standbys in 0_usize..4, life in 60_u64..4_000, seed: u64) {
        let candidates: Vec<_> = (0..8).map(|relay| known(relay, relay, 10 + u64::from(relay))).collect();
        let mut machine = Machine::new(Settings { standbys, ..Settings::default() }, seed);
        step(&mut machine, at(0), Input::Candidates(candidates));
        // Every answer is the slowest that is in time.
        let latency = ANSWER - Duration::from_millis(1);
        let mut answers = BTreeSet::new();
        let mut outputs = step(&mut machine, at(0), Input::Want);
        let mut now = at(0);
        for _ in 0..200 {
            let failed = outputs.iter().any(|output| matches!(output, Output::Failed { .. }));
            prop_assert!(!failed, "{:?}", outputs);
            answers.extend(asked(&outputs).into_iter().map(|relay| (now + latency, relay)));
            let answer = answers.first().copied().filter(|(due, _)| *due <= machine.deadline().unwrap());
            outputs = if let Some((due, relay)) = answer {
                answers.pop_first();
                now = due;
                step(&mut machine, now, Input::Granted { relay, life: Duration::from_secs(life) })
            } else {
                now = now.max(machine.deadline().unwrap());
                step(&mut machine, now, Input::Tick)
            };
        }
    }
}

#[test]
fn a_renewal_that_nobody_asked_for_counts() {
    let mut machine = settled(0, &[known(1, 1, 10)]);
    step(&mut machine, at(1_700), Input::Granted { relay: 1, life: LIFE });
    let mut now = at(1_700);
    let renewal = Output::Reserve { relay: 1, purpose: Purpose::Renewal };
    while !step(&mut machine, now, Input::Tick).contains(&renewal) {
        now = machine.deadline().unwrap();
    }
    assert!(now >= at(1_700 + 1_800), "{now:?}");
}

#[test]
fn a_relay_that_is_about_to_stop_is_not_asked_even_if_it_was_not_in_use() {
    let mut machine = settled(0, &[known(1, 1, 10), known(2, 2, 20), known(3, 3, 30)]);
    step(&mut machine, at(1), Input::Draining { relay: 2, within: Duration::from_secs(600) });
    assert_eq!(asked(&step(&mut machine, at(2), Input::Lost { relay: 1 })), [3]);
}
