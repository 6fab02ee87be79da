//! Runes: etched, minted, sent.

use std::time::Duration;

use crate::world::{Faults, World};
use bitcoin::{FeeRate, Txid};
use darkswap_trade::asset::Asset;
use darkswap_trade::rune;
use darkswap_trader::chain::RuneQuery;
use darkswap_trader::command::{
    AssetDescription, AssetName, Command, CommandError, EtchingPhase, EtchingReport, MintTerms, NewRune, Reply,
};

use super::{ready, seeds};

const NAME: &str = "DARKSWAP•MODEL";
const PATIENCE: Duration = Duration::from_secs(7_200);

fn new_rune() -> NewRune {
    NewRune {
        name: NAME.to_owned(),
        divisibility: 2,
        symbol: Some('D'),
        premine: 100_000,
        terms: Some(MintTerms { amount: 700, cap: 2, ..MintTerms::default() }),
        turbo: false,
    }
}

fn etch() -> Command {
    Command::Etch { rune: new_rune(), fee_rate: None }
}

fn query() -> RuneQuery {
    RuneQuery::Name(rune::name::parse(NAME).unwrap().rune)
}

/// A command that waits for the chain.
fn answered(world: &mut World, who: usize, command: Command) -> Result<Reply, CommandError> {
    let token = world.command(who, command);
    let end = world.now + Duration::from_secs(90);
    assert!(world.run_until(end, |world| world.nodes[who].answers.contains_key(&token)), "no answer");
    world.nodes[who].answers.remove(&token).unwrap()
}

fn refused(world: &mut World, who: usize, command: Command) -> String {
    answered(world, who, command).unwrap_err().to_string()
}

fn etchings(world: &mut World, who: usize) -> Vec<EtchingReport> {
    match world.ask(who, Command::Etchings) {
        Ok(Reply::Etchings(etchings)) => etchings,
        other => panic!("{other:?}"),
    }
}

fn ended(world: &mut World, who: usize) -> EtchingReport {
    let end = world.now + PATIENCE;
    while world.now < end {
        world.run(Duration::from_secs(60));
        if world.nodes[who].trader.is_none() {
            continue;
        }
        let all = etchings(world, who);
        if let [one] = &all[..]
            && matches!(one.phase, EtchingPhase::Done | EtchingPhase::Abandoned)
        {
            return one.clone();
        }
    }
    panic!("it did not end: {:?} {:?}", etchings(world, who), world.log(who));
}

fn described(world: &mut World, who: usize, name: &str) -> AssetDescription {
    match answered(world, who, Command::Asset { asset: name.parse().unwrap() }) {
        Ok(Reply::Asset(description)) => *description,
        other => panic!("{other:?}"),
    }
}

fn units(world: &World, who: usize) -> u128 {
    let Some((id, _)) = world.chain.rune(query()) else { return 0 };
    let wallet = world.nodes[who].trader.as_ref().unwrap().wallet();
    wallet.assets().get(&Asset::Rune(id)).map_or(0, |of| of.confirmed)
}

/// What a trader has, with the fees of everything that it sent, is what it began with.
fn assert_nothing_lost(world: &World, who: usize) {
    let wallet = world.nodes[who].trader.as_ref().unwrap().wallet();
    assert!(wallet.reservations().is_empty(), "coins are held back");
    let rune = rune::name::parse(NAME).unwrap().rune;
    let commitment = wallet.commitment(rune);
    let is_mine = |script: &bitcoin::ScriptBuf| wallet.is_mine(script) || *script == commitment;
    let sent = world
        .chain
        .confirmed()
        .filter(|it| it.input.iter().any(|input| is_mine(&world.chain.output(input.previous_output).script_pubkey)));
    let fees: u64 = sent.map(|it| world.chain.fee(it)).sum();
    let (sats, _) = world.chain.wealth(|script| wallet.is_mine(script));
    assert_eq!(sats + fees, world.nodes[who].before.0, "trader {who} has lost bitcoin");
}

fn sent(reply: Result<Reply, CommandError>) -> Txid {
    match reply {
        Ok(Reply::Sent(txid)) => txid,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_rune_is_etched_minted_and_sent() {
    let mut world = ready(30, 2);
    let Ok(Reply::Etching(report)) = answered(&mut world, 0, etch()) else { panic!("{:?}", world.log(0)) };
    assert_eq!((report.phase, report.needed), (EtchingPhase::Committing, 6));
    let again = refused(&mut world, 0, etch());
    assert!(again.contains("being etched already"), "{again}");
    let done = ended(&mut world, 0);
    assert_eq!(done.phase, EtchingPhase::Done, "{done:?} {:?}", world.log(0));
    let Some(AssetName::Id(asset)) = done.asset.map(AssetName::from) else { panic!() };
    assert_eq!((units(&world, 0), units(&world, 1)), (100_000, 0));
    assert_nothing_lost(&world, 0);

    let found = described(&mut world, 1, "darkswap.model");
    let report = found.rune.unwrap();
    assert_eq!((found.held.asset, report.premine, report.mintable), (asset, 100_000, Some(700)));
    assert_eq!((report.label.name.as_str(), report.label.divisibility, report.label.symbol), (NAME, 2, Some('D')));
    for who in [1, 1] {
        sent(answered(&mut world, who, Command::Mint { rune: NAME.parse().unwrap(), fee_rate: None }));
        world.block();
        world.run(Duration::from_secs(20));
    }
    assert_eq!(units(&world, 1), 1_400);
    let text = refused(&mut world, 1, Command::Mint { rune: asset.into(), fee_rate: None });
    assert!(text.contains("all 2 mints were taken"), "{text}");

    let Ok(Reply::Address(address)) = world.ask(0, Command::Address) else { panic!() };
    sent(answered(&mut world, 1, Command::Transfer { address, asset, units: 1_000, fee_rate: None }));
    world.block();
    world.run(Duration::from_secs(20));
    assert_eq!((units(&world, 0), units(&world, 1)), (101_000, 400));
    let Ok(Reply::Balance(balance)) = world.ask(1, Command::Balance) else { panic!() };
    let held = balance.assets.iter().find(|of| of.asset == asset).unwrap();
    assert_eq!(held.label.as_ref().unwrap().name, NAME, "the balance has its name");
}

#[test]
fn an_etching_survives_a_crash_after_every_write() {
    for batch in 1..=9 {
        let mut world = ready(31, 1);
        world.nodes[0].crash_after = Some(batch);
        let token = world.command(0, etch());
        world.run(Duration::from_secs(60));
        let is_up = |world: &World| world.nodes[0].trader.is_some();
        let end = world.now + Duration::from_secs(120);
        assert!(world.run_until(end, is_up));
        // It was lost with its question; whoever asked was not told that it began.
        if etchings(&mut world, 0).is_empty() {
            assert!(!matches!(world.nodes[0].answers.get(&token), Some(Ok(_))));
            answered(&mut world, 0, etch()).unwrap();
        }
        let done = ended(&mut world, 0);
        assert_eq!(done.phase, EtchingPhase::Done, "batch {batch}: {done:?} {:?}", world.log(0));
        assert_eq!(units(&world, 0), 100_000);
        assert_nothing_lost(&world, 0);
        assert_eq!(world.chain.confirmed().count(), 2, "batch {batch}: a commitment and what reveals it");
    }
}

#[test]
fn an_etching_goes_on_through_crashes_reorganisations_and_an_index_that_lags() {
    for seed in seeds(12) {
        let mut world = ready(seed + 40, 2);
        while etchings(&mut world, 0).is_empty() {
            let _ = answered(&mut world, 0, etch());
        }
        world.faults = Faults { crashes: 5, unknown_coins: 30, late: 10, ..Faults::default() };
        for _ in 0..20 {
            let pause = Duration::from_secs(30 + world.below(200));
            world.run(pause);
            let depth = usize::try_from(1 + world.below(3)).unwrap();
            if world.below(3) == 0 && world.chain.tip().0 > 6 {
                world.chain.reorganise(depth);
                world.look();
                world.block();
            }
        }
        world.faults = Faults::default();
        let done = ended(&mut world, 0);
        assert_eq!(done.phase, EtchingPhase::Done, "seed {seed}: {done:?} {:?}", world.log(0));
        world.run(Duration::from_secs(300));
        assert_eq!(units(&world, 0), 100_000, "seed {seed}");
        assert_nothing_lost(&world, 0);
    }
}

#[test]
fn a_name_that_somebody_else_got_first_gives_the_bitcoin_back() {
    let mut world = ready(33, 2);
    answered(&mut world, 1, etch()).unwrap();
    for _ in 0..3 {
        world.block();
        world.run(Duration::from_secs(10));
    }
    // Nobody can see the name in a commitment.
    answered(&mut world, 0, etch()).unwrap();
    let (loser, winner) = (ended(&mut world, 0), ended(&mut world, 1));
    assert_eq!(winner.phase, EtchingPhase::Done, "{winner:?}");
    assert_eq!(loser.phase, EtchingPhase::Abandoned, "{loser:?}");
    assert!(loser.reason.as_ref().unwrap().contains("has the name"), "{loser:?}");
    assert_eq!((units(&world, 0), units(&world, 1)), (0, 100_000));
    for who in 0..2 {
        assert_nothing_lost(&world, who);
    }
    let text = refused(&mut world, 0, etch());
    assert!(text.contains("has the name DARKSWAP•MODEL already"), "{text}");
}

#[test]
fn two_that_reveal_a_name_in_one_block_are_told_apart() {
    let mut world = ready(34, 2);
    for who in 0..2 {
        answered(&mut world, who, etch()).unwrap();
    }
    let ends = [ended(&mut world, 0), ended(&mut world, 1)];
    let done = ends.iter().filter(|it| it.phase == EtchingPhase::Done).count();
    assert_eq!(done, 1, "{ends:?}");
    assert_eq!(units(&world, 0) + units(&world, 1), 100_000);
    for who in 0..2 {
        assert_nothing_lost(&world, who);
    }
}

#[test]
fn an_etching_is_stopped_at_any_time_before_it_is_in_a_block() {
    for blocks in 0..7 {
        let mut world = ready(35, 1);
        answered(&mut world, 0, etch()).unwrap();
        for _ in 0..blocks {
            world.block();
            world.run(Duration::from_secs(15));
        }
        let cancel = Command::CancelEtching { name: NAME.to_owned() };
        let outcome = world.ask(0, cancel);
        let end = ended(&mut world, 0);
        match end.phase {
            EtchingPhase::Abandoned => {
                assert_eq!(outcome, Ok(Reply::Done));
                assert_eq!(world.chain.rune(query()), None, "after {blocks} blocks");
            }
            _ => {
                let found = format!("{outcome:?}");
                let is_late = found.contains("in a block already") || found.contains("found no etching");
                assert!(is_late, "{found}, {end:?} {:?}", world.log(0));
            }
        }
        assert_nothing_lost(&world, 0);
        assert!(world.ask(0, Command::CancelEtching { name: NAME.to_owned() }).is_err());
    }
}

#[test]
fn a_commitment_that_fell_out_of_the_mempool_keeps_its_coins_and_goes_out_again() {
    let mut world = ready(38, 1);
    answered(&mut world, 0, etch()).unwrap();
    let commitment = world.chain.mempool.clone();
    // It goes out again at once, but not more than once with each block.
    for (waiting, reserved) in [(1, 0), (0, 400_000)] {
        world.chain.mempool.clear();
        world.look();
        world.run(Duration::from_secs(5));
        assert_eq!(world.chain.mempool, commitment[..waiting]);
        let Ok(Reply::Balance(balance)) = world.ask(0, Command::Balance) else { panic!() };
        let found = (balance.spendable.to_sat(), balance.reserved.to_sat());
        assert_eq!(found, (500_000, reserved), "nobody else may spend its coin");
    }
    assert_eq!(ended(&mut world, 0).phase, EtchingPhase::Done, "{:?}", world.log(0));
    assert_eq!(world.chain.confirmed().count(), 2);
    assert_nothing_lost(&world, 0);
}

#[test]
fn a_commitment_is_found_again_with_the_seed_alone() {
    let mut world = ready(36, 1);
    answered(&mut world, 0, etch()).unwrap();
    world.block();
    world.run(Duration::from_secs(20));
    world.nodes[0].stored = darkswap_trader::store::Stored::new();
    world.nodes[0].settings.recovers = true;
    world.replace(0);
    world.run(Duration::from_secs(30));
    assert_eq!(etchings(&mut world, 0), []);
    assert!(matches!(answered(&mut world, 0, etch()), Ok(Reply::Etching(_))));
    assert_eq!(ended(&mut world, 0).phase, EtchingPhase::Done);
    assert_eq!(world.chain.confirmed().count(), 2, "it committed once");
}

#[test]
fn what_reveals_pays_as_much_as_the_commitment_can_when_fees_have_risen() {
    let mut world = ready(42, 1);
    answered(&mut world, 0, etch()).unwrap();
    world.fee_rate = FeeRate::from_sat_per_vb(30).unwrap();
    assert_eq!(ended(&mut world, 0).phase, EtchingPhase::Done, "{:?}", world.log(0));
    let all: Vec<_> = world.chain.confirmed().collect();
    let least = FeeRate::from_sat_per_vb(8).unwrap().fee_wu(all[1].weight()).unwrap().to_sat();
    let fee = world.chain.fee(all[1]);
    assert!(fee >= least, "it pays {fee}, and the commitment holds four times what was usual");
    assert_nothing_lost(&world, 0);
}

#[test]
fn a_commitment_that_is_refused_the_second_time_is_not_forgotten() {
    let mut world = ready(39, 1);
    answered(&mut world, 0, etch()).unwrap();
    world.chain.is_full = true;
    world.chain.mempool.clear();
    world.look();
    world.run(Duration::from_secs(5));
    assert_eq!(etchings(&mut world, 0).len(), 1, "others may have it in their mempools: {:?}", world.log(0));
    world.chain.is_full = false;
    assert_eq!(ended(&mut world, 0).phase, EtchingPhase::Done, "{:?}", world.log(0));
    assert_nothing_lost(&world, 0);
}

#[test]
fn a_commitment_whose_fee_is_raised_while_it_is_withdrawn_comes_back() {
    let mut world = ready(40, 1);
    let Ok(Reply::Etching(report)) = answered(&mut world, 0, etch()) else { panic!("{:?}", world.log(0)) };
    world.ask(0, Command::CancelEtching { name: NAME.to_owned() }).unwrap();
    world.run(Duration::from_secs(5));
    let fee_rate = FeeRate::from_sat_per_vb(25).unwrap();
    let raised = sent(answered(&mut world, 0, Command::Bump { txid: report.commitment.unwrap(), fee_rate }));
    assert_eq!(ended(&mut world, 0).phase, EtchingPhase::Abandoned, "{:?}", world.log(0));
    let confirmed: Vec<Txid> = world.chain.confirmed().map(bitcoin::Transaction::compute_txid).collect();
    assert!(confirmed.len() == 2 && confirmed[0] == raised, "{confirmed:?}");
    assert_nothing_lost(&world, 0);
}

#[test]
fn a_commitment_of_a_lost_store_comes_back_though_somebody_else_has_the_name() {
    let mut world = ready(41, 2);
    answered(&mut world, 0, etch()).unwrap();
    world.block();
    world.run(Duration::from_secs(20));
    world.nodes[0].stored = darkswap_trader::store::Stored::new();
    world.nodes[0].settings.recovers = true;
    world.replace(0);
    answered(&mut world, 1, etch()).unwrap();
    assert_eq!(ended(&mut world, 1).phase, EtchingPhase::Done);
    let text = refused(&mut world, 0, etch());
    assert!(text.contains("has the name") && text.contains("asset cancel"), "{text}");
    assert_eq!(world.ask(0, Command::CancelEtching { name: NAME.to_owned() }), Ok(Reply::Done));
    assert_eq!(ended(&mut world, 0).phase, EtchingPhase::Abandoned, "{:?}", world.log(0));
    assert_nothing_lost(&world, 0);
    assert!(world.ask(0, Command::CancelEtching { name: NAME.to_owned() }).is_err());
}

#[test]
fn what_cannot_be_etched_or_minted_is_refused_with_the_reason() {
    let mut world = ready(37, 1);
    let of = |change: fn(&mut NewRune)| {
        let mut rune = new_rune();
        change(&mut rune);
        Command::Etch { rune, fee_rate: None }
    };
    for (command, expected) in [
        (of(|it| it.name = "G0LD".to_owned()), "letters from A to Z"),
        (of(|it| it.name = "GOLD".to_owned()), "shorter ones are not given away yet"),
        (of(|it| it.name = "AAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned()), "reserved"),
        (of(|it| it.divisibility = 39), "expected at most 38"),
        (of(|it| it.premine = u128::MAX), "more than 2^128 - 1 units"),
        (of(|it| (it.premine, it.terms) = (0, None)), "no unit could ever exist"),
        (of(|it| it.terms.as_mut().unwrap().cap = 0), "mints of nothing"),
        (
            of(|it| {
                let terms = it.terms.as_mut().unwrap();
                (terms.from_height, terms.until_height) = (Some(9), Some(9));
            }),
            "end before they begin",
        ),
        (Command::Mint { rune: "alkane:2:0".parse().unwrap(), fee_rate: None }, "found an alkane"),
        (Command::Mint { rune: NAME.parse().unwrap(), fee_rate: None }, "found no rune `DARKSWAP•MODEL`"),
        (Command::Asset { asset: "1:1".parse().unwrap() }, "found no rune"),
        (Command::CancelEtching { name: NAME.to_owned() }, "found no etching"),
    ] {
        let text = refused(&mut world, 0, command);
        assert!(text.contains(expected), "{text}");
    }
    let held = described(&mut world, 0, "alkane:2:0").held;
    let notice = held.notice.unwrap();
    assert!(notice.contains("only as good as") && notice.contains("No alkanes indexer is configured"), "{notice}");
    world.faults.unknown_coins = 100;
    let text = refused(&mut world, 0, etch());
    assert!(text.contains("the index is behind") && text.contains("nothing was done"), "{text}");
    assert_eq!(etchings(&mut world, 0), []);
}
