//! Bytes to statements and back.

use std::collections::BTreeSet;

use bitcoin::OutPoint;
use bitcoin::hashes::{Hash as _, sha256};
use bytes::Bytes;
use ed25519_dalek::{Signature, VerifyingKey};
use prost::Message as _;

use super::statement::size_limit;
use super::wire::{Payload, SignedStatement, WireAct, WireCancel, WireOffer, present, side_number, side_of, sized};
use super::{
    Act, CLOCK_SKEW, Draft, FIRST_WIDE_SLOT, Listing, MAX_FUNDING, MAX_LIFE, MAX_PSBT, MAX_WIDE_STATEMENT, MIN_PAYMENT,
    Offer, Order, OrderId, OrderRefusal, Price, Proposal, SLOTS, Settlement, Side, Statement, TraderKey, VERSION,
};
use crate::Time;

/// What precedes a payload in the signed bytes, so that no signature for another purpose can be one of a statement.
const DOMAIN: &[u8] = b"darkswap-order/1";

/// Reads a statement and checks everything that can be checked without a chain, the signature last because it costs most.
///
/// # Errors
/// [`OrderRefusal`] with the first rule that is broken.
pub fn decode(bytes: &[u8], now: Time) -> Result<Statement, OrderRefusal> {
    if bytes.len() > MAX_WIDE_STATEMENT {
        return Err(OrderRefusal::TooLarge { found: bytes.len(), limit: MAX_WIDE_STATEMENT });
    }
    let signed = SignedStatement::decode(bytes).map_err(OrderRefusal::Malformed)?;
    let payload = Payload::decode(signed.payload.as_slice()).map_err(OrderRefusal::Malformed)?;
    if payload.version != VERSION {
        return Err(OrderRefusal::Version { found: payload.version });
    }
    if signed.encode_to_vec() != bytes || payload.encode_to_vec() != signed.payload {
        return Err(OrderRefusal::NotCanonical);
    }
    let statement = read(&signed, &payload)?;
    check_times(&statement, now)?;
    verify(&statement.maker, &signed)?;
    Ok(statement)
}

/// Signs a draft. `signer` gets the bytes to sign and answers with the Ed25519 signature of the maker's key over them.
///
/// # Errors
/// [`OrderRefusal`] when the draft breaks a rule that others would refuse it for, or the signature is not the maker's.
pub fn sign(draft: Draft, signer: impl FnOnce(&[u8]) -> [u8; 64]) -> Result<Statement, OrderRefusal> {
    let payload = write(draft)?;
    let mut signed = SignedStatement { payload: payload.encode_to_vec(), signature: vec![0; 64] };
    // Before the signature, so that nothing invalid is ever signed.
    read(&signed, &payload)?;
    signed.signature = signer(&signed_bytes(&signed.payload)).to_vec();
    let statement = read(&signed, &payload)?;
    verify(&statement.maker, &signed)?;
    Ok(statement)
}

fn signed_bytes(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("statements are limited to a few KiB");
    [DOMAIN, &length.to_be_bytes(), payload].concat()
}

fn verify(maker: &TraderKey, signed: &SignedStatement) -> Result<(), OrderRefusal> {
    let signature = Signature::from_bytes(&sized("signature", &signed.signature)?);
    // Strict: refuses keys and signatures that pass with some verifiers and not with others, or for many messages.
    VerifyingKey::from_bytes(&maker.0)
        .and_then(|key| key.verify_strict(&signed_bytes(&signed.payload), &signature))
        .map_err(|_| OrderRefusal::Signature)
}

/// Everything but the signature and what depends on the present time.
fn read(signed: &SignedStatement, payload: &Payload) -> Result<Statement, OrderRefusal> {
    let maker = TraderKey(sized("key of the maker", &payload.maker)?);
    let slot = u16::try_from(payload.slot)
        .ok()
        .filter(|slot| *slot < SLOTS)
        .ok_or(OrderRefusal::Slot { found: payload.slot })?;
    let bytes = Bytes::from(signed.encode_to_vec());
    if bytes.len() > size_limit(slot) {
        return Err(OrderRefusal::TooLarge { found: bytes.len(), limit: size_limit(slot) });
    }
    let id = OrderId(sha256::Hash::hash(&signed_bytes(&signed.payload)).to_byte_array());
    let revision = payload.revision;
    let act = match present("offer or cancellation", payload.act.as_ref())? {
        WireAct::Cancel(WireCancel {}) => Act::Cancel,
        WireAct::Offer(wire) => {
            let created = Time::from_millis(revision);
            let expires = read_end(created, wire.expires)?;
            let offer = read_offer(wire)?;
            let settlement = read_settlement(wire.presigned.as_deref(), &offer, slot)?;
            let funding = read_funding(wire)?;
            let order = Order { id, maker, slot, revision, created, expires, offer };
            Act::Offer(Box::new(Listing { order, settlement, funding }))
        }
    };
    Ok(Statement { id, maker, slot, revision, act, bytes })
}

fn read_end(created: Time, expires: u64) -> Result<Time, OrderRefusal> {
    let expires = Time::from_millis(expires);
    match expires.checked_sub(created) {
        None | Some(Time::ZERO) => Err(OrderRefusal::NoLife { created, expires }),
        Some(life) if life > MAX_LIFE => Err(OrderRefusal::LifeTooLong { found: life }),
        Some(_) => Ok(expires),
    }
}

fn read_offer(wire: &WireOffer) -> Result<Offer, OrderRefusal> {
    let price = Price { sats: wire.price_sats, units: present("units of the price", wire.price_units)?.into() };
    let offer = Offer {
        asset: present("asset", wire.asset)?.try_into()?,
        side: side_of(wire.side)?,
        units: present("units", wire.units)?.into(),
        minimum: present("minimum", wire.minimum)?.into(),
        price,
    };
    let Offer { units, minimum, .. } = offer;
    if units == 0 {
        return Err(OrderRefusal::NoUnits);
    }
    if minimum == 0 || minimum > units {
        return Err(OrderRefusal::Minimum { minimum, units });
    }
    if price.sats == 0 || price.units == 0 {
        return Err(OrderRefusal::PriceZero { sats: price.sats, units: price.units });
    }
    if price.payment(units).is_none() {
        return Err(OrderRefusal::PaymentTooLarge);
    }
    match price.payment(minimum) {
        None => Err(OrderRefusal::PaymentTooLarge),
        Some(found) if found < MIN_PAYMENT => Err(OrderRefusal::PaymentDust { found }),
        Some(_) => Ok(offer),
    }
}

fn read_settlement(presigned: Option<&[u8]>, offer: &Offer, slot: u16) -> Result<Settlement, OrderRefusal> {
    let Some(psbt) = presigned else { return Ok(Settlement::Interactive) };
    if psbt.is_empty() || psbt.len() > MAX_PSBT {
        return Err(OrderRefusal::PsbtSize { found: psbt.len() });
    }
    if slot < FIRST_WIDE_SLOT {
        return Err(OrderRefusal::PresignedSlot { found: slot });
    }
    if offer.side == Side::Buy {
        return Err(OrderRefusal::PresignedBuy);
    }
    if offer.minimum != offer.units {
        return Err(OrderRefusal::PresignedPart { minimum: offer.minimum, units: offer.units });
    }
    Ok(Settlement::Presigned(Bytes::copy_from_slice(psbt)))
}

fn read_funding(wire: &WireOffer) -> Result<Vec<OutPoint>, OrderRefusal> {
    if wire.funding.len() > MAX_FUNDING {
        return Err(OrderRefusal::FundingTooLong { found: wire.funding.len() });
    }
    let funding = wire.funding.iter().map(OutPoint::try_from).collect::<Result<Vec<_>, _>>()?;
    let distinct: BTreeSet<_> = funding.iter().collect();
    if distinct.len() < funding.len() {
        return Err(OrderRefusal::FundingTwice);
    }
    Ok(funding)
}

fn check_times(statement: &Statement, now: Time) -> Result<(), OrderRefusal> {
    let (created, ended) = (statement.created(), statement.kept_until());
    let limit = now.saturating_add(CLOCK_SKEW);
    if created > limit {
        return Err(OrderRefusal::NotYetValid { created, limit });
    }
    if ended <= now {
        return Err(OrderRefusal::Expired { created, ended });
    }
    Ok(())
}

fn write(draft: Draft) -> Result<Payload, OrderRefusal> {
    let revision = milliseconds("time of making", draft.created)?;
    let act = match draft.proposal {
        Proposal::Cancel => WireAct::Cancel(WireCancel {}),
        Proposal::Offer { offer, expires, settlement, funding } => WireAct::Offer(WireOffer {
            asset: Some(offer.asset.into()),
            side: side_number(offer.side),
            units: Some(offer.units.into()),
            minimum: Some(offer.minimum.into()),
            price_sats: offer.price.sats,
            price_units: Some(offer.price.units.into()),
            expires: milliseconds("time of ending", expires)?,
            presigned: match settlement {
                Settlement::Interactive => None,
                Settlement::Presigned(psbt) => Some(psbt.to_vec()),
            },
            funding: funding.iter().map(Into::into).collect(),
        }),
    };
    Ok(Payload { version: VERSION, maker: draft.maker.0.to_vec(), slot: draft.slot.into(), revision, act: Some(act) })
}

fn milliseconds(field: &'static str, time: Time) -> Result<u64, OrderRefusal> {
    u64::try_from(time.as_millis()).map_err(|_| OrderRefusal::Unknown { field, found: u64::MAX })
}
