use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::Time;

const WITHIN: Duration = Duration::from_secs(10);

fn at(seconds: u64) -> Time {
    Time::from_secs(seconds)
}

fn ask(ticket: u64, peer: u8, priority: Priority) -> Input<u8> {
    Input::Ask { ticket: Ticket(ticket), peer, priority, within: WITHIN }
}

fn done(ticket: u64) -> Input<u8> {
    Input::Done { ticket: Ticket(ticket) }
}

fn admit(ticket: u64) -> Output {
    Output::Admit { ticket: Ticket(ticket) }
}

fn refuse(ticket: u64, reason: RefusalReason) -> Output {
    Output::Refuse { ticket: Ticket(ticket), reason }
}

fn step(machine: &mut Machine<u8>, now: Time, input: Input<u8>) -> Vec<Output> {
    machine.handle(now, input);
    std::iter::from_fn(|| machine.poll()).collect()
}

fn limiter(running: usize, waiting: usize) -> Machine<u8> {
    Machine::new(Settings {
        running,
        running_per_peer: running,
        waiting,
        waiting_per_peer: waiting,
        ..Settings::default()
    })
}

#[test]
fn a_trade_goes_at_once_though_chat_is_stuck() {
    let settings = Settings { running: 4, running_per_peer: 3, kept: 2, kept_per_peer: 1, ..Settings::default() };
    let mut machine: Machine<u8> = Machine::new(settings);
    let mut ask = |ticket, peer, priority| {
        let within = Duration::from_secs(60);
        machine.handle(Time::ZERO, Input::Ask { ticket: Ticket(ticket), peer, priority, within });
        machine.poll()
    };
    assert_eq!(ask(1, 1, Priority::Chat), Some(Output::Admit { ticket: Ticket(1) }));
    assert_eq!(ask(2, 1, Priority::Chat), Some(Output::Admit { ticket: Ticket(2) }));
    assert_eq!(ask(3, 1, Priority::Chat), None);
    assert_eq!(ask(4, 2, Priority::Bulk), None);
    assert_eq!(ask(5, 1, Priority::Trade), Some(Output::Admit { ticket: Ticket(5) }));
    assert_eq!(ask(6, 2, Priority::Trade), Some(Output::Admit { ticket: Ticket(6) }));
}

#[test]
fn a_trade_goes_before_chat_that_came_first() {
    let mut limiter = limiter(1, 8);
    assert_eq!(step(&mut limiter, at(0), ask(1, 1, Priority::Chat)), [admit(1)]);
    step(&mut limiter, at(0), ask(2, 1, Priority::Chat));
    step(&mut limiter, at(0), ask(3, 1, Priority::Trade));
    assert_eq!(step(&mut limiter, at(1), done(1)), [admit(3)]);
    assert_eq!(step(&mut limiter, at(2), done(3)), [admit(2)]);
}

#[test]
fn whoever_waits_too_long_is_told_how_long() {
    let mut limiter = limiter(1, 8);
    step(&mut limiter, at(0), ask(1, 1, Priority::Chat));
    step(&mut limiter, at(0), ask(2, 1, Priority::Chat));
    assert_eq!(limiter.deadline(), Some(WITHIN));
    assert_eq!(step(&mut limiter, WITHIN, Input::Tick), [refuse(2, RefusalReason::TimedOut { within: WITHIN })]);
}

#[test]
fn a_full_queue_refuses_its_equals_and_gives_way_to_trades() {
    let mut limiter = limiter(1, 2);
    for ticket in 1..=3 {
        step(&mut limiter, at(0), ask(ticket, 1, Priority::Chat));
    }
    let full = RefusalReason::QueueFull { limit: 2 };
    let peer_full = RefusalReason::PeerFull { limit: 2 };
    assert_eq!(step(&mut limiter, at(0), ask(4, 2, Priority::Chat)), [refuse(4, full)]);
    assert_eq!(step(&mut limiter, at(0), ask(5, 1, Priority::Trade)), [refuse(5, peer_full)]);
    assert_eq!(step(&mut limiter, at(0), ask(6, 2, Priority::Trade)), [refuse(3, RefusalReason::Displaced)]);
}

#[test]
fn a_flood_of_one_peer_does_not_hold_up_another() {
    let mut limiter = Machine::new(Settings {
        running: 4,
        running_per_peer: 2,
        waiting: 100,
        waiting_per_peer: 5,
        ..Settings::default()
    });
    let refused = (0..50).flat_map(|ticket| step(&mut limiter, at(0), ask(ticket, 1, Priority::Trade)));
    assert_eq!(refused.filter(|output| matches!(output, Output::Refuse { .. })).count(), 43);
    assert_eq!(step(&mut limiter, at(0), ask(99, 2, Priority::Bulk)), [admit(99)]);
}

#[test]
fn what_no_longer_wants_to_go_leaves_the_queue() {
    let mut limiter = limiter(1, 8);
    for ticket in 1..=3 {
        step(&mut limiter, at(0), ask(ticket, 1, Priority::Chat));
    }
    step(&mut limiter, at(0), done(2));
    assert_eq!(step(&mut limiter, at(1), done(1)), [admit(3)]);
}

#[test]
fn chat_moves_while_trades_never_end() {
    let mut limiter = limiter(1, 100);
    step(&mut limiter, at(0), ask(0, 1, Priority::Trade));
    step(&mut limiter, at(0), ask(1_000, 1, Priority::Chat));
    step(&mut limiter, at(0), ask(2_000, 1, Priority::Bulk));
    let mut running = 0;
    let mut order = Vec::new();
    for ticket in 1..=u64::from(PATIENCE) * 3 {
        step(&mut limiter, at(0), ask(ticket, 1, Priority::Trade));
        let outputs = step(&mut limiter, at(0), done(running));
        let Some(Output::Admit { ticket: Ticket(admitted) }) = outputs.first() else { panic!("{outputs:?}") };
        running = *admitted;
        order.push(running);
    }
    let place = |ticket| order.iter().position(|other| *other == ticket).unwrap();
    assert_eq!(place(1_000), PATIENCE as usize);
    assert_eq!(place(2_000), PATIENCE as usize + 1);
}

#[test]
fn a_free_place_is_not_withheld_because_others_wait_for_their_own_bound() {
    let mut limiter = Machine::new(Settings {
        running: 2,
        running_per_peer: 1,
        waiting: 1,
        waiting_per_peer: 1,
        ..Settings::default()
    });
    step(&mut limiter, at(0), ask(1, 1, Priority::Trade));
    step(&mut limiter, at(0), ask(2, 1, Priority::Trade));
    assert_eq!(step(&mut limiter, at(0), ask(3, 2, Priority::Bulk)), [admit(3)]);
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn any_interleaving_keeps_the_bounds_and_starves_nobody(
        acts in prop::collection::vec((0_u8..6, 0_u8..4, 0_usize..3, any::<usize>()), 0..300),
        running in 1_usize..4, per_peer in 1_usize..3, waiting in 1_usize..8, waiting_per_peer in 1_usize..5,
    ) {
        let settings = Settings { running, running_per_peer: per_peer, waiting, waiting_per_peer, ..Settings::default() };
        let mut limiter = Machine::new(settings);
        let mut inside: BTreeMap<u64, u8> = BTreeMap::new();
        let mut queued: BTreeMap<u64, (u8, Priority)> = BTreeMap::new();
        // How many of other classes went while somebody of the class could have gone.
        let mut passed: BTreeMap<Priority, u32> = BTreeMap::new();
        for (second, (act, peer, class, pick)) in (0..).zip(acts) {
            let input = match act {
                0..=2 => {
                    queued.insert(second, (peer, Priority::ALL[class]));
                    ask(second, peer, Priority::ALL[class])
                }
                3..=4 => {
                    let known: Vec<u64> = inside.keys().copied().collect();
                    let Some(ticket) = known.get(pick % known.len().max(1)) else { continue };
                    inside.remove(ticket);
                    done(*ticket)
                }
                _ => Input::Tick,
            };
            for output in step(&mut limiter, at(second / 4), input) {
                match output {
                    Output::Admit { ticket } => {
                        let (peer, priority) = queued.remove(&ticket.0).expect("answered once");
                        passed.remove(&priority);
                        inside.insert(ticket.0, peer);
                        let older = queued.iter().filter(|(other, it)| **other < ticket.0 && it.1 == priority);
                        let busy = |peer: u8| inside.values().filter(|other| **other == peer).count() >= per_peer;
                        for (_, (peer, _)) in older {
                            prop_assert!(busy(*peer), "an older one of the class could have gone");
                        }
                        let could_go = |class: Priority| queued.values().any(|(peer, it)| *it == class && !busy(*peer));
                        for class in Priority::ALL.into_iter().filter(|class| *class != priority && could_go(*class)) {
                            *passed.entry(class).or_default() += 1;
                        }
                    }
                    Output::Refuse { ticket, .. } => {
                        prop_assert!(queued.remove(&ticket.0).is_some(), "answered once");
                    }
                }
            }
            passed.retain(|class, _| queued.values().any(|(_, it)| it == class));
            prop_assert!(passed.values().all(|count| *count <= PATIENCE + 2), "{:?}", passed);
            prop_assert!(inside.len() <= running && queued.len() <= waiting);
            prop_assert_eq!(limiter.counts(), (inside.len(), queued.len()));
            for peer in 0..4 {
                prop_assert!(inside.values().filter(|other| **other == peer).count() <= per_peer);
                prop_assert!(queued.values().filter(|other| other.0 == peer).count() <= waiting_per_peer);
            }
        }
    }
}
