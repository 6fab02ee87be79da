use proptest::prelude::*;

use super::*;
use crate::seal::handshake::handshakes;

const LIMIT: usize = 1_000;

fn s(seconds: u64) -> Time {
    Duration::from_secs(seconds)
}

/// A node, and a counter that its random bytes are made of.
struct Node {
    sessions: Sessions,
    drawn: u16,
    name: u8,
}

impl Node {
    fn new(name: u8) -> Self {
        Self::with(name, Limits::default())
    }

    fn with(name: u8, limits: Limits) -> Self {
        Self { sessions: Sessions::new(handshakes(name), limits), drawn: 0, name }
    }

    fn party(&self) -> Party {
        self.sessions.handshakes().identity().party()
    }

    fn entropy(&mut self) -> Entropy {
        self.drawn += 1;
        let mut bytes = [self.name; 32];
        bytes[..2].copy_from_slice(&self.drawn.to_be_bytes());
        Entropy::new(bytes)
    }

    fn open(&mut self, now: Time, peer: &Node) -> Option<Vec<u8>> {
        let entropy = self.entropy();
        self.sessions.open(now, peer.party(), entropy)
    }

    fn hello(&mut self, now: Time, peer: &Node, hello: &[u8]) -> Result<Vec<u8>, Refusal> {
        let entropy = self.entropy();
        self.sessions.hello(now, peer.party(), hello, entropy)
    }

    fn seal(&mut self, now: Time, peer: &Node) -> Result<Vec<u8>, SealError> {
        self.sessions.seal(now, peer.party(), b"hello")
    }

    fn unseal(&mut self, now: Time, peer: &Node, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        self.sessions.unseal(now, peer.party(), sealed, LIMIT)
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.sessions.poll()).collect()
    }
}

fn establish(now: Time, one: &mut Node, two: &mut Node) {
    let hello = one.open(now, two).unwrap();
    let answer = two.hello(now, one, &hello).unwrap();
    let finish = one.sessions.answer(now, two.party(), &answer).unwrap();
    two.sessions.finish(now, one.party(), &finish).unwrap();
}

fn pair() -> (Node, Node) {
    let (mut one, mut two) = (Node::new(1), Node::new(2));
    establish(s(0), &mut one, &mut two);
    (one, two)
}

fn passes(now: Time, from: &mut Node, to: &mut Node) -> bool {
    from.seal(now, to).is_ok_and(|sealed| to.unseal(now, from, &sealed).is_ok())
}

#[test]
fn a_session_is_opened_and_both_are_told() {
    let (mut one, mut two) = pair();
    assert!(passes(s(1), &mut one, &mut two) && passes(s(1), &mut two, &mut one));
    let (first, second) = (one.outputs(), two.outputs());
    let (Output::Established { channel, peer }, Output::Established { channel: same, .. }) = (first[0], second[0])
    else {
        panic!("{first:?} {second:?}")
    };
    assert_eq!((channel, peer), (same, two.party()));
}

#[test]
fn of_two_that_open_at_once_the_smaller_key_goes_on() {
    let (mut one, mut two) = (Node::new(1), Node::new(2));
    if one.party() > two.party() {
        std::mem::swap(&mut one, &mut two);
    }
    let (hello, crossed) = (one.open(s(0), &two).unwrap(), two.open(s(0), &one).unwrap());
    assert_eq!(one.hello(s(0), &two, &crossed), Err(Refusal::Crossed));
    let answer = two.hello(s(0), &one, &hello).unwrap();
    let finish = one.sessions.answer(s(0), two.party(), &answer).unwrap();
    two.sessions.finish(s(0), one.party(), &finish).unwrap();
    assert!(passes(s(0), &mut one, &mut two) && passes(s(0), &mut two, &mut one));
}

#[test]
fn a_session_in_use_is_renewed_by_whoever_opened_it_without_a_gap() {
    let (mut one, mut two) = pair();
    assert!(passes(s(599), &mut one, &mut two) && passes(s(599), &mut two, &mut one));
    let _ = (one.outputs(), two.outputs());
    for node in [&mut one, &mut two] {
        node.sessions.handle(s(600));
    }
    assert_eq!(one.outputs(), [Output::Renew { peer: two.party() }]);
    assert_eq!(two.outputs(), []);
    let on_its_way = two.seal(s(600), &one).unwrap();
    establish(s(601), &mut one, &mut two);
    assert!(one.unseal(s(602), &two, &on_its_way).is_ok(), "the session before still opens");
    assert!(passes(s(602), &mut one, &mut two));
    let asked = one.seal(s(603), &two).unwrap();
    assert!(two.unseal(s(603), &one, &asked).is_ok());
    let reply = two.sessions.reply(one.party(), &asked, b"done").unwrap();
    assert_eq!(one.unseal(s(603), &two, &reply).unwrap(), b"done");
    assert!(two.sessions.reply(one.party(), b"of no session", b"done").is_err());
    let late = one.open(s(700), &two);
    assert!(late.is_some());
}

#[test]
fn a_session_ends_by_age_and_the_messages_on_their_way_a_little_later() {
    let (mut one, mut two) = pair();
    let _ = one.outputs();
    let late = two.seal(s(899), &one).unwrap();
    assert!(matches!(two.seal(s(900), &one), Err(SealError::NoSession { .. })));
    assert!(one.unseal(s(959), &two, &late).is_ok());
    one.sessions.handle(s(960));
    assert!(one.outputs().contains(&Output::Ended { peer: two.party(), reason: EndReason::Expired }));
    assert!(one.sessions.is_empty());
    assert_eq!(one.sessions.deadline(), None);
}

#[test]
fn a_session_is_renewed_by_the_number_of_its_messages() {
    let mut one = Node::with(1, Limits { renew_messages: 3, ..Limits::default() });
    let mut two = Node::new(2);
    establish(s(0), &mut one, &mut two);
    let _ = one.outputs();
    for _ in 0..5 {
        one.seal(s(1), &two).unwrap();
    }
    assert_eq!(one.outputs(), [Output::Renew { peer: two.party() }], "it asks once");
}

#[test]
fn a_peer_that_restarted_says_so_and_gets_a_new_session() {
    let (mut one, _) = pair();
    let mut two = Node::new(2);
    two.drawn = 99;
    let sealed = one.seal(s(1), &two).unwrap();
    assert_eq!(two.unseal(s(1), &one, &sealed), Err(OpenError::UnknownSession));
    one.sessions.unknown(two.party());
    assert!(matches!(one.seal(s(1), &two), Err(SealError::NoSession { .. })));
    establish(s(1), &mut one, &mut two);
    assert!(passes(s(1), &mut one, &mut two));
}

#[test]
fn hellos_of_a_peer_are_answered_with_a_gap_and_the_session_stays_until_the_finish() {
    let (mut one, mut two) = pair();
    let hello = one.open(s(1), &two).unwrap();
    two.hello(s(1), &one, &hello).unwrap();
    assert!(matches!(two.hello(s(1), &one, &hello), Err(Refusal::TooSoon { .. })));
    assert!(passes(s(1), &mut one, &mut two));
    assert!(matches!(two.sessions.finish(s(1), one.party(), b"nonsense"), Err(HandshakeError::Noise { .. })));
    assert!(passes(s(1), &mut one, &mut two));
    assert_eq!(two.sessions.finish(s(1), one.party(), b"nonsense"), Err(HandshakeError::Unexpected));
}

#[test]
fn an_opening_that_nobody_answers_is_given_up() {
    let (mut one, two) = (Node::new(1), Node::new(2));
    assert!(one.open(s(0), &two).is_some());
    assert!(one.open(s(1), &two).is_none());
    one.sessions.handle(s(10));
    assert!(one.sessions.is_empty());
    assert!(one.open(s(10), &two).is_some());
    one.sessions.failed(two.party());
    assert!(one.open(s(10), &two).is_some());
}

#[test]
fn a_flood_of_names_takes_the_place_of_names_without_a_session_first() {
    let mut one = Node::with(1, Limits { peers: 3, ..Limits::default() });
    let mut two = Node::new(2);
    establish(s(0), &mut one, &mut two);
    for name in 3..40 {
        let mut stranger = Node::new(name);
        let hello = stranger.open(s(u64::from(name)), &one).unwrap();
        one.hello(s(u64::from(name)), &stranger, &hello).unwrap();
        assert!(one.sessions.len() <= 3);
    }
    assert!(passes(s(50), &mut two, &mut one));
}

#[test]
fn the_least_recently_used_session_makes_room() {
    let mut one = Node::with(1, Limits { peers: 2, ..Limits::default() });
    let (mut two, mut three, mut four) = (Node::new(2), Node::new(3), Node::new(4));
    establish(s(0), &mut one, &mut two);
    establish(s(1), &mut one, &mut three);
    assert!(passes(s(2), &mut two, &mut one));
    establish(s(3), &mut one, &mut four);
    assert!(one.outputs().contains(&Output::Ended { peer: three.party(), reason: EndReason::Evicted }));
    assert!(passes(s(4), &mut two, &mut one) && !passes(s(4), &mut three, &mut one));
}

proptest! {
    #![proptest_config(crate::cases())]

    /// Whatever is lost and whoever opens when: a message is opened at most once, and the two find a session again.
    #[test]
    fn two_nodes_always_find_a_session(steps in prop::collection::vec((0..6_u8, any::<bool>(), 0..200_u64), 1..40)) {
        let (mut one, mut two) = (Node::new(1), Node::new(2));
        let mut now = s(0);
        for (step, is_lost, pause) in steps {
            now += Duration::from_secs(pause);
            for node in [&mut one, &mut two] {
                node.sessions.handle(now);
                prop_assert!(node.sessions.deadline().is_none_or(|deadline| deadline > now));
            }
            if step % 2 == 1 {
                std::mem::swap(&mut one, &mut two);
            }
            if step < 4 {
                exchange(now, &mut one, &mut two, is_lost);
            } else if let Ok(sealed) = one.seal(now, &two) {
                match two.unseal(now, &one, &sealed) {
                    Ok(_) => prop_assert!(two.unseal(now, &one, &sealed).unwrap_err().is_replayed()),
                    Err(OpenError::UnknownSession) => one.sessions.unknown(two.party()),
                    Err(error) => panic!("{error}"),
                }
            }
            let _ = (one.outputs(), two.outputs());
        }
        now += s(20);
        one.sessions.handle(now);
        two.sessions.handle(now);
        exchange(now, &mut one, &mut two, false);
        prop_assert!(passes(now, &mut one, &mut two) && passes(now, &mut two, &mut one));
    }
}

/// A handshake, whose answer or finish may get lost.
fn exchange(now: Time, one: &mut Node, two: &mut Node, is_lost: bool) {
    let Some(hello) = one.open(now, two) else { return };
    let Ok(answer) = two.hello(now, one, &hello) else { return one.sessions.failed(two.party()) };
    if is_lost {
        return;
    }
    let finish = one.sessions.answer(now, two.party(), &answer).unwrap();
    two.sessions.finish(now, one.party(), &finish).unwrap();
}
