//! Statements: rules, signatures, encodings.

use bitcoin::hashes::Hash as _;
use bitcoin::{Amount, OutPoint, Txid};
use bytes::Bytes;
use ed25519_dalek::{Signer as _, SigningKey};
use ordinals::RuneId;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;
use crate::asset::AlkaneId;

/// A moment to count from.
pub(crate) const NOW: Time = Time::from_secs(1_800_000_000);

pub(crate) const RUNE: Asset = Asset::Rune(RuneId { block: 840_000, tx: 3 });

pub(crate) fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

pub(crate) fn trader(number: u8) -> TraderKey {
    TraderKey(key(number).verifying_key().to_bytes())
}

pub(crate) fn signed(number: u8, draft: Draft) -> Result<Statement, OrderRefusal> {
    sign(draft, |bytes| key(number).sign(bytes).to_bytes())
}

pub(crate) fn offer(side: Side, units: u128, minimum: u128, price: Price) -> Offer {
    Offer { asset: RUNE, side, units, minimum, price }
}

pub(crate) fn draft(number: u8, slot: u16, created: Time, offer: Offer) -> Draft {
    let proposal = Proposal::Offer {
        offer,
        expires: created + Time::from_hours(1),
        settlement: Settlement::Interactive,
        funding: Vec::new(),
    };
    Draft { maker: trader(number), slot, created, proposal }
}

fn plain() -> Draft {
    draft(1, 0, NOW, offer(Side::Sell, 1_000, 100, Price { sats: 100, units: 1 }))
}

/// A draft with one thing changed.
fn with(change: impl FnOnce(&mut Draft)) -> Draft {
    let mut draft = plain();
    change(&mut draft);
    draft
}

fn with_offer(change: impl FnOnce(&mut Offer)) -> Draft {
    with(|draft| {
        if let Proposal::Offer { offer, .. } = &mut draft.proposal {
            change(offer);
        }
    })
}

fn presigned(slot: u16, side: Side, minimum: u128, length: usize) -> Draft {
    with(|draft| {
        draft.slot = slot;
        if let Proposal::Offer { offer, settlement, .. } = &mut draft.proposal {
            offer.side = side;
            offer.minimum = minimum;
            *settlement = Settlement::Presigned(Bytes::from(vec![7; length]));
        }
    })
}

fn funded(outpoints: &[u32]) -> Draft {
    with(|draft| {
        if let Proposal::Offer { funding, .. } = &mut draft.proposal {
            *funding = outpoints.iter().map(|vout| OutPoint { txid: Txid::all_zeros(), vout: *vout }).collect();
        }
    })
}

fn refusal(draft: Draft) -> OrderRefusal {
    signed(1, draft).expect_err("this draft breaks a rule")
}

#[test]
fn a_signed_offer_reads_back_as_it_was() {
    let statement = signed(1, funded(&[0, 1, 7])).expect("valid");
    assert_eq!(decode(statement.encoded(), NOW), Ok(statement.clone()));
    let listing = statement.listing().expect("an offer");
    assert_eq!(listing.order.id, statement.id());
    assert_eq!(listing.order.created, NOW);
    assert_eq!(listing.funding.len(), 3);
}

#[test]
fn a_signed_cancellation_reads_back_and_outlives_every_earlier_offer() {
    let cancel = signed(1, with(|draft| draft.proposal = Proposal::Cancel)).expect("valid");
    assert_eq!(decode(cancel.encoded(), NOW), Ok(cancel.clone()));
    let longest = with(|draft| {
        draft.created = NOW - Time::from_millis(1);
        if let Proposal::Offer { expires, .. } = &mut draft.proposal {
            *expires = NOW - Time::from_millis(1) + MAX_LIFE;
        }
    });
    let longest = signed(1, longest).expect("valid");
    assert!(cancel.kept_until() > longest.listing().expect("an offer").order.expires);
}

#[test]
fn an_alkane_and_the_largest_presigned_offer_read_back() {
    let asset = Asset::Alkane(AlkaneId { block: 2, tx: u128::MAX });
    let alkane = signed(1, with_offer(|offer| offer.asset = asset)).expect("valid");
    assert_eq!(decode(alkane.encoded(), NOW), Ok(alkane));
    let large = signed(1, presigned(FIRST_WIDE_SLOT, Side::Sell, 1_000, MAX_PSBT)).expect("valid");
    assert_eq!(decode(large.encoded(), NOW), Ok(large));
}

#[test]
fn a_plain_offer_has_at_most_250_bytes() {
    let statement = signed(1, plain()).expect("valid");
    assert!(statement.encoded().len() <= 250, "{} bytes", statement.encoded().len());
}

#[test]
fn each_rule_of_an_offer_has_its_refusal() {
    use OrderRefusal as R;
    assert_eq!(refusal(with(|draft| draft.slot = SLOTS)), R::Slot { found: 64 });
    assert_eq!(refusal(with_offer(|offer| offer.units = 0)), R::NoUnits);
    assert_eq!(refusal(with_offer(|offer| offer.minimum = 0)), R::Minimum { minimum: 0, units: 1_000 });
    assert_eq!(refusal(with_offer(|offer| offer.minimum = 1_001)), R::Minimum { minimum: 1_001, units: 1_000 });
    assert_eq!(refusal(with_offer(|offer| offer.price.sats = 0)), R::PriceZero { sats: 0, units: 1 });
    assert_eq!(refusal(with_offer(|offer| offer.price.units = 0)), R::PriceZero { sats: 100, units: 0 });
    assert_eq!(refusal(with_offer(|offer| offer.price.sats = u64::MAX)), R::PaymentTooLarge);
    assert_eq!(refusal(with_offer(|offer| offer.units = u128::MAX)), R::PaymentTooLarge);
    assert_eq!(refusal(with_offer(|offer| offer.minimum = 5)), R::PaymentDust { found: Amount::from_sat(500) });
    assert_eq!(refusal(funded(&[0, 1, 0])), R::FundingTwice);
    assert_eq!(refusal(funded(&[0, 1, 2, 3, 4, 5, 6, 7, 8])), R::FundingTooLong { found: 9 });
}

#[test]
fn each_rule_of_a_life_has_its_refusal() {
    let ending = |end: Time| {
        with(|draft| {
            if let Proposal::Offer { expires, .. } = &mut draft.proposal {
                *expires = end;
            }
        })
    };
    assert_eq!(refusal(ending(NOW)), OrderRefusal::NoLife { created: NOW, expires: NOW });
    let over = MAX_LIFE + Time::from_millis(1);
    assert_eq!(refusal(ending(NOW + over)), OrderRefusal::LifeTooLong { found: over });
    signed(1, ending(NOW + MAX_LIFE)).expect("the longest life");
}

#[test]
fn a_presigned_offer_sells_all_of_it_from_a_wide_slot() {
    use OrderRefusal as R;
    assert_eq!(refusal(presigned(55, Side::Sell, 1_000, 100)), R::PresignedSlot { found: 55 });
    assert_eq!(refusal(presigned(56, Side::Buy, 1_000, 100)), R::PresignedBuy);
    assert_eq!(refusal(presigned(56, Side::Sell, 999, 100)), R::PresignedPart { minimum: 999, units: 1_000 });
    assert_eq!(refusal(presigned(56, Side::Sell, 1_000, 0)), R::PsbtSize { found: 0 });
    assert_eq!(refusal(presigned(56, Side::Sell, 1_000, MAX_PSBT + 1)), R::PsbtSize { found: MAX_PSBT + 1 });
}

#[test]
fn a_statement_is_readable_from_a_little_before_its_making_until_a_day_after() {
    let statement = signed(1, plain()).expect("valid");
    let moment = Time::from_millis(1);
    let read = |now| decode(statement.encoded(), now).map(|_| ());
    let early = read(NOW - CLOCK_SKEW - moment);
    assert_eq!(early, Err(OrderRefusal::NotYetValid { created: NOW, limit: NOW - moment }));
    assert_eq!(read(NOW - CLOCK_SKEW), Ok(()));
    assert_eq!(read(NOW + MAX_LIFE - moment), Ok(()));
    let late = read(NOW + MAX_LIFE);
    assert_eq!(late, Err(OrderRefusal::Expired { created: NOW, ended: NOW + MAX_LIFE }));
    assert!(!late.expect_err("checked above").is_misbehaviour());
}

#[test]
fn nothing_invalid_is_handed_to_the_signer() {
    let draft = with_offer(|offer| offer.units = 0);
    let result = sign(draft, |_| unreachable!("an invalid draft was handed to the signer"));
    assert_eq!(result, Err(OrderRefusal::NoUnits));
}

#[test]
fn a_signature_of_another_key_is_refused_when_signing_and_when_reading() {
    assert_eq!(signed(2, plain()), Err(OrderRefusal::Signature));
    let statement = signed(1, plain()).expect("valid");
    let mut bytes = statement.encoded().to_vec();
    *bytes.last_mut().expect("not empty") ^= 1;
    assert_eq!(decode(&bytes, NOW), Err(OrderRefusal::Signature));
}

#[test]
fn a_key_that_verifies_everything_is_refused() {
    // The neutral element of the curve: lenient verifiers accept a zero signature of it over anything.
    let mut weak = [0; 32];
    weak[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    let draft = with(|draft| draft.maker = TraderKey(weak));
    assert_eq!(sign(draft, |_| signature), Err(OrderRefusal::Signature));
}

#[test]
fn another_encoding_of_the_same_content_is_refused() {
    let statement = signed(1, plain()).expect("valid");
    // An unknown field, and a field that is written twice.
    for suffix in [&[0x18, 1][..], &[0x12, 0][..]] {
        let bytes = [statement.encoded(), suffix].concat();
        assert_eq!(decode(&bytes, NOW), Err(OrderRefusal::NotCanonical));
    }
}

#[test]
fn too_large_a_statement_is_refused_before_it_is_read() {
    let bytes = vec![0xff; MAX_WIDE_STATEMENT + 1];
    let limit = MAX_WIDE_STATEMENT;
    assert_eq!(decode(&bytes, NOW), Err(OrderRefusal::TooLarge { found: limit + 1, limit }));
}

#[test]
fn a_clock_that_went_backwards_does_not_lower_the_revision() {
    let last = signed(1, plain()).expect("valid").revision();
    assert_eq!(following(NOW - Time::from_secs(5), Some(last)), NOW + Time::from_millis(1));
    assert_eq!(following(NOW + Time::from_secs(5), Some(last)), NOW + Time::from_secs(5));
    assert_eq!(following(NOW, None), NOW);
}

#[test]
fn a_payment_is_rounded_up_and_exact_beyond_128_bits() {
    let price = Price { sats: 1, units: 3 };
    assert_eq!(price.payment(4), Some(Amount::from_sat(2)));
    let large = Price { sats: 7_000, units: 10_u128.pow(38) };
    assert_eq!(large.payment(3 * 10_u128.pow(38)), Some(Amount::from_sat(21_000)));
    assert_eq!(large.payment(3 * 10_u128.pow(38) + 1), Some(Amount::from_sat(21_001)));
    assert_eq!(Price { sats: u64::MAX, units: 1 }.payment(u128::MAX), None);
    assert_eq!(Price { sats: 1, units: 0 }.payment(1), None);
}

#[test]
fn a_fill_leaves_nothing_or_at_least_the_minimum() {
    let offer = offer(Side::Sell, 100, 30, Price { sats: 1_000, units: 1 });
    assert_eq!(offer.check_fill(70, 100), Ok(()));
    assert_eq!(offer.check_fill(71, 100), Err(FillRefusal::Remainder { remainder: 29, minimum: 30 }));
    assert_eq!(offer.check_fill(29, 100), Err(FillRefusal::BelowMinimum { found: 29, minimum: 30 }));
    assert_eq!(offer.check_fill(101, 100), Err(FillRefusal::BeyondOffer { found: 101, available: 100 }));
    assert_eq!(offer.largest_fill(99), Some(70));
    assert_eq!(offer.largest_fill(29), None);
    assert_eq!(offer.largest_fill(500), Some(100));
}

/// Fractions of numbers of every size.
fn any_price() -> impl Strategy<Value = Price> {
    (1..=u64::MAX, 0..64_u32, 1..=u128::MAX, 0..128_u32)
        .prop_map(|(sats, short, units, small)| Price { sats: (sats >> short).max(1), units: (units >> small).max(1) })
}

/// Drafts of every kind, many of them invalid.
fn any_draft() -> impl Strategy<Value = Draft> {
    let offer = (any::<bool>(), 0..60_u32, any::<u128>(), any::<u128>(), any_price()).prop_map(
        |(sell, shift, units, minimum, price)| {
            let side = if sell { Side::Sell } else { Side::Buy };
            let units = units >> shift;
            Offer { asset: RUNE, side, units, minimum: minimum.checked_rem(units).unwrap_or(0), price }
        },
    );
    (0..70_u16, any::<u32>(), proptest::option::of(offer), 0..90_000_u64).prop_map(|(slot, millis, offer, life)| {
        let created = NOW + Time::from_millis(millis.into());
        let proposal = offer.map_or(Proposal::Cancel, |offer| Proposal::Offer {
            offer,
            expires: created + Time::from_secs(life),
            settlement: Settlement::Interactive,
            funding: Vec::new(),
        });
        Draft { maker: trader(3), slot, created, proposal }
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode(&bytes, NOW);
    }

    #[test]
    fn a_damaged_statement_is_refused(position in any::<proptest::sample::Index>(), flip in 1..=255_u8) {
        let mut bytes = signed(1, plain()).expect("valid").encoded().to_vec();
        let position = position.index(bytes.len());
        bytes[position] ^= flip;
        prop_assert!(decode(&bytes, NOW).is_err());
    }

    #[test]
    fn every_draft_is_refused_or_reads_back(draft in any_draft()) {
        let now = draft.created;
        if let Ok(statement) = signed(3, draft) {
            prop_assert_eq!(decode(statement.encoded(), now), Ok(statement));
        }
    }

    #[test]
    fn prices_compare_as_exact_fractions(a in any_price(), b in any_price(), scale in 1..1_000_u64) {
        prop_assert_eq!(a.compare(&b), b.compare(&a).reverse());
        if let (Some(sats), Some(units)) = (a.sats.checked_mul(scale), a.units.checked_mul(scale.into())) {
            let scaled = Price { sats, units };
            prop_assert_eq!(a.compare(&scaled), std::cmp::Ordering::Equal);
            prop_assert_eq!(scaled.compare(&b), a.compare(&b));
        }
    }

    #[test]
    fn small_prices_compare_as_their_products(a in 1..u32::MAX, b in 1..u32::MAX, c in 1..u32::MAX, d in 1..u32::MAX) {
        let (first, second) = (Price { sats: a.into(), units: b.into() }, Price { sats: c.into(), units: d.into() });
        let products = (u64::from(a) * u64::from(d)).cmp(&(u64::from(c) * u64::from(b)));
        prop_assert_eq!(first.compare(&second), products);
    }

    #[test]
    fn the_wide_payment_is_the_narrow_one(sats in 1..1_000_000_u64, per in 1..u64::MAX, units in 1..u64::MAX) {
        let price = Price { sats, units: per.into() };
        // Both halves of the fraction scaled so far that the product no longer fits into 128 bits.
        let scale = 1_u128 << 63;
        let scaled = Price { sats, units: u128::from(per) * scale };
        prop_assert_eq!(scaled.payment(u128::from(units) * scale), price.payment(units.into()));
    }
}
