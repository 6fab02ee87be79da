use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::Time;

const WITHIN: Duration = Duration::from_secs(10);

fn at(seconds: u64) -> Time {
    Time::from_secs(seconds)
}

fn get(peer: u8, ticket: u64) -> Input<u8> {
    Input::Get { peer, ticket: Ticket(ticket), within: WITHIN }
}

fn opened(peer: u8, connection: u64, kind: PathKind) -> Input<u8> {
    Input::Opened { peer, connection: ConnectionKey(connection), kind }
}

fn answer(ticket: u64, connection: u64, kind: PathKind) -> Output<u8> {
    Output::Answer { ticket: Ticket(ticket), result: Ok(Lease { connection: ConnectionKey(connection), kind }) }
}

fn refusal(ticket: u64, error: GetError) -> Output<u8> {
    Output::Answer { ticket: Ticket(ticket), result: Err(error) }
}

fn step(machine: &mut Machine<u8>, now: Time, input: Input<u8>) -> Vec<Output<u8>> {
    machine.handle(now, input);
    std::iter::from_fn(|| machine.poll()).collect()
}

fn pool(peers: usize) -> Machine<u8> {
    Machine::new(Settings { peers, ..Settings::default() })
}

#[test]
fn many_callers_share_one_dial() {
    let mut pool = pool(4);
    assert_eq!(step(&mut pool, at(0), get(1, 10)), [Output::Dial { peer: 1 }]);
    assert_eq!(step(&mut pool, at(0), get(1, 11)), []);
    assert_eq!(
        step(&mut pool, at(1), opened(1, 5, PathKind::Direct)),
        [answer(10, 5, PathKind::Direct), answer(11, 5, PathKind::Direct)]
    );
    assert_eq!(step(&mut pool, at(2), get(1, 12)), [answer(12, 5, PathKind::Direct)]);
}

#[test]
fn a_direct_connection_is_preferred_and_a_lease_of_the_relayed_one_stays() {
    let mut pool = pool(4);
    step(&mut pool, at(0), opened(1, 5, PathKind::Relayed));
    assert_eq!(step(&mut pool, at(0), get(1, 10)), [answer(10, 5, PathKind::Relayed)]);
    assert_eq!(step(&mut pool, at(1), opened(1, 6, PathKind::Direct)), []);
    assert_eq!(step(&mut pool, at(1), get(1, 11)), [answer(11, 6, PathKind::Direct)]);
    let closed = Input::Closed { peer: 1, connection: ConnectionKey(5) };
    assert_eq!(step(&mut pool, at(2), closed), [Output::Broken { ticket: Ticket(10) }]);
}

#[test]
fn a_failed_dial_is_told_to_everybody_and_the_next_caller_dials_again() {
    let mut pool = pool(4);
    step(&mut pool, at(0), get(1, 10));
    step(&mut pool, at(0), get(1, 11));
    let outputs = step(&mut pool, at(1), Input::DialFailed { peer: 1 });
    assert_eq!(outputs, [refusal(10, GetError::Unreachable), refusal(11, GetError::Unreachable)]);
    assert!(pool.is_empty());
    assert_eq!(step(&mut pool, at(2), get(1, 12)), [Output::Dial { peer: 1 }]);
}

#[test]
fn a_caller_that_waits_too_long_is_told_and_the_dial_goes_on() {
    let mut pool = pool(4);
    step(&mut pool, at(0), get(1, 10));
    assert_eq!(pool.deadline(), Some(WITHIN));
    assert_eq!(step(&mut pool, WITHIN, Input::Tick), [refusal(10, GetError::TimedOut { within: WITHIN })]);
    assert_eq!(step(&mut pool, WITHIN, get(1, 11)), []);
    assert_eq!(step(&mut pool, DIAL, Input::Tick)[0], refusal(11, GetError::TimedOut { within: WITHIN }));
    assert!(pool.is_empty() || pool.deadline().is_some());
}

#[test]
fn a_dial_that_never_ends_is_abandoned() {
    let mut pool = pool(4);
    step(&mut pool, at(0), Input::Get { peer: 1, ticket: Ticket(1), within: DIAL * 2 });
    assert_eq!(step(&mut pool, DIAL, Input::Tick), [Output::Abandon { peer: 1 }, refusal(1, GetError::Unreachable)]);
}

#[test]
fn the_least_recently_used_idle_peer_makes_room() {
    let mut pool = pool(3);
    for peer in 1..=3 {
        step(&mut pool, at(u64::from(peer)), get(peer, u64::from(peer)));
        step(&mut pool, at(u64::from(peer)), opened(peer, u64::from(peer), PathKind::Direct));
    }
    step(&mut pool, at(4), Input::Return { ticket: Ticket(2) });
    step(&mut pool, at(5), Input::Return { ticket: Ticket(1) });
    assert_eq!(
        step(&mut pool, at(6), get(4, 4)),
        [Output::Close { peer: 2, reason: CloseReason::Pruned }, Output::Dial { peer: 4 }]
    );
}

#[test]
fn neither_busy_nor_pinned_peers_make_room() {
    let mut pool = pool(2);
    for peer in 1..=2 {
        step(&mut pool, at(0), get(peer, u64::from(peer)));
        step(&mut pool, at(0), opened(peer, u64::from(peer), PathKind::Direct));
    }
    step(&mut pool, at(0), Input::Pin { peer: 2, asked: true });
    step(&mut pool, at(0), Input::Return { ticket: Ticket(2) });
    assert_eq!(step(&mut pool, at(1), get(3, 3)), [refusal(3, GetError::Full { limit: 2 })]);
    assert_eq!(step(&mut pool, at(1_000), Input::Tick), [], "and neither is idle");
    step(&mut pool, at(1_000), Input::Unpin { peer: 2 });
    assert_eq!(step(&mut pool, at(1_001), get(3, 3))[0], Output::Close { peer: 2, reason: CloseReason::Pruned });
}

#[test]
fn a_stranger_that_was_pinned_for_others_is_a_stranger_again() {
    let mut pool = pool(2);
    for peer in 1..=2 {
        step(&mut pool, at(0), opened(peer, u64::from(peer), PathKind::Direct));
        step(&mut pool, at(0), Input::Pin { peer, asked: peer == 2 });
        step(&mut pool, at(1), Input::Unpin { peer });
    }
    let idle = |peer| [Output::Close { peer, reason: CloseReason::Idle }];
    assert_eq!(step(&mut pool, at(1_000), Input::Tick), idle(2));
    assert_eq!(pool.usage(1), Some(Usage::Idle), "whoever opened its connection knows what for");

    step(&mut pool, at(1_000), Input::Pin { peer: 1, asked: false });
    step(&mut pool, at(1_000), Input::Closed { peer: 1, connection: ConnectionKey(1) });
    assert_eq!(pool.usage(1), Some(Usage::Pinned));
    step(&mut pool, at(1_000), Input::Unpin { peer: 1 });
    assert_eq!(pool.usage(1), None, "without a connection there is nothing to keep room for");
}

#[test]
fn strangers_make_room_among_themselves_only() {
    let mut pool = pool(2);
    step(&mut pool, at(0), get(1, 1));
    step(&mut pool, at(0), opened(1, 1, PathKind::Direct));
    step(&mut pool, at(0), Input::Return { ticket: Ticket(1) });
    step(&mut pool, at(1), opened(2, 2, PathKind::Direct));
    let pruned = |peer| [Output::Close { peer, reason: CloseReason::Pruned }];
    assert_eq!(step(&mut pool, at(2), opened(3, 3, PathKind::Direct)), pruned(2));
    assert_eq!(step(&mut pool, at(3), get(3, 3)), [answer(3, 3, PathKind::Direct)]);
    let no_room = [Output::Close { peer: 4, reason: CloseReason::NoRoom }];
    assert_eq!(step(&mut pool, at(4), opened(4, 4, PathKind::Direct)), no_room);
}

#[test]
fn an_idle_peer_is_closed_after_the_idle_time() {
    let mut pool = pool(2);
    let idle = Settings::default().idle;
    step(&mut pool, at(0), get(1, 1));
    step(&mut pool, at(0), opened(1, 1, PathKind::Direct));
    assert_eq!(step(&mut pool, idle * 2, Input::Return { ticket: Ticket(1) }), []);
    assert_eq!(pool.deadline(), Some(idle * 3));
    assert_eq!(step(&mut pool, idle * 3, Input::Tick), [Output::Close { peer: 1, reason: CloseReason::Idle }]);
}

#[test]
fn a_stranger_is_not_closed_for_being_idle() {
    let mut pool = pool(4);
    step(&mut pool, at(0), opened(1, 5, PathKind::Direct));
    assert_eq!((pool.deadline(), pool.usage(1)), (None, Some(Usage::Idle)));
    assert_eq!(step(&mut pool, at(100_000), Input::Tick), []);
}

#[test]
fn what_is_heard_from_a_peer_puts_its_end_off() {
    let mut pool = pool(4);
    let idle = Settings::default().idle;
    step(&mut pool, at(0), opened(1, 5, PathKind::Direct));
    step(&mut pool, at(0), get(1, 1));
    step(&mut pool, at(0), Input::Return { ticket: Ticket(1) });
    step(&mut pool, idle / 2, Input::Used { peer: 1 });
    assert_eq!(pool.deadline(), Some(idle * 3 / 2));
}

#[test]
fn more_tickets_than_the_bound_are_refused() {
    let mut pool = Machine::new(Settings { tickets: 1, ..Settings::default() });
    step(&mut pool, at(0), get(1, 1));
    assert_eq!(step(&mut pool, at(0), get(2, 2)), [refusal(2, GetError::TooMany { limit: 1 })]);
}

#[test]
fn a_peer_that_misbehaves_is_dropped_whoever_uses_it() {
    let mut pool = pool(2);
    step(&mut pool, at(0), get(1, 1));
    assert_eq!(
        step(&mut pool, at(0), Input::Drop { peer: 1 }),
        [
            refusal(1, GetError::Dropped),
            Output::Abandon { peer: 1 },
            Output::Close { peer: 1, reason: CloseReason::Dropped }
        ]
    );
}

#[derive(Debug, Clone)]
enum Act {
    Get { peer: u8, seconds: u64 },
    Return { pick: usize },
    Pin { peer: u8, asked: bool },
    Unpin { peer: u8 },
    Open { peer: u8, direct: bool },
    Lose { pick: usize },
    FailDial { pick: usize },
    Drop { peer: u8 },
    Pass { seconds: u64 },
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let peer = || 0_u8..8;
    let act = prop_oneof![
        6 => (peer(), 0_u64..100).prop_map(|(peer, seconds)| Act::Get { peer, seconds }),
        4 => any::<usize>().prop_map(|pick| Act::Return { pick }),
        1 => (peer(), any::<bool>()).prop_map(|(peer, asked)| Act::Pin { peer, asked }),
        1 => peer().prop_map(|peer| Act::Unpin { peer }),
        4 => (peer(), any::<bool>()).prop_map(|(peer, direct)| Act::Open { peer, direct }),
        2 => any::<usize>().prop_map(|pick| Act::Lose { pick }),
        2 => any::<usize>().prop_map(|pick| Act::FailDial { pick }),
        1 => peer().prop_map(|peer| Act::Drop { peer }),
        2 => (0_u64..90).prop_map(|seconds| Act::Pass { seconds }),
    ];
    prop::collection::vec(act, 0..200)
}

/// What the callers and the network know.
struct World {
    machine: Machine<u8>,
    settings: Settings,
    now: Time,
    next: u64,
    dialled: BTreeSet<u8>,
    open: BTreeMap<ConnectionKey, (u8, PathKind)>,
    waiting: BTreeMap<Ticket, u8>,
    leased: BTreeMap<Ticket, (u8, ConnectionKey)>,
    pinned: BTreeSet<u8>,
}

impl World {
    fn is_in_use(&self, peer: u8) -> bool {
        let leases = self.leased.values().any(|(other, _)| *other == peer);
        leases || self.waiting.values().any(|other| *other == peer) || self.pinned.contains(&peer)
    }

    fn feed(&mut self, input: Input<u8>) {
        let is_drop = matches!(input, Input::Drop { .. });
        for output in step(&mut self.machine, self.now, input) {
            match output {
                Output::Dial { peer } => assert!(self.dialled.insert(peer), "two dials to {peer}"),
                Output::Abandon { peer } => assert!(self.dialled.remove(&peer), "{peer} was not dialled"),
                Output::Answer { ticket, result } => self.answered(ticket, result),
                Output::Broken { ticket } => {
                    let (_, connection) = self.leased.remove(&ticket).expect("only a lease breaks");
                    assert!(is_drop || !self.open.contains_key(&connection));
                }
                Output::Close { peer, reason } => {
                    assert!(reason == CloseReason::Dropped || !self.is_in_use(peer), "{peer} was in use: {reason:?}");
                    self.open.retain(|_, (other, _)| *other != peer);
                    self.pinned.remove(&peer);
                }
            }
        }
        assert!(self.machine.len() <= self.settings.peers);
        assert!(self.waiting.len() + self.leased.len() <= self.settings.tickets);
        for peer in self.waiting.values() {
            assert!(self.dialled.contains(peer), "somebody waits for {peer}, which nobody dials");
        }
        assert!(self.machine.deadline().is_none_or(|deadline| deadline > self.now));
    }

    fn answered(&mut self, ticket: Ticket, result: Result<Lease, GetError>) {
        let peer = self.waiting.remove(&ticket).expect("each ticket is answered once");
        if let Ok(lease) = result {
            assert_eq!(self.open.get(&lease.connection), Some(&(peer, lease.kind)));
            let has_direct = self.open.values().any(|open| *open == (peer, PathKind::Direct));
            assert!(lease.kind == PathKind::Direct || !has_direct, "a direct connection to {peer} was open");
            self.leased.insert(ticket, (peer, lease.connection));
        }
    }

    fn act(&mut self, act: Act) {
        self.next += 1;
        match act {
            Act::Get { peer, seconds } => {
                let ticket = Ticket(self.next);
                self.waiting.insert(ticket, peer);
                let within = Duration::from_secs(seconds);
                // The bound counts tickets that were taken, so that of a refused one is looked at after its answer.
                self.feed(Input::Get { peer, ticket, within });
            }
            Act::Return { pick } => {
                let tickets: Vec<Ticket> = self.waiting.keys().chain(self.leased.keys()).copied().collect();
                if let Some(ticket) = tickets.get(pick % tickets.len().max(1)) {
                    self.waiting.remove(ticket);
                    self.leased.remove(ticket);
                    self.feed(Input::Return { ticket: *ticket });
                }
            }
            Act::Pin { peer, asked } => {
                if self.is_in_use(peer) {
                    self.pinned.insert(peer);
                    self.feed(Input::Pin { peer, asked });
                }
            }
            Act::Unpin { peer } => {
                self.pinned.remove(&peer);
                self.feed(Input::Unpin { peer });
            }
            Act::Open { peer, direct } => {
                let kind = if direct { PathKind::Direct } else { PathKind::Relayed };
                if self.open.values().filter(|(other, _)| *other == peer).count() < CONNECTIONS {
                    self.dialled.remove(&peer);
                    let connection = ConnectionKey(self.next);
                    self.open.insert(connection, (peer, kind));
                    self.feed(Input::Opened { peer, connection, kind });
                }
            }
            Act::Lose { pick } => {
                let lost = self.open.iter().nth(pick % self.open.len().max(1)).map(|(key, (peer, _))| (*key, *peer));
                if let Some((connection, peer)) = lost {
                    self.open.remove(&connection);
                    self.feed(Input::Closed { peer, connection });
                }
            }
            Act::FailDial { pick } => {
                let failed = self.dialled.iter().nth(pick % self.dialled.len().max(1)).copied();
                if let Some(peer) = failed {
                    self.dialled.remove(&peer);
                    self.feed(Input::DialFailed { peer });
                }
            }
            Act::Drop { peer } => self.feed(Input::Drop { peer }),
            Act::Pass { seconds } => self.pass(Duration::from_secs(seconds)),
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(deadline) = self.machine.deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.feed(Input::Tick);
        }
        self.now = end;
    }
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn any_interleaving_keeps_the_promises(acts in acts(), peers in 1_usize..6, tickets in 1_usize..12) {
        let settings = Settings { peers, tickets, ..Settings::default() };
        let mut world = World {
            machine: Machine::new(settings),
            settings,
            now: at(0),
            next: 0,
            dialled: BTreeSet::new(),
            open: BTreeMap::new(),
            waiting: BTreeMap::new(),
            leased: BTreeMap::new(),
            pinned: BTreeSet::new(),
        };
        for act in acts {
            world.act(act);
        }

        // Everybody goes, and after a while nothing is left.
        for peer in 0..8 {
            world.act(Act::Unpin { peer });
        }
        while !world.waiting.is_empty() || !world.leased.is_empty() {
            world.act(Act::Return { pick: 0 });
        }
        for _ in 0..8 {
            world.act(Act::FailDial { pick: 0 });
        }
        world.pass(Duration::from_secs(300));
        // Strangers go when they like to.
        while !world.open.is_empty() {
            world.act(Act::Lose { pick: 0 });
        }
        prop_assert!(world.machine.is_empty());
        prop_assert!(world.open.is_empty());
    }
}
