//! The messages of protocols on top of runes, in the runestone's protocol field: read and written.
//!
//! A *protostone* is a list of integers: protocol tag, number of integers that follow, then pairs of field and value; field 0 ends the
//! pairs, and edicts follow in fours, ids as differences, as in a runestone. The protostones of a transaction follow each other as LEB128
//! varints. Those bytes are cut into pieces of 15, each a little-endian integer, so that none looks like more than 128 bits, and every
//! integer is one value of the runestone's odd field 16383, which ord ignores.

use bitcoin::Transaction;
use ordinals::{Artifact, Flaw, Runestone, varint};

use crate::asset::AlkaneId;
use crate::rune::script::{PROTOCOL_TAG, is_runestone, payload_of};

/// The most protostones of a transaction: indexers of the first years void a transaction from the 100th on.
pub const PROTOSTONE_LIMIT: usize = 64;

/// The most bytes of all protostones together: what relays accept in an OP_RETURN (100 kB), 15 of 20 bytes of which can be ours.
pub const BYTE_LIMIT: usize = 75_000;

/// Bytes of a protocol value: one fewer than it has room for.
const CHUNK: usize = 15;

const MESSAGE: u128 = 81;
const BURN: u128 = 83;
const POINTER: u128 = 91;
const REFUND: u128 = 93;
const FROM: u128 = 95;
const BODY: u128 = 0;

/// Moves units of one asset to an output.
///
/// Outputs from the number of outputs plus one on are *virtual*: the protostones of the transaction, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edict {
    /// Of which alkane.
    pub id: AlkaneId,
    /// How many units; zero for all.
    pub amount: u128,
    /// To which output.
    pub output: u32,
}

/// A message to one protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protostone {
    /// To which protocol; [`PROTOCOL`](super::PROTOCOL) is alkanes.
    pub protocol_tag: u128,
    /// What to move.
    pub edicts: Vec<Edict>,
    /// Where everything else goes.
    pub pointer: Option<u32>,
    /// Where everything goes if the message fails.
    pub refund: Option<u32>,
    /// The protocol for which runes are converted.
    pub burn: Option<u128>,
    /// Which of the runestone's edicts are converted.
    pub from: Vec<u32>,
    /// What a contract is told: integers of 15 bytes.
    pub message: Vec<u128>,
}

/// Why bytes are no protostones, or protostones no bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtostoneError {
    /// The runestone is malformed, so that indexers do not read its protocol field.
    #[error("found a cenotaph, expected a runestone: {}", flaw.map_or("unknown flaw".to_owned(), |flaw| flaw.to_string()))]
    Cenotaph {
        /// What is wrong with it.
        flaw: Option<Flaw>,
    },
    /// There are too many.
    #[error("found more than {PROTOSTONE_LIMIT} protostones, expected fewer: older indexers void such a transaction")]
    TooMany,
    /// They are too long.
    #[error("found more than {BYTE_LIMIT} bytes of protostones, expected fewer")]
    TooLong,
    /// A value does not fit into 15 bytes.
    #[error("found a value of more than 15 bytes, expected at most 15")]
    Chunk,
    /// A varint is cut off or too large.
    #[error("found a malformed varint, expected LEB128 of at most 128 bits")]
    Varint,
    /// A protostone is shorter than it says, or its edicts are not in fours.
    #[error("found {found} integers, expected {expected}: the protostone is cut off")]
    Truncated {
        /// Integers left.
        found: usize,
        /// Integers wanted.
        expected: u128,
    },
    /// Something follows where zeros have to fill the last value.
    #[error("found data after the end of the protostones, expected zeros")]
    Padding,
    /// A field is there twice where only one value counts.
    #[error("found field {field} twice, expected it once: indexers would take the first")]
    Repeated {
        /// Which.
        field: u128,
    },
    /// An output index is too large.
    #[error("found output {found}, expected a number of at most 32 bits")]
    Output {
        /// The number.
        found: u128,
    },
    /// An edict's id does not exist.
    #[error("found an edict for an id that no alkane can have, expected block:tx with a block above zero")]
    Id,
    /// The protocol tag zero means the end.
    #[error("found protocol tag 0, expected another one: it marks the end of the protostones")]
    Tag,
}

/// The protostones of a transaction; none if it has no runestone or no protocol field.
pub fn protostones(tx: &Transaction) -> Result<Vec<Protostone>, ProtostoneError> {
    match Runestone::decipher(tx) {
        None => Ok(Vec::new()),
        Some(Artifact::Cenotaph(cenotaph)) => Err(ProtostoneError::Cenotaph { flaw: cenotaph.flaw }),
        Some(Artifact::Runestone(_)) => {
            let scripts = tx.output.iter().map(|output| &output.script_pubkey);
            let payload = scripts.into_iter().find(|script| is_runestone(script)).and_then(|script| payload_of(script));
            decode(&protocol_values(&payload.unwrap_or_default())?)
        }
    }
}

/// The values of the protocol field in a runestone's payload.
fn protocol_values(payload: &[u8]) -> Result<Vec<u128>, ProtostoneError> {
    let integers = integers(payload)?;
    let (pairs, _) = integers.as_chunks::<2>();
    let fields = pairs.iter().take_while(|[tag, _]| *tag != BODY);
    Ok(fields.filter(|[tag, _]| *tag == PROTOCOL_TAG).map(|[_, value]| *value).collect())
}

/// Reads the values of a protocol field.
pub fn decode(values: &[u128]) -> Result<Vec<Protostone>, ProtostoneError> {
    if values.len() > BYTE_LIMIT / CHUNK {
        return Err(ProtostoneError::TooLong);
    }
    let mut bytes = Vec::with_capacity(values.len() * CHUNK);
    for value in values {
        let [chunk @ .., 0] = value.to_le_bytes() else { return Err(ProtostoneError::Chunk) };
        bytes.extend_from_slice(&chunk);
    }
    let integers = integers(&bytes)?;
    let mut rest = integers.as_slice();
    let mut stones = Vec::new();
    while let Some((&protocol_tag, after)) = rest.split_first() {
        if protocol_tag == 0 {
            let padding = rest.len() < CHUNK && rest.iter().all(|integer| *integer == 0);
            return if padding { Ok(stones) } else { Err(ProtostoneError::Padding) };
        }
        let (&length, after) = after.split_first().ok_or(ProtostoneError::Truncated { found: 0, expected: 1 })?;
        let missing = ProtostoneError::Truncated { found: after.len(), expected: length };
        let length = usize::try_from(length).map_err(|_| missing.clone())?;
        let (own, after) = after.split_at_checked(length).ok_or(missing)?;
        if stones.len() == PROTOSTONE_LIMIT {
            return Err(ProtostoneError::TooMany);
        }
        stones.push(read(protocol_tag, own)?);
        rest = after;
    }
    Ok(stones)
}

/// Reads one protostone. Fields that nobody knows mean nothing, as in the specification.
fn read(protocol_tag: u128, integers: &[u128]) -> Result<Protostone, ProtostoneError> {
    let mut stone = Protostone { protocol_tag, ..Protostone::default() };
    let mut rest = integers;
    while let Some((&field, after)) = rest.split_first() {
        if field == BODY {
            stone.edicts = edicts(after)?;
            return Ok(stone);
        }
        let (&value, after) = after.split_first().ok_or(ProtostoneError::Truncated { found: 1, expected: 2 })?;
        match field {
            MESSAGE if value.to_le_bytes()[CHUNK] != 0 => return Err(ProtostoneError::Chunk),
            MESSAGE => stone.message.push(value),
            FROM => stone.from.push(index(value)?),
            POINTER => once(&mut stone.pointer, index(value)?, field)?,
            REFUND => once(&mut stone.refund, index(value)?, field)?,
            BURN => once(&mut stone.burn, value, field)?,
            _ => {}
        }
        rest = after;
    }
    Ok(stone)
}

fn edicts(integers: &[u128]) -> Result<Vec<Edict>, ProtostoneError> {
    let (fours, rest) = integers.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(ProtostoneError::Truncated { found: rest.len(), expected: 4 });
    }
    let mut id = AlkaneId { block: 0, tx: 0 };
    let mut edicts = Vec::with_capacity(fours.len());
    for &[block, tx, amount, output] in fours {
        let tx = if block == 0 { id.tx.checked_add(tx) } else { Some(tx) };
        id =
            id.block.checked_add(block).zip(tx).map(|(block, tx)| AlkaneId { block, tx }).ok_or(ProtostoneError::Id)?;
        // Indexers void the whole transaction for an id such as 0:5; nothing is ever created with 0:0 either.
        if id.block == 0 {
            return Err(ProtostoneError::Id);
        }
        edicts.push(Edict { id, amount, output: index(output)? });
    }
    Ok(edicts)
}

fn index(value: u128) -> Result<u32, ProtostoneError> {
    u32::try_from(value).map_err(|_| ProtostoneError::Output { found: value })
}

fn once<T>(slot: &mut Option<T>, value: T, field: u128) -> Result<(), ProtostoneError> {
    match slot.replace(value) {
        Some(_) => Err(ProtostoneError::Repeated { field }),
        None => Ok(()),
    }
}

fn integers(mut bytes: &[u8]) -> Result<Vec<u128>, ProtostoneError> {
    let mut integers = Vec::new();
    while !bytes.is_empty() {
        let (integer, length) = varint::decode(bytes).map_err(|_| ProtostoneError::Varint)?;
        integers.push(integer);
        bytes = bytes.get(length..).ok_or(ProtostoneError::Varint)?;
    }
    Ok(integers)
}

/// Writes protostones as the values of a protocol field. Edicts are sorted by id; those of one id keep their order.
pub fn encode(stones: &[Protostone]) -> Result<Vec<u128>, ProtostoneError> {
    if stones.len() > PROTOSTONE_LIMIT {
        return Err(ProtostoneError::TooMany);
    }
    let mut bytes = Vec::new();
    for stone in stones {
        if stone.protocol_tag == 0 {
            return Err(ProtostoneError::Tag);
        }
        let own = written(stone)?;
        for integer in [stone.protocol_tag, own.len() as u128].iter().chain(&own) {
            varint::encode_to_vec(*integer, &mut bytes);
        }
    }
    if bytes.len() > BYTE_LIMIT {
        return Err(ProtostoneError::TooLong);
    }
    let chunk = |chunk: &[u8]| {
        let mut value = [0; 16];
        value[..chunk.len()].copy_from_slice(chunk);
        u128::from_le_bytes(value)
    };
    Ok(bytes.chunks(CHUNK).map(chunk).collect())
}

/// The integers of one protostone.
fn written(stone: &Protostone) -> Result<Vec<u128>, ProtostoneError> {
    if stone.message.iter().any(|value| value.to_le_bytes()[CHUNK] != 0) {
        return Err(ProtostoneError::Chunk);
    }
    let single = [(BURN, stone.burn), (POINTER, stone.pointer.map(u128::from)), (REFUND, stone.refund.map(u128::from))];
    let mut integers = Vec::new();
    integers.extend(single.into_iter().filter_map(|(field, value)| Some([field, value?])).flatten());
    integers.extend(stone.from.iter().flat_map(|index| [FROM, u128::from(*index)]));
    integers.extend(stone.message.iter().flat_map(|value| [MESSAGE, *value]));
    if stone.edicts.is_empty() {
        return Ok(integers);
    }
    integers.push(BODY);
    let mut edicts = stone.edicts.clone();
    edicts.sort_by_key(|edict| edict.id);
    let mut last = AlkaneId { block: 0, tx: 0 };
    for Edict { id, amount, output } in edicts {
        if id.block == 0 {
            return Err(ProtostoneError::Id);
        }
        // Sorted, so neither difference can be negative.
        let block = id.block - last.block;
        let tx = if block == 0 { id.tx - last.tx } else { id.tx };
        integers.extend([block, tx, amount, u128::from(output)]);
        last = id;
    }
    Ok(integers)
}

#[cfg(test)]
mod tests;
