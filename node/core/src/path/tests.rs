use proptest::prelude::*;

use super::*;
use crate::Time;

const DIRECT: PathKind = PathKind::Direct;
const RELAYED: PathKind = PathKind::Relayed;
const BOTH: Known = Known { global: true, private: false, relayed: true };

fn at(seconds: u64) -> Time {
    Duration::from_secs(seconds)
}

fn key(number: u64) -> ConnectionKey {
    ConnectionKey(number)
}

fn opened(number: u64, kind: PathKind) -> Input {
    Input::Opened { connection: key(number), kind }
}

fn drain(machine: &mut Machine) -> Vec<Output> {
    std::iter::from_fn(|| machine.poll()).collect()
}

fn step(machine: &mut Machine, now: Time, input: Input) -> Vec<Output> {
    machine.handle(now, input);
    drain(machine)
}

fn changed(from: Option<PathKind>, to: Option<PathKind>, seconds: u64) -> Output {
    Output::Changed { from, to, elapsed: at(seconds) }
}

/// A machine that knows both kinds of address and was asked for a path at time 0.
fn wanted() -> Machine {
    let mut machine = Machine::new(true, 7);
    assert_eq!(step(&mut machine, at(0), Input::Addresses(BOTH)), []);
    assert_eq!(step(&mut machine, at(0), Input::Want), [Output::Dial { kind: DIRECT }]);
    machine
}

#[test]
fn direct_is_tried_first_and_the_relay_after_its_failure() {
    let mut machine = wanted();
    assert_eq!(step(&mut machine, at(0), Input::DialFailed { kind: DIRECT }), [Output::Dial { kind: RELAYED }]);
    assert_eq!(step(&mut machine, at(1), opened(1, RELAYED)), [changed(None, Some(RELAYED), 1)]);
}

#[test]
fn a_slow_direct_dial_gets_a_head_start_only() {
    let mut machine = wanted();
    assert_eq!(machine.deadline(), Some(HEAD_START));
    assert_eq!(step(&mut machine, HEAD_START, Input::Tick), [Output::Dial { kind: RELAYED }]);
}

#[test]
fn private_addresses_get_no_head_start() {
    let mut machine = Machine::new(true, 7);
    step(&mut machine, at(0), Input::Addresses(Known { private: true, relayed: true, ..Known::default() }));
    assert_eq!(step(&mut machine, at(0), Input::Want), [Output::Dial { kind: DIRECT }, Output::Dial { kind: RELAYED }]);
}

#[test]
fn without_direct_addresses_the_relay_is_dialled_at_once() {
    let mut machine = Machine::new(true, 7);
    step(&mut machine, at(0), Input::Addresses(Known { relayed: true, ..Known::default() }));
    assert_eq!(step(&mut machine, at(0), Input::Want), [Output::Dial { kind: RELAYED }]);
}

#[test]
fn a_hole_punch_upgrades_the_path_and_the_relayed_connection_is_closed_later() {
    let mut machine = wanted();
    step(&mut machine, at(1), Input::Tick);
    step(&mut machine, at(2), opened(1, RELAYED));
    assert_eq!(step(&mut machine, at(3), opened(2, DIRECT)), [changed(Some(RELAYED), Some(DIRECT), 1)]);
    assert_eq!(machine.deadline(), Some(at(3) + LINGER));
    assert_eq!(step(&mut machine, at(3) + LINGER, Input::Tick), [Output::Close { connection: key(1) }]);
}

#[test]
fn of_two_direct_connections_the_older_is_kept_because_a_reservation_may_live_on_it() {
    let mut machine = Machine::new(true, 7);
    step(&mut machine, at(0), opened(1, DIRECT));
    step(&mut machine, at(9), opened(2, DIRECT));
    assert_eq!(step(&mut machine, at(9) + LINGER, Input::Tick), [Output::Close { connection: key(2) }]);
}

#[test]
fn of_two_relayed_connections_the_newer_is_kept() {
    let mut machine = Machine::new(true, 7);
    step(&mut machine, at(0), opened(1, RELAYED));
    step(&mut machine, at(9), opened(2, RELAYED));
    assert_eq!(step(&mut machine, at(9) + LINGER, Input::Tick), [Output::Close { connection: key(1) }]);
}

#[test]
fn only_one_side_closes_surplus_connections() {
    let mut machine = Machine::new(false, 7);
    step(&mut machine, at(0), opened(1, RELAYED));
    step(&mut machine, at(0), opened(2, DIRECT));
    assert_eq!(step(&mut machine, at(60), Input::Tick), []);
}

#[test]
fn when_direct_breaks_the_relay_is_dialled_at_once() {
    let mut machine = wanted();
    step(&mut machine, at(0), opened(1, DIRECT));
    assert_eq!(
        step(&mut machine, at(9), Input::Closed { connection: key(1) }),
        [changed(Some(DIRECT), None, 9), Output::Dial { kind: DIRECT }, Output::Dial { kind: RELAYED }]
    );
    assert_eq!(step(&mut machine, at(11), opened(2, RELAYED)), [changed(None, Some(RELAYED), 2)]);
}

#[test]
fn a_failed_hole_punch_is_tried_once_with_the_roles_reversed() {
    let mut machine = Machine::new(true, 7);
    step(&mut machine, at(0), Input::Addresses(BOTH));
    step(&mut machine, at(0), opened(1, RELAYED));
    assert_eq!(step(&mut machine, at(5), Input::HolePunchFailed), [Output::Dial { kind: RELAYED }]);
    step(&mut machine, at(6), opened(2, RELAYED));
    assert_eq!(step(&mut machine, at(9), Input::HolePunchFailed), []);
}

#[test]
fn a_relayed_path_is_upgraded_again_with_back_off() {
    let mut machine = wanted();
    step(&mut machine, at(0), Input::DialFailed { kind: DIRECT });
    step(&mut machine, at(0), opened(1, RELAYED));
    let first = machine.deadline().unwrap();
    assert!(first >= UPGRADE.0 / 2 && first <= UPGRADE.0, "{first:?}");
    assert_eq!(step(&mut machine, first, Input::Tick), [Output::Dial { kind: DIRECT }, Output::Dial { kind: RELAYED }]);
    assert!(machine.deadline().unwrap() > first);
}

#[test]
fn a_new_address_of_our_own_brings_the_next_upgrade_forward() {
    let mut machine = wanted();
    step(&mut machine, at(0), Input::DialFailed { kind: DIRECT });
    step(&mut machine, at(0), opened(1, RELAYED));
    assert_eq!(step(&mut machine, at(2), Input::OwnAddress), []);
    assert_eq!(machine.deadline(), Some(at(2) + NEWS));
}

#[test]
fn when_everything_fails_it_says_so_and_tries_again() {
    let mut machine = wanted();
    step(&mut machine, at(0), Input::DialFailed { kind: DIRECT });
    assert_eq!(step(&mut machine, at(2), Input::DialFailed { kind: RELAYED }), [Output::Failed { elapsed: at(2) }]);
    let again = machine.deadline().unwrap();
    assert!(again > at(2) && again <= at(2) + RETRY.0);
    assert_eq!(step(&mut machine, again, Input::Tick), [Output::Dial { kind: DIRECT }]);
}

#[test]
fn new_addresses_cut_the_wait_short() {
    let mut machine = Machine::new(true, 7);
    assert_eq!(step(&mut machine, at(0), Input::Want), [Output::Failed { elapsed: at(0) }]);
    assert_eq!(step(&mut machine, at(0), Input::Addresses(BOTH)), [Output::Dial { kind: DIRECT }]);
}

#[test]
fn a_released_peer_is_closed_and_left_alone() {
    let mut machine = wanted();
    step(&mut machine, at(0), opened(1, DIRECT));
    assert_eq!(
        step(&mut machine, at(1), Input::Release),
        [Output::Close { connection: key(1) }, changed(Some(DIRECT), None, 1)]
    );
    assert_eq!(step(&mut machine, at(2), Input::Closed { connection: key(1) }), []);
    assert!(machine.is_idle());
    assert_eq!(machine.deadline(), None);
}

fn any_input() -> impl Strategy<Value = Input> {
    let kind = || prop_oneof![Just(DIRECT), Just(RELAYED)];
    prop_oneof![
        Just(Input::Want),
        Just(Input::Release),
        any::<[bool; 3]>().prop_map(|[global, private, relayed]| Input::Addresses(Known { global, private, relayed })),
        (0..6_u64, kind()).prop_map(|(number, kind)| opened(number, kind)),
        (0..6_u64).prop_map(|number| Input::Closed { connection: key(number) }),
        kind().prop_map(|kind| Input::DialFailed { kind }),
        Just(Input::HolePunchFailed),
        Just(Input::OwnAddress),
        Just(Input::Tick),
    ]
}

proptest! {
    /// Whatever happens, in any order: a wanted peer without a path has something under way or a deadline, a surplus close never
    /// takes the last connection, and no input makes the machine answer without end.
    #[test]
    fn it_never_gets_stuck_and_never_closes_the_last_path(inputs in prop::collection::vec((any_input(), 0..20_u64), 1..80)) {
        let mut machine = Machine::new(true, 7);
        let (mut now, mut dialling) = (0, [0_i32; 2]);
        for (input, pause) in inputs {
            now += pause;
            let released = input == Input::Release;
            match input {
                Input::Opened { kind, .. } | Input::DialFailed { kind } => dialling[kind as usize] = 0,
                _ => {}
            }
            let before = machine.best();
            let outputs = step(&mut machine, at(now), input);
            prop_assert!(outputs.len() <= 10, "{:?}", outputs);
            for output in &outputs {
                if let Output::Dial { kind } = output {
                    dialling[*kind as usize] += 1;
                }
                if matches!(output, Output::Close { .. }) && !released {
                    prop_assert!(before.is_none() || machine.best().is_some());
                }
            }
            if machine.is_wanted() && machine.best().is_none() {
                prop_assert!(dialling != [0, 0] || machine.deadline().is_some());
            }
        }
    }
}
