//! The program `darkswap` as an operator and a script see it.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod program;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use program::{Finished, Folder};

const QUIET: &str = "[node]\nlisten = [\"/ip4/127.0.0.1/tcp/0\"]\n[discovery]\nenabled = false\n";

const PEER: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

#[track_caller]
fn refused(finished: &Finished, code: i32, message: &str) {
    assert_eq!(finished.code, code, "{finished:?}");
    assert!(finished.stderr.contains(message), "expected `{message}` in {finished:?}");
    assert_eq!(finished.stdout, "");
}

#[test]
fn init_makes_what_is_missing_and_overwrites_nothing() {
    let folder = Folder::new();
    let made = folder.run(&["init"]);
    assert_eq!(made.code, 0, "{made:?}");
    let (identity, config) = (folder.file("identity"), folder.file("darkswap.toml"));
    assert_eq!(made.stdout.matches("(made)").count(), 3, "{made:?}");
    let before = fs::read_to_string(&identity).unwrap();
    refused(&folder.run(&["init"]), 1, "exist already; nothing was changed");
    fs::remove_file(&config).unwrap();
    let repaired = folder.run(&["init"]);
    assert!(repaired.stdout.contains("(kept)") && repaired.stdout.contains("(made)"), "{repaired:?}");
    assert_eq!(fs::read_to_string(&identity).unwrap(), before);
    assert!(fs::read_to_string(&config).unwrap().contains("#listen = ["));
}

#[cfg(unix)]
#[test]
fn identity_folder_and_socket_are_private_and_a_readable_identity_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::with_config(QUIET);
    let mode = |name: &str| fs::metadata(folder.file(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("identity"), mode("certificate.pem"), mode("")), (0o600, 0o600, 0o700));
    let (running, _) = folder.start(&[]);
    assert_eq!(mode("control.sock"), 0o600);
    drop(running);
    fs::set_permissions(folder.file("identity"), fs::Permissions::from_mode(0o644)).unwrap();
    refused(&folder.run(&["run"]), 2, "found mode 0644, expected 0600; run `chmod 600 ");
}

#[test]
fn a_truncated_or_missing_identity_is_refused() {
    let folder = Folder::with_config(QUIET);
    let text = fs::read_to_string(folder.file("identity")).unwrap();
    fs::write(folder.file("identity"), &text[..text.len() - 20]).unwrap();
    refused(&folder.run(&["run"]), 2, "identity:3: the key is truncated or damaged");
    fs::remove_file(folder.file("identity")).unwrap();
    refused(&folder.run(&["run"]), 2, "`darkswap init` makes one");
}

#[test]
fn the_resolved_configuration_is_printed_with_its_origins() {
    let folder = Folder::with_config("[limits]\npeers = 7\n");
    let mut command = folder.command(&["config", "--relay-server"]);
    let output = command.env("DARKSWAP_LIMITS_CONNECTIONS", "9999").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "peers = 7 # ",
        "darkswap.toml:2:1",
        "connections = 9999 # environment variable DARKSWAP_LIMITS_CONNECTIONS",
        "server = true # flag --relay-server",
        "message_deadline = \"1m\" # default",
    ] {
        assert!(text.contains(line), "expected `{line}` in {text}");
    }
    let json = folder.run(&["config", "--json"]).json();
    assert_eq!((json["limits"]["peers"].as_u64(), json["relay"]["server"].as_bool()), (Some(7), Some(false)));
}

#[test]
fn everything_that_is_wrong_with_a_configuration_is_told_at_once() {
    let folder =
        Folder::with_config("[node]\nlistn = []\nreachability = \"publc\"\n[limits]\nmessage_size = \"1XB\"\n");
    for command in ["run", "config", "status"] {
        let finished = folder.run(&[command]);
        for message in [
            "darkswap.toml:2:1: unknown setting `listn` in `[node]`, expected one of `identity`, `listen`",
            "did you mean `listen`?\n  2 | listn = []\n    | ^^^^^",
            "darkswap.toml:3:16: node.reachability: found the string \"publc\"",
            "did you mean `public`?",
            "darkswap.toml:5:16: limits.message_size: found the string \"1XB\", expected a size from \"1KiB\" to \"16MiB\"",
        ] {
            refused(&finished, 2, message);
        }
    }
    fs::write(folder.file("darkswap.toml"), b"[node]\n# \xff\n").unwrap();
    refused(&folder.run(&["config"]), 2, "darkswap.toml:2: found bytes that are not UTF-8 text");
    refused(
        &folder.run(&["config", "--config", "/nowhere.toml"]),
        2,
        "cannot open the configuration file /nowhere.toml",
    );
}

#[test]
fn wrong_arguments_are_bad_input() {
    let folder = Folder::with_config(QUIET);
    refused(&folder.run(&["rum"]), 2, "'run'");
    refused(&folder.run(&["send", "nobody", "hello"]), 2, "invalid value 'nobody' for '<PEER_ID>'");
    refused(&folder.run(&["connect", "/ip4/127.0.0.1/tcp/1"]), 2, "expected an address that ends in `/p2p/<peer id>`");
    refused(&folder.run(&["run", "--set", "limits.connetions=1"]), 2, "did you mean `limits.connections`?");
    refused(&folder.run(&["run", "--listen", "/ip4/127.0.0.1"]), 2, "flag --listen: node.listen: cannot listen on");
    refused(&folder.run(&["send", PEER, "--file", "/nowhere"]), 2, "cannot open /nowhere");
    let mut command = folder.command(&["run"]);
    let output = command.env("DARKSWAP_LOG", "=,=").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn commands_without_a_running_node_say_so() {
    let folder = Folder::with_config(QUIET);
    let commands: [&[&str]; 8] = [
        &["status"],
        &["peers", "--json"],
        &["connect", PEER],
        &["disconnect", PEER],
        &["send", PEER, "hello"],
        &["publish", "topic", "hello"],
        &["events"],
        &["stop"],
    ];
    for command in commands {
        refused(&folder.run(command), 3, "no node is running with the control socket");
    }
}

#[test]
fn a_running_node_answers_and_stops_when_it_is_told() {
    let folder = Folder::with_config(QUIET);
    let (running, ready) = folder.start(&["--log-format", "json"]);
    let status = folder.run(&["status", "--json"]).json();
    assert_eq!(ready["peer_id"], status["peer_id"]);
    let address = format!("{}/p2p/{}", status["listening"][0].as_str().unwrap(), status["peer_id"].as_str().unwrap());
    assert_eq!(ready["addresses"], serde_json::json!([address]));
    assert!(folder.run(&["status"]).stdout.contains("listens on"));
    assert!(folder.run(&["peers"]).stdout.starts_with("PEER"));
    refused(&folder.run(&["run"]), 1, "another node is running with the control socket");
    refused(&folder.run(&["publish", "topic", "hello"]), 1, "not published on topic");
    refused(&folder.run(&["drain"]), 1, "this node is no relay");
    refused(&folder.run(&["connect", ready["peer_id"].as_str().unwrap()]), 1, "it is this node itself");
    refused(&folder.run(&["connect", &format!("/ip4/127.0.0.1/tcp/1/p2p/{PEER}")]), 1, "no path to");
    for line in running.log().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["level"].is_string() && line["message"].is_string(), "{line}");
    }
    let stopped = folder.run(&["stop"]);
    assert_eq!(stopped.code, 0, "{stopped:?}");
    // The command returns when the node has ended, so another one can be started at once.
    let (again, _) = folder.start(&[]);
    assert_eq!(running.ended(), Some(0));
    drop(again);
}

#[cfg(unix)]
#[test]
fn a_signal_stops_a_node_in_good_order() {
    let folder = Folder::with_config(QUIET);
    for signal in ["TERM", "INT"] {
        let (running, _) = folder.start(&[]);
        let sent = std::process::Command::new("kill").args(["-s", signal, &running.id().to_string()]).status().unwrap();
        assert!(sent.success());
        assert_eq!(running.ended(), Some(0), "{signal}");
        assert!(!folder.file("control.sock").exists());
    }
}

#[test]
fn a_relay_shows_what_it_does_and_drains_when_it_is_told() {
    let relay = QUIET
        .replace("[discovery]", "reachability = \"public\"\n[relay]\nserver = true\nreservations = 700\n[discovery]");
    let folder = Folder::with_config(&relay);
    let (_running, _) = folder.start(&[]);
    assert_eq!(folder.run(&["status", "--json"]).json()["relay"]["reservations_limit"], 700);
    assert!(folder.run(&["status"]).stdout.contains("0 reservations of 700"));
    refused(&folder.run(&["drain", "--within", "soon"]), 2, "expected a duration such as");
    assert_eq!(folder.run(&["drain", "--within", "10s", "--json"]).json()["drained"]["cut"], 0);
    assert!(folder.run(&["drain"]).stdout.contains("drained, 0 circuits cut"));
    assert!(folder.run(&["status"]).stdout.contains("drains"));
}

#[test]
fn a_node_starts_again_after_a_crash() {
    let folder = Folder::with_config(QUIET);
    let (running, first) = folder.start(&[]);
    running.crash();
    refused(&folder.run(&["status"]), 3, "no node is running");
    let (_running, second) = folder.start(&[]);
    assert_eq!(first["peer_id"], second["peer_id"]);
}

#[test]
fn an_address_that_is_taken_is_named() {
    let folder = Folder::with_config(QUIET);
    let (_running, ready) = folder.start(&[]);
    let address = ready["addresses"][0].as_str().unwrap().split("/p2p/").next().unwrap();
    let other = Folder::with_config(QUIET);
    refused(&other.run(&["run", "--listen", address]), 1, &format!("cannot listen on {address}"));
}

#[test]
fn events_are_followed_until_the_node_ends() {
    let folder = Folder::with_config(QUIET);
    let (running, _) = folder.start(&[]);
    let only = ["events", "--json", "--only", "dial_failed"];
    let mut following = folder.command(&only).stdout(Stdio::piped()).spawn().unwrap();
    let (sender, lines) = sync_channel(16);
    let stdout = BufReader::new(following.stdout.take().unwrap());
    std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    // Only when the first event arrives is it known that the command listens.
    let line = (0..100).find_map(|_| {
        refused(&folder.run(&["connect", &format!("/ip4/127.0.0.1/tcp/1/p2p/{PEER}")]), 1, "no path to");
        lines.recv_timeout(Duration::from_millis(100)).ok()
    });
    let event: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
    assert_eq!((event["event"].as_str(), event["peer"].as_str()), (Some("dial_failed"), Some(PEER)));
    assert_eq!(folder.run(&["stop"]).code, 0);
    assert_eq!(running.ended(), Some(0));
    while lines.recv_timeout(program::PATIENCE).is_ok() {}
    assert_eq!(following.wait().unwrap().code(), Some(0));
}
