//! What a server has to show: transactions, histories and proofs, checked before anything is made of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bitcoin::{Script, Transaction, Txid};
use darkswap_wallet::bdk_chain::BlockId;
use electrum_streaming_client::ElectrumScriptHash;
use electrum_streaming_client::request::{
    GetHistory, GetTx, GetTxMerkle, Header as HeaderRequest, ScriptHashSubscribe,
};
use electrum_streaming_client::response::{Tx, TxMerkle};

use super::MAX_SCRIPTS;
use super::connection::Connection;
use super::desk::{Desk, Link};
use super::misbehaviour::{Misbehaviour, Trouble};

/// Transactions in the history of one script. Servers tell fewer; a wallet takes no more in one answer.
const MAX_HISTORY: usize = 50_000;

/// Steps from a transaction to the root of its block: 2^24 transactions do not fit into one.
const MAX_BRANCH: usize = 24;

/// The size of an inner node of a merkle tree. A transaction as large could be taken for one, and prove what is not in the
/// block (CVE-2017-12842).
const INNER_NODE: usize = 64;

/// A transaction in a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// Which.
    pub(super) txid: Txid,
    /// The height of its block, not proven; none while it waits.
    pub(super) height: Option<u32>,
}

impl Desk {
    /// The histories of scripts, oldest first, in the order of the scripts. They are subscribed to before, so that no change
    /// is missed.
    pub(super) async fn histories(
        &mut self,
        link: &mut Link,
        scripts: &[ElectrumScriptHash],
        wallet: bool,
    ) -> Result<Vec<Vec<Seen>>, Trouble> {
        let room = MAX_SCRIPTS.saturating_sub(link.subscribed.len());
        let fresh: BTreeSet<_> =
            scripts.iter().filter(|script| !link.subscribed.contains(*script)).take(room).collect();
        let fresh: Vec<ElectrumScriptHash> = fresh.into_iter().copied().collect();
        let requests = fresh.iter().map(|script_hash| ScriptHashSubscribe { script_hash: *script_hash }).collect();
        for (script, status) in fresh.into_iter().zip(link.connection.demand_all(requests).await?) {
            link.subscribed.insert(script);
            if wallet {
                self.scripts.insert(script, status);
            }
        }
        if wallet {
            // A watch may have subscribed to it before the wallet did.
            let known = scripts.iter().filter(|script| link.subscribed.contains(*script));
            for script in known {
                self.scripts.entry(*script).or_insert(None);
            }
        }
        let requests = scripts.iter().map(|script_hash| GetHistory { script_hash: *script_hash }).collect();
        link.connection.demand_all(requests).await?.into_iter().map(history).collect()
    }

    /// Transactions by id, from what is held or from the server; without those that it does not have.
    pub(super) async fn fetch(
        &mut self,
        connection: &Connection,
        txids: impl IntoIterator<Item = Txid>,
    ) -> Result<BTreeMap<Txid, Arc<Transaction>>, Trouble> {
        let mut found = BTreeMap::new();
        let mut missing = BTreeSet::new();
        for txid in txids {
            match self.transactions.transaction(&txid) {
                Some(transaction) => drop(found.insert(txid, transaction.clone())),
                None => drop(missing.insert(txid)),
            }
        }
        let requests = missing.iter().map(|txid| GetTx { txid: *txid }).collect();
        for (asked, answer) in missing.iter().zip(connection.ask_all(requests).await?) {
            let Ok(answer) = answer else { continue };
            let computed = answer.tx.compute_txid();
            if computed != *asked {
                return Err(Misbehaviour::Transaction { asked: *asked, found: computed }.into());
            }
            let transaction = Arc::new(answer.tx);
            self.transactions.keep(computed, transaction.clone());
            found.insert(computed, transaction);
        }
        Ok(found)
    }

    /// Proves that fetched transactions are in the blocks of these heights, and returns those blocks in their order.
    pub(super) async fn prove(
        &mut self,
        connection: &Connection,
        claims: &[(Arc<Transaction>, u32)],
    ) -> Result<Vec<BlockId>, Trouble> {
        let mut blocks = Vec::with_capacity(claims.len());
        let mut open = Vec::new();
        for (transaction, height) in claims {
            let header = self.header(connection, *height).await?;
            let block = BlockId { height: *height, hash: header.block_hash() };
            blocks.push(block);
            let txid = transaction.compute_txid();
            if self.transactions.proven(&txid) != Some(block) {
                open.push((txid, block, header.merkle_root, transaction.base_size()));
            }
        }
        let requests = open.iter().map(|(txid, block, ..)| GetTxMerkle { txid: *txid, height: block.height }).collect();
        for ((txid, block, root, size), answer) in open.into_iter().zip(connection.ask_all(requests).await?) {
            let holds = answer.is_ok_and(|proof| size != INNER_NODE && leads(&proof, txid, block.height, root));
            if !holds {
                return Err(self.doubt(connection, txid, block).await);
            }
            self.transactions.prove(&txid, block);
        }
        Ok(blocks)
    }

    /// Why a proof does not hold: the chain moved, or the server lies.
    async fn doubt(&self, connection: &Connection, txid: Txid, block: BlockId) -> Trouble {
        match connection.ask(HeaderRequest { height: block.height }).await {
            Ok(Ok(answer)) if answer.header.block_hash() == block.hash => {
                Misbehaviour::Proof { txid, height: block.height }.into()
            }
            Ok(_) => Trouble::Moved,
            Err(trouble) => trouble,
        }
    }
}

/// A script as servers name it.
pub(super) fn script_hash(script: &Script) -> ElectrumScriptHash {
    ElectrumScriptHash::new(script)
}

fn history(answer: Vec<Tx>) -> Result<Vec<Seen>, Trouble> {
    if answer.len() > MAX_HISTORY {
        return Err(Misbehaviour::History { found: answer.len(), limit: MAX_HISTORY }.into());
    }
    let seen = |tx: Tx| {
        let height = tx.confirmation_height().map(|height| height.to_consensus_u32());
        // Nobody pays in the genesis block: height 0 means the mempool.
        Seen { txid: tx.txid(), height: height.filter(|height| *height > 0) }
    };
    Ok(answer.into_iter().map(seen).collect())
}

/// Whether a merkle branch leads from a transaction to the root of its block.
fn leads(proof: &TxMerkle, txid: Txid, height: u32, root: bitcoin::TxMerkleNode) -> bool {
    let steps = proof.merkle.len();
    steps <= MAX_BRANCH
        && proof.pos >> steps == 0
        && proof.block_height.to_consensus_u32() == height
        && proof.expected_merkle_root(txid) == root
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::hashes::Hash as _;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_history_and_no_proof_makes_it_panic(
            height in any::<i64>(), fee in proptest::option::of(any::<i64>()), pos in any::<u64>(), steps in 0..70_usize,
        ) {
            let hash = "aa".repeat(32);
            let fee = fee.map_or(String::new(), |fee| format!(",\"fee\":{fee}"));
            let text = format!("[{{\"tx_hash\":\"{hash}\",\"height\":{height}{fee}}}]");
            if let Ok(answer) = serde_json::from_str::<Vec<Tx>>(&text) {
                let seen = history(answer).expect("it is short");
                prop_assert!(seen[0].height.is_none_or(|height| height > 0));
            }
            let merkle = vec![format!("\"{hash}\""); steps].join(",");
            let text = format!("{{\"block_height\":5,\"pos\":{pos},\"merkle\":[{merkle}]}}");
            if let Ok(proof) = serde_json::from_str::<TxMerkle>(&text) {
                let root = bitcoin::TxMerkleNode::from_byte_array([1; 32]);
                prop_assert!(!leads(&proof, Txid::from_byte_array([2; 32]), 5, root));
            }
        }
    }
}
