//! What a swap must not forget: everything that a machine needs to go on after a crash.

use std::fmt;

use bitcoin::{Amount, OutPoint, ScriptBuf, Transaction, Txid};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Time;
use crate::order::{Offer, Side, TraderKey};
use crate::psbt::{Party, Stake, Style, Terms};

use super::message::{Rejection, Request};
use super::{Role, SwapId};

/// Version of the record's form.
pub const RECORD_VERSION: u16 = 1;

/// A swap as it is kept on disk, also after its end: the trade history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The form of what follows. Another one is refused when read.
    pub version: RecordVersion,
    /// Which swap of the two sides.
    pub swap: SwapId,
    /// The other side.
    pub peer: TraderKey,
    /// Which side we are.
    pub role: Role,
    /// How it is settled. A presigned one is known to its taker only.
    pub style: Style,
    /// When we first heard of it.
    pub created: Time,
    /// The offer of the order.
    pub offer: Offer,
    /// What the taker wants of it, and brings.
    pub request: Request,
    /// What the bitcoin side pays.
    pub payment: Amount,
    /// How far it is.
    pub stage: Stage,
}

/// How far a swap is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Taker: asked, nothing given away. Maker: thinking; never written.
    Requested,
    /// Maker: agreed; its inputs are reserved. Nothing given away.
    Accepted {
        /// What was agreed on.
        agreement: Agreement,
    },
    /// Taker: its signatures are given away.
    Proposed {
        /// What was agreed on.
        agreement: Agreement,
        /// The PSBT that was sent.
        psbt: Vec<u8>,
    },
    /// The transaction is out, or about to be.
    Broadcast {
        /// What was agreed on.
        agreement: Agreement,
        /// The transaction; none for a taker that saw it on the chain and was never told.
        transaction: Option<Transaction>,
    },
    /// The transaction did not come in time: an input is spent elsewhere, so that it never can.
    Reclaiming {
        /// What was agreed on.
        agreement: Agreement,
        /// The transaction of the swap, where it is known.
        transaction: Option<Transaction>,
        /// Why.
        cause: Cause,
        /// Which try this is, from 1. A later one pays more.
        attempt: u32,
        /// The latest transaction that spends an input elsewhere.
        reclaim: Option<Transaction>,
        /// The input that the first of them spent. All later ones spend it too, so that at most one of them is paid for.
        pinned: Option<OutPoint>,
    },
    /// The transaction has enough confirmations.
    Done {
        /// Its id.
        txid: Txid,
        /// The transaction, where it is known, to answer repeated messages with.
        transaction: Option<Transaction>,
    },
    /// Nothing changed hands, and nothing can any more.
    Aborted {
        /// Why.
        reason: Reason,
    },
}

/// What both sides agreed on, and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// What is swapped.
    pub terms: Terms,
    /// Until when the maker takes a proposal.
    pub deadline: Time,
    /// The id of the transaction. Witnesses are not part of it, so it is known before anybody signs.
    pub txid: Txid,
    /// What it spends.
    pub spends: Vec<Spend>,
}

/// An output that the transaction spends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spend {
    /// Where it is.
    pub outpoint: OutPoint,
    /// Its script, by which an indexer finds what else spends it.
    pub script: ScriptBuf,
}

/// Why inputs are reclaimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// The transaction was not seen in time.
    Overdue,
    /// The peer said that it does not go on. It could have lied.
    Rejected,
    /// We were told to.
    Cancelled,
}

/// Why nothing changed hands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// The peer said no.
    Rejected(Rejection),
    /// We said no.
    Refused {
        /// What the peer was told.
        rejection: Rejection,
        /// What was found, and what was expected.
        detail: String,
    },
    /// The maker did not answer in time.
    NoAnswer,
    /// The taker did not propose in time.
    NoProposal,
    /// Our own wallet, chain or policy took too long, so that the deadline passed before anything was given away.
    Late,
    /// We were told to stop before anything was given away.
    Cancelled,
    /// The wallet did not sign.
    NotSigned(String),
    /// The peer spent one of its inputs elsewhere, and that is confirmed.
    DoubleSpent {
        /// Which input.
        outpoint: OutPoint,
        /// What spent it.
        by: Txid,
    },
    /// We spent one of our inputs elsewhere, and that is confirmed.
    Reclaimed {
        /// Which input.
        outpoint: OutPoint,
        /// What spent it.
        by: Txid,
    },
}

impl Record {
    /// What this side is in the exchange.
    #[must_use]
    pub fn party(&self) -> Party {
        match (self.role, self.offer.side) {
            (Role::Maker, Side::Sell) | (Role::Taker, Side::Buy) => Party::Seller,
            (Role::Maker, Side::Buy) | (Role::Taker, Side::Sell) => Party::Buyer,
        }
    }

    /// The terms that follow from the request and the maker's stake.
    #[must_use]
    pub fn terms(&self, maker: Stake) -> Terms {
        let taker = self.request.stake.clone();
        let (seller, buyer, fee_payer) = match self.offer.side {
            Side::Sell => (maker, taker, Party::Buyer),
            Side::Buy => (taker, maker, Party::Seller),
        };
        let (asset, units, payment) = (self.offer.asset, self.request.units, self.payment);
        Terms { asset, units, payment, seller, buyer, fee_rate: self.request.fee_rate, fee_payer }
    }

    /// What was agreed on, unless the swap is not there yet or has ended.
    #[must_use]
    pub fn agreement(&self) -> Option<&Agreement> {
        match &self.stage {
            Stage::Accepted { agreement }
            | Stage::Proposed { agreement, .. }
            | Stage::Broadcast { agreement, .. }
            | Stage::Reclaiming { agreement, .. } => Some(agreement),
            Stage::Requested | Stage::Done { .. } | Stage::Aborted { .. } => None,
        }
    }

    /// Whether the swap has ended.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        matches!(self.stage, Stage::Done { .. } | Stage::Aborted { .. })
    }
}

impl Agreement {
    /// What one side brings.
    #[must_use]
    pub fn stake(&self, party: Party) -> &Stake {
        match party {
            Party::Seller => &self.terms.seller,
            Party::Buyer => &self.terms.buyer,
        }
    }
}

/// The one version of the record's form that is read and written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordVersion;

impl Serialize for RecordVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RECORD_VERSION.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RecordVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = u16::deserialize(deserializer)?;
        if found == RECORD_VERSION {
            return Ok(Self);
        }
        Err(serde::de::Error::custom(format_args!(
            "found a swap record of version {found}, expected {RECORD_VERSION}; use the version of the node that wrote it"
        )))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Overdue => "the transaction was not seen in time",
            Self::Rejected => "the peer does not go on",
            Self::Cancelled => "cancelled",
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(rejection) => write!(f, "the peer refused: {rejection}"),
            Self::Refused { rejection, detail } => write!(f, "refused: {rejection} ({detail})"),
            Self::NoAnswer => f.write_str("the maker did not answer in time"),
            Self::NoProposal => f.write_str("the taker did not propose in time"),
            Self::Late => f.write_str("this side was not ready in time"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::NotSigned(detail) => write!(f, "the wallet did not sign: {detail}"),
            Self::DoubleSpent { outpoint, by } => write!(f, "the peer spent {outpoint} in {by}"),
            Self::Reclaimed { outpoint, by } => write!(f, "{outpoint} was reclaimed in {by}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_another_version_is_refused() {
        assert_eq!(serde_json::to_string(&RecordVersion).unwrap(), "1");
        assert!(serde_json::from_str::<RecordVersion>("1").is_ok());
        let error = serde_json::from_str::<RecordVersion>("2").unwrap_err().to_string();
        assert!(error.starts_with("found a swap record of version 2, expected 1"), "{error}");
    }
}
