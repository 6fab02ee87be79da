//! What the program `darkswap` does about WebRTC: its certificate file, and the test of ICE servers.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[expect(dead_code, reason = "what only tests/cli.rs uses")]
mod program;

use std::fs;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;

use darkswap_node::{Runtime as _, TokioRuntime, UdpSocket};
use program::{Finished, Folder};

const QUIET: &str = "[node]\nlisten = [\"/ip4/127.0.0.1/tcp/0\"]\n[discovery]\nenabled = false\n";

#[track_caller]
fn refused(finished: &Finished, code: i32, message: &str) {
    assert_eq!(finished.code, code, "{finished:?}");
    assert!(finished.stderr.contains(message), "expected `{message}` in {finished:?}");
}

#[test]
fn a_missing_certificate_is_made_and_the_same_after_a_restart() {
    let folder = Folder::with_config(QUIET);
    let path = folder.file("certificate.pem");
    fs::remove_file(&path).unwrap();
    drop(folder.start(&[]));
    let made = fs::read_to_string(&path).unwrap();
    assert!(
        made.starts_with("darkswap certificate v1, private key: keep it secret\nfingerprint "),
        "not a certificate file"
    );
    drop(folder.start(&[]));
    assert!(fs::read_to_string(&path).unwrap() == made, "the certificate was replaced");
}

#[test]
fn a_damaged_certificate_is_refused_and_never_replaced() {
    let folder = Folder::with_config(QUIET);
    let path = folder.file("certificate.pem");
    let whole = fs::read_to_string(&path).unwrap();
    let damaged = whole.replace("fingerprint ", "fingerprint 00");
    for (damaged, message) in [
        (&whole[..whole.len() - 100], "certificate.pem:3: the certificate or its key is truncated or damaged"),
        (damaged.as_str(), "certificate.pem:2: the fingerprint is not that of the certificate"),
        ("", "certificate.pem:1: not a darkswap certificate"),
    ] {
        fs::write(&path, damaged).unwrap();
        refused(&folder.run(&["run"]), 2, message);
        assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
    }
    // A node without WebRTC needs none.
    let (running, _) = folder.start(&["--set", "webrtc.enabled=false"]);
    drop(running);
}

#[cfg(unix)]
#[test]
fn a_certificate_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::with_config(QUIET);
    fs::set_permissions(folder.file("certificate.pem"), fs::Permissions::from_mode(0o640)).unwrap();
    refused(&folder.run(&["run"]), 2, "found mode 0640, expected 0600; run `chmod 600 ");
}

#[test]
fn the_credential_of_a_turn_server_is_read_from_its_file_only() {
    let server = "{ url = \"turn:127.0.0.1:9\", username = \"alice\", credential_file = \"turn\" }";
    let folder = Folder::with_config(&format!("{QUIET}[webrtc]\nice_servers = [{server}]\n"));
    refused(&folder.run(&["run"]), 2, "cannot read the credential file ");
    fs::write(folder.file("turn"), "\n").unwrap();
    refused(&folder.run(&["ice", "test"]), 2, "turn: found an empty credential, expected 1 to 1024 bytes");
    fs::write(folder.file("turn"), "hunter2\n").unwrap();
    let (_running, _) = folder.start(&[]);
    let shown = folder.run(&["config"]).stdout;
    assert!(shown.contains("credential_file = ") && !shown.contains("hunter2"), "{shown}");
}

/// Answers STUN binding requests (RFC 8489) with the sender's address, moved by `shift` ports as a NAT might do.
fn stun_responder(shift: u16) -> SocketAddr {
    let (sender, bound) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async move {
            let socket = TokioRuntime.bind_udp("127.0.0.1:0".parse().unwrap()).unwrap();
            sender.send(socket.local_addr().unwrap()).unwrap();
            respond(socket, shift).await;
        });
    });
    bound.recv().unwrap()
}

async fn respond(socket: Arc<dyn UdpSocket>, shift: u16) {
    let mut buffer = [0; 1_500];
    loop {
        let (length, remote) = poll_fn(|cx| socket.poll_recv(cx, &mut buffer)).await.unwrap();
        let SocketAddr::V4(remote) = remote else { panic!("bound to IPv4") };
        assert!(length >= 20 && buffer[..2] == [0, 1], "not a binding request");
        let cookie = [0x21, 0x12, 0xa4, 0x42];
        let mut answer = vec![0x01, 0x01, 0, 12];
        answer.extend_from_slice(&buffer[4..20]);
        // XOR-MAPPED-ADDRESS (section 14.2).
        answer.extend_from_slice(&[0x00, 0x20, 0, 8, 0, 1]);
        answer.extend_from_slice(&((remote.port() + shift) ^ 0x2112).to_be_bytes());
        answer.extend(remote.ip().octets().iter().zip(cookie).map(|(byte, mask)| byte ^ mask));
        socket.try_send(&answer, remote.into()).unwrap();
    }
}

fn server(address: SocketAddr) -> String {
    format!("stun:{address}")
}

#[test]
fn an_ice_test_shows_what_each_server_sees() {
    let folder = Folder::with_config(QUIET);
    let (one, two, other) = (stun_responder(1), stun_responder(1), stun_responder(2));
    let test = |servers: &[SocketAddr]| {
        let servers: Vec<String> =
            servers.iter().flat_map(|address| ["--server".to_owned(), server(*address)]).collect();
        let servers: Vec<&str> = servers.iter().map(String::as_str).collect();
        folder.run(&[&["ice", "test", "--json"], &servers[..]].concat()).json()
    };
    let same = test(&[one, two]);
    assert_eq!(same["mappings"][0]["mapping"], "endpoint_independent", "{same}");
    let local: SocketAddr = same["servers"][0]["local"].as_str().unwrap().parse().unwrap();
    let shifted = SocketAddr::new(local.ip(), local.port() + 1).to_string();
    for (index, address) in [one, two].into_iter().enumerate() {
        let found = &same["servers"][index];
        assert_eq!(found["server"], server(address));
        assert_eq!((&found["kind"], &found["reachable"]), (&"stun".into(), &true.into()), "{found}");
        assert_eq!((&found["reflexive"], &found["local"]), (&shifted.clone().into(), &local.to_string().into()));
        assert!(found["relayed"].is_null() && found["error"].is_null(), "{found}");
        assert!(found["round_trip_seconds"].as_f64().unwrap() < 5.0);
    }
    assert_eq!(test(&[one, other])["mappings"][0]["mapping"], "address_and_port_dependent");
    assert_eq!(test(&[one])["mappings"][0]["mapping"], "unknown");
    assert_eq!(test(&[stun_responder(0)])["mappings"][0]["mapping"], "none");
}

#[test]
fn one_working_server_is_enough_and_none_is_a_failure() {
    let folder = Folder::with_config(QUIET);
    let working = server(stun_responder(1));
    // Bound, so that no other process answers there, and silent.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let silent = runtime.block_on(async { TokioRuntime.bind_udp("127.0.0.1:0".parse().unwrap()).unwrap() });
    let silent = server(silent.local_addr().unwrap());
    let mixed = folder.run(&["ice", "test", "--server", &silent, "--server", &working]);
    assert_eq!(mixed.code, 0, "{mixed:?}");
    assert!(mixed.stdout.starts_with("SERVER") && mixed.stdout.contains("no answer within"), "{mixed:?}");
    assert!(mixed.stdout.contains("the kind of mapping is unknown until a second server answers"), "{mixed:?}");
    let none = folder.run(&["ice", "test", "--server", &silent]);
    refused(&none, 1, "no server works from here");
    assert!(none.stdout.contains("no answer within"), "{none:?}");
}

#[test]
fn a_server_that_cannot_be_tested_is_bad_input() {
    let folder = Folder::with_config("[webrtc]\nice_servers = []\n");
    refused(&folder.run(&["ice", "test"]), 2, "there is no server to test: webrtc.ice_servers is empty");
    refused(
        &folder.run(&["ice", "test", "--server", "turns:example.org"]),
        2,
        "flag --server: webrtc.ice_servers: `turns:example.org` is not a server: found `turns:`",
    );
    let unknown = folder.run(&["ice", "test", "--server", "stun:name.invalid"]);
    refused(&unknown, 1, "no server works from here");
    assert!(unknown.stdout.contains("name.invalid"), "{unknown:?}");
}
