//! Whether the chain shows what an order names as its funding.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bitcoin::{OutPoint, Psbt};
use darkswap_trade::book::Backing;
use darkswap_trade::coin::Coin;
use darkswap_trade::order::{Listing, OrderId, Settlement, Side};
use darkswap_trade::psbt::ReceivedPsbt;
use darkswap_trade::psbt::presigned::{Ask, check_ask};

use super::Trader;
use super::purse::CoinsOutcome;
use crate::Time;
use crate::chain::ChainRequest;

/// Questions about funding that are open at once: enough to keep a server busy, few enough that swaps do not wait behind them.
const MAX_OPEN: usize = 4;

/// Orders that wait to be looked at; beyond that the oldest stay unknown, as if nobody had looked.
const MAX_WAITING: usize = 4_096;

/// Orders that are looked at again at each new block, in turns: what backs them may be spent.
const PER_BLOCK: usize = 32;

/// What is asked about orders of others.
#[derive(Debug, Default)]
pub(super) struct Backings {
    waiting: VecDeque<OrderId>,
    open: BTreeMap<u64, OrderId>,
    /// Orders whose funding was found, to be looked at again.
    proven: BTreeSet<OrderId>,
    /// After which order the next turn begins.
    turn: Option<OrderId>,
}

impl Backings {
    pub(super) fn asked(&self, request: u64) -> bool {
        self.open.contains_key(&request)
    }

    pub(super) fn forget(&mut self, order: &OrderId) {
        self.proven.remove(order);
    }

    fn wait(&mut self, order: OrderId) {
        if self.waiting.len() >= MAX_WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(order);
    }
}

impl Trader {
    /// Wants to know what backs an order of somebody else, if it names something.
    pub(super) fn question_backing(&mut self, order: OrderId) {
        let Some(listing) = self.book.order(&order) else { return };
        if listing.order.maker != self.us && !claimed(listing).is_empty() {
            self.backings.wait(order);
            self.ask_backings();
        }
    }

    /// Looks at some of those again.
    pub(super) fn question_some_again(&mut self) {
        let proven = &self.backings.proven;
        let after = self.backings.turn;
        let later = proven.iter().filter(|order| after.is_none_or(|after| **order > after));
        let chosen: Vec<OrderId> = later.copied().take(PER_BLOCK).collect();
        // After the last one the first comes again.
        self.backings.turn = chosen.last().copied();
        for order in chosen {
            self.backings.wait(order);
        }
        self.ask_backings();
    }

    fn ask_backings(&mut self) {
        while self.backings.open.len() < MAX_OPEN {
            let Some(order) = self.backings.waiting.pop_front() else { return };
            let outpoints = self.book.order(&order).map(claimed).unwrap_or_default();
            if outpoints.is_empty() {
                self.backings.proven.remove(&order);
                continue;
            }
            let request = self.number();
            self.backings.open.insert(request, order);
            self.ask_chain(ChainRequest::Coins { request, outpoints });
        }
    }

    pub(super) fn hear_backing(&mut self, now: Time, request: u64, outcome: CoinsOutcome) {
        let Some(order) = self.backings.open.remove(&request) else { return };
        if let (Ok(coins), Some(listing)) = (outcome, self.book.order(&order)) {
            let backing = judge(listing, &coins);
            self.book.set_backing(&order, backing, now);
            if matches!(backing, Backing::Seen | Backing::Proven) {
                self.backings.proven.insert(order);
            } else {
                self.backings.proven.remove(&order);
            }
        }
        self.ask_backings();
    }
}

/// The outpoints that an order says back it.
fn claimed(listing: &Listing) -> Vec<OutPoint> {
    match &listing.settlement {
        Settlement::Interactive => listing.funding.clone(),
        Settlement::Presigned(bytes) => ask_of(listing, bytes).map(|(ask, _)| vec![ask.outpoint]).unwrap_or_default(),
    }
}

/// What a presigned order sells, as it says itself.
pub(super) fn ask_of(listing: &Listing, bytes: &[u8]) -> Option<(Ask, ReceivedPsbt)> {
    let received = ReceivedPsbt::decode(bytes).ok()?;
    let transaction = Psbt::deserialize(bytes).ok()?.unsigned_tx;
    let ([input], [output]) = (&transaction.input[..], &transaction.output[..]) else { return None };
    let offer = &listing.order.offer;
    let payment = offer.price.payment(offer.units)?;
    let (outpoint, receive) = (input.previous_output, output.script_pubkey.clone());
    Some((Ask { asset: offer.asset, units: offer.units, payment, outpoint, receive }, received))
}

/// What the chain says about the funding of an order.
///
/// That the coins are the maker's own is shown by the signature of a presigned order only; another order may name anybody's.
fn judge(listing: &Listing, coins: &BTreeMap<OutPoint, Coin>) -> Backing {
    let offer = &listing.order.offer;
    let is_there = match &listing.settlement {
        Settlement::Presigned(bytes) => {
            ask_of(listing, bytes).is_some_and(|(ask, received)| check_ask(&received, &ask, coins).is_ok())
        }
        Settlement::Interactive => {
            let claimed = listing.funding.iter().collect::<BTreeSet<_>>();
            let found = claimed.iter().filter_map(|outpoint| coins.get(outpoint));
            match offer.side {
                Side::Sell => {
                    let units = found.filter_map(|coin| coin.holdings.get(&offer.asset));
                    units.fold(0_u128, |sum, units| sum.saturating_add(*units)) >= offer.units
                }
                Side::Buy => {
                    let sats = found.filter(|coin| coin.holdings.is_empty()).map(|coin| coin.output.value.to_sat());
                    let sum = sats.fold(0_u64, u64::saturating_add);
                    offer.price.payment(offer.units).is_some_and(|payment| sum >= payment.to_sat())
                }
            }
        }
    };
    match (&listing.settlement, is_there) {
        (_, false) => Backing::Disproved,
        (Settlement::Presigned(_), true) => Backing::Proven,
        (Settlement::Interactive, true) => Backing::Seen,
    }
}
