//! What the chain says: requests for a chain source, and its answers.

use std::{collections::BTreeMap, sync::Arc};

use bdk_wallet::{
    KeychainKind, Update, WalletEvent,
    chain::{
        ChainPosition,
        local_chain::CannotConnectError,
        spk_client::{FullScanRequest, SyncRequest as BdkSyncRequest},
    },
};
use bitcoin::{Amount, OutPoint, Transaction, Txid};
use darkswap_trade::Time;
use thiserror::Error;

use super::{GAP_LIMIT, MAX_ADDRESSES, Wallet};

/// Asks for everything of the addresses that were given out.
pub type SyncRequest = BdkSyncRequest<(KeychainKind, u32)>;

/// Asks for everything of all addresses, until [`GAP_LIMIT`] in a row are unused.
pub type ScanRequest = FullScanRequest<KeychainKind>;

/// The most transactions of one answer: beyond what an honest server has for one wallet between two questions, and a bound on
/// what a lying one can fill the memory with at once.
pub const MAX_TRANSACTIONS_OF_UPDATE: usize = 50_000;

/// Why an answer of a chain source was refused. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UpdateError {
    /// The blocks of the answer do not meet those of the wallet.
    #[error(
        "the blocks of the answer do not meet those of the wallet; ask again with a new request, including height {height}"
    )]
    Disconnected {
        /// A height that a new answer should tell of.
        height: u32,
    },
    /// More transactions than one answer may have.
    #[error(
        "found {found} transactions in one answer; at most {MAX_TRANSACTIONS_OF_UPDATE} are read; ask another server"
    )]
    TooManyTransactions {
        /// How many there are.
        found: usize,
    },
    /// An address index beyond what this wallet derives.
    #[error("found a payment to address {found}; this wallet has at most {MAX_ADDRESSES}; ask another server")]
    AddressIndex {
        /// Which one.
        found: u32,
    },
    /// An output without its transaction: anybody can make one up, and the fees that are computed with it.
    #[error("found output {outpoint} without its transaction; answer with the whole transaction, whose id proves it")]
    LooseOutput {
        /// Which one.
        outpoint: OutPoint,
    },
    /// A miner's reward that waits, which cannot be.
    #[error("transaction {txid} is a miner's reward and is said to wait; only blocks have those; ask another server")]
    WaitingReward {
        /// Which one.
        txid: Txid,
    },
    /// A transaction that creates more bitcoin than there are.
    #[error("outputs of transaction {txid} are worth more than all bitcoin; ask another server")]
    Amount {
        /// Which one.
        txid: Txid,
    },
}

/// A transaction that pays to or from this wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalletTransaction {
    /// The transaction.
    pub transaction: Arc<Transaction>,
    /// The height of its block; none while it waits.
    pub height: Option<u32>,
    /// What its inputs took from this wallet.
    pub sent: Amount,
    /// What its outputs gave to this wallet.
    pub received: Amount,
    /// Its fee, if all its inputs are known.
    pub fee: Option<Amount>,
}

impl Wallet {
    /// A request for what happened to addresses that were given out. `now` becomes the time at which transactions were seen or
    /// missed.
    pub fn sync_request(&self, now: Time) -> SyncRequest {
        self.inner.start_sync_with_revealed_spks_at(now.as_secs()).build()
    }

    /// A request for what happened to any address of the seed. Stop after [`GAP_LIMIT`] unused ones.
    pub fn scan_request(&self, now: Time) -> ScanRequest {
        self.inner.start_full_scan_at(now.as_secs()).build()
    }

    /// Takes the answer to a request: all of it, or nothing if it is refused.
    ///
    /// Whole transactions only; what they spend may be among them, for the sake of their fees. What was said of coins that moved
    /// to another block, or out of one, is forgotten: ask [`unknown`](Self::unknown) afterwards.
    pub fn apply(&mut self, update: impl Into<Update>) -> Result<Vec<WalletEvent>, UpdateError> {
        let mut update = update.into();
        check(&update)?;
        self.drop_impossible_sightings(&mut update);
        let events = self
            .inner
            .apply_update_events(update)
            .map_err(|CannotConnectError { try_include_height: height }| UpdateError::Disconnected { height })?;
        self.forget_gone();
        Ok(events)
    }

    /// Takes a transaction that was sent or seen waiting. What it conflicts with counts as replaced.
    pub fn apply_unconfirmed(&mut self, transaction: Transaction, now: Time) -> Result<Vec<WalletEvent>, UpdateError> {
        check_amounts(&transaction)?;
        if transaction.is_coinbase() {
            return Err(UpdateError::WaitingReward { txid: transaction.compute_txid() });
        }
        let replaced: Vec<_> = {
            let graph = self.inner.tx_graph();
            graph.direct_conflicts(&transaction).map(|(_, txid)| txid).collect()
        };
        let seconds = now.as_secs();
        let mut events = self.inner.apply_evicted_txs_events(replaced.into_iter().map(|txid| (txid, seconds)));
        events.extend(self.inner.apply_unconfirmed_txs_events([(transaction, seconds)]));
        self.forget_gone();
        Ok(events)
    }

    /// Takes the news that waiting transactions are gone from the mempool.
    pub fn apply_evicted(&mut self, txids: impl IntoIterator<Item = Txid>, now: Time) -> Vec<WalletEvent> {
        let seconds = now.as_secs();
        let events = self.inner.apply_evicted_txs_events(txids.into_iter().map(|txid| (txid, seconds)));
        self.forget_gone();
        events
    }

    /// The height of the last block that this wallet knows.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.inner.latest_checkpoint().height()
    }

    /// All transactions in the chain or waiting: waiting ones last, by txid where their age is the same.
    #[must_use]
    pub fn transactions(&self) -> Vec<WalletTransaction> {
        let mut found: Vec<_> = self.inner.transactions().collect();
        found.sort_by_key(|tx| (tx.chain_position, tx.tx_node.txid));
        found.into_iter().map(|tx| self.summary(&tx.tx_node.tx, &tx.chain_position)).collect()
    }

    /// One transaction in the chain or waiting.
    #[must_use]
    pub fn transaction(&self, txid: Txid) -> Option<WalletTransaction> {
        self.inner.get_tx(txid).map(|tx| self.summary(&tx.tx_node.tx, &tx.chain_position))
    }

    fn summary<A: bdk_wallet::chain::Anchor>(
        &self,
        transaction: &Arc<Transaction>,
        position: &ChainPosition<A>,
    ) -> WalletTransaction {
        let index = self.inner.spk_index();
        let own = |outpoint| index.txout(outpoint).map(|(_, output)| output.value);
        let sent = transaction.input.iter().filter_map(|input| own(input.previous_output));
        let received = transaction.output.iter().filter(|output| self.is_mine(&output.script_pubkey));
        WalletTransaction {
            transaction: transaction.clone(),
            height: position.confirmation_height_upper_bound(),
            sent: total(sent),
            received: total(received.map(|output| output.value)),
            fee: self.fee(transaction),
        }
    }

    /// What the inputs of a transaction bring and its outputs do not take, if all that it spends is known.
    fn fee(&self, transaction: &Transaction) -> Option<Amount> {
        let graph = self.inner.tx_graph();
        let mut brought = Amount::ZERO;
        for input in &transaction.input {
            brought = brought.checked_add(graph.get_txout(input.previous_output)?.value)?;
        }
        brought.checked_sub(total(transaction.output.iter().map(|output| output.value)))
    }

    /// Only what is known, and no miner's reward, can be seen waiting. The library takes that for granted.
    fn drop_impossible_sightings(&self, update: &mut Update) {
        let new: BTreeMap<Txid, bool> =
            update.tx_update.txs.iter().map(|tx| (tx.compute_txid(), tx.is_coinbase())).collect();
        let graph = self.inner.tx_graph();
        update.tx_update.seen_ats.retain(|(txid, _)| {
            let reward = new.get(txid).copied().or_else(|| graph.get_tx(*txid).map(|tx| tx.is_coinbase()));
            reward == Some(false)
        });
    }
}

/// A sum that stops at the most that an amount can say: servers may lie about values, and a lie must not end the process.
pub(crate) fn total(amounts: impl Iterator<Item = Amount>) -> Amount {
    amounts.fold(Amount::ZERO, |sum, amount| sum.checked_add(amount).unwrap_or(Amount::MAX))
}

fn check(update: &Update) -> Result<(), UpdateError> {
    let transactions = update.tx_update.txs.len();
    if transactions > MAX_TRANSACTIONS_OF_UPDATE {
        return Err(UpdateError::TooManyTransactions { found: transactions });
    }
    if let Some(found) = update.last_active_indices.values().find(|index| **index >= MAX_ADDRESSES - GAP_LIMIT) {
        return Err(UpdateError::AddressIndex { found: *found });
    }
    for transaction in &update.tx_update.txs {
        check_amounts(transaction)?;
    }
    match update.tx_update.txouts.keys().next() {
        Some(outpoint) => Err(UpdateError::LooseOutput { outpoint: *outpoint }),
        None => Ok(()),
    }
}

fn check_amounts(transaction: &Transaction) -> Result<(), UpdateError> {
    if total(transaction.output.iter().map(|output| output.value)) > Amount::MAX_MONEY {
        return Err(UpdateError::Amount { txid: transaction.compute_txid() });
    }
    Ok(())
}
