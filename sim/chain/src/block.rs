//! Blocks: how they are assembled, and what a coinbase may take.

use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash;
use bitcoin::script::PushBytesBuf;
use bitcoin::{
    Amount, Block, BlockHash, CompactTarget, OutPoint, Script, ScriptBuf, Sequence, Target, Transaction, TxIn,
    TxMerkleNode, TxOut, Witness, absolute, script, transaction,
};

/// The heaviest block (BIP 141).
pub const MAX_BLOCK_WEIGHT: u64 = 4_000_000;
/// The target of regtest, which every other hash meets.
pub const BLOCK_BITS: u32 = 0x207f_ffff;
/// The commitment to witnesses begins with this (BIP 141): `OP_RETURN`, a push of 36 bytes, and four bytes of its own.
const COMMITMENT_PREFIX: [u8; 6] = [0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];
/// What the witness of a coinbase holds; nothing uses it yet (BIP 141).
const WITNESS_RESERVED: [u8; 32] = [0; 32];
/// What the first blocks create, in satoshis.
const INITIAL_SUBSIDY: u64 = 50 * 100_000_000;
/// After this many halvings nothing is left.
const MAX_HALVINGS: u32 = 64;

/// What a block creates at this height.
pub fn subsidy(height: u32, halving_interval: u32) -> Amount {
    let halvings = height / halving_interval.max(1);
    if halvings >= MAX_HALVINGS { Amount::ZERO } else { Amount::from_sat(INITIAL_SUBSIDY >> halvings) }
}

/// What a block is made from.
pub(crate) struct Template {
    pub(crate) previous: BlockHash,
    pub(crate) height: u32,
    pub(crate) time: u32,
    /// Who gets the reward, and how much it is.
    pub(crate) payout: ScriptBuf,
    pub(crate) reward: Amount,
    /// Makes this coinbase differ from that of every other block at the same height.
    pub(crate) tag: u64,
    /// Without the coinbase, parents before children.
    pub(crate) transactions: Vec<Transaction>,
}

impl Template {
    /// Builds the block and does its proof of work.
    pub(crate) fn assemble(self) -> Block {
        let mut transactions = vec![self.coinbase()];
        transactions.extend(self.transactions);
        let header = Header {
            version: Version::NO_SOFT_FORK_SIGNALLING,
            prev_blockhash: self.previous,
            merkle_root: TxMerkleNode::all_zeros(),
            time: self.time,
            bits: CompactTarget::from_consensus(BLOCK_BITS),
            nonce: 0,
        };
        let mut block = Block { header, txdata: transactions };
        let commitment = witness_commitment(&block);
        block.txdata[0].output.push(TxOut { value: Amount::ZERO, script_pubkey: commitment });
        block.header.merkle_root = block.compute_merkle_root().expect("there is a coinbase");
        let target = Target::from_compact(block.header.bits);
        while !target.is_met_by(block.header.block_hash()) {
            // Half of all nonces meet the target, so that the nonces cannot run out.
            block.header.nonce += 1;
        }
        block
    }

    fn coinbase(&self) -> Transaction {
        let tag = PushBytesBuf::from(self.tag.to_le_bytes());
        let mut script_sig = height_script(self.height).into_bytes();
        script_sig.extend(script::Builder::new().push_slice(tag).into_bytes());
        Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: vec![TxIn {
                previous_output: OutPoint::null(),
                script_sig: ScriptBuf::from_bytes(script_sig),
                sequence: Sequence::MAX,
                witness: Witness::from_slice(&[WITNESS_RESERVED]),
            }],
            output: vec![TxOut { value: self.reward, script_pubkey: self.payout.clone() }],
        }
    }
}

/// What a coinbase script begins with at this height (BIP 34).
fn height_script(height: u32) -> ScriptBuf {
    script::Builder::new().push_int(i64::from(height)).into_script()
}

/// Whether a coinbase script begins with this height.
pub(crate) fn commits_to_height(script_sig: &Script, height: u32) -> bool {
    script_sig.as_bytes().starts_with(height_script(height).as_bytes())
}

/// The output script that commits to the witnesses of a block (BIP 141).
fn witness_commitment(block: &Block) -> ScriptBuf {
    let root = block.witness_root().expect("there is a coinbase");
    let commitment = Block::compute_witness_commitment(&root, &WITNESS_RESERVED);
    let mut script = COMMITMENT_PREFIX.to_vec();
    script.extend(commitment.to_byte_array());
    ScriptBuf::from_bytes(script)
}
