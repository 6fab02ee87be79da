//! What is typed, and what is shown.

use bitcoin::Amount;
use clap::Parser as _;
use darkswap_trade::asset::{AlkaneId, Asset as AssetId};
use darkswap_trade::book::Backing;
use darkswap_trade::order::{OrderId, Price, Side, TraderKey};
use darkswap_trade::swap::{Phase, Role, SwapId};
use darkswap_trader::command::{
    AssetDescription, AssetName, AssetReport, BalanceReport, Command as Asked, EtchingPhase, EtchingReport, Label,
    MintTerms, NewRune, OrderReport, RuneReport, SwapReport,
};
use ordinals::RuneId;
use serde_json::{Map, Value, json};

use super::label::Named;
use super::{Asset, Order, assets, desk, orders, swaps, wallet};
use crate::cli::arguments::{Arguments, Command};
use crate::cli::failure::Failure;

const ALKANE: AssetId = AssetId::Alkane(AlkaneId { block: 2, tx: 0 });
const GOLD: AssetId = AssetId::Rune(RuneId { block: 840_000, tx: 3 });

fn gold() -> Label {
    Label { name: "PURE•GOLD".to_owned(), symbol: Some('g'), divisibility: 2 }
}

fn typed(line: &str) -> Result<Command, clap::Error> {
    Arguments::try_parse_from(line.split(' ')).map(|arguments| arguments.command)
}

fn order(number: u8) -> OrderReport {
    OrderReport {
        order: OrderId([number; 32]),
        maker: TraderKey([9; 32]),
        own: false,
        side: Side::Sell,
        asset: ALKANE,
        label: None,
        units: 1_000,
        minimum: 10,
        price: Price { sats: 1_500, units: 1_000 },
        created_seconds: 0,
        expires_seconds: 7_300,
        backing: Backing::Proven,
        presigned: true,
    }
}

fn swap() -> SwapReport {
    SwapReport {
        swap: SwapId([1; 16]),
        peer: TraderKey([2; 32]),
        role: Role::Taker,
        order: OrderId([3; 32]),
        side: Side::Buy,
        asset: ALKANE,
        label: None,
        units: 7,
        payment: Amount::from_sat(900),
        phase: Phase::Proposed,
        txid: None,
        reason: None,
        created_seconds: 0,
    }
}

fn placed(line: &str, label: Option<Label>) -> Result<Asked, Failure> {
    let Ok(Command::Order(Order::Place(options))) = typed(line) else { panic!("not understood: {line}") };
    let asset = match options.asset {
        AssetName::Id(asset) => asset,
        AssetName::Rune(_) => GOLD,
    };
    orders::placing(&options, &Named { asset, label })
}

#[test]
fn an_order_is_typed_with_units_or_decimals_and_becomes_a_command() {
    let of = |asset| Asked::Place {
        side: Side::Sell,
        asset,
        units: 1_000,
        minimum: Some(10),
        price: Price { sats: 150, units: 10 },
        lifetime_seconds: 21_600,
        presigned: false,
    };
    let line = "darkswap order place sell --asset alkane:2:0 --units 1000 --minimum 10 --price 150sat/10 --lifetime 6h";
    assert_eq!(placed(line, None).unwrap(), of(ALKANE));
    let line = "darkswap order place sell --asset PURE.GOLD --amount 10 --minimum 0.1 --price 150sat/0.1 --lifetime 6h";
    assert_eq!(placed(line, Some(gold())).unwrap(), of(GOLD));
    assert!(matches!(placed(line, None), Err(Failure::Failed(_))), "nobody knows the decimals");
    let mixed = "darkswap order place sell --asset PURE.GOLD --units 1000 --minimum 0.1 --price 150sat";
    assert!(matches!(placed(mixed, Some(gold())), Err(Failure::BadInput(_))), "units have no decimals");
}

#[test]
fn a_rune_to_etch_is_typed_in_its_own_decimals() {
    let line = "darkswap asset etch MY.NEW.RUNE --divisibility 2 --symbol M --premine 10.5 --mint-amount 1 --mint-cap 7 --mint-for 9";
    let Ok(Command::Asset(Asset::Etch(options))) = typed(line) else { panic!("not understood") };
    let terms = MintTerms { amount: 100, cap: 7, until_offset: Some(9), ..MintTerms::default() };
    let expected = NewRune {
        name: "MY.NEW.RUNE".to_owned(),
        divisibility: 2,
        symbol: Some('M'),
        premine: 1_050,
        terms: Some(terms),
        turbo: false,
    };
    assert_eq!(assets::new_rune(&options).unwrap(), expected);
    let line = "darkswap asset etch MY.NEW.RUNE --premine 10.5";
    let Ok(Command::Asset(Asset::Etch(options))) = typed(line) else { panic!("not understood") };
    assert!(matches!(assets::new_rune(&options), Err(Failure::BadInput(_))), "it has no decimals");
}

#[test]
fn a_rune_is_described_with_what_is_open_and_why_not() {
    let held = AssetReport { asset: GOLD, label: Some(gold()), units: 1_250, pending: 0, reserved: 100, notice: None };
    let rune = RuneReport {
        number: 7,
        label: gold(),
        etching: bitcoin::hashes::Hash::all_zeros(),
        block: 840_000,
        etched_seconds: 0,
        supply: Some(100_000),
        premine: 90_000,
        burned: 0,
        mints: 100,
        terms: Some(MintTerms { amount: 100, cap: 100, ..MintTerms::default() }),
        mintable: None,
        not_mintable: Some("all 100 mints were taken".to_owned()),
        turbo: false,
    };
    let description = AssetDescription { held, rune: Some(rune) };
    let text = super::rune::asset_text(&description);
    for part in ["rune 840000:3", "PURE•GOLD", "12.5", "900", "closed: all 100 mints were taken"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let json = serde_json::to_value(&description).unwrap();
    assert_eq!(json["held"]["asset"], "rune 840000:3");
    assert_eq!((&json["held"]["units"], &json["rune"]["supply"]), (&json!("1250"), &json!("100000")));
    assert_eq!(json["held"]["label"]["divisibility"], 2);
    assert_eq!(serde_json::from_value::<AssetDescription>(json).unwrap(), description);
}

#[test]
fn an_etching_says_how_long_it_takes_and_how_far_it_is() {
    let report = EtchingReport {
        name: "MY•NEW•RUNE".to_owned(),
        phase: EtchingPhase::Maturing,
        commitment: Some(bitcoin::hashes::Hash::all_zeros()),
        confirmations: 3,
        needed: 6,
        txid: None,
        asset: None,
        reason: None,
        created_seconds: 0,
    };
    let text = assets::etching_text(&report);
    assert!(text.contains("about an hour") && text.contains("6 blocks") && text.contains("after a restart"), "{text}");
    let text = assets::etchings_text(&[report]);
    assert!(text.contains("maturing") && text.contains("3 of 6"), "{text}");
}

#[test]
fn what_cannot_be_meant_is_refused_with_what_was_expected() {
    for (line, expected) in [
        ("darkswap wallet send bc1pxyz 0.001", "0.001btc or 1500sat"),
        ("darkswap wallet send bc1pxyz 1500sat --fee-rate fast", "5sat/vb"),
        ("darkswap order place sell --asset g0ld --units 1 --price 1sat", "840000:3"),
        ("darkswap order place give --asset 840000:3 --units 1 --price 1sat", "sell, buy"),
        ("darkswap order place sell --asset 840000:3 --price 1sat", "--amount <AMOUNT>|--units <N>"),
        ("darkswap order place sell --asset 840000:3 --units 1 --amount 1 --price 1sat", "cannot be used with"),
        ("darkswap asset etch GOLD --mint-amount 5", "--mint-cap"),
        ("darkswap trade show 91c2 --peer alice", "64 hexadecimal digits"),
    ] {
        let refused = typed(line).unwrap_err().to_string();
        assert!(refused.contains(expected), "{line}: {refused}");
    }
}

#[test]
fn the_commands_of_the_wallet_stand_beside_those_that_need_no_node() {
    for line in [
        "darkswap wallet address --json",
        "darkswap wallet balance",
        "darkswap wallet coins",
        "darkswap wallet transactions",
        "darkswap wallet create",
        "darkswap asset list --json",
        "darkswap asset info UNCOMMON.GOODS",
        "darkswap asset send bc1pxyz --asset UNCOMMON.GOODS --amount 12.5",
        "darkswap asset transfer bc1pxyz --asset 840000:3 --units 7 --yes",
        "darkswap asset mint 840000:3",
        "darkswap asset cancel MY.NEW.RUNE",
        "darkswap trade take 5f0c22a98e31 --units 500 --yes",
        "darkswap trade take 5f0c22a98e31 --amount 0.5",
        "darkswap trade cancel 91c2e0aa -y",
        "darkswap trade watch",
    ] {
        assert!(typed(line).is_ok(), "{line}");
    }
}

#[test]
fn an_order_is_a_line_with_all_that_a_taker_decides_by() {
    let text = orders::orders_text(&[order(0xab)], 100);
    let line = text.lines().nth(1).unwrap();
    for part in
        ["abababababababab ", "sell", "alkane 2:0", "1000", "10", "1500sat/1000", "2h00m", "proven", "presigned"]
    {
        assert!(line.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_taker_is_asked_with_what_it_gives_and_gets() {
    assert_eq!(swaps::question(&order(1), Some(100)), "Give 150sat and the network's fee for 100 units of alkane 2:0?");
    let buys = OrderReport { side: Side::Buy, ..order(1) };
    assert_eq!(swaps::question(&buys, None), "Give 1000 units of alkane 2:0 and the network's fee for 1500sat?");
}

#[test]
fn only_yes_is_a_confirmation() {
    assert!(desk::is_yes("y\n") && desk::is_yes(" Yes "));
    assert!(!desk::is_yes("") && !desk::is_yes("n") && !desk::is_yes("yeah"));
}

#[test]
fn an_id_may_be_shortened_as_long_as_it_names_one() {
    let all = || vec![order(0xab), order(0xac)];
    let find =
        |digits: &str| desk::find("order", digits, all(), |order| order.order.to_string(), "darkswap order book");
    assert_eq!(find("ABAB").unwrap().order, OrderId([0xab; 32]));
    for wrong in ["", "ab", "zzzz", "abac"] {
        assert!(find(wrong).is_err(), "{wrong}");
    }
    let same = desk::find("order", "abab", vec![order(0xab), order(0xab)], |order| order.order.to_string(), "x");
    assert!(same.is_err());
}

#[test]
fn a_swap_is_shown_in_a_line_and_in_full() {
    let line = swaps::swaps_text(&[swap()]);
    assert!(line.contains("taker") && line.contains("proposed") && line.contains("900sat"), "{line}");
    assert!(swaps::swap_text(&swap()).contains(&"03".repeat(32)));
}

#[test]
fn hostile_text_in_a_balance_does_not_reach_the_terminal() {
    let asset = AssetReport {
        asset: ALKANE,
        label: Some(Label { name: "\u{1b}[2Jx".to_owned(), symbol: Some('\u{1b}'), divisibility: 2 }),
        units: 1_234,
        pending: 0,
        reserved: 0,
        notice: Some("mind\u{1b}[2J".to_owned()),
    };
    let balance =
        BalanceReport { spendable: Amount::from_sat(150_000), assets: vec![asset], ..BalanceReport::default() };
    let text = wallet::balance_text(&balance);
    assert!(text.contains("0.0015btc") && text.contains("12.34") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn watching_one_swap_shows_that_one_until_its_end() {
    let event = |value: Value| -> Map<String, Value> { value.as_object().unwrap().clone() };
    let moved = event(json!({"event": "swap_moved", "swap": "91c2e0aa", "to": "done"}));
    assert!(swaps::concerns(&moved, None) && swaps::concerns(&moved, Some("91c2")) && swaps::has_ended(&moved));
    assert!(!swaps::concerns(&moved, Some("92")));
    assert!(!swaps::concerns(&event(json!({"event": "ping"})), None));
    assert!(swaps::concerns(&event(json!({"event": "events_lost", "count": 1})), Some("91c2")));
}
