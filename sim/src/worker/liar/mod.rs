//! A signalling peer that lies: it dials a host's circuit like any other peer, and then breaks the rules of
//! `/webrtc-signaling/0.0.1`, one lie on one stream after the other.
//!
//! | module | noun |
//! |---|---|
//! | `speech` | what is said to tell a lie |
//! | `stream` | raw streams of the protocol |
//!
//! It runs on a simulated host beside that host's node, with the node's transports and an identity of its own, a new one every time: a
//! node must not depend on having met the liar before.
//!
//! # Absent on purpose
//! Everything else that a peer speaks (identify, ping, messages): a liar needs none of it.

mod speech;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Error, Result, bail};
use darkswap_node::Runtime;
use darkswap_node::config::WebrtcConfig;
use darkswap_node::transport::{self, DataChannels};
use darkswap_scenario::topology::Lie;
use futures::{AsyncReadExt as _, AsyncWriteExt as _, StreamExt as _};
use libp2p::identity::Keypair;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{NetworkBehaviour, Stream, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, relay};
use tokio::time::timeout;

use super::observer::With as _;
use super::recorder::{Recorder, tags};
use crate::runtime::SimRuntime;
use speech::Speech;

/// How long the circuit, a stream, or the answer to an honest offer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How soon a refused stream ends. A node gives a silent peer up after 5 s, which must not look like a refusal.
const REFUSAL: Duration = Duration::from_secs(3);

#[derive(NetworkBehaviour)]
struct Behaviour {
    circuits: relay::client::Behaviour,
    streams: stream::Behaviour,
}

/// Whom a liar lies to, and what it says.
pub(super) struct Assignment {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) peer: PeerId,
    /// Under which the peer can be reached through relays.
    pub(super) circuits: Vec<Multiaddr>,
    pub(super) lies: Vec<Lie>,
}

impl Assignment {
    /// Records that no lie could be told.
    pub(super) fn fail(&self, recorder: &Recorder, error: &Error) {
        self.lies.iter().for_each(|lie| self.record(recorder, *lie, Err(error)));
    }

    fn record(&self, recorder: &Recorder, lie: Lie, told: Result<&Reply, &Error>) {
        let names = tags([("from", self.from.as_str()), ("to", &self.to), ("how", lie.name())]);
        let category = match told {
            Ok(Reply::Refused) => "refused",
            Ok(Reply::Taken) => "taken",
            Err(error) => {
                recorder.event(&self.from, "lie_failed", names.clone().with("error", &format!("{error:#}")));
                "failed"
            }
        };
        recorder.category("lie", category, names);
    }
}

/// What a peer does about a lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reply {
    /// It ends the stream at once.
    Refused,
    /// It goes on listening.
    Taken,
}

/// A lying peer.
pub(super) struct Liar {
    runtime: Arc<SimRuntime>,
    swarm: Swarm<Behaviour>,
}

impl Liar {
    /// A liar on this host, with a new identity.
    ///
    /// # Errors
    /// The identity cannot be used: a bug.
    pub(super) fn new(runtime: &Arc<SimRuntime>) -> Result<Self> {
        let mut seed = [0; 32];
        runtime.fill_random(&mut seed);
        let identity = Keypair::ed25519_from_bytes(seed)?;
        let local = identity.public().to_peer_id();
        let (circuit_transport, circuits) = relay::client::new(local);
        let world: Arc<dyn Runtime> = Arc::<SimRuntime>::clone(runtime);
        // Its connections are never made: it only talks about them.
        let webrtc = WebrtcConfig { enabled: false, ..WebrtcConfig::default() };
        let transport =
            transport::build(&identity, &world, circuit_transport, &webrtc, None, &DataChannels::default())?;
        let behaviour = Behaviour { circuits, streams: stream::Behaviour::default() };
        let config = libp2p::swarm::Config::with_executor(move |task| world.spawn("liar's connection", task))
            .with_idle_connection_timeout(PATIENCE);
        Ok(Self { runtime: Arc::clone(runtime), swarm: Swarm::new(transport, behaviour, local, config) })
    }

    pub(super) fn peer_id(&self) -> PeerId {
        *self.swarm.local_peer_id()
    }

    /// Tells every lie of the assignment and records what came of each.
    pub(super) async fn perform(mut self, assignment: Assignment, recorder: Recorder) {
        if let Err(error) = self.connect(assignment.peer, assignment.circuits.clone()).await {
            return assignment.fail(&recorder, &error);
        }
        for lie in &assignment.lies {
            let told = self.tell(assignment.peer, *lie).await;
            assignment.record(&recorder, *lie, told.as_ref());
        }
    }

    async fn connect(&mut self, peer: PeerId, circuits: Vec<Multiaddr>) -> Result<()> {
        if circuits.is_empty() {
            bail!("the peer has no circuit, and signalling needs one");
        }
        self.swarm.dial(DialOpts::peer_id(peer).addresses(circuits).build())?;
        let connected = async {
            loop {
                match self.swarm.select_next_some().await {
                    SwarmEvent::ConnectionEstablished { peer_id, .. } if peer_id == peer => return Ok(()),
                    SwarmEvent::OutgoingConnectionError { peer_id: Some(failed), error, .. } if failed == peer => {
                        return Err(error);
                    }
                    _ => {}
                }
            }
        };
        Ok(timeout(PATIENCE, connected).await.context("no circuit in time")??)
    }

    async fn tell(&mut self, peer: PeerId, lie: Lie) -> Result<Reply> {
        let speech = Speech::new(lie, self.runtime.as_ref())?;
        let stream = timeout(PATIENCE, self.open(peer)).await.context("no stream in time")??;
        let reply = tokio::select! {
            biased;
            // The connection lives on what the swarm does.
            () = self.go_on() => unreachable!("a swarm does not end"),
            reply = say(stream, speech) => reply?,
        };
        if !self.swarm.is_connected(&peer) {
            // With it every stream ends, which says nothing about the lie.
            bail!("the circuit ended");
        }
        Ok(reply)
    }

    async fn open(&mut self, peer: PeerId) -> Result<Stream> {
        self.swarm.behaviour_mut().streams.open(peer);
        loop {
            match self.swarm.select_next_some().await {
                SwarmEvent::Behaviour(BehaviourEvent::Streams(opened)) => return Ok(opened?),
                SwarmEvent::ConnectionClosed { peer_id, .. } if peer_id == peer => bail!("the circuit ended"),
                _ => {}
            }
        }
    }

    async fn go_on(&mut self) {
        loop {
            self.swarm.select_next_some().await;
        }
    }
}

/// Says it, and listens to whether the peer ends the stream.
async fn say(mut stream: Stream, speech: Speech) -> Result<Reply> {
    let mut buffer = [0; 1 << 10];
    if let Some(honest) = speech.honest {
        stream.write_all(&honest).await?;
        stream.flush().await?;
        let read = timeout(PATIENCE, stream.read(&mut buffer)).await.context("no answer in time")?;
        if read? == 0 {
            bail!("an honest offer was not answered");
        }
    }
    let lied = async {
        stream.write_all(&speech.lie).await?;
        stream.flush().await?;
        while stream.read(&mut buffer).await? > 0 {}
        std::io::Result::Ok(())
    };
    // An error is the end as well: a stream that is reset.
    Ok(timeout(REFUSAL, lied).await.map_or(Reply::Taken, |_| Reply::Refused))
}
