//! Two sides, a network, a chain, and what goes wrong between them.

mod judge;

use std::collections::BTreeMap;
use std::time::Duration;

use bitcoin::{Amount, FeeRate, OutPoint, Transaction, TxOut};
use darkswap_trade::Time;
use darkswap_trade::asset::Asset;
use darkswap_trade::coin::{Coin, Holdings};
use darkswap_trade::order::{Offer, Order, OrderId, Price, Side};
use darkswap_trade::psbt::presigned::{Ask, build_ask};
use darkswap_trade::psbt::{CheckedPsbt, Party};
use darkswap_trade::swap::{
    Body, Funding, Incoming, Input, Message, Output, Phase, Policy, Record, Rejection, Request, Role, Stage, Swap,
    SwapId, Taking,
};
use ordinals::RuneId;

use crate::chain::Chain;
use crate::dice::Dice;
use crate::evil;
use crate::trader::{MAKER, TAKER, Trader};

const SWAP: SwapId = SwapId([7; 16]);
const START: Duration = Duration::from_secs(1_800_000_000);
/// How long after the last fault everything must have ended: the longest deadline, a reclaim that is retried, blocks.
const PATIENCE: Duration = Duration::from_secs(6 * 3_600);

/// What a case is about. All of its chances follow from the seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) seed: u64,
    pub(crate) evil: Option<usize>,
    /// Crashes, losses, delays, reorganisations, evictions, refusals.
    pub(crate) faults: bool,
    /// The maker signed beforehand and takes no part.
    pub(crate) presigned: bool,
}

/// What happened in a case.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) settled: u32,
    pub(crate) aborted: u32,
    pub(crate) reclaimed: u32,
    pub(crate) double_spent: u32,
    pub(crate) crashes: u32,
    pub(crate) reorganised: u32,
    pub(crate) misbehaved: u32,
    pub(crate) steps: u64,
}

#[derive(Debug)]
enum Event {
    Deliver { to: usize, bytes: Vec<u8> },
    Answer { to: usize, life: u64, input: Box<Input> },
    Coins { to: usize, life: u64, outpoints: Vec<OutPoint> },
    Look { to: usize, life: u64 },
    Submit { from: usize, tx: Transaction },
    Link(bool),
    Restart(usize),
    Block,
    Fault,
}

pub(crate) struct World {
    pub(crate) case: Case,
    pub(crate) dice: Dice,
    pub(crate) now: Time,
    pub(crate) chain: Chain,
    pub(crate) traders: [Trader; 2],
    pub(crate) asset: Asset,
    pub(crate) order: Order,
    request: Request,
    policy: Policy,
    events: BTreeMap<(Time, u64), Event>,
    sequence: u64,
    /// Messages, lost ones as well.
    sent: u64,
    is_linked: bool,
    /// How bad it is, from 0 to 4, and until when.
    severity: u64,
    faults_end: Time,
    pub(crate) tally: Tally,
}

impl World {
    pub(crate) fn new(case: Case) -> Self {
        let mut dice = Dice::new(case.seed);
        let mut chain = Chain::new();
        let asset = Asset::Rune(RuneId { block: 840_000, tx: 3 });
        let mut skew = || Duration::from_secs(dice.below(9));
        let mut traders = [Trader::new(&chain.secp, 1, skew()), Trader::new(&chain.secp, 2, skew())];
        for trader in &mut traders {
            let mut grant = |sats, units| {
                let output = TxOut { value: Amount::from_sat(sats), script_pubkey: trader.script.clone() };
                let holdings = if units == 0 { Holdings::new() } else { Holdings::from([(asset, units)]) };
                chain.grant(output, holdings)
            };
            trader.asset_coin = grant(20_000, 1_000);
            trader.bitcoin_coin = grant(500_000, 0);
            trader.other_coin = grant(300_000, 0);
            trader.wealth_before = chain.wealth(&trader.script, asset);
        }
        if let Some(evil) = case.evil {
            traders[evil].is_evil = true;
        }
        let side = if case.presigned || dice.percent(50) { Side::Sell } else { Side::Buy };
        let (units, minimum) = (1_000, 100);
        let offer = Offer { asset, side, units, minimum, price: Price { sats: 150, units: 1 } };
        let id = OrderId([9; 32]);
        let expires = START + Duration::from_secs(80_000);
        let order = Order { id, maker: traders[MAKER].key, slot: 1, revision: 1, created: START, expires, offer };
        let wanted = if case.presigned || dice.percent(30) { 1_000 } else { dice.between(100, 900) };
        let mut inputs = vec![traders[TAKER].bitcoin_coin];
        if side == Side::Buy {
            inputs.insert(0, traders[TAKER].asset_coin);
        }
        let fee_rate = FeeRate::from_sat_per_vb(dice.between(2, 9)).unwrap();
        let request = Request { order: id, units: u128::from(wanted), fee_rate, stake: traders[TAKER].stake(inputs) };
        let policy = Policy {
            confirmations: u32::try_from(dice.between(2, 4)).unwrap(),
            window: Duration::from_secs(dice.between(40, 120)),
            fee_rates: (FeeRate::from_sat_per_vb(1).unwrap(), FeeRate::from_sat_per_vb(20).unwrap()),
        };
        let length = *dice.pick(&[60, 300, 1_000, 6_000]).unwrap();
        let faults_end =
            START + if case.faults || case.evil.is_some() { Duration::from_secs(length) } else { Duration::ZERO };
        let (now, events, sequence, tally) = (START, BTreeMap::new(), 0, Tally::default());
        let is_linked = true;
        let severity = if case.faults { dice.below(5) } else { 0 };
        Self {
            sent: 0,
            severity,
            case,
            dice,
            now,
            chain,
            traders,
            asset,
            order,
            request,
            policy,
            events,
            sequence,
            is_linked,
            faults_end,
            tally,
        }
    }

    /// Runs the case to its end and judges it.
    pub(crate) fn run(mut self) -> Tally {
        if self.traders[TAKER].is_evil {
            evil::spoil_request(&mut self.dice, &mut self.request, &self.traders);
        }
        self.at(60, Event::Block);
        let faults = self.faults_end.saturating_sub(START).as_secs();
        if faults > 0 {
            for _ in 0..self.dice.between(1, 14) {
                // Half of them early, where the messages are.
                let latest = if self.dice.percent(50) { faults.min(20) } else { faults };
                let at = self.dice.below(latest.max(1) * 1_000);
                self.schedule(START + Duration::from_millis(at), Event::Fault);
            }
        }
        let us = self.traders[TAKER].key;
        let taking = Taking { us, swap: SWAP, order: self.order.clone(), request: self.request.clone() };
        let now = self.traders[TAKER].now(self.now);
        let swap = if self.case.presigned {
            Swap::take_presigned(now, taking, self.ask().into(), self.policy)
        } else {
            Swap::take(now, taking, self.policy)
        };
        if let Ok(swap) = swap {
            self.traders[TAKER].swap = Some(swap);
            self.drain(TAKER);
        }
        self.play();
        self.judge();
        self.tally
    }

    /// What the maker of a presigned order publishes.
    fn ask(&self) -> Vec<u8> {
        let maker = &self.traders[MAKER];
        let (asset, units) = (self.asset, self.order.offer.units);
        let payment = self.order.offer.price.payment(units).unwrap();
        let ask = Ask { asset, units, payment, outpoint: maker.asset_coin, receive: maker.script.clone() };
        let coins = BTreeMap::from([(maker.asset_coin, self.chain.coin(maker.asset_coin).unwrap())]);
        let sign = |checked: &CheckedPsbt| Ok::<_, String>(maker.sign(&self.chain.secp, checked.psbt().clone()));
        build_ask(&ask, &coins).unwrap().sign(sign).unwrap().encode()
    }

    fn play(&mut self) {
        while self.now < self.faults_end + PATIENCE {
            let wake = (0..2).filter_map(|who| self.wakes_at(who)).min();
            let next = self.events.keys().next().map(|(at, _)| *at).expect("there is always a next block");
            if let Some(at) = wake
                && at < next
            {
                self.now = self.now.max(at);
                let who = (0..2).find(|who| self.wakes_at(*who) == Some(at)).unwrap();
                self.handle(who, Input::Tick);
                continue;
            }
            let ((at, _), event) = self.events.pop_first().unwrap();
            self.now = self.now.max(at);
            self.happen(event);
            self.tally.steps += 1;
            if self.now > self.faults_end && self.is_over() {
                break;
            }
        }
    }

    fn is_over(&self) -> bool {
        let ended =
            |trader: &Trader| trader.is_evil || trader.swap.as_ref().is_none_or(Swap::is_terminal) && trader.is_up;
        self.traders.iter().all(ended) && self.chain.mempool.is_empty()
    }

    fn wakes_at(&self, who: usize) -> Option<Time> {
        let trader = &self.traders[who];
        Some(trader.swap.as_ref()?.deadline()?.saturating_sub(trader.skew))
    }

    fn has_faults(&self) -> bool {
        self.severity > 0 && self.now < self.faults_end
    }

    fn at(&mut self, seconds: u64, event: Event) {
        self.schedule(self.now + Duration::from_secs(seconds), event);
    }

    fn soon(&mut self, event: Event) {
        let most = if self.has_faults() && self.dice.percent(3 * self.severity) { 40_000 } else { 900 };
        let after = Duration::from_millis(self.dice.between(1, most));
        self.schedule(self.now + after, event);
    }

    fn schedule(&mut self, at: Time, event: Event) {
        self.sequence += 1;
        self.events.insert((at, self.sequence), event);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Deliver { to, bytes } => self.deliver(to, &bytes),
            Event::Answer { to, life, input } => {
                if self.traders[to].life == life {
                    self.handle(to, *input);
                }
            }
            Event::Coins { to, life, outpoints } => {
                if self.traders[to].life == life {
                    let coins: BTreeMap<OutPoint, Coin> =
                        outpoints.iter().filter_map(|it| Some((*it, self.chain.coin(*it)?))).collect();
                    self.handle(to, Input::Coins(coins));
                }
            }
            Event::Look { to, life } => {
                if self.traders[to].life == life
                    && let Some((txid, spends)) = &self.traders[to].watching
                {
                    let status = self.chain.status(*txid, spends);
                    self.handle(to, Input::Seen(status));
                }
            }
            Event::Submit { from, tx } => self.submit(from, &tx),
            Event::Link(is_linked) => {
                self.is_linked = is_linked;
                for who in 0..2 {
                    self.handle(who, if is_linked { Input::Connected } else { Input::Lost });
                }
            }
            Event::Restart(who) => self.restart(who),
            Event::Block => self.block(),
            Event::Fault => self.fault(),
        }
    }

    fn block(&mut self) {
        // Fees may be too low for a while.
        let chance =
            if self.now < self.faults_end { [70, 70, 50, 30, 5][usize::try_from(self.severity).unwrap()] } else { 100 };
        self.chain.mine(&mut self.dice, chance);
        let next = self.dice.between(20, 400);
        self.at(next, Event::Block);
        self.look();
    }

    /// Whoever watches hears of the chain, sooner or later.
    fn look(&mut self) {
        for to in 0..2 {
            let life = self.traders[to].life;
            self.soon(Event::Look { to, life });
        }
    }

    fn submit(&mut self, from: usize, tx: &Transaction) {
        let result = if self.has_faults() && self.dice.percent(10 * self.severity) {
            Err("the server does not answer".to_owned())
        } else {
            self.chain.submit(tx)
        };
        match result {
            Ok(()) => self.look(),
            Err(reason) => self.handle(from, Input::BroadcastFailed { txid: tx.compute_txid(), reason }),
        }
    }

    pub(crate) fn submit_quietly(&mut self, tx: &Transaction) {
        if self.chain.submit(tx).is_ok() {
            self.look();
        }
    }

    fn fault(&mut self) {
        let die = self.dice.below(100);
        if let Some(evil) = self.case.evil
            && die < 60
        {
            return evil::act(self, evil);
        }
        if self.severity == 0 || self.dice.below(4) >= self.severity {
            return;
        }
        match die % 6 {
            0 | 1 => {
                let who = usize::try_from(self.dice.below(2)).unwrap();
                self.crash(who);
            }
            2 => {
                self.happen(Event::Link(false));
                let after = self.dice.between(1, 200);
                self.at(after, Event::Link(true));
            }
            3 => {
                let depth = u32::try_from(self.dice.between(1, u64::from(self.policy.confirmations) - 1)).unwrap();
                self.chain.reorganise(&mut self.dice, depth);
                self.tally.reorganised += 1;
                self.look();
            }
            4 => {
                let index = usize::try_from(self.dice.below(2)).unwrap();
                self.chain.evict(index);
                self.look();
            }
            _ => {
                if self.dice.percent(20) {
                    let who = usize::try_from(self.dice.below(2)).unwrap();
                    self.handle(who, Input::Cancel);
                }
            }
        }
    }

    fn crash(&mut self, who: usize) {
        let trader = &mut self.traders[who];
        if trader.is_evil || !trader.is_up {
            return;
        }
        trader.is_up = false;
        trader.swap = None;
        trader.watching = None;
        trader.life += 1;
        self.tally.crashes += 1;
        let most = *self.dice.pick(&[2, 60, 5_000]).unwrap();
        let after = self.dice.between(1, most);
        self.at(after, Event::Restart(who));
    }

    fn restart(&mut self, who: usize) {
        let (now, policy, is_linked) = (self.traders[who].now(self.now), self.policy, self.is_linked);
        let trader = &mut self.traders[who];
        trader.is_up = true;
        trader.fills = Default::default();
        if let Some(record) = trader.durable() {
            trader.fills.follow(&record);
            trader.swap = Some(Swap::restore(now, record, policy));
            self.drain(who);
            self.handle(who, if is_linked { Input::Connected } else { Input::Lost });
        }
    }

    fn deliver(&mut self, to: usize, bytes: &[u8]) {
        if !self.traders[to].is_up || !self.is_linked {
            return;
        }
        let message = match Message::decode(bytes) {
            Ok(message) => message,
            Err(refusal) => {
                assert!(self.traders[1 - to].is_evil, "an honest message was refused: {refusal}");
                return;
            }
        };
        assert_eq!(message.swap, SWAP);
        if self.traders[to].is_evil {
            self.traders[to].captured.push(message.body.clone());
        }
        if let Some(swap) = &self.traders[to].swap {
            let must_answer = !self.traders[to].is_evil && is_repeated(swap.record(), &message.body);
            let before = self.sent;
            self.handle(to, Input::Message(message.body));
            let is_answered = self.sent > before || !self.traders[to].is_up;
            assert!(is_answered || !must_answer, "a repeated message was not answered");
            return;
        }
        if self.traders[to].is_evil && !matches!(message.body, Body::Request(_)) {
            return;
        }
        match message.body {
            Body::Request(request) if to == MAKER => self.consider(request),
            Body::Reject(_) => {}
            _ => self.send(to, Body::Reject(Rejection::Unknown)),
        }
    }

    fn consider(&mut self, request: Request) {
        let taker = self.traders[TAKER].key;
        let (now, policy, order) = (self.traders[MAKER].now(self.now), self.policy, self.order.clone());
        let maker = &mut self.traders[MAKER];
        let incoming = Incoming { taker, swap: SWAP, request };
        match Swap::consider(now, incoming, maker.key, Some(&order), &mut maker.fills, policy) {
            Ok(swap) => {
                maker.swap = Some(swap);
                self.drain(MAKER);
            }
            Err(refused) => self.send(MAKER, Body::Reject(refused.rejection)),
        }
    }

    pub(crate) fn handle(&mut self, who: usize, input: Input) {
        let now = self.traders[who].now(self.now);
        if let Some(swap) = &mut self.traders[who].swap {
            swap.handle(now, input);
            self.drain(who);
        }
    }

    /// Carries out what the machine says, one by one: a crash can come between any two.
    fn drain(&mut self, who: usize) {
        while let Some(output) = self.traders[who].swap.as_mut().and_then(Swap::poll) {
            if self.has_faults() && self.dice.below(300) < self.severity {
                self.crash(who);
                return;
            }
            if self.traders[who].is_evil {
                if let Some(output) = evil::carry_out(self, who, output) {
                    self.carry_out(who, output);
                }
            } else {
                self.traders[who].check_promise(&output);
                self.carry_out(who, output);
            }
        }
        let trader = &mut self.traders[who];
        if let Some(swap) = &trader.swap {
            trader.fills.follow(swap.record());
        }
    }

    fn carry_out(&mut self, who: usize, output: Output) {
        let life = self.traders[who].life;
        match output {
            Output::Persist(record) => {
                let text = serde_json::to_string(&*record).unwrap();
                let trader = &mut self.traders[who];
                assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), *record);
                assert!(!trader.durable().is_some_and(|it| it.is_terminal()), "an ended swap was written again");
                trader.disk = Some(text);
            }
            Output::Send(body) => self.send(who, body),
            Output::Fund(funding) => {
                let input = self.fund(who, &funding);
                self.soon(Event::Answer { to: who, life, input: Box::new(input) });
            }
            Output::Ask(outpoints) => self.soon(Event::Coins { to: who, life, outpoints }),
            Output::Sign(checked) => {
                let trader = &mut self.traders[who];
                if trader.is_evil {
                    trader.drafts.push(checked.psbt().clone());
                }
                let signed = trader.sign(&self.chain.secp, checked.psbt().clone());
                let input = if self.has_faults() && self.dice.percent(3) {
                    Input::NotSigned("the wallet is locked".to_owned())
                } else {
                    Input::Signed(signed)
                };
                self.soon(Event::Answer { to: who, life, input: Box::new(input) });
            }
            Output::Broadcast(tx) => self.soon(Event::Submit { from: who, tx }),
            Output::Watch { txid, spends } => {
                self.traders[who].watching = Some((txid, spends));
                self.soon(Event::Look { to: who, life });
            }
            Output::Unwatch(_) => self.traders[who].watching = None,
            Output::Reclaim { outpoints, attempt } => self.reclaim(who, &outpoints, attempt),
            Output::Moved { from, to, reason } => {
                let trader = &mut self.traders[who];
                assert!(!matches!(from, Phase::Done | Phase::Aborted), "{from:?} is the end, and then {to:?} came");
                trader.moves.push((from, to, reason));
            }
            Output::Misbehaved(misbehaviour) => {
                self.tally.misbehaved += 1;
                let is_evil = self.traders[1 - who].is_evil || self.traders[who].is_evil;
                assert!(is_evil, "an honest peer was blamed: {misbehaviour}");
            }
            Output::Reserve { .. } | Output::Release | Output::Failed(_) => {}
        }
    }

    fn fund(&mut self, who: usize, funding: &Funding) -> Input {
        if self.has_faults() && self.dice.percent(4) {
            return Input::Declined(Rejection::Funds);
        }
        let trader = &self.traders[who];
        let coin = match funding.party {
            Party::Seller => trader.asset_coin,
            Party::Buyer => trader.bitcoin_coin,
        };
        let mut stake = trader.stake(vec![coin]);
        if trader.is_evil {
            evil::spoil_stake(&mut self.dice, &mut stake, &self.traders[1 - who]);
        }
        Input::Funded(stake)
    }

    fn reclaim(&mut self, who: usize, outpoints: &[OutPoint], attempt: u32) {
        let outpoint = *self.dice.pick(outpoints).expect("there is something to reclaim");
        let fee = 4_000 + 1_000 * u64::from(attempt.min(12));
        let made = self.traders[who].spend(&self.chain, &[outpoint], |sum| sum - fee);
        let made = if self.has_faults() && self.dice.percent(20) { None } else { made };
        if let Some(tx) = &made {
            self.traders[who].reclaims.push(tx.compute_txid());
        }
        let life = self.traders[who].life;
        self.soon(Event::Answer { to: who, life, input: Box::new(Input::Reclaimed(made)) });
    }

    pub(crate) fn send(&mut self, from: usize, body: Body) {
        if self.traders[from].is_evil {
            self.traders[from].captured.push(body.clone());
        }
        self.sent += 1;
        let copies = match self.has_faults().then(|| self.dice.below(40 / self.severity)) {
            Some(0 | 1) => 0,
            Some(2 | 3) => 2,
            _ => 1,
        };
        for _ in 0..copies {
            let bytes = Message { swap: SWAP, body: body.clone() }.encode();
            self.soon(Event::Deliver { to: 1 - from, bytes });
        }
    }
}

/// Whether a maker promised something in answer to this before.
fn is_repeated(record: &Record, body: &Body) -> bool {
    match (&record.stage, body) {
        (Stage::Accepted { .. }, Body::Request(request)) => *request == record.request && record.role == Role::Maker,
        (Stage::Broadcast { .. } | Stage::Reclaiming { .. } | Stage::Done { .. }, Body::Proposal(_)) => {
            record.role == Role::Maker
        }
        _ => false,
    }
}
