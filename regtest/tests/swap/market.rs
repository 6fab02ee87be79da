//! A maker and a taker, each with a wallet and a machine, and what carries out what the machines say.

use std::collections::VecDeque;
use std::time::Duration;

use bitcoin::{Amount, FeeRate, OutPoint, Transaction, Txid};
use darkswap_trade::asset::Asset;
use darkswap_trade::order::{MAX_LIFE, Offer, Order, OrderId, Price, Side, TraderKey};
use darkswap_trade::psbt::{POSTAGE, Party, Stake, fee_at_most};
use darkswap_trade::swap::{
    Body, Fills, Funding, Incoming, Input, Message, Output, Phase, Policy, Request, Spend, Stage, Status, Swap, SwapId,
    Taking,
};
use darkswap_wallet::{Holder, Keychain, Wallet};

use crate::world::{World, bitcoin_of, rate, units_of, wallet};

/// What a unit costs.
pub(crate) const PRICE: u64 = 500;
/// Who made the order.
pub(crate) const MAKER: usize = 0;
/// Who takes it.
pub(crate) const TAKER: usize = 1;
/// The fee rate of swaps.
pub(crate) const RATE: FeeRate = FeeRate::from_sat_per_vb_u32(4);
/// Inputs of a swap here, at most.
const MAX_INPUTS: usize = 4;

pub(crate) const POLICY: Policy = Policy {
    confirmations: 2,
    window: Duration::from_secs(60),
    fee_rates: (FeeRate::BROADCAST_MIN, FeeRate::from_sat_per_vb_u32(100)),
};

/// One side.
pub(crate) struct Trader {
    pub(crate) wallet: Wallet,
    pub(crate) key: TraderKey,
    pub(crate) swap: Option<Swap>,
    pub(crate) fills: Fills,
    /// Transactions that it does not broadcast: it was told to keep them.
    pub(crate) kept: Vec<Transaction>,
    pub(crate) keeps: bool,
    /// What bitcoind said to its broadcasts.
    pub(crate) refusals: Vec<String>,
    pub(crate) phases: Vec<Phase>,
    pub(crate) watched: Option<(Txid, Vec<Spend>)>,
    pub(crate) status: Option<Status>,
}

/// Two sides, an order, and a chain.
pub(crate) struct Market {
    pub(crate) world: World,
    pub(crate) traders: [Trader; 2],
    pub(crate) asset: Asset,
    mail: VecDeque<(usize, Message)>,
    /// The maker never says that it has settled.
    pub(crate) maker_hides: bool,
    swaps: u8,
}

impl Trader {
    fn new(number: u8) -> Self {
        Self {
            wallet: wallet(number),
            key: TraderKey([number; 32]),
            swap: None,
            fills: Fills::new(),
            kept: Vec::new(),
            keeps: false,
            refusals: Vec::new(),
            phases: Vec::new(),
            watched: None,
            status: None,
        }
    }

    pub(crate) fn stage(&self) -> &Stage {
        &self.swap.as_ref().expect("it has a swap").record().stage
    }

    pub(crate) fn phase(&self) -> Phase {
        self.swap.as_ref().expect("it has a swap").phase()
    }

    fn holder(&self) -> Holder {
        Holder::from(self.swap.as_ref().expect("it has a swap").record().swap.0)
    }

    /// Inputs and addresses for its part of a swap.
    fn stake(&mut self, party: Party, asset: Asset, units: u128, payment: Amount) -> Stake {
        let chosen = match party {
            Party::Seller => self.wallet.select_asset(asset, units),
            Party::Buyer => {
                let fee = fee_at_most(MAX_INPUTS, RATE).expect("a small fee");
                self.wallet.select_bitcoin(payment + POSTAGE + fee, RATE)
            }
        };
        let mut script = |keychain| self.wallet.address(keychain).script_pubkey();
        let (receive, change) = (script(Keychain::External), script(Keychain::Internal));
        Stake { inputs: chosen.expect("it has enough").outpoints, receive, change }
    }
}

impl Market {
    /// The seller of `side`'s orders has the runes, the other one has bitcoin, both have a coin for fees.
    pub(crate) fn open(side: Side) -> Self {
        let mut world = World::start();
        let mut traders = [Trader::new(1), Trader::new(2)];
        let seller = match side {
            Side::Sell => MAKER,
            Side::Buy => TAKER,
        };
        let id = {
            let wallet = &mut traders[seller].wallet;
            world.fund(wallet, &[50_000]);
            world.etch(wallet)
        };
        world.fund(&mut traders[1 - seller].wallet, &[150_000, 50_000]);
        world.refresh(&mut traders[seller].wallet);
        let asset = Asset::Rune(id);
        Self { world, traders, asset, mail: VecDeque::new(), maker_hides: false, swaps: 0 }
    }

    /// An order over everything that was etched.
    pub(crate) fn order(&self, side: Side) -> Order {
        let units = crate::world::PREMINE;
        let offer = Offer { asset: self.asset, side, units, minimum: 10, price: Price { sats: PRICE, units: 1 } };
        let (maker, created) = (self.traders[MAKER].key, self.world.now);
        Order { id: OrderId([3; 32]), maker, slot: 0, revision: 1, created, expires: created + MAX_LIFE, offer }
    }

    /// Begins a swap and goes on with it for as long as nothing but messages is needed.
    pub(crate) fn take(&mut self, order: &Order, units: u128) {
        let taking = self.taking(order, units);
        let swap = Swap::take(self.world.now, taking, POLICY).expect("an honest order");
        self.begin(swap);
        self.run(order);
    }

    /// What the taker wants and brings.
    pub(crate) fn taking(&mut self, order: &Order, units: u128) -> Taking {
        self.swaps += 1;
        let payment = order.offer.price.payment(units).expect("a small one");
        let party = match order.offer.side {
            Side::Sell => Party::Buyer,
            Side::Buy => Party::Seller,
        };
        let taker = &mut self.traders[TAKER];
        let stake = taker.stake(party, self.asset, units, payment);
        let request = Request { order: order.id, units, fee_rate: RATE, stake };
        Taking { us: taker.key, swap: SwapId([self.swaps; 16]), order: order.clone(), request }
    }

    /// The taker has a new swap, the maker none.
    pub(crate) fn begin(&mut self, swap: Swap) {
        for trader in &mut self.traders {
            (trader.swap, trader.watched, trader.status) = (None, None, None);
            trader.phases.clear();
        }
        self.traders[TAKER].swap = Some(swap);
    }

    /// Carries everything out, and brings messages, until nothing is left to do.
    pub(crate) fn run(&mut self, order: &Order) {
        loop {
            for side in [MAKER, TAKER] {
                while let Some(output) = self.traders[side].swap.as_mut().and_then(Swap::poll) {
                    self.carry_out(side, output);
                }
            }
            let Some((to, message)) = self.mail.pop_front() else { break };
            self.deliver(to, message, order);
        }
    }

    fn deliver(&mut self, to: usize, message: Message, order: &Order) {
        let (now, taker) = (self.world.now, self.traders[TAKER].key);
        let trader = &mut self.traders[to];
        match (&mut trader.swap, message.body) {
            (Some(swap), body) => swap.handle(now, Input::Message(body)),
            (None, Body::Request(request)) => {
                let incoming = Incoming { taker, swap: message.swap, request };
                let swap = Swap::consider(now, incoming, trader.key, Some(order), &mut trader.fills, POLICY);
                trader.swap = Some(swap.expect("what the order offers"));
            }
            (None, body) => panic!("a swap begins with a request, not with {body:?}"),
        }
    }

    /// Tells a machine what happened.
    pub(crate) fn handle(&mut self, side: usize, input: Input) {
        let now = self.world.now;
        self.traders[side].swap.as_mut().expect("it has a swap").handle(now, input);
    }

    fn carry_out(&mut self, side: usize, output: Output) {
        let trader = &mut self.traders[side];
        match output {
            Output::Persist(record) => trader.fills.follow(&record),
            Output::Send(body) => self.send(side, body),
            Output::Fund(funding) => self.fund(side, funding),
            Output::Ask(outpoints) => {
                let coins = self.coins(&outpoints);
                self.handle(side, Input::Coins(coins));
            }
            Output::Reserve { outpoints, until } => {
                let outpoints = outpoints.into_iter().collect();
                let (holder, until) = (trader.holder(), until.unwrap_or(Duration::MAX));
                trader.wallet.reserve(holder, &outpoints, until).expect("its own free coins");
            }
            Output::Release => {
                let holder = trader.holder();
                trader.wallet.release(holder);
            }
            Output::Sign(checked) => {
                let signed = trader.wallet.sign(&checked).expect("its own inputs");
                self.handle(side, Input::Signed(signed));
            }
            Output::Broadcast(transaction) => self.broadcast(side, transaction),
            Output::Watch { txid, spends } => trader.watched = Some((txid, spends)),
            Output::Unwatch(_) => trader.watched = None,
            Output::Reclaim { outpoints, attempt } => {
                let one = outpoints.first().expect("it has signed for one").to_owned();
                let made = trader.wallet.reclaim(&[one].into(), None, rate(5 * attempt)).expect("its own coin");
                self.handle(side, Input::Reclaimed(Some(made.transaction)));
            }
            Output::Moved { to, .. } => trader.phases.push(to),
            // What bitcoind said was noted already.
            Output::Failed(_) => {}
            Output::Misbehaved(what) => panic!("an honest side is blamed: {what}"),
        }
    }

    fn send(&mut self, side: usize, body: Body) {
        if self.maker_hides && matches!(body, Body::Settled(_)) {
            return;
        }
        let swap = self.traders[side].swap.as_ref().expect("it has a swap").record().swap;
        let bytes = Message { swap, body }.encode();
        self.mail.push_back((1 - side, Message::decode(&bytes).expect("what was encoded")));
    }

    fn fund(&mut self, side: usize, funding: Funding) {
        let Funding { asset, units, payment, party, .. } = funding;
        let stake = self.traders[side].stake(party, asset, units, payment);
        self.handle(side, Input::Funded(stake));
    }

    fn broadcast(&mut self, side: usize, transaction: Transaction) {
        if self.traders[side].keeps {
            self.traders[side].kept.push(transaction);
            return;
        }
        let txid = transaction.compute_txid();
        if let Err(reason) = self.world.broadcast(&transaction) {
            self.traders[side].refusals.push(reason.clone());
            self.handle(side, Input::BroadcastFailed { txid, reason });
        }
    }

    /// Brings both wallets up to the chain.
    pub(crate) fn refresh(&mut self) {
        for trader in &mut self.traders {
            self.world.refresh(&mut trader.wallet);
        }
    }

    /// Bitcoin and units of both sides.
    pub(crate) fn wealth(&mut self) -> [(Amount, u128); 2] {
        self.refresh();
        self.traders.each_ref().map(|trader| (bitcoin_of(&trader.wallet), units_of(&trader.wallet, self.asset)))
    }

    /// Time passes: both machines are called.
    pub(crate) fn wait(&mut self, time: Duration, order: &Order) {
        self.world.now += time;
        for side in [MAKER, TAKER] {
            if self.traders[side].swap.is_some() {
                self.handle(side, Input::Tick);
            }
        }
        self.run(order);
    }

    /// Tells both machines what became of the transaction.
    pub(crate) fn observe(&mut self, order: &Order) {
        self.world.env.wait_electrs().expect("electrs follows");
        for side in [MAKER, TAKER] {
            let Some((txid, spends)) = self.traders[side].watched.clone() else { continue };
            let status = self.status(txid, &spends);
            if self.traders[side].status.replace(status) != Some(status) {
                self.handle(side, Input::Seen(status));
            }
        }
        self.run(order);
    }

    /// Mines blocks one by one, and observes each.
    pub(crate) fn mine(&mut self, blocks: u32, order: &Order) {
        for _ in 0..blocks {
            self.world.env.mine(1).expect("a block");
            self.observe(order);
        }
    }

    pub(crate) fn phases(&self) -> [Phase; 2] {
        self.traders.each_ref().map(Trader::phase)
    }

    /// The agreed transaction's id, before the swap ends.
    pub(crate) fn txid(&self) -> Txid {
        let swap = self.traders[TAKER].swap.as_ref().expect("it has a swap");
        swap.record().agreement().expect("both agreed").txid
    }

    /// The units on each output of a transaction, as ord says.
    pub(crate) fn units(&mut self, txid: Txid, outputs: u32) -> Vec<u128> {
        let ord = self.world.env.ord().expect("ord starts");
        let outpoints: Vec<OutPoint> = (0..outputs).map(|vout| OutPoint { txid, vout }).collect();
        let balances = ord.balances_of(&outpoints).expect("ord answers");
        let units = |outpoint| balances[outpoint].values().sum();
        outpoints.iter().map(units).collect::<Vec<u128>>()
    }
}

/// So many units of the rune at the price.
pub(crate) fn price(units: u128) -> Amount {
    Amount::from_sat(PRICE * u64::try_from(units).expect("few units"))
}
