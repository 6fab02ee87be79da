//! What the program `darkswap` does about wallets without a running node.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[expect(dead_code, reason = "what only tests/cli.rs uses")]
mod program;

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use program::{Finished, Folder};

/// The test vectors of BIP 86.
const WORDS: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

/// The account's key for bitcoin, from there.
const ACCOUNT: &str =
    "xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ";

#[track_caller]
fn refused(finished: &Finished, code: i32, message: &str) {
    assert_eq!(finished.code, code, "{finished:?}");
    assert!(finished.stderr.contains(message), "expected `{message}` in {finished:?}");
    assert_eq!(finished.stdout, "");
}

/// A file that only its owner may read.
fn private(folder: &Folder, name: &str, content: &str) -> String {
    let path = folder.file(name);
    fs::write(&path, content).unwrap();
    #[cfg(unix)]
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    path.display().to_string()
}

/// A folder with a wallet that a key file opens, and the name of that file.
fn with_wallet() -> (Folder, String, serde_json::Value) {
    let folder = Folder::new();
    assert_eq!(folder.run(&["init"]).code, 0);
    let key = folder.file("wallet.key").display().to_string();
    let made = folder.run(&["wallet", "create", "--new-key-file", &key, "--json"]).json();
    (folder, key, made)
}

#[test]
fn a_new_wallet_shows_its_words_and_is_restored_from_them() {
    let (folder, key, made) = with_wallet();
    let words = made["words"].as_str().unwrap();
    assert_eq!(words.split(' ').count(), 24);
    assert_eq!((made["locked_by"].as_str(), made["key_file"].as_str()), (Some("key_file"), Some(key.as_str())));
    let exported = folder.run(&["wallet", "export-seed", "--key-file", &key, "--json"]).json();
    assert_eq!(exported["words"], made["words"]);
    let shown = folder.run(&["wallet", "export-seed", "--key-file", &key]);
    let first = words.split(' ').next().unwrap();
    assert!(shown.stdout.starts_with(&format!("   1 {first}")), "the words are numbered");
    assert!(shown.stdout.contains("Who has these words has the money."), "there is a warning");

    let other = Folder::new();
    assert_eq!(other.run(&["init"]).code, 0);
    let file = private(&other, "words", &format!("  {}\n", words.to_uppercase()));
    let key_there = other.file("other.key").display().to_string();
    let restored = other.run(&["wallet", "import", "--words-file", &file, "--new-key-file", &key_there]);
    assert_eq!(restored.code, 0, "{}", restored.stderr);
    assert!(!restored.stdout.contains(words) && !restored.stdout.contains("   1 "), "the words are not repeated");
    let descriptor = |folder: &Folder, key: &str| folder.run(&["wallet", "descriptor", "--key-file", key]).stdout;
    assert!(descriptor(&folder, &key).starts_with("external  tr("));
    assert_eq!(descriptor(&folder, &key), descriptor(&other, &key_there));
}

#[test]
fn the_descriptors_are_those_of_bip_86() {
    let folder = Folder::new();
    let key = folder.file("wallet.key").display().to_string();
    // Without `init`: the folder is made as well.
    let mut command = folder.command(&["wallet", "import", "--words-file", "-", "--passphrase-file", &key]);
    assert_eq!(command.output().unwrap().status.code(), Some(2), "there is no such passphrase file");
    let mut importing = folder
        .command(&["wallet", "import", "--words-file", "-", "--new-key-file", &key, "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    importing.stdin.take().unwrap().write_all(WORDS.as_bytes()).unwrap();
    assert_eq!(importing.wait().unwrap().code(), Some(0));
    let found = folder.run(&["wallet", "descriptor", "--key-file", &key, "--json"]).json();
    let external = found["external"].as_str().unwrap();
    assert!(external.starts_with(&format!("tr([73c5da0a/86'/0'/0']{ACCOUNT}/0/*)")), "{external}");
    assert!(found["internal"].as_str().unwrap().contains("/1/*)"), "{found}");
    let regtest = folder.run(&["wallet", "descriptor", "--key-file", &key, "--network", "regtest", "--json"]).json();
    assert_eq!(regtest["network"], "regtest");
    assert!(regtest["external"].as_str().unwrap().starts_with("tr([73c5da0a/86'/1'/0']tpub"), "{regtest}");
    let unknown = folder.run(&["wallet", "descriptor", "--key-file", &key, "--network", "regtst"]);
    refused(&unknown, 2, "flag --network: trading.network: found `regtst`");
}

#[test]
fn a_wallet_is_never_overwritten_and_no_key_is_made_for_nothing() {
    let (folder, key, _) = with_wallet();
    let before = fs::read(folder.file("wallet.age")).unwrap();
    let spare = folder.file("spare.key");
    let again = ["wallet", "create", "--new-key-file", spare.to_str().unwrap()];
    refused(&folder.run(&again), 1, "wallet.age exists already and is never overwritten");
    let again = ["wallet", "import", "--words-file", "-", "--key-file", &key];
    refused(&folder.run(&again), 1, "wallet.age exists already and is never overwritten");
    assert!(!spare.exists());
    assert_eq!(fs::read(folder.file("wallet.age")).unwrap(), before);
}

#[test]
fn a_passphrase_comes_from_a_file_and_a_wrong_one_is_told() {
    let folder = Folder::new();
    assert_eq!(folder.run(&["init"]).code, 0);
    let right = private(&folder, "right", "correct horse battery staple\n");
    let wrong = private(&folder, "wrong", "correct horse battery stable\n");
    let made = folder.run(&["wallet", "create", "--passphrase-file", &right]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert!(made.stdout.contains("These 24 words are the wallet.") && made.stdout.contains("  24 "));
    refused(&folder.run(&["wallet", "export-seed", "--passphrase-file", &wrong]), 2, "the passphrase is wrong");
    refused(&folder.run(&["wallet", "export-seed"]), 2, "there is no terminal to ask on");
    // The configuration names it for services.
    fs::write(folder.file("darkswap.toml"), "[trading]\npassphrase_file = \"right\"\n").unwrap();
    assert_eq!(folder.run(&["wallet", "export-seed"]).code, 0);
}

#[test]
fn what_opens_a_wallet_is_asked_for_by_its_name() {
    let (folder, _, _) = with_wallet();
    refused(&folder.run(&["wallet", "descriptor"]), 2, "it is locked with a key file; give --key-file");
    let passphrase = private(&folder, "passphrase", "hunter2\n");
    let wrong_kind = folder.run(&["wallet", "descriptor", "--passphrase-file", &passphrase]);
    refused(&wrong_kind, 2, "locked with a key file, not with a passphrase");
    fs::remove_file(folder.file("wallet.age")).unwrap();
    refused(&folder.run(&["wallet", "descriptor"]), 2, "`darkswap wallet create` makes one");
    refused(&folder.run(&["wallet", "create"]), 2, "give --passphrase-file, --key-file or --new-key-file");
    let both = ["wallet", "create", "--passphrase-file", "a", "--new-key-file", "b"];
    refused(&folder.run(&both), 2, "cannot be used with");
    let words = private(&folder, "words", "abandon about\n");
    let import = ["wallet", "import", "--words-file", &words, "--passphrase-file", &passphrase];
    refused(&folder.run(&import), 2, "found 2 words; expected 12");
}

#[cfg(unix)]
#[test]
fn files_of_a_wallet_that_others_can_read_are_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, key, _) = with_wallet();
    for file in ["wallet.age", "wallet.key"] {
        let mode = |mode| fs::set_permissions(folder.file(file), fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(fs::metadata(folder.file(file)).unwrap().permissions().mode() & 0o777, 0o600);
        mode(0o644);
        let found = folder.run(&["wallet", "descriptor", "--key-file", &key]);
        refused(&found, 2, "found mode 0644, expected 0600; run `chmod 600 ");
        mode(0o600);
    }
}

#[test]
fn a_node_that_is_to_trade_needs_its_wallet() {
    let folder =
        Folder::with_config("[trading]\nenabled = true\nelectrum = [\"127.0.0.1:1\"]\nnetwork = \"regtest\"\n");
    refused(&folder.run(&["run"]), 2, "`darkswap wallet create` makes one");
    let key = folder.file("wallet.key").display().to_string();
    assert_eq!(folder.run(&["wallet", "create", "--new-key-file", &key]).code, 0);
    refused(&folder.run(&["run"]), 2, "give --key-file, or set trading.key_file");
}
