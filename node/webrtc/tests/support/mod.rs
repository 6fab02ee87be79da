//! Connections without sockets: datagrams move in virtual time, with delay and seeded loss.

#![allow(dead_code, reason = "not every test uses all of it")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use darkswap_webrtc::certificate::Certificate;
use darkswap_webrtc::connection::{
    CandidateKind, ChannelId, ChannelOptions, CloseReason, Connection, Event, LocalCandidate, Settings, Transmit,
};

pub(crate) const UFRAG: &str = "libp2p+webrtc+v1/0123456789abcdef";
/// One way.
pub(crate) const DELAY: Duration = Duration::from_millis(10);
/// The first end: the client of webrtc-direct, or who offers.
pub(crate) const A: usize = 0;
/// The second end: the server of webrtc-direct, or who answers.
pub(crate) const B: usize = 1;

/// A certificate per process: making one takes a while.
pub(crate) fn certificate(end: usize) -> Certificate {
    static CERTIFICATES: OnceLock<[Certificate; 2]> = OnceLock::new();
    CERTIFICATES.get_or_init(|| [Certificate::generate().unwrap(), Certificate::generate().unwrap()])[end].clone()
}

pub(crate) fn settings(end: usize) -> Settings {
    Settings::new(certificate(end))
}

pub(crate) fn address(end: usize) -> SocketAddr {
    [SocketAddr::from(([192, 0, 2, 1], 4001)), SocketAddr::from(([192, 0, 2, 2], 4002))][end]
}

#[expect(clippy::disallowed_methods, reason = "only a start from which virtual time is counted")]
pub(crate) fn start() -> Instant {
    Instant::now()
}

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }
}

pub(crate) struct End {
    pub(crate) connection: Connection,
    pub(crate) address: SocketAddr,
    /// An address of a TURN server, behind which the end is as well.
    pub(crate) relayed: Option<SocketAddr>,
    /// All events since they were last taken.
    pub(crate) events: Vec<Event>,
}

/// Connections and what is on its way between them.
pub(crate) struct Net {
    pub(crate) now: Instant,
    pub(crate) start: Instant,
    pub(crate) ends: Vec<End>,
    pub(crate) delay: Duration,
    /// Of a thousand datagrams.
    pub(crate) loss: usize,
    /// Bytes per second that the way of each end takes, behind an endless queue.
    pub(crate) rate: Option<u64>,
    /// Whether nothing arrives any more.
    pub(crate) cut: bool,
    /// An address from and to which nothing arrives.
    pub(crate) closed: Option<SocketAddr>,
    pub(crate) random: Random,
    /// Datagrams that were sent.
    pub(crate) sent: usize,
    /// Whether each datagram is kept for a look at it.
    pub(crate) log: Option<Vec<(Duration, Transmit)>>,
    wires: BTreeMap<(Instant, usize), Transmit>,
    /// When the way of each sender is free.
    free: BTreeMap<SocketAddr, Instant>,
}

impl Net {
    pub(crate) fn new(now: Instant, connections: Vec<Connection>, seed: u64) -> Self {
        let ends = connections.into_iter().enumerate();
        let ends = ends
            .map(|(end, connection)| End { connection, address: address(end), relayed: None, events: Vec::new() })
            .collect();
        Self {
            now,
            start: now,
            ends,
            delay: DELAY,
            loss: 0,
            rate: None,
            free: BTreeMap::new(),
            cut: false,
            closed: None,
            random: Random(seed),
            sent: 0,
            log: None,
            wires: BTreeMap::new(),
        }
    }

    /// A client and a server of webrtc-direct that have not exchanged anything.
    pub(crate) fn direct_with(client: &Settings, server: &Settings, seed: u64) -> Self {
        let now = start();
        let fingerprint = server.certificate.fingerprint();
        let client = Connection::direct_client(client, now, address(A), address(B), UFRAG, &fingerprint).unwrap();
        let server = Connection::direct_server(server, now, address(B), address(A), UFRAG).unwrap();
        Self::new(now, vec![client, server], seed)
    }

    pub(crate) fn direct(seed: u64) -> Self {
        Self::direct_with(&settings(A), &settings(B), seed)
    }

    /// A client and a server of webrtc-direct that are connected.
    pub(crate) fn connected(seed: u64) -> Self {
        let mut net = Self::direct(seed);
        assert!(net.connect(Duration::from_secs(10)));
        net.clear_events();
        net
    }

    /// Two signalled ends with offer, answer and candidates exchanged.
    pub(crate) fn signalled(seed: u64) -> Self {
        let now = start();
        let ends = [A, B].map(|end| Connection::signalled(&settings(end), now).unwrap());
        let mut net = Self::new(now, ends.into(), seed);
        net.negotiate(A);
        net.exchange_candidates();
        net
    }

    pub(crate) fn negotiate(&mut self, offerer: usize) {
        let now = self.now;
        let offer = self.ends[offerer].connection.create_offer(now).unwrap();
        let answer = self.ends[1 - offerer].connection.accept_offer(now, &offer).unwrap();
        self.ends[offerer].connection.accept_answer(now, &answer).unwrap();
    }

    pub(crate) fn exchange_candidates(&mut self) {
        for end in [A, B] {
            let candidate =
                LocalCandidate { kind: CandidateKind::Host, address: address(end), base: address(end), server: None };
            let text = self.ends[end].connection.add_local_candidate(&candidate).unwrap();
            self.ends[1 - end].connection.add_remote_candidate(&text).unwrap();
            self.ends[1 - end].connection.add_remote_candidate("").unwrap();
        }
    }

    /// Runs until both ends are connected; whether they are in time.
    pub(crate) fn connect(&mut self, limit: Duration) -> bool {
        self.run(limit, |net| [A, B].iter().all(|end| net.ends[*end].events.contains(&Event::Connected)))
    }

    /// Runs until it is so; whether it is in time.
    pub(crate) fn run(&mut self, limit: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let limit = self.now + limit;
        loop {
            self.pump();
            if done(self) {
                return true;
            }
            self.pump();
            if !self.step(limit) {
                return false;
            }
        }
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        let until = self.now + time;
        self.run(time, |_| false);
        self.now = until;
    }

    /// Takes everything that the ends have to say.
    pub(crate) fn pump(&mut self) {
        for end in 0..self.ends.len() {
            let here = &mut self.ends[end];
            here.events.extend(std::iter::from_fn(|| here.connection.poll_event()));
            while let Some(transmit) = self.ends[end].connection.poll_transmit() {
                self.send(transmit);
            }
            let here = &mut self.ends[end];
            here.events.extend(std::iter::from_fn(|| here.connection.poll_event()));
        }
    }

    fn send(&mut self, transmit: Transmit) {
        self.sent += 1;
        assert!(transmit.payload.len() <= 1280, "{} bytes in one datagram", transmit.payload.len());
        if let Some(log) = &mut self.log {
            log.push((self.now - self.start, transmit.clone()));
        }
        let lost = self.random.below(1000) < self.loss;
        let is_closed = [transmit.local, transmit.remote].map(Some).contains(&self.closed);
        if !lost && !self.cut && !is_closed {
            let mut leaves = self.now;
            if let Some(rate) = self.rate {
                let free = self.free.entry(transmit.local).or_insert(self.now);
                leaves = leaves.max(*free) + Duration::from_nanos(transmit.payload.len() as u64 * 1_000_000_000 / rate);
                *free = leaves;
            }
            self.wires.insert((leaves + self.delay, self.sent), transmit);
        }
    }

    /// Goes to the next arrival or deadline; whether there was one before the limit.
    fn step(&mut self, limit: Instant) -> bool {
        let arrival = self.wires.keys().next().map(|(at, _)| *at);
        let deadlines: Vec<_> = self.ends.iter_mut().map(|end| end.connection.poll_timeout()).collect();
        let Some(next) = deadlines.iter().flatten().copied().chain(arrival).min().filter(|next| *next <= limit) else {
            return false;
        };
        self.now = self.now.max(next);
        while let Some(wire) = self.wires.first_entry().filter(|wire| wire.key().0 <= self.now) {
            let Transmit { local, remote, payload } = wire.remove();
            if let Some(end) = self.ends.iter_mut().find(|end| end.address == remote || end.relayed == Some(remote)) {
                end.connection.handle_datagram(self.now, remote, local, &payload);
            }
        }
        for end in &mut self.ends {
            if end.connection.poll_timeout().is_some_and(|at| at <= self.now) {
                end.connection.handle_timeout(self.now);
            }
        }
        true
    }

    pub(crate) fn clear_events(&mut self) {
        for end in &mut self.ends {
            end.events.clear();
        }
    }

    pub(crate) fn open(&mut self, end: usize, options: ChannelOptions) -> ChannelId {
        self.ends[end].connection.open_channel(self.now, options).unwrap()
    }

    /// Opens a channel and waits for it; its name at both ends.
    pub(crate) fn open_through(&mut self, end: usize, options: ChannelOptions) -> (ChannelId, ChannelId) {
        let here = self.open(end, options);
        assert!(self.run(Duration::from_secs(20), |net| net.opened(end, here)), "{here} does not open");
        let there = self.ends[1 - end].events.iter().rev().find_map(|event| match event {
            Event::ChannelOpened { channel, by_peer: true, .. } => Some(*channel),
            _ => None,
        });
        (here, there.expect("the peer has it open when we have"))
    }

    pub(crate) fn opened(&self, end: usize, id: ChannelId) -> bool {
        self.ends[end]
            .events
            .iter()
            .any(|event| matches!(event, Event::ChannelOpened { channel, .. } if *channel == id))
    }

    pub(crate) fn has_closed(&self, end: usize, id: ChannelId) -> bool {
        self.ends[end]
            .events
            .iter()
            .any(|event| matches!(event, Event::ChannelClosed { channel, .. } if *channel == id))
    }

    pub(crate) fn write(&mut self, end: usize, channel: ChannelId, message: impl Into<Bytes>) {
        self.ends[end].connection.write(self.now, channel, message.into()).unwrap();
    }

    pub(crate) fn read(&mut self, end: usize, channel: ChannelId) -> Option<Bytes> {
        self.ends[end].connection.read(channel)
    }

    /// Writes as much as the channel takes.
    pub(crate) fn fill(&mut self, end: usize, channel: ChannelId, message: &Bytes) {
        while self.ends[end].connection.write(self.now, channel, message.clone()).is_ok() {}
    }

    pub(crate) fn close_reason(&self, end: usize) -> Option<&CloseReason> {
        self.ends[end].events.iter().find_map(|event| match event {
            Event::Closed(reason) => Some(reason),
            _ => None,
        })
    }

    /// The channel of the handshake of webrtc-direct.
    pub(crate) fn handshake(&mut self, end: usize) -> ChannelId {
        let found = self.ends[end].events.iter().find_map(|event| match event {
            Event::ChannelOpened { channel, options, .. } if options.negotiated == Some(0) => Some(*channel),
            _ => None,
        });
        found.expect("the channel of the handshake opens with the connection")
    }
}
