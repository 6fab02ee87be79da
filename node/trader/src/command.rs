//! What an operator asks, and what it gets. These are also the words of the node's control endpoint, so they have a JSON form.

use bitcoin::{Amount, BlockHash, FeeRate, OutPoint, Txid};
use darkswap_trade::asset::Asset;
use darkswap_trade::book::Backing;
use darkswap_trade::order::{OrderId, Price, Side, TraderKey};
use darkswap_trade::swap::{Phase, Role, SwapId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Time;

/// What an operator asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// An address to receive at.
    Address,
    /// What the wallet has.
    Balance,
    /// The wallet's coins.
    Coins,
    /// The wallet's transactions, the newest first.
    Transactions,
    /// Pay bitcoin.
    Pay {
        /// To which address.
        address: String,
        /// How much.
        amount: Amount,
        /// At which fee rate; the server's estimate when none is given.
        fee_rate: Option<FeeRate>,
    },
    /// Transfer an asset.
    Transfer {
        /// To which address.
        address: String,
        /// What.
        asset: Asset,
        /// Units.
        units: u128,
        /// At which fee rate; the server's estimate when none is given.
        fee_rate: Option<FeeRate>,
    },
    /// Pay a higher fee for a transaction that waits.
    Bump {
        /// Which.
        txid: Txid,
        /// The new fee rate.
        fee_rate: FeeRate,
    },
    /// Offer something.
    Place {
        /// Buy or sell the asset.
        side: Side,
        /// What.
        asset: Asset,
        /// Units.
        units: u128,
        /// The smallest fill; all of them when none is given.
        minimum: Option<u128>,
        /// At which price.
        price: Price,
        /// For how long, in seconds.
        lifetime_seconds: u64,
        /// Sell one whole coin by a signature that is in the order, so that the maker need not be online.
        presigned: bool,
    },
    /// Take an own order back.
    CancelOrder {
        /// Which.
        order: OrderId,
    },
    /// What everybody offers, by price and time.
    Book {
        /// Of one asset; of all when none is given.
        asset: Option<Asset>,
    },
    /// What we offer.
    Orders,
    /// Take an order.
    Take {
        /// Which.
        order: OrderId,
        /// How many units; all of them when none is given.
        units: Option<u128>,
        /// At which fee rate; the server's estimate when none is given.
        fee_rate: Option<FeeRate>,
    },
    /// Swaps under way and ended, the newest first.
    Swaps,
    /// Stop a swap: before our signature is given away it ends, afterwards it is reclaimed.
    CancelSwap {
        /// Which.
        swap: SwapId,
        /// With whom.
        peer: TraderKey,
    },
    /// The state of trading: chain, book, swaps.
    Status,
}

/// What an operator gets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To `address`.
    Address(String),
    /// To `balance`.
    Balance(BalanceReport),
    /// To `coins`.
    Coins(Vec<CoinReport>),
    /// To `transactions`.
    Transactions(Vec<TransactionReport>),
    /// To `pay`, `transfer` and `bump`: the transaction that was broadcast.
    Sent(Txid),
    /// To `place`.
    Placed(OrderId),
    /// To `book` and `orders`.
    Orders(Vec<OrderReport>),
    /// To `take`.
    Taken(SwapId),
    /// To `swaps`.
    Swaps(Vec<SwapReport>),
    /// To `status`.
    Status(StatusReport),
    /// To everything else.
    Done,
}

/// What a wallet has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceReport {
    /// Bitcoin that can be spent now.
    pub spendable: Amount,
    /// Bitcoin in transactions that wait.
    pub pending: Amount,
    /// Bitcoin that is promised to swaps.
    pub reserved: Amount,
    /// Bitcoin on outputs that carry assets, or of which it is not known whether they do.
    pub locked: Amount,
    /// Assets.
    pub assets: Vec<AssetReport>,
}

/// What a wallet has of an asset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetReport {
    /// Which.
    pub asset: Asset,
    /// Its name, where the index knows it.
    pub name: Option<String>,
    /// Digits after the decimal point.
    pub divisibility: u8,
    /// Units that can be traded now.
    pub units: u128,
    /// Units that are promised to swaps.
    pub reserved: u128,
    /// What the owner has to know, such as that the origin of an alkane is only as good as the index.
    pub notice: Option<String>,
}

/// A coin of the wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoinReport {
    /// Where.
    pub outpoint: OutPoint,
    /// Its bitcoin.
    pub amount: Amount,
    /// The height of its block; none while it waits.
    pub height: Option<u32>,
    /// `clean`, `unknown`, `carries`, `reserved`.
    pub state: String,
    /// The assets on it.
    pub assets: Vec<(Asset, u128)>,
}

/// A transaction of the wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionReport {
    /// Which.
    pub txid: Txid,
    /// Satoshis that came less those that went.
    pub net_sats: i64,
    /// The fee, where it is known.
    pub fee: Option<Amount>,
    /// The height of its block; none while it waits.
    pub height: Option<u32>,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderReport {
    /// Which.
    pub order: OrderId,
    /// Whose.
    pub maker: TraderKey,
    /// Whether it is ours.
    pub own: bool,
    /// Buy or sell.
    pub side: Side,
    /// What.
    pub asset: Asset,
    /// Units that are left, as far as we know.
    pub units: u128,
    /// The smallest fill.
    pub minimum: u128,
    /// The price.
    pub price: Price,
    /// When it was made, in seconds since the Unix epoch.
    pub created_seconds: u64,
    /// When it ends.
    pub expires_seconds: u64,
    /// Whether the chain shows what backs it.
    pub backing: Backing,
    /// Whether it can be taken while its maker is away.
    pub presigned: bool,
}

/// A swap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwapReport {
    /// Which.
    pub swap: SwapId,
    /// With whom.
    pub peer: TraderKey,
    /// Which side we are.
    pub role: Role,
    /// The order.
    pub order: OrderId,
    /// Whether the asset comes or goes.
    pub side: Side,
    /// What is traded.
    pub asset: Asset,
    /// Its units.
    pub units: u128,
    /// The bitcoin for them.
    pub payment: Amount,
    /// Where it is.
    pub phase: Phase,
    /// Its transaction, once it is known.
    pub txid: Option<Txid>,
    /// Why it ended without a settlement.
    pub reason: Option<String>,
    /// When it began, in seconds since the Unix epoch.
    pub created_seconds: u64,
}

/// The state of trading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReport {
    /// Our key.
    pub trader: TraderKey,
    /// The tip of the chain, once a server answered.
    pub tip: Option<(u32, BlockHash)>,
    /// Whether a server answers now; else why none does.
    pub chain: Result<(), String>,
    /// Orders in the book.
    pub orders: usize,
    /// Bytes of the book.
    pub book_bytes: usize,
    /// Swaps under way.
    pub swaps: usize,
}

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandError {
    /// What was asked makes no sense as it is.
    #[error("{0}")]
    Invalid(String),
    /// There is no such order or swap.
    #[error("{0}")]
    NotFound(String),
    /// The wallet cannot pay it.
    #[error("{0}")]
    Funds(String),
    /// The chain is not reachable, or refused it.
    #[error("{0}")]
    Chain(String),
    /// A bound of this node.
    #[error("{0}")]
    Limit(String),
}

/// What a trader reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TradeEvent {
    /// An order is in the book that was not.
    OrderAdded {
        /// Which.
        order: OrderId,
        /// Whose.
        maker: TraderKey,
        /// From its creation to its arrival here, by both clocks.
        age_milliseconds: u64,
    },
    /// An order left the book.
    OrderRemoved {
        /// Which.
        order: OrderId,
        /// `cancelled`, `replaced`, `expired`, `evicted`, `filled`.
        reason: String,
    },
    /// A statement was not taken.
    StatementRefused {
        /// Who passed it on.
        from: TraderKey,
        /// Why.
        reason: String,
        /// Whether no correct peer does that.
        misbehaviour: bool,
    },
    /// A reconciliation ended.
    Reconciled {
        /// With whom.
        peer: TraderKey,
        /// Statements that we lacked.
        lacked: u64,
        /// Statements that the peer lacked.
        surplus: u64,
        /// Round trips.
        rounds: u32,
        /// Bytes in both directions, without the statements.
        bytes: u64,
    },
    /// A swap is somewhere else now.
    SwapMoved {
        /// Which.
        swap: SwapId,
        /// With whom.
        peer: TraderKey,
        /// Which side we are.
        role: Role,
        /// Before.
        from: Phase,
        /// Now.
        to: Phase,
        /// Its transaction, once it is known.
        txid: Option<Txid>,
        /// Why, where the phase does not say.
        reason: Option<String>,
        /// Since it began.
        elapsed_milliseconds: u64,
    },
    /// A peer did what no correct node does in a swap.
    SwapMisbehaviour {
        /// Who.
        peer: TraderKey,
        /// What.
        reason: String,
    },
    /// Something outside failed; it is tried again.
    Failed {
        /// What.
        reason: String,
    },
    /// The chain can be asked again, or not any more.
    Chain {
        /// Why not.
        down: Option<String>,
    },
    /// The wallet's balance changed.
    Balance(BalanceReport),
}

/// Seconds since the Unix epoch.
#[must_use]
pub fn seconds(at: Time) -> u64 {
    at.as_secs()
}
