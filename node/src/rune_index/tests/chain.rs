//! A chain of blocks that etch, mint and move runes at random, and may be reorganised.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash as _;
use bitcoin::{
    Amount, Block, BlockHash, CompactTarget, Network, OutPoint, ScriptBuf, Transaction, TxIn, TxMerkleNode, TxOut,
    Txid, transaction,
};
use darkswap_trade::rune::index::{Changes, Index, MemoryState, PreviousOutput, State as _};
use darkswap_wallet::bdk_chain::BlockId;
use futures::FutureExt as _;
use ordinals::{Edict, Etching, RuneId, Runestone, Terms};

use crate::rune_index::blocks::{Answer, Blocks};
use crate::rune_index::rows::Fetched;

/// A chain, and whether it answers. Clones are the same one.
#[derive(Debug, Clone)]
pub(super) struct Chain(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    blocks: Vec<Block>,
    /// Outputs that blocks made, by block: some may hold runes.
    outputs: Vec<Vec<OutPoint>>,
    waiting: BTreeMap<Txid, Transaction>,
    trouble: Option<String>,
    draw: u64,
}

impl Chain {
    /// The first block only.
    pub(super) fn new(seed: u64) -> Self {
        let state =
            State { blocks: Vec::new(), outputs: Vec::new(), waiting: BTreeMap::new(), trouble: None, draw: seed };
        let chain = Self(Arc::new(Mutex::new(state)));
        chain.mine(1);
        chain
    }

    pub(super) fn mine(&self, count: u32) {
        let mut state = self.0.lock().unwrap();
        for _ in 0..count {
            state.mine();
        }
    }

    /// Replaces the last blocks by others, of which there is one more.
    pub(super) fn reorganise(&self, depth: usize) {
        let mut state = self.0.lock().unwrap();
        let left = state.blocks.len().saturating_sub(depth).max(1);
        state.blocks.truncate(left);
        state.outputs.truncate(left);
        for _ in 0..=depth {
            state.mine();
        }
    }

    /// From now on nobody answers, or everybody again.
    pub(super) fn set_trouble(&self, trouble: Option<&str>) {
        self.0.lock().unwrap().trouble = trouble.map(str::to_owned);
    }

    /// Has transactions wait.
    pub(super) fn wait(&self, transactions: &[Transaction]) {
        let waiting = transactions.iter().map(|transaction| (transaction.compute_txid(), transaction.clone()));
        self.0.lock().unwrap().waiting = waiting.collect();
    }

    pub(super) fn tip(&self) -> BlockId {
        self.0.lock().unwrap().tip()
    }

    pub(super) fn at(&self, height: u32) -> BlockId {
        let hash = self.0.lock().unwrap().blocks[usize::try_from(height).unwrap()].block_hash();
        BlockId { height, hash }
    }

    /// The blocks from a height on, ready to be applied.
    pub(super) fn fetched(&self, from: u32) -> Vec<Fetched> {
        let state = self.0.lock().unwrap();
        let blocks = (0..).zip(&state.blocks).filter(|(height, _)| *height >= from);
        blocks.map(|(height, block)| Fetched { height, block: block.clone(), previous: BTreeMap::new() }).collect()
    }

    /// What an index of the blocks up to a height holds that was built from nothing, in memory.
    pub(super) fn expected(&self, height: u32) -> MemoryState {
        let (index, mut expected) = (Index::new(Network::Regtest), MemoryState::default());
        for Fetched { height, block, previous } in self.fetched(0).into_iter().filter(|it| it.height <= height) {
            index.apply_block(&block, height, &previous, &mut expected).unwrap();
        }
        expected
    }
}

/// Everything in an index in memory, as changes to an empty one.
pub(super) fn everything(state: &MemoryState) -> Changes {
    let ids: BTreeMap<_, _> = state.entries().iter().map(|(id, entry)| (entry.rune, *id)).collect();
    Changes {
        tip: state.tip().unwrap(),
        entries: state.entries().iter().map(|(id, entry)| (*id, Some(entry.clone()))).collect(),
        ids: ids.into_iter().map(|(rune, id)| (rune, Some(id))).collect(),
        balances: state.all_balances().iter().map(|(outpoint, held)| (*outpoint, Some(held.clone()))).collect(),
    }
}

impl State {
    fn tip(&self) -> BlockId {
        let height = u32::try_from(self.blocks.len() - 1).unwrap();
        BlockId { height, hash: self.blocks[self.blocks.len() - 1].block_hash() }
    }

    /// SplitMix64.
    fn below(&mut self, end: usize) -> usize {
        self.draw = self.draw.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.draw ^ (self.draw >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        usize::try_from((mixed ^ (mixed >> 27)) >> 16).unwrap() % end
    }

    fn mine(&mut self) {
        let mut transactions = vec![self.transaction(&[], None)];
        for _ in 0..self.below(4) {
            transactions.push(self.action());
        }
        let made = transactions.iter().flat_map(outputs_of).collect();
        let prev_blockhash = self.blocks.last().map_or(BlockHash::all_zeros(), Block::block_hash);
        let header = Header {
            version: Version::TWO,
            prev_blockhash,
            merkle_root: TxMerkleNode::all_zeros(),
            time: u32::try_from(self.blocks.len()).unwrap(),
            bits: CompactTarget::from_consensus(0),
            nonce: u32::try_from(self.below(1 << 30)).unwrap(),
        };
        self.blocks.push(Block { header, txdata: transactions });
        self.outputs.push(made);
    }

    /// A transaction that does something to runes.
    fn action(&mut self) -> Transaction {
        let height = self.blocks.len();
        let known = RuneId { block: u64::try_from(self.below(height.max(1))).unwrap(), tx: 1 };
        let unspent: Vec<OutPoint> = self.unspent();
        let inputs: Vec<OutPoint> = match unspent.is_empty() {
            true => Vec::new(),
            false => (0..self.below(3)).map(|_| unspent[self.below(unspent.len())]).collect(),
        };
        let inputs: Vec<OutPoint> = inputs.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let terms = Terms { amount: Some(5), cap: Some(3), ..Terms::default() };
        let stone = match self.below(5) {
            0 => {
                let etching = Etching { premine: Some(1_000), terms: Some(terms), ..Etching::default() };
                Some(Runestone { etching: Some(etching), ..Runestone::default() })
            }
            1 => Some(Runestone { mint: Some(known), ..Runestone::default() }),
            2 => {
                let amount = u128::try_from(self.below(40)).unwrap();
                let edict = Edict { id: known, amount, output: u32::try_from(self.below(4)).unwrap() };
                Some(Runestone { edicts: vec![edict], pointer: Some(2), ..Runestone::default() })
            }
            _ => None,
        };
        self.transaction(&inputs, stone)
    }

    /// Outputs that no block spends yet. Two transactions of a block may take the same one: the index does not judge that.
    fn unspent(&self) -> Vec<OutPoint> {
        let inputs = self.blocks.iter().flat_map(|block| &block.txdata).flat_map(|transaction| &transaction.input);
        let spent: BTreeSet<OutPoint> = inputs.map(|input| input.previous_output).collect();
        self.outputs.iter().flatten().filter(|outpoint| !spent.contains(outpoint)).copied().collect()
    }

    fn transaction(&mut self, inputs: &[OutPoint], stone: Option<Runestone>) -> Transaction {
        let lock_time = LockTime::from_consensus(u32::try_from(self.below(1 << 31)).unwrap());
        spend(inputs, stone, lock_time)
    }
}

/// A transaction with the runestone, if there is one, in output 0, and three more outputs.
pub(super) fn spend(inputs: &[OutPoint], stone: Option<Runestone>, lock_time: LockTime) -> Transaction {
    let script = stone.map_or_else(ScriptBuf::new, |stone| stone.encipher());
    let scripts = [script, ScriptBuf::new(), ScriptBuf::new(), ScriptBuf::new()];
    let output = scripts.map(|script_pubkey| TxOut { value: Amount::from_sat(546), script_pubkey });
    let input = |outpoint: &OutPoint| TxIn { previous_output: *outpoint, ..TxIn::default() };
    Transaction {
        version: transaction::Version::TWO,
        lock_time,
        input: inputs.iter().map(input).collect(),
        output: output.to_vec(),
    }
}

pub(super) fn outputs_of(transaction: &Transaction) -> Vec<OutPoint> {
    let txid = transaction.compute_txid();
    (0..4).map(|vout| OutPoint { txid, vout }).collect()
}

impl Chain {
    fn answer<'a, T: Send + 'a>(&self, answer: impl FnOnce(&State) -> T) -> Answer<'a, T> {
        let state = self.0.lock().unwrap();
        let answer = match &state.trouble {
            Some(trouble) => Err(trouble.clone()),
            None => Ok(answer(&state)),
        };
        std::future::ready(answer).boxed()
    }
}

impl Blocks for Chain {
    fn tip(&self) -> Answer<'_, BlockId> {
        self.answer(State::tip)
    }

    fn block_hash(&self, height: u32) -> Answer<'_, Option<BlockHash>> {
        self.answer(|state| state.blocks.get(usize::try_from(height).ok()?).map(Block::block_hash))
    }

    fn block(&self, hash: BlockHash) -> Answer<'_, Block> {
        let found = self.answer(|state| state.blocks.iter().find(|block| block.block_hash() == hash).cloned());
        async { found.await?.ok_or_else(|| "no such block".to_owned()) }.boxed()
    }

    fn previous_outputs<'a>(
        &'a self,
        _hash: BlockHash,
        wanted: &'a BTreeSet<OutPoint>,
    ) -> Answer<'a, BTreeMap<OutPoint, PreviousOutput>> {
        assert!(wanted.is_empty(), "nobody etches a name here");
        self.answer(|_| BTreeMap::new())
    }

    fn waiting(&self, txid: Txid) -> Answer<'_, Option<Transaction>> {
        self.answer(|state| state.waiting.get(&txid).cloned())
    }
}
