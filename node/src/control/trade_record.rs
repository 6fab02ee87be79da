//! What happens in trading as JSON.

use darkswap_trader::command::{BalanceReport, EtchingReport, TradeEvent};
use serde_json::{Map, Value, json};

use super::record::object;

/// As every event: its name, then its fields. Ids are hex, bitcoin is satoshis, times are numbers of seconds. Units of assets are text:
/// they have up to 128 bits, more than a number in JSON is sure to keep.
pub(super) fn trade_record(event: &TradeEvent) -> Map<String, Value> {
    let record = match event {
        TradeEvent::OrderAdded { order, maker, age_milliseconds } => json!({
            "event": "order_added", "order": order, "maker": maker, "age_seconds": seconds(*age_milliseconds),
        }),
        TradeEvent::OrderRemoved { order, reason } => {
            json!({"event": "order_removed", "order": order, "reason": reason})
        }
        TradeEvent::StatementRefused { from, reason, misbehaviour } => json!({
            "event": "statement_refused", "trader": from, "reason": reason, "misbehaviour": misbehaviour,
        }),
        TradeEvent::Reconciled { peer, lacked, surplus, rounds, bytes } => json!({
            "event": "reconciled", "trader": peer, "lacked": lacked, "surplus": surplus, "rounds": rounds, "bytes": bytes,
        }),
        TradeEvent::SwapMoved { swap, peer, role, from, to, txid, reason, elapsed_milliseconds } => json!({
            "event": "swap_moved", "swap": swap, "trader": peer, "role": name(role), "from": name(from), "to": name(to),
            "txid": txid, "reason": reason, "elapsed_seconds": seconds(*elapsed_milliseconds),
        }),
        TradeEvent::SwapMisbehaviour { peer, reason } => {
            json!({"event": "swap_misbehaviour", "trader": peer, "reason": reason})
        }
        TradeEvent::Failed { reason } => json!({"event": "trading_failed", "reason": reason}),
        TradeEvent::Chain { down } => json!({"event": "chain", "up": down.is_none(), "reason": down}),
        TradeEvent::EtchingMoved(report) => etching_record(report),
        TradeEvent::Balance(balance) => balance_record(balance),
    };
    object(record)
}

fn etching_record(report: &EtchingReport) -> Value {
    json!({
        "event": "etching_moved", "name": report.name, "phase": report.phase, "commitment": report.commitment,
        "txid": report.txid, "asset": report.asset.map(|asset| asset.to_string()), "reason": report.reason,
    })
}

fn balance_record(balance: &BalanceReport) -> Value {
    let assets: Vec<Value> = balance
        .assets
        .iter()
        .map(|asset| {
            json!({
                "asset": asset.asset.to_string(), "label": asset.label, "units": asset.units.to_string(),
                "pending": asset.pending.to_string(), "reserved": asset.reserved.to_string(),
            })
        })
        .collect();
    json!({
        "event": "balance", "spendable": balance.spendable.to_sat(), "pending": balance.pending.to_sat(),
        "reserved": balance.reserved.to_sat(), "locked": balance.locked.to_sat(), "assets": assets,
    })
}

/// Variants without content, in the words of their type.
fn name(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}").to_lowercase()
}

/// To the millisecond.
fn seconds(milliseconds: u64) -> f64 {
    std::time::Duration::from_millis(milliseconds).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use bitcoin::Amount;
    use darkswap_trade::asset::{AlkaneId, Asset};
    use darkswap_trade::order::TraderKey;
    use darkswap_trade::swap::{Phase, Role, SwapId};
    use darkswap_trader::command::AssetReport;

    use super::*;

    #[test]
    fn a_swap_is_told_with_its_id_and_phases() {
        let record = trade_record(&TradeEvent::SwapMoved {
            swap: SwapId([1; 16]),
            peer: TraderKey([2; 32]),
            role: Role::Taker,
            from: Phase::Accepted,
            to: Phase::Proposed,
            txid: None,
            reason: None,
            elapsed_milliseconds: 1_500,
        });
        let expected = json!({
            "event": "swap_moved", "swap": "01".repeat(16), "trader": "02".repeat(32), "role": "taker", "from": "accepted",
            "to": "proposed", "txid": null, "reason": null, "elapsed_seconds": 1.5,
        });
        assert_eq!(Value::Object(record), expected);
    }

    #[test]
    fn units_keep_all_of_their_digits() {
        let asset = AssetReport {
            asset: Asset::Alkane(AlkaneId { block: 2, tx: 0 }),
            label: None,
            units: u128::MAX,
            pending: 0,
            reserved: 0,
            notice: None,
        };
        let balance = BalanceReport { spendable: Amount::from_sat(7), assets: vec![asset], ..BalanceReport::default() };
        let record = trade_record(&TradeEvent::Balance(balance));
        assert_eq!(record["assets"][0]["units"], json!(u128::MAX.to_string()));
        assert_eq!(record["spendable"], json!(7));
    }
}
