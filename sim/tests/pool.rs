//! The pool and the limiter of real nodes in simulated networks: one dial for many, room, idle peers, and who goes first.

#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

// libp2p reads the time of day of the host, to which a reservation of simulated days would have expired.
#[path = "../src/interpose.rs"]
mod interpose;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use darkswap_core::path::PathKind;
use darkswap_fabric::{FabricBuilder, HostConfig, LinkConfig, Placement};
use darkswap_node::config::{Config, PeerAddress, Reachability, WebrtcConfig};
use darkswap_node::event::{CloseReason, Event};
use darkswap_node::handle::{ChannelOptions, CommandError, MessagePriority, RefusalReason, Usage};
use darkswap_node::limits::Limits;
use darkswap_node::{Handle, Node, Runtime};
use darkswap_sim::runtime::Names;
use darkswap_sim::{Setup, Simulation, World};
use futures::future::join_all;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
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
        Self::with(world, host, |config| Config { limits, ..config })
    }

    /// A node that listens nowhere: it is reached through this relay only.
    fn behind(world: &World, host: u8, relay: &Self) -> Self {
        let relays = vec![PeerAddress { peer: relay.id(), address: relay.address.clone() }];
        let with = |config| Config {
            listen: vec![],
            reachability: Reachability::Private,
            hole_punching: false,
            relays,
            ..config
        };
        Self::with(world, host, with)
    }

    fn with(world: &World, host: u8, with: impl FnOnce(Config) -> Config) -> Self {
        let runtime: Arc<dyn Runtime> = world.runtime(world.host(&host.to_string()).unwrap()).unwrap();
        let address: Multiaddr = format!("/ip4/198.51.100.{}/udp/4001/quic-v1", host + 1).parse().unwrap();
        let config = Config {
            listen: vec![address.clone()],
            reachability: Reachability::Public,
            discovery: false,
            webrtc: WebrtcConfig { enabled: false, ..WebrtcConfig::default() },
            ..Config::default()
        };
        let config = with(config);
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

    /// Where it listens, with the hash of its certificate.
    fn listening(&self) -> Multiaddr {
        let events = self.events.lock().unwrap();
        let listening = events.iter().find_map(|event| match event {
            Event::Listening { address } if address.iter().any(|it| it == Protocol::WebRTCDirect) => {
                Some(address.clone())
            }
            _ => None,
        });
        listening.unwrap()
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

/// How long a connection is kept that nobody uses, in tests that wait for that.
const IDLE: Duration = Duration::from_secs(5);

#[test]
fn a_peer_that_was_only_sent_to_once_is_kept_while_it_sends() {
    run(async |world: World| {
        let limits = || Limits { idle: IDLE, ..Limits::default() };
        let [alice, bob] = [0, 1].map(|host| Member::start(&world, host, limits()));
        // Alice learns where Bob is.
        bob.connect(&alice).await;
        sleep(Duration::from_secs(1)).await;
        bob.handle.disconnect(alice.id()).await.unwrap();
        sleep(Duration::from_secs(1)).await;

        alice.handle.send(bob.id(), payload()).await.unwrap();
        let until = Instant::now() + IDLE * 3;
        while Instant::now() < until {
            sleep(IDLE / 2).await;
            bob.handle.send(alice.id(), payload()).await.unwrap();
        }
        assert_eq!((alice.closed(CloseReason::Idle), bob.closed(CloseReason::Idle)), (vec![], vec![]));
        assert_eq!(alice.usage(&bob).await, Some(Usage::Idle));
        sleep(IDLE * 2).await;
        assert_eq!(alice.usage(&bob).await, None, "and not for longer");
    });
}

#[test]
fn a_stranger_that_sent_something_of_late_does_not_make_room() {
    run(async |world: World| {
        // A pool of seven.
        let alice = Member::start(&world, 0, Limits { connections: 8, ..Limits::default() });
        let others: Vec<Member> = (1..HOSTS).map(|host| Member::start(&world, host, Limits::default())).collect();
        let (last, strangers) = others.split_last().unwrap();
        for stranger in strangers {
            stranger.connect(&alice).await;
            sleep(Duration::from_secs(1)).await;
        }
        strangers[0].handle.send(alice.id(), payload()).await.unwrap();
        last.connect(&alice).await;
        // Alice hears of it a little later, and whoever is pruned comes again a little after that.
        sleep(LATENCY * 2).await;
        assert_eq!(alice.closed(CloseReason::Pruned), [strangers[1].id()]);
    });
}

#[test]
fn a_peer_with_an_open_data_channel_is_kept_until_the_channel_ends() {
    run(async |world: World| {
        let speaking = |host| {
            Member::with(&world, host, |config| {
                let listen = vec![format!("/ip4/198.51.100.{}/udp/4001/webrtc-direct", host + 1).parse().unwrap()];
                let limits = Limits { idle: IDLE, ..Limits::default() };
                Config { listen, limits, webrtc: WebrtcConfig::default(), ..config }
            })
        };
        let [alice, bob] = [0, 1].map(speaking);
        sleep(Duration::from_secs(1)).await;
        let address = alice.listening();
        bob.handle.connect(alice.id(), vec![address]).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        bob.handle.disconnect(alice.id()).await.unwrap();
        sleep(Duration::from_secs(1)).await;

        alice.handle.send(bob.id(), payload()).await.unwrap();
        let options = ChannelOptions { label: "prices".to_owned(), ..ChannelOptions::default() };
        let ours = alice.handle.open_channel(bob.id(), options).unwrap();
        let theirs = bob.handle.accept_channel().await.unwrap().channel;
        sleep(IDLE * 3).await;
        let used = (alice.usage(&bob).await, bob.usage(&alice).await);
        assert_eq!(used, (Some(Usage::Pinned), Some(Usage::Pinned)));
        theirs.send(payload()).await.unwrap();
        assert_eq!(ours.receive().await.unwrap(), payload());

        drop(theirs);
        assert_eq!(ours.receive().await, None);
        sleep(Duration::from_secs(1)).await;
        let used = (alice.usage(&bob).await, bob.usage(&alice).await);
        assert_eq!(used, (Some(Usage::Idle), Some(Usage::Idle)), "although Alice keeps what is left of the channel");
        sleep(IDLE * 2).await;
        assert_eq!(alice.closed(CloseReason::Idle), [bob.id()]);
    });
}

/// A relay, Alice and Bob, with a circuit from Alice to Bob through it, and six others. The limits are those of `small`.
async fn circuit(world: &World, small: u8) -> Vec<Member> {
    // A pool of seven.
    let limits = |host| Limits { connections: if host == small { 8 } else { 1_024 }, ..Limits::default() };
    let relay = Member::with(world, 0, |config| Config { relay_server: true, limits: limits(0), ..config });
    let alice = Member::with(world, 1, |config| Config { hole_punching: false, limits: limits(1), ..config });
    let bob = Member::behind(world, 2, &relay);
    let to_relay = relay.address.clone().with(Protocol::P2p(relay.id()));
    let address = to_relay.with(Protocol::P2pCircuit).with(Protocol::P2p(bob.id()));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(alice.handle.connect(bob.id(), vec![address]).await.unwrap(), PathKind::Relayed);
    sleep(Duration::from_secs(1)).await;
    let mut members = vec![relay, alice, bob];
    members.extend((3..HOSTS).map(|host| Member::start(world, host, Limits::default())));
    members
}

#[test]
fn pings_and_probes_are_no_use_of_a_connection() {
    run(async |world: World| {
        let [alice, bob] = [0, 1].map(|host| Member::start(&world, host, Limits::default()));
        alice.connect(&bob).await;
        let inactive = async || {
            let peers = alice.handle.peers().await.unwrap();
            let quality = peers[0].quality.as_ref().unwrap();
            assert!(quality.round_trip.is_none_or(|trip| trip < LATENCY * 3));
            quality.inactive
        };
        sleep(Duration::from_secs(60)).await;
        let long = inactive().await;
        assert!(long > Duration::from_secs(55), "{long:?}");
        bob.handle.send(alice.id(), payload()).await.unwrap();
        let short = inactive().await;
        assert!(short < Duration::from_secs(1), "{short:?}");
    });
}

/// Strangers connect to a full node, which prunes as many peers for them, and never the one that it has to keep.
async fn prunes_others(full: &Member, strangers: &[Member], kept: &Member) {
    for stranger in strangers {
        stranger.connect(full).await;
        sleep(Duration::from_secs(1)).await;
    }
    sleep(Duration::from_secs(10)).await;
    // Whoever is pruned comes again and prunes the next one.
    let pruned = full.closed(CloseReason::Pruned);
    assert!(pruned.len() >= strangers.len() && !pruned.contains(&kept.id()), "{pruned:?}");
}

#[test]
fn a_full_relay_keeps_whoever_has_a_circuit_through_it() {
    run(async |world: World| {
        let members = circuit(&world, 0).await;
        let [relay, alice, bob, strangers @ ..] = &members[..] else { unreachable!("there are nine") };
        prunes_others(relay, strangers, alice).await;
        assert_eq!(alice.handle.send(bob.id(), payload()).await.unwrap().path, PathKind::Relayed);
        assert_eq!(relay.usage(alice).await, Some(Usage::Pinned));
        alice.handle.disconnect(bob.id()).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        assert_eq!(relay.usage(alice).await, Some(Usage::Idle), "without a circuit it is a stranger");
        assert_eq!(relay.usage(bob).await, Some(Usage::Pinned), "it has its reservation still");
    });
}

#[test]
fn a_full_node_keeps_the_relay_that_carries_its_circuit() {
    run(async |world: World| {
        let members = circuit(&world, 1).await;
        let [relay, alice, bob, strangers @ ..] = &members[..] else { unreachable!("there are nine") };
        prunes_others(alice, strangers, relay).await;
        assert_eq!(alice.handle.send(bob.id(), payload()).await.unwrap().path, PathKind::Relayed);
        assert_eq!(alice.usage(relay).await, Some(Usage::Pinned));
        alice.handle.disconnect(bob.id()).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        assert_eq!(alice.usage(relay).await, Some(Usage::Idle));
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
