//! A stock libp2p peer that speaks the message protocol byte by byte.

use std::io;
use std::time::Duration;

use darkswap_node::{Runtime as _, TokioRuntime};
use libp2p::futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, StreamExt as _};
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::request_response::{self, Message, ProtocolSupport};
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::{self, NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, dcutr, identify, ping, relay};
use tokio::sync::{mpsc, oneshot};

use crate::carrier::{self, Carrier};
use crate::common::PATIENCE;
use crate::frame;

const UNREAD: usize = 1 << 16;
/// Largest message that the codec takes: 16 MiB and some.
const LARGEST: u64 = (16 << 20) + 1024;
const IDLE: Duration = Duration::from_secs(60);

/// How a peer answers the bytes of a message.
pub(crate) type Answer = fn(&[u8]) -> Vec<u8>;

type Order = Box<dyn FnOnce(&mut Swarm<Behaviour>) + Send>;

/// A running stock peer.
pub(crate) struct Stock {
    pub(crate) id: PeerId,
    orders: mpsc::Sender<Order>,
    seen: mpsc::Receiver<Seen>,
}

/// What a stock peer is asked to be.
pub(crate) struct Role {
    pub(crate) carrier: Carrier,
    pub(crate) relay: bool,
    /// Whether it keeps its addresses to itself, so that it is reached through a relay or by a hole punch only.
    pub(crate) hidden: bool,
    pub(crate) answer: Answer,
}

/// What happened to a stock peer.
#[derive(Debug)]
pub(crate) enum Seen {
    Request(Vec<u8>),
    Response(Vec<u8>),
    Other(Box<SwarmEvent<BehaviourEvent>>),
}

#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub(crate) identify: identify::Behaviour,
    pub(crate) ping: ping::Behaviour,
    pub(crate) dcutr: dcutr::Behaviour,
    pub(crate) relay_client: relay::client::Behaviour,
    pub(crate) relay_server: Toggle<relay::Behaviour>,
    pub(crate) messages: request_response::Behaviour<Bytewise>,
}

impl Role {
    pub(crate) fn peer(carrier: Carrier) -> Self {
        Self { carrier, relay: false, hidden: false, answer: frame::acknowledgement }
    }
}

impl Stock {
    pub(crate) fn start(role: &Role) -> Self {
        let identity = Keypair::generate_ed25519();
        let id = identity.public().to_peer_id();
        let (circuits, relay_client) = relay::client::new(id);
        let identify =
            identify::Config::new("/stock/1".to_owned(), identity.public()).with_hide_listen_addrs(role.hidden);
        let messages = request_response::Config::default().with_request_timeout(PATIENCE);
        let behaviour = Behaviour {
            identify: identify::Behaviour::new(identify),
            ping: ping::Behaviour::default(),
            dcutr: dcutr::Behaviour::new(id),
            relay_client,
            relay_server: role.relay.then(|| relay::Behaviour::new(id, relay::Config::default())).into(),
            messages: request_response::Behaviour::new(
                [(StreamProtocol::new(frame::PROTOCOL), ProtocolSupport::Full)],
                messages,
            ),
        };
        let config = swarm::Config::with_executor(|task| TokioRuntime.spawn("stock connection", task))
            .with_idle_connection_timeout(IDLE);
        let mut swarm = Swarm::new(carrier::stock(&identity, circuits), behaviour, id, config);
        swarm.listen_on(role.carrier.address()).unwrap();
        let ((orders, ordered), (sender, seen)) = (mpsc::channel(16), mpsc::channel(UNREAD));
        TokioRuntime.spawn("stock peer", Box::pin(run(swarm, ordered, sender, role.answer)));
        Self { id, orders, seen }
    }

    /// Has something done with the swarm, and waits for the result.
    pub(crate) async fn with<T: Send + 'static>(
        &self,
        order: impl FnOnce(&mut Swarm<Behaviour>) -> T + Send + 'static,
    ) -> T {
        let (answer, answered) = oneshot::channel();
        let order: Order = Box::new(move |swarm| drop(answer.send(order(swarm))));
        assert!(self.orders.send(order).await.is_ok(), "the stock peer runs");
        answered.await.expect("the stock peer runs")
    }

    pub(crate) async fn dial(&self, peer: PeerId, address: Multiaddr) {
        let options = swarm::dial_opts::DialOpts::peer_id(peer).addresses(vec![address]).build();
        self.with(|swarm| swarm.dial(options).unwrap()).await;
    }

    /// Sends bytes on a stream of the message protocol and waits for the answer's bytes.
    pub(crate) async fn exchange(&mut self, peer: PeerId, bytes: Vec<u8>) -> Vec<u8> {
        self.with(move |swarm| swarm.behaviour_mut().messages.send_request(&peer, bytes)).await;
        self.wait("response", |seen| match seen {
            Seen::Response(bytes) => Some(bytes.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn wait<T>(&mut self, what: &str, mut found: impl FnMut(&Seen) -> Option<T>) -> T {
        let mut passed = Vec::new();
        let waiting = async {
            loop {
                let seen = self.seen.recv().await.expect("the stock peer runs");
                match found(&seen) {
                    Some(found) => return found,
                    None => passed.push(seen),
                }
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(found) => found,
            Err(_) => panic!("no {what}; the stock peer saw {passed:#?}"),
        }
    }

    /// Waits for an event of the swarm.
    pub(crate) async fn event<T>(
        &mut self,
        what: &str,
        mut found: impl FnMut(&SwarmEvent<BehaviourEvent>) -> Option<T>,
    ) -> T {
        self.wait(what, |seen| match seen {
            Seen::Other(event) => found(event),
            Seen::Request(_) | Seen::Response(_) => None,
        })
        .await
    }

    /// The first address it listens on that `wanted` accepts, circuits included.
    pub(crate) async fn listens(&mut self, wanted: impl Fn(&Multiaddr) -> bool) -> Multiaddr {
        self.event("listener", |event| match event {
            SwarmEvent::NewListenAddr { address, .. } if wanted(address) => Some(address.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn address(&mut self) -> Multiaddr {
        self.listens(|_| true).await
    }

    /// Listens on a circuit of a relay and waits until the relay took it on; answers with the circuit's address.
    pub(crate) async fn reserve(&mut self, relay: PeerId, address: Multiaddr) -> Multiaddr {
        let circuit = address.with(Protocol::P2p(relay)).with(Protocol::P2pCircuit);
        self.with(|swarm| swarm.listen_on(circuit).unwrap()).await;
        self.listens(|address| address.iter().any(|protocol| protocol == Protocol::P2pCircuit)).await
    }
}

async fn run(mut swarm: Swarm<Behaviour>, mut orders: mpsc::Receiver<Order>, seen: mpsc::Sender<Seen>, answer: Answer) {
    loop {
        let event = tokio::select! {
            event = swarm.select_next_some() => event,
            order = orders.recv() => match order {
                Some(order) => {
                    order(&mut swarm);
                    continue;
                }
                None => return,
            },
        };
        let report = match event {
            SwarmEvent::Behaviour(BehaviourEvent::Messages(request_response::Event::Message { message, .. })) => {
                match message {
                    Message::Request { request, channel, .. } => {
                        // The connection may be gone.
                        let _ = swarm.behaviour_mut().messages.send_response(channel, answer(&request));
                        Seen::Request(request)
                    }
                    Message::Response { response, .. } => Seen::Response(response),
                }
            }
            other => Seen::Other(Box::new(other)),
        };
        assert!(seen.is_closed() || seen.try_send(report).is_ok());
    }
}

/// Carries bytes as they are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bytewise;

impl request_response::Codec for Bytewise {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut bytes = Vec::new();
        io.take(LARGEST).read_to_end(&mut bytes).await?;
        Ok(bytes)
    }

    async fn read_response<T>(&mut self, protocol: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        self.read_request(protocol, io).await
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, bytes: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&bytes).await
    }

    async fn write_response<T>(&mut self, protocol: &StreamProtocol, io: &mut T, bytes: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        self.write_request(protocol, io, bytes).await
    }
}
