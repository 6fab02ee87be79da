//! Where swaps are, by the word of their sides and of the chain.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bitcoin::Txid;
use darkswap_scenario::topology::{Moment, Step, TradeLie};
use darkswap_trade::order::{Side, TraderKey};
use darkswap_trade::settlement::{Claim, Fault, Verdict, Wealth};
use darkswap_trade::swap::{ANSWER, GRACE, Phase, Role, SwapId};
use darkswap_trader::command::{Command, Reply, SwapReport};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{Desk, PATIENCE};
use crate::worker::bitcoin::Judged;
use crate::worker::observer::With as _;
use crate::worker::recorder::tags;

/// Blocks that a swap may take when nothing goes wrong: until it is found, until it is deep enough, and as many for a reclaim.
const BLOCKS: u32 = 8;

/// One side of a swap: host, peer and number.
pub(super) type Place = (usize, TraderKey, SwapId);

/// What is known of all swaps of a run.
#[derive(Debug, Default)]
pub(super) struct Swaps {
    pub(super) seen: BTreeMap<Place, Seen>,
    /// By the side that lied.
    pub(super) lies: BTreeMap<Place, TradeLie>,
    waiting: Vec<Waiting>,
}

/// One side of a swap as its events tell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) role: Role,
    pub(super) phase: Phase,
    /// Whether the maker ever agreed.
    accepted: bool,
    txid: Option<Txid>,
    since: Duration,
}

/// A fault that waits for a step.
#[derive(Debug)]
struct Waiting {
    step: Step,
    of: Vec<usize>,
    tell: Option<oneshot::Sender<()>>,
}

impl Swaps {
    /// Completes when a swap of one of these hosts takes the step.
    pub(super) fn wait_for(&mut self, moment: &Moment) -> oneshot::Receiver<()> {
        let (tell, told) = oneshot::channel();
        let of = moment.of.iter().map(|host| host.0).collect();
        self.waiting.push(Waiting { step: moment.step, of, tell: Some(tell) });
        told
    }

    /// A taker asked.
    pub(super) fn begin(&mut self, place: Place, now: Duration) {
        let (role, phase) = (Role::Taker, Phase::Requested);
        self.seen.entry(place).or_insert(Seen { role, phase, accepted: false, txid: None, since: now });
        self.tell(place.0, Phase::Requested);
    }

    /// A side is somewhere else; gives where it was.
    pub(super) fn moved(
        &mut self,
        place: Place,
        (role, phase): (Role, Phase),
        txid: Option<Txid>,
        now: Duration,
    ) -> Option<Phase> {
        let before = self.seen.get(&place).copied();
        let accepted = !matches!(phase, Phase::Requested | Phase::Aborted);
        let seen = Seen {
            role,
            phase,
            accepted: accepted || before.is_some_and(|before| before.accepted),
            txid: txid.or(before.and_then(|before| before.txid)),
            since: before.map_or(now, |before| before.since),
        };
        self.seen.insert(place, seen);
        self.tell(place.0, phase);
        before.map(|before| before.phase)
    }

    /// When a side began.
    pub(super) fn since(&self, place: &Place) -> Option<Duration> {
        self.seen.get(place).map(|seen| seen.since)
    }

    fn tell(&mut self, host: usize, phase: Phase) {
        let reached = |waiting: &Waiting| step_of(phase) == Some(waiting.step) && waiting.of.contains(&host);
        for waiting in self.waiting.iter_mut().filter(|waiting| reached(waiting)) {
            if let Some(tell) = waiting.tell.take() {
                // A fault that does not wait any more needs no telling.
                let _ = tell.send(());
            }
        }
        self.waiting.retain(|waiting| waiting.tell.is_some());
    }
}

impl Desk<'_> {
    /// Records where each swap is, what settled, what is stuck and who lost something.
    pub(super) async fn close_swaps(self) {
        let Some(bitcoin) = self.cast.bitcoin() else { return };
        let reports = self.ask_swaps().await;
        let (mut seen, lies) = {
            let inner = bitcoin.trades().lock();
            (inner.swaps.seen.clone(), inner.swaps.lies.clone())
        };
        for (place, side) in &mut seen {
            side.phase = current(*side, reports.get(&place.0), place);
        }
        for ((host, peer, _), side) in &seen {
            self.recorder.category("swap", fate(side.phase), self.swap_tags(*host, *peer, side.role));
        }
        let txids: BTreeSet<Txid> = seen.values().filter_map(|side| side.txid).collect();
        let confirmed = bitcoin.confirmed(&txids);
        self.close_trades(&seen, &confirmed);
        self.close_stuck(&seen, &confirmed, bitcoin.block_interval());
        for ((host, peer, swap), lie) in &lies {
            let Some(other) = self.host_of(*peer) else { continue };
            let as_seen = seen.get(&(other, self.key(*host), *swap));
            let names = tags([("from", self.name(*host)), ("to", self.name(other)), ("how", lie.name())]);
            self.recorder.category("trade_lie", fate(as_seen.map_or(Phase::Aborted, |side| side.phase)), names);
        }
        self.close_value(&reports, &seen);
    }

    /// What every trader says about its swaps; nothing of those that are down.
    async fn ask_swaps(self) -> BTreeMap<usize, Vec<SwapReport>> {
        let mut reports = BTreeMap::new();
        for host in 0..self.cast.members().len() {
            let trading = self.cast.handle(host).and_then(|handle| handle.trading());
            let Some(trading) = trading else { continue };
            if let Ok(Ok(Reply::Swaps(swaps))) = timeout(PATIENCE, trading.ask(Command::Swaps)).await {
                reports.insert(host, swaps);
            }
        }
        reports
    }

    fn close_trades(self, seen: &BTreeMap<Place, Seen>, confirmed: &BTreeSet<Txid>) {
        // By taker, maker and number: everybody who speaks of a swap.
        let mut wholes: BTreeMap<(TraderKey, TraderKey, SwapId), Vec<Seen>> = BTreeMap::new();
        for ((host, peer, swap), side) in seen {
            let (own, peer) = (self.key(*host), *peer);
            let (taker, maker) = if side.role == Role::Taker { (own, peer) } else { (peer, own) };
            wholes.entry((taker, maker, *swap)).or_default().push(*side);
        }
        for ((taker, maker, _), sides) in wholes {
            if !sides.iter().any(|side| side.accepted) {
                continue;
            }
            let is_settled = sides.iter().filter_map(|side| side.txid).any(|txid| confirmed.contains(&txid));
            let is_over = sides.iter().all(|side| fate(side.phase) != "open");
            let fate = match (is_settled, is_over) {
                (true, _) => "settled",
                (false, true) => "aborted",
                (false, false) => "open",
            };
            let names = tags([("from", &*self.name_of(taker)), ("to", &*self.name_of(maker))]);
            self.recorder.category("trade", fate, names);
        }
    }

    fn close_stuck(self, seen: &BTreeMap<Place, Seen>, confirmed: &BTreeSet<Txid>, block: Duration) {
        let Some(bitcoin) = self.cast.bitcoin() else { return };
        let now = self.recorder.now();
        for host in 0..self.cast.members().len() {
            let Some(purse) = bitcoin.purse(host) else { continue };
            let longest = ANSWER + purse.window() + GRACE + block * BLOCKS;
            let own = seen.iter().filter(|((of, _, _), _)| *of == host);
            let stuck = own.filter(|(_, side)| {
                let is_mined = side.txid.is_some_and(|txid| confirmed.contains(&txid));
                fate(side.phase) == "open" && !is_mined && now.saturating_sub(side.since) > longest
            });
            self.recorder.value("stuck", stuck.count() as f64, self.tags(host));
        }
    }

    /// Judges everybody who does not lie.
    fn close_value(self, reports: &BTreeMap<usize, Vec<SwapReport>>, seen: &BTreeMap<Place, Seen>) {
        let Some(bitcoin) = self.cast.bitcoin() else { return };
        let judged: Vec<Judged> = (0..self.cast.members().len())
            .filter(|host| bitcoin.purse(*host).is_some_and(|purse| purse.lies.is_empty()))
            .map(|host| Judged { host, trader: self.key(host) })
            .collect();
        let told = reports.iter().flat_map(|(host, swaps)| swaps.iter().map(move |swap| (*host, swap)));
        let claims: Vec<Claim> = told
            .map(|(host, report)| {
                let known = seen.get(&(host, report.peer, report.swap)).and_then(|side| side.txid);
                claim(self.key(host), report, known)
            })
            .collect();
        let Some(verdict) = bitcoin.judge(&judged, &claims) else { return };
        for Judged { host, trader } in &judged {
            self.record_verdict(*host, *trader, &verdict);
        }
    }

    fn record_verdict(self, host: usize, trader: TraderKey, verdict: &Verdict) {
        let Some(bitcoin) = self.cast.bitcoin() else { return };
        let of = |wealth: &BTreeMap<TraderKey, Wealth>| wealth.get(&trader).cloned().unwrap_or_default();
        let (lost, gained) = (of(&verdict.lost), of(&verdict.gained));
        let names = |asset: &str| self.tags(host).with("asset", asset);
        for (figure, wealth) in [("value_lost", &lost), ("value_gained", &gained)] {
            self.recorder.value(figure, wealth.bitcoin.to_sat() as f64, names("bitcoin"));
            for (asset, units) in &wealth.assets {
                self.recorder.value(figure, *units as f64, names(&bitcoin.asset_name(asset)));
            }
        }
        if verdict.lost.contains_key(&trader) {
            self.recorder.event(self.name(host), "value_lost", tags([("what", &*lost.to_string())]));
        }
        let faults: Vec<_> = verdict.faults.iter().filter(|fault| is_about(fault, trader)).collect();
        for fault in &faults {
            self.recorder.event(self.name(host), "trade_fault", tags([("what", &*fault.to_string())]));
        }
        self.recorder.value("trade_fault", faults.len() as f64, self.tags(host));
    }
}

/// What a trader says about one of its swaps.
fn claim(trader: TraderKey, report: &SwapReport, known: Option<Txid>) -> Claim {
    let side = match (report.role, report.side) {
        (Role::Maker, side) => side,
        (Role::Taker, Side::Buy) => Side::Sell,
        (Role::Taker, Side::Sell) => Side::Buy,
    };
    Claim {
        trader,
        peer: report.peer,
        swap: report.swap,
        role: report.role,
        side,
        asset: report.asset,
        units: report.units,
        payment: report.payment,
        phase: report.phase,
        // Of what is aborted a trader forgets the transaction; that it must not be in a block is what is judged.
        txid: report.txid.or(known),
    }
}

/// Whether it is this trader who is wrong; where sides differ, it is both.
fn is_about(fault: &Fault, trader: TraderKey) -> bool {
    match fault {
        Fault::Contradiction { swap } | Fault::Fee { swap, .. } => swap.maker == trader || swap.taker == trader,
        Fault::Unsettled { trader: wrong, .. } | Fault::Denied { trader: wrong, .. } => *wrong == trader,
    }
}

/// Where a side is now, by what its trader says; by the events when that is down, or has forgotten it.
fn current(side: Seen, reports: Option<&Vec<SwapReport>>, (_, peer, swap): &Place) -> Phase {
    let Some(reports) = reports else { return side.phase };
    let own = |report: &&SwapReport| report.peer == *peer && report.swap == *swap && report.role == side.role;
    match reports.iter().find(own) {
        Some(report) => report.phase,
        // A request of which nothing was written yet is gone with a crash, and nothing was promised.
        None if side.phase == Phase::Requested => Phase::Aborted,
        None => side.phase,
    }
}

fn fate(phase: Phase) -> &'static str {
    match phase {
        Phase::Done => "settled",
        Phase::Aborted => "aborted",
        Phase::Requested
        | Phase::Accepted
        | Phase::Proposed
        | Phase::Broadcast
        | Phase::Confirming
        | Phase::Reclaiming => "open",
    }
}

fn step_of(phase: Phase) -> Option<Step> {
    Some(match phase {
        Phase::Requested => Step::Requested,
        Phase::Accepted => Step::Accepted,
        Phase::Proposed => Step::Proposed,
        Phase::Broadcast => Step::Broadcast,
        Phase::Confirming => Step::Confirming,
        Phase::Reclaiming => Step::Reclaiming,
        Phase::Done => Step::Settled,
        Phase::Aborted => return None,
    })
}

#[cfg(test)]
mod tests {
    use darkswap_scenario::topology::HostIndex;

    use super::*;

    const PLACE: Place = (1, TraderKey([2; 32]), SwapId([3; 16]));

    fn waiting(swaps: &mut Swaps, step: Step, of: usize) -> oneshot::Receiver<()> {
        swaps.wait_for(&Moment { step, of: vec![HostIndex(of)] })
    }

    #[test]
    fn a_fault_is_told_of_the_first_such_step_of_its_hosts() {
        let mut swaps = Swaps::default();
        let mut asked = waiting(&mut swaps, Step::Requested, 1);
        let mut proposed = waiting(&mut swaps, Step::Proposed, 1);
        let mut other = waiting(&mut swaps, Step::Proposed, 0);
        swaps.begin(PLACE, Duration::from_secs(1));
        assert_eq!((asked.try_recv(), proposed.try_recv().is_ok()), (Ok(()), false));
        let before = swaps.moved(PLACE, (Role::Taker, Phase::Proposed), None, Duration::from_secs(2));
        assert_eq!((before, proposed.try_recv(), other.try_recv().is_ok()), (Some(Phase::Requested), Ok(()), false));
        assert_eq!(swaps.waiting.len(), 1);
    }

    #[test]
    fn a_swap_stays_accepted_and_keeps_its_transaction_when_it_is_aborted() {
        let mut swaps = Swaps::default();
        let txid = "11".repeat(32).parse().ok();
        swaps.moved(PLACE, (Role::Maker, Phase::Accepted), txid, Duration::from_secs(2));
        swaps.moved(PLACE, (Role::Maker, Phase::Aborted), None, Duration::from_secs(9));
        let seen = swaps.seen[&PLACE];
        assert_eq!((seen.accepted, seen.txid, seen.since), (true, txid, Duration::from_secs(2)));
    }

    #[test]
    fn a_request_that_a_crash_forgot_is_over_and_a_promise_is_not() {
        let seen = |phase| Seen { role: Role::Maker, phase, accepted: false, txid: None, since: Duration::ZERO };
        assert_eq!(current(seen(Phase::Requested), Some(&Vec::new()), &PLACE), Phase::Aborted);
        assert_eq!(current(seen(Phase::Accepted), Some(&Vec::new()), &PLACE), Phase::Accepted);
        assert_eq!(current(seen(Phase::Requested), None, &PLACE), Phase::Requested);
    }
}
