//! Asks every server from every address of this host.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use darkswap_node::ice_server::{IceServer, Scheme};
use darkswap_node::{Runtime, UdpSocket};
use darkswap_webrtc::connection::CandidateKind;
use darkswap_webrtc::gather::{self, GatherEvent, GatherSettings, Gathered, Gatherer, MAX_LOCALS};
use tokio::time::timeout_at;

/// How long everything may take. A server is given up after 5 s; an allocation takes two or three requests.
const PATIENCE: Duration = Duration::from_secs(16);

/// Largest datagram.
const DATAGRAM: usize = 1 << 16;

/// What came out of asking one server from one address of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// The server as it is configured.
    pub(super) server: String,
    /// What it does.
    pub(super) scheme: Scheme,
    /// Its address, when its name was resolved.
    pub(super) address: Option<SocketAddr>,
    /// The socket that it was asked from.
    pub(super) local: Option<SocketAddr>,
    /// What it answered, or what is wrong.
    pub(super) answer: Result<Answer, String>,
}

/// What a working server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// The address that it sees.
    pub(super) reflexive: SocketAddr,
    /// The address at which it relays.
    pub(super) relayed: Option<SocketAddr>,
    /// From a request to its answer, unless it is unclear which request was answered.
    pub(super) round_trip: Option<Duration>,
}

/// Asks every server from every address of this host that can reach it.
///
/// # Errors
/// The host's when its addresses cannot be listed.
pub(super) async fn probe(runtime: &dyn Runtime, servers: &[IceServer]) -> io::Result<Vec<Finding>> {
    let addresses: Vec<IpAddr> =
        runtime.local_addresses()?.into_iter().filter(|address| !is_link_local(address)).take(MAX_LOCALS).collect();
    let resolved = futures::future::join_all(servers.iter().map(|server| server.resolve(runtime))).await;
    let (mut findings, mut attempts) = (Vec::new(), Vec::new());
    for (server, resolved) in servers.iter().zip(resolved) {
        let finding = |address, local, problem: String| {
            let uri = server.uri();
            Finding { server: uri.to_string(), scheme: uri.scheme, address, local, answer: Err(problem) }
        };
        let targets = match resolved {
            Ok(targets) => targets,
            Err(error) => {
                findings.push(finding(None, None, error.to_string()));
                continue;
            }
        };
        let first = findings.len();
        for target in &targets {
            for address in addresses.iter().filter(|address| can_reach(**address, target.address().ip())) {
                attempts.push((findings.len(), *address, target.clone()));
                findings.push(finding(Some(target.address()), None, String::new()));
            }
        }
        if findings.len() == first {
            let address = targets.first().map(gather::IceServer::address);
            let problem = "this host has no address of the same family".to_owned();
            findings.push(finding(address, None, problem));
        }
    }
    let (sockets, probes) = open(runtime, attempts, &mut findings);
    ask(&sockets, probes, &mut findings).await;
    Ok(findings)
}

/// A server on this host is asked over loopback, one elsewhere from an address that means something there.
fn can_reach(local: IpAddr, server: IpAddr) -> bool {
    local.is_ipv4() == server.is_ipv4() && local.is_loopback() == server.is_loopback()
}

fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

type Socket = (SocketAddr, Arc<dyn UdpSocket>);

/// One socket for each address where possible, so that what different servers see of it can be compared.
fn open(
    runtime: &dyn Runtime,
    attempts: Vec<(usize, IpAddr, gather::IceServer)>,
    findings: &mut [Finding],
) -> (Vec<Socket>, Vec<Probe>) {
    let (mut sockets, mut probes): (Vec<Socket>, Vec<Probe>) = (Vec::new(), Vec::new());
    for (finding, address, server) in attempts {
        // An allocation belongs to a socket and a server (RFC 8656 section 2.2): a second user of the same server takes another.
        let is_taken = |socket: usize| {
            let asks = |probe: &Probe| probe.socket == socket && probe.server == server.address() && probe.is_turn;
            matches!(server, gather::IceServer::Turn { .. }) && probes.iter().any(asks)
        };
        let mut of_address = (0..sockets.len()).filter(|socket| sockets[*socket].0.ip() == address);
        let known = of_address.find(|socket| !is_taken(*socket));
        let opened = known.map_or_else(
            || {
                let socket = runtime.bind_udp(SocketAddr::new(address, 0))?;
                sockets.push((socket.local_addr()?, socket));
                Ok(sockets.len() - 1)
            },
            io::Result::Ok,
        );
        let made = opened.map_err(|error| format!("cannot open a socket at {address}: {error}")).and_then(|socket| {
            findings[finding].local = Some(sockets[socket].0);
            Probe::new(finding, socket, sockets[socket].0, server)
        });
        match made {
            Ok(probe) => probes.push(probe),
            Err(problem) => findings[finding].answer = Err(problem),
        }
    }
    (sockets, probes)
}

/// Carries datagrams between sockets and probes until all have ended.
async fn ask(sockets: &[Socket], mut probes: Vec<Probe>, findings: &mut [Finding]) {
    let end = tokio::time::Instant::now() + PATIENCE;
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let now = tokio::time::Instant::now();
        for probe in &mut probes {
            probe.advance(now.into_std(), sockets);
        }
        if now >= end || probes.iter().all(|probe| probe.ended) {
            break;
        }
        let due =
            probes.iter_mut().filter(|probe| !probe.ended).filter_map(|probe| probe.gatherer.poll_timeout()).min();
        let due = due.map_or(end, |due| end.min(due.into()));
        match timeout_at(due, poll_fn(|cx| receive(sockets, cx, &mut buffer))).await {
            // Time to send again, or to give up.
            Err(_) => {}
            Ok((socket, Ok((length, remote)))) => dispatch(&mut probes, socket, remote, &buffer[..length]),
            Ok((socket, Err(error))) => {
                let failed = probes.iter_mut().filter(|probe| probe.socket == socket && !probe.ended);
                failed.for_each(|probe| probe.fail(format!("cannot receive: {error}")));
            }
        }
    }
    let now = tokio::time::Instant::now().into_std();
    for mut probe in probes {
        // Says to a TURN server that the allocation is not needed any more; one that misses it lets it expire.
        probe.gatherer.close(now);
        probe.flush(now, sockets);
        let finding = probe.finding;
        findings[finding].answer = probe.answer();
    }
}

/// The next datagram of any socket.
fn receive(
    sockets: &[Socket],
    cx: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<(usize, io::Result<(usize, SocketAddr)>)> {
    for (index, (_, socket)) in sockets.iter().enumerate() {
        if let Poll::Ready(received) = socket.poll_recv(cx, buffer) {
            return Poll::Ready((index, received));
        }
    }
    Poll::Pending
}

/// The same server may be configured for STUN and for TURN: a STUN probe knows its own transactions.
fn dispatch(probes: &mut [Probe], socket: usize, remote: SocketAddr, payload: &[u8]) {
    let now = tokio::time::Instant::now().into_std();
    let is_asked = |probe: &Probe| probe.socket == socket && probe.server == remote;
    let (stun, turn): (Vec<&mut Probe>, Vec<&mut Probe>) =
        probes.iter_mut().filter(|probe| is_asked(probe)).partition(|probe| !probe.is_turn);
    let _ = stun.into_iter().chain(turn).any(|probe| probe.handle_datagram(now, payload));
}

/// One server, asked from one socket.
#[derive(Debug)]
struct Probe {
    finding: usize,
    socket: usize,
    local: SocketAddr,
    server: SocketAddr,
    is_turn: bool,
    gatherer: Gatherer,
    /// When the last request was sent, and how many were since the last answer.
    sent: Option<(Instant, u32)>,
    round_trip: Option<Duration>,
    reflexive: Option<SocketAddr>,
    relayed: Option<SocketAddr>,
    problem: Option<String>,
    ended: bool,
}

impl Probe {
    fn new(finding: usize, socket: usize, local: SocketAddr, server: gather::IceServer) -> Result<Self, String> {
        let (address, is_turn) = (server.address(), matches!(server, gather::IceServer::Turn { .. }));
        // A gatherer for each server: one for all would keep to itself which of them an address came from.
        let settings = GatherSettings { locals: vec![local], servers: vec![server], ..GatherSettings::default() };
        let now = tokio::time::Instant::now().into_std();
        Ok(Self {
            finding,
            socket,
            local,
            server: address,
            is_turn,
            gatherer: Gatherer::new(settings, now).map_err(|error| error.to_string())?,
            sent: None,
            round_trip: None,
            reflexive: None,
            relayed: None,
            problem: None,
            ended: false,
        })
    }

    fn advance(&mut self, now: Instant, sockets: &[Socket]) {
        if self.ended {
            return;
        }
        if self.gatherer.poll_timeout().is_some_and(|due| due <= now) {
            self.gatherer.handle_timeout(now);
        }
        self.flush(now, sockets);
        while let Some(event) = self.gatherer.poll_event() {
            match event {
                GatherEvent::Candidate(candidate) => match candidate.kind {
                    CandidateKind::ServerReflexive => self.reflexive = Some(candidate.address),
                    CandidateKind::Relayed => self.relayed = Some(candidate.address),
                    CandidateKind::Host | CandidateKind::PeerReflexive => {}
                },
                GatherEvent::ServerFailed { reason, .. } => self.fail(reason.to_string()),
                GatherEvent::Complete => self.ended = true,
            }
        }
    }

    fn flush(&mut self, now: Instant, sockets: &[Socket]) {
        while let Some(transmit) = self.gatherer.poll_transmit() {
            match sockets[self.socket].1.try_send(&transmit.payload, transmit.remote) {
                Ok(()) => self.sent = Some((now, self.sent.map_or(0, |(_, count)| count) + 1)),
                // Sent again soon.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => self.fail(format!("cannot send: {error}")),
            }
        }
    }

    /// Whether the datagram was for this probe.
    fn handle_datagram(&mut self, now: Instant, payload: &[u8]) -> bool {
        if self.ended || self.gatherer.handle_datagram(now, self.local, self.server, payload) == Gathered::NotMine {
            return false;
        }
        // When a request was sent twice, nobody knows which one was answered (Karn's algorithm).
        if let Some((sent, 1)) = self.sent.take() {
            let elapsed = now.saturating_duration_since(sent);
            self.round_trip = Some(self.round_trip.map_or(elapsed, |shortest| shortest.min(elapsed)));
        }
        true
    }

    fn fail(&mut self, problem: String) {
        self.problem.get_or_insert(problem);
        self.ended = true;
    }

    fn answer(self) -> Result<Answer, String> {
        match self.problem {
            Some(problem) => Err(problem),
            None if !self.ended => Err(format!("no answer within {PATIENCE:?}")),
            None if self.is_turn && self.relayed.is_none() => Err("the server granted no allocation".to_owned()),
            // A server that sees the socket's own address makes no candidate of its own (RFC 8445 section 5.1.3).
            None => Ok(Answer {
                reflexive: self.reflexive.unwrap_or(self.local),
                relayed: self.relayed,
                round_trip: self.round_trip,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use darkswap_node::TokioRuntime;

    use super::*;

    #[tokio::test]
    async fn two_allocations_at_one_server_have_a_socket_each() {
        let server: SocketAddr = "127.0.0.1:9".parse().unwrap();
        let turn = |username: &str| gather::IceServer::Turn {
            address: server,
            username: username.to_owned(),
            credential: "secret".to_owned(),
        };
        let servers = [turn("alice"), gather::IceServer::Stun { address: server }, turn("bob")];
        let finding = Finding {
            server: "turn:127.0.0.1:9".to_owned(),
            scheme: Scheme::Turn,
            address: Some(server),
            local: None,
            answer: Err(String::new()),
        };
        let mut findings = vec![finding; servers.len()];
        let attempts =
            servers.into_iter().enumerate().map(|(index, server)| (index, "127.0.0.1".parse().unwrap(), server));
        let (sockets, probes) = open(&TokioRuntime, attempts.collect(), &mut findings);
        assert_eq!(probes.iter().map(|probe| probe.socket).collect::<Vec<_>>(), [0, 0, 1]);
        assert_eq!(findings[2].local, Some(sockets[1].0));
    }
}
