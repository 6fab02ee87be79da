//! The protobuf messages of statements.
//!
//! Written by hand for `prost`; the tags are the format. Numbers of 128 bits are two of 64, since protobuf has none. Encodings
//! are canonical: decoding refuses every other encoding of the same content, so a relay cannot make variants of what it forwards.

use bitcoin::hashes::Hash as _;
use bitcoin::{OutPoint, Txid};
use ordinals::RuneId;

use super::{OrderRefusal, Side};
use crate::asset::{AlkaneId, Asset};

/// What travels.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SignedStatement {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) payload: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) signature: Vec<u8>,
}

/// What is signed.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Payload {
    #[prost(uint32, tag = "1")]
    pub(super) version: u32,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) maker: Vec<u8>,
    #[prost(uint32, tag = "3")]
    pub(super) slot: u32,
    #[prost(uint64, tag = "4")]
    pub(super) revision: u64,
    #[prost(oneof = "WireAct", tags = "5, 6")]
    pub(super) act: Option<WireAct>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum WireAct {
    #[prost(message, tag = "5")]
    Offer(WireOffer),
    #[prost(message, tag = "6")]
    Cancel(WireCancel),
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct WireCancel {}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WireOffer {
    #[prost(oneof = "WireAsset", tags = "1, 2")]
    pub(super) asset: Option<WireAsset>,
    #[prost(uint32, tag = "3")]
    pub(super) side: u32,
    #[prost(message, optional, tag = "4")]
    pub(super) units: Option<Uint128>,
    #[prost(message, optional, tag = "5")]
    pub(super) minimum: Option<Uint128>,
    #[prost(uint64, tag = "6")]
    pub(super) price_sats: u64,
    #[prost(message, optional, tag = "7")]
    pub(super) price_units: Option<Uint128>,
    #[prost(uint64, tag = "8")]
    pub(super) expires: u64,
    #[prost(bytes = "vec", optional, tag = "9")]
    pub(super) presigned: Option<Vec<u8>>,
    #[prost(message, repeated, tag = "10")]
    pub(super) funding: Vec<WireOutPoint>,
}

#[derive(Clone, Copy, PartialEq, prost::Oneof)]
pub(super) enum WireAsset {
    #[prost(message, tag = "1")]
    Rune(WireRune),
    #[prost(message, tag = "2")]
    Alkane(WireAlkane),
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct WireRune {
    #[prost(uint64, tag = "1")]
    pub(super) block: u64,
    #[prost(uint32, tag = "2")]
    pub(super) tx: u32,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct WireAlkane {
    #[prost(message, optional, tag = "1")]
    pub(super) block: Option<Uint128>,
    #[prost(message, optional, tag = "2")]
    pub(super) tx: Option<Uint128>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct Uint128 {
    #[prost(uint64, tag = "1")]
    pub(super) high: u64,
    #[prost(uint64, tag = "2")]
    pub(super) low: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WireOutPoint {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) txid: Vec<u8>,
    #[prost(uint32, tag = "2")]
    pub(super) vout: u32,
}

impl From<u128> for Uint128 {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are what is wanted")]
    fn from(value: u128) -> Self {
        Self { high: (value >> 64) as u64, low: value as u64 }
    }
}

impl From<Uint128> for u128 {
    fn from(value: Uint128) -> Self {
        (Self::from(value.high) << 64) | Self::from(value.low)
    }
}

impl From<Asset> for WireAsset {
    fn from(asset: Asset) -> Self {
        match asset {
            Asset::Rune(id) => Self::Rune(WireRune { block: id.block, tx: id.tx }),
            Asset::Alkane(id) => Self::Alkane(WireAlkane { block: Some(id.block.into()), tx: Some(id.tx.into()) }),
        }
    }
}

impl TryFrom<WireAsset> for Asset {
    type Error = OrderRefusal;

    fn try_from(asset: WireAsset) -> Result<Self, OrderRefusal> {
        match asset {
            WireAsset::Rune(WireRune { block, tx }) => Ok(Self::Rune(RuneId { block, tx })),
            WireAsset::Alkane(WireAlkane { block, tx }) => Ok(Self::Alkane(AlkaneId {
                block: present("block of the alkane", block)?.into(),
                tx: present("number of the alkane", tx)?.into(),
            })),
        }
    }
}

impl From<&OutPoint> for WireOutPoint {
    fn from(outpoint: &OutPoint) -> Self {
        Self { txid: outpoint.txid.to_byte_array().to_vec(), vout: outpoint.vout }
    }
}

impl TryFrom<&WireOutPoint> for OutPoint {
    type Error = OrderRefusal;

    fn try_from(outpoint: &WireOutPoint) -> Result<Self, OrderRefusal> {
        let txid = Txid::from_byte_array(sized("transaction id of the funding", &outpoint.txid)?);
        Ok(Self { txid, vout: outpoint.vout })
    }
}

/// Zero stands for neither side, so that a side is always written.
pub(super) fn side_number(side: Side) -> u32 {
    match side {
        Side::Sell => 1,
        Side::Buy => 2,
    }
}

pub(super) fn side_of(number: u32) -> Result<Side, OrderRefusal> {
    match number {
        1 => Ok(Side::Sell),
        2 => Ok(Side::Buy),
        _ => Err(OrderRefusal::Unknown { field: "side", found: number.into() }),
    }
}

pub(super) fn present<T>(field: &'static str, value: Option<T>) -> Result<T, OrderRefusal> {
    value.ok_or(OrderRefusal::Missing { field })
}

pub(super) fn sized<const N: usize>(field: &'static str, bytes: &[u8]) -> Result<[u8; N], OrderRefusal> {
    bytes.try_into().map_err(|_| OrderRefusal::Length { field, found: bytes.len(), expected: N })
}
