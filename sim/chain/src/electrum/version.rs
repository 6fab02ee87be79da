//! `server.version` and `server.features`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Failure, ServerConfig};
use crate::full_node::FullNode;
use crate::json_rpc::params;

/// The version of the Electrum protocol.
pub const PROTOCOL_VERSION: &str = "1.4";

/// What a client speaks.
#[derive(Deserialize)]
#[serde(untagged)]
enum Offer {
    Single(String),
    Range(String, String),
}

/// Accepts a client that speaks [`PROTOCOL_VERSION`].
pub(super) fn negotiate(config: &ServerConfig, value: Value) -> Result<Value, Failure> {
    let (client, lowest, highest) = match params(value)? {
        (client, Offer::Single(version)) => (client, version.clone(), version),
        (client, Offer::Range(lowest, highest)) => (client, lowest, highest),
    };
    let client: String = client;
    let ours = parts(PROTOCOL_VERSION);
    if ours.is_some() && parts(&lowest) <= ours && ours <= parts(&highest) && parts(&lowest).is_some() {
        return Ok(json!([config.software, PROTOCOL_VERSION]));
    }
    let shown: String = client.chars().take(64).collect();
    Err(Failure::BadRequest(format!("{shown} requested another version, server supports {PROTOCOL_VERSION}")))
}

/// The numbers of a dotted version, without zeros at the end: "1.4.0" is "1.4".
fn parts(version: &str) -> Option<Vec<u32>> {
    let mut parts = version.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<u32>>>()?;
    while parts.last() == Some(&0) {
        parts.pop();
    }
    Some(parts)
}

pub(super) fn features(config: &ServerConfig, node: &FullNode) -> Value {
    let genesis = node.chain().block_hash(0).expect("the genesis block stays");
    json!({
        "genesis_hash": genesis.to_string(),
        "hosts": {},
        "protocol_max": PROTOCOL_VERSION,
        "protocol_min": PROTOCOL_VERSION,
        "pruning": null,
        "server_version": config.software,
        "hash_function": "sha256",
    })
}
