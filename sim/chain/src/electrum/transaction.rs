//! `blockchain.transaction.*`.

use std::time::Duration;

use bitcoin::consensus::encode::{deserialize, serialize_hex};
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::hex::FromHex;
use bitcoin::{Transaction, Txid};
use serde::Deserialize;
use serde_json::{Value, json};

use super::view::View;
use super::{Failure, Server};
use crate::full_node::FullNode;
use crate::json_rpc::{CallError, params};
use crate::merkle;
use crate::rpc::{NO_TRANSACTION, broadcast_error, transaction_json};

#[derive(Deserialize)]
#[serde(untagged)]
enum GetParams {
    Plain((Txid,)),
    Verbose(Txid, bool),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum PositionParams {
    Plain(u32, usize),
    Merkle(u32, usize, bool),
}

/// Answers a method by its name after the common prefix.
pub(super) fn call(
    server: &mut Server,
    node: &mut FullNode,
    now: Duration,
    method: &str,
    value: Value,
) -> Result<Value, Failure> {
    match method {
        "broadcast" => broadcast(server, node, now, value),
        "get" => {
            let (txid, verbose) = match params(value)? {
                GetParams::Plain((txid,)) => (txid, false),
                GetParams::Verbose(txid, verbose) => (txid, verbose),
            };
            let mut view = server.view(node);
            let (transaction, height) = view.transaction(&txid).ok_or(Failure::Daemon(NO_TRANSACTION.into()))?;
            Ok(if verbose {
                transaction_json(view.chain(), view.height(), transaction, height)
            } else {
                json!(serialize_hex(transaction))
            })
        }
        "get_merkle" => {
            let (txid, height) = params(value)?;
            merkle_proof(&mut server.view(node), txid, height)
        }
        "id_from_pos" => {
            let (height, position, with_proof) = match params(value)? {
                PositionParams::Plain(height, position) => (height, position, false),
                PositionParams::Merkle(height, position, with_proof) => (height, position, with_proof),
            };
            id_from_position(&server.view(node), height, position, with_proof)
        }
        _ => Err(CallError::method_not_found().into()),
    }
}

fn broadcast(server: &mut Server, node: &mut FullNode, now: Duration, value: Value) -> Result<Value, Failure> {
    let (hex,): (String,) = params(value)?;
    let bytes = Vec::<u8>::from_hex(&hex).map_err(|_| Failure::BadRequest("non-hex transaction".into()))?;
    let transaction: Transaction =
        deserialize(&bytes).map_err(|_| Failure::BadRequest("invalid transaction".into()))?;
    if server.faults.swallow {
        server.faults.touched.swallowed += 1;
        return Ok(json!(transaction.compute_txid().to_string()));
    }
    let txid =
        node.broadcast(now, transaction).map_err(|refusal| Failure::Daemon(broadcast_error(&refusal).message))?;
    Ok(json!(txid.to_string()))
}

fn merkle_proof(view: &mut View<'_>, txid: Txid, height: u32) -> Result<Value, Failure> {
    let Some(txids) = view.txids(height) else {
        return Err(Failure::BadRequest(format!("missing block at {height}")));
    };
    let forged = view.forges(&txid, height);
    let position = match txids.iter().position(|found| *found == txid) {
        Some(position) => position,
        None if forged => 0,
        None => return Err(Failure::BadRequest(format!("missing txid {txid} in block at {height}"))),
    };
    let mut branch = merkle::branch(&leaves(txids), position).expect("the position is in the block");
    if forged {
        // A branch of a plausible length that leads to another root.
        branch.push(sha256d::Hash::hash(txid.as_byte_array()));
    }
    Ok(json!({"block_height": height, "pos": position, "merkle": hex(&branch)}))
}

fn id_from_position(view: &View<'_>, height: u32, position: usize, with_proof: bool) -> Result<Value, Failure> {
    let Some(txids) = view.txids(height) else {
        return Err(Failure::BadRequest(format!("missing block at {height}")));
    };
    let Some(branch) = merkle::branch(&leaves(txids), position) else {
        return Err(Failure::BadRequest(format!("invalid tx_pos {position} in block at height {height}")));
    };
    let txid = txids[position].to_string();
    Ok(if with_proof { json!({"tx_hash": txid, "merkle": hex(&branch)}) } else { json!(txid) })
}

fn leaves(txids: &[Txid]) -> Vec<sha256d::Hash> {
    txids.iter().map(|txid| txid.to_raw_hash()).collect()
}

fn hex(branch: &[sha256d::Hash]) -> Vec<String> {
    branch.iter().map(ToString::to_string).collect()
}
