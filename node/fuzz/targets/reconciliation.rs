//! Both ends of a reconciliation, each against a liar: sessions end, and never learn what their own set contradicts.
//!
//! The first byte says which end is honest; then steps of messages.
#![no_main]

use darkswap_fuzz::steps;
use darkswap_trade::order::OrderId;
use darkswap_trade::reconcile::{Initiator, MAX_ROUNDS, Responder, Snapshot, Step};
use libfuzzer_sys::fuzz_target;

/// Orders that the honest end has.
const ORDERS: u8 = 100;

fuzz_target!(|bytes: &[u8]| {
    let Some((role, rest)) = bytes.split_first() else { return };
    let own = |id: &OrderId| id.0[1..] == [0; 31] && id.0[0] < ORDERS;
    let snapshot = Snapshot::new((0..ORDERS).map(|number| {
        let mut id = [0; 32];
        id[0] = number;
        (u64::from(number) * 1_000, OrderId(id))
    }));
    let (mut initiator, _) = Initiator::new(snapshot.clone());
    let mut responder = Responder::new(snapshot);
    for (_, message) in steps(rest) {
        let step = if role & 1 == 0 { responder.handle(message) } else { initiator.handle(message) };
        if !matches!(step, Ok(Step::Send(_))) {
            break;
        }
    }
    assert!(initiator.rounds() <= MAX_ROUNDS);
    for difference in [initiator.difference(), responder.difference()] {
        assert!(difference.peer_lacks.iter().all(own) && !difference.lacking.iter().any(own));
    }
});
