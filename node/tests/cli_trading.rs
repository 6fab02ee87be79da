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
    for list in
        [["wallet", "coins"], ["wallet", "transactions"], ["order", "list"], ["trade", "list"], ["asset", "list"]]
    {
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
fn a_node_that_does_not_trade_says_what_to_do() {
    let folder = Folder::with_config(QUIET);
    refused(&folder.run(&["order", "book"]), 3, "no node is running");
    let (_running, _) = folder.start(&[]);
    for command in [&["wallet", "balance"][..], &["order", "list"], &["trade", "list"], &["asset", "list"]] {
        refused(&folder.run(command), 2, "trading.enabled");
    }
}
