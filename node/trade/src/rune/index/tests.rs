use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::opcodes::all::OP_RETURN;
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::transaction::Version;
use bitcoin::{Amount, CompactTarget, ScriptBuf, Sequence, TxIn, TxMerkleNode, TxOut, Witness, block};
use ordinals::{Edict, Etching, Terms, varint};

use super::*;
use crate::rune::Balances;

mod random;

/// The first name of 13 letters, which every height allows.
const FREE: Rune = Rune(99_246_114_928_149_462);

/// A chain that grows block by block, with its index.
struct Chain {
    index: Index,
    state: MemoryState,
    undo: Vec<Undo>,
    previous: BTreeMap<OutPoint, PreviousOutput>,
    height: u32,
    tip: BlockHash,
    nonce: u32,
}

impl Chain {
    fn regtest() -> Self {
        Self::new(Network::Regtest, 0)
    }

    /// A chain whose next block has this height.
    fn new(network: Network, height: u32) -> Self {
        Self {
            index: Index::new(network),
            state: MemoryState::default(),
            undo: Vec::new(),
            previous: BTreeMap::new(),
            height,
            tip: BlockHash::all_zeros(),
            nonce: 0,
        }
    }

    /// The next block: a coinbase transaction, and these.
    fn block(&mut self, txs: Vec<Transaction>) -> Block {
        let coinbase = self.transaction(&[OutPoint::null()], vec![plain()]);
        let header = block::Header {
            version: block::Version::TWO,
            prev_blockhash: self.tip,
            merkle_root: TxMerkleNode::all_zeros(),
            time: 1_700_000_000 + self.nonce,
            bits: CompactTarget::from_consensus(0),
            nonce: self.nonce,
        };
        Block { header, txdata: [vec![coinbase], txs].concat() }
    }

    fn apply(&mut self, block: &Block) -> Result<(), IndexError<std::convert::Infallible>> {
        let wanted = self.index.wanted(block);
        let previous = self.previous.iter().filter(|(outpoint, _)| wanted.contains(*outpoint));
        let previous = previous.map(|(outpoint, output)| (*outpoint, output.clone())).collect();
        let undo = self.index.apply_block(block, self.height, &previous, &mut self.state)?;
        for tx in &block.txdata {
            for (output, vout) in tx.output.iter().zip(0..) {
                let outpoint = OutPoint { txid: tx.compute_txid(), vout };
                let script_pubkey = output.script_pubkey.clone();
                self.previous.insert(outpoint, PreviousOutput { script_pubkey, height: self.height });
            }
        }
        self.undo.push(undo);
        self.tip = block.block_hash();
        self.height += 1;
        Ok(())
    }

    /// Applies a block of these transactions, and says at which height.
    fn mine(&mut self, txs: Vec<Transaction>) -> u32 {
        let block = self.block(txs);
        self.apply(&block).unwrap();
        self.height - 1
    }

    fn mine_empty(&mut self, count: u32) {
        for _ in 0..count {
            self.mine(Vec::new());
        }
    }

    /// A transaction that differs from all others.
    fn transaction(&mut self, inputs: &[OutPoint], output: Vec<TxOut>) -> Transaction {
        self.nonce += 1;
        let lock_time = LockTime::from_consensus(self.nonce);
        let input = |previous_output: &OutPoint| TxIn { previous_output: *previous_output, ..TxIn::default() };
        Transaction { version: Version::TWO, lock_time, input: inputs.iter().map(input).collect(), output }
    }

    /// A transaction with the runestone in output 0 and one plain output.
    fn stone(&mut self, inputs: &[OutPoint], runestone: &Runestone) -> Transaction {
        self.transaction(inputs, vec![output(runestone.encipher()), plain()])
    }

    /// Mines a taproot output, and gives a transaction that etches with a commitment in it, `confirmations` blocks deep when it comes next.
    fn etching(&mut self, etching: Etching, script_pubkey: ScriptBuf, confirmations: u32) -> Transaction {
        let commit = self.transaction(&[], vec![output(script_pubkey)]);
        let outpoint = OutPoint { txid: commit.compute_txid(), vout: 0 };
        self.mine(vec![commit]);
        self.mine_empty(confirmations - 2);
        let mut tx = self.stone(&[outpoint], &Runestone { etching: Some(etching), ..Runestone::default() });
        tx.input[0].witness = reveal(etching.rune.unwrap());
        tx
    }

    /// Etches by the rules.
    fn etch(&mut self, etching: Etching) -> RuneId {
        let tx = self.etching(etching, taproot(), 6);
        let block = self.mine(vec![tx]);
        RuneId { block: u64::from(block), tx: 1 }
    }

    fn mint(&mut self, id: RuneId) -> Balances {
        let tx = self.stone(&[], &Runestone { mint: Some(id), ..Runestone::default() });
        let outpoint = OutPoint { txid: tx.compute_txid(), vout: 1 };
        self.mine(vec![tx]);
        self.balances(outpoint)
    }

    fn balances(&self, outpoint: OutPoint) -> Balances {
        self.state.balances(&outpoint).unwrap().unwrap_or_default()
    }

    fn entry(&self, id: RuneId) -> Option<Entry> {
        self.state.entry(id).unwrap()
    }
}

fn output(script_pubkey: ScriptBuf) -> TxOut {
    TxOut { value: Amount::from_sat(546), script_pubkey }
}

fn plain() -> TxOut {
    output(ScriptBuf::new())
}

fn taproot() -> ScriptBuf {
    ScriptBuf::from_bytes([&[0x51, 0x20][..], &[7; 32]].concat())
}

/// The witness of a script path whose script pushes the commitment.
fn reveal(rune: Rune) -> Witness {
    let commitment = PushBytesBuf::try_from(rune.commitment()).unwrap();
    let script = Builder::new().push_slice([1; 32]).push_slice(commitment).into_script();
    Witness::from_slice(&[vec![], script.into_bytes(), vec![0xc0; 33]])
}

/// A runestone of raw integers.
fn raw(integers: &[u128]) -> ScriptBuf {
    let payload: Vec<u8> = integers.iter().flat_map(|integer| varint::encode(*integer)).collect();
    let push = PushBytesBuf::try_from(payload).unwrap();
    Builder::new().push_opcode(OP_RETURN).push_opcode(Runestone::MAGIC_NUMBER).push_slice(push).into_script()
}

fn named(rune: Rune) -> Etching {
    Etching { rune: Some(rune), premine: Some(1_000), ..Etching::default() }
}

fn open(amount: u128, cap: u128) -> Terms {
    Terms { amount: Some(amount), cap: Some(cap), ..Terms::default() }
}

#[test]
fn a_name_can_be_etched_six_blocks_after_its_commitment() {
    let mut chain = Chain::regtest();
    let tx = chain.etching(named(FREE), taproot(), 6);
    let outpoint = OutPoint { txid: tx.compute_txid(), vout: 1 };
    let block = chain.mine(vec![tx]);
    let id = RuneId { block: u64::from(block), tx: 1 };
    assert_eq!(chain.state.id(FREE).unwrap(), Some(id));
    assert_eq!(chain.balances(outpoint), Balances::from([(id, 1_000)]));
    assert_eq!(chain.entry(id).unwrap().supply(), Some(1_000));
}

#[test]
fn without_a_mature_taproot_commitment_nothing_is_etched() {
    let mut chain = Chain::regtest();
    let early = chain.etching(named(FREE), taproot(), 5);
    chain.mine(vec![early]);
    let untaproot = chain.etching(named(FREE), ScriptBuf::new(), 9);
    chain.mine(vec![untaproot]);
    let mut other = chain.etching(named(FREE), taproot(), 9);
    other.input[0].witness = reveal(Rune(FREE.0 + 1));
    chain.mine(vec![other]);
    let mut hidden = chain.etching(named(FREE), taproot(), 9);
    hidden.input[0].witness = Witness::new();
    chain.mine(vec![hidden]);
    assert!(chain.state.entries().is_empty());
    assert!(chain.state.all_balances().is_empty(), "no premine either");
}

#[test]
fn a_commitment_of_the_same_block_does_not_count() {
    let mut chain = Chain::regtest();
    chain.mine_empty(9);
    let commit = chain.transaction(&[], vec![output(taproot())]);
    let outpoint = OutPoint { txid: commit.compute_txid(), vout: 0 };
    let mut tx = chain.stone(&[outpoint], &Runestone { etching: Some(named(FREE)), ..Runestone::default() });
    tx.input[0].witness = reveal(FREE);
    let block = chain.block(vec![commit, tx]);
    assert!(chain.index.wanted(&block).is_empty());
    chain.apply(&block).unwrap();
    assert!(chain.state.entries().is_empty());
}

#[test]
fn names_that_are_taken_too_short_or_reserved_are_not_etched() {
    let mut chain = Chain::regtest();
    let first = chain.etch(named(FREE));
    let again = chain.etch(named(FREE));
    let short = chain.etch(named(Rune(chain.index.minimum(chain.height + 5).0 - 1)));
    let reserved = chain.etch(named(Rune::reserved(1, 1)));
    assert!(chain.entry(first).is_some());
    assert_eq!([again, short, reserved].map(|id| chain.entry(id)), [None, None, None]);
}

#[test]
fn an_etching_without_a_name_gets_a_reserved_one() {
    let mut chain = Chain::regtest();
    let etching = Etching { premine: Some(7), ..Etching::default() };
    let tx = chain.stone(&[], &Runestone { etching: Some(etching), ..Runestone::default() });
    let outpoint = OutPoint { txid: tx.compute_txid(), vout: 1 };
    let block = u64::from(chain.mine(vec![tx]));
    let id = RuneId { block, tx: 1 };
    assert_eq!(chain.entry(id).unwrap().rune, Rune::reserved(block, 1));
    assert_eq!(chain.balances(outpoint), Balances::from([(id, 7)]));
}

#[test]
fn a_mint_gives_the_amount_until_the_cap_is_reached() {
    let mut chain = Chain::regtest();
    let id = chain.etch(Etching { terms: Some(open(5, 2)), ..named(FREE) });
    assert_eq!(chain.mint(id), Balances::from([(id, 5)]));
    assert_eq!(chain.mint(id), Balances::from([(id, 5)]));
    assert_eq!(chain.mint(id), Balances::new());
    let entry = chain.entry(id).unwrap();
    assert_eq!((entry.mints, entry.supply()), (2, Some(1_010)));
    assert_eq!(entry.mintable(1_000), Err(MintRefusal::Cap { cap: 2 }));
}

#[test]
fn a_mint_outside_its_window_gives_nothing() {
    let mut chain = Chain::regtest();
    let terms = Terms { offset: (Some(2), Some(4)), height: (None, Some(1_000)), ..open(5, 9) };
    let id = chain.etch(Etching { terms: Some(terms), ..named(FREE) });
    let given: Vec<usize> = (0..5).map(|_| chain.mint(id).len()).collect();
    assert_eq!(given, [0, 1, 1, 0, 0], "blocks 1 to 5 after the etching");
    let entry = chain.entry(id).unwrap();
    assert_eq!((entry.start(), entry.end()), (Some(id.block + 2), Some(id.block + 4)));
}

#[test]
fn terms_with_height_and_offset_use_the_narrower_window() {
    let terms = Terms { height: (Some(100), Some(200)), offset: (Some(10), Some(500)), ..open(1, 1) };
    let mut entry = entry::genesis();
    (entry.block, entry.terms) = (50, Some(terms));
    assert_eq!((entry.start(), entry.end()), (Some(100), Some(200)));
    assert_eq!(entry.mintable(99), Err(MintRefusal::Early { start: 100 }));
    assert_eq!(entry.mintable(100), Ok(1));
    assert_eq!(entry.mintable(200), Err(MintRefusal::Late { end: 200 }));
    entry.terms = None;
    assert_eq!(entry.mintable(100), Err(MintRefusal::Unmintable));
}

#[test]
fn nobody_mints_what_the_same_transaction_etches() {
    let mut chain = Chain::regtest();
    let etching = Etching { terms: Some(open(5, 9)), ..Etching::default() };
    let id = RuneId { block: 0, tx: 1 };
    chain.mine(Vec::new());
    let id = RuneId { block: id.block + 1, ..id };
    let tx = chain.stone(&[], &Runestone { etching: Some(etching), mint: Some(id), ..Runestone::default() });
    chain.mine(vec![tx]);
    assert_eq!(chain.entry(id).unwrap().mints, 0);
    assert!(chain.state.all_balances().is_empty());
}

#[test]
fn a_cenotaph_etches_without_supply_and_its_mint_is_burned() {
    let mut chain = Chain::regtest();
    // Flag 0 is an etching, tag 6 a premine, tag 24 makes the cenotaph.
    let mut tx = chain.etching(named(FREE), taproot(), 6);
    tx.output[0] = output(raw(&[2, 1, 4, FREE.0, 6, 50, 24, 0]));
    let id = RuneId { block: u64::from(chain.mine(vec![tx])), tx: 1 };
    let entry = chain.entry(id).unwrap();
    assert_eq!((entry.rune, entry.premine, entry.terms), (FREE, 0, None));

    let open = chain.etch(Etching { terms: Some(open(5, 2)), ..named(Rune(FREE.0 + 9)) });
    let script = raw(&[20, u128::from(open.block), 20, u128::from(open.tx), 24, 0]);
    let tx = chain.transaction(&[], vec![output(script), plain()]);
    chain.mine(vec![tx]);
    let entry = chain.entry(open).unwrap();
    assert_eq!((entry.mints, entry.burned), (1, 5));
}

#[test]
fn a_cenotaph_burns_what_its_inputs_hold() {
    let mut chain = Chain::regtest();
    let id = chain.etch(named(FREE));
    let (&held, _) = chain.state.all_balances().first_key_value().unwrap();
    let tx = chain.transaction(&[held], vec![output(raw(&[24, 0])), plain()]);
    chain.mine(vec![tx]);
    assert!(chain.state.all_balances().is_empty());
    assert_eq!(chain.entry(id).unwrap().burned, 1_000);
}

#[test]
fn runes_move_within_one_block() {
    let mut chain = Chain::regtest();
    let id = chain.etch(named(FREE));
    let (&held, _) = chain.state.all_balances().first_key_value().unwrap();
    let edict = Edict { id, amount: 10, output: 2 };
    let first = Runestone { edicts: vec![edict], ..Runestone::default() }.encipher();
    let first = chain.transaction(&[held], vec![output(first), plain(), plain()]);
    let second = chain.transaction(&[OutPoint { txid: first.compute_txid(), vout: 2 }], vec![plain()]);
    let ends = [OutPoint { txid: first.compute_txid(), vout: 1 }, OutPoint { txid: second.compute_txid(), vout: 0 }];
    chain.mine(vec![first, second]);
    assert_eq!(ends.map(|outpoint| chain.balances(outpoint)[&id]), [990, 10]);
    assert_eq!(chain.state.all_balances().len(), 2);
}

#[test]
fn mainnet_starts_with_uncommon_goods_and_ignores_earlier_runestones() {
    let mut chain = Chain::new(Network::Bitcoin, 839_999);
    assert_eq!(chain.mint(entry::GENESIS_ID), Balances::new(), "block 839,999");
    assert_eq!(chain.mint(entry::GENESIS_ID), Balances::from([(entry::GENESIS_ID, 1)]), "block 840,000");
    let entry = chain.entry(entry::GENESIS_ID).unwrap();
    assert_eq!(entry.spaced().to_string(), "UNCOMMON•GOODS");
    assert_eq!(entry.mints, 1);
    let etching = Etching::default();
    let tx = chain.stone(&[], &Runestone { etching: Some(etching), ..Runestone::default() });
    let id = RuneId { block: u64::from(chain.mine(vec![tx])), tx: 1 };
    assert_eq!(chain.entry(id).unwrap().number, 1);
    while let Some(undo) = chain.undo.pop() {
        chain.index.undo_block(&undo, &mut chain.state).unwrap();
    }
    assert_eq!(chain.state, MemoryState::default());
}

#[test]
fn first_heights_and_name_minima_follow_the_network() {
    let first = |network| Index::new(network).first_height();
    assert_eq!([Network::Bitcoin, Network::Testnet, Network::Testnet4].map(first), [840_000, 2_520_000, 0]);
    assert_eq!([Network::Signet, Network::Regtest].map(first), [0, 0]);
    let mainnet = Index::new(Network::Bitcoin);
    assert_eq!(mainnet.minimum(0), FREE);
    assert_eq!(mainnet.minimum(840_000 + 17_500 - 1).to_string(), "AAAAAAAAAAAA");
    assert_eq!(mainnet.minimum(1_050_000), Rune(0));
}

#[test]
fn blocks_out_of_order_are_refused_and_change_nothing() {
    let mut chain = Chain::regtest();
    chain.mine_empty(3);
    let before = chain.state.clone();
    let none = BTreeMap::new();

    let block = chain.block(Vec::new());
    let apply = |block: &Block, height, state: &mut MemoryState| {
        chain.index.apply_block(block, height, &none, state).unwrap_err()
    };
    assert!(matches!(apply(&block, 4, &mut chain.state), IndexError::Height { found: 4, expected: 3 }));
    let mut stranger = block.clone();
    stranger.header.prev_blockhash = BlockHash::from_byte_array([9; 32]);
    assert!(matches!(apply(&stranger, 3, &mut chain.state), IndexError::Parent { .. }));
    assert!(matches!(apply(&block, 1, &mut MemoryState::default()), IndexError::Height { found: 1, expected: 0 }));

    let undo = &chain.undo[1];
    assert!(matches!(chain.index.undo_block(undo, &mut chain.state), Err(IndexError::Record { .. })));
    assert_eq!(chain.state, before);
}

#[test]
fn a_previous_output_that_was_not_fetched_is_an_error_and_no_verdict() {
    let mut chain = Chain::regtest();
    let tx = chain.etching(named(FREE), taproot(), 6);
    let outpoint = tx.input[0].previous_output;
    let block = chain.block(vec![tx]);
    assert_eq!(chain.index.wanted(&block), BTreeSet::from([outpoint]));
    let before = chain.state.clone();
    let applied = chain.index.apply_block(&block, chain.height, &BTreeMap::new(), &mut chain.state);
    assert!(matches!(applied, Err(IndexError::Missing(missing)) if missing == outpoint));
    assert_eq!(chain.state, before);
}
