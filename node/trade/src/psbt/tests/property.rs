//! Random swaps: they pass, they lose nobody anything, and no change to them passes.

use bitcoin::absolute::LockTime;
use bitcoin::transaction::Version;
use bitcoin::{
    Amount, EcdsaSighashType, FeeRate, OutPoint, Psbt, ScriptBuf, Sequence, TapSighashType, Transaction, TxOut,
};
use proptest::prelude::*;

use super::fixture::{ALKANE, Kind, OTHER_RUNE, RUNE, World};
use crate::asset::Asset;
use crate::coin::Holdings;
use crate::psbt::{POSTAGE, Party, ReceivedPsbt, build, fee_at_most};
use crate::{alkane, rune};

/// One coin: its kind, its bitcoin, its units of each asset.
type RandomCoin = (bool, u64, [Option<u128>; 3]);

/// What a random swap is made of.
#[derive(Debug)]
struct Draw {
    seller: Vec<RandomCoin>,
    buyer: Vec<(bool, u64)>,
    asset: Asset,
    share: u64,
    payment: u64,
    rate: u64,
    payer: Party,
    taproot: bool,
    surplus: u64,
}

fn draw() -> impl Strategy<Value = Draw> {
    let units = || prop::option::weighted(0.4, prop_oneof![1..2_000_u128, 1..=u128::MAX >> 4]);
    let coin = (any::<bool>(), 330..100_000_u64, [units(), units(), units()]);
    let stakes = (prop::collection::vec(coin, 1..5), prop::collection::vec((any::<bool>(), 300..50_000_u64), 1..5));
    let figures = (any::<u64>(), 1..1_000_000_u64, 250..60_000_u64, any::<bool>());
    let asset = prop_oneof![Just(RUNE), Just(ALKANE)];
    let surplus = prop_oneof![0..2_000_u64, 0..1_000_000_u64];
    (stakes, figures, asset, any::<bool>(), surplus).prop_map(|((seller, buyer), figures, asset, taproot, surplus)| {
        let (share, payment, rate, sells) = figures;
        let payer = if sells { Party::Seller } else { Party::Buyer };
        Draw { seller, buyer, asset, share, payment, rate, payer, taproot, surplus }
    })
}

fn kind(taproot: bool) -> Kind {
    if taproot { Kind::Taproot } else { Kind::Wpkh }
}

/// Terms that both sides can meet: the first coin of each gets what is missing.
fn world(draw: &Draw) -> World {
    let mut world = World::new(kind(draw.taproot));
    for (taproot, sats, units) in &draw.seller {
        let holdings = [RUNE, OTHER_RUNE, ALKANE].into_iter().zip(units).filter_map(|(asset, n)| Some((asset, (*n)?)));
        world.add(Party::Seller, kind(*taproot), *sats, holdings);
    }
    for (taproot, sats) in &draw.buyer {
        world.add(Party::Buyer, kind(*taproot), *sats, []);
    }
    let terms = &mut world.terms;
    terms.asset = draw.asset;
    terms.payment = Amount::from_sat(draw.payment);
    terms.fee_rate = FeeRate::from_sat_per_kwu(draw.rate);
    terms.fee_payer = draw.payer;
    let fee = fee_at_most(draw.seller.len() + draw.buyer.len(), terms.fee_rate).unwrap();
    let (first, paying) = (terms.seller.inputs[0], terms.buyer.inputs[0]);
    let seller = world.coins.get_mut(&first).unwrap();
    seller.output.value += POSTAGE + fee;
    seller.holdings.entry(draw.asset).or_insert(3);
    let held: u128 = world.coins.values().filter_map(|coin| coin.holdings.get(&draw.asset)).sum();
    world.terms.units = (held / u128::from(u64::MAX) * u128::from(draw.share)).clamp(1, held);
    if draw.share.is_multiple_of(3) {
        world.terms.units = held;
    }
    // Close to what the buyer needs, so that its change is often dust.
    let needs = world.terms.payment + POSTAGE + fee;
    world.coins.get_mut(&paying).unwrap().output.value = needs;
    let spare = world.psbt().unsigned_tx.output.last().map_or(Amount::ZERO, |change| change.value);
    let value = &mut world.coins.get_mut(&paying).unwrap().output.value;
    *value = (*value + Amount::from_sat(draw.surplus)).checked_sub(spare).unwrap_or(needs);
    world
}

/// The bitcoin and the assets of a side before and after.
fn before(world: &World, party: Party) -> (Amount, Holdings) {
    let inputs = if party == Party::Seller { &world.terms.seller.inputs } else { &world.terms.buyer.inputs };
    let mut holdings = Holdings::new();
    for (asset, units) in inputs.iter().flat_map(|input| &world.coins[input].holdings) {
        *holdings.entry(*asset).or_default() += units;
    }
    (inputs.iter().map(|input| world.coins[input].output.value).sum(), holdings)
}

fn after(world: &World, tx: &Transaction, party: Party) -> (Amount, Holdings) {
    let inputs: Vec<Holdings> =
        tx.input.iter().map(|input| world.coins[&input.previous_output].holdings.clone()).collect();
    let moved = rune::allocate(tx, &inputs, rune::Context::default()).unwrap();
    let moved = moved.merge(alkane::allocate(tx, &inputs).unwrap());
    let stake = if party == Party::Seller { &world.terms.seller } else { &world.terms.buyer };
    let (mut sats, mut holdings) = (Amount::ZERO, Holdings::new());
    for (output, assets) in tx.output.iter().zip(moved.outputs) {
        if [&stake.receive, &stake.change].contains(&&output.script_pubkey) {
            sats += output.value;
            for (asset, units) in assets {
                *holdings.entry(asset).or_default() += units;
            }
        }
    }
    (sats, holdings)
}

/// One change to a PSBT.
fn mutate(psbt: &mut Psbt, what: usize, at: usize, amount: u64) {
    let (inputs, outputs) = (psbt.inputs.len(), psbt.unsigned_tx.output.len());
    let (input, output) = (at % inputs, at % outputs);
    let other = (at + 1) % outputs;
    let sats = Amount::from_sat(1 + amount % 5_000);
    let tx = &mut psbt.unsigned_tx;
    match what {
        0 => tx.version = Version(at as i32),
        1 => tx.lock_time = LockTime::from_consensus(1 + at as u32),
        2 => tx.input[input].previous_output.vout ^= 1 + at as u32 % 7,
        3 => tx.input[input].previous_output = OutPoint::null(),
        4 => tx.input[input].sequence = Sequence(amount as u32 & 0xffff),
        5 => tx.input.swap(input, (input + 1) % inputs),
        6 => {
            tx.input.remove(input);
            psbt.inputs.remove(input);
        }
        7 => {
            tx.input.push(tx.input[input].clone());
            psbt.inputs.push(psbt.inputs[input].clone());
        }
        8 => tx.output[output].value += sats,
        9 => tx.output[output].value = tx.output[output].value.checked_sub(sats).unwrap_or(sats),
        10 => {
            let moved = sats.min(tx.output[output].value);
            tx.output[output].value -= moved;
            tx.output[other].value += moved;
        }
        11 => {
            let mut bytes = tx.output[output].script_pubkey.to_bytes();
            let place = amount as usize % bytes.len();
            bytes[place] ^= 1 << (at % 8);
            tx.output[output].script_pubkey = ScriptBuf::from_bytes(bytes);
        }
        12 => tx.output.swap(output, other),
        13 => drop(tx.output.remove(output)),
        14 => tx.output.push(TxOut { value: sats, script_pubkey: tx.output[output].script_pubkey.clone() }),
        15 => {
            let place = tx.output.iter().position(|output| output.script_pubkey.is_op_return()).unwrap();
            let mut bytes = tx.output[place].script_pubkey.to_bytes();
            let last = bytes.len();
            bytes[2 + amount as usize % (last - 2)] ^= 1 << (at % 8);
            tx.output[place].script_pubkey = ScriptBuf::from_bytes(bytes);
        }
        16 => psbt.inputs[input].witness_utxo = None,
        17 => psbt.inputs[input].witness_utxo.as_mut().unwrap().value += sats,
        18 => psbt.inputs[input].sighash_type = [Some(TapSighashType::All.into()), None][at % 2].filter(|_| at % 4 < 2),
        19 => psbt.inputs[input].sighash_type = Some(EcdsaSighashType::None.into()),
        20 => psbt.inputs[input].tap_key_sig = psbt.inputs[(input + 1) % inputs].tap_key_sig,
        _ => {
            tx.output[output].value += sats;
            tx.output[other].value = tx.output[other].value.checked_sub(sats).unwrap_or_default();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn random_swaps_settle_and_nobody_loses_more_than_agreed(draw in draw()) {
        let world = world(&draw);
        let terms = &world.terms;
        let Ok(psbt) = build(terms, &world.coins) else { return Err(TestCaseError::reject("the surplus was negative")) };
        prop_assert_eq!(&psbt, &build(terms, &world.coins).unwrap());

        let first = if draw.share.is_multiple_of(2) { Party::Seller } else { Party::Buyer };
        let half = world.check(psbt, first).unwrap();
        let fee = half.fee();
        let half = half.sign(|psbt| Ok::<_, ()>(world.keys(first).sign(psbt.psbt()))).unwrap();
        let whole = ReceivedPsbt::decode(&half.encode()).unwrap();
        let whole = whole.check(terms, first.other(), &world.coins).unwrap();
        let whole = whole.sign(|psbt| Ok::<_, ()>(world.keys(first.other()).sign(psbt.psbt()))).unwrap();
        let tx = whole.finalize().unwrap();
        world.assert_valid(&tx);

        // The fee rate is exact, but for ECDSA signatures that come out shorter and change that would be dust.
        let wpkh = tx.input.iter().filter(|input| input.witness.len() == 2).count() as u64;
        let least = terms.fee_rate.fee_wu(tx.weight()).unwrap();
        let longer = bitcoin::Weight::from_wu(tx.weight().to_wu() + 2 * wpkh);
        let changed = tx.output.last().unwrap().script_pubkey == terms.buyer.change;
        let folded = if changed { Amount::ZERO } else { Amount::from_sat(329) };
        let output = if changed { Amount::ZERO } else { terms.fee_rate.fee_wu(bitcoin::Weight::from_wu(43 * 4)).unwrap() };
        prop_assert!(least <= fee && fee <= terms.fee_rate.fee_wu(longer).unwrap() + output + folded);
        prop_assert!(fee <= fee_at_most(tx.input.len(), terms.fee_rate).unwrap());

        let sold = Holdings::from([(terms.asset, terms.units)]);
        let (seller_before, held) = before(&world, Party::Seller);
        let (seller_after, kept) = after(&world, &tx, Party::Seller);
        let (buyer_before, none) = before(&world, Party::Buyer);
        let (buyer_after, bought) = after(&world, &tx, Party::Buyer);
        prop_assert!(none.is_empty());
        prop_assert_eq!(&bought, &sold);
        for (asset, units) in &held {
            let gone = if *asset == terms.asset { terms.units } else { 0 };
            prop_assert_eq!(kept.get(asset).copied().unwrap_or_default(), units - gone);
        }
        let pays = |party| if terms.fee_payer == party { fee } else { Amount::ZERO };
        prop_assert!(seller_after + pays(Party::Seller) >= seller_before + terms.payment);
        prop_assert!(buyer_after + terms.payment + pays(Party::Buyer) + folded >= buyer_before);
        prop_assert_eq!(seller_after + buyer_after + fee, seller_before + buyer_before);
    }

    #[test]
    fn any_change_is_refused(
        draw in draw(),
        changes in prop::collection::vec((0..22_usize, any::<usize>(), any::<u64>()), 24),
        signed: bool,
    ) {
        let world = world(&draw);
        let Ok(psbt) = build(&world.terms, &world.coins) else { return Err(TestCaseError::reject("negative surplus")) };
        let psbt = if signed { world.seller.sign(&psbt) } else { psbt };
        for (what, at, amount) in changes {
            let mut changed = psbt.clone();
            mutate(&mut changed, what, at, amount);
            // Swapping equal things changes nothing, nor does leaving a signature out.
            let same = changed == psbt || (what == 20 && changed.inputs[at % psbt.inputs.len()].tap_key_sig.is_none());
            for party in [Party::Seller, Party::Buyer] {
                let result = world.check(changed.clone(), party);
                prop_assert_eq!(result.is_ok(), same, "change {} at {}: {:?}", what, at, result.err());
            }
        }
    }
}
