//! A peer that says what it likes on signalling streams.

use std::io;
use std::sync::{Arc, Mutex};

use darkswap_node::config::WebrtcConfig;
use darkswap_node::transport::{self, DataChannels};
use darkswap_node::{Runtime, TokioRuntime};
use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, StreamExt as _};
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, relay};

const PROTOCOL: StreamProtocol = StreamProtocol::new("/webrtc-signaling/0.0.1");

/// One message of the protocol: its type and its text, with the length in front.
pub(crate) fn message(kind: u8, text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    assert!(length < 120, "lengths of one byte only");
    [&[length + 4, 0x08, kind, 0x12, length][..], text.as_bytes()].concat()
}

/// A message with a candidate.
pub(crate) fn candidate(port: u16) -> Vec<u8> {
    message(2, &format!(r#"{{"candidate":"candidate:1 1 udp 1 10.0.0.1 {port} typ host"}}"#))
}

/// Writes whatever it is given, and answers every stream with the same.
#[derive(Debug, Clone, Default)]
struct Codec {
    answer: Arc<Mutex<Vec<u8>>>,
}

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut begin = vec![0; 64];
        io.read_exact(&mut begin).await?;
        Ok(begin)
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut all = Vec::new();
        io.take(1 << 16).read_to_end(&mut all).await?;
        Ok(all)
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, lie: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&lie).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, _: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        let answer = self.answer.lock().unwrap().clone();
        io.write_all(&answer).await
    }
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    circuits: relay::client::Behaviour,
    lies: request_response::Behaviour<Codec>,
}

/// The liar.
pub(crate) struct Liar {
    swarm: Swarm<Behaviour>,
    answer: Arc<Mutex<Vec<u8>>>,
}

impl Liar {
    pub(crate) fn start() -> Self {
        let identity = Keypair::generate_ed25519();
        let local = identity.public().to_peer_id();
        let (circuit_transport, circuits) = relay::client::new(local);
        let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime);
        let webrtc = WebrtcConfig { enabled: false, ..WebrtcConfig::default() };
        let transport =
            transport::build(&identity, &runtime, circuit_transport, &webrtc, None, &DataChannels::default()).unwrap();
        let codec = Codec::default();
        let answer = Arc::clone(&codec.answer);
        let lies = request_response::Behaviour::with_codec(
            codec,
            [(PROTOCOL, ProtocolSupport::Full)],
            request_response::Config::default(),
        );
        let config = libp2p::swarm::Config::with_executor(move |task| runtime.spawn("connection", task));
        Self { swarm: Swarm::new(transport, Behaviour { circuits, lies }, local, config), answer }
    }

    pub(crate) fn id(&self) -> PeerId {
        *self.swarm.local_peer_id()
    }

    pub(crate) async fn connect(&mut self, address: Multiaddr) {
        let Some(Protocol::P2p(peer)) = address.iter().last() else { panic!("{address} names no peer") };
        self.swarm.dial(address).unwrap();
        while !matches!(self.swarm.select_next_some().await, SwarmEvent::ConnectionEstablished { peer_id, .. } if peer_id == peer)
        {
        }
    }

    /// Gets a reservation and tells under which address it can be reached.
    pub(crate) async fn reserve(&mut self, circuit: Multiaddr) -> Multiaddr {
        self.swarm.listen_on(circuit).unwrap();
        loop {
            if let SwarmEvent::NewListenAddr { address, .. } = self.swarm.select_next_some().await {
                return address;
            }
        }
    }

    /// Opens a stream and says this.
    pub(crate) fn say(&mut self, peer: PeerId, lie: Vec<u8>) {
        self.swarm.behaviour_mut().lies.send_request(&peer, lie);
    }

    /// What it answers to whoever opens a stream.
    pub(crate) fn answer(&mut self, lie: Vec<u8>) {
        *self.answer.lock().unwrap() = lie;
    }

    pub(crate) async fn run(&mut self) {
        loop {
            let event = self.swarm.select_next_some().await;
            if let SwarmEvent::Behaviour(BehaviourEvent::Lies(request_response::Event::Message {
                message: request_response::Message::Request { channel, .. },
                ..
            })) = event
            {
                // The answer is the same in any case.
                let _ = self.swarm.behaviour_mut().lies.send_response(channel, Vec::new());
            }
        }
    }
}
