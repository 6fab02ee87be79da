//! The runestone that moves alkanes, and runes beside them.

use bitcoin::ScriptBuf;
use ordinals::Edict as RuneEdict;

use crate::alkane::PROTOCOL;
use crate::alkane::protostone::{self, Edict, Protostone, ProtostoneError};
use crate::asset::AlkaneId;
use crate::rune::script::{self, ScriptError};

/// What moves where, in one transaction.
///
/// Whether the pointer's output can hold anything, which OP_RETURN cannot, shows when the finished transaction is
/// [allocated](super::allocate).
#[derive(Clone, Copy, Debug)]
pub struct Transfer<'a> {
    /// Alkanes; each edict names its units and a real output.
    pub alkanes: &'a [Edict],
    /// Runes.
    pub runes: &'a [RuneEdict],
    /// The output that gets everything else, of both protocols.
    pub pointer: u32,
    /// How many outputs the transaction has, this one included.
    pub outputs: u32,
}

/// Why no script is written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlkaneScriptError {
    /// The runestone around it is refused.
    #[error(transparent)]
    Runestone(#[from] ScriptError),
    /// The protostone is refused.
    #[error(transparent)]
    Protostone(#[from] ProtostoneError),
    /// An edict of no units, which the protocol reads as all.
    #[error("found an edict of 0 units of alkane {id}, which would move all of them: name the units")]
    ZeroAmount {
        /// Of which alkane.
        id: AlkaneId,
    },
    /// An output that does not exist; the protocol would burn what is sent there.
    #[error("found output {found}, expected one below {outputs}: what is sent elsewhere is lost")]
    Output {
        /// The output named.
        found: u32,
        /// How many there are.
        outputs: u32,
    },
}

/// The script that moves alkanes and runes. It has a protostone for alkanes even when no alkane is named, so that those on the inputs go to
/// the pointer and are not burned.
pub fn transfer_script(transfer: Transfer<'_>) -> Result<ScriptBuf, AlkaneScriptError> {
    let Transfer { alkanes, runes, pointer, outputs } = transfer;
    if let Some(edict) = alkanes.iter().find(|edict| edict.amount == 0) {
        return Err(AlkaneScriptError::ZeroAmount { id: edict.id });
    }
    let mut named = alkanes.iter().map(|edict| edict.output).chain([pointer]);
    if let Some(found) = named.find(|output| *output >= outputs) {
        return Err(AlkaneScriptError::Output { found, outputs });
    }
    if alkanes.len() > script::EDICT_LIMIT {
        return Err(ScriptError::Edicts { found: alkanes.len() }.into());
    }
    let stone = Protostone {
        protocol_tag: PROTOCOL,
        edicts: alkanes.to_vec(),
        pointer: Some(pointer),
        refund: Some(pointer),
        ..Protostone::default()
    };
    let values = protostone::encode(&[stone])?;
    Ok(script::write(script::transfer(runes, Some(pointer))?, &values, outputs)?)
}
