//! What the model tests do not: inputs that no caller and no peer would choose.

use std::time::Duration;

use bitcoin::hashes::Hash;
use bitcoin::{Amount, FeeRate, ScriptBuf, Txid};
use ordinals::RuneId;
use proptest::prelude::*;

use super::*;
use crate::asset::Asset;
use crate::order::{Offer, Order, OrderId, Price, Side, TraderKey};
use crate::swap::{DRIFT, Fills, Request, SwapId, WINDOW};

const MAKER: TraderKey = TraderKey([1; 32]);
const TAKER: TraderKey = TraderKey([2; 32]);
const NOW: Time = Duration::from_secs(1_800_000_000);

fn order() -> Order {
    let asset = Asset::Rune(RuneId { block: 840_000, tx: 1 });
    let price = Price { sats: 100, units: 1 };
    let offer = Offer { asset, side: Side::Sell, units: 1_000, minimum: 10, price };
    let (id, expires) = (OrderId([3; 32]), NOW + Duration::from_secs(9_000));
    Order { id, maker: MAKER, slot: 0, revision: 1, created: NOW, expires, offer }
}

fn stake(number: u8) -> Stake {
    let script = ScriptBuf::from_bytes([&[0x51, 32][..], &[number; 32]].concat());
    let outpoint = OutPoint { txid: Txid::from_byte_array([number; 32]), vout: 0 };
    Stake { inputs: vec![outpoint], receive: script.clone(), change: script }
}

fn request() -> Request {
    Request { order: order().id, units: 500, fee_rate: FeeRate::from_sat_per_kwu(500), stake: stake(2) }
}

fn policy() -> Policy {
    let fee_rates = (FeeRate::from_sat_per_kwu(250), FeeRate::from_sat_per_kwu(50_000));
    Policy { confirmations: 2, window: Duration::from_secs(60), fee_rates }
}

fn taker() -> Swap {
    let taking = Taking { us: TAKER, swap: SwapId([4; 16]), order: order(), request: request() };
    Swap::take(NOW, taking, policy()).unwrap()
}

fn consider(request: Request, order: Option<&Order>) -> Result<Swap, Refused> {
    let incoming = Incoming { taker: TAKER, swap: SwapId([4; 16]), request };
    Swap::consider(NOW, incoming, MAKER, order, &mut Fills::new(), policy())
}

fn drain(swap: &mut Swap) -> Vec<Output> {
    std::iter::from_fn(|| swap.poll()).collect()
}

#[test]
fn a_maker_refuses_what_is_not_its_order_or_not_within_it() {
    let rejection = |request, order: Option<&Order>| consider(request, order).unwrap_err().rejection;
    let own = order();
    assert_eq!(rejection(request(), None), Rejection::Order);
    assert_eq!(rejection(request(), Some(&Order { maker: TraderKey([9; 32]), ..own.clone() })), Rejection::Order);
    assert_eq!(rejection(request(), Some(&Order { expires: NOW, ..own.clone() })), Rejection::Expired);
    assert_eq!(rejection(Request { units: 995, ..request() }, Some(&own)), Rejection::Units);
    assert_eq!(rejection(Request { units: 1_001, ..request() }, Some(&own)), Rejection::Units);
    assert_eq!(rejection(Request { fee_rate: FeeRate::ZERO, ..request() }, Some(&own)), Rejection::FeeRate);
}

#[test]
fn a_maker_that_is_never_funded_rejects_in_time_and_writes_nothing() {
    let mut swap = consider(request(), Some(&order())).unwrap();
    assert!(matches!(drain(&mut swap)[..], [Output::Fund(_)]));
    assert_eq!(swap.deadline(), Some(NOW + ANSWER));
    swap.handle(NOW + ANSWER, Input::Tick);
    let outputs = drain(&mut swap);
    assert!(
        matches!(outputs[..], [Output::Release, Output::Send(Body::Reject(Rejection::Busy)), Output::Moved { .. }]),
        "{outputs:?}"
    );
}

#[test]
fn a_taker_asks_again_until_it_gives_up_and_says_so() {
    let mut swap = taker();
    let outputs = drain(&mut swap);
    let sent = Output::Send(Body::Request(request()));
    assert!(matches!(outputs[..], [Output::Persist(_), Output::Reserve { .. }, _]) && outputs[2] == sent);
    let again = swap.deadline().unwrap();
    swap.handle(again, Input::Tick);
    assert_eq!(drain(&mut swap), [sent]);
    swap.handle(NOW + ANSWER, Input::Tick);
    assert_eq!(swap.record().stage, Stage::Aborted { reason: Reason::NoAnswer });
    assert!(drain(&mut swap).contains(&Output::Send(Body::Reject(Rejection::Withdrawn))));
    assert_eq!(swap.deadline(), None);
}

#[test]
fn a_taker_refuses_a_deadline_out_of_bounds_and_its_own_input_as_the_makers() {
    for (deadline, stake) in [(NOW + WINDOW.1 * 2, stake(1)), (NOW, stake(1)), (NOW + WINDOW.0, stake(2))] {
        let mut swap = taker();
        swap.handle(NOW, Input::Message(Body::Accept(Accept { stake, deadline })));
        assert!(drain(&mut swap).iter().any(|output| matches!(output, Output::Misbehaved(_))));
        assert!(swap.is_terminal());
    }
}

#[test]
fn a_taker_takes_every_window_that_a_maker_may_choose_although_the_acceptance_travels_and_clocks_differ() {
    for deadline in [NOW + WINDOW.0 - DRIFT, NOW + WINDOW.0, NOW + WINDOW.1, NOW + WINDOW.1 + DRIFT] {
        let mut swap = taker();
        swap.handle(NOW, Input::Message(Body::Accept(Accept { stake: stake(1), deadline })));
        assert!(drain(&mut swap).iter().all(|output| !matches!(output, Output::Misbehaved(_))));
        assert!(!swap.is_terminal());
    }
}

#[test]
fn a_maker_with_another_request_under_the_same_id_keeps_the_first() {
    let mut swap = consider(request(), Some(&order())).unwrap();
    drain(&mut swap);
    swap.handle(NOW, Input::Message(Body::Request(Request { units: 600, ..request() })));
    assert_eq!(drain(&mut swap), [Output::Misbehaved(Misbehaviour::Changed("request"))]);
    assert_eq!(swap.record().request, request());
}

fn any_status() -> impl Strategy<Value = Status> {
    let by = Txid::from_byte_array([9; 32]);
    let conflict = (1..4_u8, 0..5_u32).prop_map(move |(number, depth)| Status::Conflicted {
        outpoint: OutPoint { txid: Txid::from_byte_array([number; 32]), vout: 0 },
        by,
        depth,
    });
    prop_oneof![
        Just(Status::Absent),
        Just(Status::InMempool),
        (0..5_u32).prop_map(|depth| Status::Confirmed { depth }),
        conflict
    ]
}

fn any_input() -> impl Strategy<Value = Input> {
    let coin = |number: u8, sats: u64, units: u128| {
        let outpoint = stake(number).inputs[0];
        let output = bitcoin::TxOut { value: Amount::from_sat(sats), script_pubkey: stake(number).receive };
        let holdings = if units == 0 { BTreeMap::new() } else { BTreeMap::from([(order().offer.asset, units)]) };
        (outpoint, Coin { outpoint, output, height: Some(5), holdings })
    };
    let accept = (1..4_u8, 0..1_000_u64).prop_map(|(number, seconds)| {
        Input::Message(Body::Accept(Accept { stake: stake(number), deadline: NOW + Duration::from_secs(seconds) }))
    });
    prop_oneof![
        Just(Input::Tick),
        Just(Input::Cancel),
        Just(Input::Connected),
        Just(Input::Lost),
        Just(Input::Declined(Rejection::Funds)),
        Just(Input::NotSigned("no".to_owned())),
        Just(Input::Reclaimed(None)),
        (1..4_u8).prop_map(|number| Input::Funded(stake(number))),
        (any::<u64>(), any::<u64>(), any::<u128>())
            .prop_map(move |(one, two, units)| Input::Coins(BTreeMap::from([coin(1, one, units), coin(2, two, 0)]))),
        Just(Input::Coins(BTreeMap::from([coin(1, 20_000, 700), coin(2, 900_000, 0)]))),
        any_status().prop_map(Input::Seen),
        Just(Input::Message(Body::Request(request()))),
        Just(Input::Message(Body::Reject(Rejection::Other))),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Input::Message(Body::Proposal(bytes.into()))),
        accept,
    ]
}

proptest! {
    /// Whatever comes in whatever order: no panic, and a deadline that is handled does not come again at once for ever.
    #[test]
    fn any_inputs_leave_a_machine_that_rests(
        inputs in prop::collection::vec((0..200_u64, any_input()), 0..40),
        is_maker: bool,
    ) {
        let mut swap = if is_maker { consider(request(), Some(&order())).unwrap() } else { taker() };
        let mut now = NOW;
        for (seconds, input) in inputs {
            now += Duration::from_secs(seconds);
            swap.handle(now, input);
            swap.handle(now, Input::Tick);
            drain(&mut swap);
            prop_assert!(swap.deadline().is_none_or(|at| at > now), "{:?}", swap.record().stage);
        }
    }
}
