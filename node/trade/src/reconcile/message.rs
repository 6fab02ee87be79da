//! The wire form of a message.

use prost::Message as _;

use super::{MAX_FOUND, MAX_MESSAGE, ReconcileRefusal};
use crate::order::OrderId;

/// A message of either side. Lists of ids are concatenated, so that their length is checked before anything is made of them.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Wire {
    /// A frame of `negentropy`; empty where there is nothing more to compare.
    #[prost(bytes = "vec", tag = "1")]
    pub(super) frame: Vec<u8>,
    /// From the initiator: what the responder lacks.
    #[prost(bytes = "vec", tag = "2")]
    pub(super) have: Vec<u8>,
    /// From the initiator: what the initiator lacks.
    #[prost(bytes = "vec", tag = "3")]
    pub(super) want: Vec<u8>,
    /// From the initiator: no answer is expected.
    #[prost(bool, tag = "4")]
    pub(super) last: bool,
}

impl Wire {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, ReconcileRefusal> {
        if bytes.len() > MAX_MESSAGE {
            return Err(ReconcileRefusal::TooLarge { found: bytes.len() });
        }
        Self::decode(bytes).map_err(ReconcileRefusal::Malformed)
    }

    /// What the initiator has found: first what the responder lacks, then what the initiator lacks.
    pub(super) fn findings(&self) -> Result<(Vec<OrderId>, Vec<OrderId>), ReconcileRefusal> {
        let found = self.have.len().saturating_add(self.want.len());
        if found > MAX_FOUND * 32 {
            return Err(ReconcileRefusal::Findings { found });
        }
        Ok((ids(&self.have)?, ids(&self.want)?))
    }
}

pub(super) fn concatenated(ids: impl Iterator<Item = OrderId>) -> Vec<u8> {
    ids.flat_map(|id| id.0).collect()
}

fn ids(bytes: &[u8]) -> Result<Vec<OrderId>, ReconcileRefusal> {
    let (ids, rest) = bytes.as_chunks::<32>();
    if rest.is_empty() {
        Ok(ids.iter().copied().map(OrderId).collect())
    } else {
        Err(ReconcileRefusal::Findings { found: bytes.len() })
    }
}
