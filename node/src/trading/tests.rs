//! Nodes on real sockets of this machine, with a trader that does what the test says and notes what it is told.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use darkswap_trade::order::TraderKey;
use darkswap_trader::Time;
use darkswap_trader::command::{Command, Reply, TradeEvent};
use darkswap_trader::input::Input;
use darkswap_trader::output::Output;
use darkswap_trader::store::{Table, Write};
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use redb::StorageBackend;
use redb::backends::InMemoryBackend;
use tokio::sync::mpsc;

use super::{Chain, Machine, Parts, TradingError, key};
use crate::config::{Config, PeerAddress, Reachability, WebrtcConfig};
use crate::event::Event;
use crate::limits::Limits;
use crate::store::Store;
use crate::{Handle, Node, Runtime as _, TokioRuntime};

const PATIENCE: Duration = Duration::from_secs(30);
/// Inputs and events that a test leaves unread at most.
const UNREAD: usize = 1 << 16;

/// A trader that does what it is told.
struct Puppet {
    outputs: Arc<Mutex<VecDeque<Output>>>,
    inputs: mpsc::Sender<Input>,
}

impl Machine for Puppet {
    fn handle(&mut self, _now: Time, input: Input) {
        if let Input::Command { token, .. } = &input {
            // Behind what the test has put there.
            self.outputs.lock().unwrap().push_back(Output::Answer { token: *token, outcome: Ok(Reply::Done) });
        }
        self.inputs.try_send(input).unwrap();
    }

    fn poll(&mut self) -> Option<Output> {
        self.outputs.lock().unwrap().pop_front()
    }

    fn deadline(&self) -> Option<Time> {
        None
    }
}

/// A disk that breaks when it is told to.
#[derive(Debug)]
struct Disk {
    memory: InMemoryBackend,
    broken: Arc<AtomicBool>,
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, std::io::Error> {
        self.memory.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), std::io::Error> {
        self.memory.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), std::io::Error> {
        self.memory.set_len(len)
    }

    fn sync_data(&self) -> Result<(), std::io::Error> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(std::io::Error::other("the disk is broken"));
        }
        self.memory.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), std::io::Error> {
        self.memory.write(offset, data)
    }
}

/// A running node with a puppet.
struct Trading {
    handle: Handle,
    key: TraderKey,
    outputs: Arc<Mutex<VecDeque<Output>>>,
    inputs: mpsc::Receiver<Input>,
    events: mpsc::Receiver<Event>,
    broken: Arc<AtomicBool>,
}

impl Trading {
    fn start(config: Config) -> Self {
        let (told, inputs) = mpsc::channel(UNREAD);
        let (_, chain_inputs) = mpsc::channel(1);
        let (_, chain_events) = mpsc::channel(1);
        let outputs = Arc::new(Mutex::new(VecDeque::new()));
        let broken = Arc::new(AtomicBool::new(false));
        let disk = Disk { memory: InMemoryBackend::new(), broken: Arc::clone(&broken) };
        let parts = Parts {
            machine: Box::new(Puppet { outputs: Arc::clone(&outputs), inputs: told }),
            store: Store::over(disk, Path::new("test.redb")).unwrap(),
            chain: Chain { ask: Box::new(|_| Ok(())), inputs: chain_inputs, events: chain_events },
        };
        let identity = Keypair::generate_ed25519();
        let key = key::trader(&identity.public().to_peer_id()).unwrap();
        let mut node = Node::with(config, identity, Arc::new(TokioRuntime), Some(parts)).unwrap();
        let (sender, events) = mpsc::channel(UNREAD);
        node.observe(move |event| drop(sender.try_send(event.clone())));
        let handle = node.handle();
        TokioRuntime.spawn("node", Box::pin(node.run()));
        Self { handle, key, outputs, inputs, events, broken }
    }

    /// Has the trader do these things, and returns when they are done.
    async fn act(&self, outputs: impl IntoIterator<Item = Output>) -> Result<Reply, TradingError> {
        self.outputs.lock().unwrap().extend(outputs);
        let trading = self.handle.trading().unwrap();
        tokio::time::timeout(PATIENCE, trading.ask(Command::Status)).await.unwrap()
    }

    /// The next input that is wanted.
    async fn told<T>(&mut self, what: &str, mut wanted: impl FnMut(Input) -> Option<T>) -> T {
        let waiting = async {
            loop {
                if let Some(found) = wanted(self.inputs.recv().await.expect("the trader runs")) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("the trader was not told of {what}"))
    }

    async fn event<T>(&mut self, what: &str, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
        let waiting = async {
            loop {
                if let Some(found) = wanted(self.events.recv().await.expect("the node runs")) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("no {what}"))
    }

    async fn address(&mut self) -> Multiaddr {
        self.event("listener", |event| match event {
            Event::Listening { address } => Some(address),
            _ => None,
        })
        .await
    }
}

fn listening() -> Config {
    Config {
        listen: vec!["/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap()],
        discovery: false,
        webrtc: WebrtcConfig { enabled: false, ..WebrtcConfig::default() },
        ..Config::default()
    }
}

/// A relay that does not trade, and two nodes that only it connects.
async fn behind_a_relay() -> (Trading, Trading, Multiaddr) {
    let config = Config { reachability: Reachability::Public, relay_server: true, ..listening() };
    let mut relay = Node::new(config, Keypair::generate_ed25519(), Arc::new(TokioRuntime)).unwrap();
    let (sender, mut addresses) = mpsc::channel(UNREAD);
    relay.observe(move |event| {
        if let Event::Listening { address } = event {
            let _ = sender.try_send(address.clone());
        }
    });
    let relay_id: PeerId = relay.handle().peer_id();
    TokioRuntime.spawn("relay", Box::pin(relay.run()));
    let address = addresses.recv().await.unwrap();
    let relays = vec![PeerAddress { peer: relay_id, address: address.clone() }];
    let private =
        || Config { reachability: Reachability::Private, relays: relays.clone(), hole_punching: false, ..listening() };
    let (mut a, mut b) = (Trading::start(private()), Trading::start(private()));
    for node in [&mut a, &mut b] {
        node.event("reservation", |event| matches!(event, Event::ReservationAccepted { .. }).then_some(())).await;
    }
    (a, b, address.with(Protocol::P2p(relay_id)).with(Protocol::P2pCircuit))
}

#[tokio::test]
async fn traders_behind_a_relay_are_told_of_each_other_and_talk() {
    let (mut a, mut b, circuit) = behind_a_relay().await;
    let (to_a, to_b) = (a.key, b.key);
    let peer = b.handle.peer_id();
    a.handle.connect(peer, vec![circuit]).await.unwrap();
    let connected = |with: TraderKey| move |input| matches!(input, Input::Connected(who) if who == with).then_some(());
    a.told("the other", connected(to_b)).await;
    b.told("the other", connected(to_a)).await;

    a.act([Output::Send { to: to_b, bytes: Bytes::from_static(b"hello") }]).await.unwrap();
    let message = b.told("the message", |input| match input {
        Input::Message { from, bytes } => Some((from, bytes)),
        _ => None,
    });
    assert_eq!(message.await, (to_a, Bytes::from_static(b"hello")));

    a.act([Output::SyncAsk { token: 7, to: to_b, bytes: Bytes::from_static(b"what do you have?") }]).await.unwrap();
    let (token, from) = b
        .told("the step", |input| match input {
            Input::SyncRequest { token, from, .. } => Some((token, from)),
            _ => None,
        })
        .await;
    assert_eq!(from, to_a);
    b.act([Output::SyncAnswer { token, bytes: Some(Bytes::from_static(b"this")) }]).await.unwrap();
    let answered = |input| match input {
        Input::SyncAnswered { token, bytes } => Some((token, bytes)),
        _ => None,
    };
    assert_eq!(a.told("the answer", answered).await, (7, Some(Bytes::from_static(b"this"))));

    // Of an operator's path the trader's release takes nothing.
    a.act([Output::Connect(to_b), Output::Release(to_b)]).await.unwrap();
    assert!(a.handle.peers().await.unwrap().iter().any(|it| it.peer == peer && it.connections > 0));

    b.handle.stop().await.unwrap();
    a.told("the end", |input| matches!(input, Input::Disconnected(who) if who == to_b).then_some(())).await;
    a.act([Output::SyncAsk { token: 8, to: to_b, bytes: Bytes::new() }]).await.unwrap();
    assert_eq!(a.told("the failure", answered).await, (8, None));
}

#[tokio::test]
async fn a_path_that_the_trader_made_ends_when_it_is_released_and_idle() {
    let limits = Limits { idle: Duration::from_secs(1), ..Limits::default() };
    let (mut a, mut b) = (Trading::start(Config { limits, ..listening() }), Trading::start(listening()));
    let (to_a, to_b) = (a.key, b.key);
    let (address, other) = (b.address().await, a.handle.peer_id());
    // Somebody has to know where: the other came once, and left.
    b.handle.connect(other, vec![a.address().await]).await.unwrap();
    a.told("the other", |input| matches!(input, Input::Connected(who) if who == to_b).then_some(())).await;
    b.handle.disconnect(other).await.unwrap();
    a.told("the end", |input| matches!(input, Input::Disconnected(who) if who == to_b).then_some(())).await;
    tracing::debug!(%address, "left");

    a.act([Output::Connect(to_b)]).await.unwrap();
    a.told("the other", |input| matches!(input, Input::Connected(who) if who == to_b).then_some(())).await;
    b.told("the other", |input| matches!(input, Input::Connected(who) if who == to_a).then_some(())).await;
    a.act([Output::Release(to_b)]).await.unwrap();
    a.told("the end", |input| matches!(input, Input::Disconnected(who) if who == to_b).then_some(())).await;
}

#[tokio::test]
async fn a_broken_disk_stops_trading_before_anything_is_promised_and_leaves_the_node_running() {
    let mut node = Trading::start(listening());
    let write = || Output::Persist(vec![Write { table: Table::Single, key: vec![1], value: Some(vec![2]) }]);
    let promise = |reason: &str| Output::Event(TradeEvent::Failed { reason: reason.to_owned() });
    node.act([write(), promise("first")]).await.unwrap();
    node.broken.store(true, Ordering::SeqCst);
    let refused = node.act([write(), promise("second")]).await.unwrap_err();
    assert!(matches!(&refused, TradingError::Stopped(reason) if reason.contains("the disk is broken")), "{refused}");
    let failed = |event| match event {
        Event::Trade(TradeEvent::Failed { reason }) => Some(reason),
        _ => None,
    };
    assert_eq!(node.event("the first promise", failed).await, "first");
    let reason = node.event("the end of trading", failed).await;
    assert!(reason.contains("trading has stopped") && reason.contains("restart the node"), "{reason}");
    // Whoever asks later is told as well, and the node goes on.
    let refused = node.act([]).await.unwrap_err();
    assert!(refused.to_string().contains("the disk is broken"), "{refused}");
    node.handle.status().await.unwrap();
    node.handle.stop().await.unwrap();
}

#[tokio::test]
async fn a_node_that_stops_ends_its_trader() {
    let mut node = Trading::start(listening());
    node.act([]).await.unwrap();
    node.handle.stop().await.unwrap();
    while tokio::time::timeout(PATIENCE, node.inputs.recv()).await.unwrap().is_some() {}
    let refused = node.act([]).await.unwrap_err();
    assert_eq!(refused, TradingError::Stopped("the node has stopped".to_owned()));
}
