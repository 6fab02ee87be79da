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
    opened_as(number, kind, Origin::Accepted)
}

fn opened_as(number: u64, kind: PathKind, origin: Origin) -> Input {
    Input::Opened { connection: key(number), kind, origin }
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

/// A machine that negotiates, wants the peer, and has just opened a circuit to it by itself.
fn negotiating() -> Machine {
    let mut machine = Machine::new(true, 7).with_negotiation();
    step(&mut machine, at(0), Input::Addresses(Known { relayed: true, ..Known::default() }));
    step(&mut machine, at(0), Input::Want);
    step(&mut machine, at(0), opened_as(1, RELAYED, Origin::Dialled));
    machine
}

#[test]
fn the_dialler_of_a_circuit_negotiates_a_moment_after_the_hole_punch_began() {
    let mut machine = negotiating();
    assert_eq!(machine.deadline(), Some(ICE_STAGGER));
    assert_eq!(step(&mut machine, ICE_STAGGER, Input::Tick), [Output::Negotiate]);
    assert_eq!(step(&mut machine, at(1), Input::Tick), []);
}

#[test]
fn nothing_is_negotiated_by_the_accepting_side_nor_without_webrtc() {
    let mut accepting = Machine::new(true, 7).with_negotiation();
    step(&mut accepting, at(0), Input::Addresses(BOTH));
    step(&mut accepting, at(0), opened_as(1, RELAYED, Origin::Accepted));
    step(&mut accepting, at(0), Input::Want);
    assert_eq!(step(&mut accepting, at(1), Input::Tick), []);

    let mut without = Machine::new(true, 7);
    step(&mut without, at(0), Input::Addresses(Known { relayed: true, ..Known::default() }));
    step(&mut without, at(0), Input::Want);
    step(&mut without, at(0), opened_as(1, RELAYED, Origin::Dialled));
    assert_eq!(step(&mut without, at(1), Input::Tick), []);
}

#[test]
fn a_hole_punch_that_is_quick_makes_the_negotiation_needless() {
    let mut machine = negotiating();
    let now = ICE_STAGGER / 2;
    let changed = Output::Changed { from: Some(RELAYED), to: Some(DIRECT), elapsed: now };
    assert_eq!(step(&mut machine, now, opened(2, DIRECT)), [changed]);
    assert_eq!(step(&mut machine, at(1), Input::Tick), []);
}

#[test]
fn a_hole_punch_that_wins_ends_the_negotiation() {
    let mut machine = negotiating();
    step(&mut machine, ICE_STAGGER, Input::Tick);
    let outputs = step(&mut machine, at(1), opened(2, DIRECT));
    assert_eq!(outputs, [Output::AbandonNegotiation, changed(Some(RELAYED), Some(DIRECT), 1)]);
    assert_eq!(step(&mut machine, at(2), Input::NegotiationFailed), []);
}

#[test]
fn a_failed_negotiation_is_tried_again_over_the_circuit_of_the_next_upgrade() {
    let mut machine = negotiating();
    step(&mut machine, ICE_STAGGER, Input::Tick);
    assert_eq!(step(&mut machine, at(9), Input::NegotiationFailed), []);
    let upgrade = machine.deadline().unwrap();
    assert_eq!(step(&mut machine, upgrade, Input::Tick), [Output::Dial { kind: RELAYED }]);
    step(&mut machine, upgrade, opened_as(2, RELAYED, Origin::Dialled));
    assert_eq!(step(&mut machine, upgrade + ICE_STAGGER, Input::Tick), [Output::Negotiate]);
}

#[test]
fn a_peer_that_cannot_negotiate_is_left_alone_for_long() {
    let mut machine = negotiating();
    step(&mut machine, ICE_STAGGER, Input::Tick);
    step(&mut machine, at(1), Input::NegotiationUnsupported);
    step(&mut machine, at(60), opened_as(2, RELAYED, Origin::Dialled));
    assert!(!step(&mut machine, at(61), Input::Tick).contains(&Output::Negotiate));
    let later = at(1) + UNSUPPORTED;
    step(&mut machine, later, opened_as(3, RELAYED, Origin::Dialled));
    assert!(step(&mut machine, later + ICE_STAGGER, Input::Tick).contains(&Output::Negotiate));
}

#[test]
fn of_direct_connections_a_negotiated_one_gives_way_however_old_it_is() {
    let mut machine = Machine::new(true, 7);
    step(&mut machine, at(0), opened_as(1, DIRECT, Origin::Negotiated));
    step(&mut machine, at(9), opened_as(2, DIRECT, Origin::Dialled));
    assert_eq!(step(&mut machine, at(9) + LINGER, Input::Tick), [Output::Close { connection: key(1) }]);
}

#[test]
fn a_disturbed_circuit_makes_way_for_one_through_another_relay() {
    let mut machine = wanted();
    step(&mut machine, at(0), Input::DialFailed { kind: DIRECT });
    step(&mut machine, at(1), opened(1, RELAYED));
    let disturbed = Input::Disturbed { connection: key(1) };
    assert_eq!(step(&mut machine, at(9), disturbed.clone()), [Output::Dial { kind: RELAYED }]);
    assert_eq!(step(&mut machine, at(9), disturbed), []);
    assert_eq!(machine.best(), Some(RELAYED));
    assert_eq!(step(&mut machine, at(10), opened(2, RELAYED)), []);
    assert_eq!(step(&mut machine, at(10), Input::Closed { connection: key(1) }), []);
    assert_eq!(machine.best(), Some(RELAYED));
}

#[test]
fn a_sound_circuit_is_kept_before_a_newer_disturbed_one() {
    let mut machine = Machine::new(true, 7);
    step(&mut machine, at(0), opened(1, RELAYED));
    step(&mut machine, at(1), opened(2, RELAYED));
    step(&mut machine, at(2), Input::Disturbed { connection: key(2) });
    assert_eq!(step(&mut machine, at(2) + LINGER, Input::Tick), [Output::Close { connection: key(2) }]);
}

#[test]
fn a_disturbed_connection_to_an_address_is_dialled_again() {
    let mut machine = wanted();
    step(&mut machine, at(0), opened_as(1, DIRECT, Origin::Dialled));
    let dials = [Output::Dial { kind: RELAYED }, Output::Dial { kind: DIRECT }];
    assert_eq!(step(&mut machine, at(9), Input::Disturbed { connection: key(1) }), dials);
    assert_eq!(step(&mut machine, at(10), opened_as(2, DIRECT, Origin::Dialled)), []);
    assert_eq!(step(&mut machine, at(10) + LINGER, Input::Tick), [Output::Close { connection: key(1) }]);
}

#[test]
fn a_disturbed_connection_is_restored_through_the_relay() {
    let mut machine = negotiating();
    step(&mut machine, ICE_STAGGER, Input::Tick);
    step(&mut machine, at(1), opened_as(2, DIRECT, Origin::Negotiated));
    step(&mut machine, at(1) + LINGER, Input::Tick);
    step(&mut machine, at(7), Input::Closed { connection: key(1) });

    let disturbed = Input::Disturbed { connection: key(2) };
    assert_eq!(step(&mut machine, at(20), disturbed), [Output::Dial { kind: RELAYED }]);
    let outputs = step(&mut machine, at(21), opened_as(3, RELAYED, Origin::Dialled));
    assert_eq!(outputs, [changed(Some(DIRECT), Some(RELAYED), 20), Output::Negotiate]);
    assert_eq!(step(&mut machine, at(21) + LINGER, Input::Tick), [], "the circuit is needed");
    let outputs = step(&mut machine, at(27), Input::Recovered { connection: key(2) });
    assert_eq!(outputs, [Output::AbandonNegotiation, changed(Some(RELAYED), Some(DIRECT), 6)]);
    assert_eq!(step(&mut machine, at(27) + LINGER, Input::Tick), [Output::Close { connection: key(3) }]);
}

#[test]
fn a_disturbed_connection_that_nobody_restored_is_followed_by_a_new_negotiation() {
    let mut machine = negotiating();
    step(&mut machine, at(1), opened_as(2, DIRECT, Origin::Negotiated));
    step(&mut machine, at(20), Input::Disturbed { connection: key(2) });
    step(&mut machine, at(21), Input::NegotiationFailed);
    step(&mut machine, at(30), Input::Closed { connection: key(2) });
    assert_eq!(step(&mut machine, at(30) + ICE_STAGGER, Input::Tick), [Output::Negotiate]);
}

#[test]
fn a_new_connection_replaces_a_disturbed_one() {
    let mut machine = negotiating();
    step(&mut machine, at(1), opened_as(2, DIRECT, Origin::Negotiated));
    step(&mut machine, at(1) + LINGER, Input::Tick);
    step(&mut machine, at(7), Input::Closed { connection: key(1) });
    step(&mut machine, at(20), Input::Disturbed { connection: key(2) });
    step(&mut machine, at(21), opened_as(3, RELAYED, Origin::Dialled));
    step(&mut machine, at(23), opened_as(4, DIRECT, Origin::Negotiated));
    let closed = step(&mut machine, at(23) + LINGER, Input::Tick);
    assert_eq!(closed, [2, 3].map(|number| Output::Close { connection: key(number) }));
}

#[test]
fn a_bad_connection_is_replaced_by_a_new_one_before_it_is_closed() {
    for closes_surplus in [true, false] {
        let mut machine = Machine::new(closes_surplus, 7);
        step(&mut machine, at(0), Input::Addresses(BOTH));
        step(&mut machine, at(0), Input::Want);
        step(&mut machine, at(0), opened(1, DIRECT));
        let replace = Input::Replace { connection: key(1) };
        assert_eq!(step(&mut machine, at(60), replace.clone()), [Output::Dial { kind: DIRECT }]);
        assert_eq!(step(&mut machine, at(61), replace), [], "one dial is under way");
        assert_eq!(step(&mut machine, at(62), opened(2, DIRECT)), []);
        assert_eq!(machine.deadline(), Some(at(62) + HANDOVER));
        assert_eq!(step(&mut machine, at(62) + HANDOVER, Input::Tick), [Output::Close { connection: key(1) }]);
        step(&mut machine, at(64), Input::Closed { connection: key(1) });
        assert_eq!(step(&mut machine, at(90), Input::Tick), []);
    }
}

#[test]
fn a_bad_connection_stays_when_no_other_one_comes_about() {
    let mut machine = wanted();
    step(&mut machine, at(0), opened(1, DIRECT));
    step(&mut machine, at(60), Input::Replace { connection: key(1) });
    assert_eq!(step(&mut machine, at(65), Input::DialFailed { kind: DIRECT }), []);
    assert_eq!(step(&mut machine, at(600), Input::Tick), []);
    assert_eq!(machine.best(), Some(DIRECT));
}

#[test]
fn a_bad_connection_that_recovered_is_not_replaced_any_more() {
    let mut machine = wanted();
    step(&mut machine, at(0), opened(1, DIRECT));
    step(&mut machine, at(60), Input::Replace { connection: key(1) });
    step(&mut machine, at(65), Input::DialFailed { kind: DIRECT });
    step(&mut machine, at(90), Input::Recovered { connection: key(1) });
    step(&mut machine, at(100), opened(2, DIRECT));
    assert_eq!(step(&mut machine, at(100) + LINGER, Input::Tick), [Output::Close { connection: key(2) }]);
}

#[test]
fn a_bad_circuit_is_replaced_by_a_direct_connection_as_well() {
    let mut machine = wanted();
    step(&mut machine, at(0), Input::DialFailed { kind: DIRECT });
    step(&mut machine, at(1), opened(1, RELAYED));
    assert_eq!(step(&mut machine, at(20), Input::Replace { connection: key(1) }), [Output::Dial { kind: RELAYED }]);
    assert_eq!(step(&mut machine, at(21), opened(2, DIRECT)), [changed(Some(RELAYED), Some(DIRECT), 20)]);
    assert_eq!(step(&mut machine, at(21) + HANDOVER, Input::Tick), [Output::Close { connection: key(1) }]);
}

#[test]
fn a_bad_negotiated_connection_is_negotiated_anew_through_the_relay() {
    let mut machine = negotiating();
    step(&mut machine, at(1), opened_as(2, DIRECT, Origin::Negotiated));
    step(&mut machine, at(1) + LINGER, Input::Tick);
    step(&mut machine, at(7), Input::Closed { connection: key(1) });
    assert_eq!(step(&mut machine, at(20), Input::Replace { connection: key(2) }), [Output::Dial { kind: RELAYED }]);
    let outputs = step(&mut machine, at(21), opened_as(3, RELAYED, Origin::Dialled));
    assert_eq!(outputs, [changed(Some(DIRECT), Some(RELAYED), 20), Output::Negotiate]);
}

#[test]
fn nothing_is_replaced_while_nobody_wants_the_peer() {
    let mut machine = Machine::new(true, 7);
    step(&mut machine, at(0), Input::Addresses(BOTH));
    step(&mut machine, at(0), opened(1, DIRECT));
    assert_eq!(step(&mut machine, at(60), Input::Replace { connection: key(1) }), []);
    step(&mut machine, at(60), opened(2, DIRECT));
    assert_eq!(step(&mut machine, at(60) + LINGER, Input::Tick), [Output::Close { connection: key(2) }]);
}

/// Both sides replace the same connection, or one does: one connection is left, and it is a new one.
#[test]
fn whichever_side_replaces_a_connection_both_keep_the_new_one() {
    for sides in [&[0][..], &[1], &[0, 1]] {
        let mut ends = [Machine::new(true, 7), Machine::new(false, 8)];
        for end in &mut ends {
            step(end, at(0), Input::Addresses(BOTH));
            step(end, at(0), Input::Want);
            step(end, at(0), opened(1, DIRECT));
        }
        let mut open = vec![1];
        for side in sides {
            let dials = step(&mut ends[*side], at(60), Input::Replace { connection: key(1) });
            assert_eq!(dials, [Output::Dial { kind: DIRECT }]);
            open.push(*side as u64 + 2);
        }
        for number in open.iter().skip(1) {
            ends.iter_mut().for_each(|end| drop(step(end, at(61), opened(*number, DIRECT))));
        }
        for second in 62..80 {
            for end in 0..2 {
                for output in step(&mut ends[end], at(second), Input::Tick) {
                    let Output::Close { connection } = output else { panic!("{output:?}") };
                    open.retain(|number| *number != connection.0);
                    ends.iter_mut().for_each(|end| drop(step(end, at(second), Input::Closed { connection })));
                }
            }
        }
        assert_eq!(open.len(), 1, "{sides:?}");
        assert_ne!(open, [1], "{sides:?}");
    }
}

fn any_input() -> impl Strategy<Value = Input> {
    let kind = || prop_oneof![Just(DIRECT), Just(RELAYED)];
    let origin = prop_oneof![Just(Origin::Dialled), Just(Origin::Accepted), Just(Origin::Negotiated)];
    prop_oneof![
        Just(Input::NegotiationFailed),
        Just(Input::NegotiationUnsupported),
        (0..6_u64).prop_map(|number| Input::Disturbed { connection: key(number) }),
        (0..6_u64).prop_map(|number| Input::Recovered { connection: key(number) }),
        Just(Input::Want),
        Just(Input::Release),
        any::<[bool; 3]>().prop_map(|[global, private, relayed]| Input::Addresses(Known { global, private, relayed })),
        (0..6_u64, kind(), origin).prop_map(|(number, kind, origin)| opened_as(number, kind, origin)),
        (0..6_u64).prop_map(|number| Input::Closed { connection: key(number) }),
        kind().prop_map(|kind| Input::DialFailed { kind }),
        Just(Input::HolePunchFailed),
        Just(Input::OwnAddress),
        Just(Input::Upgrade),
        (0..6_u64).prop_map(|number| Input::Replace { connection: key(number) }),
        Just(Input::Tick),
    ]
}

proptest! {
    #![proptest_config(crate::cases())]
    /// Whatever happens, in any order: a wanted peer without a path has something under way or a deadline, a surplus close never
    /// takes the last connection, no input makes the machine answer without end, one negotiation runs at a time, and no deadline is
    /// left in the past.
    #[test]
    fn it_never_gets_stuck_and_never_closes_the_last_path(inputs in prop::collection::vec((any_input(), 0..20_u64), 1..80)) {
        let mut machine = Machine::new(true, 7).with_negotiation();
        let mut negotiating = false;
        let (mut now, mut dialling) = (0, [0_i32; 2]);
        for (input, pause) in inputs {
            now += pause;
            let released = input == Input::Release;
            match input {
                Input::Opened { kind, origin, .. } => {
                    dialling[kind as usize] = 0;
                    negotiating &= origin != Origin::Negotiated;
                }
                Input::DialFailed { kind } => dialling[kind as usize] = 0,
                Input::NegotiationFailed | Input::NegotiationUnsupported => negotiating = false,
                _ => {}
            }
            let before = machine.best();
            let outputs = step(&mut machine, at(now), input);
            prop_assert!(outputs.len() <= 10, "{:?}", outputs);
            for output in &outputs {
                if let Output::Dial { kind } = output {
                    dialling[*kind as usize] += 1;
                }
                match output {
                    Output::Negotiate => prop_assert!(!std::mem::replace(&mut negotiating, true)),
                    Output::AbandonNegotiation => prop_assert!(std::mem::take(&mut negotiating)),
                    _ => {}
                }
                if matches!(output, Output::Close { .. }) && !released {
                    prop_assert!(before.is_none() || machine.best().is_some());
                }
            }
            if let Some(deadline) = machine.deadline() {
                let outputs = step(&mut machine, deadline.max(at(now)), Input::Tick);
                now = now.max(deadline.as_secs() + 1);
                for output in outputs {
                    match output {
                        Output::Dial { kind } => dialling[kind as usize] += 1,
                        Output::Negotiate => prop_assert!(!std::mem::replace(&mut negotiating, true)),
                        Output::AbandonNegotiation => prop_assert!(std::mem::take(&mut negotiating)),
                        _ => {}
                    }
                }
                prop_assert!(machine.deadline().is_none_or(|next| next > deadline), "stuck at {:?}", deadline);
            }
            if machine.is_wanted() && machine.best().is_none() {
                prop_assert!(dialling != [0, 0] || machine.deadline().is_some());
            }
        }
    }

    /// Both ends see the same connections, opened in any order, and keep the same one of them.
    #[test]
    fn both_ends_keep_the_same_connection(
        kinds in prop::collection::vec((any::<bool>(), any::<bool>()), 1..6),
        here in prop::collection::vec(0..LINGER.as_secs(), 6),
        there in prop::collection::vec(0..LINGER.as_secs(), 6),
    ) {
        let mut ends = [Machine::new(true, 7).with_negotiation(), Machine::new(false, 8).with_negotiation()];
        let mut open: Vec<u64> = (0..).take(kinds.len()).collect();
        for (machine, delays) in ends.iter_mut().zip([&here, &there]) {
            let mut order = open.clone();
            order.sort_by_key(|number| delays[*number as usize]);
            for number in order {
                let (direct, negotiated) = kinds[number as usize];
                let kind = if direct { DIRECT } else { RELAYED };
                let origin = if direct && negotiated { Origin::Negotiated } else { Origin::Accepted };
                step(machine, at(delays[number as usize]), opened_as(number, kind, origin));
            }
        }
        for second in LINGER.as_secs()..20 {
            for end in 0..2 {
                for output in step(&mut ends[end], at(second), Input::Tick) {
                    let Output::Close { connection } = output else { continue };
                    prop_assert!(open.contains(&connection.0), "closed twice");
                    open.retain(|number| *number != connection.0);
                    step(&mut ends[1 - end], at(second), Input::Closed { connection });
                    step(&mut ends[end], at(second), Input::Closed { connection });
                }
            }
        }
        prop_assert_eq!(open.len(), 1);
        let (direct, negotiated) = kinds[open[0] as usize];
        prop_assert_eq!(direct, kinds.iter().any(|kind| kind.0));
        prop_assert_eq!(direct && negotiated, direct && kinds.iter().all(|kind| !kind.0 || kind.1));
        let best = Some(if direct { DIRECT } else { RELAYED });
        prop_assert!(ends.iter().all(|machine| machine.best() == best));
    }
}
