//! A peer that puts records into the DHT that no honest peer would put there.

use std::sync::Arc;

use darkswap_node::Runtime;
use darkswap_node::config::{PeerAddress, WebrtcConfig};
use darkswap_node::transport::{self, DataChannels};
use darkswap_sim::{SimRuntime, World};
use futures::StreamExt as _;
use libp2p::core::SignedEnvelope;
use libp2p::identity::Keypair;
use libp2p::swarm::SwarmEvent;
use libp2p::{PeerId, StreamProtocol, Swarm, kad, relay};
use tokio::sync::mpsc;

type Dht = kad::Behaviour<kad::store::MemoryStore>;

/// A peer with a connection to one server, under an identity of its own.
pub(crate) struct Forger {
    pub(crate) identity: Keypair,
    records: mpsc::Sender<kad::Record>,
}

impl Forger {
    /// Connects to a server.
    pub(crate) async fn start(world: &World, host: &str, server: &PeerAddress) -> Self {
        let runtime = super::host(world, host);
        let mut seed = [0; 32];
        runtime.fill_random(&mut seed);
        let identity = Keypair::ed25519_from_bytes(seed).unwrap();
        let mut swarm = swarm(&identity, &runtime);
        swarm.behaviour_mut().add_address(&server.peer, server.address.clone());
        swarm.dial(server.address.clone().with_p2p(server.peer).unwrap()).unwrap();
        while !matches!(swarm.select_next_some().await, SwarmEvent::ConnectionEstablished { .. }) {}
        let (records, waiting) = mpsc::channel(1);
        runtime.spawn("forger", Box::pin(serve(swarm, server.peer, waiting)));
        Self { identity, records }
    }

    pub(crate) fn id(&self) -> PeerId {
        self.identity.public().to_peer_id()
    }

    /// Puts a record.
    pub(crate) fn put(&self, record: kad::Record) {
        self.records.try_send(record).unwrap();
    }
}

fn swarm(identity: &Keypair, runtime: &Arc<SimRuntime>) -> Swarm<Dht> {
    let id = identity.public().to_peer_id();
    let world: Arc<dyn Runtime> = Arc::<SimRuntime>::clone(runtime);
    let no_webrtc = WebrtcConfig { enabled: false, ..WebrtcConfig::default() };
    let (circuits, _) = relay::client::new(id);
    let transport = transport::build(identity, &world, circuits, &no_webrtc, None, &DataChannels::default()).unwrap();
    let mut config = kad::Config::new(StreamProtocol::new("/darkswap/kad/1"));
    config.set_kbucket_inserts(kad::BucketInserts::Manual);
    let dht = kad::Behaviour::with_config(id, kad::store::MemoryStore::new(id), config);
    let tasks = Arc::clone(&world);
    let config = libp2p::swarm::Config::with_executor(move |task| tasks.spawn("forger's connection", task));
    Swarm::new(transport, dht, id, config.with_idle_connection_timeout(std::time::Duration::from_secs(600)))
}

async fn serve(mut swarm: Swarm<Dht>, server: PeerId, mut records: mpsc::Receiver<kad::Record>) {
    loop {
        tokio::select! {
            record = records.recv() => match record {
                Some(record) => {
                    swarm.behaviour_mut().put_record_to(record, [server].into_iter(), kad::Quorum::One);
                }
                None => return,
            },
            _ = swarm.select_next_some() => {}
        }
    }
}

fn key(peer: PeerId) -> Vec<u8> {
    [b"/darkswap/peer/1/", &peer.to_bytes()[..]].concat()
}

/// A record about somebody else.
pub(crate) fn signed_by_itself(forger: &Keypair, about: PeerId) -> kad::Record {
    kad::Record::new(key(about), envelope(forger, about, u64::MAX))
}

/// The forger's own, from 1970.
pub(crate) fn own_of_long_ago(forger: &Keypair) -> kad::Record {
    let own = forger.public().to_peer_id();
    kad::Record::new(key(own), envelope(forger, own, 1))
}

/// Bytes that are no record.
pub(crate) fn garbage(about: PeerId) -> kad::Record {
    kad::Record::new(key(about), vec![0xff; 100])
}

/// More bytes than a record may have.
pub(crate) fn oversized(about: PeerId) -> kad::Record {
    kad::Record::new(key(about), vec![0; 4_096])
}

/// An envelope around a peer record without addresses.
fn envelope(signer: &Keypair, about: PeerId, sequence: u64) -> Vec<u8> {
    let id = about.to_bytes();
    let mut payload = vec![0x0a, u8::try_from(id.len()).unwrap()];
    payload.extend_from_slice(&id);
    payload.push(0x10);
    let mut rest = sequence;
    while rest >= 0x80 {
        payload.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
        rest >>= 7;
    }
    payload.push(u8::try_from(rest).unwrap());
    let envelope = SignedEnvelope::new(signer, "darkswap-peer-record/1".to_owned(), vec![3, 1], payload).unwrap();
    envelope.into_protobuf_encoding()
}
