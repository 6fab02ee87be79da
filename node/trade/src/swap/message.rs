//! What the two sides of a swap say to each other, and its wire form.
//!
//! Protocol buffers, one message each. Who sent it is known from the connection, so nothing is signed here: signatures are in the
//! PSBT. Every message can be repeated: the same message gets the same answer.

mod wire;

use bitcoin::{FeeRate, OutPoint, Transaction};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Time;
use crate::order::OrderId;
use crate::psbt::{MAX_PSBT_BYTES, MAX_STAKE_INPUTS, Stake};

use super::SwapId;

/// Version of the protocol, in every message.
pub const VERSION: u32 = 1;
/// Inputs that one side may bring, as everywhere.
pub const MAX_INPUTS: usize = MAX_STAKE_INPUTS;
/// Bytes of a script that is paid to: the largest witness program (BIP 141).
pub const MAX_SCRIPT: usize = 42;
/// Bytes of a PSBT, as everywhere.
pub const MAX_PSBT: usize = MAX_PSBT_BYTES;
/// Bytes of a finished transaction: more than `2 * MAX_INPUTS` inputs of single keys take, and less than their PSBT.
pub const MAX_TRANSACTION: usize = MAX_PSBT;
/// Bytes of a message: the largest content and its frame.
pub const MAX_MESSAGE: usize = MAX_PSBT + 1024;

/// A message of a swap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Which swap of the two peers.
    pub swap: SwapId,
    /// What is said.
    pub body: Body,
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Taker to maker: I want this of your order.
    Request(Request),
    /// Maker to taker: agreed, and this is what I bring.
    Accept(Accept),
    /// Either way: no, or no more.
    Reject(Rejection),
    /// Taker to maker: the PSBT with the taker's signatures.
    Proposal(Bytes),
    /// Maker to taker: the finished transaction, which is being broadcast.
    Settled(Transaction),
}

/// What a taker wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The order.
    pub order: OrderId,
    /// How many units of it.
    pub units: u128,
    /// The fee rate, which the taker pays.
    pub fee_rate: FeeRate,
    /// What the taker brings.
    pub stake: Stake,
}

/// What a maker agrees to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accept {
    /// What the maker brings.
    pub stake: Stake,
    /// Until when the maker takes a proposal, by the maker's clock, in whole milliseconds.
    pub deadline: Time,
}

/// Why one side does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Error)]
pub enum Rejection {
    /// A reason of a later version.
    #[error("for a reason that this version does not know")]
    Other,
    /// No such swap, or it is forgotten.
    #[error("the swap is not known")]
    Unknown,
    /// No such order.
    #[error("the order is not known")]
    Order,
    /// The order ended.
    #[error("the order expired")]
    Expired,
    /// The units are below the minimum, or more than is left, or would leave less than the minimum.
    #[error("the units do not fit what is left of the order")]
    Units,
    /// The fee rate is outside of what is taken.
    #[error("the fee rate is not acceptable")]
    FeeRate,
    /// What the other side brings does not do: missing, spent, unconfirmed or too little.
    #[error("the inputs are missing, spent, unconfirmed or too little")]
    Stake,
    /// Too many swaps at once, or an answer took too long.
    #[error("too busy")]
    Busy,
    /// The wallet has nothing to bring.
    #[error("not enough funds")]
    Funds,
    /// The deadline is over.
    #[error("the deadline is over")]
    Late,
    /// The PSBT is not the agreed one, or a signature is wrong.
    #[error("the proposal is not what was agreed")]
    Proposal,
    /// The sender changed its mind.
    #[error("withdrawn")]
    Withdrawn,
}

/// Why bytes are not a message of a swap.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MessageRefusal {
    /// More bytes than any message has.
    #[error("found {found} bytes, expected at most {MAX_MESSAGE}")]
    TooLarge {
        /// What was found.
        found: usize,
    },
    /// Not protocol buffers.
    #[error("found no protocol buffer message: {0}")]
    Malformed(String),
    /// Another version of the protocol.
    #[error("found version {found}, expected {VERSION}; update the older side")]
    Version {
        /// What was found.
        found: u32,
    },
    /// A field that every message of the kind has is missing.
    #[error("found no {field}")]
    Missing {
        /// Which.
        field: &'static str,
    },
    /// A field of fixed length has another one.
    #[error("found {found} bytes of {field}, expected {expected}")]
    Length {
        /// Which.
        field: &'static str,
        /// What was found.
        found: usize,
        /// What was expected.
        expected: usize,
    },
    /// A field is larger than it may be.
    #[error("found {field} of size {found}, expected at most {limit}")]
    Oversized {
        /// Which.
        field: &'static str,
        /// What was found.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// An input is named twice.
    #[error("found {outpoint} twice, expected every input once")]
    Repeated {
        /// Which.
        outpoint: OutPoint,
    },
    /// A script to pay to is not a witness program.
    #[error("found {field} that is not a witness program, expected a segwit or taproot address")]
    Script {
        /// Which.
        field: &'static str,
    },
    /// The finished transaction is none.
    #[error("found no transaction: {0}")]
    Transaction(String),
}

impl Message {
    /// The message's bytes.
    ///
    /// # Panics
    /// When a field is larger than a message allows: a peer would refuse it, so it must not be made.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let bytes = wire::encode(self);
        assert!(bytes.len() <= MAX_MESSAGE, "a message has {} bytes, at most {MAX_MESSAGE} are taken", bytes.len());
        bytes
    }

    /// Reads a message.
    ///
    /// # Errors
    /// [`MessageRefusal`] for anything that [`encode`](Self::encode) does not make, but for unknown fields, which are ignored.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageRefusal> {
        if bytes.len() > MAX_MESSAGE {
            return Err(MessageRefusal::TooLarge { found: bytes.len() });
        }
        wire::decode(bytes)
    }
}

#[cfg(test)]
mod tests;
