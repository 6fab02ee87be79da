//! Probes of a silent connection, often enough that no NAT on the way forgets it, and that its death is noticed.
//!
//! One [`Machine`] per connection:
//!
//! | state | leaves it by |
//! |---|---|
//! | quiet | `Sent` and `Received` put the probe off; after the interval a `Probe` goes out: asking |
//! | asking | `Received`: quiet; each [`ANSWER`] another `Probe`, after [`PROBES`] of them `Dead`: dead |
//! | dead | `Received` (it was only slow): quiet |
//!
//! Only what we send refreshes a mapping everywhere (RFC 4787, REQ-6), and only what we receive shows that the peer is there. So the
//! probe is put off by the older of the two.

use std::time::Duration;

use crate::Time;
use darkswap_core::random::Random;

/// The life of a UDP mapping that is assumed: RFC 4787 (REQ-5) asks for two minutes, and devices in use often give 30 s.
pub const MAPPING_LIFE: Duration = Duration::from_secs(30);

/// How long the answer to a probe may take: above the round-trip time of a congested satellite link.
pub const ANSWER: Duration = Duration::from_secs(3);

/// Probes without an answer after which a connection counts as dead. One or two may be lost on a bad radio link.
pub const PROBES: u32 = 3;

/// The shortest life that is taken seriously. It bounds the traffic of probes, whatever was measured or configured.
const SHORTEST_LIFE: Duration = Duration::from_secs(4);

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Something was sent on the connection.
    Sent,
    /// Something arrived on it.
    Received,
    /// Our address changed: nobody knows whether the connection survived.
    Roamed,
    /// Time passed; nothing else happened.
    Tick,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Send something that the peer answers. It counts as `Sent`.
    Probe,
    /// Nobody answered: treat the connection as lost.
    Dead {
        /// Time since something arrived.
        silent: Duration,
    },
}

/// When one connection is probed.
#[derive(Debug, Clone)]
pub struct Machine {
    life: Duration,
    random: Random,
    sent: Time,
    received: Time,
    state: State,
    output: Option<Output>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Quiet { probe: Time },
    Asking { probes: u32, until: Time },
    Dead,
}

impl Machine {
    /// A connection that was opened now, behind NATs that forget after `life` ([`MAPPING_LIFE`] when nothing is known).
    #[must_use]
    pub fn new(now: Time, life: Duration, seed: u64) -> Self {
        let state = State::Quiet { probe: now };
        let life = life.max(SHORTEST_LIFE);
        let mut machine = Self { life, random: Random::new(seed), sent: now, received: now, state, output: None };
        machine.rest();
        machine
    }

    /// Takes note of what happened. Drain [`poll`](Self::poll) afterwards.
    pub fn handle(&mut self, now: Time, input: Input) {
        match input {
            Input::Sent => {
                self.sent = self.sent.max(now);
                if matches!(self.state, State::Quiet { .. }) {
                    self.rest();
                }
            }
            Input::Received => {
                self.received = self.received.max(now);
                self.rest();
            }
            Input::Roamed => self.ask(now, 1),
            Input::Tick => self.advance(now),
        }
    }

    /// What to do next; call until `None`.
    pub fn poll(&mut self) -> Option<Output> {
        self.output.take()
    }

    /// When to send [`Input::Tick`] if nothing else happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        match self.state {
            State::Quiet { probe } => Some(probe),
            State::Asking { until, .. } => Some(until),
            State::Dead => None,
        }
    }

    /// The next probe after three to four eighths of the mapping's life: below half of it, so that one lost probe costs nothing, and
    /// with jitter, so that a thousand connections are not probed at once.
    fn rest(&mut self) {
        let probe = self.sent.min(self.received) + self.random.between(self.life * 3 / 8, self.life / 2);
        self.state = State::Quiet { probe };
    }

    fn ask(&mut self, now: Time, probes: u32) {
        self.sent = self.sent.max(now);
        self.state = State::Asking { probes, until: now + ANSWER };
        self.output = Some(Output::Probe);
    }

    fn advance(&mut self, now: Time) {
        match self.state {
            State::Quiet { probe } if now >= probe => self.ask(now, 1),
            State::Asking { probes, until } if now >= until && probes < PROBES => self.ask(now, probes + 1),
            State::Asking { until, .. } if now >= until => {
                self.state = State::Dead;
                self.output = Some(Output::Dead { silent: now.saturating_sub(self.received) });
            }
            State::Quiet { .. } | State::Asking { .. } | State::Dead => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn step(machine: &mut Machine, now: Time, input: Input) -> Option<Output> {
        machine.handle(now, input);
        machine.poll()
    }

    #[test]
    fn a_silent_connection_is_probed_and_then_dead() {
        let mut machine = Machine::new(Time::ZERO, MAPPING_LIFE, 7);
        let start = machine.deadline().unwrap();
        for probe in 0..PROBES {
            let now = machine.deadline().unwrap();
            assert_eq!(now, start + ANSWER * probe);
            assert_eq!(step(&mut machine, now, Input::Tick), Some(Output::Probe));
        }
        let end = machine.deadline().unwrap();
        assert_eq!(step(&mut machine, end, Input::Tick), Some(Output::Dead { silent: end }));
        assert_eq!(machine.deadline(), None);
    }

    #[test]
    fn an_answer_ends_the_asking() {
        let mut machine = Machine::new(Time::ZERO, MAPPING_LIFE, 7);
        let now = machine.deadline().unwrap();
        assert_eq!(step(&mut machine, now, Input::Tick), Some(Output::Probe));
        assert_eq!(step(&mut machine, now + ANSWER / 2, Input::Received), None);
        assert!(machine.deadline().unwrap() > now + ANSWER);
    }

    #[test]
    fn whoever_roamed_asks_at_once() {
        let mut machine = Machine::new(Time::ZERO, MAPPING_LIFE, 7);
        assert_eq!(step(&mut machine, Time::from_secs(1), Input::Roamed), Some(Output::Probe));
    }

    #[test]
    fn receiving_alone_does_not_put_the_probe_off() {
        let mut machine = Machine::new(Time::ZERO, MAPPING_LIFE, 7);
        for second in 1..10 {
            step(&mut machine, Time::from_secs(second), Input::Received);
        }
        assert!(machine.deadline().unwrap() <= MAPPING_LIFE / 2);
    }

    proptest! {
        #![proptest_config(crate::cases())]

        /// Whatever the peer sends: between two things that we send there is never as much as the mapping's life.
        #[test]
        fn no_mapping_is_ever_forgotten(seed: u64, life in 1_u64..300, steps in prop::collection::vec((0_u8..3, 0_u64..60_000), 1..64)) {
            let life = Duration::from_secs(life).max(SHORTEST_LIFE);
            let mut machine = Machine::new(Time::ZERO, life, seed);
            let (mut now, mut sent) = (Time::ZERO, Time::ZERO);
            for (step, millis) in steps {
                let wanted = now + Duration::from_millis(millis);
                while let Some(deadline) = machine.deadline().filter(|deadline| *deadline <= wanted) {
                    now = deadline.max(now);
                    machine.handle(now, Input::Tick);
                    if machine.poll() == Some(Output::Probe) {
                        prop_assert!(now - sent < life);
                        sent = now;
                        // The peer answers at once.
                        machine.handle(now, Input::Received);
                    }
                }
                now = wanted;
                match step {
                    0 => { machine.handle(now, Input::Sent); sent = now; }
                    1 => machine.handle(now, Input::Received),
                    _ => machine.handle(now, Input::Tick),
                }
                prop_assert!(now - sent < life);
            }
        }
    }
}
