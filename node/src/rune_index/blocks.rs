//! Where blocks and waiting transactions come from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bitcoin::{Block, BlockHash, Network, OutPoint, Transaction, Txid};
use darkswap_trade::rune::PreviousOutput;
use darkswap_wallet::bdk_chain::BlockId;
use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::bitcoind::Client;

/// An answer; otherwise in words, why there is none.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, String>>;

/// Whoever has every block since the first rune, and a mempool: a bitcoind.
pub trait Blocks: fmt::Debug + Send + Sync + 'static {
    /// The newest block of the chain with the most work.
    fn tip(&self) -> Answer<'_, BlockId>;

    /// The block at a height; none above the tip.
    fn block_hash(&self, height: u32) -> Answer<'_, Option<BlockHash>>;

    /// A block.
    fn block(&self, hash: BlockHash) -> Answer<'_, Block>;

    /// Outputs that a block spends.
    fn previous_outputs<'a>(
        &'a self,
        hash: BlockHash,
        wanted: &'a BTreeSet<OutPoint>,
    ) -> Answer<'a, BTreeMap<OutPoint, PreviousOutput>>;

    /// A transaction that waits; none if it does not. It may also answer one that is in a block.
    fn waiting(&self, txid: Txid) -> Answer<'_, Option<Transaction>>;
}

/// A bitcoind of one network.
#[derive(Debug)]
pub(crate) struct Bitcoind {
    pub(crate) client: Client,
    pub(crate) network: Network,
}

impl Blocks for Bitcoind {
    fn tip(&self) -> Answer<'_, BlockId> {
        async {
            let tip = self.client.tip().await.map_err(|error| error.to_string())?;
            if tip.chain != self.network {
                let (found, expected) = (tip.chain, self.network);
                return Err(format!(
                    "bitcoind follows {found}, expected {expected}: check trading.bitcoind and trading.network"
                ));
            }
            Ok(BlockId { height: tip.height, hash: tip.hash })
        }
        .boxed()
    }

    fn block_hash(&self, height: u32) -> Answer<'_, Option<BlockHash>> {
        self.client.block_hash(height).map(words).boxed()
    }

    fn block(&self, hash: BlockHash) -> Answer<'_, Block> {
        self.client.block(hash).map(words).boxed()
    }

    fn previous_outputs<'a>(
        &'a self,
        hash: BlockHash,
        wanted: &'a BTreeSet<OutPoint>,
    ) -> Answer<'a, BTreeMap<OutPoint, PreviousOutput>> {
        self.client.previous_outputs(hash, wanted).map(words).boxed()
    }

    fn waiting(&self, txid: Txid) -> Answer<'_, Option<Transaction>> {
        self.client.waiting(txid).map(words).boxed()
    }
}

fn words<T>(answer: Result<T, crate::bitcoind::RpcError>) -> Result<T, String> {
    answer.map_err(|error| error.to_string())
}
