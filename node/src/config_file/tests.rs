//! Configuration files as operators write and mistype them.

use std::time::Duration;

use bitcoin::{FeeRate, Network};
use darkswap_connectivity::prefix::PrefixLengths;
use darkswap_connectivity::relay::server;
use proptest::prelude::*;

use super::*;
use crate::config::{DayRate, RateSpan, Reachability, RpcLogin, TradingConfig, WebrtcConfig};
use crate::limits::Limits;

fn file(text: &str) -> Sources {
    Sources { folder: "/node".into(), file: Some(("darkswap.toml".to_owned(), text.to_owned())), ..Sources::default() }
}

fn problems(text: &str) -> Vec<String> {
    resolve(&file(text)).unwrap_err().0.iter().map(ToString::to_string).collect()
}

fn problem(text: &str) -> String {
    let mut found = problems(text);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

/// The template with every setting taken out of its comment.
fn uncommented() -> String {
    let is_setting =
        |line: &str| line.strip_prefix('#').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
    template().lines().map(|line| format!("{}\n", if is_setting(line) { &line[1..] } else { line })).collect()
}

#[test]
fn the_template_as_it_is_changes_nothing() {
    let defaults = resolve(&Sources { folder: "/node".into(), ..Sources::default() }).unwrap();
    assert_eq!(resolve(&file(&template())).unwrap(), defaults);
}

#[test]
fn the_templates_commented_defaults_are_the_defaults() {
    let found = resolve(&file(&uncommented())).unwrap();
    assert!(found.origins.iter().all(|origin| matches!(origin, Origin::File(_))), "{:#?}", found.origins);
    let listen = found.settings.node.listen.clone();
    assert_eq!(found.settings.node, Config { listen, ..Config::default() });
    assert_eq!(found.settings, resolve(&Sources { folder: "/node".into(), ..Sources::default() }).unwrap().settings);
}

#[test]
fn what_is_printed_reads_back() {
    let text = "[relay]\nserver = true\n[limits]\nmessage_deadline = \"90s\"\n[gossip]\ntopics = [\"a\\\"b\"]";
    let found = resolve(&file(text)).unwrap();
    assert_eq!(resolve(&file(&found.to_toml())).unwrap().settings, found.settings);
    assert!(found.to_toml().contains("server = true # darkswap.toml:2:1"), "{}", found.to_toml());
}

#[test]
fn every_limit_can_be_set() {
    // Fails to compile when a limit is added, until it gets its place in the table of settings.
    let Limits {
        connections: _,
        connections_per_peer: _,
        pending_connections: _,
        message_size: _,
        pending_messages: _,
        message_deadline: _,
        gossip_size: _,
        peers: _,
        idle: _,
        addresses_per_peer: _,
    } = Limits::default();
    assert_eq!(SETTINGS.iter().filter(|setting| setting.table == "limits").count(), 10);
}

#[test]
fn every_limit_of_a_relay_can_be_set() {
    // As above.
    let server::Limits {
        reservations: _,
        reservations_per_prefix: _,
        reservation_life: _,
        requests: server::Pace { burst: _, interval: _ },
        circuit_requests: _,
        circuits: _,
        circuits_per_peer: _,
        circuits_per_prefix: _,
        circuit_life: _,
        circuit_bytes: _,
        peer_bytes: _,
        prefix_bytes: _,
        peer_rate: _,
        prefix_rate: _,
        rate: _,
        accepts: _,
        prefixes: PrefixLengths { v4: _, v6: _ },
    } = Config::default().relay_limits;
    let relay: Vec<_> = SETTINGS.iter().filter(|setting| setting.table == "relay").map(|setting| setting.key).collect();
    let first = relay.iter().position(|key| *key == "reservations").unwrap();
    assert_eq!(relay[first..].iter().position(|key| *key == "drain"), Some(21));
}

#[test]
fn a_relay_grants_no_more_reservations_than_half_of_its_connections() {
    let relay = |more: &str| format!("[relay]\nserver = true\n{more}");
    let connections = |text: &str| resolve(&file(text)).unwrap().settings.node.limits.connections;
    assert_eq!(connections(""), 1_024);
    assert_eq!(connections(&relay("")), 4_096, "what nobody set fits");
    assert_eq!(connections(&relay("reservations = 600\nreservations_per_prefix = 10")), 2_400);
    assert_eq!(connections(&relay("reservations = 6\nreservations_per_prefix = 6")), 1_024);
    assert_eq!(connections(&relay("[limits]\nconnections = 2048")), 2_048);
    let problems = problems(&relay("[limits]\nconnections = 2047")).join("\n");
    assert!(
        problems.contains("relay.reservations: found 1024, expected at most half of limits.connections, 2047"),
        "{problems}"
    );
    assert_eq!(connections("[limits]\nconnections = 8"), 8, "of a node that is no relay nothing is asked");
}

#[test]
fn a_share_of_a_relays_limits_is_no_larger_than_the_whole() {
    let problems = problems("[relay]\ncircuits = 4\ncircuits_per_prefix = 4\nrate = \"1MiB\"").join("\n");
    assert!(problems.contains("relay.circuits_per_peer: found 128, expected at most relay.circuits, 4"), "{problems}");
    assert!(problems.contains("relay.prefix_rate: found"), "{problems}");
}

#[test]
fn every_setting_can_be_changed_in_the_file() {
    let peer = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
    let text = format!(
        r#"
[node]
identity = "/keys/identity"
listen = ["/ip4/127.0.0.1/udp/0/quic-v1"]
external = ["/ip4/198.51.100.7/udp/4001/quic-v1"]
reachability = "public"
hole_punching = false
[relay]
server = true
relays = ["/ip4/192.0.2.1/udp/1/quic-v1/p2p/{peer}"]
reservations = 6
reservations_per_prefix = 5
reservation_life = "30m"
request_burst = 3
request_interval = "20s"
circuits = 7
circuits_per_peer = 2
circuits_per_prefix = 4
circuit_burst = 9
circuit_interval = "500ms"
circuit_life = "2m"
circuit_bytes = "128KiB"
peer_bytes = "1MiB"
prefix_bytes = "2MiB"
peer_rate = "10KiB"
prefix_rate = "20KiB"
rate = "30KiB"
accept_burst = 40
accept_interval = "1s"
prefix_v4 = 24
prefix_v6 = 48
drain = "1m"
policy = "lowest_latency"
parameters = {{ absolute_margin = 0.05, best_n = 4 }}
hints = {{ {peer} = "40ms" }}
standbys = 2
probe_in_use = "3s"
probe_idle = "90s"
discovery = false
[discovery]
enabled = false
bootstrap = ["/dns4/boot.example.org/udp/1/quic-v1/p2p/{peer}"]
[webrtc]
enabled = false
preset = "mobile"
ice_servers = ["stun:192.0.2.1", {{ url = "turn:turn.example.org", username = "alice", credential_file = "turn" }}]
policy = "relay"
certificate = "other.pem"
[gossip]
topics = ["orders"]
[trading]
enabled = true
network = "signet"
electrum = ["127.0.0.1:50001", "ssl://electrum.example.org:50002"]
bitcoind = "http://[::1]:38332/"
bitcoind_cookie_file = "cookie"
bitcoind_password_file = ""
confirmations = 3
lowest_fee_rate = "1.5sat/vB"
highest_fee_rate = "200 sat/vB"
swap_window = "2m"
folder = "state"
wallet = "/keys/wallet.age"
passphrase_file = "passphrase"
key_file = ""
[bandwidth]
node_sends = [{{ from = "08:00", to = "18:00", rate = "2MiB" }}]
node_receives = "3MiB"
connection_sends = "4MiB"
connection_receives = "5MiB"
[messages]
sealing = "required"
compression = false
batch_delay = "7ms"
[limits]
connections = 12
connections_per_peer = 4
pending_connections = 5
message_size = "2MiB"
pending_messages = 8
message_deadline = "1m30s"
gossip_size = 4096
peers = 9
idle = "3m"
addresses_per_peer = 3
[control]
enabled = false
socket = "other.sock"
"#
    );
    let found = resolve(&file(&text)).unwrap();
    let defaults = resolve(&Sources::default()).unwrap();
    for (table, settings) in found.to_table() {
        for (key, value) in settings {
            // Only one of two logins and only one of two locks can be set at once.
            if !matches!((table, key), ("trading", "bitcoind_password_file" | "key_file")) {
                assert_ne!(value, defaults.to_table()[table][key], "{table}.{key}");
            }
        }
    }
    assert_eq!(resolve(&file(&found.to_toml())).unwrap().settings, found.settings);
    let Settings { node, control_socket, identity, certificate, ice_servers, preset, trading, .. } = found.settings;
    let seed = darkswap_wallet::Seed::from_entropy(&[7; 16]).unwrap();
    let TradingConfig { network, electrum, bitcoind, policy, folder, seed: _ } = trading.complete(seed);
    assert_eq!((network, electrum.len(), folder), (Network::Signet, 2, PathBuf::from("/node/state")));
    assert_eq!((policy.confirmations, policy.window), (3, Duration::from_secs(120)));
    assert_eq!(policy.fee_rates, (FeeRate::from_sat_per_kwu(375), FeeRate::from_sat_per_kwu(50_000)));
    let bitcoind = bitcoind.unwrap();
    assert_eq!(bitcoind.address.to_string(), "[::1]:38332");
    assert_eq!(bitcoind.login, RpcLogin::CookieFile("/node/cookie".into()));
    assert_eq!(trading.wallet, PathBuf::from("/keys/wallet.age"));
    assert_eq!(trading.passphrase_file, Some("/node/passphrase".into()));
    assert_eq!((node.webrtc.relay_only, preset, ice_servers.len()), (true, Preset::Mobile, 2));
    assert_eq!(certificate, PathBuf::from("/keys/other.pem"));
    assert_eq!(node.reachability, Reachability::Public);
    assert_eq!(node.limits.message_deadline, Duration::from_secs(90));
    assert_eq!(node.limits.gossip_size, 4096);
    assert_eq!(node.bandwidth.sending.node.spans(), [RateSpan { from: 480, to: 1_080, rate: 2 << 20 }]);
    let whole_days =
        [&node.bandwidth.receiving.node, &node.bandwidth.sending.connection, &node.bandwidth.receiving.connection];
    assert_eq!(whole_days.map(DayRate::whole_day), [3, 4, 5].map(|rate| Some(rate << 20)));
    assert_eq!(node.relays[0].peer.to_string(), peer);
    assert_eq!(control_socket, PathBuf::from("/node/other.sock"));
    assert_eq!(identity, PathBuf::from("/keys/identity"));
}

#[test]
fn parameters_of_the_choice_of_relays_are_read_by_their_table() {
    let read = resolve(&file("[relay]\nparameters = { absolute_margin = 0.05, best_n = 4 }")).unwrap();
    let parameters = read.settings.node.relay_selection.parameters;
    assert_eq!((parameters.absolute_margin, parameters.best_n), (Duration::from_millis(50), 4));
    let wrong = problem("[relay]\nparameters = { absolute_margin = 99 }");
    let expected = "darkswap.toml:2:34: relay.parameters: found 99 for absolute_margin, expected 0 to 10 s\n";
    assert!(wrong.starts_with(expected), "{wrong}");
    assert!(problem("[relay]\nparameters = { absolut_margin = 1 }").contains("did you mean `absolute_margin`"));
    assert!(problem("[relay]\npolicy = \"stickie\"").contains("did you mean `sticky`"));
}

#[test]
fn operators_are_told_of_every_policy_and_parameter() {
    let (template, manual) = (template(), include_str!("../../../docs/operating.md"));
    for policy in darkswap_connectivity::relay::policy::names() {
        assert!(template.contains(&format!("\"{policy}\"")), "{policy}");
        assert!(manual.contains(&format!("| `{policy}`")), "docs/operating.md lacks the line of {policy}");
    }
    for parameter in darkswap_connectivity::relay::policy::PARAMETERS {
        assert!(manual.contains(&format!("`{}`", parameter.name)), "{}", parameter.name);
    }
}

#[test]
fn every_webrtc_setting_can_be_set() {
    // Fails to compile when one is added, until it gets its place in the table of settings.
    let WebrtcConfig { enabled: _, ice_servers: _, relay_only: _, certificate: _ } = WebrtcConfig::default();
    // The preset is no setting of the node's own.
    assert_eq!(SETTINGS.iter().filter(|setting| setting.table == "webrtc").count(), 5);
}

#[test]
fn flags_override_the_environment_which_overrides_the_file() {
    let mut sources = file("[limits]\nconnections = 100\npeers = 100\npending_messages = 100");
    sources.environment = vec![
        ("DARKSWAP_LIMITS_PEERS".to_owned(), "200".to_owned()),
        ("DARKSWAP_LIMITS_RELAY_CIRCUITS".to_owned(), "200".to_owned()),
        ("DARKSWAP_NODE_LISTEN".to_owned(), "/ip4/127.0.0.1/tcp/1, /ip4/127.0.0.1/tcp/2".to_owned()),
    ];
    let set =
        |name: &str, value: &str| Override { flag: "--set".to_owned(), name: name.to_owned(), value: value.to_owned() };
    sources.flags = vec![set("limits.pending_messages", "300")];
    let found = resolve(&sources).unwrap();
    let limits = &found.settings.node.limits;
    assert_eq!((limits.connections, limits.peers, limits.pending_messages), (100, 200, 300));
    assert_eq!(found.settings.node.listen.len(), 2);
    assert!(
        found.to_toml().contains("peers = 200 # environment variable DARKSWAP_LIMITS_PEERS"),
        "{}",
        found.to_toml()
    );
    assert!(found.to_toml().contains("pending_messages = 300 # flag --set"), "{}", found.to_toml());
}

#[test]
fn a_misspelt_setting_is_shown_with_its_place_and_the_nearest_name() {
    assert_eq!(
        problem("[node]\n  listn = []\n"),
        "darkswap.toml:2:3: unknown setting `listn` in `[node]`, expected one of `identity`, `listen`, `external`, `reachability`, \
         `hole_punching`; did you mean `listen`?\n  2 |   listn = []\n    |   ^^^^^"
    );
    assert!(problem("[node]\nhole-punching = true").contains("did you mean `hole_punching`?"));
    assert!(problem("[nodes]\n").contains("unknown table `nodes`"));
    assert!(problem("[nodes]\n").contains("did you mean `node`?"));
    assert!(problem("listen = []").contains("did you mean `listen` in `[node]`?"));
    assert!(problem("[relay]\nbootstrap = []").contains("did you mean `bootstrap` in `[discovery]`?"));
    assert!(problem("relay = true").contains("expected the table `[relay]`"));
}

#[test]
fn a_wrong_value_is_shown_with_what_was_expected() {
    assert_eq!(
        problem("[limits]\nmessage_deadline = \"60\""),
        "darkswap.toml:2:20: limits.message_deadline: found the string \"60\", expected a duration from \"1s\" to \"1h\"\n  2 | \
         message_deadline = \"60\"\n    |                    ^^^^"
    );
    for (text, found, expected) in [
        ("message_deadline = 60", "the number 60", "a duration from"),
        ("message_size = \"64kb\"", "the string \"64kb\"", "a size from \"1KiB\" to \"16MiB\""),
        ("message_size = \"1TiB\"", "the string \"1TiB\"", "a size from"),
        ("connections = -5", "the number -5", "a number from 1 to 65536"),
        ("connections = 1.5", "the number 1.5", "a number from"),
        ("connections = \"many\"", "the string \"many\"", "a number from"),
        ("connections = [1]", "a list", "a number from"),
        ("connections = {}", "a table", "a number from"),
        ("connections = 2020-01-01", "a date", "a number from"),
    ] {
        let problem = problem(&format!("[limits]\n{text}"));
        assert!(problem.contains(&format!("found {found}, expected {expected}")), "{problem}");
    }
    assert!(problem("[node]\nreachability = \"publc\"").contains("did you mean `public`?"));
    assert!(problem("[node]\nhole_punching = \"yes\"").contains("expected `true` or `false`"));
}

#[test]
fn every_problem_is_reported_at_once_and_in_order() {
    let text = "[node]\nlisten = [\"/ip4/127.0.0.1/tcp/1\", 5, \"here\", \"/ip4/127.0.0.1/tcp/1\"]\nreachability = 3\n\
                [limits]\npeers = 0\nconections = 1\n[gossip]\ntopics = [\"\"]\n[what]\n";
    let mut sources = file(text);
    sources.flags = vec![Override { flag: "--set".to_owned(), name: "limit.peers".to_owned(), value: "1".to_owned() }];
    let found = resolve(&sources).unwrap_err().0;
    let places: Vec<String> = found.iter().map(|problem| problem.origin.to_string()).collect();
    let expected =
        ["2:35", "2:38", "2:46", "3:16", "5:9", "6:1", "8:11", "9:2"].map(|place| format!("darkswap.toml:{place}"));
    assert_eq!(places[..8], expected, "{found:#?}");
    assert_eq!(places[8], "flag --set");
}

/// How the resolved file shows a setting of WebRTC.
fn shown(resolved: &Resolved, key: &str) -> String {
    let text = resolved.to_toml();
    let lines = text.lines().skip_while(|line| *line != "[webrtc]");
    lines.skip(1).find(|line| line.starts_with(&format!("{key} = "))).unwrap_or_default().to_owned()
}

#[test]
fn a_preset_says_what_nobody_set() {
    let home = resolve(&file("")).unwrap();
    let two = "ice_servers = [\"stun:stun.cloudflare.com:3478\", \"stun:stun.l.google.com:19302\"] # default";
    assert_eq!(
        (shown(&home, "ice_servers"), shown(&home, "policy")),
        (two.to_owned(), "policy = \"all\" # default".into())
    );
    for (preset, servers) in [
        ("corporate", "[\"stun:stun.cloudflare.com:3478\", \"stun:stun.nextcloud.com:443\"]"),
        ("mobile", "[\"stun:stun.cloudflare.com:3478\"]"),
    ] {
        let found = resolve(&file(&format!("[webrtc]\npreset = \"{preset}\""))).unwrap();
        assert_eq!(shown(&found, "ice_servers"), format!("ice_servers = {servers} # preset {preset}"));
        assert_eq!(shown(&found, "policy"), format!("policy = \"all\" # preset {preset}"));
    }
    let own = resolve(&file("[webrtc]\npreset = \"corporate\"\nice_servers = []")).unwrap();
    assert_eq!(shown(&own, "ice_servers"), "ice_servers = [] # darkswap.toml:3:1");
}

#[test]
fn the_preset_of_a_stronger_source_wins_over_the_files() {
    let mut sources = file("[webrtc]\npreset = \"corporate\"");
    sources.environment = vec![("DARKSWAP_WEBRTC_PRESET".to_owned(), "mobile".to_owned())];
    let found = resolve(&sources).unwrap();
    assert_eq!(shown(&found, "ice_servers"), "ice_servers = [\"stun:stun.cloudflare.com:3478\"] # preset mobile");
}

const TURN: &str = r#"{ url = "turn:turn.example.org?transport=udp", username = "alice", credential_file = "turn" }"#;

#[test]
fn relaying_only_needs_a_turn_server() {
    let refused = problem("[webrtc]\npreset = \"relay-only\"");
    assert!(refused.starts_with("darkswap.toml:2:1: webrtc.preset: ") && refused.contains("add one"), "{refused}");
    assert!(problem("[webrtc]\npolicy = \"relay\"").starts_with("darkswap.toml:2:1: webrtc.policy: "));
    let found = resolve(&file(&format!("[webrtc]\npreset = \"relay-only\"\nice_servers = [{TURN}]"))).unwrap();
    assert!(found.settings.node.webrtc.relay_only);
    assert!(resolve(&file("[webrtc]\npolicy = \"relay\"\nenabled = false")).is_ok());
}

#[test]
fn without_webrtc_the_default_listeners_have_none() {
    let listens = |text: &str| {
        let found = resolve(&file(text)).expect("valid");
        found.settings.node.listen.iter().filter(|address| address.to_string().contains("webrtc-direct")).count()
    };
    assert_eq!(listens(""), 1);
    assert_eq!(listens("[webrtc]\nenabled = false"), 0);
}

#[test]
fn webrtc_cannot_be_listened_for_and_disabled() {
    let text = "[node]\nlisten = [\"/ip4/0.0.0.0/udp/9002/webrtc-direct\"]\n[webrtc]\nenabled = false";
    assert!(problem(text).starts_with("darkswap.toml:4:1: webrtc.enabled: "), "{}", problem(text));
}

#[test]
fn the_credential_of_a_turn_server_is_in_a_file_or_in_place_and_never_shown() {
    let found = resolve(&file(&format!("[webrtc]\nice_servers = [{TURN}]"))).unwrap();
    let read = |path: &std::path::Path| {
        assert_eq!(path, std::path::Path::new("/node/turn"));
        crate::ice_server::Credential::new("hunter2".to_owned())
    };
    let crate::ice_server::IceServer::Turn { username, credential, .. } =
        found.settings.ice_servers[0].complete(read).unwrap()
    else {
        panic!("a TURN server")
    };
    assert_eq!((username.as_str(), credential.expose()), ("alice", "hunter2"));
    assert_eq!(resolve(&file(&found.to_toml())).unwrap().settings, found.settings);

    let in_place = TURN.replace("credential_file = \"turn\"", "credential = \"hunter2\"");
    let found = resolve(&file(&format!("[webrtc]\nice_servers = [{in_place}]"))).unwrap();
    let text = format!("{}{:?}{:?}", found.to_toml(), found.to_table(), found);
    assert!(!text.contains("hunter2") && text.contains("(hidden)"), "{text}");
    let copied = problem(&found.to_toml());
    assert!(copied.contains("found `(hidden)`, which `darkswap config` prints in its place"), "{copied}");
}

#[test]
fn ice_servers_can_be_set_by_environment_and_flag() {
    let set = |value: &str| {
        let flag = Override { flag: "--set".into(), name: "webrtc.ice_servers".into(), value: value.to_owned() };
        let environment = vec![("DARKSWAP_WEBRTC_ICE_SERVERS".to_owned(), value.to_owned())];
        let flag =
            resolve(&Sources { flags: vec![flag], ..Sources::default() }).map(|found| found.settings.ice_servers);
        let variable = resolve(&Sources { environment, ..Sources::default() }).map(|found| found.settings.ice_servers);
        assert_eq!(flag.as_ref().ok(), variable.as_ref().ok());
        flag.map(|servers| servers.len()).map_err(|problems| problems.to_string())
    };
    assert_eq!(set(""), Ok(0));
    assert_eq!(set("stun:192.0.2.1, stun:stun.example.org:19302"), Ok(2));
    assert_eq!(set(&format!("[\"stun:192.0.2.1\", {TURN}]")), Ok(2));
    for (value, expected) in [
        ("[\"stun:192.0.2.1\"", "flag --set: webrtc.ice_servers: not TOML: "),
        ("[]\nother = 1", "expected a list of servers"),
        ("[5]", "found the number 5, expected a string or a table"),
        ("turn:192.0.2.1", "needs a user name and a credential, expected `{ url = "),
    ] {
        let refused = set(value).unwrap_err();
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn a_wrong_server_is_shown_with_its_place_and_what_was_expected() {
    let wrong = |server: &str| problem(&format!("[webrtc]\nice_servers = [\n  {server},\n]"));
    assert_eq!(
        wrong("\"stun:example.org:0\""),
        "darkswap.toml:3:3: webrtc.ice_servers: `stun:example.org:0` is not a server: found the port `0`, expected a number from 1 to \
         65535\n  3 |   \"stun:example.org:0\",\n    |   ^^^^^^^^^^^^^^^^^^^^"
    );
    for (server, expected) in [
        ("5", "3:3: webrtc.ice_servers: found the number 5, expected a string or a table"),
        ("\"turns:example.org\"", "found `turns:`, expected `stun:` or `turn:`"),
        ("\"turn:example.org\"", "`turn:example.org` needs a user name and a credential, expected `{ url = "),
        ("\"stun:example.org\", \"stun:EXAMPLE.org:3478\"", "3:23: webrtc.ice_servers: found the string"),
        ("{}", "found no `url`"),
        ("{ url = 5 }", "3:11: webrtc.ice_servers: found the number 5, expected a string"),
        ("{ url = \"turn:a\" }", "found no `username`"),
        (
            "{ url = \"turn:a\", username = \"\" }",
            "3:32: webrtc.ice_servers: found 0 bytes, expected a user name of 1 to 508",
        ),
        ("{ url = \"turn:a\", username = \"b\" }", "found no `credential_file`"),
        (
            "{ url = \"turn:a\", username = \"b\", credential = \"\" }",
            "3:50: webrtc.ice_servers: found an empty credential",
        ),
        ("{ url = \"turn:a\", username = \"b\", credential_file = \"\" }", "expected a path"),
        (
            "{ url = \"turn:a\", username = \"b\", credential = \"c\", credential_file = \"d\" }",
            "found a second credential",
        ),
        ("{ url = \"stun:a\", username = \"b\" }", "a `stun:` server takes no user name and no credential"),
        (
            "{ urls = \"stun:a\" }",
            "3:5: webrtc.ice_servers: unknown key `urls`, expected one of `url`, `username`, `credential`, \
          `credential_file`; did you mean `url`?",
        ),
    ] {
        assert!(wrong(server).contains(expected), "{}", wrong(server));
    }
    let many: String = (0..9).map(|number| format!("\"stun:192.0.2.{number}\",")).collect();
    assert!(problem(&format!("[webrtc]\nice_servers = [{many}]")).contains("found 9 entries, expected at most 8"));
    assert!(problem("[webrtc]\npreset = \"relay_only\"").contains("did you mean `relay-only`?"));
    assert!(problem("[webrtc]\npolicy = \"none\"").contains("expected one of `all`, `relay`"));
}

#[test]
fn what_trading_needs_is_asked_for() {
    for (text, refused) in [
        ("enabled = true", "2:1: trading.enabled: trading needs the chain, but trading.electrum names no server"),
        ("bitcoind = \"http://localhost:8332\"", "2:1: trading.bitcoind: needs to log in: set bitcoind_cookie_file"),
        ("bitcoind = \"https://localhost:8332\"", "expected `http://127.0.0.1:8332`"),
        (
            "bitcoind_cookie_file = \"a\"\nbitcoind_password_file = \"b\"",
            "3:1: trading.bitcoind_password_file: found a ",
        ),
        ("key_file = \"a\"\npassphrase_file = \"b\"", "2:1: trading.key_file: found a passphrase_file as well"),
        ("lowest_fee_rate = \"600sat/vB\"", "expected at most trading.highest_fee_rate"),
        ("lowest_fee_rate = \"1\"", "expected a fee rate from \"1sat/vB\" to \"2000sat/vB\""),
        (
            "electrum = [\"http://example.org:50002\"]",
            "2:13: trading.electrum: `http://example.org:50002` is not a server",
        ),
        ("electrum = [\"example.org\"]", "found no port, expected `host:port`"),
        ("network = \"testnet\"", "did you mean `testnet4`?"),
        ("confirmations = 0", "expected a number from 1 to 144"),
        ("swap_window = \"1s\"", "expected a duration from \"30s\" to \"10m\""),
    ] {
        let found = problem(&format!("[trading]\n{text}"));
        assert!(found.contains(refused), "{found}");
    }
}

#[test]
fn broken_toml_is_shown_with_its_place() {
    let problem = problems("[node\nlisten = []\n").remove(0);
    assert!(problem.starts_with("darkswap.toml:1:6: not TOML: "), "{problem}");
    assert!(problems("[node]\nlisten = [\"a\" \"b\"]\nreachability = \"nowhere\"").len() >= 2);
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    assert!(
        problem("[relay]\nserver = true\n[node]\nreachability = \"private\"")
            .starts_with("darkswap.toml:2:1: relay.server: ")
    );
    assert!(problem("[limits]\nconnections = 2").contains("expected at most limits.connections, 2"));
}

#[test]
fn a_misspelt_environment_variable_is_refused_and_a_foreign_one_ignored() {
    let foreign = [
        ("DARKSWAP_RELAY_PORT", "tcp://10.0.0.1:4001"),
        ("DARKSWAP_RELAY_SERVICE_HOST", "10.0.0.1"),
        ("DARKSWAP_DIR", "/x"),
        ("PATH", "/bin"),
    ];
    let environment = foreign.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let mut sources = Sources { environment, ..Sources::default() };
    assert!(resolve(&sources).is_ok());
    sources.environment.push(("DARKSWAP_LIMITS_CONECTIONS".to_owned(), "5".to_owned()));
    let problem = resolve(&sources).unwrap_err().to_string();
    assert!(problem.contains("did you mean `DARKSWAP_LIMITS_CONNECTIONS`?"), "{problem}");
}

#[test]
fn what_a_terminal_would_obey_is_not_printed() {
    let problem = problem("[node]\nreachability = \"\\u001b[2J\"");
    assert!(!problem.contains('\u{1b}'), "{problem:?}");
}

#[test]
fn too_much_is_refused() {
    assert!(problem(&"#".repeat(FILE_LIMIT + 1)).contains("expected at most 1048576"));
    let many: String = (0..40_000).map(|number| format!("x{number} = 1\n")).collect();
    assert_eq!(problems(&many).len(), 50);
    assert!(!problems(&format!("[node]\nlisten = {}", "[".repeat(100_000))).is_empty());
}

proptest! {
    #![proptest_config(crate::cases())]
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC*") {
        let _ = resolve(&file(&text)).map_err(|problems| problems.to_string());
    }

    #[test]
    fn a_damaged_file_never_panics(start in 0_usize..8_000, length in 0_usize..40, text in "[\\PC\\n\"\\[\\]=#\\.]{0,12}") {
        let mut whole = uncommented();
        let start = whole.floor_char_boundary(start.min(whole.len()));
        let end = whole.floor_char_boundary((start + length).min(whole.len()));
        whole.replace_range(start..end, &text);
        let _ = resolve(&file(&whole)).map_err(|problems| problems.to_string());
    }

    #[test]
    fn arbitrary_values_never_panic(value in "[-0-9a-zA-Z_\"'{}\\[\\],.:+/ \\\\]{0,30}", index in 0..SETTINGS.len()) {
        let setting = &SETTINGS[index];
        let _ = resolve(&file(&format!("[{}]\n{} = {value}", setting.table, setting.key))).map_err(|problems| problems.to_string());
        let mut sources = Sources::default();
        sources.environment.push((setting.variable(), value));
        let _ = resolve(&sources).map_err(|problems| problems.to_string());
    }
}
