//! Whatever bytes come from peers, nothing panics, nothing is signed, and what is kept stays bounded.

#![allow(clippy::unwrap_used, reason = "helpers of tests: what fails there fails the test")]

use std::time::Duration;

use bitcoin::Network;
use bytes::Bytes;
use darkswap_trade::Time;
use darkswap_trade::book::Book;
use darkswap_trade::order::{OrderId, TraderKey};
use darkswap_trade::reconcile::{Initiator, Responder, Snapshot, Step};
use darkswap_trade::swap::{Body, Message, Rejection, SwapId};
use darkswap_trader::command::TradeEvent;
use darkswap_trader::input::Input;
use darkswap_trader::output::{Output, Verdict};
use darkswap_trader::sync::{Answer, Ask};
use darkswap_trader::{Settings, Trader};
use darkswap_wallet::{Seed, Wallet};
use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

const NOW: Time = Duration::from_secs(1_800_000_000);
/// Above every key, so that the trader asks first.
const PEER: TraderKey = TraderKey([0xff; 32]);

fn trader() -> Trader {
    let wallet = Wallet::create(&Seed::from_entropy(&[1; 16]).unwrap(), Network::Regtest).unwrap();
    let mut trader = Trader::new(Settings::default(), wallet, SigningKey::from_bytes(&[1; 32]), [2; 32]);
    drain(&mut trader);
    trader
}

/// Everything that it says; a transaction or a signature is never among it.
fn drain(trader: &mut Trader) -> Vec<Output> {
    let outputs: Vec<Output> = std::iter::from_fn(|| trader.poll()).collect();
    for output in &outputs {
        if let Output::Send { bytes, .. } = output {
            let message = Message::decode(bytes).unwrap();
            assert!(matches!(message.body, Body::Reject(_)), "{message:?}");
        }
        assert!(!matches!(output, Output::Chain(_) | Output::Publish(_)), "{output:?}");
    }
    outputs
}

/// The question that a trader asks a newcomer.
fn asked(trader: &mut Trader) -> (u64, Bytes) {
    trader.handle(NOW, Input::Connected(PEER));
    trader.handle(NOW + Duration::from_secs(5), Input::Tick);
    let mut outputs = drain(trader).into_iter();
    let found =
        outputs.find_map(|it| if let Output::SyncAsk { token, bytes, .. } = it { Some((token, bytes)) } else { None });
    found.expect("it reconciles with whoever comes")
}

fn noise() -> impl Strategy<Value = Bytes> {
    let frame = prop::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from);
    let some = frame.clone();
    let messages = prop_oneof![
        any::<[u8; 32]>().prop_map(|it| Message { swap: SwapId([1; 16]), body: Body::Proposal(it.to_vec().into()) }),
        Just(Message { swap: SwapId([1; 16]), body: Body::Reject(Rejection::Busy) }),
    ];
    prop_oneof![
        some,
        frame.clone().prop_map(|it| Ask::Open(it).encode()),
        frame.clone().prop_map(|it| Ask::Step(it).encode()),
        frame.clone().prop_map(|it| Ask::Push(vec![it]).encode()),
        any::<[u8; 32]>().prop_map(|it| Ask::Fetch(vec![OrderId(it); 3]).encode()),
        frame.clone().prop_map(|it| Answer::Frame(it).encode()),
        frame.prop_map(|it| Answer::Statements(vec![it]).encode()),
        Just(Answer::Taken.encode()),
        messages.prop_map(|it| it.encode().into()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..Default::default()
    })]

    #[test]
    fn no_bytes_of_a_peer_panic(all in prop::collection::vec((0_u8..4, noise()), 1..40)) {
        let mut trader = trader();
        let (token, _) = asked(&mut trader);
        for (number, (kind, bytes)) in all.into_iter().enumerate() {
            let (at, token) = (NOW + Duration::from_secs(5 + number as u64), token + number as u64 % 3);
            trader.handle(at, match kind {
                0 => Input::Statement { token, from: PEER, bytes },
                1 => Input::Message { from: PEER, bytes },
                2 => Input::SyncRequest { token, from: PEER, bytes },
                _ => Input::SyncAnswered { token, bytes: Some(bytes) },
            });
            drain(&mut trader);
        }
        prop_assert!(trader.book().is_empty());
    }

    #[test]
    fn spoiled_frames_end_a_session_and_nothing_else(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut trader = trader();
        let snapshot = Snapshot::new((0..300_u16).map(|it| (it.into(), OrderId([it.to_be_bytes(); 16].concat().try_into().unwrap()))));
        let (token, bytes) = asked(&mut trader);
        let Ok(Ask::Open(frame)) = Ask::decode(bytes) else { panic!() };
        let Ok(Step::Send(frame)) = Responder::new(snapshot.clone()).handle(&frame) else { panic!() };
        let mut spoiled = Answer::Frame(frame.into()).encode().to_vec();
        *at.get_mut(&mut spoiled) = byte;
        trader.handle(NOW + Duration::from_secs(6), Input::SyncAnswered { token, bytes: Some(spoiled.into()) });
        drain(&mut trader);

        let (_, frame) = Initiator::new(snapshot);
        let mut spoiled = Ask::Open(frame.into()).encode().to_vec();
        *at.get_mut(&mut spoiled) = byte;
        trader.handle(NOW + Duration::from_secs(7), Input::SyncRequest { token, from: PEER, bytes: spoiled.into() });
        let answers = drain(&mut trader).into_iter().filter(|it| matches!(it, Output::SyncAnswer { .. })).count();
        prop_assert_eq!(answers, 1);
    }
}

#[test]
fn a_peer_that_promises_orders_and_has_none_ends_the_session() {
    let mut trader = trader();
    let (token, bytes) = asked(&mut trader);
    let Ok(Ask::Open(frame)) = Ask::decode(bytes) else { panic!() };
    let snapshot =
        Snapshot::new((0..300_u16).map(|it| (it.into(), OrderId([it.to_be_bytes(); 16].concat().try_into().unwrap()))));
    let mut responder = Responder::new(snapshot);
    let Ok(Step::Send(frame)) = responder.handle(&frame) else { panic!() };
    let (mut answer, mut token, mut fetches) = (Answer::Frame(frame.into()), token, 0);
    for second in 6..100 {
        let input = Input::SyncAnswered { token, bytes: Some(answer.encode()) };
        trader.handle(NOW + Duration::from_secs(second), input);
        let mut outputs = drain(&mut trader).into_iter();
        let next = outputs
            .find_map(|it| if let Output::SyncAsk { token, bytes, .. } = it { Some((token, bytes)) } else { None });
        let Some((next, bytes)) = next else { break };
        token = next;
        answer = match Ask::decode(bytes).unwrap() {
            Ask::Step(frame) => {
                let Ok(Step::Send(frame)) = responder.handle(&frame) else { panic!() };
                Answer::Frame(frame.into())
            }
            Ask::Fetch(ids) => {
                assert_eq!(ids.len(), 300);
                fetches += 1;
                Answer::Statements(Vec::new())
            }
            other => panic!("{other:?}"),
        };
    }
    assert_eq!(fetches, 1);
    assert_eq!(trader.book(), &Book::default());
}

#[test]
fn rubbish_is_rejected_and_reported_with_its_sender() {
    let mut trader = trader();
    trader.handle(NOW, Input::Statement { token: 7, from: PEER, bytes: Bytes::from_static(b"rubbish") });
    let outputs = drain(&mut trader);
    assert!(matches!(
        &outputs[..],
        [
            Output::Event(TradeEvent::StatementRefused { from: PEER, misbehaviour: true, .. }),
            Output::Verdict { token: 7, verdict: Verdict::Reject },
        ]
    ));
    trader.handle(NOW, Input::Message { from: PEER, bytes: Bytes::from_static(b"rubbish") });
    assert!(matches!(&drain(&mut trader)[..], [Output::Event(TradeEvent::SwapMisbehaviour { peer: PEER, .. })]));
    // Beyond its rate it is not even read.
    for _ in 0..10_000 {
        trader.handle(NOW, Input::Statement { token: 7, from: PEER, bytes: Bytes::from_static(b"rubbish") });
    }
    let outputs = drain(&mut trader);
    assert_eq!(outputs.iter().filter(|it| matches!(it, Output::Event(_))).count(), 4_095);
}
