//! The node's wallet: payments, fee bumps, restoring, and an indexer that goes and comes.

use bitcoin::Txid;
use darkswap_regtest::NodeProcess;
use darkswap_trade::order::Side;
use serde_json::Value;

use crate::market::{MAKER, Market, await_spendable, script};
use crate::seat::Seat;
use crate::world::{PREMINE, World, rate, sat, wallet};

/// One node on a chain of its own.
pub(crate) struct Alone {
    // Dropped in this order: first who asks, then who answers.
    pub(crate) node: NodeProcess,
    pub(crate) world: World,
    _seat: Seat,
}

impl Alone {
    /// With confirmed bitcoin.
    pub(crate) fn with(amounts: &[u64]) -> Self {
        let seat = Seat::take();
        let world = World::start();
        let mut node = NodeProcess::create(&world.env, "alice").expect("a new node");
        node.start().expect("it starts");
        for amount in amounts {
            world.env.fund(&script(&node), sat(*amount)).expect("the faucet pays");
        }
        world.env.mine(1).expect("a block");
        await_spendable(&node, amounts.iter().sum());
        Self { node, world, _seat: seat }
    }
}

pub(crate) fn txid(sent: &Value) -> Txid {
    sent["txid"].as_str().expect("a transaction").parse().expect("its id")
}

/// Pays 40,000 satoshis to a stranger.
fn pay(node: &NodeProcess) -> Txid {
    let stranger = bitcoin::Address::from_script(
        &wallet(8).address(darkswap_wallet::Keychain::External).script_pubkey(),
        bitcoin::Network::Regtest,
    );
    let stranger = stranger.expect("an address").to_string();
    let sent = node.ask(&["wallet", "send", &stranger, "40000sat", "--fee-rate", "3sat/vb", "--yes"]);
    txid(&sent.expect("it has a coin"))
}

/// What it has, in all.
fn total(node: &NodeProcess) -> u64 {
    let balance = node.ask(&["wallet", "balance"]).expect("an answer");
    ["spendable", "pending", "reserved", "locked"].iter().map(|part| balance[part].as_u64().expect("satoshis")).sum()
}

#[test]
fn a_payment_is_bumped_confirmed_and_comes_back_after_a_reorganisation() {
    let alone = Alone::with(&[100_000]);
    let Alone { node, world, .. } = &alone;
    let first = pay(node);
    assert_eq!(world.env.mempool().expect("a mempool"), [first]);
    let bumped = node.ask(&["wallet", "bump", &first.to_string(), "--fee-rate", "12sat/vb"]).expect("it waits");
    let bumped = txid(&bumped);
    assert_eq!(world.env.mempool().expect("a mempool"), [bumped], "it replaces the first one");
    let weight = {
        let found: Value =
            world.env.rpc("getrawtransaction", &[bumped.to_string().into(), 1.into()]).expect("it waits");
        bitcoin::Weight::from_wu(found["weight"].as_u64().expect("a weight"))
    };
    let fee = rate(12).fee_wu(weight).expect("a small fee").to_sat();
    world.env.mine(1).expect("a block");
    await_spendable(node, 60_000 - fee);
    world.env.reorg(1).expect("its block gives way");
    let back = || (node.ask(&["wallet", "balance"]).ok()?["spendable"].as_u64()? != 60_000 - fee).then_some(());
    node.wait("payment that waits again", back).expect("it follows the chain");
    assert_eq!(world.env.mempool().expect("a mempool"), [bumped]);
    world.env.mine(1).expect("a block");
    await_spendable(node, 60_000 - fee);
    let refused = node.refusal(&["wallet", "bump", &bumped.to_string(), "--fee-rate", "30sat/vb"]);
    assert!(refused.expect("it is too late").contains("block"), "it says why");
}

#[test]
fn an_indexer_that_was_down_is_followed_again() {
    let alone = Alone::with(&[100_000]);
    let Alone { node, world, .. } = &alone;
    let receive = script(node);
    let stopped = world.env.stop_electrs().expect("it ends");
    // The node says so when it is asked for something that needs the chain, and loses nothing.
    let down = || {
        let stranger = "bcrt1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqc8gma6";
        let refused = node.refusal(&["wallet", "send", stranger, "40000sat", "--fee-rate", "3sat/vb", "--yes"]).ok()?;
        Some(refused)
    };
    let refused = node.wait("refusal", down).expect("a refusal");
    assert!(!refused.is_empty());
    world.env.fund(&receive, sat(30_000)).expect("the faucet pays");
    world.env.mine(2).expect("blocks");
    world.env.restart_electrs(stopped).expect("it starts again");
    await_spendable(node, 130_000);
    let sent = pay(node);
    assert_eq!(world.env.mempool().expect("a mempool"), [sent]);
    world.env.mine(1).expect("a block");
    node.wait("confirmed payment", || (total(node) < 90_000).then_some(())).expect("it follows the chain");
}

#[test]
fn a_swap_goes_on_when_the_indexer_is_back() {
    let mut market = Market::open(Side::Sell);
    let order = market.place(Side::Sell, 60);
    let swap = market.take(&order, 60);
    market.await_both(&swap, "broadcast");
    let stopped = market.world.env.stop_electrs().expect("it ends");
    market.world.env.mine(1).expect("a block");
    market.world.env.restart_electrs(stopped).expect("it starts again");
    market.world.electrum = market.world.env.electrum().expect("electrs answers");
    market.await_both(&swap, "confirming");
    market.finish();
    assert_eq!(market.judge().settled, 1);
}

#[test]
fn a_wallet_that_is_restored_from_its_words_has_everything_and_spends_it() {
    let mut market = Market::open(Side::Sell);
    let words = market.nodes[MAKER].words().to_owned();
    market.nodes[MAKER].kill();
    let mut restored = NodeProcess::restore(&market.world.env, "restored", &words).expect("a new node");
    restored.start().expect("it starts");
    await_spendable(&restored, 80_000);
    market.nodes[MAKER] = restored;
    market.await_units(MAKER, PREMINE);
    market.meet();
    let order = market.place(Side::Sell, 60);
    market.take(&order, 60);
    market.finish();
    assert_eq!(market.judge().settled, 1);
}
