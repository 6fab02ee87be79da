//! Reorgs.

use bitcoin::consensus::encode::serialize;
use darkswap_chain::{FullNode, Reorg, ReorgError, Returned, ScriptHash, spendable_script};

use crate::common::{ALICE, BOB, NOW, funded, input, node, output, pass_on, pay, transaction};

fn reorg(depth: u32) -> Reorg {
    Reorg { depth, length: depth + 1, ..Reorg::default() }
}

/// All that a chain knows, in bytes.
fn state(node: &FullNode) -> (Vec<Vec<u8>>, darkswap_chain::UtxoSet) {
    let blocks = (0..=node.chain().height()).filter_map(|height| node.chain().block(height));
    (blocks.map(|block| serialize(block.as_ref())).collect(), node.chain().coins().clone())
}

#[test]
fn a_reorg_makes_a_confirmed_transaction_wait_again() {
    let (mut node, coins) = funded(1);
    let txid = node.broadcast(NOW, pay(coins[0], &[90_000])).unwrap();
    node.mine(NOW, 2);
    let tip = node.chain().tip();
    let coinbase = node.chain().txids(node.chain().height()).unwrap()[0];
    let done = node.reorg(NOW, reorg(2)).unwrap();
    assert!(node.chain().transaction(&coinbase).is_none());
    assert_eq!((done.disconnected.len(), done.connected.len()), (2, 3));
    assert_eq!(done.disconnected[0], tip);
    assert_eq!((done.returned, done.lost), (vec![txid], vec![]));
    assert!(node.chain().transaction(&txid).is_none() && node.mempool().entry(&txid).is_some());
    assert!(node.chain().block_by_hash(&tip).is_some(), "stale blocks can still be read");
    node.mine(NOW, 1);
    assert!(node.chain().transaction(&txid).is_some());
}

#[test]
fn a_family_that_was_confirmed_over_several_blocks_waits_again_as_a_whole() {
    let (mut node, coins) = funded(1);
    let parent = node.broadcast(NOW, pay(coins[0], &[90_000])).unwrap();
    node.mine(NOW, 1);
    let child = node.broadcast(NOW, pass_on(parent, 0, 80_000)).unwrap();
    node.mine(NOW, 1);
    let grandchild = node.broadcast(NOW, pass_on(child, 0, 70_000)).unwrap();
    let done = node.reorg(NOW, reorg(2)).unwrap();
    assert_eq!((done.returned, done.lost), (vec![parent, child], vec![]));
    assert!(node.mempool().entry(&grandchild).is_some());
}

#[test]
fn a_reorg_can_forget_a_transaction() {
    let (mut node, coins) = funded(1);
    let payment = pay(coins[0], &[90_000]);
    let txid = node.broadcast(NOW, payment.clone()).unwrap();
    node.mine(NOW, 1);
    let done = node.reorg(NOW, Reorg { returned: Returned::Forgotten, ..reorg(1) }).unwrap();
    assert_eq!(done.lost, [txid]);
    assert!(node.mempool().is_empty());
    node.broadcast(NOW, payment).expect("its owner can broadcast it again");
}

#[test]
fn a_reorg_can_confirm_a_double_spend_instead() {
    let (mut node, coins) = funded(1);
    let honest = node.broadcast(NOW, pay(coins[0], &[90_000])).unwrap();
    let child = node.broadcast(NOW, pass_on(honest, 0, 80_000)).unwrap();
    node.mine(NOW, 1);
    let grandchild = node.broadcast(NOW, pass_on(child, 0, 70_000)).unwrap();
    let theft = transaction(vec![input(coins[0], ALICE)], vec![output(ALICE, 95_000)]);
    let stolen = theft.compute_txid();
    let done = node.reorg(NOW, Reorg { include: vec![theft], ..reorg(1) }).unwrap();
    assert_eq!(done.lost, [honest, child, grandchild]);
    assert!(node.chain().transaction(&stolen).is_some());
    assert!(node.mempool().is_empty());
    let history: Vec<_> = node.chain().history(&ScriptHash::of(&spendable_script(BOB))).collect();
    assert!(history.is_empty(), "the index forgot the payment as well");
    assert_eq!(node.counters().lost, 3);
}

#[test]
fn a_transaction_that_the_new_branch_confirms_as_well_is_neither_returned_nor_lost() {
    let (mut node, coins) = funded(1);
    let payment = pay(coins[0], &[90_000]);
    node.broadcast(NOW, payment.clone()).unwrap();
    node.mine(NOW, 1);
    let done = node.reorg(NOW, Reorg { include: vec![payment], ..reorg(1) }).unwrap();
    assert_eq!((done.returned, done.lost), (vec![], vec![]));
}

#[test]
fn an_impossible_reorg_changes_nothing() {
    let (mut node, coins) = funded(1);
    node.broadcast(NOW, pay(coins[0], &[90_000])).unwrap();
    node.mine(NOW, 1);
    node.broadcast(NOW, pass_on(node.chain().txids(node.chain().height()).unwrap()[1], 0, 80_000)).unwrap();
    let (before, waiting) = (state(&node), node.mempool().len());
    let invalid = pay(coins[0], &[200_000]);
    let include = Reorg { include: vec![pay(coins[0], &[80_000]), invalid], ..reorg(1) };
    assert!(matches!(node.reorg(NOW, include), Err(ReorgError::Block(_))));
    assert_eq!(
        node.reorg(NOW, Reorg { depth: 1, length: 1, ..Reorg::default() }),
        Err(ReorgError::Length { length: 1, depth: 1 })
    );
    let height = node.chain().height();
    assert_eq!(node.reorg(NOW, reorg(height + 1)), Err(ReorgError::Depth { depth: height + 1, height }));
    assert_eq!(state(&node), before);
    assert_eq!(node.mempool().len(), waiting);
}

#[test]
fn a_reorg_to_the_genesis_block_loses_what_depends_on_old_coinbases() {
    let (mut node, coins) = funded(1);
    let txid = node.broadcast(NOW, pay(coins[0], &[90_000])).unwrap();
    let done = node.reorg(NOW, reorg(node.chain().height())).unwrap();
    assert!(done.lost.contains(&txid));
    assert!(node.mempool().is_empty());
}

#[test]
fn an_empty_chain_has_nothing_to_reorganise() {
    assert_eq!(node().reorg(NOW, reorg(1)), Err(ReorgError::Depth { depth: 1, height: 0 }));
}
