//! Blocks and headers as `bitcoind` tells them.

use std::sync::Arc;

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hex::DisplayHex as _;
use bitcoin::{Amount, Block, BlockHash, Script, TxIn, TxOut};
use serde_json::{Value, json};

use super::{code, parse_hash, string_and_verbosity, transaction_json};
use crate::chain::Chain;
use crate::coin::Coin;
use crate::json_rpc::CallError;

/// Answers `getblock`.
pub(super) fn block(chain: &Chain, tip: u32, value: Value) -> Result<Value, CallError> {
    let (hash, verbosity) = string_and_verbosity(value, 1)?;
    let (height, block) = find_block(chain, &parse_hash("blockhash", &hash)?, tip)?;
    if verbosity == 0 {
        return Ok(json!(serialize_hex(block.as_ref())));
    }
    let mut answer = header_json(chain, tip, &block, height);
    answer["nTx"] = json!(block.txdata.len());
    answer["size"] = json!(block.total_size());
    answer["weight"] = json!(block.weight().to_wu());
    answer["tx"] = match verbosity {
        1 => block.txdata.iter().map(|transaction| json!(transaction.compute_txid().to_string())).collect(),
        // As in bitcoind, whatever is above the highest level is the highest level.
        level => transactions(chain, tip, &block, level >= 3).into(),
    };
    Ok(answer)
}

/// Answers `getblockheader`.
pub(super) fn header(chain: &Chain, tip: u32, value: Value) -> Result<Value, CallError> {
    let (hash, verbosity) = string_and_verbosity(value, 1)?;
    let (height, block) = find_block(chain, &parse_hash("hash", &hash)?, tip)?;
    Ok(if verbosity == 0 { json!(serialize_hex(&block.header)) } else { header_json(chain, tip, &block, height) })
}

fn find_block(chain: &Chain, hash: &BlockHash, tip: u32) -> Result<(Option<u32>, Arc<Block>), CallError> {
    let not_found = || CallError::new(code::INVALID_ADDRESS_OR_KEY, "Block not found");
    let height = chain.height_of(hash);
    if height.is_some_and(|height| height > tip) {
        return Err(not_found());
    }
    Ok((height, chain.block_by_hash(hash).cloned().ok_or_else(not_found)?))
}

fn header_json(chain: &Chain, tip: u32, block: &Block, height: Option<u32>) -> Value {
    let header = &block.header;
    let mut answer = json!({
        "hash": header.block_hash().to_string(),
        "confirmations": height.map_or(-1, |height| i64::from(tip - height) + 1),
        "version": header.version.to_consensus(),
        "merkleroot": header.merkle_root.to_string(),
        "time": header.time,
        "nonce": header.nonce,
        "bits": format!("{:08x}", header.bits.to_consensus()),
    });
    if height != Some(0) {
        answer["previousblockhash"] = json!(header.prev_blockhash.to_string());
    }
    if let Some(height) = height {
        answer["height"] = json!(height);
        answer["mediantime"] = json!(chain.median_time_past(height));
        if let Some(next) = chain.block_hash(height + 1).filter(|_| height < tip) {
            answer["nextblockhash"] = json!(next.to_string());
        }
    }
    answer
}

/// The transactions of a block with inputs and outputs, from verbosity 3 on with what each input spends. Scripts are told in hexadecimal
/// only.
fn transactions(chain: &Chain, tip: u32, block: &Block, with_spent: bool) -> Vec<Value> {
    let spent = chain.spent(&block.block_hash()).unwrap_or_default();
    let spent = std::iter::once(&[] as &[Coin]).chain(spent.iter().map(Vec::as_slice));
    let both = block.txdata.iter().zip(spent);
    both.map(|(transaction, spent)| {
        let mut answer = transaction_json(chain, tip, transaction, None);
        let mut vin: Vec<Value> = transaction.input.iter().map(input).collect();
        for (input, coin) in vin.iter_mut().zip(spent).filter(|_| with_spent) {
            input["prevout"] = json!({
                "generated": coin.coinbase,
                "height": coin.height,
                "value": coin.output.value.to_btc(),
                "scriptPubKey": script(&coin.output.script_pubkey),
            });
        }
        answer["vin"] = vin.into();
        answer["vout"] = (0..).zip(&transaction.output).map(|(n, output)| self::output(n, output)).collect();
        if !transaction.is_coinbase() {
            let created: Amount = transaction.output.iter().map(|output| output.value).sum();
            let given: Amount = spent.iter().map(|coin| coin.output.value).sum();
            answer["fee"] = json!(given.checked_sub(created).unwrap_or(Amount::ZERO).to_btc());
        }
        answer
    })
    .collect()
}

fn input(input: &TxIn) -> Value {
    let mut answer = json!({"sequence": input.sequence.to_consensus_u32()});
    if input.previous_output.is_null() {
        answer["coinbase"] = json!(input.script_sig.to_hex_string());
    } else {
        answer["txid"] = json!(input.previous_output.txid.to_string());
        answer["vout"] = json!(input.previous_output.vout);
        answer["scriptSig"] = script(&input.script_sig);
    }
    if !input.witness.is_empty() {
        answer["txinwitness"] = input.witness.iter().map(|item| json!(item.to_lower_hex_string())).collect();
    }
    answer
}

fn output(n: u32, output: &TxOut) -> Value {
    json!({"n": n, "value": output.value.to_btc(), "scriptPubKey": script(&output.script_pubkey)})
}

fn script(script: &Script) -> Value {
    json!({"hex": script.to_hex_string()})
}
