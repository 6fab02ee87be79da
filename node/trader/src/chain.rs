//! What is asked of the chain, and what it answers.

use std::collections::BTreeMap;
use std::fmt;

use bitcoin::{BlockHash, FeeRate, OutPoint, Transaction, Txid};
use darkswap_trade::coin::Coin;
use darkswap_trade::rune::Entry;
use darkswap_trade::swap::{Spend, Status};
use darkswap_wallet::{ScanRequest, SyncRequest, Update};
use ordinals::{Rune, RuneId};

/// Which rune.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuneQuery {
    /// The one with this id.
    Id(RuneId),
    /// The one with this name.
    Name(Rune),
}

/// What the index knows of a rune.
pub type KnownRune = (RuneId, Entry);

/// What is asked of the chain. Answers name what they answer; there may be any number of them under way.
pub enum ChainRequest {
    /// Look for a restored wallet's coins, keychain by keychain. Answered by [`ChainInput::Wallet`].
    Scan(ScanRequest),
    /// Look at a wallet's known scripts and transactions. Answered by [`ChainInput::Wallet`].
    Sync(SyncRequest),
    /// Look outputs up, with the assets on them. Answered by [`ChainInput::Coins`].
    Coins {
        /// Comes back with the answer.
        request: u64,
        /// Which.
        outpoints: Vec<OutPoint>,
    },
    /// Look a rune up. Answered by [`ChainInput::Rune`].
    Rune {
        /// Comes back with the answer.
        request: u64,
        /// Which.
        query: RuneQuery,
    },
    /// Follow a transaction and what else spends the same outputs, until [`Unwatch`](Self::Unwatch). Answered by
    /// [`ChainInput::Seen`], now and on every change.
    Watch {
        /// The transaction.
        txid: Txid,
        /// What it spends, with the scripts by which conflicts are found.
        spends: Vec<Spend>,
    },
    /// No longer follow.
    Unwatch(Txid),
    /// Broadcast. Answered by [`ChainInput::Broadcast`].
    Broadcast(Transaction),
}

impl fmt::Debug for ChainRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scan(_) => f.write_str("Scan"),
            Self::Sync(_) => f.write_str("Sync"),
            Self::Coins { request, outpoints } => write!(f, "Coins({request}, {outpoints:?})"),
            Self::Rune { request, query } => write!(f, "Rune({request}, {query:?})"),
            Self::Watch { txid, .. } => write!(f, "Watch({txid})"),
            Self::Unwatch(txid) => write!(f, "Unwatch({txid})"),
            Self::Broadcast(transaction) => write!(f, "Broadcast({})", transaction.compute_txid()),
        }
    }
}

/// What the chain answers, or tells by itself.
#[derive(Debug)]
pub enum ChainInput {
    /// There is a new tip, or a first one.
    Tip {
        /// Its height.
        height: u32,
        /// Its hash.
        hash: BlockHash,
        /// What a transaction should pay to confirm within a few blocks.
        fee_rate: FeeRate,
    },
    /// Something happened to one of the scripts that were synchronised: worth another [`ChainRequest::Sync`].
    Stirred,
    /// To `Scan` and `Sync`.
    Wallet(Box<Update>),
    /// To `Coins`: those that exist and are unspent, in the mempool as well.
    Coins {
        /// From the request.
        request: u64,
        /// By outpoint.
        coins: BTreeMap<OutPoint, Coin>,
    },
    /// To `Coins`: it could not be found out, for example because no index of assets is configured or reachable.
    CoinsUnknown {
        /// From the request.
        request: u64,
        /// Why.
        reason: String,
    },
    /// To `Rune`.
    Rune {
        /// From the request.
        request: u64,
        /// The rune, if it was etched; else in words why that is not known, for example because no index is configured.
        found: Result<Option<Box<KnownRune>>, String>,
    },
    /// To `Watch`.
    Seen {
        /// Which transaction.
        txid: Txid,
        /// Where it is.
        status: Status,
    },
    /// To `Broadcast`.
    Broadcast {
        /// Which transaction.
        txid: Txid,
        /// The server's word when it refused.
        outcome: Result<(), String>,
    },
    /// No server answers, or none agrees with the others; nothing that was asked is lost.
    Down {
        /// Why.
        reason: String,
    },
    /// A server answers again.
    Up {
        /// Which.
        server: String,
    },
}
