//! What the program `darkswap` asks of a running node that trades. Its chain is a server that never answers.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[expect(dead_code, reason = "what only tests/cli.rs uses")]
mod program;

use program::{Finished, Folder};

const QUIET: &str = "[node]\nlisten = [\"/ip4/127.0.0.1/tcp/0\"]\n[discovery]\nenabled = false\n";

#[track_caller]
fn refused(finished: &Finished, code: i32, message: &str) {
    assert_eq!(finished.code, code, "{finished:?}");
    assert!(finished.stderr.contains(message), "expected `{message}` in {finished:?}");
    assert_eq!(finished.stdout, "");
}

fn trading() -> Folder {
    let folder = Folder::with_config(QUIET);
    let key = folder.file("wallet.key").display().to_string();
    assert_eq!(folder.run(&["wallet", "create", "--new-key-file", &key]).code, 0);
    let trading =
        "[trading]\nenabled = true\nnetwork = \"regtest\"\nelectrum = [\"127.0.0.1:1\"]\nkey_file = \"wallet.key\"\n";
    std::fs::write(folder.file("darkswap.toml"), format!("{QUIET}\n{trading}")).unwrap();
    folder
}

#[test]
fn a_node_that_trades_answers_for_its_wallet_and_its_book() {
    let folder = trading();
    let (_running, _) = folder.start(&[]);
    let address = folder.run(&["wallet", "address", "--json"]).json();
    assert!(address["address"].as_str().unwrap().starts_with("bcrt1"), "{address}");
    let balance = folder.run(&["wallet", "balance"]);
    assert!(balance.stdout.contains("spendable") && balance.stdout.contains("0sat"), "{balance:?}");
    assert_eq!(folder.run(&["wallet", "balance", "--json"]).json()["spendable"], 0);
    for list in [
        ["wallet", "coins"],
        ["wallet", "transactions"],
        ["order", "list"],
        ["trade", "list"],
        ["asset", "list"],
        ["asset", "etchings"],
    ] {
        assert_eq!(folder.run(&[&list[..], &["--json"]].concat()).json(), serde_json::json!([]), "{list:?}");
        assert_eq!(folder.run(&list).stdout.lines().count(), 1, "{list:?}");
    }
    let book = folder.run(&["order", "book", "--asset", "840000:3"]);
    assert!(book.stdout.starts_with("ORDER"), "{book:?}");

    let nothing = ["order", "place", "sell", "--asset", "alkane:2:0", "--units", "10", "--price", "1000sat"];
    let refused_order = folder.run(&nothing);
    assert!(refused_order.code != 0 && !refused_order.stderr.is_empty(), "{refused_order:?}");
    let id = "ab".repeat(32);
    let unknown = folder.run(&["trade", "take", &id, "--yes"]);
    assert!(unknown.code != 0 && !unknown.stderr.is_empty(), "{unknown:?}");
    refused(&folder.run(&["trade", "show", "abab"]), 1, "`darkswap trade list` shows them");
    refused(&folder.run(&["order", "cancel", "xyz"]), 2, "hexadecimal digits");
}

#[test]
fn assets_are_named_described_and_etched_only_where_somebody_knows_them() {
    let folder = trading();
    let (_running, _) = folder.start(&[]);
    let alkane = folder.run(&["asset", "info", "alkane:2:0"]);
    assert!(alkane.stdout.contains("alkane 2:0"), "{alkane:?}");
    // Said once, in full.
    for part in ["only as good as the alkanes indexer", "No alkanes indexer is configured"] {
        assert_eq!(alkane.stdout.matches(part).count(), 1, "{part}: {alkane:?}");
    }
    let json = folder.run(&["asset", "info", "alkane:2:0", "--json"]).json();
    assert_eq!((&json["held"]["asset"], &json["held"]["units"]), (&"alkane 2:0".into(), &"0".into()));
    assert!(json["rune"].is_null() && json["held"]["notice"].is_string(), "{json}");

    refused(&folder.run(&["asset", "info", "g0ld"]), 2, "a rune's name such as `UNCOMMON•GOODS`");
    refused(&folder.run(&["asset", "mint", "alkane:2:0", "--yes"]), 1, "minted by their contracts");
    let fee = ["--fee-rate", "5sat/vb", "--yes"];
    let etch = |more: &[&str]| folder.run(&[&["asset", "etch"], more, &fee].concat());
    refused(&etch(&["MY.NEW.RUNE.NAME", "--premine", "1.5"]), 2, "cannot be divided further");
    refused(&etch(&["MY.NEW.RUNE.NAME"]), 1, "no server of the chain answers");
    refused(&folder.run(&["asset", "cancel", "MY.NEW.RUNE.NAME", "--yes"]), 1, "found no etching");
    let send = [
        "asset",
        "send",
        "bcrt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqdku202",
        "--asset",
        "alkane:2:0",
        "--amount",
        "1.5",
        "--yes",
    ];
    refused(&folder.run(&send), 2, "cannot be divided further");
}

#[test]
fn a_node_that_does_not_trade_says_what_to_do() {
    let folder = Folder::with_config(QUIET);
    refused(&folder.run(&["order", "book"]), 3, "no node is running");
    let (_running, _) = folder.start(&[]);
    for command in [&["wallet", "balance"][..], &["order", "list"], &["trade", "list"], &["asset", "list"]] {
        refused(&folder.run(command), 2, "trading.enabled");
    }
}
