//! A relay that breaks the rules: it stands where a relay of ours would, under the same identity, and runs no node.
//!
//! | module | noun |
//! |---|---|
//! | `carrier` | circuits whose bytes do not arrive as they were sent |
//! | `hop` | what it answers to requests for reservations and circuits (circuit relay v2) |
//! | `report` | what it says of its load |
//!
//! What it does not lie about is real: a rogue that only reports another load than it has carries circuits with libp2p's own relay.

mod carrier;
mod hop;
mod report;

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use darkswap_connectivity::relay::server::Limits;
use darkswap_node::Runtime;
use darkswap_node::config::WebrtcConfig;
use darkswap_node::transport::{self, DataChannels};
use darkswap_scenario::topology::{Conduct, Hop};
use futures::StreamExt as _;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::request_response::{self, ProtocolSupport, ResponseChannel};
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, StreamProtocol, Swarm, identify, ping, relay};

use super::line;
use crate::runtime::SimRuntime;
use carrier::Carrier;
use hop::Question;

/// Connections without use are closed after this time.
const IDLE: Duration = Duration::from_secs(60);
/// How long a request that is never answered is kept open: longer than a run.
const FOREVER: Duration = Duration::from_secs(24 * 60 * 60);
/// Requests that are never answered, kept open at once; the oldest one is given up.
const STALLED: usize = 1_024;

/// How often rules were broken, by the word of a scenario. Clones share.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts(Arc<Mutex<BTreeMap<&'static str, u64>>>);

impl Counts {
    fn count(&self, kind: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_default() += 1;
    }

    /// How often this rule was broken.
    pub(super) fn of(&self, kind: &'static str) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(kind).copied().unwrap_or_default()
    }
}

/// The words of a scenario for what a relay with this conduct does.
pub(super) fn kinds(conduct: Conduct) -> impl Iterator<Item = &'static str> {
    let hop = (conduct.hop != Hop::Serve).then(|| conduct.hop.name());
    conduct.report.map(|_| "report").into_iter().chain(hop)
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    circuits: relay::client::Behaviour,
    relay: Toggle<relay::Behaviour>,
    hop: Toggle<request_response::Behaviour<hop::Codec>>,
    carrier: Toggle<line::Behaviour>,
    report: Toggle<request_response::Behaviour<report::Codec>>,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

/// A relay that breaks the rules.
pub(super) struct Rogue {
    runtime: Arc<SimRuntime>,
    swarm: Swarm<Behaviour>,
    conduct: Conduct,
    counts: Counts,
    address: Multiaddr,
    stalled: VecDeque<ResponseChannel<Vec<u8>>>,
}

impl Rogue {
    /// A rogue on this host that listens where a node would.
    ///
    /// # Errors
    /// It cannot listen there: a bug, as it is in a simulated world of its own.
    pub(super) fn new(
        runtime: &Arc<SimRuntime>,
        identity: &Keypair,
        (listen, address): (&[Multiaddr], Ipv4Addr),
        (conduct, limits): (Conduct, &Limits),
        counts: Counts,
    ) -> Result<Self> {
        let local = identity.public().to_peer_id();
        let (circuit_transport, circuits) = relay::client::new(local);
        let world: Arc<dyn Runtime> = Arc::<SimRuntime>::clone(runtime);
        let webrtc = WebrtcConfig { enabled: false, ..WebrtcConfig::default() };
        let transport = transport::build(identity, &world, circuit_transport, &webrtc, None, &DataChannels::default())?;
        let serves = conduct.hop == Hop::Serve;
        let carries = matches!(conduct.hop, Hop::Corrupt | Hop::Swallow);
        let (carrier, line, streams) = line::Behaviour::new(hop::PROTOCOL);
        let behaviour = Behaviour {
            circuits,
            relay: serves.then(|| relay::Behaviour::new(local, relay_config(limits))).into(),
            hop: (!serves && !carries).then(|| answering(hop::PROTOCOL, hop::Codec)).into(),
            carrier: carries.then_some(carrier).into(),
            report: conduct.report.map(|_| answering(report::PROTOCOL, report::Codec)).into(),
            identify: identify::Behaviour::new(identify::Config::new("/rogue".to_owned(), identity.public())),
            ping: ping::Behaviour::default(),
        };
        let tasks = Arc::clone(&world);
        let config = libp2p::swarm::Config::with_executor(move |task| world.spawn("rogue's connection", task))
            .with_idle_connection_timeout(IDLE);
        let mut swarm = Swarm::new(transport, behaviour, local, config);
        for listen in listen {
            swarm.listen_on(listen.clone())?;
            swarm.add_external_address(at(listen, address));
        }
        let address = listen.first().map(|listen| at(listen, address)).unwrap_or_else(Multiaddr::empty);
        if carries {
            let (runtime, counts) = (Arc::clone(runtime), counts.clone());
            let carrier = Carrier { runtime, line, address: address.clone(), hop: conduct.hop, counts };
            tasks.spawn("rogue's circuits", Box::pin(carrier.run(streams)));
        }
        Ok(Self { runtime: Arc::clone(runtime), swarm, conduct, counts, address, stalled: VecDeque::new() })
    }

    /// Goes on until the host crashes.
    pub(super) async fn run(mut self) {
        loop {
            match self.swarm.select_next_some().await {
                SwarmEvent::Behaviour(BehaviourEvent::Hop(request_response::Event::Message {
                    message: request_response::Message::Request { request, channel, .. },
                    ..
                })) => self.answer(request, channel),
                SwarmEvent::Behaviour(BehaviourEvent::Report(request_response::Event::Message {
                    message: request_response::Message::Request { channel, .. },
                    ..
                })) => {
                    self.counts.count("report");
                    let said = report::bytes(self.conduct.report.unwrap_or_default());
                    if let Some(report) = self.swarm.behaviour_mut().report.as_mut() {
                        let _ = report.send_response(channel, said);
                    }
                }
                _ => {}
            }
        }
    }

    fn answer(&mut self, question: Question, channel: ResponseChannel<Vec<u8>>) {
        let answer = match (self.conduct.hop, question) {
            (Hop::Stall, _) => {
                self.counts.count("stall");
                if self.stalled.len() == STALLED {
                    self.stalled.pop_front();
                }
                return self.stalled.push_back(channel);
            }
            // A carrier answers by itself.
            (Hop::Garble | Hop::Corrupt | Hop::Swallow, _) => hop::NONSENSE.to_vec(),
            (Hop::Drop, Question::Reserve) => hop::granted(self.runtime.as_ref(), &self.address),
            (Hop::Refuse | Hop::Serve, Question::Reserve) => hop::refused(hop::RESERVATION_REFUSED),
            (Hop::Drop | Hop::Refuse | Hop::Serve, Question::Connect) => hop::refused(hop::CONNECTION_FAILED),
        };
        if (self.conduct.hop, question) != (Hop::Drop, Question::Reserve) {
            self.counts.count(self.conduct.hop.name());
        }
        if let Some(hop) = self.swarm.behaviour_mut().hop.as_mut() {
            let _ = hop.send_response(channel, answer);
        }
    }
}

/// A protocol of which only requests of others are taken.
fn answering<C>(protocol: StreamProtocol, codec: C) -> request_response::Behaviour<C>
where
    C: request_response::Codec<Protocol = StreamProtocol> + Clone + Send + 'static,
{
    let config = request_response::Config::default().with_request_timeout(FOREVER);
    request_response::Behaviour::with_codec(codec, [(protocol, ProtocolSupport::Inbound)], config)
}

fn relay_config(limits: &Limits) -> relay::Config {
    relay::Config {
        max_reservations: limits.reservations,
        reservation_duration: limits.reservation_life,
        max_circuits: limits.circuits,
        max_circuits_per_peer: limits.circuits_per_peer,
        max_circuit_duration: limits.circuit_life,
        max_circuit_bytes: limits.circuit_bytes,
        reservation_rate_limiters: Vec::new(),
        circuit_src_rate_limiters: Vec::new(),
        ..relay::Config::default()
    }
}

/// An address to listen on as others see it.
pub(super) fn at(listen: &Multiaddr, address: Ipv4Addr) -> Multiaddr {
    let seen = |protocol| if let Protocol::Ip4(_) = protocol { Protocol::Ip4(address) } else { protocol };
    listen.iter().map(seen).collect()
}
