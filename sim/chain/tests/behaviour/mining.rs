//! Blocks.

use std::time::Duration;

use bitcoin::{Amount, OutPoint, Weight};
use darkswap_chain::{FullNode, Interval, MAX_BLOCK_WEIGHT, Miner, NodeConfig, spendable_script, subsidy};

use crate::common::{ALICE, BOB, NOW, funded, input, node, output, pass_on, pay, transaction};

#[test]
fn a_child_that_pays_well_takes_its_poor_parent_along() {
    // Many outputs make these transactions so heavy that a block has no room for all of them.
    let (mut node, coins) = funded(133);
    let heavy = |index: usize, last: u64| pay(coins[index], &[&[370; 219][..], &[last]].concat());
    for index in 0..130 {
        node.broadcast(NOW, heavy(index, 370)).unwrap();
    }
    let poor = node.broadcast(NOW, heavy(130, 8_000)).unwrap();
    let left_out = node.broadcast(NOW, heavy(131, 8_000)).unwrap();
    let inputs = vec![input(OutPoint::new(poor, 219), BOB), input(coins[132], ALICE)];
    let child = node.broadcast(NOW, transaction(inputs, vec![output(BOB, 50_000)])).unwrap();
    node.mine(NOW, 1);
    let block = node.chain().block(node.chain().height()).unwrap();
    assert!(block.weight() <= Weight::MAX_BLOCK && block.weight().to_wu() > MAX_BLOCK_WEIGHT * 9 / 10);
    let position = |txid| node.chain().transaction(&txid).map(|found| found.position);
    assert!(position(poor).unwrap() < position(child).unwrap());
    assert_eq!(position(left_out), None);
    node.mine(NOW, 1);
    assert!(node.mempool().is_empty());
}

#[test]
fn the_best_fee_rate_is_mined_first() {
    let (mut node, coins) = funded(3);
    let fees = [2_000, 9_000, 5_000];
    let txids: Vec<_> = (0..3).map(|i| node.broadcast(NOW, pay(coins[i], &[100_000 - fees[i]])).unwrap()).collect();
    node.mine(NOW, 1);
    assert_eq!(node.chain().txids(node.chain().height()).unwrap()[1..], [txids[1], txids[2], txids[0]]);
    let reward = node.chain().block(node.chain().height()).unwrap().txdata[0].output[0].value;
    assert_eq!(reward, Amount::from_int_btc(50) + Amount::from_sat(16_000));
}

#[test]
fn a_child_does_not_profit_from_a_parent_that_is_in_the_block_already() {
    let (mut node, coins) = funded(2);
    let parent = node.broadcast(NOW, pay(coins[0], &[80_000])).unwrap();
    let child = node.broadcast(NOW, pass_on(parent, 0, 79_500)).unwrap();
    let other = node.broadcast(NOW, pay(coins[1], &[97_000])).unwrap();
    node.mine(NOW, 1);
    assert_eq!(node.chain().txids(node.chain().height()).unwrap()[1..], [parent, other, child]);
}

#[test]
fn a_block_removes_what_conflicts_with_it_from_the_mempool() {
    let (mut node, coins) = funded(2);
    let parent = node.broadcast(NOW, pay(coins[0], &[90_000])).unwrap();
    node.broadcast(NOW, pass_on(parent, 0, 80_000)).unwrap();
    let other = node.broadcast(NOW, pay(coins[1], &[90_000])).unwrap();
    node.mine_exactly(NOW, vec![pay(coins[0], &[95_000])]).unwrap();
    assert_eq!(node.mempool().iter().map(|entry| entry.txid).collect::<Vec<_>>(), [other]);
    assert_eq!(node.counters().conflicted, 2);
}

#[test]
fn the_subsidy_halves_and_ends() {
    assert_eq!(subsidy(0, 150), Amount::from_int_btc(50));
    assert_eq!(subsidy(149, 150), Amount::from_int_btc(50));
    assert_eq!(subsidy(150, 150), Amount::from_int_btc(25));
    assert_eq!(subsidy(u32::MAX, 1), Amount::ZERO);
}

#[test]
fn blocks_come_at_exponential_intervals_around_the_mean() {
    let mut node = node();
    let mut miner = Miner::new(Interval::Exponential(Duration::from_secs(600)), 5, NOW);
    let end = NOW + Duration::from_secs(600 * 1_000);
    let mined = miner.mine_due(end, &mut node).len();
    assert!((900..1_100).contains(&mined), "{mined} blocks in a thousand means");
    assert!(miner.next_block() > end);
    let times: Vec<u32> = (1..=50).map(|height| node.chain().header(height).unwrap().time).collect();
    let gaps: Vec<u32> = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
    assert!(gaps.iter().any(|gap| *gap < 120) && gaps.iter().any(|gap| *gap > 1_200), "{gaps:?}");
}

#[test]
fn fixed_intervals_are_fixed() {
    let mut node = node();
    let mut miner = Miner::new(Interval::Fixed(Duration::from_secs(10)), 5, NOW);
    assert_eq!(miner.next_block(), NOW + Duration::from_secs(10));
    assert_eq!(miner.mine_due(NOW + Duration::from_secs(35), &mut node).len(), 3);
}

#[test]
fn a_seed_gives_the_same_blocks_and_another_seed_others() {
    let run = |seed| {
        let mut node = FullNode::new(NodeConfig::default(), seed);
        let coins = node.fund(NOW, &spendable_script(ALICE), Amount::from_sat(100_000), 3).unwrap();
        node.broadcast(NOW, pay(coins[0], &[90_000])).unwrap();
        Miner::new(Interval::Exponential(Duration::from_secs(600)), seed, NOW)
            .mine_due(NOW + Duration::from_secs(6_000), &mut node);
        (0..=node.chain().height()).filter_map(|height| node.chain().block_hash(height)).collect::<Vec<_>>()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1)[1], run(2)[1]);
}
