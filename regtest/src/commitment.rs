//! What reveals the name of a new rune.

use bitcoin::key::Secp256k1;
use bitcoin::opcodes::OP_TRUE;
use bitcoin::opcodes::all::OP_DROP;
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::taproot::{LeafVersion, TaprootBuilder};
use bitcoin::{ScriptBuf, Witness};
use ordinals::{Rune, Runestone};

use crate::key::Key;

/// An output that commits to a name, and the witness that spends it and shows the name.
///
/// An etching with a name counts only if its transaction spends such an output, in a tapscript, at least [`Self::DEPTH`] blocks
/// after it was confirmed. Anybody may spend it: it is for tests.
#[derive(Clone, Debug)]
pub struct Commitment {
    /// The script of the output.
    pub script: ScriptBuf,
    /// What its input's witness has to be.
    pub witness: Witness,
}

impl Commitment {
    /// Blocks from the one that confirms the commitment to the one that etches, both counted.
    pub const DEPTH: usize = Runestone::COMMIT_CONFIRMATIONS as usize;

    /// The commitment to `rune`.
    pub fn to(rune: Rune) -> Self {
        let name = PushBytesBuf::try_from(rune.commitment()).expect("a name has 16 bytes at most");
        let leaf = Builder::new().push_slice(name).push_opcode(OP_DROP).push_opcode(OP_TRUE).into_script();
        let secp = Secp256k1::new();
        let internal = Key::numbered(0).internal_key();
        let builder = TaprootBuilder::new().add_leaf(0, leaf.clone()).expect("one leaf at the root");
        let spend = builder.finalize(&secp, internal).expect("a tree of one leaf is complete");
        let control = spend.control_block(&(leaf.clone(), LeafVersion::TapScript)).expect("the leaf is in the tree");
        let mut witness = Witness::new();
        witness.push(leaf.as_bytes());
        witness.push(control.serialize());
        Self { script: ScriptBuf::new_p2tr_tweaked(spend.output_key()), witness }
    }
}
