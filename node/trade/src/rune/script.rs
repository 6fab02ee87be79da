//! The output script of a runestone: written, and refused where a reader would see something else.
//!
//! Whatever is written here is read again with the decoder that every checker uses, in a transaction with as many outputs as the real
//! one. So no caller can burn runes with a cenotaph of its own making.

use bitcoin::absolute::LockTime;
use bitcoin::opcodes::all::OP_RETURN;
use bitcoin::script::{Builder, Instruction, PushBytesBuf};
use bitcoin::transaction::Version;
use bitcoin::{Amount, Script, ScriptBuf, Transaction, TxOut};
use ordinals::{Artifact, Edict, Etching, Flaw, Rune, RuneId, Runestone, varint};

/// The most outputs of a transaction that a runestone is written for: more do not fit into a standard transaction (100 kvB, 31 B each).
pub const OUTPUT_LIMIT: u32 = 3_200;

/// The most edicts that are written into one runestone: each takes at least four bytes of what relays accept in an OP_RETURN (100 kB),
/// and a trade needs one or two.
pub const EDICT_LIMIT: usize = 1_000;

/// The tag whose values belong to protocols on top of runes; odd, so that ord ignores it.
pub(crate) const PROTOCOL_TAG: u128 = 16_383;

/// Why no runestone is written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// The transaction has too many outputs.
    #[error("found {found} outputs, expected between 1 and {OUTPUT_LIMIT}, the runestone's own among them")]
    Outputs {
        /// Outputs of the transaction.
        found: u32,
    },
    /// There are too many edicts.
    #[error("found {found} edicts, expected at most {EDICT_LIMIT}: use several transactions")]
    Edicts {
        /// Edicts given.
        found: usize,
    },
    /// An edict of a transfer has the amount 0, which the protocol reads as everything.
    #[error("found an edict of 0 units of rune {id}, which would move all of them: name the units")]
    ZeroAmount {
        /// Of which rune.
        id: RuneId,
    },
    /// The name is one of those that the protocol gives to runes without a name.
    #[error("found the reserved name {rune}, expected another one, or none to be given a reserved one")]
    Reserved {
        /// The name.
        rune: Rune,
    },
    /// Every reader would see a cenotaph, which burns the runes on the inputs.
    #[error("this runestone would be a cenotaph, which burns all runes on the inputs: {flaw}")]
    Cenotaph {
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// A reader would not see all of what was given.
    #[error(
        "this runestone would be read differently: check divisibility (at most 38), spacers (at most 27 bits) and rune ids (no 0:n)"
    )]
    Unfaithful,
    /// A mint of a rune that does not exist.
    #[error("found the rune id {id} to mint, expected that of an etched rune")]
    Mint {
        /// The id.
        id: RuneId,
    },
}

/// The script that moves what the edicts say, and the rest to output `pointer`, in a transaction of `outputs` outputs, this one included.
///
/// Edicts are sorted by rune id, as the encoding demands; those of one rune keep their order.
pub fn transfer_script(edicts: &[Edict], pointer: Option<u32>, outputs: u32) -> Result<ScriptBuf, ScriptError> {
    write(transfer(edicts, pointer)?, &[], outputs)
}

/// The script that etches a rune. Unless it has no name, an input has to reveal the commitment to the name
/// ([`Rune::commitment`]) in a tapscript, six blocks after the output it spends.
pub fn etching_script(etching: Etching, pointer: Option<u32>, outputs: u32) -> Result<ScriptBuf, ScriptError> {
    if let Some(rune) = etching.rune.filter(|rune| rune.is_reserved()) {
        return Err(ScriptError::Reserved { rune });
    }
    write(Runestone { etching: Some(etching), pointer, ..Runestone::default() }, &[], outputs)
}

/// The script that mints a rune once, to output `pointer`. Whether its terms allow that is for the [index](crate::rune::index) to say.
pub fn mint_script(id: RuneId, pointer: Option<u32>, outputs: u32) -> Result<ScriptBuf, ScriptError> {
    if id == RuneId::default() {
        return Err(ScriptError::Mint { id });
    }
    write(Runestone { mint: Some(id), pointer, ..Runestone::default() }, &[], outputs)
}

/// The runestone of a transfer.
pub(crate) fn transfer(edicts: &[Edict], pointer: Option<u32>) -> Result<Runestone, ScriptError> {
    if edicts.len() > EDICT_LIMIT {
        return Err(ScriptError::Edicts { found: edicts.len() });
    }
    if let Some(edict) = edicts.iter().find(|edict| edict.amount == 0) {
        return Err(ScriptError::ZeroAmount { id: edict.id });
    }
    let mut edicts = edicts.to_vec();
    edicts.sort_by_key(|edict| edict.id);
    Ok(Runestone { edicts, pointer, ..Runestone::default() })
}

/// Writes a runestone whose edicts are sorted, with the values of other protocols, and reads it again.
pub(crate) fn write(runestone: Runestone, protocol: &[u128], outputs: u32) -> Result<ScriptBuf, ScriptError> {
    if outputs == 0 || outputs > OUTPUT_LIMIT {
        return Err(ScriptError::Outputs { found: outputs });
    }
    let mut payload = Vec::new();
    for value in protocol {
        varint::encode_to_vec(PROTOCOL_TAG, &mut payload);
        varint::encode_to_vec(*value, &mut payload);
    }
    payload.extend(payload_of(&runestone.encipher()).expect("crate ordinals writes a readable runestone"));
    let payload = PushBytesBuf::try_from(payload).expect("bounded edicts and protocol values stay far below 4 GiB");
    let builder = Builder::new().push_opcode(OP_RETURN).push_opcode(Runestone::MAGIC_NUMBER);
    // An empty push would be an opcode, which makes a cenotaph.
    let builder = if payload.is_empty() { builder } else { builder.push_slice(payload) };
    let script = builder.into_script();

    match read_in(&script, outputs) {
        Some(Artifact::Runestone(read)) if read == runestone => Ok(script),
        Some(Artifact::Cenotaph(cenotaph)) => {
            cenotaph.flaw.map_or(Err(ScriptError::Unfaithful), |flaw| Err(ScriptError::Cenotaph { flaw }))
        }
        Some(Artifact::Runestone(_)) | None => Err(ScriptError::Unfaithful),
    }
}

/// What a reader sees in `script` when the transaction has so many outputs.
fn read_in(script: &Script, outputs: u32) -> Option<Artifact> {
    let other = TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::new() };
    let mut output = vec![other; usize::try_from(outputs).ok()?];
    output.first_mut()?.script_pubkey = script.to_owned();
    Runestone::decipher(&Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input: Vec::new(), output })
}

/// The payload of a runestone's script: what is pushed after `OP_RETURN OP_13`. None where the script is something else or malformed.
pub(crate) fn payload_of(script: &Script) -> Option<Vec<u8>> {
    let mut payload = Vec::new();
    for instruction in pushes_of(script)? {
        match instruction {
            Ok(Instruction::PushBytes(push)) => payload.extend_from_slice(push.as_bytes()),
            Ok(Instruction::Op(_)) | Err(_) => return None,
        }
    }
    Some(payload)
}

/// Whether a script is where a runestone is looked for; the first such output of a transaction counts, even if it is malformed.
pub(crate) fn is_runestone(script: &Script) -> bool {
    pushes_of(script).is_some()
}

fn pushes_of(script: &Script) -> Option<bitcoin::script::Instructions<'_>> {
    let mut instructions = script.instructions();
    let mut next_is = |opcode| instructions.next() == Some(Ok(Instruction::Op(opcode)));
    (next_is(OP_RETURN) && next_is(Runestone::MAGIC_NUMBER)).then_some(instructions)
}

#[cfg(test)]
mod tests;
