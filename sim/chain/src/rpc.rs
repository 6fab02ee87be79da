//! A part of the JSON-RPC of `bitcoind`: what an index of blocks needs. Bodies in, bodies out; HTTP is somebody else's.

mod block;

use std::time::Duration;

use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::{Transaction, Txid};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::chain::Chain;
use crate::fault::Faults;
use crate::full_node::FullNode;
use crate::json_rpc::{Call, CallError, Calls, params, parse};
use crate::refusal::Refusal;

/// The longest request in bytes: a transaction as heavy as a block, in hexadecimal.
pub const MAX_BODY: usize = 9 * 1024 * 1024;
/// Calls in one batch.
const MAX_BATCH: usize = 1_000;
/// The size of an answer in bytes, beyond which calls of a batch get errors: four full blocks in hexadecimal.
const MAX_RESPONSE: usize = 32 * 1024 * 1024;
/// The hashes that a block takes on average at this target.
const WORK_PER_BLOCK: u64 = 2;
/// What `bitcoind` with an index of transactions says.
pub(crate) const NO_TRANSACTION: &str =
    "No such mempool or blockchain transaction. Use gettransaction for wallet transactions.";

/// Error codes of `bitcoind` (`rpc/protocol.h`).
mod code {
    pub(super) const MISC: i64 = -1;
    pub(super) const INVALID_ADDRESS_OR_KEY: i64 = -5;
    pub(super) const INVALID_PARAMETER: i64 = -8;
    pub(super) const DESERIALIZATION: i64 = -22;
    pub(super) const VERIFY: i64 = -25;
    pub(super) const VERIFY_REJECTED: i64 = -26;
    pub(super) const VERIFY_ALREADY_IN_UTXO_SET: i64 = -27;
}

/// The JSON-RPC of a [`FullNode`]. Of its faults it knows lag and being down.
#[derive(Debug, Clone, Default)]
pub struct Rpc {
    faults: Faults,
}

/// Verbosity is a number, or a truth value in old clients.
#[derive(Deserialize)]
#[serde(untagged)]
enum Verbosity {
    Number(u8),
    Truth(bool),
}

impl Verbosity {
    fn level(self) -> u8 {
        match self {
            Self::Number(level) => level,
            Self::Truth(verbose) => u8::from(verbose),
        }
    }
}

impl Rpc {
    /// How it misbehaves.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Makes it misbehave.
    pub fn faults_mut(&mut self) -> &mut Faults {
        &mut self.faults
    }

    /// Answers a body; `None` if the node is down.
    pub fn answer(&mut self, node: &mut FullNode, now: Duration, body: &[u8]) -> Option<String> {
        if self.faults.down {
            self.faults.touched.dropped += 1;
            return None;
        }
        let calls = match body.len() > MAX_BODY {
            true => Err(CallError::invalid_request()),
            false => parse(body).map_err(|error| match error.code {
                -32700 => CallError::new(-32700, "Parse error"),
                _ => error,
            }),
        };
        Some(match calls {
            Ok(Calls::Single(call)) => self.respond(node, now, call).to_string(),
            Ok(Calls::Batch(calls)) if calls.len() <= MAX_BATCH => {
                let mut answers: Vec<String> = Vec::new();
                let mut size = 0;
                for call in calls {
                    let answer = match size < MAX_RESPONSE {
                        true => self.respond(node, now, call),
                        false => {
                            response(call.id, call.version_two, Err(CallError::new(code::MISC, "response too large")))
                        }
                    };
                    answers.push(answer.to_string());
                    size += answers.last().map_or(0, String::len);
                }
                format!("[{}]", answers.join(","))
            }
            Ok(Calls::Batch(_)) => response(Value::Null, false, Err(CallError::invalid_request())).to_string(),
            Err(error) => response(Value::Null, false, Err(error)).to_string(),
        })
    }

    fn respond(&mut self, node: &mut FullNode, now: Duration, call: Call) -> Value {
        let result = self.call(node, now, &call.method, call.params);
        response(call.id, call.version_two, result)
    }

    fn call(&mut self, node: &mut FullNode, now: Duration, method: &str, value: Value) -> Result<Value, CallError> {
        let value = if value.is_null() { json!([]) } else { value };
        if method == "sendrawtransaction" {
            return send(node, now, &value);
        }
        let chain = node.chain();
        let height = chain.height().saturating_sub(self.faults.lag);
        if height < chain.height() {
            self.faults.touched.lagging += 1;
        }
        match method {
            "getbestblockhash" => Ok(json!(chain.block_hash(height).expect("the tip exists").to_string())),
            "getblock" => block::block(chain, height, value),
            "getblockchaininfo" => Ok(chain_json(chain, height)),
            "getblockcount" => Ok(json!(height)),
            "getblockhash" => {
                let (wanted,): (i64,) = params(value).map_err(type_error)?;
                let wanted = u32::try_from(wanted).ok().filter(|wanted| *wanted <= height);
                let hash = wanted.and_then(|wanted| chain.block_hash(wanted));
                hash.map(|hash| json!(hash.to_string()))
                    .ok_or_else(|| CallError::new(code::INVALID_PARAMETER, "Block height out of range"))
            }
            "getblockheader" => block::header(chain, height, value),
            "getrawmempool" => Ok(json!(node.mempool().iter().map(|entry| entry.txid.to_string()).collect::<Vec<_>>())),
            "getrawtransaction" => raw_transaction(node, height, value),
            _ => Err(CallError::new(-32601, "Method not found")),
        }
    }
}

/// What `bitcoind` answers to a refused transaction.
pub(crate) fn broadcast_error(refusal: &Refusal) -> CallError {
    match refusal {
        Refusal::MissingInput(_) => CallError::new(code::VERIFY, refusal.reason()),
        Refusal::MaxFeeExceeded => {
            CallError::new(code::VERIFY, "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)")
        }
        Refusal::AlreadyConfirmed => {
            CallError::new(code::VERIFY_ALREADY_IN_UTXO_SET, "Transaction outputs already in utxo set")
        }
        _ => CallError::new(code::VERIFY_REJECTED, refusal.to_string()),
    }
}

/// A transaction in JSON, without its decoded parts.
pub(crate) fn transaction_json(chain: &Chain, tip: u32, transaction: &Transaction, height: Option<u32>) -> Value {
    let mut answer = json!({
        "txid": transaction.compute_txid().to_string(),
        "hash": transaction.compute_wtxid().to_string(),
        "version": transaction.version.0,
        "size": transaction.total_size(),
        "vsize": transaction.vsize(),
        "weight": transaction.weight().to_wu(),
        "locktime": transaction.lock_time.to_consensus_u32(),
        "hex": serialize_hex(transaction),
    });
    if let Some((height, header)) = height.and_then(|height| Some((height, chain.header(height)?))) {
        answer["blockhash"] = json!(header.block_hash().to_string());
        answer["confirmations"] = json!(tip - height + 1);
        answer["time"] = json!(header.time);
        answer["blocktime"] = json!(header.time);
    }
    answer
}

fn response(id: Value, version_two: bool, result: Result<Value, CallError>) -> Value {
    match (version_two, result) {
        (true, Ok(result)) => json!({"jsonrpc": "2.0", "result": result, "id": id}),
        (true, Err(error)) => json!({"jsonrpc": "2.0", "error": error.to_value(), "id": id}),
        (false, Ok(result)) => json!({"result": result, "error": null, "id": id}),
        (false, Err(error)) => json!({"result": null, "error": error.to_value(), "id": id}),
    }
}

fn type_error(_: CallError) -> CallError {
    CallError::new(code::MISC, "wrong number or type of parameters: see the help of this method")
}

/// Splits positional parameters into the first, a string, and an optional verbosity.
fn string_and_verbosity(value: Value, default: u8) -> Result<(String, u8), CallError> {
    let Value::Array(items) = value else { return Err(type_error(CallError::invalid_params())) };
    let mut items = items.into_iter();
    let Some(Value::String(first)) = items.next() else { return Err(type_error(CallError::invalid_params())) };
    let level = match items.next().filter(|item| !item.is_null()) {
        Some(item) => params::<Verbosity>(item).map_err(type_error)?.level(),
        None => default,
    };
    Ok((first, level))
}

fn parse_hash<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, CallError> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(64).collect();
        let message = format!("{name} must be of length 64 and hexadecimal (not '{shown}')");
        CallError::new(code::INVALID_PARAMETER, message)
    })
}

fn chain_json(chain: &Chain, height: u32) -> Value {
    let header = chain.header(height).expect("the tip exists");
    json!({
        "chain": "regtest",
        "blocks": height,
        "headers": height,
        "bestblockhash": header.block_hash().to_string(),
        "bits": format!("{:08x}", header.bits.to_consensus()),
        "difficulty": header.difficulty_float(),
        "time": header.time,
        "mediantime": chain.median_time_past(height),
        "chainwork": format!("{:064x}", (u64::from(height) + 1) * WORK_PER_BLOCK),
        "verificationprogress": 1.0,
        "initialblockdownload": false,
        "pruned": false,
        "warnings": [],
    })
}

fn raw_transaction(node: &FullNode, tip: u32, value: Value) -> Result<Value, CallError> {
    let (txid, verbosity) = string_and_verbosity(value, 0)?;
    let txid: Txid = parse_hash("parameter 1", &txid)?;
    let chain = node.chain();
    let confirmed = chain.transaction(&txid).map(|found| (found.transaction, Some(found.height)));
    let waiting = || node.mempool().entry(&txid).map(|entry| (entry.transaction.as_ref(), None));
    let Some((transaction, height)) = confirmed.or_else(waiting) else {
        return Err(CallError::new(code::INVALID_ADDRESS_OR_KEY, NO_TRANSACTION));
    };
    let height = height.filter(|height| *height <= tip);
    Ok(if verbosity == 0 {
        json!(serialize_hex(transaction))
    } else {
        transaction_json(chain, tip, transaction, height)
    })
}

fn send(node: &mut FullNode, now: Duration, value: &Value) -> Result<Value, CallError> {
    let hex = value.get(0).and_then(Value::as_str).ok_or_else(|| type_error(CallError::invalid_params()))?;
    let transaction: Transaction = deserialize_hex(hex).map_err(|_| {
        CallError::new(code::DESERIALIZATION, "TX decode failed. Make sure the tx has at least one input.")
    })?;
    let txid = node.broadcast(now, transaction).map_err(|refusal| broadcast_error(&refusal))?;
    Ok(json!(txid.to_string()))
}
