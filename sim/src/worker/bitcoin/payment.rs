//! A host that pays, and waits until the payment is confirmed.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use darkswap_chain::ScriptHash;
use serde_json::{Value, json};

use super::Bitcoin;
use super::client::{Client, Refused};
use super::founding::Payment;
use crate::runtime::SimRuntime;
use crate::worker::recorder::{Recorder, tags};

/// What a payer was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The indexer has not answered.
    Failed,
    /// The indexer said no.
    Refused,
    /// The indexer took it.
    Taken,
}

pub(super) struct Payer {
    /// The payer and the indexer.
    pub(super) pair: (usize, usize),
    pub(super) remote: SocketAddr,
    pub(super) payment: Payment,
    pub(super) runtime: Arc<SimRuntime>,
    pub(super) bitcoin: Bitcoin,
    pub(super) recorder: Recorder,
}

impl Payer {
    /// Pays once. What came of it is the chain's to say, at the end of the run.
    pub(super) async fn run(self) {
        if let Err(error) = self.pay().await {
            if error.is::<Refused>() {
                self.note(Fate::Refused);
            }
            tracing::debug!(error = %format!("{error:#}"), remote = %self.remote, "a payment was not confirmed");
        }
    }

    async fn pay(&self) -> Result<()> {
        let mut client = Client::connect(self.runtime.as_ref(), self.remote).await?;
        let script = ScriptHash::of(&self.payment.script).to_string();
        client.call("blockchain.scripthash.subscribe", json!([script])).await?;
        let asked = self.recorder.now();
        client.call("blockchain.transaction.broadcast", json!([self.payment.hex])).await?;
        self.note(Fate::Taken);
        while !self.is_confirmed(&client.call("blockchain.scripthash.get_history", json!([script])).await?) {
            client.next().await?;
        }
        let names = self.bitcoin.names(self.pair);
        let elapsed = self.recorder.now().saturating_sub(asked);
        self.recorder.time("payment_time", elapsed, tags([("from", names.0), ("to", names.1)]));
        Ok(())
    }

    /// Whether a history has the payment in a block.
    fn is_confirmed(&self, history: &Value) -> bool {
        let txid = self.payment.txid.to_string();
        let mut entries = history.as_array().into_iter().flatten();
        entries.any(|entry| entry["tx_hash"] == txid && entry["height"].as_i64().is_some_and(|height| height > 0))
    }

    fn note(&self, fate: Fate) {
        if let Some(made) = self.bitcoin.books().made.get_mut(&self.payment.txid) {
            made.2 = fate;
        }
    }
}
