//! `blockchain.block.*` and the tip.

use bitcoin::BlockHash;
use bitcoin::consensus::encode::serialize_hex;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Failure;
use super::view::View;
use crate::json_rpc::params;
use crate::merkle;

/// Headers in one answer: a period of difficulty adjustment, as every server has it.
const MAX_HEADERS: u32 = 2_016;

#[derive(Deserialize)]
#[serde(untagged)]
enum HeaderParams {
    Plain((u32,)),
    Checkpoint(u32, u32),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum HeadersParams {
    Plain(u32, u32),
    Checkpoint(u32, u32, u32),
}

/// The tip and how it is told.
pub(super) fn tip(view: &View<'_>) -> (BlockHash, Value) {
    let height = view.height();
    let hash = view.chain().block_hash(height).expect("the view is not above the tip");
    let header = view.chain().header(height).expect("the view is not above the tip");
    (hash, json!({"hex": serialize_hex(header), "height": height}))
}

pub(super) fn header(view: &View<'_>, value: Value) -> Result<Value, Failure> {
    let (height, checkpoint) = match params(value)? {
        HeaderParams::Plain((height,)) => (height, 0),
        HeaderParams::Checkpoint(height, checkpoint) => (height, checkpoint),
    };
    let header = header_hex(view, height)?;
    if checkpoint == 0 {
        return Ok(json!(header));
    }
    let (branch, root) = proof(view, height, checkpoint)?;
    Ok(json!({"branch": branch, "header": header, "root": root}))
}

pub(super) fn headers(view: &View<'_>, value: Value) -> Result<Value, Failure> {
    let (start, count, checkpoint) = match params(value)? {
        HeadersParams::Plain(start, count) => (start, count, 0),
        HeadersParams::Checkpoint(start, count, checkpoint) => (start, count, checkpoint),
    };
    let available = (view.height() + 1).saturating_sub(start);
    let count = count.min(MAX_HEADERS).min(available);
    let mut hex = String::new();
    for height in (start..).take(count as usize) {
        hex.push_str(&header_hex(view, height)?);
    }
    let mut answer = json!({"count": count, "hex": hex, "max": MAX_HEADERS});
    if checkpoint > 0 && count > 0 {
        let (branch, root) = proof(view, start + count - 1, checkpoint)?;
        answer["branch"] = json!(branch);
        answer["root"] = json!(root);
    }
    Ok(answer)
}

fn header_hex(view: &View<'_>, height: u32) -> Result<String, Failure> {
    let header = view.chain().header(height).filter(|_| height <= view.height());
    header.map(serialize_hex).ok_or_else(|| Failure::BadRequest(format!("no header at {height}")))
}

/// The branch and root that prove a header among all up to a checkpoint.
fn proof(view: &View<'_>, height: u32, checkpoint: u32) -> Result<(Vec<String>, String), Failure> {
    if checkpoint < height || checkpoint > view.height() {
        let tip = view.height();
        return Err(Failure::BadRequest(format!("cp_height {checkpoint} must be from {height} to {tip}")));
    }
    let hashes = (0..=checkpoint).filter_map(|height| view.chain().block_hash(height));
    let leaves: Vec<_> = hashes.map(|hash| hash.to_raw_hash()).collect();
    let position = height as usize;
    let branch = merkle::branch(&leaves, position).expect("the height is below the checkpoint");
    let root = merkle::root_from_branch(leaves[position], position, &branch);
    Ok((branch.iter().map(ToString::to_string).collect(), root.to_string()))
}
