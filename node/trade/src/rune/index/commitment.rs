//! Who may take a name: whoever committed to it in a taproot output at least six blocks deep, and reveals that in a tapscript.
//!
//! So nobody who sees an etching in the mempool can take its name first.

use bitcoin::script::PushBytes;
use bitcoin::{OutPoint, Script, Transaction, Witness};
use ordinals::{Rune, Runestone};

use crate::rune::index::PreviousOutput;

/// The outputs spent by inputs whose tapscript pushes the commitment to a name.
pub(super) fn candidates(tx: &Transaction, rune: Rune) -> impl Iterator<Item = &OutPoint> {
    let commitment = rune.commitment();
    let reveals = move |witness: &Witness| leaf_script(witness).is_some_and(|script| pushes(script, &commitment));
    tx.input.iter().filter(move |input| reveals(&input.witness)).map(|input| &input.previous_output)
}

/// Whether a commitment in this output counts in a block of that height: the block itself is one confirmation.
pub(super) fn is_mature(previous: &PreviousOutput, height: u32) -> bool {
    let confirmations = height.checked_sub(previous.height).map_or(0, |depth| depth.saturating_add(1));
    previous.script_pubkey.is_p2tr() && confirmations >= u32::from(Runestone::COMMIT_CONFIRMATIONS)
}

/// The script of a taproot script path. Leaf version and control block are not looked at, as in ord: consensus has checked them.
fn leaf_script(witness: &Witness) -> Option<&Script> {
    #[expect(deprecated, reason = "taproot_leaf_script looks at the control block, which ord does not")]
    witness.tapscript()
}

/// Whether a script pushes these bytes before its first malformed instruction.
fn pushes(script: &Script, bytes: &[u8]) -> bool {
    let is_commitment = |push: &PushBytes| push.as_bytes() == bytes;
    script.instructions().map_while(Result::ok).any(|instruction| instruction.push_bytes().is_some_and(is_commitment))
}
