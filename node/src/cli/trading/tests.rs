//! What is typed, and what is shown.

use bitcoin::Amount;
use clap::Parser as _;
use darkswap_trade::asset::{AlkaneId, Asset as AssetId};
use darkswap_trade::book::Backing;
use darkswap_trade::order::{OrderId, Price, Side, TraderKey};
use darkswap_trade::swap::{Phase, Role, SwapId};
use darkswap_trader::command::{AssetReport, BalanceReport, Command as Asked, OrderReport, SwapReport};
use serde_json::{Map, Value, json};

use super::{Order, desk, orders, swaps, wallet};
use crate::cli::arguments::{Arguments, Command};

const ALKANE: AssetId = AssetId::Alkane(AlkaneId { block: 2, tx: 0 });

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
        units: 7,
        payment: Amount::from_sat(900),
        phase: Phase::Proposed,
        txid: None,
        reason: None,
        created_seconds: 0,
    }
}

#[test]
fn an_order_is_typed_with_units_and_becomes_a_command() {
    let line = "darkswap order place sell --asset alkane:2:0 --units 1000 --minimum 10 --price 150sat/10 --lifetime 6h";
    let Ok(Command::Order(Order::Place(options))) = typed(line) else { panic!("not understood") };
    let expected = Asked::Place {
        side: Side::Sell,
        asset: ALKANE,
        units: 1_000,
        minimum: Some(10),
        price: Price { sats: 150, units: 10 },
        lifetime_seconds: 21_600,
        presigned: false,
    };
    assert_eq!(orders::placing(&options), expected);
}

#[test]
fn what_cannot_be_meant_is_refused_with_what_was_expected() {
    for (line, expected) in [
        ("darkswap wallet send bc1pxyz 0.001", "0.001btc or 1500sat"),
        ("darkswap wallet send bc1pxyz 1500sat --fee-rate fast", "5sat/vb"),
        ("darkswap order place sell --asset gold --units 1 --price 1sat", "840000:3"),
        ("darkswap order place give --asset 840000:3 --units 1 --price 1sat", "sell, buy"),
        ("darkswap order place sell --asset 840000:3 --units 1.5 --price 1sat", "invalid digit"),
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
        "darkswap trade take 5f0c22a98e31 --units 500 --yes",
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
        name: Some("\u{1b}[2Jx".to_owned()),
        divisibility: 2,
        units: 1_234,
        reserved: 0,
        notice: None,
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
