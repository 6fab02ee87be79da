//! What an operator is told of assets, coins, orders and swaps.

use bitcoin::{Amount, BlockHash, OutPoint, Txid};
use darkswap_trade::asset::Asset;
use darkswap_trade::book::Backing;
use darkswap_trade::order::{OrderId, Price, Side, TraderKey};
use darkswap_trade::swap::{Phase, Role, SwapId};
use serde::{Deserialize, Serialize};

use super::text;

/// What people call an asset, as the index says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Its name with spacers.
    pub name: String,
    /// Its currency symbol. Whoever etched it chose it freely.
    pub symbol: Option<char>,
    /// Digits after the decimal point.
    pub divisibility: u8,
}

/// What a wallet has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceReport {
    /// Bitcoin that can be spent now.
    pub spendable: Amount,
    /// Bitcoin in transactions that wait.
    pub pending: Amount,
    /// Bitcoin that is promised to swaps and etchings.
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
    #[serde(with = "text::shown")]
    pub asset: Asset,
    /// What it is called, once the index told.
    pub label: Option<Label>,
    /// Units that can be traded now.
    #[serde(with = "text::units")]
    pub units: u128,
    /// Units in transactions that wait, as far as they are known.
    #[serde(with = "text::units")]
    pub pending: u128,
    /// Units that are promised to swaps.
    #[serde(with = "text::units")]
    pub reserved: u128,
    /// What the owner has to know, such as that the origin of an alkane is only as good as the index.
    pub notice: Option<String>,
}

/// Units of an asset on a coin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PileReport {
    /// Which.
    #[serde(with = "text::shown")]
    pub asset: Asset,
    /// What it is called, once the index told.
    pub label: Option<Label>,
    /// How many.
    #[serde(with = "text::units")]
    pub units: u128,
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
    pub assets: Vec<PileReport>,
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
    #[serde(with = "text::shown")]
    pub asset: Asset,
    /// What it is called, once the index told.
    pub label: Option<Label>,
    /// Units that are left, as far as we know.
    #[serde(with = "text::units")]
    pub units: u128,
    /// The smallest fill.
    #[serde(with = "text::units")]
    pub minimum: u128,
    /// The price.
    #[serde(with = "text::price")]
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
    #[serde(with = "text::shown")]
    pub asset: Asset,
    /// What it is called, once the index told.
    pub label: Option<Label>,
    /// Its units.
    #[serde(with = "text::units")]
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
