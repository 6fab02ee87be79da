//! What an operator asks, and what it gets. These are also the words of the node's control endpoint, so they have a JSON form:
//! assets are text (`rune 840000:3`), units of assets are text as well, amounts of bitcoin are numbers of satoshis.
//!
//! | part | noun |
//! |---|---|
//! | `report` | what an operator is told of assets, coins, orders and swaps |
//! | `rune` | runes: what is known of one, and new ones |
//! | `asset_name` | how an asset is named by people |
//! | `text` | values as text in JSON |

mod asset_name;
mod report;
mod rune;
mod text;

use bitcoin::{Amount, FeeRate, Txid};
use darkswap_trade::asset::Asset;
use darkswap_trade::order::{OrderId, Price, Side, TraderKey};
use darkswap_trade::swap::{Phase, Role, SwapId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Time;

pub use asset_name::{AssetName, NoAssetName};
pub use report::{
    AssetReport, BalanceReport, CoinReport, Label, OrderReport, PileReport, StatusReport, SwapReport, TransactionReport,
};
pub use rune::{AssetDescription, EtchingPhase, EtchingReport, MintTerms, NewRune, RuneReport};

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
        #[serde(with = "text::shown")]
        asset: Asset,
        /// Units.
        #[serde(with = "text::units")]
        units: u128,
        /// At which fee rate; the server's estimate when none is given.
        fee_rate: Option<FeeRate>,
    },
    /// Everything about an asset: what the index knows of it, and what the wallet has.
    Asset {
        /// Which.
        asset: AssetName,
    },
    /// Mint a rune once.
    Mint {
        /// Which.
        rune: AssetName,
        /// At which fee rate; the server's estimate when none is given.
        fee_rate: Option<FeeRate>,
    },
    /// Etch a rune: commit to its name now, reveal it when the commitment is deep enough.
    Etch {
        /// What.
        rune: NewRune,
        /// At which fee rate; the server's estimate when none is given. What reveals pays the estimate of its time where that is more.
        fee_rate: Option<FeeRate>,
    },
    /// Etchings under way and ended.
    Etchings,
    /// Stop an etching, and have the bitcoin of its commitment back.
    CancelEtching {
        /// The name of the rune.
        name: String,
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
        #[serde(with = "text::shown")]
        asset: Asset,
        /// Units.
        #[serde(with = "text::units")]
        units: u128,
        /// The smallest fill; all of them when none is given.
        #[serde(default, with = "text::maybe_units")]
        minimum: Option<u128>,
        /// At which price.
        #[serde(with = "text::price")]
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
        #[serde(default, with = "text::maybe_shown")]
        asset: Option<Asset>,
    },
    /// What we offer.
    Orders,
    /// Take an order.
    Take {
        /// Which.
        order: OrderId,
        /// How many units; all of them when none is given.
        #[serde(default, with = "text::maybe_units")]
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
    /// To `asset`.
    Asset(Box<AssetDescription>),
    /// To `etch`: the commitment was broadcast, and the rest follows by itself.
    Etching(EtchingReport),
    /// To `etchings`.
    Etchings(Vec<EtchingReport>),
    /// To `pay`, `transfer`, `mint` and `bump`: the transaction that was broadcast.
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

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandError {
    /// What was asked makes no sense as it is.
    #[error("{0}")]
    Invalid(String),
    /// There is no such order, swap or rune.
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
    /// An etching is somewhere else now.
    EtchingMoved(EtchingReport),
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

#[cfg(test)]
mod tests {
    use darkswap_trade::asset::AlkaneId;
    use ordinals::RuneId;
    use serde_json::json;

    use super::*;

    fn place(units: u128) -> Command {
        Command::Place {
            side: Side::Sell,
            asset: Asset::Rune(RuneId { block: 840_000, tx: 3 }),
            units,
            minimum: Some(1),
            price: Price { sats: 150, units },
            lifetime_seconds: 60,
            presigned: false,
        }
    }

    #[test]
    fn commands_name_assets_and_units_as_text() {
        let json = serde_json::to_value(place(u128::MAX)).unwrap();
        let expected = json!({"place": {
            "side": "Sell", "asset": "rune 840000:3", "units": u128::MAX.to_string(), "minimum": "1",
            "price": {"sats": 150, "units": u128::MAX.to_string()}, "lifetime_seconds": 60, "presigned": false,
        }});
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_value::<Command>(json).unwrap(), place(u128::MAX));
    }

    #[test]
    fn what_may_be_missing_may_be_left_out_and_small_units_may_be_numbers() {
        let take = r#"{"take": {"order": "ORDER", "fee_rate": null}}"#.replace("ORDER", &"ab".repeat(32));
        assert!(matches!(serde_json::from_str(&take).unwrap(), Command::Take { units: None, .. }));
        let book: Command = serde_json::from_value(json!({"book": {"asset": "alkane:2:7"}})).unwrap();
        assert_eq!(book, Command::Book { asset: Some(Asset::Alkane(AlkaneId { block: 2, tx: 7 })) });
        let transfer = json!({"transfer": {"address": "x", "asset": "1:1", "units": 7, "fee_rate": null}});
        assert!(matches!(serde_json::from_value(transfer).unwrap(), Command::Transfer { units: 7, .. }));
        for wrong in [
            json!("-1"),
            json!("1.5"),
            json!(-1),
            json!(1.5),
            json!(""),
            json!("340282366920938463463374607431768211456"),
        ] {
            let transfer = json!({"transfer": {"address": "x", "asset": "1:1", "units": wrong, "fee_rate": null}});
            assert!(serde_json::from_value::<Command>(transfer).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_rune_to_etch_reads_back() {
        let terms = MintTerms { amount: u128::MAX, cap: 3, until_offset: Some(9), ..MintTerms::default() };
        let rune = NewRune {
            name: "UNCOMMON•GOODS".to_owned(),
            divisibility: 38,
            symbol: Some('\u{29c9}'),
            premine: 1,
            terms: Some(terms),
            turbo: true,
        };
        let command = Command::Etch { rune, fee_rate: None };
        let text = serde_json::to_string(&command).unwrap();
        assert!(text.contains(&format!("\"{}\"", u128::MAX)), "{text}");
        assert_eq!(serde_json::from_str::<Command>(&text).unwrap(), command);
    }
}
