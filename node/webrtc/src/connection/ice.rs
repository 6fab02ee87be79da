//! ICE of one connection (RFC 8445), over the stack's sans-I/O agent.
//!
//! The agent would check every pair at a fixed pace for ever; here the pace is ours: quick at the start, after every new candidate and
//! when a pair has answered, then ever slower.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc::ice::candidate::candidate_host::CandidateHostConfig;
use rtc::ice::candidate::candidate_relay::CandidateRelayConfig;
use rtc::ice::candidate::candidate_server_reflexive::CandidateServerReflexiveConfig;
use rtc::ice::candidate::{self, CandidateConfig, CandidateType};
use rtc::ice::mdns::MulticastDnsMode;
use rtc::ice::state::ConnectionState;
use rtc::ice::{Agent, AgentConfig};
use rtc::sansio::Protocol as _;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use rtc::stun::message::{BINDING_SUCCESS, Getter as _, Message};
use rtc::stun::xoraddr::XorMappedAddress;

use super::relayed::Relayed;
use super::{Candidate, CandidateKind, CandidatePair, ConnectionError, IceState, LocalCandidate, Settings, Transmit};
use crate::certificate::provider;

/// The most candidates of either end, with those that checks show: each makes a pair with each of the other end.
pub(super) const MAX_CANDIDATES: usize = 64;
/// The pace of checks: at first, and at last.
const QUICK: Duration = Duration::from_millis(25);
const SLOW: Duration = Duration::from_millis(400);
/// How many checks a pair gets, more than any set-up has time for: it must outlive the peer's delays in signalling.
const CHECKS: u16 = 10_000;
/// How a connectivity check begins (RFC 8489 section 5).
const BINDING_REQUEST: [u8; 2] = [0, 1];

/// The agent with its pace and what it does not tell.
pub(super) struct Ice {
    agent: Agent,
    lite: bool,
    controlling: bool,
    keepalive: Duration,
    locals: Vec<LocalCandidate>,
    /// Those from before the restart that is prepared: they serve until it happens.
    former: Vec<LocalCandidate>,
    relayed: Relayed,
    relayed_wait: Duration,
    /// Whether the selected pair has lost its socket's address, of which the agent knows nothing.
    uprooted: bool,
    /// States besides those that the agent tells.
    states: VecDeque<IceState>,
    /// Our addresses as the peer's answers named them, by socket and peer.
    mapped: BTreeMap<(SocketAddr, SocketAddr), SocketAddr>,
    last_check: Instant,
    gap: Duration,
}

/// What the agent reports.
pub(super) enum IceEvent {
    State(IceState),
    Selected(CandidatePair),
}

impl Ice {
    pub(super) fn new(
        settings: &Settings,
        now: Instant,
        credentials: Option<&str>,
        lite: bool,
    ) -> Result<Self, ConnectionError> {
        let credentials = credentials.unwrap_or_default();
        let config = AgentConfig {
            local_ufrag: credentials.to_owned(),
            local_pwd: credentials.to_owned(),
            multicast_dns_mode: MulticastDnsMode::Disabled,
            // Never used, but without one the agent spends entropy on it.
            multicast_dns_local_name: "unused.local".to_owned(),
            disconnected_timeout: Some(settings.disconnected_timeout),
            failed_timeout: Some(settings.failed_timeout),
            keepalive_interval: Some(settings.keepalive),
            check_interval: Duration::from_millis(1),
            max_binding_requests: Some(CHECKS),
            lite,
            candidate_types: if lite { vec![CandidateType::Host] } else { Vec::new() },
            host_acceptance_min_wait: Some(Duration::ZERO),
            srflx_acceptance_min_wait: Some(settings.reflexive_wait),
            prflx_acceptance_min_wait: Some(settings.reflexive_wait),
            // They are not there before it is their turn.
            relay_acceptance_min_wait: Some(Duration::ZERO),
            ..AgentConfig::default()
        };
        let agent = Agent::new(now, Arc::new(config), provider()).map_err(set_up)?;
        Ok(Self {
            agent,
            lite,
            controlling: false,
            keepalive: settings.keepalive,
            locals: Vec::new(),
            former: Vec::new(),
            relayed: Relayed::default(),
            relayed_wait: settings.relayed_wait,
            uprooted: false,
            states: VecDeque::new(),
            mapped: BTreeMap::new(),
            last_check: now,
            gap: QUICK,
        })
    }

    /// Our username fragment and password, of the restart if one has been prepared.
    pub(super) fn credentials(&self) -> (String, String) {
        let credentials = self.agent.get_local_credentials();
        (credentials.ufrag.clone(), credentials.pwd.clone())
    }

    /// The peer's username fragment.
    pub(super) fn remote_ufrag(&self) -> Option<&str> {
        self.agent.get_remote_credentials().map(|credentials| credentials.ufrag.as_str())
    }

    /// Begins to check pairs.
    pub(super) fn start(
        &mut self,
        now: Instant,
        controlling: bool,
        ufrag: &str,
        password: &str,
    ) -> Result<(), ConnectionError> {
        self.controlling = controlling;
        self.gap = QUICK;
        self.agent
            .start_connectivity_checks(now, controlling, ufrag.to_owned(), password.to_owned())
            .map_err(set_up)?;
        let alternative = self.locals.iter().any(|known| known.kind != CandidateKind::Relayed);
        if controlling && alternative {
            self.relayed.wait_until(now + self.relayed_wait);
        } else {
            self.admit_relayed();
        }
        Ok(())
    }

    /// From now on relayed candidates are like others.
    fn admit_relayed(&mut self) {
        for candidate in self.relayed.admit() {
            match self.agent.add_remote_candidate(candidate) {
                Ok(_) => self.gap = QUICK,
                Err(error) => tracing::debug!(%error, "a candidate of the peer is of no use"),
            }
        }
        for rank in 0..self.locals.len() {
            if self.locals[rank].kind == CandidateKind::Relayed
                && let Err(error) = self.tell_agent(rank)
            {
                tracing::debug!(%error, "a relayed candidate is of no use");
            }
        }
    }

    /// Has the agent check pairs of one of ours, if there is a need.
    fn tell_agent(&mut self, rank: usize) -> Result<(), ConnectionError> {
        let candidate = &self.locals[rank];
        if is_checked(candidate, &self.locals[..rank]) {
            let added = agent_candidate(candidate, rank, priority(candidate.kind, rank))?;
            self.agent.add_local_candidate(added).map_err(|error| unusable(&error))?;
            self.gap = QUICK;
        }
        Ok(())
    }

    /// Makes new credentials; the old ones hold until [`Ice::restart`]. Candidates that are added from now on are those of the restart.
    pub(super) fn prepare_restart(&mut self) -> Result<(), ConnectionError> {
        self.agent.generate_restart_credentials(String::new(), String::new()).map_err(set_up)?;
        self.former.append(&mut self.locals);
        Ok(())
    }

    pub(super) fn is_restart_prepared(&self) -> bool {
        self.agent.has_pending_restart()
    }

    /// Forgets the peer's credentials and candidates, all pairs, and our candidates from before the restart was prepared.
    pub(super) fn restart(&mut self, now: Instant) -> Result<(), ConnectionError> {
        self.mapped.clear();
        self.former.clear();
        self.relayed = Relayed::default();
        self.uprooted = false;
        self.agent.apply_restart(now, false).map_err(set_up)?;
        for rank in 0..self.locals.len() {
            if self.locals[rank].kind != CandidateKind::Relayed {
                self.tell_agent(rank)?;
            }
        }
        Ok(())
    }

    /// The address of the selected pair's socket is not the host's any more: nothing comes or goes there. Told as what it is, without the
    /// silence after which the agent would notice. It may come back.
    pub(super) fn uproot(&mut self) {
        if self.route().is_some() && !std::mem::replace(&mut self.uprooted, true) {
            self.states.push_back(IceState::Disconnected);
        }
    }

    pub(super) fn is_controlling(&self) -> bool {
        self.controlling
    }

    /// Adds one of ours and returns the candidate-attribute for the peer.
    pub(super) fn add_local(&mut self, candidate: &LocalCandidate) -> Result<String, ConnectionError> {
        let rank = self.locals.iter().position(|known| known == candidate).unwrap_or(self.locals.len());
        if rank >= MAX_CANDIDATES {
            return Err(ConnectionError::Candidate { reason: format!("there are {MAX_CANDIDATES} of ours already") });
        }
        let priority = priority(candidate.kind, rank);
        let text = attribute(candidate, rank, priority);
        if rank < self.locals.len() {
            return Ok(text);
        }
        self.locals.push(*candidate);
        if candidate.kind == CandidateKind::Relayed && self.relayed.is_kept() {
            return Ok(text);
        }
        let told = self.tell_agent(rank);
        if told.is_err() {
            self.locals.pop();
        }
        told.map(|()| text)
    }

    /// Adds one of the peer's, unless it is a kind of candidate that we do not use.
    pub(super) fn add_remote(&mut self, text: &str) -> Result<(), ConnectionError> {
        let text = text.strip_prefix("a=").unwrap_or(text);
        let text = text.strip_prefix("candidate:").unwrap_or(text);
        let fields: Vec<&str> = text.split_ascii_whitespace().take(8).collect();
        let [_, component, transport, _, address, ..] = fields[..] else {
            return Err(ConnectionError::Candidate { reason: "it has fewer than eight fields".to_owned() });
        };
        // Names of multicast DNS and TCP are of no use to us, and there is one component.
        if address.ends_with(".local") || !transport.eq_ignore_ascii_case("udp") || component != "1" {
            return Ok(());
        }
        let candidate = candidate::unmarshal_candidate(text).map_err(|error| unusable(&error))?;
        let address = candidate.addr();
        if address.port() == 0 || address.ip().is_unspecified() || address.ip().is_multicast() {
            return Err(ConnectionError::Candidate { reason: format!("{address} is nobody's address") });
        }
        let knows = |known: &candidate::Candidate| known.addr() == address;
        if self.agent.get_remote_candidates().len() >= MAX_CANDIDATES
            || self.agent.get_remote_candidates().iter().any(knows)
        {
            return Ok(());
        }
        if candidate.candidate_type() == CandidateType::Relay && self.relayed.is_kept() {
            self.relayed.keep(candidate);
            return Ok(());
        }
        self.gap = QUICK;
        self.agent.add_remote_candidate(candidate).map(|_| ()).map_err(|error| unusable(&error))
    }

    /// Takes a STUN message.
    pub(super) fn handle_datagram(&mut self, now: Instant, local: SocketAddr, remote: SocketAddr, payload: &[u8]) {
        if !self.knows(remote) && self.agent.get_remote_candidates().len() >= MAX_CANDIDATES {
            return;
        }
        // Otherwise the agent would take it for a peer-reflexive candidate.
        if self.relayed.keeps(remote) {
            return;
        }
        let transport = TransportContext {
            local_addr: local,
            peer_addr: remote,
            transport_protocol: TransportProtocol::UDP,
            ecn: None,
        };
        if let Err(error) = self.agent.handle_read(TaggedBytesMut { now, transport, message: BytesMut::from(payload) })
        {
            tracing::debug!(%error, "a STUN message was not accepted");
            return;
        }
        if let Some(mapped) = mapped_address(payload) {
            if self.mapped.len() < MAX_CANDIDATES * MAX_CANDIDATES {
                self.mapped.insert((local, remote), mapped);
            }
            if self.route().is_none() {
                self.gap = QUICK;
            }
            if self.route() == Some((local, remote)) && std::mem::take(&mut self.uprooted) {
                self.states.push_back(IceState::Connected);
            }
        }
    }

    /// Whether data may come from there: from who has passed a check or was announced.
    pub(super) fn accepts(&mut self, now: Instant, local: SocketAddr, remote: SocketAddr) -> bool {
        let transport = TransportContext {
            local_addr: local,
            peer_addr: remote,
            transport_protocol: TransportProtocol::UDP,
            ecn: None,
        };
        self.agent.is_valid_non_stun_traffic(now, transport)
    }

    fn knows(&self, remote: SocketAddr) -> bool {
        self.agent.get_remote_candidates().iter().any(|candidate| candidate.addr() == remote)
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        loop {
            let TaggedBytesMut { transport, message, .. } = self.agent.poll_write()?;
            // The stack's lite end returns each check, which it needs to until a pair is selected, and no longer (RFC 8445 section 2.5).
            let is_check = message.starts_with(&BINDING_REQUEST);
            if !(self.lite && is_check && self.route().is_some()) {
                return Some(Transmit {
                    local: transport.local_addr,
                    remote: transport.peer_addr,
                    payload: message.freeze(),
                });
            }
        }
    }

    pub(super) fn poll_timeout(&mut self) -> Option<Instant> {
        let check = self.agent.poll_timeout().map(|due| due.max(self.last_check + self.gap));
        let has_relayed = self.locals.iter().any(|known| known.kind == CandidateKind::Relayed);
        [check, self.relayed.poll_timeout(has_relayed)].into_iter().flatten().min()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.relayed.is_due(now) {
            self.admit_relayed();
        }
        if self.poll_timeout().is_none_or(|due| due > now) {
            return;
        }
        if let Err(error) = self.agent.handle_timeout(now) {
            tracing::debug!(%error, "a connectivity check failed");
        }
        self.last_check = now;
        self.gap = if self.route().is_some() { self.keepalive / 2 } else { (self.gap * 3 / 2).min(SLOW) };
    }

    pub(super) fn poll_event(&mut self) -> Option<IceEvent> {
        if let Some(state) = self.states.pop_front() {
            return Some(IceEvent::State(state));
        }
        loop {
            match self.agent.poll_event()?.event {
                rtc::ice::Event::ConnectionStateChange(state) => {
                    if let Some(state) = state_of(state) {
                        return Some(IceEvent::State(state));
                    }
                }
                rtc::ice::Event::SelectedCandidatePairChange(..) => {
                    self.gap = self.keepalive / 2;
                    if let Some(pair) = self.selected() {
                        return Some(IceEvent::Selected(pair));
                    }
                }
                rtc::ice::Event::RoleChange(controlling) => self.controlling = controlling,
                _ => {}
            }
        }
    }

    /// From which socket to whom data goes.
    pub(super) fn route(&self) -> Option<(SocketAddr, SocketAddr)> {
        let (local, remote) = self.agent.get_selected_candidate_pair()?;
        Some((local.base_addr(), remote.addr()))
    }

    /// The socket that data goes through, also when a TURN server relays it.
    pub(super) fn socket(&self) -> Option<SocketAddr> {
        let (local, _) = self.route()?;
        let mut known = self.locals.iter().chain(&self.former);
        let relayed = known.find(|known| known.kind == CandidateKind::Relayed && known.address == local);
        Some(relayed.map_or(local, |relayed| relayed.base))
    }

    pub(super) fn selected(&self) -> Option<CandidatePair> {
        let (local, remote) = self.agent.get_selected_candidate_pair()?;
        let base = local.base_addr();
        let relayed = local.candidate_type() == CandidateType::Relay;
        // The agent names our candidate by its socket; what the peer saw is the truth (RFC 8445 section 7.2.5.3.1).
        let address = if relayed { base } else { *self.mapped.get(&(base, remote.addr())).unwrap_or(&base) };
        let kind = if relayed { CandidateKind::Relayed } else { self.kind_of(base, address) };
        let remote = Candidate { kind: kind_of(remote.candidate_type()), address: remote.addr() };
        Some(CandidatePair { local: Candidate { kind, address }, remote })
    }

    fn kind_of(&self, base: SocketAddr, address: SocketAddr) -> CandidateKind {
        if address == base {
            return CandidateKind::Host;
        }
        let mut known = self.locals.iter().chain(&self.former);
        let announced = known.any(|known| known.address == address && known.kind == CandidateKind::ServerReflexive);
        if announced { CandidateKind::ServerReflexive } else { CandidateKind::PeerReflexive }
    }
}

/// Whether the agent is to check pairs of a candidate. A reflexive one shares its socket with a host candidate: the agent would check
/// each pair twice and use the first.
fn is_checked(candidate: &LocalCandidate, earlier: &[LocalCandidate]) -> bool {
    let base_is_known =
        earlier.iter().any(|known| known.base == candidate.base && known.kind != CandidateKind::Relayed);
    !base_is_known || matches!(candidate.kind, CandidateKind::Host | CandidateKind::Relayed)
}

/// RFC 8445 section 5.1.2.1; earlier ones are preferred.
fn priority(kind: CandidateKind, rank: usize) -> u32 {
    let local_preference = u32::from(u16::MAX) - u32::try_from(rank).expect("ranks are bounded by 64");
    u32::from(type_of(kind).preference()) << 24 | local_preference << 8 | 255
}

/// The address that an answer to a check names, so ours as the peer sees it.
fn mapped_address(payload: &[u8]) -> Option<SocketAddr> {
    let mut message = Message { raw: payload.to_vec(), ..Message::default() };
    message.decode().ok()?;
    if message.typ != BINDING_SUCCESS {
        return None;
    }
    let mut mapped = XorMappedAddress::default();
    mapped.get_from(&message).ok()?;
    Some(SocketAddr::new(mapped.ip, mapped.port))
}

/// RFC 8839 section 5.1. The base of a reflexive candidate is nobody's business.
fn attribute(candidate: &LocalCandidate, rank: usize, priority: u32) -> String {
    let LocalCandidate { kind, address, .. } = candidate;
    let (ip, port, name) = (address.ip(), address.port(), type_of(*kind));
    let related = match (kind, address) {
        (CandidateKind::Host, _) => "",
        (_, SocketAddr::V4(_)) => " raddr 0.0.0.0 rport 0",
        (_, SocketAddr::V6(_)) => " raddr :: rport 0",
    };
    format!("candidate:{} 1 udp {priority} {ip} {port} typ {name}{related}", rank + 1)
}

fn agent_candidate(
    candidate: &LocalCandidate,
    rank: usize,
    priority: u32,
) -> Result<candidate::Candidate, ConnectionError> {
    let LocalCandidate { kind, address, base, .. } = candidate;
    let base_config = CandidateConfig {
        candidate_id: format!("candidate:{rank}"),
        network: "udp".to_owned(),
        address: address.ip().to_string(),
        port: address.port(),
        component: 1,
        priority,
        foundation: (rank + 1).to_string(),
    };
    let (rel_addr, rel_port) = (base.ip().to_string(), base.port());
    let made = match kind {
        CandidateKind::Host => {
            CandidateHostConfig { base_config, ..CandidateHostConfig::default() }.new_candidate_host()
        }
        CandidateKind::ServerReflexive | CandidateKind::PeerReflexive => {
            CandidateServerReflexiveConfig { base_config, rel_addr, rel_port, url: None }
                .new_candidate_server_reflexive()
        }
        CandidateKind::Relayed => {
            CandidateRelayConfig { base_config, rel_addr, rel_port, url: None }.new_candidate_relay()
        }
    };
    made.map_err(|error| unusable(&error))
}

fn type_of(kind: CandidateKind) -> CandidateType {
    match kind {
        CandidateKind::Host => CandidateType::Host,
        CandidateKind::ServerReflexive => CandidateType::ServerReflexive,
        CandidateKind::PeerReflexive => CandidateType::PeerReflexive,
        CandidateKind::Relayed => CandidateType::Relay,
    }
}

fn kind_of(kind: CandidateType) -> CandidateKind {
    match kind {
        CandidateType::Host => CandidateKind::Host,
        CandidateType::ServerReflexive => CandidateKind::ServerReflexive,
        CandidateType::Relay => CandidateKind::Relayed,
        _ => CandidateKind::PeerReflexive,
    }
}

fn state_of(state: ConnectionState) -> Option<IceState> {
    Some(match state {
        ConnectionState::New => IceState::New,
        ConnectionState::Checking => IceState::Checking,
        ConnectionState::Connected => IceState::Connected,
        ConnectionState::Completed => IceState::Completed,
        ConnectionState::Failed => IceState::Failed,
        ConnectionState::Disconnected => IceState::Disconnected,
        ConnectionState::Closed => IceState::Closed,
        _ => return None,
    })
}

fn set_up(error: rtc::shared::error::Error) -> ConnectionError {
    ConnectionError::SetUp { reason: error.to_string() }
}

fn unusable(error: &rtc::shared::error::Error) -> ConnectionError {
    ConnectionError::Candidate { reason: error.to_string() }
}
