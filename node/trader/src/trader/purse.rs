//! The wallet on its chain.

use std::collections::BTreeMap;
use std::time::Duration;

use bitcoin::{BlockHash, FeeRate, OutPoint};
use darkswap_trade::asset::Asset;
use darkswap_trade::coin::Coin;
use darkswap_trade::psbt::{MAX_FEE_RATE, MIN_FEE_RATE};
use darkswap_wallet::Update;
use darkswap_wallet::coin::{CoinState, Standing};

use super::Trader;
use crate::Time;
use crate::chain::ChainRequest;
use crate::command::{BalanceReport, TradeEvent};
use crate::store::{Stored, Table};

/// What came of a look-up of coins: those that are unspent, or why nobody knows.
pub(super) type CoinsOutcome = Result<BTreeMap<OutPoint, Coin>, String>;

/// The least time between two synchronisations, so that a server that stirs all the time does not keep us busy.
const SPACING: Duration = Duration::from_secs(1);
/// How long after a refused answer the wallet asks again.
const AFTER_REFUSAL: Duration = Duration::from_secs(10);
/// How long an answer is waited for. The chain forgets no question, so this only guards against a fault of ours.
const PATIENCE: Duration = Duration::from_secs(900);
/// Coins in one question about assets.
const MAX_COINS: usize = 256;
/// How long to wait before the next question when nobody knows.
const HOLDINGS_AGAIN: Duration = Duration::from_secs(30);

/// The name of the entry that says that the chain still has to be searched for the coins of the seed.
const SEARCH: &[u8] = b"search the chain for the seed's coins";

/// Where the wallet is on its way along the chain.
#[derive(Debug, Default)]
pub(super) struct Purse {
    pub(super) tip: Option<(u32, BlockHash)>,
    fee_rate: Option<FeeRate>,
    /// Why no server answers, while none does.
    pub(super) down: Option<String>,
    /// Whether the next question is a search of all addresses.
    searches: bool,
    /// Until when the answer to the question under way is waited for.
    under_way: Option<Time>,
    /// Whether something happened since it was asked.
    wanted: bool,
    /// When the next one may be asked.
    not_before: Time,
    /// The question under way about assets.
    holdings: Option<u64>,
    holdings_again: Option<Time>,
    /// Whether the wallet changed since the last report.
    pub(super) changed: bool,
    /// The last report.
    balance: BalanceReport,
}

impl Purse {
    pub(super) fn asked(&self, request: u64) -> bool {
        self.holdings == Some(request)
    }

    /// What a transaction should pay, within what is sane, once a server told.
    pub(super) fn fee_rate(&self) -> Option<FeeRate> {
        self.fee_rate.map(|rate| rate.clamp(MIN_FEE_RATE, MAX_FEE_RATE))
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        let next = match (self.under_way, self.wanted && self.tip.is_some()) {
            (Some(until), _) => Some(until),
            (None, true) => Some(self.not_before),
            (None, false) => None,
        };
        next.into_iter().chain(self.holdings_again).min()
    }
}

impl Trader {
    pub(super) fn begin_purse(&mut self, recovers: bool) {
        self.purse.searches = recovers;
        if recovers {
            self.journal.put(Table::Single, SEARCH.to_vec(), vec![1]);
        }
        self.want_sync();
        self.purse.balance = self.balance_report();
    }

    pub(super) fn restore_purse(&mut self, stored: &Stored) {
        self.purse.searches = stored.of(Table::Single).any(|(key, _)| key == SEARCH);
        self.want_sync();
        self.purse.balance = self.balance_report();
    }

    pub(super) fn new_tip(&mut self, height: u32, hash: BlockHash, fee_rate: FeeRate) {
        self.purse.fee_rate = Some(fee_rate);
        self.chain_answers();
        if self.purse.tip != Some((height, hash)) {
            self.purse.tip = Some((height, hash));
            self.want_sync();
            self.question_some_again();
            self.refresh_labels();
        }
    }

    pub(super) fn chain_down(&mut self, reason: String) {
        if self.purse.down.is_none() {
            self.report(TradeEvent::Chain { down: Some(reason.clone()) });
        }
        self.purse.down = Some(reason);
    }

    pub(super) fn chain_up(&mut self, server: &str) {
        tracing::debug!(server, "a server of the chain answers");
        self.chain_answers();
        self.want_sync();
    }

    fn chain_answers(&mut self) {
        if self.purse.down.take().is_some() {
            self.report(TradeEvent::Chain { down: None });
        }
    }

    /// Something may have changed: the wallet looks, soon and once for all that happens until then.
    pub(super) fn want_sync(&mut self) {
        self.purse.wanted = true;
    }

    pub(super) fn advance_purse(&mut self, now: Time) {
        if self.purse.under_way.is_some_and(|until| until <= now) {
            self.purse.under_way = None;
        }
        let may_ask = self.purse.under_way.is_none() && self.purse.not_before <= now && self.purse.tip.is_some();
        if self.purse.wanted && may_ask {
            self.purse.wanted = false;
            self.purse.under_way = Some(now.saturating_add(PATIENCE));
            self.purse.not_before = now.saturating_add(SPACING);
            let request = if self.purse.searches {
                ChainRequest::Scan(self.wallet.scan_request(now))
            } else {
                ChainRequest::Sync(self.wallet.sync_request(now))
            };
            self.ask_chain(request);
        }
        if self.purse.holdings_again.is_some_and(|at| at <= now) {
            self.purse.holdings_again = None;
            self.ask_holdings();
        }
    }

    /// What the chain says of the wallet's addresses.
    pub(super) fn hear_wallet(&mut self, now: Time, update: Update) {
        self.purse.under_way = None;
        match self.wallet.apply(update) {
            Ok(_) => {
                if std::mem::take(&mut self.purse.searches) {
                    self.journal.remove(Table::Single, SEARCH.to_vec());
                }
                self.ask_holdings();
                self.look_after_asks(now);
                self.look_after_etchings(now);
            }
            Err(error) => {
                self.failed(format!("the wallet refused what the chain says: {error}"));
                self.purse.wanted = true;
                self.purse.not_before = now.saturating_add(AFTER_REFUSAL);
            }
        }
    }

    /// Asks what is on coins of which nobody said so. Only blocks say what an output holds, so coins that wait stay unknown.
    fn ask_holdings(&mut self) {
        if self.purse.holdings.is_some() {
            return;
        }
        let unknown = self
            .wallet
            .coins()
            .into_iter()
            .filter(|coin| coin.state == CoinState::Unknown && matches!(coin.standing, Standing::Confirmed(_)));
        let outpoints: Vec<OutPoint> = unknown.map(|coin| coin.outpoint).take(MAX_COINS).collect();
        if !outpoints.is_empty() {
            let request = self.number();
            self.purse.holdings = Some(request);
            self.ask_chain(ChainRequest::Coins { request, outpoints });
        }
    }

    pub(super) fn hear_holdings(&mut self, now: Time, outcome: CoinsOutcome) {
        self.purse.holdings = None;
        let coins = match outcome {
            Ok(coins) => coins,
            Err(reason) => {
                self.failed(format!(
                    "nobody knows what the wallet's coins carry: {reason}; until then they stay locked"
                ));
                self.purse.holdings_again = Some(now.saturating_add(HOLDINGS_AGAIN));
                return;
            }
        };
        let known: BTreeMap<OutPoint, Standing> =
            self.wallet.coins().into_iter().map(|coin| (coin.outpoint, coin.standing)).collect();
        let mut learned = false;
        for (outpoint, coin) in coins {
            // Both must mean the same block: what is on an output may differ from one block to another.
            let Some(height) = coin.height else { continue };
            if known.get(&outpoint) != Some(&Standing::Confirmed(height)) {
                continue;
            }
            let assets: Vec<Asset> = coin.holdings.keys().copied().collect();
            match self.wallet.set_holdings(outpoint, coin.holdings) {
                Ok(()) => {
                    learned = true;
                    assets.into_iter().for_each(|asset| self.want_label(asset));
                }
                Err(error) => self.failed(format!("what is on {outpoint} was not taken: {error}")),
            }
        }
        // What is still unknown is asked for after the next change of the chain, unless there are more than one question takes.
        if learned {
            self.ask_holdings();
        } else if self
            .wallet
            .coins()
            .iter()
            .any(|coin| coin.state == CoinState::Unknown && matches!(coin.standing, Standing::Confirmed(_)))
        {
            self.purse.holdings_again = Some(now.saturating_add(HOLDINGS_AGAIN));
        }
    }

    /// Reports the balance when it is another one. Only after the wallet changed, since to sum it up takes a walk over its coins.
    pub(super) fn report_balance(&mut self) {
        if !std::mem::take(&mut self.purse.changed) {
            return;
        }
        let balance = self.balance_report();
        if balance != self.purse.balance {
            self.purse.balance = balance.clone();
            self.report(TradeEvent::Balance(balance));
        }
    }
}
