use proptest::prelude::*;

use super::*;
use crate::Time;

const DIRECT: PathKind = PathKind::Direct;
const RELAYED: PathKind = PathKind::Relayed;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn key(number: u64) -> ConnectionKey {
    ConnectionKey(number)
}

fn step(machine: &mut Machine<u32>, now: Time, input: Input<u32>) -> Vec<Output> {
    machine.handle(now, input);
    std::iter::from_fn(|| machine.poll()).collect()
}

/// Drives a machine by its own deadlines up to a time; nobody answers.
fn silence(machine: &mut Machine<u32>, until: Time) -> Vec<(Time, Output)> {
    let mut seen = Vec::new();
    while let Some(at) = machine.deadline().filter(|at| *at <= until) {
        seen.extend(step(machine, at, Input::Tick).into_iter().map(|output| (at, output)));
    }
    seen
}

/// A machine with one connection of 100 ms, which was heard of now.
fn warm(kind: PathKind) -> Machine<u32> {
    let mut machine = Machine::default();
    step(&mut machine, ms(0), Input::Opened { connection: key(1), kind });
    for _ in 0..32 {
        step(&mut machine, ms(0), Input::RoundTrip { connection: key(1), elapsed: ms(100) });
    }
    machine
}

#[test]
fn a_late_answer_is_followed_by_a_probe_and_then_by_doubt() {
    let mut machine = warm(RELAYED);
    assert_eq!(machine.deadline(), None);
    step(&mut machine, ms(100), Input::Asked { request: 1, size: 0 });
    let seen = silence(&mut machine, ms(1_700));
    let connection = key(1);
    assert_eq!(
        seen,
        [
            (ms(1_100), Output::Probe { connection }),
            (ms(1_600), Output::Doubted { connection, silent: ms(1_600) }),
            (ms(1_600), Output::Probe { connection })
        ]
    );
}

#[test]
fn whoever_is_heard_is_not_probed() {
    let mut machine = warm(RELAYED);
    step(&mut machine, ms(100), Input::Asked { request: 1, size: 0 });
    assert_eq!(step(&mut machine, ms(900), Input::Heard { connection: key(1) }), []);
    assert_eq!(machine.deadline(), Some(ms(1_900)));
    step(&mut machine, ms(1_000), Input::Ended { request: 1 });
    assert_eq!(machine.deadline(), None);
}

#[test]
fn an_answered_probe_costs_nothing_more() {
    let mut machine = warm(DIRECT);
    step(&mut machine, ms(0), Input::Asked { request: 1, size: 0 });
    assert_eq!(silence(&mut machine, ms(1_000)), [(ms(1_000), Output::Probe { connection: key(1) })]);
    assert_eq!(step(&mut machine, ms(1_100), Input::Heard { connection: key(1) }), []);
    assert_eq!(machine.deadline(), Some(ms(2_100)));
}

#[test]
fn a_doubted_connection_is_cleared_by_a_late_answer() {
    let mut machine = warm(DIRECT);
    step(&mut machine, ms(0), Input::Asked { request: 1, size: 0 });
    silence(&mut machine, ms(1_500));
    let cleared = Output::Cleared { connection: key(1) };
    assert_eq!(step(&mut machine, ms(1_800), Input::Heard { connection: key(1) }), [cleared]);
}

#[test]
fn a_doubted_connection_without_another_is_probed_and_kept() {
    let mut machine = warm(RELAYED);
    step(&mut machine, ms(0), Input::Asked { request: 1, size: 0 });
    let seen = silence(&mut machine, ms(60_000));
    assert!(seen.iter().all(|(_, output)| !matches!(output, Output::Dead { .. })), "{seen:?}");
    assert!(seen.len() < 30, "{}", seen.len());
}

#[test]
fn a_new_connection_of_its_kind_replaces_a_doubted_one_at_once() {
    let mut machine = warm(RELAYED);
    step(&mut machine, ms(0), Input::Asked { request: 1, size: 0 });
    silence(&mut machine, ms(1_500));
    let dead = Output::Dead { connection: key(1), silent: ms(2_000) };
    assert_eq!(step(&mut machine, ms(2_000), Input::Opened { connection: key(2), kind: RELAYED }), [dead]);
}

#[test]
fn a_doubted_direct_connection_gets_another_chance_when_a_relayed_one_opens() {
    let mut machine = warm(DIRECT);
    step(&mut machine, ms(0), Input::Asked { request: 1, size: 0 });
    silence(&mut machine, ms(1_500));
    let probe = Output::Probe { connection: key(1) };
    assert_eq!(step(&mut machine, ms(1_600), Input::Opened { connection: key(2), kind: RELAYED }), [probe]);
    let dead = Output::Dead { connection: key(1), silent: ms(2_100) };
    assert!(silence(&mut machine, ms(2_100)).contains(&(ms(2_100), dead)));
}

#[test]
fn a_dead_connection_beside_one_that_answers_is_given_up_without_a_dial() {
    let mut machine = warm(DIRECT);
    step(&mut machine, ms(0), Input::Opened { connection: key(2), kind: RELAYED });
    step(&mut machine, ms(0), Input::RoundTrip { connection: key(2), elapsed: ms(150) });
    step(&mut machine, ms(0), Input::Asked { request: 1, size: 0 });
    silence(&mut machine, ms(1_000));
    step(&mut machine, ms(1_200), Input::Heard { connection: key(2) });
    let dead = Output::Dead { connection: key(1), silent: ms(1_500) };
    assert_eq!(silence(&mut machine, ms(1_500)), [(ms(1_500), dead)]);
}

#[test]
fn whoever_roamed_asks_every_connection_at_once() {
    let mut machine = warm(DIRECT);
    assert_eq!(step(&mut machine, ms(5_000), Input::Roamed), [Output::Probe { connection: key(1) }]);
    assert_eq!(machine.deadline(), Some(ms(5_500)));
}

#[test]
fn a_large_request_gets_the_time_that_it_takes() {
    let mut machine = warm(RELAYED);
    step(&mut machine, ms(0), Input::Asked { request: 1, size: 1 << 20 });
    assert_eq!(machine.deadline(), Some(ms(17_000)));
}

#[test]
fn after_an_alarm_the_next_one_takes_longer_until_it_is_calm() {
    let mut machine = warm(RELAYED);
    for (asked, after) in [(ms(0), ms(1_500)), (ms(10_000), ms(3_000)), (ms(100_000), ms(1_500))] {
        step(&mut machine, asked, Input::Heard { connection: key(1) });
        step(&mut machine, asked, Input::Asked { request: 1, size: 0 });
        let seen = silence(&mut machine, asked + ms(5_000));
        let doubted = seen.iter().find(|(_, output)| matches!(output, Output::Doubted { .. })).unwrap();
        assert_eq!(doubted.0, asked + after);
        step(&mut machine, asked + ms(5_000), Input::Heard { connection: key(1) });
        step(&mut machine, asked + ms(5_000), Input::Ended { request: 1 });
    }
}

#[test]
fn a_second_death_is_noticed_as_soon_as_the_first() {
    let mut machine = warm(RELAYED);
    step(&mut machine, ms(0), Input::Asked { request: 1, size: 0 });
    silence(&mut machine, ms(1_500));
    step(&mut machine, ms(2_000), Input::Opened { connection: key(2), kind: RELAYED });
    step(&mut machine, ms(2_000), Input::Ended { request: 1 });
    for _ in 0..32 {
        step(&mut machine, ms(2_000), Input::RoundTrip { connection: key(2), elapsed: ms(100) });
    }
    step(&mut machine, ms(9_000), Input::Asked { request: 2, size: 0 });
    let doubted = Output::Doubted { connection: key(2), silent: ms(8_500) };
    assert!(silence(&mut machine, ms(10_500)).contains(&(ms(10_500), doubted)));
}

#[test]
fn a_slow_connection_gets_more_time() {
    let mut machine = Machine::default();
    step(&mut machine, ms(0), Input::Opened { connection: key(1), kind: RELAYED });
    for _ in 0..64 {
        step(&mut machine, ms(0), Input::RoundTrip { connection: key(1), elapsed: ms(900) });
    }
    step(&mut machine, ms(0), Input::Asked { request: 1, size: 0 });
    assert!(machine.deadline().unwrap() >= ms(1_800));
}

proptest! {
    #![proptest_config(crate::cases())]

    /// Whatever happens: no probe without a request or a change of address, none faster than the shortest answer, and a peer that
    /// answers every probe is never doubted.
    #[test]
    fn who_answers_is_never_doubted(steps in prop::collection::vec((0_u8..6, 0_u64..4, 0_u64..3_000), 1..128)) {
        let mut machine: Machine<u32> = Machine::default();
        let mut now = Time::ZERO;
        for (step_of, number, millis) in steps {
            let wanted = now + ms(millis);
            while let Some(at) = machine.deadline().filter(|at| *at <= wanted) {
                now = now.max(at);
                machine.handle(now, Input::Tick);
                while let Some(output) = machine.poll() {
                    let Output::Probe { connection } = output else { panic!("{output:?}") };
                    machine.handle(now, Input::RoundTrip { connection, elapsed: ms(50) });
                }
            }
            now = wanted;
            let connection = key(number);
            let input = match step_of {
                0 => Input::Opened { connection, kind: if number % 2 == 0 { DIRECT } else { RELAYED } },
                1 => Input::Closed { connection },
                2 => Input::Asked { request: number as u32, size: 100 },
                3 => Input::Ended { request: number as u32 },
                4 => Input::Heard { connection },
                _ => Input::Roamed,
            };
            machine.handle(now, input);
            while let Some(output) = machine.poll() {
                let Output::Probe { connection } = output else { panic!("{output:?}") };
                machine.handle(now, Input::RoundTrip { connection, elapsed: ms(50) });
            }
        }
    }
}
