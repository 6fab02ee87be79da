//! Estimates and reservations together, over relays that answer, jitter, lie and die.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use darkswap_connectivity::Time;
use darkswap_connectivity::relay::estimate::{self, Origin};
use darkswap_connectivity::relay::policy;
use darkswap_connectivity::relay::reservation::{self, Settings};
use darkswap_core::random::Random;

const HOUR: Duration = Duration::from_secs(3_600);
/// How often the node looks at the world in these tests.
const STEP: Duration = Duration::from_millis(100);
/// The longest that a round trip of the lowest round-trip time is off.
const JITTER: Duration = Duration::from_millis(15);

/// Relays with a number, each in a network of its own, and one node behind them.
struct World {
    now: Time,
    relays: Vec<Duration>,
    dead: BTreeSet<u8>,
    stalling: BTreeSet<u8>,
    estimates: estimate::Machine<u8>,
    reservations: reservation::Machine<u8>,
    random: Random,
    announced: Vec<u8>,
    /// Changes of home for a better one.
    flaps: u32,
    /// Time in which nothing was announced, or only dead relays.
    unreachable: Duration,
}

impl World {
    fn new(policy: &str, standbys: usize, relays: &[u64]) -> Self {
        let settings =
            Settings { standbys, policy: policy::policy(policy).expect("a registered policy"), ..Settings::default() };
        let mut world = Self {
            now: Time::ZERO,
            relays: relays.iter().copied().map(Duration::from_millis).collect(),
            dead: BTreeSet::new(),
            stalling: BTreeSet::new(),
            estimates: estimate::Machine::new(estimate::Settings::default(), 1),
            reservations: reservation::Machine::new(settings, 2),
            random: Random::new(3),
            announced: Vec::new(),
            flaps: 0,
            unreachable: Duration::ZERO,
        };
        for relay in (0..).take(relays.len()) {
            let addresses: Vec<IpAddr> = vec![Ipv4Addr::new(198, relay, 0, 1).into()];
            world.estimate(estimate::Input::Learnt { relay, origin: Origin::Configured, addresses, hint: None });
        }
        world.reserve(reservation::Input::Want);
        world
    }

    fn estimate(&mut self, input: estimate::Input<u8>) {
        self.estimates.handle(self.now, input);
        while let Some(output) = self.estimates.poll() {
            let relay = match output {
                estimate::Output::Probe { relay } => relay,
                // The death of a relay is told by these tests, when they choose.
                estimate::Output::Silent { .. } => continue,
                output => panic!("{output:?} of a small table"),
            };
            if !self.dead.contains(&relay) {
                let stall = Duration::from_millis(if self.stalling.contains(&relay) { 800 } else { 0 });
                let rtt = self.relays[usize::from(relay)] + self.random.between(Duration::ZERO, JITTER) + stall;
                self.estimates.handle(self.now, estimate::Input::Answered { relay, rtt });
                self.estimates.handle(self.now, estimate::Input::Reported { relay, load: 0.1 });
            }
        }
    }

    fn reserve(&mut self, input: reservation::Input<u8>) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            self.reservations.handle(self.now, input);
            while let Some(output) = self.reservations.poll() {
                match output {
                    reservation::Output::Reserve { relay, .. } => {
                        inputs.push(if self.dead.contains(&relay) {
                            self.estimates.handle(self.now, estimate::Input::Refused { relay });
                            reservation::Input::Refused { relay }
                        } else {
                            self.estimates.handle(self.now, estimate::Input::Granted { relay });
                            reservation::Input::Granted { relay, life: HOUR }
                        });
                    }
                    reservation::Output::Announce { relays } => self.announced = relays,
                    reservation::Output::Home { reason: reservation::HomeReason::Better, .. } => self.flaps += 1,
                    reservation::Output::Home { .. }
                    | reservation::Output::Release { .. }
                    | reservation::Output::Failed { .. }
                    | reservation::Output::Short { .. } => {}
                }
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += STEP;
            self.estimate(estimate::Input::Uses { relays: self.reservations.relays().collect() });
            if self.now.as_millis().is_multiple_of(1_000) {
                self.reserve(reservation::Input::Candidates(self.estimates.candidates(self.now)));
            } else {
                self.reserve(reservation::Input::Tick);
            }
            if self.announced.iter().all(|relay| self.dead.contains(relay)) {
                self.unreachable += STEP;
            }
        }
    }

    /// A relay dies, and after this time its connection is known to be lost.
    fn kill(&mut self, relay: u8, notice: Duration) {
        self.dead.insert(relay);
        self.pass(notice);
        self.reserve(reservation::Input::Lost { relay });
    }
}

#[test]
fn without_a_standby_the_death_of_the_home_is_felt_until_it_is_noticed_and_with_one_not_at_all() {
    // Without one, what the probes say of the home is known before its connection is lost.
    for (standbys, least, most) in [(0, 2, 5), (1, 0, 0)] {
        let mut world = World::new("lowest_latency", standbys, &[20, 60, 90, 140]);
        world.pass(Duration::from_secs(120));
        assert_eq!(world.reservations.home(), Some(0));
        world.unreachable = Duration::ZERO;
        world.kill(0, Duration::from_secs(12));
        world.pass(Duration::from_secs(120));
        assert_ne!(world.reservations.home(), Some(0));
        let gap = world.unreachable.as_secs();
        assert!((least..=most).contains(&gap), "{gap} s with {standbys} standbys");
    }
}

#[test]
fn near_equal_relays_take_turns_under_lowest_latency_and_not_under_sticky() {
    let flaps = |policy| {
        let mut world = World::new(policy, 1, &[50, 51, 52, 53]);
        world.pass(Duration::from_secs(120));
        world.flaps = 0;
        world.pass(HOUR);
        world.flaps
    };
    let baseline = flaps("lowest_latency");
    assert!(baseline >= 10, "{baseline}");
    assert_eq!(flaps("sticky"), 0);
}

#[test]
fn a_relay_that_stalls_and_claims_to_be_idle_is_left() {
    let mut world = World::new("sticky", 1, &[20, 60, 90]);
    world.pass(Duration::from_secs(60));
    assert_eq!(world.reservations.home(), Some(0));
    world.stalling.insert(0);
    world.pass(Duration::from_secs(120));
    assert_ne!(world.reservations.home(), Some(0));
    assert!(world.estimates.estimate(0).unwrap().credibility() < 0.1);
}

#[test]
fn every_policy_keeps_a_node_reachable_while_relays_die_one_after_another() {
    for policy in policy::names() {
        let mut world = World::new(policy, 1, &[20, 30, 40, 60, 90, 140]);
        world.pass(Duration::from_secs(60));
        world.unreachable = Duration::ZERO;
        for _ in 0..4 {
            let home = world.reservations.home().unwrap();
            world.kill(home, Duration::from_secs(12));
            world.pass(Duration::from_secs(60));
        }
        assert_eq!(world.unreachable, Duration::ZERO, "{policy}");
        assert_eq!(world.announced.len(), 2, "{policy}");
    }
}

#[test]
fn the_same_seeds_give_the_same_minutes() {
    let minutes = || {
        let mut world = World::new("power_of_two_choices", 2, &[50, 51, 52, 53, 60, 70]);
        world.pass(Duration::from_secs(600));
        (world.announced, world.flaps, world.unreachable)
    };
    assert_eq!(minutes(), minutes());
}
