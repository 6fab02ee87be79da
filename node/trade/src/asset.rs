//! What can be traded.

use std::fmt;

use ordinals::RuneId;
use serde::{Deserialize, Serialize};

/// The name of an alkane: the block and the transaction within it by which its contract came to be.
///
/// Written `block:tx`, as the alkanes specification does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AlkaneId {
    /// The block part; small numbers name kinds of creation instead of a height.
    pub block: u128,
    /// The number within the block part.
    pub tx: u128,
}

impl fmt::Display for AlkaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.block, self.tx)
    }
}

/// An asset that is exchanged against bitcoin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Asset {
    /// A rune, by its id.
    Rune(RuneId),
    /// An alkane, by its id.
    Alkane(AlkaneId),
}

impl fmt::Display for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rune(id) => write!(f, "rune {id}"),
            Self::Alkane(id) => write!(f, "alkane {id}"),
        }
    }
}
