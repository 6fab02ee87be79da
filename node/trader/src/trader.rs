//! The trader: one machine over book, swaps and wallet.
//!
//! The law of all machines here: after [`Trader::handle`] drain [`Trader::poll`], carry the outputs out **in their order**,
//! and call again at the [`Trader::deadline`]. A [`Persist`](Output::Persist) is durable before anything after it is carried
//! out. A crash between any two outputs loses nothing that was promised: [`Trader::restore`] goes on from what was written.
//!
//! | part | noun |
//! |---|---|
//! | `journal` | what is about to be written, in batches |
//! | `orders`, `publishing` | own orders: placed, cancelled, replaced when a part was sold, published again |
//! | `asks` | own presigned orders, and how their coins are taken back |
//! | `gossip` | orders of others: validated, bounded, passed on |
//! | `backing` | whether the chain shows what an order names as its funding |
//! | `reconciling`, `answering` | the two ends of a reconciliation |
//! | `swaps`, `dealing` | swaps: begun, heard, ended; what each of them wants done |
//! | `stakes` | which coins go into a swap |
//! | `purse` | the wallet on its chain |
//! | `spending` | payments, transfers, fee bumps, reclaims |
//! | `history` | swaps that have ended |
//! | `runes` | what the index says of runes: names, and answers to whoever needs one |
//! | `etching` | etchings: commitment, patience, reveal |
//! | `commands`, `reports` | what the operator asks and gets |
//! | `bucket`, `dice` | rates per peer; random choices |

mod answering;
mod asks;
mod backing;
mod bucket;
mod commands;
mod dealing;
mod dice;
mod etching;
mod gossip;
mod history;
mod journal;
mod orders;
mod publishing;
mod purse;
mod reconciling;
mod reports;
mod runes;
mod spending;
mod stakes;
mod swaps;

use std::collections::{BTreeSet, VecDeque};

use darkswap_trade::book::Book;
use darkswap_trade::order::TraderKey;
use darkswap_wallet::Wallet;
use ed25519_dalek::SigningKey;
use thiserror::Error;

use crate::Time;
use crate::chain::{ChainInput, ChainRequest};
use crate::command::TradeEvent;
use crate::input::Input;
use crate::output::Output;
use crate::settings::Settings;
use crate::store::Stored;

use answering::Responders;
use backing::Backings;
use dice::Dice;
use etching::Etchings;
use gossip::Gates;
use history::History;
use journal::Journal;
use orders::OwnOrders;
use publishing::Publishing;
use purse::Purse;
use reconciling::Initiators;
use runes::Runes;
use spending::Sends;
use swaps::Swaps;

/// Peers to which there are paths, at most, that are remembered. A node has far fewer connections.
const MAX_PEERS: usize = 4_096;

/// A trader.
#[derive(Debug)]
pub struct Trader {
    settings: Settings,
    us: TraderKey,
    key: SigningKey,
    dice: Dice,
    book: Book,
    wallet: Wallet,
    orders: OwnOrders,
    publishing: Publishing,
    gates: Gates,
    backings: Backings,
    initiators: Initiators,
    responders: Responders,
    swaps: Swaps,
    history: History,
    purse: Purse,
    sends: Sends,
    runes: Runes,
    etchings: Etchings,
    journal: Journal,
    /// Traders to which there is a path.
    peers: BTreeSet<TraderKey>,
    /// The number of the next question to the chain or to a peer. It starts at random, so that an answer to a question of an
    /// earlier life fits none of this one.
    next_number: u64,
    outputs: VecDeque<Output>,
}

/// Why what was stored is not what a trader wrote.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RestoreError {
    /// An entry cannot be read.
    #[error(
        "found a damaged entry in table {table}, key {key}: {reason}; restore a copy of the store, or start anew with the seed"
    )]
    Damaged {
        /// Which table.
        table: &'static str,
        /// Which entry, in hexadecimal digits.
        key: String,
        /// What is wrong.
        reason: String,
    },
}

impl Trader {
    /// A trader that never ran before. `seed` is 32 random bytes, others at every start.
    #[must_use]
    pub fn new(settings: Settings, wallet: Wallet, key: SigningKey, seed: [u8; 32]) -> Self {
        let recovers = settings.recovers;
        let mut trader = Self::bare(settings, wallet, key, seed, Journal::default());
        trader.begin_purse(recovers);
        trader.flush();
        trader
    }

    /// The trader that goes on from what was written. `wallet` is the one that was [loaded](Wallet::load) from
    /// [`Stored::wallet`]. `seed` is 32 random bytes, others at every start.
    ///
    /// # Errors
    /// [`RestoreError`] where something of it cannot be read: going on without it could lose coins that are in a swap.
    pub fn restore(
        now: Time,
        settings: Settings,
        stored: &Stored,
        wallet: Wallet,
        key: SigningKey,
        seed: [u8; 32],
    ) -> Result<Self, RestoreError> {
        let journal = Journal::restore(stored).ok_or_else(|| {
            let reason = "found a key that is no number".to_owned();
            RestoreError::Damaged { table: crate::store::Table::Wallet.name(), key: "unknown".to_owned(), reason }
        })?;
        let mut trader = Self::bare(settings, wallet, key, seed, journal);
        trader.restore_purse(stored);
        trader.restore_orders(now, stored)?;
        trader.restore_history(stored)?;
        trader.restore_swaps(now, stored)?;
        trader.restore_etchings(stored)?;
        trader.settle_orders(now);
        trader.flush();
        Ok(trader)
    }

    fn bare(settings: Settings, wallet: Wallet, key: SigningKey, seed: [u8; 32], journal: Journal) -> Self {
        let mut dice = Dice::new(seed);
        let next_number = u64::from(u32::from_be_bytes(dice.bytes())) << 32;
        Self {
            us: TraderKey(key.verifying_key().to_bytes()),
            book: Book::new(settings.capacity),
            settings,
            key,
            dice,
            wallet,
            orders: OwnOrders::default(),
            publishing: Publishing::default(),
            gates: Gates::default(),
            backings: Backings::default(),
            initiators: Initiators::default(),
            responders: Responders::default(),
            swaps: Swaps::default(),
            history: History::default(),
            purse: Purse::default(),
            sends: Sends::default(),
            runes: Runes::default(),
            etchings: Etchings::default(),
            journal,
            peers: BTreeSet::new(),
            next_number,
            outputs: VecDeque::new(),
        }
    }

    /// Takes note of what happened. Drain [`poll`](Self::poll) afterwards.
    pub fn handle(&mut self, now: Time, input: Input) {
        match input {
            Input::Statement { token, from, bytes } => self.hear_statement(now, token, from, &bytes),
            Input::Message { from, bytes } => self.hear_message(now, from, &bytes),
            Input::Connected(peer) => self.connected(now, peer),
            Input::Disconnected(peer) => self.disconnected(now, peer),
            Input::SyncRequest { token, from, bytes } => self.answer_sync(now, token, from, bytes),
            Input::SyncAnswered { token, bytes } => self.sync_answered(now, token, bytes),
            Input::Chain(input) => self.hear_chain(now, input),
            Input::Command { token, command } => self.obey(now, token, command),
            Input::Tick => {}
        }
        self.advance(now);
        self.flush();
        self.report_balance();
    }

    /// What to do, in this order; call until `None`.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`handle`](Self::handle) with [`Input::Tick`] if nothing else happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let times = [
            self.book.deadline(),
            self.wallet.deadline(),
            self.publishing.deadline(),
            self.initiators.deadline(),
            self.responders.deadline(),
            self.swaps.deadline(),
            self.purse.deadline(),
            self.sends.deadline(),
            self.runes.deadline(),
            self.etchings.deadline(),
        ];
        times.into_iter().flatten().min()
    }

    /// Who we are.
    #[must_use]
    pub fn key(&self) -> TraderKey {
        self.us
    }

    /// Every order that is known.
    #[must_use]
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// The wallet.
    #[must_use]
    pub fn wallet(&self) -> &Wallet {
        &self.wallet
    }

    /// Does what the time asks for.
    fn advance(&mut self, now: Time) {
        self.expire_orders(now);
        for holder in self.wallet.expire(now) {
            tracing::debug!(%holder, "a reservation ended by itself");
        }
        self.advance_swaps(now);
        self.advance_publishing(now);
        self.advance_reconciling(now);
        self.advance_answering(now);
        self.advance_sends(now);
        self.advance_runes(now);
        self.advance_etchings(now);
        self.advance_purse(now);
    }

    fn connected(&mut self, now: Time, peer: TraderKey) {
        if peer == self.us || self.peers.len() >= MAX_PEERS || !self.peers.insert(peer) {
            return;
        }
        if self.peers.len() == 1 {
            self.publish_soon(now);
        }
        self.reconcile_newcomer(now, peer);
        self.swaps_connected(now, peer, true);
    }

    fn disconnected(&mut self, now: Time, peer: TraderKey) {
        if self.peers.remove(&peer) {
            self.forget_sessions(peer);
            self.swaps_connected(now, peer, false);
        }
    }

    fn hear_chain(&mut self, now: Time, input: ChainInput) {
        match input {
            ChainInput::Tip { height, hash, fee_rate } => {
                self.new_tip(height, hash, fee_rate);
                self.look_after_asks(now);
            }
            ChainInput::Stirred => self.want_sync(),
            ChainInput::Wallet(update) => self.hear_wallet(now, *update),
            ChainInput::Coins { request, coins } => self.hear_coins(now, request, Ok(coins)),
            ChainInput::CoinsUnknown { request, reason } => self.hear_coins(now, request, Err(reason)),
            ChainInput::Rune { request, found } => self.hear_rune(now, request, found),
            ChainInput::Seen { txid, status } => self.swap_seen(now, txid, status),
            ChainInput::Broadcast { txid, outcome } => self.broadcast_answered(now, txid, outcome),
            ChainInput::Down { reason } => self.chain_down(reason),
            ChainInput::Up { server } => self.chain_up(&server),
        }
    }

    /// What was asked of outputs goes to whoever asked.
    fn hear_coins(&mut self, now: Time, request: u64, outcome: purse::CoinsOutcome) {
        if self.purse.asked(request) {
            self.hear_holdings(now, outcome);
        } else if self.backings.asked(request) {
            self.hear_backing(now, request, outcome);
        } else {
            self.swap_coins(now, request, outcome);
        }
    }

    fn number(&mut self) -> u64 {
        self.next_number = self.next_number.wrapping_add(1);
        self.next_number
    }

    /// Everything that has changed becomes a batch.
    fn flush(&mut self) {
        if let Some(change) = self.wallet.take_changes() {
            self.journal.keep(change);
            self.purse.changed = true;
        }
        if let Some(writes) = self.journal.take() {
            self.outputs.push_back(Output::Persist(writes));
        }
    }

    /// Something leaves: what it depends on is written before.
    fn emit(&mut self, output: Output) {
        self.flush();
        self.outputs.push_back(output);
    }

    fn ask_chain(&mut self, request: ChainRequest) {
        self.emit(Output::Chain(request));
    }

    /// A report promises nothing, so nothing has to be written before.
    fn report(&mut self, event: TradeEvent) {
        self.outputs.push_back(Output::Event(event));
    }

    fn failed(&mut self, reason: impl Into<String>) {
        self.report(TradeEvent::Failed { reason: reason.into() });
    }
}
