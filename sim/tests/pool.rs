//! The pool and the limiter of real nodes in simulated networks: one dial for many, room, idle peers, and who goes first.

#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use darkswap_fabric::{FabricBuilder, HostConfig, LinkConfig, Placement};
use darkswap_node::config::{Config, Reachability, WebrtcConfig};
use darkswap_node::event::{CloseReason, Event};
use darkswap_node::handle::{CommandError, MessagePriority, RefusalReason, Usage};
use darkswap_node::limits::Limits;
use darkswap_node::{Handle, Node, Runtime};
use darkswap_sim::runtime::Names;
use darkswap_sim::{Setup, Simulation, World};
use futures::future::join_all;
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId};
use tokio::time::{Instant, sleep};

const LATENCY: Duration = Duration::from_millis(50);
const HOSTS: u8 = 9;

/// Runs a scene among public hosts `0` to `8`, each 50 ms from the others.
fn run<T, F>(scene: impl FnOnce(World) -> F + Send + 'static) -> T
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let setup = || {
        let mut builder = FabricBuilder::new(1);
        let core = builder.region("core")?;
        builder.every_path(LinkConfig::with_latency(LATENCY));
        for host in 0..HOSTS {
            builder.host(&host.to_string(), HostConfig::new([198, 51, 100, host + 1].into(), Placement::Core(core)))?;
        }
        Ok(Setup { fabric: builder.build()?, names: Names::new() })
    };
    Simulation::new(1).limit(Duration::from_secs(600)).run(setup, scene).unwrap().value
}

/// A running node and what it has reported.
struct Member {
    handle: Handle,
    address: Multiaddr,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Member {
    fn start(world: &World, host: u8, limits: Limits) -> Self {
        let runtime: Arc<dyn Runtime> = world.runtime(world.host(&host.to_string()).unwrap()).unwrap();
        let address: Multiaddr = format!("/ip4/198.51.100.{}/udp/4001/quic-v1", host + 1).parse().unwrap();
        let config = Config {
            listen: vec![address.clone()],
            reachability: Reachability::Public,
            discovery: false,
            webrtc: WebrtcConfig { enabled: false, ..WebrtcConfig::default() },
            limits,
            ..Config::default()
        };
        let identity = Keypair::ed25519_from_bytes([host + 1; 32]).unwrap();
        let mut node = Node::new(config, identity, Arc::clone(&runtime)).unwrap();
        let events = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&events);
        node.observe(move |event| seen.lock().unwrap().push(event.clone()));
        let handle = node.handle();
        runtime.spawn("node", Box::pin(node.run()));
        Self { handle, address, events }
    }

    fn id(&self) -> PeerId {
        self.handle.peer_id()
    }

    async fn connect(&self, to: &Self) {
        self.handle.connect(to.id(), vec![to.address.clone()]).await.unwrap();
    }

    fn count(&self, is: impl Fn(&Event) -> bool) -> usize {
        self.events.lock().unwrap().iter().filter(|event| is(event)).count()
    }

    fn closed(&self, by: CloseReason) -> Vec<PeerId> {
        let events = self.events.lock().unwrap();
        let closed = events.iter().filter_map(|event| match event {
            Event::PoolClosed { peer, reason } if *reason == by => Some(*peer),
            _ => None,
        });
        closed.collect()
    }

    async fn usage(&self, of: &Self) -> Option<Usage> {
        self.handle.peers().await.unwrap().into_iter().find(|it| it.peer == of.id())?.usage
    }
}

fn payload() -> Bytes {
    Bytes::from_static(&[7; 1_024])
}

#[test]
fn a_hundred_callers_share_one_dial() {
    run(async |world: World| {
        let [alice, bob] = [0, 1].map(|host| Member::start(&world, host, Limits::default()));
        let calls = (0..100).map(|_| alice.handle.connect(bob.id(), vec![bob.address.clone()]));
        assert!(join_all(calls).await.iter().all(Result::is_ok));
        sleep(Duration::from_secs(2)).await;
        assert_eq!(bob.count(|event| matches!(event, Event::ConnectionOpened { .. })), 1);
    });
}

#[test]
fn a_peer_that_was_only_sent_to_is_closed_when_nobody_uses_it() {
    run(async |world: World| {
        let limits = || Limits { idle: Duration::from_secs(5), ..Limits::default() };
        let [alice, bob] = [0, 1].map(|host| Member::start(&world, host, limits()));
        // Alice learns where Bob is, and who opened that connection closes it.
        bob.connect(&alice).await;
        sleep(Duration::from_secs(1)).await;
        assert_eq!((alice.usage(&bob).await, bob.usage(&alice).await), (Some(Usage::Idle), Some(Usage::Pinned)));
        bob.handle.disconnect(alice.id()).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        assert_eq!(alice.usage(&bob).await, None);

        alice.handle.send(bob.id(), payload()).await.unwrap();
        sleep(Duration::from_secs(4)).await;
        assert_eq!((alice.usage(&bob).await, alice.closed(CloseReason::Idle)), (Some(Usage::Idle), vec![]));
        sleep(Duration::from_secs(2)).await;
        assert_eq!((alice.usage(&bob).await, alice.closed(CloseReason::Idle)), (None, vec![bob.id()]));
        // Whoever is closed for being idle is found again.
        alice.handle.send(bob.id(), payload()).await.unwrap();
    });
}

#[test]
fn the_least_recently_used_idle_peer_makes_room_and_a_pinned_one_does_not() {
    run(async |world: World| {
        // A pool of seven.
        let alice = Member::start(&world, 0, Limits { connections: 8, ..Limits::default() });
        let others: Vec<Member> = (1..HOSTS).map(|host| Member::start(&world, host, Limits::default())).collect();
        let (last, strangers) = others.split_last().unwrap();
        for stranger in strangers {
            stranger.connect(&alice).await;
            sleep(Duration::from_secs(1)).await;
        }
        alice.connect(&strangers[0]).await;
        alice.connect(last).await;
        assert_eq!(alice.closed(CloseReason::Pruned), [strangers[1].id()]);
        assert_eq!(alice.usage(&strangers[0]).await, Some(Usage::Pinned));
    });
}

#[test]
fn a_flood_of_chat_does_not_delay_a_trade() {
    run(async |world: World| {
        let [alice, bob] = [0, 1].map(|host| Member::start(&world, host, Limits::default()));
        alice.connect(&bob).await;
        // Opens the session by which messages are sealed.
        alice.handle.send(bob.id(), payload()).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        let begin = Instant::now();
        let chat = join_all((0..250).map(|_| alice.handle.send(bob.id(), payload())));
        let late = async |priority| {
            // After the flood has reached the node.
            sleep(Duration::from_millis(1)).await;
            alice.handle.send_as(bob.id(), payload(), priority).await.unwrap();
            begin.elapsed()
        };
        let (chat, trade, last) = tokio::join!(chat, late(MessagePriority::Trade), late(MessagePriority::Chat));
        assert!(chat.iter().all(Result::is_ok));
        // What one exchange takes on an empty connection: a stream is agreed on and used.
        assert!(trade <= LATENCY * 6, "{trade:?}");
        assert!(last > trade * 4, "more chat waited its turn: {last:?}");
    });
}

#[test]
fn a_full_queue_says_so_at_once() {
    run(async |world: World| {
        let limits = Limits { pending_messages: 4, ..Limits::default() };
        let (alice, bob) = (Member::start(&world, 0, limits), Member::start(&world, 1, Limits::default()));
        alice.connect(&bob).await;
        let begin = Instant::now();
        let sent = join_all((0..60).map(|_| async {
            let result = alice.handle.send(bob.id(), payload()).await;
            (begin.elapsed(), result)
        }));
        let sent = sent.await;
        let is_full = |error: &CommandError| {
            matches!(error, CommandError::Busy { reason: RefusalReason::PeerFull { limit: 1 }, .. })
        };
        let refused: Vec<_> = sent.iter().filter(|(_, result)| result.as_ref().is_err_and(is_full)).collect();
        assert!(refused.len() >= 20, "{sent:?}");
        assert!(refused.iter().all(|(elapsed, _)| *elapsed < Duration::from_millis(5)));
        assert_eq!(sent.iter().filter(|(_, result)| result.is_ok()).count(), sent.len() - refused.len());
    });
}
