//! Nodes and transactions for tests.

use std::time::Duration;

use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, absolute, transaction};
use darkswap_chain::{FullNode, NodeConfig, Policy, spend_witness, spendable_script};

/// The time at which tests begin.
pub(crate) const NOW: Duration = Duration::from_secs(1_700_000_000);
/// The script that tests fund.
pub(crate) const ALICE: u32 = 1;
/// Somebody else's script.
pub(crate) const BOB: u32 = 2;

pub(crate) fn node() -> FullNode {
    FullNode::new(NodeConfig::default(), 7)
}

pub(crate) fn node_with(policy: Policy) -> FullNode {
    FullNode::new(NodeConfig { policy, ..NodeConfig::default() }, 7)
}

/// A node, and coins of 100,000 satoshis for Alice.
pub(crate) fn funded(count: u64) -> (FullNode, Vec<OutPoint>) {
    fund(node(), count)
}

pub(crate) fn fund(mut node: FullNode, count: u64) -> (FullNode, Vec<OutPoint>) {
    let coins = node.fund(NOW, &spendable_script(ALICE), Amount::from_sat(100_000), count).expect("there is enough");
    (node, coins)
}

pub(crate) fn output(number: u32, sats: u64) -> TxOut {
    TxOut { value: Amount::from_sat(sats), script_pubkey: spendable_script(number) }
}

pub(crate) fn input(previous_output: OutPoint, number: u32) -> TxIn {
    TxIn {
        previous_output,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: spend_witness(number),
    }
}

pub(crate) fn transaction(input: Vec<TxIn>, output: Vec<TxOut>) -> Transaction {
    Transaction { version: transaction::Version::TWO, lock_time: absolute::LockTime::ZERO, input, output }
}

/// Spends one of Alice's coins into outputs of these amounts for Bob.
pub(crate) fn pay(coin: OutPoint, sats: &[u64]) -> Transaction {
    transaction(vec![input(coin, ALICE)], sats.iter().map(|sats| output(BOB, *sats)).collect())
}

/// Spends one of Bob's outputs to Bob.
pub(crate) fn pass_on(parent: Txid, vout: u32, sats: u64) -> Transaction {
    transaction(vec![input(OutPoint::new(parent, vout), BOB)], vec![output(BOB, sats)])
}

/// The reject string of a broadcast, without details.
pub(crate) fn reason(node: &mut FullNode, transaction: Transaction) -> &'static str {
    node.broadcast(NOW, transaction).expect_err("it must be refused").reason()
}
