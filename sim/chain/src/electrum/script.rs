//! `blockchain.scripthash.*`.

use serde_json::{Value, json};

use super::session::{MAX_SUBSCRIPTIONS, Session};
use super::view::{Place, Seen};
use super::{Failure, Server, status_json};
use crate::full_node::FullNode;
use crate::json_rpc::{CallError, params};
use crate::script_hash::ScriptHash;

/// Answers a method by its name after the common prefix.
pub(super) fn call(
    server: &mut Server,
    session: &mut Session,
    node: &FullNode,
    method: &str,
    value: Value,
) -> Result<Value, Failure> {
    let known = ["get_balance", "get_history", "get_mempool", "listunspent", "subscribe", "unsubscribe"];
    if !known.contains(&method) {
        return Err(CallError::method_not_found().into());
    }
    let (script,): (String,) = params(value)?;
    let script: ScriptHash = script.parse().map_err(|_| CallError::invalid_params())?;
    match method {
        "get_balance" => {
            let (confirmed, unconfirmed) = server.view(node).balance(&script);
            Ok(json!({"confirmed": confirmed, "unconfirmed": unconfirmed}))
        }
        "get_history" => Ok(json!(server.view(node).history(&script).iter().map(entry).collect::<Vec<_>>())),
        "get_mempool" => {
            let history = server.view(node).history(&script);
            let waiting = history.iter().filter(|seen| !matches!(seen.place, Place::Confirmed(_)));
            Ok(json!(waiting.map(entry).collect::<Vec<_>>()))
        }
        "listunspent" => {
            let unspent = server.view(node).unspent(&script);
            Ok(json!(
                unspent
                    .iter()
                    .map(|unspent| json!({
                        "height": unspent.height,
                        "tx_hash": unspent.outpoint.txid.to_string(),
                        "tx_pos": unspent.outpoint.vout,
                        "value": unspent.value.to_sat(),
                    }))
                    .collect::<Vec<_>>()
            ))
        }
        "subscribe" => {
            let status = server.view(node).status(&script);
            if !session.subscribe(script, status) {
                let message = format!("too many subscriptions: a session can have {MAX_SUBSCRIPTIONS}");
                return Err(Failure::BadRequest(message));
            }
            Ok(status_json(status))
        }
        _ => Ok(json!(session.unsubscribe(&script))),
    }
}

fn entry(seen: &Seen<'_>) -> Value {
    let mut entry = json!({"tx_hash": seen.txid.to_string(), "height": seen.place.height()});
    if !matches!(seen.place, Place::Confirmed(_)) {
        entry["fee"] = json!(seen.fee.to_sat());
    }
    entry
}
