//! What traders are asked to do, and what came of it by their own word. What they really hold is the chain's to say (`bitcoin`).
//!
//! | part | noun |
//! |---|---|
//! | `swaps` | where swaps are, and what is said of them at the end |
//! | `books` | order books, and when they are all the same |
//! | `crook` | a trader that breaks the rules of swaps |
//! | `flood` | statements that nobody asked for |

mod books;
mod crook;
mod flood;
mod swaps;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bitcoin::Txid;
use darkswap_node::trading::Trading;
use darkswap_scenario::topology::{Choice, Moment, Orders, Sides, Takes, TradeLie};
use darkswap_trade::asset::Asset;
use darkswap_trade::book::Backing;
use darkswap_trade::order::{OrderId, Price, Side, TraderKey};
use darkswap_trade::swap::{Phase, Role, SwapId};
use darkswap_trader::command::{Command, OrderReport, Reply, TradeEvent};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::cast::Cast;
use super::observer::With as _;
use super::recorder::{Recorder, tags};
use crate::entropy::Entropy;
use books::{Books, Converged};
pub(super) use crook::Crook;
use swaps::{Place, Swaps};

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
    swaps: Swaps,
    books: Books,
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

    /// Completes when a swap of one of these hosts takes a step.
    pub(super) fn wait_for(&self, moment: &Moment) -> oneshot::Receiver<()> {
        self.lock().swaps.wait_for(moment)
    }

    /// A host lies in a swap.
    fn lied(&self, host: usize, peer: TraderKey, swap: SwapId, lie: TradeLie) {
        self.lock().swaps.lies.insert((host, peer, swap), lie);
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

    /// A number below this one, drawn by the seed for each host on its own.
    fn below(self, host: usize, end: u64) -> u64 {
        self.cast.bitcoin().map_or(0, |bitcoin| bitcoin.trades().below(host, self.name(host), end))
    }

    fn draw(self, host: usize, asset: Asset, orders: &Orders) -> Command {
        let below = |end| self.below(host, end);
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

    /// Has a host take an order of others.
    pub(super) async fn take(self, host: usize, takes: &Takes) {
        let Some((trading, asset)) = self.trader(host, &takes.rune) else { return };
        let mut orders = match trading.ask(Command::Book { asset: Some(asset) }).await {
            Ok(Reply::Orders(orders)) => others(orders, takes.side),
            Ok(_) => Vec::new(),
            Err(error) => return self.refused(host, "take", &error.to_string()),
        };
        if orders.is_empty() {
            return self.recorder.category("take", "nothing", self.tags(host));
        }
        let best = orders.swap_remove(match takes.choice {
            Choice::Best => 0,
            Choice::Any => usize::try_from(self.below(host, orders.len() as u64)).unwrap_or_default(),
        });
        let units = takes.units.map(|units| u128::from(units).clamp(best.minimum, best.units));
        match trading.ask(Command::Take { order: best.order, units, fee_rate: None }).await {
            Ok(reply) => {
                if let (Reply::Taken(swap), Some(bitcoin)) = (reply, self.cast.bitcoin()) {
                    bitcoin.trades().lock().swaps.begin((host, best.maker, swap), self.recorder.now());
                }
                self.recorder.category("take", "taken", self.tags(host));
            }
            Err(error) => self.refused(host, "take", &error.to_string()),
        }
    }

    /// Takes note of what a host's trader reports.
    pub(super) fn see(self, host: usize, event: &TradeEvent) {
        match event {
            TradeEvent::OrderAdded { order, maker, age_milliseconds } => {
                let (now, is_own) = (self.recorder.now(), *maker == self.key(host));
                self.change_books(|books| books.add(host, *order, is_own, now));
                if is_own {
                    return;
                }
                let names = tags([("from", &*self.name_of(*maker)), ("to", self.name(host))]);
                self.recorder.time("order_time", Duration::from_millis(*age_milliseconds), names);
            }
            TradeEvent::OrderRemoved { order, reason } => {
                let (now, is_expired) = (self.recorder.now(), reason == "expired");
                self.change_books(|books| books.remove(host, *order, is_expired, now));
            }
            TradeEvent::Reconciled { peer, lacked, surplus, rounds, bytes } => {
                let names = tags([("from", self.name(host)), ("to", &*self.name_of(*peer))]);
                self.recorder.value("reconcile_bytes", *bytes as f64, names.clone());
                let differing = lacked.saturating_add(*surplus);
                if differing > 0 {
                    self.recorder.value("order_bytes", *bytes as f64 / differing as f64, names.clone());
                }
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
                let elapsed = Duration::from_millis(*elapsed_milliseconds);
                self.moved((host, *peer, *swap), (*role, *to), *txid, elapsed);
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
            TradeEvent::EtchingMoved(_) | TradeEvent::Balance(_) => {}
        }
    }

    fn moved(self, place: Place, (role, to): (Role, Phase), txid: Option<Txid>, elapsed: Duration) {
        let Some(bitcoin) = self.cast.bitcoin() else { return };
        let before = bitcoin.trades().lock().swaps.moved(place, (role, to), txid, self.recorder.now());
        if to == Phase::Broadcast && before.is_none_or(|before| before < Phase::Broadcast) {
            self.broadcast(place, role);
        }
        if to == Phase::Done && before != Some(Phase::Done) {
            self.recorder.time("swap_time", elapsed, self.swap_tags(place.0, place.1, role));
        }
    }

    /// The transaction of a swap is out, as this side sees it for the first time.
    fn broadcast(self, place: Place, role: Role) {
        let (host, peer, swap) = place;
        let taker = match role {
            Role::Taker => Some(place),
            Role::Maker => self.host_of(peer).map(|taker| (taker, self.key(host), swap)),
        };
        let taken =
            self.cast.bitcoin().zip(taker).and_then(|(bitcoin, taker)| bitcoin.trades().lock().swaps.since(&taker));
        if let Some(taken) = taken {
            let elapsed = self.recorder.now().saturating_sub(taken);
            self.recorder.time("broadcast_time", elapsed, self.swap_tags(host, peer, role));
        }
    }

    /// A host's trader starts, with an empty book.
    pub(super) fn start(self, host: usize) {
        if self.cast.bitcoin().is_some_and(|bitcoin| bitcoin.purse(host).is_some()) {
            self.change_books(|books| books.start(host, self.recorder.now()));
        }
    }

    /// A host goes down.
    pub(super) fn stop(self, host: usize) {
        self.change_books(|books| books.stop(host, self.recorder.now()));
    }

    /// A fault of the network is lifted.
    pub(super) fn heal(self) {
        self.change_books(|books| books.heal(self.recorder.now()));
    }

    fn change_books(self, change: impl FnOnce(&mut Books) -> Converged) {
        let Some(bitcoin) = self.cast.bitcoin() else { return };
        let converged = change(&mut bitcoin.trades().lock().books);
        if let Some((elapsed, after)) = converged {
            self.recorder.time("convergence_time", elapsed, tags([("after", after)]));
        }
    }

    /// Records everything that only the end of the run tells.
    pub(super) async fn close(self) {
        self.close_swaps().await;
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
        self.host_of(key).map_or_else(|| key.to_string(), |host| self.name(host).to_owned())
    }

    fn host_of(self, key: TraderKey) -> Option<usize> {
        self.cast.members().iter().position(|member| member.trader == key)
    }

    fn key(self, host: usize) -> TraderKey {
        self.cast.members()[host].trader
    }
}

/// The orders of others on a side, the best one of each side first, the oldest of several.
fn others(orders: Vec<OrderReport>, side: Sides) -> Vec<OrderReport> {
    let wanted = |order: &OrderReport| match side {
        Sides::Either => true,
        Sides::Buy => order.side == Side::Buy,
        Sides::Sell => order.side == Side::Sell,
    };
    orders.into_iter().filter(|order| !order.own && order.backing != Backing::Disproved && wanted(order)).collect()
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
