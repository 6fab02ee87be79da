//! Bodies of bitcoind's JSON-RPC. The first byte says which answer is expected; what is taken is what was asked for.
#![no_main]

// The node itself is made of libp2p and tasks, which are not fuzzed here: the decoder stands alone.
#[path = "../../src/bitcoind/answer.rs"]
#[allow(dead_code, reason = "the client uses more of it")]
mod answer;

use std::collections::BTreeSet;

use bitcoin::constants::genesis_block;
use bitcoin::hashes::Hash as _;
use bitcoin::{BlockHash, Network, OutPoint, Txid};
use libfuzzer_sys::fuzz_target;

/// No fault is longer than this: what the other end says is shortened, to 200 characters of up to four bytes.
const LONGEST: usize = 1_000;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, body)) = bytes.split_first() else { return };
    let fault = match kind % 5 {
        0 => answer::tip(body).err(),
        1 => answer::block_hash(body).err(),
        2 => {
            let genesis = genesis_block(Network::Regtest);
            answer::block(body, genesis.block_hash()).map(|block| assert_eq!(block, genesis)).err()
        }
        3 => {
            let wanted = BTreeSet::from([OutPoint::new(Txid::all_zeros(), 0)]);
            let told = answer::previous_outputs(body, BlockHash::all_zeros(), &wanted);
            told.map(|outputs| assert!(outputs.keys().eq(&wanted))).err()
        }
        _ => {
            let txid = genesis_block(Network::Regtest).txdata[0].compute_txid();
            let told = answer::waiting(body, txid);
            told.map(|found| assert!(found.is_none_or(|transaction| transaction.compute_txid() == txid))).err()
        }
    };
    if let Some(fault) = fault {
        assert!(fault.to_string().len() < LONGEST, "{fault}");
    }
});
