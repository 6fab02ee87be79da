//! The protocol buffers of swap messages.

use std::collections::BTreeSet;
use std::time::Duration;

use bitcoin::consensus::encode;
use bitcoin::{FeeRate, OutPoint, ScriptBuf, Transaction};
use bytes::Bytes;
use prost::Message as _;

use crate::order::OrderId;
use crate::psbt::Stake;
use crate::swap::SwapId;

use super::{
    Accept, Body, MAX_INPUTS, MAX_PSBT, MAX_SCRIPT, MAX_TRANSACTION, Message, MessageRefusal, Rejection, Request,
    VERSION,
};

/// Bytes of an outpoint: txid and index, as in a transaction.
const OUTPOINT: usize = 36;

#[derive(Clone, PartialEq, prost::Message)]
struct WireMessage {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(bytes = "vec", tag = "2")]
    swap: Vec<u8>,
    #[prost(oneof = "WireBody", tags = "3, 4, 5, 6, 7")]
    body: Option<WireBody>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum WireBody {
    #[prost(message, tag = "3")]
    Request(WireRequest),
    #[prost(message, tag = "4")]
    Accept(WireAccept),
    #[prost(uint32, tag = "5")]
    Reject(u32),
    #[prost(bytes = "vec", tag = "6")]
    Proposal(Vec<u8>),
    #[prost(bytes = "vec", tag = "7")]
    Settled(Vec<u8>),
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireRequest {
    #[prost(bytes = "vec", tag = "1")]
    order: Vec<u8>,
    /// Big-endian.
    #[prost(bytes = "vec", tag = "2")]
    units: Vec<u8>,
    /// Satoshis per 1,000 weight units.
    #[prost(uint64, tag = "3")]
    fee_rate: u64,
    #[prost(message, optional, tag = "4")]
    stake: Option<WireStake>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireAccept {
    #[prost(message, optional, tag = "1")]
    stake: Option<WireStake>,
    /// Milliseconds since the Unix epoch.
    #[prost(uint64, tag = "2")]
    deadline: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireStake {
    #[prost(bytes = "vec", repeated, tag = "1")]
    inputs: Vec<Vec<u8>>,
    #[prost(bytes = "vec", tag = "2")]
    receive: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    change: Vec<u8>,
}

/// The numbers of rejections on the wire. A number that is not here reads as `Other`.
const REJECTIONS: [(u32, Rejection); 12] = [
    (0, Rejection::Other),
    (1, Rejection::Unknown),
    (2, Rejection::Order),
    (3, Rejection::Expired),
    (4, Rejection::Units),
    (5, Rejection::FeeRate),
    (6, Rejection::Stake),
    (7, Rejection::Busy),
    (8, Rejection::Funds),
    (9, Rejection::Late),
    (10, Rejection::Proposal),
    (11, Rejection::Withdrawn),
];

pub(super) fn encode(message: &Message) -> Vec<u8> {
    let body = match &message.body {
        Body::Request(request) => WireBody::Request(WireRequest {
            order: request.order.0.to_vec(),
            units: request.units.to_be_bytes().to_vec(),
            fee_rate: request.fee_rate.to_sat_per_kwu(),
            stake: Some(wire_stake(&request.stake)),
        }),
        Body::Accept(accept) => WireBody::Accept(WireAccept {
            stake: Some(wire_stake(&accept.stake)),
            deadline: u64::try_from(accept.deadline.as_millis()).unwrap_or(u64::MAX),
        }),
        Body::Reject(rejection) => {
            let row = REJECTIONS.iter().find(|(_, it)| it == rejection);
            WireBody::Reject(row.expect("the table has every rejection").0)
        }
        Body::Proposal(psbt) => WireBody::Proposal(psbt.to_vec()),
        Body::Settled(transaction) => WireBody::Settled(encode::serialize(transaction)),
    };
    WireMessage { version: VERSION, swap: message.swap.0.to_vec(), body: Some(body) }.encode_to_vec()
}

pub(super) fn decode(bytes: &[u8]) -> Result<Message, MessageRefusal> {
    let wire = WireMessage::decode(bytes).map_err(|error| MessageRefusal::Malformed(error.to_string()))?;
    if wire.version != VERSION {
        return Err(MessageRefusal::Version { found: wire.version });
    }
    let swap = SwapId(array("swap id", &wire.swap)?);
    let body = match wire.body.ok_or(MessageRefusal::Missing { field: "content" })? {
        WireBody::Request(request) => Body::Request(Request {
            order: OrderId(array("order id", &request.order)?),
            units: u128::from_be_bytes(array("units", &request.units)?),
            fee_rate: FeeRate::from_sat_per_kwu(request.fee_rate),
            stake: stake(request.stake)?,
        }),
        WireBody::Accept(accept) => {
            Body::Accept(Accept { stake: stake(accept.stake)?, deadline: Duration::from_millis(accept.deadline) })
        }
        WireBody::Reject(number) => {
            let row = REJECTIONS.iter().find(|(it, _)| *it == number);
            Body::Reject(row.map_or(Rejection::Other, |(_, rejection)| *rejection))
        }
        WireBody::Proposal(psbt) => {
            limit("PSBT", psbt.len(), MAX_PSBT)?;
            Body::Proposal(Bytes::from(psbt))
        }
        WireBody::Settled(bytes) => Body::Settled(transaction(&bytes)?),
    };
    Ok(Message { swap, body })
}

fn wire_stake(stake: &Stake) -> WireStake {
    WireStake {
        inputs: stake.inputs.iter().map(encode::serialize).collect(),
        receive: stake.receive.to_bytes(),
        change: stake.change.to_bytes(),
    }
}

fn stake(wire: Option<WireStake>) -> Result<Stake, MessageRefusal> {
    let wire = wire.ok_or(MessageRefusal::Missing { field: "stake" })?;
    if wire.inputs.is_empty() {
        return Err(MessageRefusal::Missing { field: "input" });
    }
    limit("inputs", wire.inputs.len(), MAX_INPUTS)?;
    let mut seen = BTreeSet::new();
    let mut inputs = Vec::with_capacity(wire.inputs.len());
    for bytes in &wire.inputs {
        let bytes: [u8; OUTPOINT] = array("outpoint", bytes)?;
        let outpoint: OutPoint = encode::deserialize(&bytes).expect("any 36 bytes are an outpoint");
        if !seen.insert(outpoint) {
            return Err(MessageRefusal::Repeated { outpoint });
        }
        inputs.push(outpoint);
    }
    Ok(Stake {
        inputs,
        receive: script("receive script", wire.receive)?,
        change: script("change script", wire.change)?,
    })
}

fn script(field: &'static str, bytes: Vec<u8>) -> Result<ScriptBuf, MessageRefusal> {
    limit(field, bytes.len(), MAX_SCRIPT)?;
    let script = ScriptBuf::from_bytes(bytes);
    if script.is_witness_program() { Ok(script) } else { Err(MessageRefusal::Script { field }) }
}

fn transaction(bytes: &[u8]) -> Result<Transaction, MessageRefusal> {
    limit("transaction", bytes.len(), MAX_TRANSACTION)?;
    encode::deserialize(bytes).map_err(|error| MessageRefusal::Transaction(error.to_string()))
}

fn limit(field: &'static str, found: usize, limit: usize) -> Result<(), MessageRefusal> {
    if found <= limit { Ok(()) } else { Err(MessageRefusal::Oversized { field, found, limit }) }
}

fn array<const N: usize>(field: &'static str, bytes: &[u8]) -> Result<[u8; N], MessageRefusal> {
    bytes.try_into().map_err(|_| MessageRefusal::Length { field, found: bytes.len(), expected: N })
}
