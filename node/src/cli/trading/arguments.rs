//! What can be typed behind `darkswap wallet`, `order`, `trade` and `asset`.

use std::time::Duration;

use bitcoin::{Amount, FeeRate, Txid};
use clap::{Args, Subcommand, ValueEnum};
use darkswap_trade::order::{Side as OrderSide, TraderKey};
use darkswap_trader::command::AssetName;

use super::measure::{OptionalQuantity, RequiredQuantity};
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
    /// List the assets of the wallet, and etchings under way
    List(Shown),
    /// Show everything about an asset: supply, mint terms, what the wallet has
    #[command(after_help = "Examples:\n  darkswap asset info UNCOMMON.GOODS\n  darkswap asset info 840000:3 --json")]
    Info(Described),
    /// Send units of an asset to an address
    #[command(visible_alias = "transfer", after_help = SEND_ASSET_HELP)]
    Send(Transfer),
    /// Mint a rune once
    #[command(
        after_help = "Examples:\n  darkswap asset mint UNCOMMON.GOODS\n  darkswap asset mint 840000:3 --fee-rate 12sat/vb --yes"
    )]
    Mint(Mint),
    /// Etch a new rune
    #[command(after_help = ETCH_HELP)]
    Etch(Etch),
    /// List etchings under way and ended
    Etchings(Shown),
    /// Stop an etching, and have the bitcoin of its commitment back
    #[command(after_help = "Example:\n  darkswap asset cancel MY.NEW.RUNE.NAME")]
    Cancel(CancelEtching),
}

const SEND_HELP: &str = "\
On a terminal the payment is shown and has to be confirmed, unless --yes is given.

Examples:
  darkswap wallet send bc1p... 0.001btc
  darkswap wallet send bc1p... 1500sat --fee-rate 5sat/vb --yes --json";

const PLACE_HELP: &str = "\
A rune is named by its name, with `•` or `.` between its parts, or by its id such as `840000:3`; an alkane by its id, `alkane:2:0`. An amount
is in decimals, as the rune has them; units are the smallest ones, without a decimal point. The minimum and the price are given in the same
way. The price is for everything, or for as much as stands behind the slash.

Examples:
  darkswap order place sell --asset UNCOMMON.GOODS --amount 12.5 --price 0.001btc
  darkswap order place sell --asset 840000:3 --amount 100 --minimum 0.5 --price 150sat/0.25
  darkswap order place buy --asset 840000:3 --units 5000 --minimum 500 --price 150sat/10 --lifetime 6h
  darkswap order place sell --asset alkane:2:0 --units 1000 --price 1500sat --presigned";

const TAKE_HELP: &str = "\
An id may be shortened to its first digits. An amount is in decimals, as the rune has them; units are the smallest ones. The taker pays the network's fee. On a terminal the trade is shown and has to be confirmed,
unless --yes is given.

Examples:
  darkswap trade take 5f0c22a98e31
  darkswap trade take 5f0c22a98e31 --amount 2.5
  darkswap trade take 5f0c22a98e31 --units 500 --fee-rate 12sat/vb --yes";

const SEND_ASSET_HELP: &str = "\
An amount is in decimals, as the rune has them; units are the smallest ones. What is left on the coins comes back. On a terminal it is shown
and has to be confirmed, unless --yes is given.

Examples:
  darkswap asset send bc1p... --asset UNCOMMON.GOODS --amount 12.5
  darkswap asset send bc1p... --asset alkane:2:0 --units 1000 --yes";

const ETCH_HELP: &str = "\
An etching takes two transactions. The first commits to the name; when it is 5 blocks deep, after about an hour, the node sends the second one,
which reveals it, also after a restart. If somebody else gets the name first, the bitcoin of the commitment comes back. Amounts are in decimals,
as --divisibility says. Without --mint-amount and --mint-cap nobody can mint.

Examples:
  darkswap asset etch MY.NEW.RUNE.NAME --divisibility 2 --symbol M --premine 21000.5
  darkswap asset etch MY.NEW.RUNE.NAME --mint-amount 100 --mint-cap 5000 --mint-for 1008";

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
    /// Which asset: a rune's name or id, or the id of an alkane such as `alkane:2:0`
    #[arg(long, value_name = "ASSET")]
    pub(crate) asset: AssetName,
    #[command(flatten)]
    pub(crate) quantity: RequiredQuantity,
    /// The smallest part that may be taken, as an amount or in units like the whole [default: all of it]
    #[arg(long, value_name = "N")]
    pub(crate) minimum: Option<String>,
    /// The price of everything, for example `0.001btc`, or of some, for example `150sat/10`
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
    pub(crate) asset: Option<AssetName>,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Args)]
pub(crate) struct Take {
    /// Which order: its id, or the first digits of it
    pub(crate) order: String,
    #[command(flatten)]
    pub(crate) quantity: OptionalQuantity,
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
    /// Which asset: a rune's name or id, or the id of an alkane such as `alkane:2:0`
    #[arg(long, value_name = "ASSET")]
    pub(crate) asset: AssetName,
    #[command(flatten)]
    pub(crate) quantity: RequiredQuantity,
    #[command(flatten)]
    pub(crate) spending: Spending,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Args)]
pub(crate) struct Described {
    /// Which asset: a rune's name or id, or the id of an alkane such as `alkane:2:0`
    pub(crate) asset: AssetName,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Args)]
pub(crate) struct Mint {
    /// Which rune: its name or its id
    pub(crate) rune: AssetName,
    #[command(flatten)]
    pub(crate) spending: Spending,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Args)]
pub(crate) struct Etch {
    /// The name: letters from A to Z, with `•` or `.` between its parts
    pub(crate) name: String,
    /// Digits after the decimal point, at most 38
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) divisibility: u8,
    /// The currency symbol, one character
    #[arg(long, value_name = "CHARACTER")]
    pub(crate) symbol: Option<char>,
    /// How much this wallet gets
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) premine: Option<String>,
    /// How much each mint gives
    #[arg(long, value_name = "AMOUNT", requires = "mint_cap")]
    pub(crate) mint_amount: Option<String>,
    /// How many mints there are
    #[arg(long, value_name = "N", requires = "mint_amount")]
    pub(crate) mint_cap: Option<u128>,
    /// The first height of mints
    #[arg(long, value_name = "HEIGHT", requires = "mint_amount")]
    pub(crate) mint_from: Option<u64>,
    /// The first height without mints
    #[arg(long, value_name = "HEIGHT", requires = "mint_amount")]
    pub(crate) mint_until: Option<u64>,
    /// Blocks from the etching to the first mint
    #[arg(long, value_name = "BLOCKS", requires = "mint_amount")]
    pub(crate) mint_after: Option<u64>,
    /// Blocks from the etching to the end of mints
    #[arg(long, value_name = "BLOCKS", requires = "mint_amount")]
    pub(crate) mint_for: Option<u64>,
    /// Opt in to future changes of the protocol
    #[arg(long)]
    pub(crate) turbo: bool,
    #[command(flatten)]
    pub(crate) spending: Spending,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Args)]
pub(crate) struct CancelEtching {
    /// The name of the rune
    pub(crate) name: String,
    /// Do not ask before it is done
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) shown: Shown,
}
