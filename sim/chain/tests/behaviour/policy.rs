//! What is relayed.

use bitcoin::script::PushBytesBuf;
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, TxOut};
use darkswap_chain::{Policy, Refusal, spendable_script, spendable_witness_script};

use crate::common::{ALICE, BOB, NOW, fund, funded, input, node_with, output, pass_on, pay, reason, transaction};

#[test]
fn a_fee_below_the_relay_fee_is_refused_with_both_numbers() {
    let (mut node, coins) = funded(1);
    let refusal = node.broadcast(NOW, pay(coins[0], &[99_999])).unwrap_err();
    let vsize = pay(coins[0], &[99_999]).vsize();
    let required = (vsize as u64).div_ceil(10);
    assert_eq!(refusal.to_string(), format!("min relay fee not met, 1 < {required}"));
    node.broadcast(NOW, pay(coins[0], &[100_000 - required])).unwrap();
}

#[test]
fn a_fee_that_must_be_a_mistake_is_refused() {
    let (mut node, _) = funded(1);
    let coins = node.fund(NOW, &spendable_script(ALICE), Amount::from_sat(10_000_000), 1).unwrap();
    assert_eq!(reason(&mut node, pay(coins[0], &[10_000])), "max-fee-exceeded");
}

#[test]
fn dust_is_refused() {
    let (mut node, coins) = funded(1);
    assert_eq!(node.broadcast(NOW, pay(coins[0], &[50_000, 329])), Err(Refusal::Dust(1)));
    node.broadcast(NOW, pay(coins[0], &[50_000, 330])).unwrap();
}

#[test]
fn data_is_relayed_up_to_the_size_that_is_set() {
    let (node, coins) = fund(node_with(Policy { max_data_carrier: 83, ..Policy::default() }), 1);
    let data = |size: usize| {
        let push = PushBytesBuf::try_from(vec![7; size]).unwrap();
        let mut payment = pay(coins[0], &[50_000]);
        payment.output.push(TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::new_op_return(push) });
        payment
    };
    let mut small = node.clone();
    assert_eq!(small.broadcast(NOW, data(81)), Err(Refusal::DataCarrier(84)));
    small.broadcast(NOW, data(80)).unwrap();
    let (mut large, coins_of_large) = funded(1);
    assert_eq!(coins_of_large, coins);
    large.broadcast(NOW, data(9_000)).unwrap();
}

#[test]
fn unusual_transactions_are_not_relayed_but_can_be_mined() {
    let (mut node, coins) = funded(1);
    let mut bare = pay(coins[0], &[50_000]);
    bare.output[0].script_pubkey = spendable_witness_script(BOB);
    assert_eq!(node.broadcast(NOW, bare.clone()), Err(Refusal::NonstandardOutput(0)));
    let mut versioned = pay(coins[0], &[50_000]);
    versioned.version = Version::non_standard(9);
    assert_eq!(reason(&mut node, versioned), "version");
    let mut scripted = pay(coins[0], &[50_000]);
    scripted.input[0].script_sig = spendable_witness_script(BOB);
    assert_eq!(reason(&mut node, scripted), "scriptsig-not-pushonly");
    let txid = bare.compute_txid();
    node.mine_exactly(NOW, vec![bare]).unwrap();
    let mut unlocked = transaction(vec![input(OutPoint::new(txid, 0), BOB)], vec![output(BOB, 40_000)]);
    unlocked.input[0].witness.clear();
    assert_eq!(node.broadcast(NOW, unlocked.clone()), Err(Refusal::NonstandardInput(0)));
    node.mine_exactly(NOW, vec![unlocked]).unwrap();
}

#[test]
fn a_chain_of_unconfirmed_transactions_ends_at_twenty_five() {
    let (mut node, coins) = funded(1);
    let mut parent = node.broadcast(NOW, pay(coins[0], &[99_000])).unwrap();
    for step in 1..25 {
        parent = node.broadcast(NOW, pass_on(parent, 0, 99_000 - 1_000 * step)).unwrap();
    }
    assert_eq!(node.mempool().len(), 25);
    assert_eq!(reason(&mut node, pass_on(parent, 0, 50_000)), "too-long-mempool-chain");
    node.mine(NOW, 1);
    node.broadcast(NOW, pass_on(parent, 0, 50_000)).unwrap();
}

#[test]
fn a_transaction_has_at_most_twenty_four_descendants() {
    let (mut node, coins) = funded(1);
    let parent = node.broadcast(NOW, pay(coins[0], &[3_500; 26])).unwrap();
    for vout in 0..24 {
        node.broadcast(NOW, pass_on(parent, vout, 3_000)).unwrap();
    }
    assert_eq!(reason(&mut node, pass_on(parent, 24, 3_000)), "too-long-mempool-chain");
    // Replacing a child keeps the number, so that a fee can still be raised.
    node.broadcast(NOW, pass_on(parent, 0, 2_000)).unwrap();
}

#[test]
fn what_waits_already_is_told_apart() {
    let (mut node, coins) = funded(1);
    let payment = pay(coins[0], &[90_000]);
    let txid = node.broadcast(NOW, payment.clone()).unwrap();
    assert_eq!(node.broadcast(NOW, payment.clone()), Ok(txid), "sendrawtransaction takes it again");
    let mut other = payment.clone();
    other.input[0].witness.push([1]);
    assert_eq!(reason(&mut node, other), "txn-same-nonwitness-data-in-mempool");
    node.mine(NOW, 1);
    assert_eq!(reason(&mut node, payment), "txn-already-known");
}

#[test]
fn a_full_mempool_evicts_what_pays_least_and_asks_for_more() {
    let vsize = |sats| pay(OutPoint::null(), &[sats]).vsize() as u64;
    let (mut node, coins) = fund(node_with(Policy { max_vsize: 3 * vsize(90_000), ..Policy::default() }), 5);
    let cheap = node.broadcast(NOW, pay(coins[0], &[99_500])).unwrap();
    node.broadcast(NOW, pay(coins[1], &[98_000])).unwrap();
    node.broadcast(NOW, pay(coins[2], &[98_000])).unwrap();
    node.broadcast(NOW, pay(coins[3], &[97_000])).unwrap();
    assert!(node.mempool().entry(&cheap).is_none(), "the cheapest one left");
    assert_eq!(node.counters().evicted, 1);
    assert_eq!(reason(&mut node, pay(coins[4], &[99_500])), "mempool min fee not met");
    assert_eq!(reason(&mut node, pay(coins[4], &[98_500])), "mempool full");
    assert_eq!(node.mempool().len(), 3);
    node.mine(NOW, 1);
    node.broadcast(NOW, pay(coins[4], &[99_500])).unwrap();
}

#[test]
fn evicting_a_transaction_evicts_what_depends_on_it() {
    let (mut node, coins) = funded(2);
    let parent = node.broadcast(NOW, pay(coins[0], &[90_000])).unwrap();
    let child = node.broadcast(NOW, pass_on(parent, 0, 80_000)).unwrap();
    let other = node.broadcast(NOW, pay(coins[1], &[90_000])).unwrap();
    assert_eq!(node.evict(&[parent]), [parent, child]);
    assert!(node.mempool().entry(&other).is_some());
    assert_eq!(node.evict(&[parent]), []);
    node.broadcast(NOW, pay(coins[0], &[85_000])).expect("the coin is free again");
}

#[test]
fn who_waits_for_two_weeks_is_dropped() {
    let (mut node, coins) = funded(2);
    let old = node.broadcast(NOW, pay(coins[0], &[90_000])).unwrap();
    let later = NOW + Policy::default().expiry + std::time::Duration::from_secs(1);
    node.broadcast(later, pay(coins[1], &[90_000])).unwrap();
    assert!(node.mempool().entry(&old).is_none());
}
