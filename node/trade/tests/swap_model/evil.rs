//! A side that wants the other one's coins, or at least its time.

use bitcoin::{Amount, OutPoint, Psbt, Witness};
use bytes::Bytes;
use darkswap_trade::psbt::Stake;
use darkswap_trade::swap::{Body, Input, Output, Rejection, Request};

use crate::dice::Dice;
use crate::trader::{TAKER, Trader};
use crate::world::World;

/// Carries out an output of its own machine in its own way; what it gives back is carried out as usual.
pub(crate) fn carry_out(world: &mut World, who: usize, output: Output) -> Option<Output> {
    match output {
        Output::Send(body) => {
            match world.dice.below(30) {
                0..=9 | 20..=29 => world.send(who, body),
                10..=13 => {
                    let body = mutated(world, who, body);
                    world.send(who, body);
                }
                14..=15 => {
                    world.send(who, body.clone());
                    world.send(who, body);
                }
                16..=17 => world.traders[who].captured.push(body),
                _ => {}
            }
            None
        }
        Output::Broadcast(tx) if world.dice.percent(50) => {
            world.traders[who].hidden.push(tx);
            None
        }
        Output::Persist(_) | Output::Moved { .. } | Output::Misbehaved(_) => None,
        other => Some(other),
    }
}

/// Does something at an odd moment.
pub(crate) fn act(world: &mut World, who: usize) {
    match world.dice.below(9) {
        0 | 1 => double_spend(world, who),
        2 => {
            if let Some(tx) = world.traders[who].hidden.pop() {
                world.submit_quietly(&tx);
            }
        }
        3 => {
            let captured = world.traders[who].captured.clone();
            if let Some(body) = world.dice.pick(&captured).cloned() {
                world.send(who, body);
            }
        }
        4 => {
            let captured = world.traders[who].captured.clone();
            if let Some(body) = world.dice.pick(&captured).cloned() {
                let body = mutated(world, who, body);
                world.send(who, body);
            }
        }
        5 => world.send(who, Body::Reject(Rejection::Withdrawn)),
        6 => {
            if let Some(psbt) = altered_draft(world, who) {
                world.send(who, Body::Proposal(psbt));
            }
        }
        7 => world.handle(who, Input::Cancel),
        // It vanishes.
        _ => world.traders[who].swap = None,
    }
}

fn double_spend(world: &mut World, who: usize) {
    let trader = &world.traders[who];
    let coins = [trader.asset_coin, trader.bitcoin_coin];
    let coin = *world.dice.pick(&coins).unwrap();
    let fee = world.dice.between(100, 19_000);
    if let Some(tx) = world.traders[who].spend(&world.chain, &[coin], |sum| sum - fee) {
        world.submit_quietly(&tx);
    }
}

/// What it asks for, or says that it brings.
pub(crate) fn spoil_request(dice: &mut Dice, request: &mut Request, traders: &[Trader; 2]) {
    match dice.below(40) {
        0 => request.units = dice.between(1, 3_000).into(),
        1 => request.fee_rate = bitcoin::FeeRate::from_sat_per_vb(dice.between(1, 20)).unwrap(),
        _ => {}
    }
    spoil_stake(dice, &mut request.stake, &traders[1 - TAKER]);
}

pub(crate) fn spoil_stake(dice: &mut Dice, stake: &mut Stake, victim: &Trader) {
    match dice.below(40) {
        // A coin of the other side, as if it were ours: a careless signer signs it.
        0 => stake.inputs.push(victim.other_coin),
        1 => stake.inputs = vec![victim.other_coin],
        2 => stake.inputs.push(victim.bitcoin_coin),
        3 => stake.inputs = vec![OutPoint { vout: 9, ..victim.other_coin }],
        4 => stake.inputs = vec![victim.asset_coin],
        _ => {}
    }
}

fn mutated(world: &mut World, who: usize, body: Body) -> Body {
    match body {
        Body::Request(mut request) => {
            let (dice, traders) = (&mut world.dice, &world.traders);
            spoil_request(dice, &mut request, traders);
            Body::Request(request)
        }
        Body::Accept(mut accept) => {
            match world.dice.below(4) {
                0 => accept.deadline += std::time::Duration::from_secs(world.dice.below(2_000)),
                1 => accept.deadline -= std::time::Duration::from_secs(world.dice.below(2_000)),
                _ => spoil_stake(&mut world.dice, &mut accept.stake, &world.traders[1 - who]),
            }
            Body::Accept(accept)
        }
        Body::Reject(_) => Body::Reject(Rejection::Other),
        Body::Proposal(psbt) => match world.dice.below(3) {
            0 => altered_draft(world, who).map_or(Body::Proposal(psbt), Body::Proposal),
            1 => {
                let mut bytes = psbt.to_vec();
                let place = usize::try_from(world.dice.below(bytes.len() as u64)).unwrap();
                bytes[place] ^= 1 << world.dice.below(8);
                Body::Proposal(bytes.into())
            }
            _ => unsigned(&psbt).map_or(Body::Proposal(psbt), Body::Proposal),
        },
        Body::Settled(mut tx) => {
            if world.dice.percent(50) {
                tx.input[0].witness = Witness::from_slice(&[world.dice.bytes::<64>()]);
            } else {
                tx.output[0].value = Amount::from_sat(1_000);
            }
            Body::Settled(tx)
        }
    }
}

/// The agreed transaction, but more for us, with our signatures on that.
fn altered_draft(world: &mut World, who: usize) -> Option<Bytes> {
    let mut psbt: Psbt = world.dice.pick(&world.traders[who].drafts)?.clone();
    let outputs = psbt.unsigned_tx.output.len() as u64;
    let place = usize::try_from(world.dice.below(outputs)).unwrap();
    let output = &mut psbt.unsigned_tx.output[place];
    if world.dice.percent(50) {
        output.script_pubkey = world.traders[who].script.clone();
    } else {
        output.value = Amount::from_sat(output.value.to_sat() / 2);
    }
    for input in &mut psbt.inputs {
        input.tap_key_sig = None;
    }
    Some(world.traders[who].sign(&world.chain.secp, psbt).serialize().into())
}

/// The agreed transaction without one signature.
fn unsigned(psbt: &[u8]) -> Option<Bytes> {
    let mut psbt = Psbt::deserialize(psbt).ok()?;
    psbt.inputs.iter_mut().find(|input| input.tap_key_sig.is_some())?.tap_key_sig = None;
    Some(psbt.serialize().into())
}
