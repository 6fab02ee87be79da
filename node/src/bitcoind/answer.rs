//! Bodies of bitcoind's JSON-RPC to typed answers, checked as far as they prove themselves. Pure, and fuzzed on its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bitcoin::consensus::Decodable;
use bitcoin::consensus::encode::deserialize_hex;
use bitcoin::{Block, BlockHash, Network, OutPoint, ScriptBuf, Transaction, Txid};
use darkswap_trade::rune::PreviousOutput;
use serde::de::{DeserializeOwned, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use thiserror::Error;

/// How much of somebody else's text is passed on in an error, in characters.
const SHOWN: usize = 200;

/// What every answer is.
const ANSWER: &str = "a JSON-RPC answer with a result of the right type";

/// Error codes of bitcoind (`rpc/protocol.h` of Bitcoin Core).
pub(crate) mod code {
    /// Whatever has no code of its own.
    pub(crate) const MISC: i64 = -1;
    /// There is no such block or transaction.
    pub(crate) const INVALID_ADDRESS_OR_KEY: i64 = -5;
    /// A parameter beyond what there is, such as a height above the tip.
    pub(crate) const INVALID_PARAMETER: i64 = -8;
    /// bitcoind reads its files.
    pub(crate) const IN_WARMUP: i64 = -28;
}

/// The newest block of bitcoind's chain, and how far bitcoind is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tip {
    /// Its height.
    pub height: u32,
    /// Its hash.
    pub hash: BlockHash,
    /// Which chain it is of.
    pub chain: Network,
    /// The lowest block that bitcoind still has, when it deletes old ones.
    pub pruned_below: Option<u32>,
    /// Whether it is still downloading the chain, so that the tip is far from the newest block of all.
    pub syncing: bool,
}

/// Why a body is not the answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Fault {
    /// It says why there is none.
    #[error("refused with code {code}: {message}")]
    Refused {
        /// bitcoind's code.
        code: i64,
        /// Its words, shortened.
        message: String,
    },
    /// It cannot be one.
    #[error("found {found}, expected {expected}")]
    Malformed {
        /// What is wrong.
        found: String,
        /// What would be right.
        expected: &'static str,
    },
}

/// Reads the answer to `getblockchaininfo`.
pub(crate) fn tip(body: &[u8]) -> Result<Tip, Fault> {
    #[derive(Deserialize)]
    struct Chain {
        chain: String,
        blocks: u32,
        bestblockhash: BlockHash,
        initialblockdownload: bool,
        pruned: bool,
        pruneheight: Option<u32>,
    }
    let found: Chain = result(body)?;
    let chain = Network::from_core_arg(&found.chain);
    let chain = chain.map_err(|_| malformed(format!("the chain `{}`", found.chain), "a chain of Bitcoin"))?;
    Ok(Tip {
        height: found.blocks,
        hash: found.bestblockhash,
        chain,
        pruned_below: found.pruned.then(|| found.pruneheight.unwrap_or(0)),
        syncing: found.initialblockdownload,
    })
}

/// Reads the answer to `getblockhash`.
pub(crate) fn block_hash(body: &[u8]) -> Result<BlockHash, Fault> {
    result(body)
}

/// Reads the answer to `getblock` with verbosity 0: the block that the hash names, with its transactions and witnesses.
pub(crate) fn block(body: &[u8], hash: BlockHash) -> Result<Block, Fault> {
    let block: Block = consensus(body, "a block in hexadecimal")?;
    if block.block_hash() != hash {
        return Err(malformed(format!("block {}", block.block_hash()), "the block that was asked for"));
    }
    if !block.check_merkle_root() {
        return Err(malformed("transactions that are not the block's", "those that its merkle root stands for"));
    }
    // A merkle root stays the same when the last transactions come twice (CVE-2012-2459).
    let mut once = BTreeSet::new();
    if !block.txdata.iter().all(|transaction| once.insert(transaction.compute_txid())) {
        return Err(malformed("a transaction that is in the block twice", "each of them once"));
    }
    if !block.check_witness_commitment() {
        return Err(malformed("witnesses that are not the block's", "those that its commitment (BIP 141) stands for"));
    }
    Ok(block)
}

/// Reads the answer to `getblock` with verbosity 3: what stood in the wanted outputs.
pub(crate) fn previous_outputs(
    body: &[u8],
    hash: BlockHash,
    wanted: &BTreeSet<OutPoint>,
) -> Result<BTreeMap<OutPoint, PreviousOutput>, Fault> {
    #[derive(Deserialize)]
    struct Verbose {
        hash: BlockHash,
        tx: Spends<Spending>,
    }
    let found: Verbose = result(body)?;
    if found.hash != hash {
        return Err(malformed(format!("block {}", found.hash), "the block that was asked for"));
    }
    let outputs: BTreeMap<OutPoint, PreviousOutput> =
        found.tx.spends.into_iter().filter(|(outpoint, _)| wanted.contains(outpoint)).collect();
    match wanted.iter().find(|outpoint| !outputs.contains_key(outpoint)) {
        None => Ok(outputs),
        Some(missing) => Err(malformed(
            format!("no `prevout` at the input that spends {missing}"),
            "one, as bitcoind tells since version 23",
        )),
    }
}

/// Reads the answer to `getrawtransaction` with verbosity 1: the transaction with this id; none if it is in a block.
pub(crate) fn waiting(body: &[u8], txid: Txid) -> Result<Option<Transaction>, Fault> {
    #[derive(Deserialize)]
    struct Told {
        hex: String,
        // With `-txindex` transactions in blocks are told as well.
        blockhash: Option<BlockHash>,
    }
    let Told { hex, blockhash } = result(body)?;
    let transaction: Transaction = decoded(&hex, "a transaction in hexadecimal")?;
    let found = transaction.compute_txid();
    if found != txid {
        return Err(malformed(format!("transaction {found}"), "the transaction that was asked for"));
    }
    Ok(blockhash.is_none().then_some(transaction))
}

/// An answer of either version of JSON-RPC.
#[derive(Deserialize)]
struct Answer<T> {
    result: Option<T>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    code: i64,
    message: String,
}

fn result<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    match serde_json::from_slice(body) {
        Ok(Answer { error: Some(Refusal { code, message }), .. }) => {
            Err(Fault::Refused { code, message: shown(&message) })
        }
        Ok(Answer { result: Some(result), error: None }) => Ok(result),
        Ok(Answer { result: None, error: None }) => Err(malformed("neither result nor error", ANSWER)),
        Err(error) => Err(malformed(error.to_string(), ANSWER)),
    }
}

fn consensus<T: Decodable>(body: &[u8], expected: &'static str) -> Result<T, Fault> {
    let hex: String = result(body)?;
    decoded(&hex, expected)
}

fn decoded<T: Decodable>(hex: &str, expected: &'static str) -> Result<T, Fault> {
    deserialize_hex(hex).map_err(|error| malformed(error.to_string(), expected))
}

fn malformed(found: impl AsRef<str>, expected: &'static str) -> Fault {
    Fault::Malformed { found: shown(found.as_ref()), expected }
}

/// The beginning of somebody else's text.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

/// Previous outputs of a list, taken out of its items one by one: most of what a block in JSON says is never kept, and what is kept
/// takes less room than it took in the body.
struct Spends<T> {
    spends: Vec<(OutPoint, PreviousOutput)>,
    of: std::marker::PhantomData<T>,
}

/// An item that has previous outputs.
trait Spender {
    fn give(self, spends: &mut Vec<(OutPoint, PreviousOutput)>);
}

/// A transaction.
#[derive(Deserialize)]
struct Spending {
    vin: Spends<Input>,
}

/// An input; a coinbase's has none of these.
#[derive(Deserialize)]
struct Input {
    txid: Option<Txid>,
    vout: Option<u32>,
    prevout: Option<Prevout>,
}

#[derive(Deserialize)]
struct Prevout {
    height: u32,
    #[serde(rename = "scriptPubKey")]
    script: Script,
}

#[derive(Deserialize)]
struct Script {
    hex: ScriptBuf,
}

impl Spender for Spending {
    fn give(self, spends: &mut Vec<(OutPoint, PreviousOutput)>) {
        spends.extend(self.vin.spends);
    }
}

impl Spender for Input {
    fn give(self, spends: &mut Vec<(OutPoint, PreviousOutput)>) {
        let Self { txid: Some(txid), vout: Some(vout), prevout: Some(prevout) } = self else { return };
        let Prevout { height, script: Script { hex: script_pubkey } } = prevout;
        spends.push((OutPoint { txid, vout }, PreviousOutput { script_pubkey, height }));
    }
}

impl<'de, T: Spender + Deserialize<'de>> Deserialize<'de> for Spends<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Self { spends: Vec::new(), of: std::marker::PhantomData })
    }
}

impl<'de, T: Spender + Deserialize<'de>> Visitor<'de> for Spends<T> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Self, A::Error> {
        while let Some(item) = items.next_element::<T>()? {
            item.give(&mut self.spends);
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::consensus::encode::serialize_hex;
    use bitcoin::constants::genesis_block;
    use bitcoin::hashes::Hash as _;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

    fn info(chain: &str, changes: serde_json::Value) -> Result<Tip, Fault> {
        let mut info = json!({
            "chain": chain, "blocks": 7, "headers": 9, "bestblockhash": ZEROS, "initialblockdownload": true,
            "pruned": false, "warnings": [],
        });
        for (key, value) in changes.as_object().unwrap() {
            info[key] = value.clone();
        }
        tip(json!({"result": info, "error": null, "id": 1}).to_string().as_bytes())
    }

    #[test]
    fn every_chain_is_known_by_the_name_that_bitcoind_has_for_it() {
        for (name, chain) in [
            ("main", Network::Bitcoin),
            ("test", Network::Testnet),
            ("testnet4", Network::Testnet4),
            ("signet", Network::Signet),
            ("regtest", Network::Regtest),
        ] {
            let expected = Tip { height: 7, hash: BlockHash::all_zeros(), chain, pruned_below: None, syncing: true };
            assert_eq!(info(name, json!({})), Ok(expected));
        }
        assert!(matches!(info("doge", json!({})), Err(Fault::Malformed { found, .. }) if found.contains("doge")));
    }

    #[test]
    fn a_pruned_chain_says_from_where_on_it_has_blocks() {
        let below = |changes| info("main", changes).unwrap().pruned_below;
        assert_eq!(below(json!({"pruned": true, "pruneheight": 5})), Some(5));
        assert_eq!(below(json!({"pruned": true})), Some(0));
        assert_eq!(below(json!({"pruned": false, "pruneheight": 5})), None);
        assert!(info("main", json!({"blocks": 1_u64 << 32})).is_err());
    }

    #[test]
    fn an_error_counts_more_than_a_result_and_is_shortened() {
        let body = json!({"result": ZEROS, "error": {"code": -8, "message": "x".repeat(1_000)}}).to_string();
        let expected = Fault::Refused { code: -8, message: "x".repeat(SHOWN) };
        assert_eq!(block_hash(body.as_bytes()), Err(expected));
        let long = json!({"result": "y".repeat(100_000)}).to_string();
        let Err(Fault::Malformed { found, .. }) = block_hash(long.as_bytes()) else { panic!("a hash of letters") };
        assert!(found.len() <= SHOWN);
    }

    fn script() -> impl Strategy<Value = ScriptBuf> {
        prop::collection::vec(any::<u8>(), 0..40).prop_map(ScriptBuf::from)
    }

    fn outpoint() -> impl Strategy<Value = OutPoint> {
        (any::<[u8; 32]>(), any::<u32>()).prop_map(|(txid, vout)| OutPoint::new(Txid::from_byte_array(txid), vout))
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = (tip(&bytes), block_hash(&bytes), waiting(&bytes, Txid::all_zeros()));
            let _ = (block(&bytes, BlockHash::all_zeros()), previous_outputs(&bytes, BlockHash::all_zeros(), &BTreeSet::new()));
        }

        #[test]
        fn a_changed_or_shortened_body_never_panics(at in any::<prop::sample::Index>(), value: u8, cut: bool) {
            let genesis = genesis_block(Network::Regtest);
            let mut body = json!({"result": serialize_hex(&genesis)}).to_string().into_bytes();
            let at = at.index(body.len());
            if cut { body.truncate(at) } else { body[at] = value }
            if let Ok(read) = block(&body, genesis.block_hash()) {
                prop_assert_eq!(read, genesis);
            }
        }

        #[test]
        fn what_a_block_spends_round_trips(
            spends in prop::collection::btree_map(outpoint(), (script(), any::<u32>()), 0..20),
            wanted in any::<[bool; 20]>(),
        ) {
            let input = |(outpoint, (script, height)): (&OutPoint, &(ScriptBuf, u32))| json!({
                "txid": outpoint.txid, "vout": outpoint.vout, "sequence": 0,
                "prevout": {"generated": false, "height": height, "value": 1.5, "scriptPubKey": {"asm": "", "hex": script.to_hex_string()}},
            });
            let inputs: Vec<_> = spends.iter().map(input).collect();
            let transactions: Vec<_> = inputs.chunks(3).map(|inputs| json!({"txid": ZEROS, "vin": inputs, "vout": []})).collect();
            let body = json!({"result": {"hash": ZEROS, "height": 1, "tx": transactions}, "error": null, "id": 0}).to_string();
            let expected: BTreeMap<OutPoint, PreviousOutput> = spends.iter().zip(wanted).filter(|(_, wanted)| *wanted)
                .map(|((outpoint, (script, height)), _)| {
                    (*outpoint, PreviousOutput { script_pubkey: script.clone(), height: *height })
                })
                .collect();
            let wanted = expected.keys().copied().collect();
            prop_assert_eq!(previous_outputs(body.as_bytes(), BlockHash::all_zeros(), &wanted), Ok(expected));
        }
    }
}
