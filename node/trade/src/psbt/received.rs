//! A PSBT as it came from the other side: read, within bounds, and not believed.

use bitcoin::Psbt;

use super::framing;
use super::{MAX_PROPRIETARY_FIELDS, MAX_PSBT_BYTES};

/// Why bytes are not a PSBT of a swap.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// There are too many bytes.
    #[error("found {found} bytes, expected at most {MAX_PSBT_BYTES}")]
    TooLarge {
        /// How many.
        found: usize,
    },
    /// The bytes end within something.
    #[error("the bytes end within a field that begins at {at}")]
    Truncated {
        /// Where it begins.
        at: usize,
    },
    /// The unsigned transaction is not the first field, or not unsigned.
    #[error("found no unsigned transaction in the first field")]
    NoTransaction,
    /// The transaction has too many inputs.
    #[error("found {found} inputs, expected at most {}", framing::MAX_INPUTS)]
    Inputs {
        /// How many it announces.
        found: u64,
    },
    /// The transaction has too many outputs.
    #[error("found {found} outputs, expected at most {}", framing::MAX_OUTPUTS)]
    Outputs {
        /// How many it announces.
        found: u64,
    },
    /// There is not one map for each input and output, or something follows the last one.
    #[error("found {found} maps, expected {expected}: one, and one for each input and output")]
    Maps {
        /// How many.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A field that a key spend does not need, and that could make a signer do something else.
    #[error("found a field of type {kind:#04x} in map {map}, which a swap does not need: leave it out")]
    Field {
        /// The index of the map.
        map: usize,
        /// The type of the field.
        kind: u8,
    },
    /// There are too many proprietary fields.
    #[error("found more than {MAX_PROPRIETARY_FIELDS} proprietary fields")]
    Proprietary,
    /// Something within the fields is malformed.
    #[error("malformed PSBT: {reason}")]
    Malformed {
        /// What.
        reason: String,
    },
}

/// A PSBT that was read and not yet checked. Nothing signs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedPsbt {
    pub(super) psbt: Psbt,
}

impl ReceivedPsbt {
    /// Reads a PSBT (BIP 174, version 0) within bounds: see [`MAX_PSBT_BYTES`] and [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        framing::check(bytes)?;
        match Psbt::deserialize(bytes) {
            Ok(psbt) => Ok(Self { psbt }),
            Err(error) => Err(DecodeError::Malformed { reason: error.to_string() }),
        }
    }
}

/// A PSBT of this side has to be checked as well before it is signed.
impl From<Psbt> for ReceivedPsbt {
    fn from(psbt: Psbt) -> Self {
        Self { psbt }
    }
}
