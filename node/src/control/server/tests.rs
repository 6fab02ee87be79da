//! Clients, well-behaved and not, against a scripted node.
#![expect(clippy::disallowed_methods, reason = "tasks of a test, not of a simulated host")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use darkswap_core::message::MessageId;
use darkswap_core::path::PathKind;
use libp2p::PeerId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::*;
use crate::control::endpoint::{self, ClientStream};
use crate::control::{Client, ClientError, ErrorKind, Payload, Reply, Request};
use crate::event::{Event, Misbehaviour};
use crate::handle::{Command, CommandError, Receipt, Status};
use crate::trading::Trading;
use darkswap_trade::order::TraderKey;

const MESSAGE_SIZE: usize = 1_024;

struct Fixture {
    _folder: tempfile::TempDir,
    path: PathBuf,
    subscribers: Subscribers,
    end: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Fixture {
    fn new() -> Self {
        Self::with(None)
    }

    fn with(trading: Option<Trading>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let (commands, scripted) = mpsc::channel(8);
        let handle = Handle::new(PeerId::random(), commands).with_trading(trading);
        tokio::spawn(node(handle.peer_id(), scripted));
        let (end, ended) = oneshot::channel();
        let subscribers = Subscribers::default();
        let server = Server::bind(&path).unwrap();
        let served = tokio::spawn(server.serve(handle, subscribers.clone(), MESSAGE_SIZE, async {
            let _ = ended.await;
        }));
        Self { _folder: folder, path, subscribers, end, served }
    }

    async fn client(&self) -> Client {
        Client::connect(&self.path).await.unwrap()
    }

    async fn raw(&self) -> ClientStream {
        endpoint::connect(&self.path).await.unwrap()
    }
}

/// Acknowledges what is sent, unless it says `lose`.
async fn node(peer_id: PeerId, mut commands: mpsc::Receiver<Command>) {
    while let Some(command) = commands.recv().await {
        match command {
            Command::Connect { peer, answer, .. } => {
                let _ = answer.send(Err(CommandError::Unreachable { peer, reason: "nobody there".to_owned() }));
            }
            Command::Disconnect { answer, .. } | Command::Stop { answer } => {
                let _ = answer.send(());
            }
            Command::Send { peer, payload, answer, .. } => {
                let lost = CommandError::NotAcknowledged { peer, reason: "lost".to_owned() };
                let receipt = Receipt {
                    id: MessageId { session: 1, sequence: 2 },
                    elapsed: Duration::ZERO,
                    path: PathKind::Direct,
                };
                let _ = answer.send(if &payload[..] == b"lose" { Err(lost) } else { Ok(receipt) });
            }
            Command::Publish { answer, .. } => {
                let _ = answer.send(Ok(()));
            }
            Command::Relays { answer } => {
                let _ = answer.send(Vec::new());
            }
            Command::Peers { answer } => {
                let _ = answer.send(Vec::new());
            }
            Command::Status { answer } => {
                let (listening, external, reservations) = (Vec::new(), Vec::new(), Vec::new());
                let misbehaved = BTreeMap::from([(Misbehaviour::Bomb, 3)]);
                let _ = answer.send(Status { peer_id, listening, external, reservations, relay: None, misbehaved });
            }
            // The control endpoint has no data channels.
            Command::AcceptChannel { .. } => {}
            Command::Drain { answer, .. } => {
                let _ = answer.send(Ok(2));
            }
            // From the trader's task, which does not run here.
            Command::Trading(_) => {}
        }
    }
}

async fn lines(mut stream: ClientStream, written: &[u8]) -> Vec<serde_json::Value> {
    // The node may close before it read everything.
    let _ = stream.write_all(written).await;
    let _ = stream.shutdown().await;
    let mut answered = String::new();
    let _ = stream.read_to_string(&mut answered).await;
    answered.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn requests_are_answered_and_refusals_say_why() {
    let fixture = Fixture::new();
    let mut client = fixture.client().await;
    let peer = PeerId::random();
    let Reply::Status(status) = client.call(&Request::Status).await.unwrap() else { panic!("expected a status") };
    assert_eq!(status.misbehaved, BTreeMap::from([("bomb".to_owned(), 3)]));
    assert_eq!(client.call(&Request::Peers).await.unwrap(), Reply::Peers(Vec::new()));
    let mut send =
        async |text: &str| client.call(&Request::Send { peer, payload: Payload::Text(text.to_owned()) }).await;
    assert!(matches!(send("hello").await.unwrap(), Reply::Sent(_)));
    match send("lose").await {
        Err(ClientError::Refused(refusal)) => assert_eq!(refusal.kind, ErrorKind::NotAcknowledged),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_trader_is_asked_and_units_keep_all_of_their_digits() {
    use darkswap_trade::asset::{AlkaneId, Asset};
    use darkswap_trader::command::{self, Command as Asked};
    let (trading, mut asks, _end) = Trading::new(TraderKey([1; 32]));
    let asset = Asset::Alkane(AlkaneId { block: 2, tx: u128::MAX });
    let transfer = Asked::Transfer { address: "bc1".to_owned(), asset, units: u128::MAX, fee_rate: None };
    let expected = transfer.clone();
    tokio::spawn(async move {
        let first = asks.recv().await.unwrap();
        assert_eq!(first.command, expected);
        first.answer.send(Ok(command::Reply::Done)).unwrap();
        let second = asks.recv().await.unwrap();
        second.answer.send(Err(command::CommandError::Funds("found 1sat".to_owned()))).unwrap();
    });
    let fixture = Fixture::with(Some(trading));
    let mut client = fixture.client().await;
    assert_eq!(client.call(&Request::Trade(transfer)).await.unwrap(), Reply::Trade(command::Reply::Done));
    for (request, kind) in [(Asked::Orders, ErrorKind::Funds), (Asked::Orders, ErrorKind::Stopped)] {
        match client.call(&Request::Trade(request)).await {
            Err(ClientError::Refused(refusal)) => assert_eq!(refusal.kind, kind),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_node_that_does_not_trade_says_how_it_would() {
    let fixture = Fixture::new();
    let request = Request::Trade(darkswap_trader::command::Command::Balance);
    match fixture.client().await.call(&request).await {
        Err(ClientError::Refused(refusal)) => {
            assert_eq!(refusal.kind, ErrorKind::NotTrading);
            assert!(refusal.message.contains("trading.enabled"), "{refusal}");
        }
        other => panic!("{other:?}"),
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_socket_is_private_is_removed_at_the_end_and_a_stale_one_is_replaced() {
    use std::os::unix::fs::PermissionsExt as _;
    let fixture = Fixture::new();
    let mode = std::fs::metadata(&fixture.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(matches!(Server::bind(&fixture.path), Err(BindError::Taken(_))));
    fixture.end.send(()).unwrap();
    fixture.served.await.unwrap();
    assert!(!fixture.path.exists());
    // A crashed node leaves its socket behind.
    drop(std::os::unix::net::UnixListener::bind(&fixture.path).unwrap());
    assert!(matches!(Client::connect(&fixture.path).await, Err(ClientError::NotRunning(_))));
    drop(Server::bind(&fixture.path).unwrap());
    std::fs::write(&fixture.path, "precious").unwrap();
    assert!(matches!(Server::bind(&fixture.path), Err(BindError::NotASocket(_))));
}

#[cfg(unix)]
#[tokio::test]
async fn malformed_lines_are_answered_and_the_connection_goes_on() {
    let fixture = Fixture::new();
    let written = b"nonsense\n\xff\xfe\n{\"version\":9,\"id\":3,\"request\":\"peers\"}\n{\"version\":1,\"id\":4,\"request\":\"peers\"}\n";
    let answered = lines(fixture.raw().await, written).await;
    let kinds: Vec<_> = answered.iter().map(|line| line["error"]["kind"].as_str()).collect();
    assert_eq!(kinds, [Some("malformed"), Some("malformed"), Some("unsupported_version"), None]);
    assert_eq!(answered[3]["id"], 4);
}

#[cfg(unix)]
#[tokio::test]
async fn a_line_that_is_too_long_is_refused() {
    let fixture = Fixture::new();
    let answered = lines(fixture.raw().await, &vec![b' '; 1 << 20]).await;
    assert!(answered.len() <= 1);
    let mut client = fixture.client().await;
    let huge = Request::Send { peer: PeerId::random(), payload: Payload::Text("x".repeat(1 << 20)) };
    match client.call(&huge).await {
        Err(ClientError::Refused(refusal)) => assert_eq!(refusal.kind, ErrorKind::TooLong),
        // The node closes while the client still writes, and the host may drop what the client did not read.
        Err(ClientError::Broken(_) | ClientError::Closed) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn more_clients_than_allowed_are_told_so() {
    let fixture = Fixture::new();
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = fixture.client().await;
        client.call(&Request::Peers).await.unwrap();
        clients.push(client);
    }
    match fixture.client().await.call(&Request::Peers).await {
        Err(ClientError::Refused(refusal)) => assert_eq!(refusal.kind, ErrorKind::Busy),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn events_follow_a_subscription_and_end_with_the_node() {
    let fixture = Fixture::new();
    let mut events = fixture.client().await.events().await.unwrap();
    let address: libp2p::Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
    fixture.subscribers.publish(&Event::Listening { address: address.clone() });
    let event = events.next().await.unwrap().unwrap();
    assert_eq!((event["event"].as_str(), event["address"].as_str()), (Some("listening"), Some(&*address.to_string())));
    fixture.end.send(()).unwrap();
    assert!(events.next().await.unwrap().is_none());
}

/// What a session answers to these bytes, while the node does not answer at all.
async fn answered(bytes: &[u8]) -> String {
    let (commands, _) = mpsc::channel(1);
    let (_ends, ending) = watch::channel(false);
    let handle = Handle::new(PeerId::random(), commands);
    let node = Node { handle, subscribers: Subscribers::default(), ending, line_limit: 64 };
    node.subscribers.end();
    let (mut client, stream) = tokio::io::duplex(1 << 20);
    client.write_all(bytes).await.unwrap();
    client.shutdown().await.unwrap();
    let mut text = String::new();
    let (served, read) = tokio::join!(session(stream, node), client.read_to_string(&mut text));
    served.and(read).unwrap();
    text
}

proptest::proptest! {
    #![proptest_config(crate::cases())]
    #[test]
    fn hostile_clients_are_answered_with_errors(
        bytes in proptest::collection::vec(proptest::prop_oneof![
            proptest::collection::vec(proptest::num::u8::ANY, 0..100),
            proptest::strategy::Just(b"\n".to_vec()),
            proptest::strategy::Just(br#"{"version":1,"id":1,"request":"peers"}"#.to_vec()),
        ], 0..8)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        for line in runtime.block_on(answered(&bytes.concat())).lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            proptest::prop_assert!(line["error"]["kind"].is_string(), "{line}");
        }
    }
}
