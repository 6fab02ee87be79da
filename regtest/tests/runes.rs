//! A rune from its etching to its transfer, with ord as the judge.

use std::collections::BTreeMap;

use bitcoin::{Amount, OutPoint, ScriptBuf, TxOut};
use darkswap_regtest::{Commitment, Key, TestEnv};
use ordinals::{Edict, Etching, Rune, RuneId, Runestone, SpacedRune, Terms};

const COIN: Amount = Amount::from_sat(100_000);
/// What carries runes.
const CARRIER: Amount = Amount::from_sat(10_000);
const NAME: &str = "DARKSWAP•REGTEST";

fn runestone(runestone: &Runestone) -> TxOut {
    TxOut { value: Amount::ZERO, script_pubkey: runestone.encipher() }
}

/// A confirmed coin.
fn coin(env: &TestEnv, script: &ScriptBuf) -> (OutPoint, TxOut) {
    let outpoint = env.fund(script, COIN).expect("the faucet pays");
    env.mine(1).expect("a block");
    (outpoint, TxOut { value: COIN, script_pubkey: script.clone() })
}

/// Etches [`NAME`] with `blocks` blocks between the commitment's and the etching's: 100 units for `key`, and two mints of 7.
fn etch(env: &TestEnv, key: &Key, blocks: u32) -> OutPoint {
    let name: SpacedRune = NAME.parse().expect("a name");
    let commitment = Commitment::to(name.rune);
    let committed = coin(env, &commitment.script);
    env.mine(blocks).expect("blocks");
    let etching = Etching {
        rune: Some(name.rune),
        spacers: Some(name.spacers),
        premine: Some(100),
        terms: Some(Terms { amount: Some(7), cap: Some(2), ..Terms::default() }),
        ..Etching::default()
    };
    let stone = runestone(&Runestone { etching: Some(etching), ..Runestone::default() });
    let mut transaction = key.spend(&[committed], vec![key.output(CARRIER), stone]).expect("built");
    transaction.input[0].witness = commitment.witness;
    let txid = env.send(&transaction).expect("bitcoind takes it");
    env.mine(1).expect("a block");
    OutPoint::new(txid, 0)
}

fn one(amount: u128) -> BTreeMap<SpacedRune, u128> {
    [(NAME.parse().expect("a name"), amount)].into()
}

#[test]
fn a_rune_is_etched_minted_and_transferred() {
    let env = TestEnv::start().expect("a chain starts");
    let ord = env.ord().expect("ord starts");
    let (alice, bob) = (Key::numbered(1), Key::numbered(2));
    let depth = u32::try_from(Commitment::DEPTH).expect("small");
    // The commitment's block and the etching's count as well.
    let premine = etch(&env, &alice, depth - 2);
    let rune: Rune = NAME.parse::<SpacedRune>().expect("a name").rune;
    let etched = ord.rune(rune).expect("ord answers").expect("it was etched");
    assert_eq!(etched.id, RuneId { block: env.height().expect("a height").into(), tx: 1 });
    assert_eq!((etched.premine, etched.mints), (100, 0));
    assert_eq!(ord.balances(premine).expect("ord answers"), one(100));

    let mint = runestone(&Runestone { mint: Some(etched.id), ..Runestone::default() });
    let paid = coin(&env, bob.script());
    let minted = bob.spend(&[paid], vec![bob.output(CARRIER), mint]).expect("signed");
    let minted = OutPoint::new(env.send(&minted).expect("bitcoind takes it"), 0);
    env.mine(1).expect("a block");
    assert_eq!(ord.balances(minted).expect("ord answers"), one(7));

    let edicts = vec![Edict { id: etched.id, amount: 30, output: 1 }];
    let stone = runestone(&Runestone { edicts, pointer: Some(0), ..Runestone::default() });
    let fee = coin(&env, alice.script());
    let coins = [(premine, alice.output(CARRIER)), fee];
    let transfer = alice.spend(&coins, vec![alice.output(CARRIER), bob.output(CARRIER), stone]).expect("signed");
    let txid = env.send(&transfer).expect("bitcoind takes it");
    env.mine(1).expect("a block");
    let outpoints = [OutPoint::new(txid, 0), OutPoint::new(txid, 1)];
    let balances = ord.balances_of(&outpoints).expect("ord answers");
    assert_eq!(balances, BTreeMap::from([(outpoints[0], one(70)), (outpoints[1], one(30))]));
    assert_eq!(ord.rune(rune).expect("ord answers").expect("it was etched").mints, 1);
}

#[test]
fn a_name_without_a_commitment_deep_enough_is_not_etched() {
    let env = TestEnv::start().expect("a chain starts");
    let ord = env.ord().expect("ord starts");
    let depth = u32::try_from(Commitment::DEPTH).expect("small");
    let outpoint = etch(&env, &Key::numbered(1), depth - 3);
    let rune: Rune = NAME.parse::<SpacedRune>().expect("a name").rune;
    assert_eq!(ord.rune(rune).expect("ord answers"), None);
    assert_eq!(ord.balances(outpoint).expect("ord answers"), BTreeMap::new());
}
