//! Runes from their etching to their transfer, by the node's commands, with ord as the judge.

use std::collections::BTreeMap;

use bitcoin::OutPoint;
use darkswap_regtest::{Commitment, NodeProcess};
use darkswap_trade::asset::Asset;
use darkswap_trade::order::Side;
use darkswap_trade::psbt::POSTAGE;
use darkswap_trade::settlement::Wealth;
use serde_json::Value;

use crate::market::{MAKER, Market, TAKER, units, word};
use crate::payment::{Alone, txid};
use crate::world::{MINT, NAME, PREMINE, name};

/// Where the one etching of a node is.
fn etching(node: &NodeProcess) -> Option<Value> {
    node.ask(&["asset", "etchings"]).ok()?.as_array()?.first().cloned()
}

#[test]
fn a_rune_is_etched_through_a_crash_and_minted() {
    let mut alone = Alone::with(&[200_000, 100_000]);
    let Alone { node, world, .. } = &mut alone;
    let (premine, mint) = (PREMINE.to_string(), MINT.to_string());
    let terms = ["--premine", &premine, "--mint-amount", &mint, "--mint-cap", "2"];
    let command = [&["asset", "etch", NAME][..], &terms, &["--fee-rate", "5sat/vb", "--yes"]].concat();
    node.ask(&command).expect("it has the bitcoin for it");
    let phase = |node: &NodeProcess| Some(word(&etching(node)?["phase"]));
    let mature = |node: &NodeProcess| phase(node).filter(|phase| phase != "committing").map(drop);
    world.env.mine(1).expect("a block");
    node.wait("commitment in a block", || mature(node)).expect("it follows the chain");
    node.kill();
    world.env.mine(u32::try_from(Commitment::DEPTH).expect("small")).expect("blocks");
    node.start().expect("it starts again");
    let revealed = || world.env.mempool().ok()?.pop();
    node.wait("etching that waits", revealed).expect("it is revealed when its time has come");
    let done = || {
        world.env.mine(1).ok()?;
        etching(node).filter(|it| word(&it["phase"]) == "done")
    };
    let done = node.wait("etching that is done", done).expect("blocks have it");
    let asset: Asset = done["asset"].as_str().expect("an asset").parse().expect("a rune");
    node.wait("premine", || (units(node) == PREMINE).then_some(())).expect("it is its own");

    txid(&node.ask(&["asset", "mint", NAME, "--fee-rate", "5sat/vb", "--yes"]).expect("it may be minted"));
    world.env.mine(1).expect("a block");
    node.wait("mint", || (units(node) == PREMINE + MINT).then_some(())).expect("it is its own");
    let ord = world.env.ord().expect("ord starts");
    let rune = ord.rune(name().rune).expect("ord answers").expect("it was etched");
    assert_eq!((Asset::Rune(rune.id), rune.premine, rune.mints, rune.burned), (asset, PREMINE, 1, 0));
}

#[test]
fn a_rune_that_is_transferred_is_seen_by_both_nodes_and_by_ord() {
    let mut market = Market::open(Side::Sell);
    let address = market.ask(TAKER, &["wallet", "address"])["address"].as_str().expect("an address").to_owned();
    let Asset::Rune(id) = market.asset else { panic!("a rune") };
    let (asset, fee_rate) = (id.to_string(), "5sat/vb");
    let command = ["asset", "transfer", &address, "--asset", &asset, "--units", "30", "--fee-rate", fee_rate, "--yes"];
    market.ask(MAKER, &command);
    let transaction = market.waiting();
    let txid = transaction.compute_txid();
    market.world.env.mine(1).expect("a block");
    market.await_units(MAKER, PREMINE - 30);
    market.await_units(TAKER, 30);
    {
        let ord = market.world.env.ord().expect("ord starts");
        let vouts = 0..u32::try_from(transaction.output.len()).expect("few outputs");
        let outpoints: Vec<_> = vouts.map(|vout| OutPoint { txid, vout }).collect();
        let balances = ord.balances_of(&outpoints).expect("ord answers");
        let found: BTreeMap<u128, usize> =
            balances.values().flat_map(BTreeMap::values).map(|units| (*units, 1)).collect();
        assert_eq!(found, [(30, 1), (PREMINE - 30, 1)].into(), "ord sees the same units");
        let rune = ord.rune(name().rune).expect("ord answers").expect("it was etched");
        assert_eq!((rune.id, rune.premine, rune.burned), (id, PREMINE, 0));
    }
    let asset = |units| [(market.asset, units)].into();
    let given = Wealth { bitcoin: POSTAGE, assets: asset(30) };
    let got = Wealth { bitcoin: POSTAGE, assets: asset(30) };
    market.before[TAKER] = add(&market.before[TAKER], got);
    market.judge_after([given, Wealth::default()]);
}

/// Both together, of different assets.
fn add(one: &Wealth, other: Wealth) -> Wealth {
    let mut sum = other;
    sum.bitcoin += one.bitcoin;
    for (asset, units) in &one.assets {
        *sum.assets.entry(*asset).or_default() += units;
    }
    sum
}
