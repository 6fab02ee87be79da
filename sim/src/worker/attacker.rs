//! A peer that breaks the rules: it stands where a peer of ours would, under the same identity, and runs no node.
//!
//! | module | noun |
//! |---|---|
//! | `victim` | a node under attack, and the sessions with it |
//! | `bomb` | compressed messages that become far more than they are |
//! | `flood` | as many requests, messages and streams as it can make |
//! | `spoof` | the certificate of another, and the words of a session again |
//! | `impostor` | the other end of sessions that nodes open |
//!
//! The hostile clients of `darkswap-interop` do the same to a node on real sockets; here other peers talk meanwhile.

mod bomb;
mod flood;
mod impostor;
mod spoof;
mod victim;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use darkswap_core::Time;
use darkswap_node::Runtime;
use darkswap_node::config::WebrtcConfig;
use darkswap_node::transport::{self, DataChannels};
use darkswap_scenario::topology::{Attack, AttackKind};
use futures::StreamExt as _;
use futures::channel::mpsc;
use futures::future::join_all;
use libp2p::identity::Keypair;
use libp2p::swarm::{NetworkBehaviour, Stream};
use libp2p::{Multiaddr, PeerId, Swarm, identify, ping, relay};

use super::cast::Cast;
use super::line::{self, Line};
use super::recorder::{Recorder, tags};
use crate::runtime::SimRuntime;
use bomb::Bombs;
use impostor::Impostor;
use victim::Victim;

/// Connections without use are kept: it is for the others to close them.
const IDLE: Duration = Duration::from_secs(3_600);
/// The pause before the first round, in which a node that has just started finds its relays, and after each one.
const PAUSE: Duration = Duration::from_secs(2);

/// What a node did about an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reply {
    /// It did not do what was asked.
    Refused,
    /// It did.
    Taken,
    /// It was not reached, or had no chance to show.
    Failed,
}

/// Who attacks, and where it is written down what came of it.
#[derive(Clone)]
struct Report {
    runtime: Arc<SimRuntime>,
    identity: Keypair,
    name: String,
    cast: Cast,
    recorder: Recorder,
}

impl Report {
    fn now(&self) -> Time {
        self.recorder.now()
    }

    fn record(&self, to: &str, how: &str, reply: Reply) {
        let category = match reply {
            Reply::Refused => "refused",
            Reply::Taken => "taken",
            Reply::Failed => "failed",
        };
        self.recorder.category("attack", category, tags([("from", &*self.name), ("to", to), ("how", how)]));
    }
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    circuits: relay::client::Behaviour,
    line: line::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

/// A peer that breaks the rules.
pub(super) struct Attacker {
    swarm: Swarm<Behaviour>,
    line: Line,
    streams: mpsc::Receiver<(PeerId, Stream)>,
    report: Report,
    attack: Attack,
}

impl Attacker {
    /// An attacker in the place of this member.
    ///
    /// # Errors
    /// It cannot listen there: a bug, as it is in a simulated world of its own.
    pub(super) fn new(
        runtime: &Arc<SimRuntime>,
        (cast, recorder): (Cast, Recorder),
        index: usize,
        attack: Attack,
    ) -> Result<Self> {
        let member = &cast.members()[index];
        let (identity, name) = (member.identity.clone(), member.name.clone());
        let local = member.peer_id();
        let (circuit_transport, circuits) = relay::client::new(local);
        let world: Arc<dyn Runtime> = Arc::<SimRuntime>::clone(runtime);
        let webrtc = WebrtcConfig { enabled: false, ..WebrtcConfig::default() };
        let transport =
            transport::build(&identity, &world, circuit_transport, &webrtc, None, &DataChannels::default())?;
        let (behaviour, line, streams) = line::Behaviour::new(victim::SEALED);
        let behaviour = Behaviour {
            circuits,
            line: behaviour,
            identify: identify::Behaviour::new(identify::Config::new("/attacker".to_owned(), identity.public())),
            ping: ping::Behaviour::default(),
        };
        let config = libp2p::swarm::Config::with_executor(move |task| world.spawn("attacker's connection", task))
            .with_idle_connection_timeout(IDLE);
        let mut swarm = Swarm::new(transport, behaviour, local, config);
        for listen in &member.config.listen {
            swarm.listen_on(listen.clone())?;
        }
        let report = Report { runtime: Arc::clone(runtime), identity, name, cast, recorder };
        Ok(Self { swarm, line, streams, report, attack })
    }

    /// Where it listens, as others see it.
    pub(super) fn addresses(listen: &[Multiaddr], address: Ipv4Addr) -> Vec<Multiaddr> {
        listen.iter().map(|listen| super::rogue::at(listen, address)).collect()
    }

    /// Has it at work until the host crashes.
    ///
    /// # Errors
    /// A bomb cannot be built, or a key is not what it should be: a bug.
    pub(super) fn start(self) -> Result<()> {
        let Self { mut swarm, line, streams, report, attack } = self;
        let runtime = Arc::clone(&report.runtime);
        let driving = async move {
            loop {
                swarm.select_next_some().await;
            }
        };
        runtime.spawn("attacker", Box::pin(driving));
        let victims = victims(&attack, &line, &report)?;
        if attack.kind == AttackKind::Pose {
            let other = Keypair::ed25519_from_bytes(*victim::draw(report.runtime.as_ref()))?;
            let impostor = Impostor::new(report.clone(), &other).context("an Ed25519 key")?;
            runtime.spawn("impostor", Box::pin(impostor.run(streams)));
            return Ok(());
        }
        // What others open ends at once.
        drop(streams);
        let arms = match attack.kind {
            AttackKind::Bomb => Arms::Bombs(Bombs::new(&runtime)?),
            AttackKind::Flood => Arms::Flood,
            AttackKind::Spoof | AttackKind::Pose => Arms::Spoof,
        };
        runtime.spawn("attacks", Box::pin(rounds(victims, report, arms)));
        Ok(())
    }
}

/// What it takes with it.
enum Arms {
    Bombs(Bombs),
    Flood,
    Spoof,
}

fn victims(attack: &Attack, line: &Line, report: &Report) -> Result<Vec<Victim>> {
    let victim = |index: usize| {
        let member = &report.cast.members()[index];
        let peer = member.peer_id();
        Some(Victim {
            index,
            name: member.name.clone(),
            peer,
            party: victim::party(peer)?,
            is_relay: member.config.relay_server,
            sessions: victim::sessions(&report.identity, report.runtime.as_ref())?,
            line: line.clone(),
            sequence: 0,
        })
    };
    attack.on.iter().map(|host| victim(host.0).context("an Ed25519 key")).collect()
}

/// Attacks all of them at once, again and again.
async fn rounds(mut victims: Vec<Victim>, report: Report, arms: Arms) {
    // Whose name is used towards each: the next one's.
    let mut others: Vec<usize> = victims.iter().map(|victim| victim.index).collect();
    let steps = others.len().min(1);
    others.rotate_left(steps);
    let peer = victims.iter().find(|victim| !victim.is_relay).map(|victim| victim.peer);
    loop {
        tokio::time::sleep(PAUSE).await;
        let attacks =
            victims.iter_mut().zip(&others).map(|(victim, other)| round(victim, (*other, peer), &report, &arms));
        join_all(attacks).await;
    }
}

async fn round(victim: &mut Victim, (other, peer): (usize, Option<PeerId>), report: &Report, arms: &Arms) {
    let addresses = report.cast.ticket(victim.index).await;
    if !victim.line.connect(victim.peer, addresses).await {
        return;
    }
    match arms {
        Arms::Bombs(bombs) => bombs.send(victim, report).await,
        Arms::Flood => flood::flood(victim, peer, report).await,
        Arms::Spoof => spoof::spoof(victim, &report.cast.members()[other].identity, report).await,
    }
}
