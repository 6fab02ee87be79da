//! Who knows which assets are on an output.

use std::fmt;

use bitcoin::OutPoint;
use darkswap_trade::coin::Holdings;
pub use darkswap_trader::chain::{KnownRune, RuneQuery};
use darkswap_wallet::bdk_chain::BlockId;
use futures::future::BoxFuture;

/// An output to look up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Where it is.
    pub outpoint: OutPoint,
    /// The height of its block; none while it waits in the mempool.
    pub height: Option<u32>,
}

/// An index of assets.
pub trait AssetIndex: fmt::Debug + Send + Sync + 'static {
    /// What is on these unspent outputs, in their order, as of the block `tip`, which is the last one of the chain with the
    /// most work.
    ///
    /// # Errors
    /// In words, why that is not known: nothing configured, not caught up with `tip`, or an output that waits and cannot be
    /// computed.
    fn holdings(&self, places: Vec<Place>, tip: BlockId) -> BoxFuture<'static, Result<Vec<Holdings>, String>>;

    /// Whether [`holdings`](Self::holdings) tells alkanes as well. Without, nothing is said of outputs that may hold some.
    fn knows_alkanes(&self) -> bool {
        false
    }

    /// The rune with this id or name, as of the newest block that the index has; none if it was not etched.
    ///
    /// # Errors
    /// In words, why that is not known: nothing configured, or still catching up.
    fn entry(&self, rune: RuneQuery) -> BoxFuture<'static, Result<Option<KnownRune>, String>> {
        let _ = rune;
        Box::pin(std::future::ready(Err(
            "no index of runes is configured: configure one (`trading.bitcoind`)".to_owned()
        )))
    }
}

/// No index: nothing is known of any output.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAssetIndex;

impl AssetIndex for NoAssetIndex {
    fn holdings(&self, _places: Vec<Place>, _tip: BlockId) -> BoxFuture<'static, Result<Vec<Holdings>, String>> {
        let reason = "no index of assets is configured, so nobody knows what is on an output: configure one to trade";
        Box::pin(std::future::ready(Err(reason.to_owned())))
    }
}
