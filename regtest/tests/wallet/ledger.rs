//! The node's own account of runes, kept up to a real chain, also through its reorganisations.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::BTreeMap;

use bitcoin::{Block, BlockHash, Network, OutPoint, Transaction};
use darkswap_regtest::TestEnv;
use darkswap_trade::asset::Asset;
use darkswap_trade::coin::Holdings;
use darkswap_trade::rune::{Index, MemoryState, PreviousOutput, State as _, Undo};
use serde::Deserialize;
use serde_json::json;

/// The index with the way back to its first block.
pub(crate) struct Ledger {
    index: Index,
    state: MemoryState,
    /// Of each block, from the genesis block on.
    undos: Vec<Undo>,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self { index: Index::new(Network::Regtest), state: MemoryState::default(), undos: Vec::new() }
    }

    /// Takes back the blocks that the chain does not have any more, and applies those that are new.
    pub(crate) fn follow(&mut self, env: &TestEnv) {
        let height = env.height().expect("a height");
        while let Some(undo) = self.undos.last() {
            let last = u32::try_from(self.undos.len() - 1).expect("a short chain");
            let is_there = last <= height
                && env.rpc::<BlockHash>("getblockhash", &[json!(last)]).expect("it is not above the tip") == undo.block;
            if is_there {
                break;
            }
            self.index.undo_block(undo, &mut self.state).expect("its own record of the last block");
            self.undos.pop();
        }
        for next in u32::try_from(self.undos.len()).expect("a short chain")..=height {
            let block = env.block(next).expect("a block");
            let previous = previous(env, self.index, &block);
            let undo = self.index.apply_block(&block, next, &previous, &mut self.state);
            self.undos.push(undo.expect("it follows the last one"));
        }
    }

    /// Everything that it knows of the best block that it followed.
    pub(crate) fn state(&self) -> &MemoryState {
        &self.state
    }

    /// What a confirmed output holds.
    pub(crate) fn holdings(&self, outpoint: OutPoint) -> Holdings {
        let Ok(balances) = self.state.balances(&outpoint);
        balances.unwrap_or_default().into_iter().map(|(id, units)| (Asset::Rune(id), units)).collect()
    }
}

/// The previous outputs that the index asks for.
fn previous(env: &TestEnv, index: Index, block: &Block) -> BTreeMap<OutPoint, PreviousOutput> {
    #[derive(Deserialize)]
    struct Found {
        hex: String,
        blockhash: String,
    }
    #[derive(Deserialize)]
    struct Header {
        height: u32,
    }
    let fetch = |outpoint: OutPoint| {
        let found: Found = env.rpc("getrawtransaction", &[json!(outpoint.txid), json!(true)]).expect("it is confirmed");
        let header: Header = env.rpc("getblockheader", &[json!(found.blockhash)]).expect("its block");
        let transaction: Transaction = bitcoin::consensus::encode::deserialize_hex(&found.hex).expect("a transaction");
        let script_pubkey = transaction.output[outpoint.vout as usize].script_pubkey.clone();
        (outpoint, PreviousOutput { script_pubkey, height: header.height })
    };
    index.wanted(block).into_iter().map(fetch).collect()
}
