//! What traders are asked to do, and what came of it by their own word. What they really hold is the chain's to say (`bitcoin`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use darkswap_node::trading::Trading;
use darkswap_scenario::topology::{Orders, Sides, Takes};
use darkswap_trade::asset::Asset;
use darkswap_trade::book::Backing;
use darkswap_trade::order::{OrderId, Price, Side, TraderKey};
use darkswap_trade::swap::{Phase, Role, SwapId};
use darkswap_trader::command::{Command, OrderReport, Reply, TradeEvent};
use tokio::time::timeout;

use super::cast::Cast;
use super::observer::With as _;
use super::recorder::{Recorder, tags};
use crate::entropy::Entropy;

/// How long a trader may take to say what is in its book, at the end of a run.
const PATIENCE: Duration = Duration::from_secs(5);

/// The books of trading in a run. Clones share. Hosts are named by their index in the topology.
#[derive(Clone)]
pub(super) struct Trades {
    seed: u64,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    /// What each host draws for its orders.
    draws: BTreeMap<usize, Entropy>,
    /// By host, peer and swap.
    swaps: BTreeMap<(usize, TraderKey, SwapId), (Role, Phase)>,
}

impl Trades {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, inner: Arc::default() }
    }

    /// A number up to this one, of the host's own stream.
    fn below(&self, host: usize, name: &str, end: u64) -> u64 {
        let mut inner = self.lock();
        let fresh = || Entropy::new(self.seed, &format!("orders of host {name}"));
        let mut bytes = [0; 8];
        inner.draws.entry(host).or_insert_with(fresh).fill(&mut bytes);
        // The bias of the multiplication is end / 2^64 at most.
        ((u128::from(u64::from_le_bytes(bytes)) * u128::from(end)) >> 64) as u64
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Traders of a run and where they are written about.
#[derive(Clone, Copy)]
pub(super) struct Desk<'a> {
    pub(super) cast: &'a Cast,
    pub(super) recorder: &'a Recorder,
}

impl Desk<'_> {
    /// Has a host offer something.
    pub(super) async fn place(self, host: usize, orders: &Orders) {
        let Some((trading, asset)) = self.trader(host, &orders.rune) else { return };
        let command = self.draw(host, asset, orders);
        match trading.ask(command).await {
            Ok(_) => self.recorder.category("order", "placed", self.tags(host)),
            Err(error) => self.refused(host, "order", &error.to_string()),
        }
    }

    fn draw(self, host: usize, asset: Asset, orders: &Orders) -> Command {
        let below = |end| match self.cast.bitcoin() {
            Some(bitcoin) => bitcoin.trades().below(host, self.name(host), end),
            None => 0,
        };
        let side = match orders.side {
            Sides::Buy => Side::Buy,
            Sides::Sell => Side::Sell,
            Sides::Either if below(2) == 0 => Side::Buy,
            Sides::Either => Side::Sell,
        };
        let units = orders.least + below(orders.units - orders.least + 1);
        let span = (orders.price as f64 * orders.around) as u64;
        let sats = (orders.price - span.min(orders.price) + below(2 * span + 1)).max(1);
        Command::Place {
            side,
            asset,
            units: u128::from(units),
            minimum: None,
            price: Price { sats, units: 1 },
            lifetime_seconds: orders.lifetime.as_secs(),
            presigned: false,
        }
    }

    /// Has a host take the best order of others.
    pub(super) async fn take(self, host: usize, takes: &Takes) {
        let Some((trading, asset)) = self.trader(host, &takes.rune) else { return };
        let best = match trading.ask(Command::Book { asset: Some(asset) }).await {
            Ok(Reply::Orders(orders)) => best(orders, takes.side),
            Ok(_) => None,
            Err(error) => return self.refused(host, "take", &error.to_string()),
        };
        let Some(best) = best else {
            return self.recorder.category("take", "nothing", self.tags(host));
        };
        let units = takes.units.map(|units| u128::from(units).clamp(best.minimum, best.units));
        match trading.ask(Command::Take { order: best.order, units, fee_rate: None }).await {
            Ok(_) => self.recorder.category("take", "taken", self.tags(host)),
            Err(error) => self.refused(host, "take", &error.to_string()),
        }
    }

    /// Takes note of what a host's trader reports.
    pub(super) fn see(self, host: usize, event: &TradeEvent) {
        match event {
            TradeEvent::OrderAdded { maker, age_milliseconds, .. } if *maker != self.key(host) => {
                let names = tags([("from", &*self.name_of(*maker)), ("to", self.name(host))]);
                self.recorder.time("order_time", Duration::from_millis(*age_milliseconds), names);
            }
            TradeEvent::Reconciled { peer, lacked, surplus, rounds, bytes } => {
                let names = tags([("from", self.name(host)), ("to", &*self.name_of(*peer))]);
                self.recorder.value("reconcile_bytes", *bytes as f64, names.clone());
                self.recorder.value("reconcile_lacked", *lacked as f64, names);
                let fields = tags([
                    ("peer", &*self.name_of(*peer)),
                    ("lacked", &*lacked.to_string()),
                    ("surplus", &*surplus.to_string()),
                    ("rounds", &*rounds.to_string()),
                ]);
                self.recorder.event(self.name(host), "reconciled", fields);
            }
            TradeEvent::SwapMoved { swap, peer, role, from, to, txid, reason, elapsed_milliseconds } => {
                self.moved(host, (*peer, *swap), *role, *to, Duration::from_millis(*elapsed_milliseconds));
                let txid = txid.map_or(String::new(), |txid| txid.to_string());
                let fields = tags([
                    ("peer", &*self.name_of(*peer)),
                    ("swap", &*swap.to_string()),
                    ("role", role_name(*role)),
                    ("from", phase_name(*from)),
                    ("to", phase_name(*to)),
                    ("txid", &*txid),
                    ("reason", reason.as_deref().unwrap_or("")),
                ]);
                self.recorder.event(self.name(host), "swap", fields);
            }
            TradeEvent::StatementRefused { from, reason, misbehaviour } => {
                let misbehaviour = if *misbehaviour { "true" } else { "false" };
                let fields = tags([
                    ("peer", &*self.name_of(*from)),
                    ("reason", reason.as_str()),
                    ("misbehaviour", misbehaviour),
                ]);
                self.recorder.event(self.name(host), "statement_refused", fields);
            }
            TradeEvent::SwapMisbehaviour { peer, reason } => {
                let fields = tags([("peer", &*self.name_of(*peer)), ("reason", reason.as_str())]);
                self.recorder.event(self.name(host), "swap_misbehaviour", fields);
            }
            TradeEvent::Failed { reason } => {
                self.recorder.event(self.name(host), "trading_failed", tags([("reason", reason.as_str())]));
            }
            TradeEvent::Chain { down } => {
                let reason = down.as_deref().unwrap_or("");
                self.recorder.event(self.name(host), "chain", tags([("down", reason)]));
            }
            TradeEvent::OrderAdded { .. } | TradeEvent::OrderRemoved { .. } | TradeEvent::Balance(_) => {}
        }
    }

    fn moved(self, host: usize, (peer, swap): (TraderKey, SwapId), role: Role, to: Phase, elapsed: Duration) {
        let Some(bitcoin) = self.cast.bitcoin() else { return };
        let before = bitcoin.trades().lock().swaps.insert((host, peer, swap), (role, to));
        if to == Phase::Done && before.is_none_or(|(_, before)| before != Phase::Done) {
            self.recorder.time("swap_time", elapsed, self.swap_tags(host, peer, role));
        }
    }

    /// Records everything that only the end of the run tells.
    pub(super) async fn close(self) {
        let Some(bitcoin) = self.cast.bitcoin() else { return };
        let swaps = bitcoin.trades().lock().swaps.clone();
        for ((host, peer, _), (role, phase)) in swaps {
            let fate = match phase {
                Phase::Done => "settled",
                Phase::Aborted => "aborted",
                Phase::Requested
                | Phase::Accepted
                | Phase::Proposed
                | Phase::Broadcast
                | Phase::Confirming
                | Phase::Reclaiming => "open",
            };
            self.recorder.category("swap", fate, self.swap_tags(host, peer, role));
        }
        self.close_books().await;
    }

    /// Compares every trader's book with that of the first one that answers.
    async fn close_books(self) {
        let mut first: Option<BTreeSet<OrderId>> = None;
        for host in 0..self.cast.members().len() {
            let trading = self.cast.handle(host).and_then(|handle| handle.trading());
            let Some(trading) = trading else { continue };
            let asked = timeout(PATIENCE, trading.ask(Command::Book { asset: None })).await;
            let Ok(Ok(Reply::Orders(orders))) = asked else { continue };
            let book: BTreeSet<OrderId> = orders.iter().map(|order| order.order).collect();
            self.recorder.value("book_orders", book.len() as f64, self.tags(host));
            let equal = *first.get_or_insert_with(|| book.clone()) == book;
            self.recorder.category("book", if equal { "equal" } else { "different" }, self.tags(host));
        }
    }

    /// A host's trader and a rune of the scenario; nothing when the host is down or does not trade.
    fn trader(self, host: usize, rune: &str) -> Option<(Trading, Asset)> {
        let trading = self.cast.handle(host)?.trading()?;
        Some((trading, Asset::Rune(self.cast.bitcoin()?.rune(rune)?)))
    }

    fn refused(self, host: usize, figure: &str, error: &str) {
        self.recorder.category(figure, "refused", self.tags(host));
        let fields = tags([("what", figure), ("error", error)]);
        self.recorder.event(self.name(host), "trade_refused", fields);
    }

    fn tags(self, host: usize) -> darkswap_records::record::Tags {
        tags([("host", self.name(host))])
    }

    fn swap_tags(self, host: usize, peer: TraderKey, role: Role) -> darkswap_records::record::Tags {
        tags([("from", self.name(host)), ("to", &*self.name_of(peer))]).with("role", role_name(role))
    }

    fn name(&self, host: usize) -> &str {
        &self.cast.members()[host].name
    }

    /// The host that trades under a key; the key itself for strangers.
    fn name_of(self, key: TraderKey) -> String {
        let known = self.cast.members().iter().position(|member| trader_key(&member.identity) == Some(key));
        known.map_or_else(|| key.to_string(), |host| self.name(host).to_owned())
    }

    fn key(self, host: usize) -> TraderKey {
        trader_key(&self.cast.members()[host].identity).unwrap_or(TraderKey([0; 32]))
    }
}

/// The key under which a node of this identity trades.
fn trader_key(identity: &libp2p::identity::Keypair) -> Option<TraderKey> {
    Some(TraderKey(identity.public().try_into_ed25519().ok()?.to_bytes()))
}

/// The best order of others on a side, the oldest of several.
fn best(orders: Vec<OrderReport>, side: Sides) -> Option<OrderReport> {
    let wanted = |order: &OrderReport| match side {
        Sides::Either => true,
        Sides::Buy => order.side == Side::Buy,
        Sides::Sell => order.side == Side::Sell,
    };
    let mut orders =
        orders.into_iter().filter(|order| !order.own && order.backing != Backing::Disproved && wanted(order));
    // A book lists the best of each side first.
    orders.next()
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Maker => "maker",
        Role::Taker => "taker",
    }
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Requested => "requested",
        Phase::Accepted => "accepted",
        Phase::Proposed => "proposed",
        Phase::Broadcast => "broadcast",
        Phase::Confirming => "confirming",
        Phase::Reclaiming => "reclaiming",
        Phase::Done => "settled",
        Phase::Aborted => "aborted",
    }
}
