//! Nodes on real sockets of this machine, with a relay that does what the test says.

use std::sync::Arc;
use std::time::Duration;

use libp2p::identity::Keypair;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId};
use tokio::sync::mpsc;

use super::*;
use crate::config::{PeerAddress, RelaySelection};
use crate::event::{Event, Misbehaviour};
use crate::node::{Node, sleep_until};
use crate::{Handle, Runtime as _, TokioRuntime};

const PATIENCE: Duration = Duration::from_secs(30);
/// Events and orders that are left unread at most.
const UNREAD: usize = 1 << 16;

type Order = Box<dyn FnOnce(&mut Node) + Send>;

/// A running node.
struct Running {
    id: PeerId,
    handle: Handle,
    events: mpsc::Receiver<Event>,
    orders: mpsc::Sender<Order>,
}

impl Running {
    fn start(config: Config) -> Self {
        let mut node = Node::new(config, Keypair::generate_ed25519(), Arc::new(TokioRuntime)).unwrap();
        let (sender, events) = mpsc::channel(UNREAD);
        node.observe(move |event| {
            assert!(sender.is_closed() || sender.try_send(event.clone()).is_ok());
        });
        let (orders, told) = mpsc::channel(UNREAD);
        let handle = node.handle();
        TokioRuntime.spawn("node", Box::pin(run(node, told)));
        Self { id: handle.peer_id(), handle, events, orders }
    }

    fn order(&self, order: impl FnOnce(&mut Node) + Send + 'static) {
        assert!(self.orders.try_send(Box::new(order)).is_ok(), "the node runs");
    }

    async fn wait<T>(&mut self, what: &str, mut found: impl FnMut(&Event) -> Option<T>) -> T {
        let mut seen = Vec::new();
        let waiting = async {
            loop {
                let event = self.events.recv().await.expect("the node runs");
                match found(&event) {
                    Some(found) => return found,
                    None => seen.push(event),
                }
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(found) => found,
            Err(_) => panic!("no {what}; saw {seen:#?}"),
        }
    }

    async fn address(&mut self) -> PeerAddress {
        let found = |event: &Event| match event {
            Event::Listening { address } => Some(address.clone()),
            _ => None,
        };
        PeerAddress { peer: self.id, address: self.wait("listener", found).await }
    }

    /// Waits until so many relays are announced, and answers with them.
    async fn announced(&mut self, count: usize) -> Vec<PeerId> {
        let found = |event: &Event| match event {
            Event::RelaysAnnounced { relays } if relays.len() == count => Some(relays.clone()),
            _ => None,
        };
        self.wait("announcement", found).await
    }

    /// Relays of the circuits that are announced.
    async fn external(&self) -> Vec<PeerId> {
        let status = self.handle.status().await.unwrap();
        status.external.iter().filter(|address| !is_signalled(address)).filter_map(circuit::relay_of).collect()
    }
}

fn is_signalled(address: &Multiaddr) -> bool {
    address.iter().any(|protocol| protocol == Protocol::WebRTC)
}

/// What [`Node::run`] does, and what it is told to.
async fn run(mut node: Node, mut orders: mpsc::Receiver<Order>) {
    use futures::StreamExt as _;
    loop {
        node.drive_relays();
        let wake = node.next_deadline();
        tokio::select! {
            order = orders.recv() => match order {
                Some(order) => order(&mut node),
                None => return,
            },
            Some(command) = node.commands.recv() => node.on_command(command),
            () = sleep_until(wake.map(|at| node.started + at)) => node.on_deadline(),
            event = node.swarm.select_next_some() => {
                let event: SwarmEvent<_> = event;
                node.on_swarm_event(event);
            }
        }
    }
}

fn listening() -> Config {
    Config { listen: vec!["/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap()], discovery: false, ..Config::default() }
}

fn relay() -> Running {
    Running::start(Config { reachability: Reachability::Public, relay_server: true, ..listening() })
}

fn client(relays: Vec<PeerAddress>, standbys: usize) -> Config {
    let relay_selection = RelaySelection { standbys, ..RelaySelection::default() };
    Config { reachability: Reachability::Private, relays, relay_selection, ..listening() }
}

#[tokio::test]
async fn a_relay_that_drains_is_left_before_it_stops_and_what_is_announced_follows() {
    let mut relays = [relay(), relay()];
    let addresses = vec![relays[0].address().await, relays[1].address().await];
    let mut client = Running::start(client(addresses, 0));
    let home = client.announced(1).await[0];
    assert_eq!(client.external().await, [home]);

    let (old, new) = if relays[0].id == home { (0, 1) } else { (1, 0) };
    let id = client.id;
    relays[old].order(move |node| node.tell_draining(id, Duration::from_secs(60)));
    // One that is about to stop stays announced until there is another: nothing in between is announced.
    assert_eq!(client.announced(1).await, [relays[new].id]);
    assert_eq!(client.external().await, [relays[new].id]);
}

#[tokio::test]
async fn a_peer_that_is_no_relay_of_ours_has_no_drain_to_tell_of() {
    let (stranger, mut node) = (relay(), Running::start(listening()));
    let address = node.address().await;
    let connected = stranger.handle.connect(node.id, vec![address.address]).await;
    connected.unwrap();
    let id = node.id;
    stranger.order(move |stranger| stranger.tell_draining(id, Duration::from_secs(60)));
    let stranger_id = stranger.id;
    let found = |event: &Event| match event {
        Event::Misbehaviour { peer, kind, .. } if *peer == stranger_id => Some(*kind),
        _ => None,
    };
    assert_eq!(node.wait("misbehaviour", found).await, Misbehaviour::Unsolicited);
    let counted = node.handle.status().await.unwrap().misbehaved;
    assert_eq!(counted, BTreeMap::from([(Misbehaviour::Unsolicited, 1)]));
}

#[tokio::test]
async fn a_relay_that_had_to_make_room_is_learnt_again_when_it_is_found_again() {
    let mut node = Running::start(client(Vec::new(), 0));
    let (sender, displaced) = tokio::sync::oneshot::channel();
    node.order(|node| {
        // One more than the table takes of one network.
        let relays: Vec<PeerId> = (0..=estimate::RELAYS_PER_PREFIX).map(|_| PeerId::random()).collect();
        let address: Multiaddr = "/ip4/127.0.0.1/udp/9/quic-v1".parse().unwrap();
        let find = |node: &mut Node, relay| {
            node.relay_found(relay, vec![address.clone()]);
            node.drive_relays();
        };
        relays.iter().for_each(|relay| find(node, *relay));
        let displaced: Vec<PeerId> =
            relays.into_iter().filter(|relay| !node.relays.known.contains_key(relay)).collect();
        displaced.iter().for_each(|relay| find(node, *relay));
        sender.send(displaced).unwrap();
    });
    let displaced = displaced.await.unwrap();
    assert_eq!(displaced.len(), 1);
    let mut times = 0;
    let again = |event: &Event| {
        times += usize::from(matches!(event, Event::RelayFound { relay, .. } if *relay == displaced[0]));
        (times == 2).then_some(())
    };
    node.wait("relay that is found again", again).await;
}

#[tokio::test]
async fn the_home_and_its_standby_are_measured_and_shown() {
    let mut relays = [relay(), relay(), relay()];
    let mut addresses = Vec::new();
    for relay in &mut relays {
        addresses.push(relay.address().await);
    }
    let mut client = Running::start(client(addresses, 1));
    let announced = client.announced(2).await;
    let statuses = client.handle.relays().await.unwrap();
    let states: Vec<&str> = statuses.iter().map(|status| status.state.name()).collect();
    assert_eq!(states, ["home", "standby", "known"]);
    assert_eq!([statuses[0].relay, statuses[1].relay], announced[..]);
    assert!(
        statuses.iter().all(|status| status.round_trip.is_some() && status.reported_load == Some(0.0)),
        "{statuses:?}"
    );
}

#[test]
fn circuits_to_a_peer_go_through_own_relays_first_and_are_bounded() {
    let peers: Vec<PeerId> = (0..20).map(|_| PeerId::random()).collect();
    let address: Multiaddr = "/ip4/192.0.2.1/udp/1/quic-v1".parse().unwrap();
    let relays = peers.iter().map(|peer| PeerAddress { peer: *peer, address: address.clone() }).collect();
    let mut relays = Relays::new(&Config { relays, ..Config::default() }, || 7);
    relays.announced = vec![peers[17], peers[3]];
    let through =
        |relays: &Relays, to| -> Vec<PeerId> { relays.circuits_to(to).iter().filter_map(circuit::relay_of).collect() };
    let found = through(&relays, PeerId::random());
    assert_eq!((found.len(), &found[..2]), (CIRCUITS, &[peers[17], peers[3]][..]));
    assert!(!through(&relays, peers[17]).contains(&peers[17]), "no relay leads to itself");
}
