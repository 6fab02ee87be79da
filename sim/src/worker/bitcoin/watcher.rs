//! A host that follows the chain and takes an indexer's word.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bitcoin::block::Header;
use bitcoin::consensus::encode::deserialize_hex;
use serde_json::{Value, json};

use super::Bitcoin;
use super::client::Client;
use crate::runtime::SimRuntime;
use crate::worker::recorder::{Recorder, tags};

/// Until the next try when the connection is gone.
const RETRY: Duration = Duration::from_secs(1);
const SUBSCRIBE: &str = "blockchain.headers.subscribe";

pub(super) struct Watcher {
    /// The watcher and the indexer.
    pub(super) pair: (usize, usize),
    pub(super) remote: SocketAddr,
    pub(super) runtime: Arc<SimRuntime>,
    pub(super) bitcoin: Bitcoin,
    pub(super) recorder: Recorder,
}

impl Watcher {
    /// Watches until the host goes down.
    pub(super) async fn run(self) {
        loop {
            if let Err(error) = self.follow().await {
                tracing::debug!(error = %format!("{error:#}"), remote = %self.remote, "a watcher lost its indexer");
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn follow(&self) -> Result<()> {
        let mut client = Client::connect(self.runtime.as_ref(), self.remote).await?;
        let tip = client.call(SUBSCRIBE, json!([])).await?;
        self.hear(&tip)?;
        loop {
            let said = client.next().await?;
            if said.method == SUBSCRIBE {
                self.hear(said.params.get(0).context("a notification without a header")?)?;
            }
        }
    }

    /// Takes note of a tip. Of the first one nobody knows how long the watcher could have known it.
    fn hear(&self, tip: &Value) -> Result<()> {
        let hex = tip.get("hex").and_then(Value::as_str).context("a tip without its header")?;
        let header: Header = deserialize_hex(hex)?;
        let hash = header.block_hash();
        let before = self.bitcoin.books().heard.insert(self.pair, Some(hash)).flatten();
        let now = self.recorder.now();
        if before.is_some_and(|before| before != hash)
            && let Some(age) = self.bitcoin.age_of_tip(&hash, now)
        {
            let names = self.bitcoin.names(self.pair);
            self.recorder.time("tip_time", age, tags([("from", names.0), ("to", names.1)]));
        }
        Ok(())
    }
}
