//! STUN and TURN servers on simulated hosts, and the node's gatherer behind a simulated NAT.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use darkswap_fabric::{Behaviour, FabricBuilder, HostConfig, LinkConfig, NatConfig, NatKind, Placement, SiteConfig};
use darkswap_node::{Runtime, UdpSocket};
use darkswap_sim::ice_server::{self, Counters, Settings, TurnSettings};
use darkswap_sim::runtime::Names;
use darkswap_sim::{Setup, SimRuntime, Simulation, World};
use darkswap_webrtc::connection::CandidateKind;
use darkswap_webrtc::gather::{GatherEvent, GatherSettings, Gathered, Gatherer, IceServer};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

const LATENCY: Duration = Duration::from_millis(10);
const NAT_ADDRESS: [u8; 4] = [203, 0, 113, 1];
const PORT: u16 = 3_478;

#[test]
fn a_host_behind_a_nat_learns_its_address_and_is_reached_through_the_relay() {
    let outcome = Simulation::new(1).limit(Duration::from_secs(600)).run(setup, scene).unwrap();
    let counters = outcome.value;
    assert_eq!((counters.bindings, counters.allocations, counters.releases), (1, 1, 1));
    assert_eq!((counters.relayed_to_peers, counters.relayed_to_clients), (5, 5));
}

fn setup() -> anyhow::Result<Setup> {
    let mut builder = FabricBuilder::new(1);
    let core = builder.region("core")?;
    builder.every_path(LinkConfig::with_latency(LATENCY));
    let nat = NatConfig::new(NatKind::new(Behaviour::AddressAndPortDependent, Behaviour::AddressAndPortDependent));
    let home = builder.site("home", SiteConfig::behind_nat(Placement::Core(core), NAT_ADDRESS.into(), nat))?;
    builder.host("server", HostConfig::new("198.51.100.1".parse()?, Placement::Core(core)))?;
    builder.host("peer", HostConfig::new("198.51.100.2".parse()?, Placement::Core(core)))?;
    builder.host("client", HostConfig::new("192.168.0.2".parse()?, Placement::Behind(home)))?;
    Ok(Setup { fabric: builder.build()?, names: Names::new() })
}

fn host(world: &World, name: &str) -> Arc<SimRuntime> {
    world.runtime(world.host(name).unwrap()).unwrap()
}

fn on(host: &SimRuntime, port: u16) -> SocketAddr {
    SocketAddr::new(host.addresses()[0], port)
}

/// Starts the server; its counters can be followed.
fn serve(server: &Arc<SimRuntime>) -> watch::Receiver<Counters> {
    let turn = TurnSettings::new(server.addresses()[0], "alice", "secret");
    let settings = Settings { address: on(server, PORT), turn: Some(turn) };
    let (counters, watched) = watch::channel(Counters::default());
    let runtime = Arc::clone(server);
    server.spawn("ice server", Box::pin(async move { drop(ice_server::run(runtime, settings, counters).await) }));
    watched
}

/// The client gathers, sends "hello" to the peer through the relay, hears it back and closes.
async fn scene(world: World) -> Counters {
    let (server, peer, client) = (host(&world, "server"), host(&world, "peer"), host(&world, "client"));
    let counters = serve(&server);
    let echo = peer.bind_udp(on(&peer, 7)).unwrap();
    peer.spawn("echo", Box::pin(answer(echo)));
    let socket = client.bind_udp(on(&client, 5_000)).unwrap();
    let address = on(&server, PORT);
    let servers = vec![
        IceServer::Stun { address },
        IceServer::Turn { address, username: "alice".to_owned(), credential: "secret".to_owned() },
    ];
    let settings = GatherSettings { locals: vec![on(&client, 5_000)], servers, ..GatherSettings::default() };
    let mut client = Client { gatherer: Gatherer::new(settings, Instant::now().into_std()).unwrap(), socket };
    let (mut reflexive, mut relayed) = (None, None);
    let heard = loop {
        while let Some(event) = client.gatherer.poll_event() {
            match event {
                GatherEvent::Candidate(found) if found.kind == CandidateKind::ServerReflexive => {
                    reflexive = Some(found.address);
                }
                GatherEvent::Candidate(found) if found.kind == CandidateKind::Relayed => relayed = Some(found.address),
                GatherEvent::Candidate(_) => {}
                GatherEvent::ServerFailed { server, reason } => panic!("{server}: {reason}"),
                GatherEvent::Complete => {
                    let now = Instant::now().into_std();
                    client.gatherer.send_relayed(now, relayed.unwrap(), on(&peer, 7), b"hello");
                }
            }
        }
        if let Some(heard) = client.step().await {
            break heard;
        }
    };
    assert_eq!(heard, b"hello");
    assert_eq!(reflexive.unwrap().ip(), SocketAddr::from((NAT_ADDRESS, 0)).ip());
    assert_eq!(relayed.unwrap().ip(), server.addresses()[0]);
    client.gatherer.close(Instant::now().into_std());
    while client.gatherer.poll_timeout().is_some() {
        client.step().await;
    }
    *counters.borrow()
}

struct Client {
    gatherer: Gatherer,
    socket: Arc<dyn UdpSocket>,
}

impl Client {
    /// Sends what is due, then handles one datagram or the next deadline; gives what a peer sent.
    async fn step(&mut self) -> Option<Vec<u8>> {
        while let Some(transmit) = self.gatherer.poll_transmit() {
            self.socket.try_send(&transmit.payload, transmit.remote).unwrap();
        }
        let mut buffer = [0; 2_000];
        let deadline = Instant::from_std(self.gatherer.poll_timeout().unwrap());
        let arrival = timeout_at(deadline, poll_fn(|cx| self.socket.poll_recv(cx, &mut buffer))).await;
        let now = Instant::now().into_std();
        let Ok(received) = arrival else {
            self.gatherer.handle_timeout(now);
            return None;
        };
        let (length, remote) = received.unwrap();
        let local = self.socket.local_addr().unwrap();
        match self.gatherer.handle_datagram(now, local, remote, &buffer[..length]) {
            Gathered::Relayed { payload, .. } => Some(payload.to_vec()),
            Gathered::Consumed | Gathered::NotMine => None,
        }
    }
}

async fn answer(socket: Arc<dyn UdpSocket>) {
    let mut buffer = [0; 2_000];
    while let Ok((length, remote)) = poll_fn(|cx| socket.poll_recv(cx, &mut buffer)).await {
        drop(socket.try_send(&buffer[..length], remote));
    }
}
