//! Transactions that etch, mint and move runes on a chain where anybody may spend anything.

use bitcoin::key::{Keypair, Secp256k1};
use bitcoin::opcodes::OP_TRUE;
use bitcoin::opcodes::all::OP_DROP;
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::taproot::{LeafVersion, TaprootBuilder};
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness, absolute, transaction};
use darkswap_chain::{spend_witness, spendable_script};
use ordinals::{Etching, Rune, RuneId, Runestone, Terms};

/// Who has everything.
pub(crate) const ALICE: u32 = 5;
/// Outputs behind the runestone.
const OUTPUTS: u32 = 3;
/// What each of them is worth, in satoshis: more than dust.
const POSTAGE: u64 = 1_000;
/// What is etched before anybody mints.
pub(crate) const PREMINE: u128 = 1_000_000;

/// A name, in an output that commits to it and in what spends that output.
pub(crate) struct Commitment {
    pub(crate) script: ScriptBuf,
    pub(crate) witness: Witness,
}

impl Commitment {
    pub(crate) fn to(rune: Rune) -> Self {
        let name = PushBytesBuf::try_from(rune.commitment()).unwrap();
        let leaf = Builder::new().push_slice(name).push_opcode(OP_DROP).push_opcode(OP_TRUE).into_script();
        let secp = Secp256k1::new();
        let internal = Keypair::from_seckey_slice(&secp, &[3; 32]).unwrap().x_only_public_key().0;
        let tree = TaprootBuilder::new().add_leaf(0, leaf.clone()).unwrap().finalize(&secp, internal).unwrap();
        let control = tree.control_block(&(leaf.clone(), LeafVersion::TapScript)).unwrap();
        let witness = Witness::from_slice(&[leaf.as_bytes(), &control.serialize()]);
        Self { script: ScriptBuf::new_p2tr_tweaked(tree.output_key()), witness }
    }
}

/// The runestone that etches a rune which anybody may mint a few times.
pub(crate) fn etching(rune: Option<Rune>) -> Runestone {
    let terms = Terms { amount: Some(7), cap: Some(4), ..Terms::default() };
    let etching = Etching { rune, premine: Some(PREMINE), terms: Some(terms), ..Etching::default() };
    Runestone { etching: Some(etching), pointer: Some(1), ..Runestone::default() }
}

/// The runestone that mints one.
pub(crate) fn mint(id: RuneId) -> Runestone {
    Runestone { mint: Some(id), pointer: Some(2), ..Runestone::default() }
}

/// Alice spends her coins to a runestone in output 0 and to herself in [`OUTPUTS`] more.
pub(crate) fn spend(coins: &[OutPoint], stone: &Runestone) -> Transaction {
    let inputs: Vec<(OutPoint, Witness)> = coins.iter().map(|coin| (*coin, spend_witness(ALICE))).collect();
    spend_with(&inputs, stone)
}

/// The same with other witnesses.
pub(crate) fn spend_with(coins: &[(OutPoint, Witness)], stone: &Runestone) -> Transaction {
    let input = |(previous_output, witness): &(OutPoint, Witness)| TxIn {
        previous_output: *previous_output,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::MAX,
        witness: witness.clone(),
    };
    let mut output = vec![TxOut { value: Amount::ZERO, script_pubkey: stone.encipher() }];
    output.extend((0..OUTPUTS).map(|_| own(POSTAGE)));
    let (version, lock_time) = (transaction::Version::TWO, absolute::LockTime::ZERO);
    Transaction { version, lock_time, input: coins.iter().map(input).collect(), output }
}

/// An output of Alice's.
pub(crate) fn own(sats: u64) -> TxOut {
    TxOut { value: Amount::from_sat(sats), script_pubkey: spendable_script(ALICE) }
}
