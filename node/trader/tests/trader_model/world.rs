//! Traders, a network, a chain, and what goes wrong between them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bitcoin::{FeeRate, Network, Txid};
use bytes::Bytes;
use darkswap_trade::Time;
use darkswap_trade::asset::Asset;
use darkswap_trade::coin::Holdings;
use darkswap_trade::order::TraderKey;
use darkswap_trade::swap::{Spend, Status};
use darkswap_trader::chain::{ChainInput, ChainRequest};
use darkswap_trader::command::{Command, CommandError, Reply, TradeEvent};
use darkswap_trader::input::Input;
use darkswap_trader::output::{Output, Verdict};
use darkswap_trader::store::Stored;
use darkswap_trader::{Settings, Trader};
use darkswap_wallet::{Keychain, Seed, Wallet};
use ed25519_dalek::SigningKey;
use ordinals::RuneId;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use crate::chain::Chain;

pub(crate) const START: Time = Duration::from_secs(1_800_000_000);
pub(crate) const ASSET: Asset = Asset::Rune(RuneId { block: 840_000, tx: 3 });

/// What goes wrong, in percent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) lost: u64,
    pub(crate) repeated: u64,
    pub(crate) late: u64,
    /// Of 1,000 outputs, after so many a trader crashes.
    pub(crate) crashes: u64,
    pub(crate) unknown_coins: u64,
}

pub(crate) struct Node {
    pub(crate) trader: Option<Trader>,
    pub(crate) stored: Stored,
    pub(crate) settings: Settings,
    pub(crate) number: u8,
    life: u64,
    watching: BTreeMap<Txid, (Vec<Spend>, Option<Status>)>,
    pub(crate) answers: BTreeMap<u64, Result<Reply, CommandError>>,
    pub(crate) events: Vec<TradeEvent>,
    gossip: BTreeMap<u64, (usize, Bytes)>,
    seen: BTreeSet<Bytes>,
    /// After so many more batches were written it crashes.
    pub(crate) crash_after: Option<u32>,
    pub(crate) links: BTreeSet<TraderKey>,
    pub(crate) open_questions: u32,
    pub(crate) most_questions: u32,
    pub(crate) before: (u64, u128),
}

#[derive(Debug)]
enum Event {
    Input { to: usize, life: u64, input: Input },
    Chain { to: usize, life: u64, request: ChainRequest },
    Gossip { from: usize, to: usize, bytes: Bytes },
    Ask { from: usize, life: u64, to: usize, token: u64, bytes: Bytes },
    Restart(usize),
    Block,
}

pub(crate) struct World {
    pub(crate) now: Time,
    pub(crate) chain: Chain,
    pub(crate) nodes: Vec<Node>,
    pub(crate) faults: Faults,
    /// What servers estimate.
    pub(crate) fee_rate: FeeRate,
    pub(crate) cut: BTreeSet<(usize, usize)>,
    dice: ChaCha8Rng,
    events: BTreeMap<(Time, u64), Event>,
    sequence: u64,
    asks: BTreeMap<u64, (usize, u64, u64)>,
    pub(crate) crashes: u32,
    pub(crate) scans: u32,
    pub(crate) steps: u64,
    /// Of everything that was said and written.
    pub(crate) trace: u64,
}

pub(crate) fn signing_key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number + 1; 32])
}

pub(crate) fn key(number: usize) -> TraderKey {
    TraderKey(signing_key(u8::try_from(number).unwrap()).verifying_key().to_bytes())
}

pub(crate) fn seed(number: u8) -> Seed {
    Seed::from_entropy(&[number + 1; 16]).unwrap()
}

impl World {
    /// Traders with bitcoin and units, all connected with each other.
    pub(crate) fn new(seed_of_dice: u64, count: u8) -> Self {
        let mut world = Self {
            now: START,
            chain: Chain::new(),
            nodes: Vec::new(),
            faults: Faults::default(),
            fee_rate: FeeRate::from_sat_per_vb(3).unwrap(),
            cut: BTreeSet::new(),
            dice: ChaCha8Rng::seed_from_u64(seed_of_dice),
            events: BTreeMap::new(),
            sequence: 0,
            asks: BTreeMap::new(),
            crashes: 0,
            scans: 0,
            steps: 0,
            trace: 0,
        };
        for number in 0..count {
            let mut wallet = Wallet::create(&seed(number), Network::Regtest).unwrap();
            for (sats, units) in [(200_000, 0), (300_000, 0), (400_000, 0), (546, 1_000), (10_000, 1_000)] {
                let script = wallet.address(Keychain::External).script_pubkey();
                let holdings = if units == 0 { Holdings::new() } else { Holdings::from([(ASSET, units)]) };
                world.chain.grant(script, sats, holdings);
            }
            let mut settings = Settings::default();
            settings.policy.confirmations = 2;
            let trader = Trader::new(settings.clone(), wallet, signing_key(number), world.random());
            let before = world.chain.wealth(|script| trader.wallet().is_mine(script));
            world.nodes.push(Node {
                trader: Some(trader),
                stored: Stored::new(),
                settings,
                number,
                life: 0,
                watching: BTreeMap::new(),
                answers: BTreeMap::new(),
                events: Vec::new(),
                gossip: BTreeMap::new(),
                seen: BTreeSet::new(),
                crash_after: None,
                links: BTreeSet::new(),
                open_questions: 0,
                most_questions: 0,
                before,
            });
        }
        world.chain.mine();
        for to in 0..world.nodes.len() {
            world.drain(to);
            world.tell_tip(to);
            world.meet(to);
        }
        let after = world.block_time();
        world.schedule(world.now + after, Event::Block);
        world
    }

    fn random(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.dice.fill_bytes(&mut bytes);
        bytes
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.dice.next_u64() % limit
    }

    pub(crate) fn anybody(&mut self) -> usize {
        usize::try_from(self.below(self.nodes.len() as u64)).unwrap()
    }

    fn percent(&mut self, chance: u64) -> bool {
        chance > 0 && self.below(100) < chance
    }

    fn block_time(&mut self) -> Duration {
        Duration::from_secs(20 + self.below(100))
    }

    fn schedule(&mut self, at: Time, event: Event) {
        self.sequence += 1;
        self.events.insert((at, self.sequence), event);
    }

    fn delay(&mut self) -> Duration {
        let most = if self.percent(self.faults.late) { 20_000 } else { 300 };
        Duration::from_millis(1 + self.below(most))
    }

    fn soon(&mut self, event: Event) {
        let at = self.now + self.delay();
        self.schedule(at, event);
    }

    fn answer(&mut self, to: usize, input: Input) {
        let life = self.nodes[to].life;
        self.soon(Event::Input { to, life, input });
    }

    fn is_linked(&self, one: usize, other: usize) -> bool {
        let up = |it: usize| self.nodes[it].trader.is_some();
        one != other && up(one) && up(other) && !self.cut.contains(&(one.min(other), one.max(other)))
    }

    fn index(&self, peer: TraderKey) -> usize {
        (0..self.nodes.len()).find(|it| key(*it) == peer).expect("everybody is known")
    }

    fn meet(&mut self, one: usize) {
        for other in 0..self.nodes.len() {
            if self.is_linked(one, other) {
                self.answer(one, Input::Connected(key(other)));
                self.answer(other, Input::Connected(key(one)));
            }
        }
    }

    /// No path between these two, until [`heal`](Self::heal).
    pub(crate) fn part(&mut self, one: usize, other: usize) {
        self.cut.insert((one.min(other), one.max(other)));
        self.answer(one, Input::Disconnected(key(other)));
        self.answer(other, Input::Disconnected(key(one)));
    }

    pub(crate) fn heal(&mut self) {
        for (one, other) in std::mem::take(&mut self.cut) {
            self.answer(one, Input::Connected(key(other)));
            self.answer(other, Input::Connected(key(one)));
        }
    }

    fn tell_tip(&mut self, to: usize) {
        let (height, hash) = self.chain.tip();
        self.answer(to, Input::Chain(ChainInput::Tip { height, hash, fee_rate: self.fee_rate }));
    }

    /// Everybody hears of a change of the chain, sooner or later.
    pub(crate) fn look(&mut self) {
        for to in 0..self.nodes.len() {
            self.answer(to, Input::Chain(ChainInput::Stirred));
            let mut seen = Vec::new();
            for (txid, (spends, last)) in &mut self.nodes[to].watching {
                let status = self.chain.status(*txid, spends);
                if last.replace(status) != Some(status) {
                    seen.push((*txid, status));
                }
            }
            for (txid, status) in seen {
                self.answer(to, Input::Chain(ChainInput::Seen { txid, status }));
            }
        }
    }

    pub(crate) fn block(&mut self) {
        self.chain.mine();
        self.look();
        for to in 0..self.nodes.len() {
            self.tell_tip(to);
        }
    }

    /// Runs until so much time has passed.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        self.run_until(end, |_| false);
    }

    /// Runs until something holds; false when it did not until then.
    pub(crate) fn run_until(&mut self, end: Time, mut holds: impl FnMut(&Self) -> bool) -> bool {
        let mut same = (Time::ZERO, 0);
        while !holds(self) {
            let wakes =
                self.nodes.iter().enumerate().filter_map(|(it, node)| Some((node.trader.as_ref()?.deadline()?, it)));
            let wake = wakes.min();
            let next = self.events.keys().next().map(|(at, _)| *at).expect("there is always a next block");
            if next.min(wake.map_or(next, |(at, _)| at)) > end {
                self.now = end;
                return false;
            }
            match wake {
                Some((at, who)) if at < next => {
                    self.now = self.now.max(at);
                    self.handle(who, Input::Tick);
                }
                _ => {
                    let ((at, _), event) = self.events.pop_first().expect("looked at above");
                    self.now = self.now.max(at);
                    self.happen(event);
                }
            }
            self.steps += 1;
            same = if same.0 == self.now { (self.now, same.1 + 1) } else { (self.now, 0) };
            assert!(same.1 < 100_000, "time stands still at {:?}: {wake:?}", self.now);
        }
        true
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Input { to, life, input } => {
                if self.nodes[to].life == life {
                    self.handle(to, input);
                }
            }
            Event::Chain { to, life, request } => {
                if self.nodes[to].life == life {
                    self.answer_chain(to, request);
                }
            }
            Event::Gossip { from, to, bytes } => {
                if self.is_linked(from, to) && self.nodes[to].seen.insert(bytes.clone()) {
                    self.sequence += 1;
                    let token = self.sequence;
                    self.nodes[to].gossip.insert(token, (from, bytes.clone()));
                    self.handle(to, Input::Statement { token, from: key(from), bytes });
                }
            }
            Event::Ask { from, life, to, token, bytes } => {
                if self.is_linked(from, to) {
                    self.sequence += 1;
                    self.asks.insert(self.sequence, (from, life, token));
                    self.handle(to, Input::SyncRequest { token: self.sequence, from: key(from), bytes });
                } else if self.nodes[from].life == life {
                    self.handle(from, Input::SyncAnswered { token, bytes: None });
                }
            }
            Event::Restart(who) => self.restart(who),
            Event::Block => {
                self.block();
                let after = self.block_time();
                self.schedule(self.now + after, Event::Block);
            }
        }
    }

    pub(crate) fn handle(&mut self, who: usize, input: Input) {
        let now = self.now;
        if let Some(trader) = &mut self.nodes[who].trader {
            trader.handle(now, input);
            self.drain(who);
        }
    }

    pub(crate) fn command(&mut self, who: usize, command: Command) -> u64 {
        self.sequence += 1;
        let token = self.sequence;
        self.handle(who, Input::Command { token, command });
        token
    }

    /// A command that is answered at once.
    pub(crate) fn ask(&mut self, who: usize, command: Command) -> Result<Reply, CommandError> {
        let token = self.command(who, command);
        self.nodes[who].answers.remove(&token).expect("it is answered at once")
    }

    /// Carries out what a trader says, one by one: a crash can come between any two.
    fn drain(&mut self, who: usize) {
        while let Some(output) = self.nodes[who].trader.as_mut().and_then(Trader::poll) {
            self.mix(who, &output);
            let is_written = matches!(output, Output::Persist(_));
            self.check(who, &output);
            self.carry_out(who, output);
            let node = &mut self.nodes[who];
            let is_due = is_written
                && node.crash_after.as_mut().is_some_and(|left| {
                    *left = left.saturating_sub(1);
                    *left == 0
                });
            let crashes = self.faults.crashes;
            if is_due || crashes > 0 && self.below(1_000) < crashes {
                self.nodes[who].crash_after = None;
                let after = Duration::from_millis(500 + self.below(30_000));
                self.crash(who, after);
            }
        }
        if let Some(deadline) = self.nodes[who].trader.as_ref().and_then(Trader::deadline) {
            assert!(deadline > self.now, "trader {who} wants to be called at {deadline:?}, and it is {:?}", self.now);
        }
    }

    /// A number over everything that is said, to compare runs with.
    fn mix(&mut self, who: usize, output: &Output) {
        for byte in format!("{:?} {who} {output:?}", self.now).bytes() {
            self.trace = (self.trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    pub(crate) fn crash(&mut self, who: usize, after: Duration) {
        let node = &mut self.nodes[who];
        node.trader = None;
        node.life += 1;
        node.watching.clear();
        node.gossip.clear();
        node.seen.clear();
        node.links.clear();
        node.open_questions = 0;
        self.crashes += 1;
        for other in 0..self.nodes.len() {
            if other != who {
                self.answer(other, Input::Disconnected(key(who)));
            }
        }
        self.schedule(self.now + after, Event::Restart(who));
    }

    fn restart(&mut self, who: usize) {
        let random = self.random();
        let node = &mut self.nodes[who];
        let wallet = match Wallet::load(&seed(node.number), Network::Regtest, node.stored.wallet()) {
            Ok(wallet) => wallet,
            // It crashed before anything was written.
            Err(_) => Wallet::create(&seed(node.number), Network::Regtest).unwrap(),
        };
        let key = signing_key(node.number);
        let trader = Trader::restore(self.now, node.settings.clone(), &node.stored, wallet, key, random).unwrap();
        node.trader = Some(trader);
        self.drain(who);
        self.tell_tip(who);
        self.meet(who);
    }

    fn carry_out(&mut self, who: usize, output: Output) {
        let life = self.nodes[who].life;
        match output {
            Output::Persist(writes) => self.nodes[who].stored.apply(&writes),
            Output::Publish(bytes) => self.spread(who, None, &bytes),
            Output::Verdict { token, verdict } => {
                let (from, bytes) = self.nodes[who].gossip.remove(&token).expect("it was asked");
                assert_ne!(verdict, Verdict::Reject, "an honest statement was rejected");
                if verdict == Verdict::Accept {
                    self.spread(who, Some(from), &bytes);
                }
            }
            Output::Connect(peer) => assert!(self.nodes[who].links.insert(peer), "connected twice"),
            Output::Release(peer) => assert!(self.nodes[who].links.remove(&peer), "released without need"),
            Output::Send { to, bytes } => {
                let to = self.index(to);
                if !self.is_linked(who, to) {
                    return;
                }
                let copies = match (self.percent(self.faults.lost), self.percent(self.faults.repeated)) {
                    (true, _) => 0,
                    (false, true) => 3,
                    (false, false) => 1,
                };
                for _ in 0..copies {
                    self.answer(to, Input::Message { from: key(who), bytes: bytes.clone() });
                }
            }
            Output::SyncAsk { token, to, bytes } => {
                let to = self.index(to);
                if self.percent(self.faults.lost) {
                    self.answer(who, Input::SyncAnswered { token, bytes: None });
                } else {
                    self.soon(Event::Ask { from: who, life, to, token, bytes });
                }
            }
            Output::SyncAnswer { token, bytes } => {
                let (to, life, token) = self.asks.remove(&token).expect("it was asked");
                self.soon(Event::Input { to, life, input: Input::SyncAnswered { token, bytes } });
            }
            Output::Chain(request) => {
                if let ChainRequest::Coins { .. } = request {
                    let node = &mut self.nodes[who];
                    node.open_questions += 1;
                    node.most_questions = node.most_questions.max(node.open_questions);
                }
                self.soon(Event::Chain { to: who, life, request });
            }
            Output::Answer { token, outcome } => drop(self.nodes[who].answers.insert(token, outcome)),
            Output::Event(event) => self.nodes[who].events.push(event),
        }
    }

    /// Gossip from outside.
    pub(crate) fn inject(&mut self, from: usize, to: usize, bytes: Bytes) {
        self.soon(Event::Gossip { from, to, bytes });
    }

    /// A trader of the same seed that never ran.
    pub(crate) fn replace(&mut self, who: usize) {
        let random = self.random();
        let node = &mut self.nodes[who];
        let wallet = Wallet::create(&seed(node.number), Network::Regtest).unwrap();
        node.trader = Some(Trader::new(node.settings.clone(), wallet, signing_key(node.number), random));
        node.life += 1;
        self.drain(who);
        self.tell_tip(who);
    }

    fn spread(&mut self, who: usize, without: Option<usize>, bytes: &Bytes) {
        self.nodes[who].seen.insert(bytes.clone());
        for to in 0..self.nodes.len() {
            if self.is_linked(who, to) && Some(to) != without && !self.percent(self.faults.lost) {
                self.soon(Event::Gossip { from: who, to, bytes: bytes.clone() });
            }
        }
    }

    fn answer_chain(&mut self, to: usize, request: ChainRequest) {
        let input = match request {
            ChainRequest::Scan(request) => {
                self.scans += 1;
                ChainInput::Wallet(Box::new(self.chain.scan(request)))
            }
            ChainRequest::Sync(request) => ChainInput::Wallet(Box::new(self.chain.sync(request))),
            ChainRequest::Coins { request, outpoints } => {
                self.nodes[to].open_questions -= 1;
                if self.percent(self.faults.unknown_coins) {
                    ChainInput::CoinsUnknown { request, reason: "the index is behind".to_owned() }
                } else {
                    let coins = outpoints.iter().filter_map(|it| Some((*it, self.chain.coin(*it)?))).collect();
                    ChainInput::Coins { request, coins }
                }
            }
            ChainRequest::Rune { request, query } => {
                let found = if self.percent(self.faults.unknown_coins) {
                    Err("the index is behind".to_owned())
                } else {
                    Ok(self.chain.rune(query).map(Box::new))
                };
                ChainInput::Rune { request, found }
            }
            ChainRequest::Watch { txid, spends } => {
                let status = self.chain.status(txid, &spends);
                self.nodes[to].watching.insert(txid, (spends, Some(status)));
                ChainInput::Seen { txid, status }
            }
            ChainRequest::Unwatch(txid) => {
                self.nodes[to].watching.remove(&txid);
                return;
            }
            ChainRequest::Broadcast(transaction) => {
                let txid = transaction.compute_txid();
                let outcome = self.chain.submit(&transaction);
                if outcome.is_ok() {
                    self.look();
                }
                ChainInput::Broadcast { txid, outcome }
            }
        };
        self.handle(to, Input::Chain(input));
    }
}
