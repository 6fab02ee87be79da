//! What can be typed behind `darkswap wallet`, `order`, `trade` and `asset`.

use std::time::Duration;

use bitcoin::{Amount, FeeRate, Txid};
use clap::{Args, Subcommand, ValueEnum};
use darkswap_trade::asset::Asset as AssetId;
use darkswap_trade::order::{Side as OrderSide, TraderKey};

use super::quantity::{self, Payment};
use crate::cli::arguments::Shown;

/// The wallet of the running node.
#[derive(Debug, Subcommand)]
pub(crate) enum Wallet {
    /// Show an address to receive at
    Address(Shown),
    /// Show what the wallet has
    Balance(Shown),
    /// List the wallet's coins
    Coins(Shown),
    /// List the wallet's transactions, the newest first
    Transactions(Shown),
    /// Pay bitcoin to an address
    #[command(after_help = SEND_HELP)]
    Send(Send),
    /// Pay a higher fee for a transaction that waits
    #[command(after_help = "Example:\n  darkswap wallet bump <TXID> --fee-rate 25sat/vb")]
    Bump(Bump),
}

/// Orders: offers to everybody.
#[derive(Debug, Subcommand)]
pub(crate) enum Order {
    /// Offer to sell or to buy an asset
    #[command(after_help = PLACE_HELP)]
    Place(Place),
    /// Take an own order back
    #[command(after_help = "Example:\n  darkswap order cancel 5f0c22a98e31")]
    Cancel(CancelOrder),
    /// List own orders
    List(Shown),
    /// List everybody's orders by price and time
    #[command(after_help = "Examples:\n  darkswap order book\n  darkswap order book --asset 840000:3 --json")]
    Book(Book),
}

/// Trades: orders that are taken.
#[derive(Debug, Subcommand)]
pub(crate) enum Trade {
    /// Take an order, all of it or a part
    #[command(after_help = TAKE_HELP)]
    Take(Take),
    /// List swaps under way and ended, the newest first
    List(Shown),
    /// Show everything about a swap
    Show(Show),
    /// Stop a swap: nothing changes hands, or what is signed already is reclaimed
    #[command(after_help = "Example:\n  darkswap trade cancel 91c2e0aa")]
    Cancel(CancelSwap),
    /// Follow swaps; of one swap until it has ended
    #[command(after_help = "Examples:\n  darkswap trade watch\n  darkswap trade watch 91c2e0aa --json")]
    Watch(Watch),
}

/// Assets of the wallet: runes and alkanes.
#[derive(Debug, Subcommand)]
pub(crate) enum Asset {
    /// List the assets of the wallet
    List(Shown),
    /// Transfer units of an asset to an address
    #[command(after_help = TRANSFER_HELP)]
    Transfer(Transfer),
}

const SEND_HELP: &str = "\
On a terminal the payment is shown and has to be confirmed, unless --yes is given.

Examples:
  darkswap wallet send bc1p... 0.001btc
  darkswap wallet send bc1p... 1500sat --fee-rate 5sat/vb --yes --json";

const PLACE_HELP: &str = "\
An asset is named by its id: `840000:3` is a rune, `alkane:2:0` an alkane. Units are the smallest ones, without a decimal point. The price is
for all of the units, or for as many as stand behind the slash.

Examples:
  darkswap order place sell --asset 840000:3 --units 1000 --price 0.001btc
  darkswap order place buy --asset 840000:3 --units 5000 --minimum 500 --price 150sat/10 --lifetime 6h
  darkswap order place sell --asset alkane:2:0 --units 1000 --price 1500sat --presigned";

const TAKE_HELP: &str = "\
An id may be shortened to its first digits. The taker pays the network's fee. On a terminal the trade is shown and has to be confirmed,
unless --yes is given.

Examples:
  darkswap trade take 5f0c22a98e31
  darkswap trade take 5f0c22a98e31 --units 500 --fee-rate 12sat/vb --yes";

const TRANSFER_HELP: &str = "\
On a terminal the transfer is shown and has to be confirmed, unless --yes is given.

Examples:
  darkswap asset transfer bc1p... --asset 840000:3 --units 1000
  darkswap asset transfer bc1p... --asset alkane:2:0 --units 1000 --yes";

/// Who pays which fee, and whether a person is asked first.
#[derive(Debug, Args)]
pub(crate) struct Spending {
    /// Pay this fee rate instead of the chain server's estimate, for example `5sat/vb`
    #[arg(long, value_name = "RATE", value_parser = quantity::fee_rate)]
    pub(crate) fee_rate: Option<FeeRate>,
    /// Do not ask before it is done
    #[arg(long, short)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Send {
    /// To whom
    pub(crate) address: String,
    /// How much, for example `0.001btc` or `1500sat`
    #[arg(value_parser = quantity::amount)]
    pub(crate) amount: Amount,
    #[command(flatten)]
    pub(crate) spending: Spending,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Args)]
pub(crate) struct Bump {
    /// Which transaction
    pub(crate) txid: Txid,
    /// The new fee rate, for example `25sat/vb`
    #[arg(long, value_name = "RATE", value_parser = quantity::fee_rate)]
    pub(crate) fee_rate: FeeRate,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// Give the asset, get bitcoin
    Sell,
    /// Get the asset, give bitcoin
    Buy,
}

impl From<Side> for OrderSide {
    fn from(side: Side) -> Self {
        match side {
            Side::Sell => Self::Sell,
            Side::Buy => Self::Buy,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Sell or buy the asset
    #[arg(value_enum)]
    pub(crate) side: Side,
    /// Which asset: `840000:3` is a rune, `alkane:2:0` an alkane
    #[arg(long, value_name = "ASSET")]
    pub(crate) asset: AssetId,
    /// How many units
    #[arg(long, value_name = "N")]
    pub(crate) units: u128,
    /// The smallest part that may be taken [default: all of it]
    #[arg(long, value_name = "N")]
    pub(crate) minimum: Option<u128>,
    /// The price of all units, for example `0.001btc`, or of some, for example `150sat/10`
    #[arg(long, value_name = "AMOUNT[/UNITS]", value_parser = quantity::payment)]
    pub(crate) price: Payment,
    /// How long it is offered, at most a day: `90m`, `6h`
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = quantity::time)]
    pub(crate) lifetime: Duration,
    /// Sign a sale of all units beforehand, so that it can be taken while this node is away
    #[arg(long)]
    pub(crate) presigned: bool,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Args)]
pub(crate) struct CancelOrder {
    /// Which order: its id, or the first digits of it
    pub(crate) order: String,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Args)]
pub(crate) struct Book {
    /// Only of this asset
    #[arg(long, value_name = "ASSET")]
    pub(crate) asset: Option<AssetId>,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Args)]
pub(crate) struct Take {
    /// Which order: its id, or the first digits of it
    pub(crate) order: String,
    /// How many units [default: all of them]
    #[arg(long, value_name = "N")]
    pub(crate) units: Option<u128>,
    #[command(flatten)]
    pub(crate) spending: Spending,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

/// One swap.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Which swap: its id, or the first digits of it
    pub(crate) swap: String,
    /// With whom, where the id alone does not tell
    #[arg(long, value_name = "TRADER")]
    pub(crate) peer: Option<TraderKey>,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Args)]
pub(crate) struct CancelSwap {
    #[command(flatten)]
    pub(crate) which: Show,
    /// Do not ask before it is done
    #[arg(long, short)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Which swap: its id, or the first digits of it [default: all]
    pub(crate) swap: Option<String>,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Args)]
pub(crate) struct Transfer {
    /// To whom
    pub(crate) address: String,
    /// Which asset: `840000:3` is a rune, `alkane:2:0` an alkane
    #[arg(long, value_name = "ASSET")]
    pub(crate) asset: AssetId,
    /// How many units
    #[arg(long, value_name = "N")]
    pub(crate) units: u128,
    #[command(flatten)]
    pub(crate) spending: Spending,
    #[command(flatten)]
    pub(crate) shown: Shown,
}
