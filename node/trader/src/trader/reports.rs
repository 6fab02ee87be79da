//! What the operator gets.

use bitcoin::Amount;
use darkswap_trade::asset::Asset;
use darkswap_trade::book::Backing;
use darkswap_trade::order::{Listing, Settlement, Side};
use darkswap_trade::swap::{Phase, Reason, Record, Stage, Swap};
use darkswap_wallet::coin::{CoinState, Standing};

use super::Trader;
use super::dealing::txid_of;
use crate::Time;
use crate::command::{
    BalanceReport, CoinReport, OrderReport, PileReport, StatusReport, SwapReport, TransactionReport, seconds,
};

/// Entries of a list, at most: what a person or a program can do something with in one answer.
const MAX_LISTED: usize = 1_000;

impl Trader {
    pub(super) fn balance_report(&self) -> BalanceReport {
        let balance = self.wallet.balance();
        let assets = self.wallet.assets().into_iter();
        let sum = |one: Amount, other: Amount| one.checked_add(other).unwrap_or(Amount::MAX);
        BalanceReport {
            spendable: balance.confirmed,
            pending: balance.pending,
            reserved: balance.reserved,
            locked: sum(balance.locked, balance.unknown),
            assets: assets.map(|(asset, of)| self.asset_report_of(asset, of)).collect(),
        }
    }

    pub(super) fn coin_reports(&self) -> Vec<CoinReport> {
        let coins = self.wallet.coins().into_iter().take(MAX_LISTED);
        coins
            .map(|coin| {
                let state = match (&coin.reserved_by, &coin.state) {
                    (Some(_), _) => "reserved",
                    (None, CoinState::Unknown) => "unknown",
                    (None, CoinState::Clean) => "clean",
                    (None, CoinState::Carries(_)) => "carries",
                };
                let height = match coin.standing {
                    Standing::Confirmed(height) => Some(height),
                    Standing::Own | Standing::Foreign => None,
                };
                let assets = match coin.state {
                    CoinState::Carries(holdings) => {
                        holdings.into_iter().map(|(asset, units)| self.pile_report(asset, units)).collect()
                    }
                    CoinState::Unknown | CoinState::Clean => Vec::new(),
                };
                let (outpoint, amount) = (coin.outpoint, coin.output.value);
                CoinReport { outpoint, amount, height, state: state.to_owned(), assets }
            })
            .collect()
    }

    fn pile_report(&self, asset: Asset, units: u128) -> PileReport {
        PileReport { asset, label: self.label(asset), units }
    }

    pub(super) fn transaction_reports(&self) -> Vec<TransactionReport> {
        let transactions = self.wallet.transactions().into_iter().rev().take(MAX_LISTED);
        let signed = |amount: Amount| i64::try_from(amount.to_sat()).unwrap_or(i64::MAX);
        transactions
            .map(|it| TransactionReport {
                txid: it.transaction.compute_txid(),
                net_sats: signed(it.received).saturating_sub(signed(it.sent)),
                fee: it.fee,
                height: it.height,
            })
            .collect()
    }

    pub(super) fn book_reports(&self, asset: Option<Asset>) -> Vec<OrderReport> {
        let assets: Vec<Asset> = asset.map_or_else(|| self.book.assets().collect(), |asset| vec![asset]);
        let listings = assets
            .into_iter()
            .flat_map(|asset| [Side::Sell, Side::Buy].into_iter().flat_map(move |side| self.book.offers(asset, side)));
        listings.take(MAX_LISTED).map(|listing| self.order_report(listing)).collect()
    }

    pub(super) fn own_order_reports(&self, now: Time) -> Vec<OrderReport> {
        self.orders.live(now).map(|listing| self.order_report(listing)).collect()
    }

    fn order_report(&self, listing: &Listing) -> OrderReport {
        let order = &listing.order;
        let own = order.maker == self.us;
        OrderReport {
            order: order.id,
            maker: order.maker,
            own,
            side: order.offer.side,
            asset: order.offer.asset,
            label: self.label(order.offer.asset),
            // Of others only they know what they have sold since they said so.
            units: if own { self.swaps.fills.left(order.id, &order.offer) } else { order.offer.units },
            minimum: order.offer.minimum,
            price: order.offer.price,
            created_seconds: seconds(order.created),
            expires_seconds: seconds(order.expires),
            backing: if own { Backing::Unknown } else { self.book.backing(&order.id).unwrap_or_default() },
            presigned: matches!(listing.settlement, Settlement::Presigned(_)),
        }
    }

    pub(super) fn swap_reports(&self) -> Vec<SwapReport> {
        let mut open: Vec<&Swap> = self.swaps.machines.values().collect();
        open.sort_by_key(|swap| std::cmp::Reverse(swap.record().created));
        let open = open.into_iter().map(|swap| self.swap_report(swap.record(), swap.phase()));
        let ended = self.history.newest().map(|record| {
            let is_done = matches!(record.stage, Stage::Done { .. });
            self.swap_report(record, if is_done { Phase::Done } else { Phase::Aborted })
        });
        open.chain(ended).take(MAX_LISTED).collect()
    }

    pub(super) fn status_report(&self) -> StatusReport {
        let chain = match (&self.purse.down, self.purse.tip) {
            (Some(reason), _) => Err(reason.clone()),
            (None, None) => Err("no server has answered yet".to_owned()),
            (None, Some(_)) => Ok(()),
        };
        StatusReport {
            trader: self.us,
            tip: self.purse.tip,
            chain,
            orders: self
                .book
                .assets()
                .flat_map(|asset| [Side::Sell, Side::Buy].map(|side| (asset, side)))
                .map(|(asset, side)| self.book.offers(asset, side).count())
                .sum(),
            book_bytes: self.book.bytes(),
            swaps: self.swaps.machines.len(),
        }
    }

    fn swap_report(&self, record: &Record, phase: Phase) -> SwapReport {
        let reason = match &record.stage {
            Stage::Aborted { reason } => Some(Reason::to_string(reason)),
            Stage::Reclaiming { cause, .. } => Some(cause.to_string()),
            _ => None,
        };
        SwapReport {
            swap: record.swap,
            peer: record.peer,
            role: record.role,
            order: record.request.order,
            side: match record.party() {
                darkswap_trade::psbt::Party::Seller => Side::Sell,
                darkswap_trade::psbt::Party::Buyer => Side::Buy,
            },
            asset: record.offer.asset,
            label: self.label(record.offer.asset),
            units: record.request.units,
            payment: record.payment,
            phase,
            txid: txid_of(record),
            reason,
            created_seconds: seconds(record.created),
        }
    }
}
