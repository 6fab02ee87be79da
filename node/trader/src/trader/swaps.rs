//! Swaps: begun, heard, ended.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bitcoin::{FeeRate, OutPoint, Txid};
use darkswap_trade::order::{OrderId, Settlement, Side, TraderKey};
use darkswap_trade::psbt::{Party, Style};
use darkswap_trade::swap::{
    Body, Fills, Incoming, Input, Message, MessageRefusal, Record, Rejection, Request, Role, Status, Swap, SwapId,
    Taking,
};

use super::bucket::{Buckets, Rate};
use super::history::{self, SwapKey};
use super::{RestoreError, Trader};
use crate::Time;
use crate::command::{CommandError, TradeEvent};
use crate::output::Output;
use crate::store::{Stored, Table};

/// Swaps under way at once: each is followed on the chain, and few wallets have as many coins.
pub(super) const MAX_SWAPS: usize = 512;
/// How many of them strangers may begin; the rest is for what we begin.
const MAX_INCOMING: usize = 384;
/// Swaps with one peer at once, in both roles.
const MAX_PER_PEER: usize = 8;
/// Messages of one peer: those of [`MAX_PER_PEER`] swaps with repetitions, then two every second. Each may cost a question to
/// the chain.
const HEARD: Rate = Rate { burst: 64, interval: Duration::from_millis(500) };
/// Peers whose rate is remembered; connections are fewer.
const MAX_SPEAKERS: usize = 4_096;

/// Swaps under way.
#[derive(Debug)]
pub(super) struct Swaps {
    pub(super) machines: BTreeMap<SwapKey, Swap>,
    /// What is promised and sold of our orders.
    pub(super) fills: Fills,
    /// Whose transaction is followed, and what was last heard of it.
    pub(super) watched: BTreeMap<Txid, (SwapKey, Option<Status>)>,
    /// For whom a transaction was broadcast.
    pub(super) broadcast: BTreeMap<Txid, SwapKey>,
    /// The last question of each swap about coins.
    pub(super) questions: BTreeMap<SwapKey, Question>,
    /// Peers that are kept connected.
    links: BTreeSet<TraderKey>,
    heard: Buckets,
}

/// A question to the chain that a swap waits for.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) request: u64,
    pub(super) outpoints: Vec<OutPoint>,
    /// When to ask again, after no answer could be found.
    pub(super) again: Option<Time>,
}

impl Default for Swaps {
    fn default() -> Self {
        Self {
            machines: BTreeMap::new(),
            fills: Fills::new(),
            watched: BTreeMap::new(),
            broadcast: BTreeMap::new(),
            questions: BTreeMap::new(),
            links: BTreeSet::new(),
            heard: Buckets::new(HEARD, MAX_SPEAKERS),
        }
    }
}

impl Swaps {
    pub(super) fn deadline(&self) -> Option<Time> {
        let machines = self.machines.values().filter_map(Swap::deadline);
        machines.chain(self.questions.values().filter_map(|question| question.again)).min()
    }

    /// Whether units of an order are promised.
    pub(super) fn has_open_on(&self, order: OrderId) -> bool {
        let mut makers = self.machines.iter().filter(|(key, _)| key.role == Role::Maker);
        makers.any(|(_, swap)| swap.record().request.order == order)
    }

    fn with(&self, peer: TraderKey) -> impl Iterator<Item = (&SwapKey, &Swap)> {
        self.machines.iter().filter(move |(key, _)| key.peer == peer)
    }
}

impl Trader {
    /// Takes an order of somebody else.
    pub(super) fn take(
        &mut self,
        now: Time,
        id: OrderId,
        units: Option<u128>,
        fee_rate: FeeRate,
    ) -> Result<SwapId, CommandError> {
        let listing = self.book.order(&id).cloned().ok_or_else(|| {
            CommandError::NotFound(format!("found no order {} in the book; `book` lists what can be taken", id))
        })?;
        let (order, maker) = (listing.order.clone(), listing.order.maker);
        if maker == self.us {
            return Err(CommandError::Invalid(
                "found an own order, expected somebody else's; cancel it instead".to_owned(),
            ));
        }
        if self.swaps.machines.len() >= MAX_SWAPS || self.swaps.with(maker).count() >= MAX_PER_PEER {
            let text = format!(
                "{MAX_SWAPS} swaps at once, {MAX_PER_PEER} of them with one peer, are the limit; wait for one to end"
            );
            return Err(CommandError::Limit(text));
        }
        let units = units.unwrap_or(order.offer.units);
        order
            .offer
            .check_fill(units, order.offer.units)
            .map_err(|refusal| CommandError::Invalid(refusal.to_string()))?;
        let payment = order.offer.price.payment(units).ok_or_else(|| {
            CommandError::Invalid("found a price of more bitcoin than there is; take less or another order".to_owned())
        })?;
        let party = match order.offer.side {
            Side::Sell => Party::Buyer,
            Side::Buy => Party::Seller,
        };
        let stake = self
            .stake_of_taker(party, order.offer.asset, units, payment, fee_rate)
            .map_err(|error| CommandError::Funds(error.to_string()))?;
        let swap = SwapId(self.dice.bytes());
        let request = Request { order: id, units, fee_rate, stake };
        let taking = Taking { us: self.us, swap, order, request };
        let policy = self.settings.policy;
        let machine = match listing.settlement {
            Settlement::Interactive => Swap::take(now, taking, policy),
            Settlement::Presigned(ask) => Swap::take_presigned(now, taking, ask, policy),
        };
        let machine = machine.map_err(|refused| CommandError::Invalid(refused.to_string()))?;
        self.begin(now, machine);
        Ok(swap)
    }

    /// Stops a swap.
    pub(super) fn cancel_swap(&mut self, now: Time, swap: SwapId, peer: TraderKey) -> Result<(), CommandError> {
        let keys = [Role::Taker, Role::Maker].map(|role| SwapKey { role, peer, swap });
        let key = keys.into_iter().find(|key| self.swaps.machines.contains_key(key)).ok_or_else(|| {
            let ended = keys.iter().any(|key| self.history.find(key).is_some());
            let state = if ended { "which has ended" } else { "under way" };
            CommandError::NotFound(format!(
                "found {} swap {swap} with {}, {state}; `swaps` lists them",
                if ended { "the" } else { "no" },
                peer
            ))
        })?;
        self.feed(now, key, Input::Cancel);
        self.drain(now, key);
        Ok(())
    }

    /// A peer said something in a swap.
    pub(super) fn hear_message(&mut self, now: Time, from: TraderKey, bytes: &[u8]) {
        if from == self.us || !self.swaps.heard.take(now, from) {
            return;
        }
        let message = match Message::decode(bytes) {
            Ok(message) => message,
            Err(MessageRefusal::Version { found }) => {
                return self.failed(format!("found a swap message of version {found} from {}", from));
            }
            Err(refusal) => {
                return self.report(TradeEvent::SwapMisbehaviour { peer: from, reason: refusal.to_string() });
            }
        };
        let roles: &[Role] = match &message.body {
            Body::Request(_) | Body::Proposal(_) => &[Role::Maker],
            Body::Accept(_) | Body::Settled(_) => &[Role::Taker],
            Body::Reject(_) => &[Role::Taker, Role::Maker],
        };
        let mut is_known = false;
        for role in roles {
            let key = SwapKey { role: *role, peer: from, swap: message.swap };
            if self.swaps.machines.contains_key(&key) {
                is_known = true;
                self.feed(now, key, Input::Message(message.body.clone()));
                self.drain(now, key);
            } else if let Some(record) = self.history.find(&key).cloned() {
                is_known = true;
                self.recall(now, key, record, message.body.clone());
            }
        }
        if is_known {
            return;
        }
        match message.body {
            Body::Request(request) => self.consider(now, from, message.swap, request),
            Body::Reject(_) => {}
            Body::Accept(_) | Body::Proposal(_) | Body::Settled(_) => {
                self.reject(from, message.swap, Rejection::Unknown)
            }
        }
    }

    /// Somebody wants to take an order of ours.
    fn consider(&mut self, now: Time, taker: TraderKey, swap: SwapId, request: Request) {
        let incoming = self.swaps.machines.keys().filter(|key| key.role == Role::Maker).count();
        if incoming >= MAX_INCOMING || self.swaps.with(taker).count() >= MAX_PER_PEER {
            return self.reject(taker, swap, Rejection::Busy);
        }
        let order = self.orders.find(request.order).filter(|listing| listing.settlement == Settlement::Interactive);
        let order = order.map(|listing| listing.order.clone());
        let incoming = Incoming { taker, swap, request };
        let policy = self.settings.policy;
        match Swap::consider(now, incoming, self.us, order.as_ref(), &mut self.swaps.fills, policy) {
            Ok(machine) => self.begin(now, machine),
            Err(refused) => {
                tracing::debug!(peer = %taker, %refused, "a request was refused");
                self.reject(taker, swap, refused.rejection);
            }
        }
    }

    fn reject(&mut self, to: TraderKey, swap: SwapId, rejection: Rejection) {
        let bytes = Message { swap, body: Body::Reject(rejection) }.encode().into();
        self.emit(Output::Send { to, bytes });
    }

    fn begin(&mut self, now: Time, machine: Swap) {
        let key = SwapKey::of(machine.record());
        self.swaps.machines.insert(key, machine);
        self.link(key);
        if !self.peers.contains(&key.peer) {
            self.feed(now, key, Input::Lost);
        }
        self.drain(now, key);
        // Addresses that were given out are followed from now on.
        self.want_sync();
    }

    /// Keeps the peer of a swap connected.
    fn link(&mut self, key: SwapKey) {
        let is_interactive =
            self.swaps.machines.get(&key).is_some_and(|swap| swap.record().style == Style::Interactive);
        if is_interactive && self.swaps.links.insert(key.peer) {
            self.emit(Output::Connect(key.peer));
        }
    }

    /// Lets peers go with which no swap is left.
    fn unlink(&mut self, peer: TraderKey) {
        let is_needed = self.swaps.with(peer).any(|(_, swap)| swap.record().style == Style::Interactive);
        if !is_needed && self.swaps.links.remove(&peer) {
            self.emit(Output::Release(peer));
        }
    }

    pub(super) fn swaps_connected(&mut self, now: Time, peer: TraderKey, is_connected: bool) {
        let keys: Vec<SwapKey> = self.swaps.with(peer).map(|(key, _)| *key).collect();
        for key in keys {
            self.feed(now, key, if is_connected { Input::Connected } else { Input::Lost });
            self.drain(now, key);
        }
    }

    pub(super) fn advance_swaps(&mut self, now: Time) {
        let due = self.swaps.machines.iter().filter(|(_, swap)| swap.deadline().is_some_and(|at| at <= now));
        let due: Vec<SwapKey> = due.map(|(key, _)| *key).collect();
        for key in due {
            self.feed(now, key, Input::Tick);
            self.drain(now, key);
        }
        let again = self.swaps.questions.iter().filter(|(_, question)| question.again.is_some_and(|at| at <= now));
        let again: Vec<SwapKey> = again.map(|(key, _)| *key).collect();
        for key in again {
            if let Some(question) = self.swaps.questions.remove(&key) {
                self.question_coins(key, question.outpoints);
            }
        }
    }

    /// What the chain shows of a transaction that a swap follows.
    pub(super) fn swap_seen(&mut self, now: Time, txid: Txid, status: Status) {
        let Some((key, last)) = self.swaps.watched.get_mut(&txid) else { return };
        *last = Some(status);
        let key = *key;
        self.feed(now, key, Input::Seen(status));
        self.drain(now, key);
    }

    /// A swap has ended and said everything: its record is in the history, if it was ever written.
    pub(super) fn end_swap(&mut self, now: Time, key: SwapKey) {
        let Some(machine) = self.swaps.machines.remove(&key) else { return };
        self.swaps.questions.remove(&key);
        self.swaps.watched.retain(|_, (of, _)| *of != key);
        self.swaps.broadcast.retain(|_, of| *of != key);
        self.unlink(key.peer);
        if key.role == Role::Maker {
            self.order_sold(now, machine.record().request.order);
        }
    }

    pub(super) fn restore_swaps(&mut self, now: Time, stored: &Stored) -> Result<(), RestoreError> {
        for (key, value) in stored.of(Table::Swaps) {
            let record: Record = history::read(Table::Swaps, key, value)?;
            let key = SwapKey::of(&record);
            self.swaps.fills.follow(&record);
            let machine = Swap::restore(now, record, self.settings.policy);
            self.swaps.machines.insert(key, machine);
        }
        // Only when the ledger knows of all of them may one of them go on.
        let keys: Vec<SwapKey> = self.swaps.machines.keys().copied().collect();
        for key in keys {
            self.link(key);
            self.feed(now, key, Input::Lost);
            self.drain(now, key);
        }
        Ok(())
    }
}
