//! What a server has to show: transactions, histories and proofs, checked before anything is made of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bitcoin::{Script, Transaction, Txid};
use darkswap_wallet::bdk_chain::BlockId;
use electrum_streaming_client::ElectrumScriptHash;
use electrum_streaming_client::request::{
    GetHistory, GetTx, GetTxMerkle, Header as HeaderRequest, ScriptHashSubscribe,
};

use super::MAX_SCRIPTS;
use super::connection::Connection;
use super::desk::{Desk, Link};
use super::misbehaviour::{Misbehaviour, Trouble};
use super::proof::{Seen, history, proves};

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
        let answers = link.connection.demand_all(requests).await?;
        answers.into_iter().map(|answer| Ok(history(answer)?)).collect()
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
            let holds = answer.is_ok_and(|proof| proves(&proof, txid, size, block.height, root));
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
