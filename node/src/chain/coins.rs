//! Unspent outputs with the assets on them, and broadcasts.

use std::collections::BTreeMap;
use std::sync::Arc;

use bitcoin::{OutPoint, Transaction};
use darkswap_trade::alkane::{ProtostoneError, protostones};
use darkswap_trade::coin::{Coin, Holdings};
use darkswap_trader::chain::ChainInput;
use electrum_streaming_client::request::{BroadcastTx, ListUnspent};

use super::assets::Place;
use super::connection::IN_FLIGHT;
use super::desk::{Desk, Link};
use super::evidence::script_hash;
use super::misbehaviour::{Misbehaviour, Trouble};

/// Outputs in one question: more than a transaction of standard size has inputs.
pub const MAX_COINS: usize = 2_000;

/// What servers say of a transaction that needs no broadcast: it waits or is in a block.
const KNOWN: [&str; 4] = ["already in mempool", "already in block chain", "already in utxo set", "txn-already"];

impl Desk {
    /// Answers which of these outputs are unspent, and what is on them. Those that may hold alkanes are left out unless the index
    /// knows alkanes.
    pub(super) async fn answer_coins(
        &mut self,
        link: &mut Link,
        request: u64,
        asked: &[OutPoint],
    ) -> Result<(), Trouble> {
        if asked.len() > MAX_COINS {
            let reason = format!("{} outputs were asked for, at most {MAX_COINS} are looked up at once", asked.len());
            return self.tell(ChainInput::CoinsUnknown { request, reason }).await;
        }
        let found = self.unspent(link, asked).await?;
        if found.is_empty() {
            return self.tell(ChainInput::Coins { request, coins: BTreeMap::new() }).await;
        }
        let places: Vec<Place> =
            found.iter().map(|coin| Place { outpoint: coin.outpoint, height: coin.height }).collect();
        let tip = self.headers.tip().ok_or(Trouble::Moved)?;
        let holdings = match self.assets.holdings(places, tip).await {
            Ok(holdings) if holdings.len() == found.len() => holdings,
            Ok(holdings) => {
                let reason = format!("the index of assets answered {} outputs of {}", holdings.len(), found.len());
                return self.tell(ChainInput::CoinsUnknown { request, reason }).await;
            }
            Err(reason) => return self.tell(ChainInput::CoinsUnknown { request, reason }).await,
        };
        let with_holdings = |(coin, holdings): (Coin, Holdings)| (coin.outpoint, Coin { holdings, ..coin });
        let coins = found.into_iter().zip(holdings).map(with_holdings).collect();
        self.tell(ChainInput::Coins { request, coins }).await
    }

    /// Those of the outputs that are unspent, in the mempool as well. That they exist is proven where they are confirmed.
    async fn unspent(&mut self, link: &mut Link, asked: &[OutPoint]) -> Result<Vec<Coin>, Trouble> {
        let connection = link.connection.clone();
        let transactions = self.fetch(&connection, asked.iter().map(|outpoint| outpoint.txid)).await?;
        let mut outputs = BTreeMap::new();
        for outpoint in asked {
            let transaction = transactions.get(&outpoint.txid);
            if !self.assets.knows_alkanes() && transaction.is_some_and(|transaction| may_bring_alkanes(transaction)) {
                // Nobody here knows what is on it, so it is neither spent nor bought.
                continue;
            }
            let output = transaction.and_then(|transaction| transaction.output.get(outpoint.vout as usize));
            if let Some(output) = output {
                outputs.insert(*outpoint, output.clone());
            }
        }
        let scripts: std::collections::BTreeSet<_> =
            outputs.values().map(|output| script_hash(&output.script_pubkey)).collect();
        let requests: Vec<_> = scripts.iter().map(|script_hash| ListUnspent { script_hash: *script_hash }).collect();
        let mut heights = BTreeMap::new();
        // By the step, and kept only where asked for: each answer may be as long as a line.
        for step in requests.chunks(IN_FLIGHT) {
            for utxo in connection.demand_all(step.to_vec()).await?.into_iter().flatten() {
                let Ok(vout) = u32::try_from(utxo.tx_pos) else { continue };
                let outpoint = OutPoint { txid: utxo.txid, vout };
                if outputs.contains_key(&outpoint) {
                    heights.insert(outpoint, utxo.height.to_consensus_u32());
                }
            }
        }
        let mut found = Vec::new();
        let mut claims = Vec::new();
        for (outpoint, output) in outputs {
            let Some(height) = heights.get(&outpoint).copied() else { continue };
            let height = (height > 0).then_some(height);
            if let (Some(height), Some(transaction)) = (height, transactions.get(&outpoint.txid)) {
                claims.push((transaction.clone(), height));
            }
            found.push(Coin { outpoint, output, height, holdings: Holdings::new() });
        }
        self.prove(&connection, &claims).await?;
        Ok(found)
    }

    /// Broadcasts, and tells what the server said.
    pub(super) async fn broadcast(&mut self, link: &Link, transaction: &Arc<Transaction>) -> Result<(), Trouble> {
        let txid = transaction.compute_txid();
        let outcome = match link.connection.ask(BroadcastTx(transaction.as_ref().clone())).await? {
            Ok(found) if found != txid => return Err(Misbehaviour::Transaction { asked: txid, found }.into()),
            Ok(_) => {
                self.second_opinion.broadcast(transaction.clone());
                Ok(())
            }
            // So it says. Whether others have it as well is looked up as if it was new.
            Err(word) if KNOWN.iter().any(|known| word.contains(known)) => {
                self.second_opinion.broadcast(transaction.clone());
                Ok(())
            }
            Err(word) => Err(word),
        };
        self.tell(ChainInput::Broadcast { txid, outcome }).await
    }
}

/// Whether outputs of a transaction may hold alkanes: it has protostones, or something that some readers take for them.
///
/// Known limit: newer versions of the reference indexer let alkanes on the inputs of a transaction without protostones come to its first
/// output, which the transaction does not show. Such an output, which somebody made by mistake, is taken for clean.
fn may_bring_alkanes(transaction: &Transaction) -> bool {
    match protostones(transaction) {
        Ok(stones) => !stones.is_empty(),
        // No reader looks for protostones in it.
        Err(ProtostoneError::Cenotaph { .. }) => false,
        Err(_) => true,
    }
}
