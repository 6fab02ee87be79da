//! A wallet's questions, answered by electrs.
//!
//! What it finds is believed: proofs are for a node that asks strangers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bitcoin::block::Header;
use bitcoin::{Script, Transaction, Txid};
use darkswap_regtest::env::Electrum;
use darkswap_wallet::bdk_chain::{BlockId, CheckPoint, ConfirmationBlockTime, TxUpdate};
use darkswap_wallet::wallet::GAP_LIMIT;
use darkswap_wallet::{Keychain, ScanRequest, SyncRequest, Update};
use electrum_client::ElectrumApi as _;

/// What happened to the addresses that the wallet gave out.
pub(crate) fn sync(electrum: &Electrum, mut request: SyncRequest) -> Update {
    let tip = request.chain_tip().expect("a wallet asks with its chain");
    let mut answer = Answer::new(electrum, request.start_time());
    for asked in request.iter_spks_with_expected_txids() {
        let found = answer.history(&asked.spk);
        let missed = asked.expected_txids.into_iter().filter(|txid| !found.contains(txid));
        answer.transactions.evicted_ats.extend(missed.map(|txid| (txid, answer.now)));
    }
    answer.finish(tip, BTreeMap::new())
}

/// What happened to any address of the seed.
pub(crate) fn scan(electrum: &Electrum, mut request: ScanRequest) -> Update {
    let tip = request.chain_tip().expect("a wallet asks with its chain");
    let mut answer = Answer::new(electrum, request.start_time());
    let mut last_used: BTreeMap<Keychain, u32> = BTreeMap::new();
    for keychain in request.keychains() {
        let mut unused = 0;
        for (index, script) in request.iter_spks(keychain) {
            if answer.history(&script).is_empty() {
                unused += 1;
            } else {
                unused = 0;
                last_used.insert(keychain, index);
            }
            if unused == GAP_LIMIT {
                break;
            }
        }
    }
    answer.finish(tip, last_used)
}

struct Answer<'a> {
    electrum: &'a Electrum,
    now: u64,
    transactions: TxUpdate<ConfirmationBlockTime>,
    known: BTreeMap<Txid, Arc<Transaction>>,
    headers: BTreeMap<u32, Header>,
}

impl<'a> Answer<'a> {
    fn new(electrum: &'a Electrum, now: u64) -> Self {
        let transactions = TxUpdate::default();
        Self { electrum, now, transactions, known: BTreeMap::new(), headers: BTreeMap::new() }
    }

    /// The transactions of a script, with what they spend.
    fn history(&mut self, script: &Script) -> BTreeSet<Txid> {
        let entries = self.electrum.script_get_history(script).expect("electrs knows every history");
        for entry in &entries {
            let transaction = self.transaction(entry.tx_hash);
            for input in transaction.input.iter().filter(|input| !input.previous_output.is_null()) {
                self.transaction(input.previous_output.txid);
            }
            match u32::try_from(entry.height) {
                Ok(height @ 1..) => {
                    let header = self.header(height);
                    let block_id = BlockId { height, hash: header.block_hash() };
                    let anchor = ConfirmationBlockTime { block_id, confirmation_time: header.time.into() };
                    self.transactions.anchors.insert((anchor, entry.tx_hash));
                }
                Ok(0) | Err(_) => {
                    self.transactions.seen_ats.insert((entry.tx_hash, self.now));
                }
            }
        }
        entries.iter().map(|entry| entry.tx_hash).collect()
    }

    fn transaction(&mut self, txid: Txid) -> Arc<Transaction> {
        let fetch = || Arc::new(self.electrum.transaction_get(&txid).expect("electrs has what histories name"));
        Arc::clone(self.known.entry(txid).or_insert_with(fetch))
    }

    fn header(&mut self, height: u32) -> Header {
        let fetch = || self.electrum.block_header(height as usize).expect("the chain is as long as the history says");
        *self.headers.entry(height).or_insert_with(fetch)
    }

    /// The chain from the newest block on that the wallet and electrs both have.
    fn finish(mut self, tip: CheckPoint, last_active_indices: BTreeMap<Keychain, u32>) -> Update {
        let best = self.electrum.block_headers_subscribe().expect("electrs has a tip");
        let best_height = u32::try_from(best.height).expect("a short chain");
        self.headers.insert(best_height, best.header);
        let is_shared = |block: &CheckPoint, answer: &mut Self| {
            block.height() <= best_height && answer.header(block.height()).block_hash() == block.hash()
        };
        let shared = tip.iter().find(|block| is_shared(block, &mut self)).expect("the genesis block is everybody's");
        let blocks = self.headers.iter().map(|(height, header)| BlockId { height: *height, hash: header.block_hash() });
        let chain = blocks.fold(shared, CheckPoint::insert);
        let mut tx_update = self.transactions;
        tx_update.txs = self.known.into_values().collect();
        Update { last_active_indices, tx_update, chain: Some(chain) }
    }
}
