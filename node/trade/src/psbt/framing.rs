//! The fields of an encoded PSBT (BIP 174), walked before anything is decoded.
//!
//! The decoder of crate `bitcoin` reserves up to 4 MB for a length that somebody merely announces, and reads fields that a swap never
//! has. So lengths, counts and types are checked first, in place.

use super::received::DecodeError;
use super::{MAX_PROPRIETARY_FIELDS, MAX_PSBT_BYTES, MAX_STAKE_INPUTS};

/// The most inputs: those of both sides.
pub(super) const MAX_INPUTS: u64 = 2 * MAX_STAKE_INPUTS as u64;

/// The most outputs. A swap has five; a few more are read so that the refusal can say what is wrong.
pub(super) const MAX_OUTPUTS: u64 = 16;

/// What a PSBT begins with.
const MAGIC: [u8; 5] = *b"psbt\xff";

/// An input of an unsigned transaction: outpoint, an empty script, sequence.
const UNSIGNED_INPUT: usize = 36 + 1 + 4;

/// Types of the global map: the unsigned transaction, the version.
const GLOBAL: [u8; 2] = [UNSIGNED_TX, 0xfb];

const UNSIGNED_TX: u8 = 0x00;

/// Types of an input's map: previous output, ECDSA signature, sighash type, taproot key signature.
const INPUT: [u8; 4] = [0x01, 0x02, 0x03, 0x13];

/// A field whose meaning is private to some program.
const PROPRIETARY: u8 = 0xfc;

/// Refuses what is out of bounds.
pub(super) fn check(bytes: &[u8]) -> Result<(), DecodeError> {
    if bytes.len() > MAX_PSBT_BYTES {
        return Err(DecodeError::TooLarge { found: bytes.len() });
    }
    let mut reader = Reader { bytes, at: 0 };
    if reader.take(MAGIC.len())? != MAGIC {
        return Err(DecodeError::Malformed { reason: "no PSBT".to_owned() });
    }
    let (inputs, outputs) = counts(reader)?;
    let expected = 1 + inputs + outputs;
    let (mut map, mut proprietary) = (0, 0);
    while reader.at < bytes.len() {
        if map == expected {
            return Err(DecodeError::Maps { found: map + 1, expected });
        }
        while let Some((kind, _)) = reader.field()? {
            let known = match map {
                0 => GLOBAL.contains(&kind),
                map if map <= inputs => INPUT.contains(&kind),
                _ => false,
            };
            if kind == PROPRIETARY {
                proprietary += 1;
            } else if !known {
                return Err(DecodeError::Field { map, kind });
            }
            if proprietary > MAX_PROPRIETARY_FIELDS {
                return Err(DecodeError::Proprietary);
            }
        }
        map += 1;
    }
    if map < expected {
        return Err(DecodeError::Maps { found: map, expected });
    }
    Ok(())
}

/// The inputs and outputs that the unsigned transaction announces.
fn counts(mut reader: Reader<'_>) -> Result<(usize, usize), DecodeError> {
    let Some((UNSIGNED_TX, bytes)) = reader.field()? else { return Err(DecodeError::NoTransaction) };
    let mut tx = Reader { bytes, at: 0 };
    let version = size_of::<i32>();
    tx.take(version)?;
    let found = tx.compact_size()?;
    let inputs = usize::try_from(found).ok().filter(|_| found <= MAX_INPUTS).ok_or(DecodeError::Inputs { found })?;
    for _ in 0..inputs {
        if tx.take(UNSIGNED_INPUT)?[36] != 0 {
            return Err(DecodeError::NoTransaction);
        }
    }
    let found = tx.compact_size()?;
    let outputs = usize::try_from(found).ok().filter(|_| found <= MAX_OUTPUTS).ok_or(DecodeError::Outputs { found })?;
    Ok((inputs, outputs))
}

/// A place in bytes.
#[derive(Clone, Copy)]
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let end = self.at.checked_add(length);
        let taken = end.and_then(|end| self.bytes.get(self.at..end)).ok_or(DecodeError::Truncated { at: self.at })?;
        self.at += length;
        Ok(taken)
    }

    /// The type and the value of the next field; none at the end of a map.
    fn field(&mut self) -> Result<Option<(u8, &'a [u8])>, DecodeError> {
        let key = self.prefixed()?;
        let Some(kind) = key.first() else { return Ok(None) };
        Ok(Some((*kind, self.prefixed()?)))
    }

    /// Bytes behind their length.
    fn prefixed(&mut self) -> Result<&'a [u8], DecodeError> {
        let at = self.at;
        let length = usize::try_from(self.compact_size()?).map_err(|_| DecodeError::Truncated { at })?;
        self.take(length)
    }

    /// A compact size: 1, 3, 5 or 9 bytes.
    fn compact_size(&mut self) -> Result<u64, DecodeError> {
        let width = match self.take(1)?[0] {
            0xfd => 2,
            0xfe => 4,
            0xff => 8,
            small => return Ok(u64::from(small)),
        };
        let mut wide = [0; 8];
        wide[..width].copy_from_slice(self.take(width)?);
        Ok(u64::from_le_bytes(wide))
    }
}
