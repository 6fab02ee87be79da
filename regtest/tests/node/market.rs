//! Two nodes, what they hold at first, and what they are told to do.

use std::time::Duration;

use bitcoin::{Address, Network, ScriptBuf, Transaction};
use darkswap_regtest::NodeProcess;
use darkswap_trade::asset::Asset;
use darkswap_trade::order::Side;
use darkswap_trade::settlement::Wealth;
use darkswap_wallet::{Seed, Wallet};
use serde_json::{Value, json};

use crate::seat::Seat;
use crate::world::{PREMINE, World, bitcoin_of, sat, units_of, wallet};

/// What a unit costs.
pub(crate) const PRICE: u64 = 500;
/// Who makes orders.
pub(crate) const MAKER: usize = 0;
/// Who takes them.
pub(crate) const TAKER: usize = 1;
/// The fee rate of swaps and payments, in satoshis per virtual byte.
pub(crate) const RATE: u32 = 4;
/// How long a swap may take that ends by its deadline: the window, the grace after it, a block, and time for a busy machine.
const END: Duration = Duration::from_secs(200);
/// A block comes after so many looks at swaps that are waited for: both sides have seen the one before.
const LOOKS: u32 = 16;

/// Two nodes on a chain of their own.
pub(crate) struct Market {
    // Dropped in this order: first who asks, then who answers.
    pub(crate) nodes: [NodeProcess; 2],
    pub(crate) world: World,
    /// What is traded.
    pub(crate) asset: Asset,
    /// What each held at first.
    pub(crate) before: [Wealth; 2],
    _seat: Seat,
}

/// Which way runes go.
pub(crate) fn seller(side: Side) -> usize {
    match side {
        Side::Sell => MAKER,
        Side::Buy => TAKER,
    }
}

impl Market {
    /// Whoever sells by orders of this side has [`PREMINE`] units, the other one bitcoin, both have coins for fees.
    pub(crate) fn open(side: Side) -> Self {
        let seat = Seat::take();
        let world = World::start();
        let nodes = ["maker", "taker"].map(|name| NodeProcess::create(&world.env, name).expect("a new node"));
        let (asset, before) = (Asset::Rune(Default::default()), Default::default());
        let mut market = Self { nodes, world, asset, before, _seat: seat };
        market.nodes.iter_mut().for_each(|node| node.start().expect("it starts"));
        let (selling, buying) = (seller(side), 1 - seller(side));
        let mut issuer = wallet(9);
        market.world.fund(&mut issuer, &[50_000]);
        let receive = market.script(selling);
        market.asset = Asset::Rune(market.world.etch_for(&mut issuer, receive));
        market.fund(selling, &[50_000, 30_000]);
        market.fund(buying, &[150_000, 50_000]);
        market.world.env.mine(1).expect("a block");
        market.await_units(selling, PREMINE);
        market.await_spendable(selling, 80_000);
        market.await_spendable(buying, 200_000);
        market.meet();
        market.before = [MAKER, TAKER].map(|who| market.wealth(who));
        market
    }

    /// Connects the two, after one of them has started.
    pub(crate) fn meet(&self) {
        self.nodes[TAKER].connect(&self.nodes[MAKER]).expect("they are on one host");
    }

    /// Starts a node again that was ended.
    pub(crate) fn restart(&mut self, who: usize) {
        self.nodes[who].start().expect("it starts again");
        self.meet();
    }

    /// The JSON that a node prints.
    pub(crate) fn ask(&self, who: usize, arguments: &[&str]) -> Value {
        self.nodes[who].ask(arguments).expect("an answer")
    }

    /// Where a node receives.
    pub(crate) fn script(&self, who: usize) -> ScriptBuf {
        script(&self.nodes[who])
    }

    /// Pays a node.
    pub(crate) fn fund(&self, who: usize, amounts: &[u64]) {
        for amount in amounts {
            self.world.env.fund(&self.script(who), sat(*amount)).expect("the faucet pays");
        }
    }

    /// Waits until a node counts so much bitcoin as spendable.
    pub(crate) fn await_spendable(&self, who: usize, sats: u64) {
        await_spendable(&self.nodes[who], sats);
    }

    /// Waits until a node counts so many units as its own.
    pub(crate) fn await_units(&self, who: usize, units: u128) {
        let counted = || (self.units(who) == units).then_some(());
        self.nodes[who].wait(&format!("{units} units"), counted).expect("it counts them");
    }

    /// The units that a node counts as its own.
    pub(crate) fn units(&self, who: usize) -> u128 {
        units(&self.nodes[who])
    }

    /// The wallet of a node as a stranger with its words sees it on the chain.
    pub(crate) fn wallet(&mut self, who: usize) -> Wallet {
        let seed = Seed::from_words(self.nodes[who].words()).expect("words of a wallet");
        let mut wallet = Wallet::create(&seed, Network::Regtest).expect("a known network");
        self.world.scan(&mut wallet);
        wallet
    }

    /// What a node has by the chain's own word.
    pub(crate) fn wealth(&mut self, who: usize) -> Wealth {
        let wallet = self.wallet(who);
        let units = units_of(&wallet, self.asset);
        let assets = (units > 0).then_some((self.asset, units));
        Wealth { bitcoin: bitcoin_of(&wallet), assets: assets.into_iter().collect() }
    }

    /// Has the maker offer units, which may be taken in parts, and waits until the taker sees it.
    pub(crate) fn place(&self, side: Side, units: u128) -> String {
        self.offer(side, units, &["--minimum", "10"])
    }

    /// The same as it is.
    pub(crate) fn offer(&self, side: Side, units: u128, more: &[&str]) -> String {
        let side = match side {
            Side::Sell => "sell",
            Side::Buy => "buy",
        };
        let Asset::Rune(id) = self.asset else { panic!("runes are traded here") };
        let (asset, units, price) = (id.to_string(), units.to_string(), format!("{PRICE}sat/1"));
        let command = ["order", "place", side, "--asset", &asset, "--units", &units, "--price", &price];
        let placed = self.ask(MAKER, &[&command, more].concat());
        let order = placed["order"].as_str().expect("an order").to_owned();
        self.nodes[TAKER].wait("order of the maker", || self.sees(&order).then_some(())).expect("it comes by gossip");
        order
    }

    /// Whether the taker's book has an order.
    pub(crate) fn sees(&self, order: &str) -> bool {
        let book = self.ask(TAKER, &["order", "book"]);
        book.as_array().expect("a list").iter().any(|listed| listed["order"] == order)
    }

    /// The one order in the taker's book that has so many units left. Its id is another one after each part that was taken.
    pub(crate) fn left(&self, units: u128) -> String {
        let found = || {
            let book = self.ask(TAKER, &["order", "book"]);
            let listed = book.as_array()?.iter().find(|listed| number(&listed["units"]) == units)?;
            Some(listed["order"].as_str()?.to_owned())
        };
        self.nodes[TAKER].wait(&format!("order of {units} units"), found).expect("what is left is offered again")
    }

    /// Has the taker take a part of an order.
    pub(crate) fn take(&self, order: &str, units: u128) -> String {
        let (units, rate) = (units.to_string(), format!("{RATE}sat/vb"));
        let taken = self.ask(TAKER, &["trade", "take", order, "--units", &units, "--fee-rate", &rate, "--yes"]);
        taken["swap"].as_str().expect("a swap").to_owned()
    }

    /// The one transaction that waits to be mined, as soon as there is one.
    pub(crate) fn waiting(&self) -> Transaction {
        let one = || self.world.env.mempool().ok()?.pop();
        let txid = self.nodes[TAKER].wait("transaction that waits", one).expect("it is broadcast");
        assert_eq!(self.world.env.mempool().expect("a mempool"), [txid]);
        let hex: String = self.world.env.rpc("getrawtransaction", &[json!(txid)]).expect("it waits");
        bitcoin::consensus::encode::deserialize_hex(&hex).expect("a transaction")
    }

    /// Where a swap is by the word of one side.
    pub(crate) fn phase(&self, who: usize, swap: &str) -> Option<String> {
        let list = self.ask(who, &["trade", "list"]);
        let found = list.as_array()?.iter().find(|it| it["swap"] == swap)?;
        Some(word(&found["phase"]))
    }

    /// Waits until one side says so.
    pub(crate) fn await_phase(&self, who: usize, swap: &str, phase: &str) {
        let reached = || (self.phase(who, swap)? == phase).then_some(());
        self.nodes[who].wait(&format!("swap that is {phase}"), reached).expect("it gets there");
    }

    /// The same of both sides.
    pub(crate) fn await_both(&self, swap: &str, phase: &str) {
        [MAKER, TAKER].into_iter().for_each(|who| self.await_phase(who, swap, phase));
    }

    /// Mines until every swap of both sides is over.
    pub(crate) fn finish(&self) {
        let mut looks = 0_u32;
        let is_over = || {
            if looks.is_multiple_of(LOOKS) {
                self.world.env.mine(1).expect("a block");
            }
            looks += 1;
            [MAKER, TAKER].into_iter().all(|who| self.are_over(who)).then_some(())
        };
        self.nodes[TAKER].wait_long(END, "end of all swaps", is_over).expect("every swap ends");
    }

    fn are_over(&self, who: usize) -> bool {
        let list = self.ask(who, &["trade", "list"]);
        let over = |swap: &Value| matches!(&*word(&swap["phase"]), "done" | "aborted");
        list.as_array().expect("a list").iter().all(over)
    }
}

/// Where a node receives.
pub(crate) fn script(node: &NodeProcess) -> ScriptBuf {
    let answer = node.ask(&["wallet", "address"]).expect("an answer");
    let address = answer["address"].as_str().expect("an address").parse::<Address<_>>().expect("a valid one");
    address.require_network(Network::Regtest).expect("of this chain").script_pubkey()
}

/// Waits until a node counts so much bitcoin as spendable.
pub(crate) fn await_spendable(node: &NodeProcess, sats: u64) {
    let counted = || (node.ask(&["wallet", "balance"]).ok()?["spendable"].as_u64()? == sats).then_some(());
    let waited = node.wait(&format!("{sats} satoshis that can be spent"), counted);
    waited.unwrap_or_else(|error| panic!("{error}; it has {:?}", node.ask(&["wallet", "balance"])));
}

/// The units of all assets that a node counts as its own.
pub(crate) fn units(node: &NodeProcess) -> u128 {
    let assets = node.ask(&["asset", "list"]).expect("an answer");
    let all = |asset: &Value| number(&asset["units"]) + number(&asset["reserved"]);
    assets.as_array().expect("a list").iter().map(all).sum()
}

/// Units: text, since a number in JSON may not keep all of them.
pub(crate) fn number(value: &Value) -> u128 {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.parse().expect("a whole number")
}

/// A variant without content.
pub(crate) fn word(value: &Value) -> String {
    value.as_str().expect("a word").to_lowercase()
}
