//! Everything between the sockets of the hosts.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use darkswap_fabric::{self as fabric, Delivery, Fault, FaultId, HostIndex, Protocol};
use turmoil_net::{EnterGuard, Netstat, NetstatState, Packet, Transport};

use super::connections::{Arrival, Connections};
use super::signal::{Departure, Signal};
use super::{SimFabric, SocketPair};
use crate::capture::Capture;
use crate::runtime::SimRuntime;
use crate::trace::{Trace, TraceHash};
use crate::transcript::Transcript;

/// The stacks of all hosts, the fabric between them, and the record of what went through.
pub(crate) struct Network {
    stacks: EnterGuard,
    pub(super) fabric: SimFabric,
    hosts: Vec<Host>,
    signal: Arc<Signal>,
    connections: Connections,
    sent: Vec<Packet>,
    trace: Trace,
    capture: Option<Capture>,
    transcript: Option<Transcript>,
    /// The first time that the capture or the transcript could not be written.
    recording_failure: Option<anyhow::Error>,
    passes: u64,
}

struct Host {
    runtime: Arc<SimRuntime>,
    crash: Option<Crash>,
}

/// A host that is down.
struct Crash {
    fault: FaultId,
    /// The connections that it had, whose remote ends do not know yet.
    cut: Vec<SocketPair>,
}

impl Network {
    pub(super) fn new(
        stacks: EnterGuard,
        fabric: SimFabric,
        hosts: Vec<Arc<SimRuntime>>,
        signal: Arc<Signal>,
        capture: Option<Capture>,
        transcript: Option<Transcript>,
    ) -> Self {
        Self {
            stacks,
            fabric,
            hosts: hosts.into_iter().map(|runtime| Host { runtime, crash: None }).collect(),
            signal,
            connections: Connections::default(),
            sent: Vec::new(),
            trace: Trace::new(),
            capture,
            transcript,
            recording_failure: None,
            passes: 0,
        }
    }

    /// Delivers everything that has arrived by `now`.
    pub(super) fn deliver_due(&mut self, now: Duration) {
        while let Some(delivery) = self.fabric.pop_due(now) {
            self.receive(now, delivery);
        }
    }

    /// Takes everything that the hosts have sent and hands it to the fabric.
    pub(super) fn collect(&mut self, now: Duration) {
        self.passes += 1;
        for departure in self.signal.take_departures() {
            self.depart(now, departure);
        }
        let mut sent = std::mem::take(&mut self.sent);
        self.stacks.egress_all(&mut sent);
        for packet in sent.drain(..) {
            if let Transport::Tcp(segment) = &packet.payload {
                self.connections.sent(&packet, segment);
            }
            self.fabric.send(now, outwards(packet));
        }
        self.sent = sent;
    }

    pub(super) fn next_due(&self) -> Option<Duration> {
        self.fabric.next_due()
    }

    /// The connections of a host that is about to crash.
    pub(super) fn connections_of(&self, host: HostIndex) -> Result<Vec<SocketPair>> {
        let host = self.host(host)?;
        ensure!(host.crash.is_none(), "host `{}` is down already", host.runtime.name());
        Ok(open_connections(&sockets_of(&host.runtime)))
    }

    /// Takes a host down whose tasks have ended, and which had the connections `cut`.
    pub(super) fn crash(&mut self, now: Duration, index: HostIndex, cut: Vec<SocketPair>) -> Result<FaultId> {
        let runtime = Arc::clone(&self.host(index)?.runtime);
        let fault = self.fabric.apply(now, Fault::HostDown { host: index })?;
        self.collect(now);
        for pair in open_connections(&sockets_of(&runtime)) {
            self.stacks.deliver(pair.reversed().reset(0));
        }
        self.collect(now);
        self.connections.forget_host(runtime.addresses());
        self.host_mut(index)?.crash = Some(Crash { fault, cut });
        let left = sockets_of(&runtime);
        if !left.entries.is_empty() {
            bail!("host `{}` crashed, but something outside of its tasks holds sockets of it:\n{left}", runtime.name());
        }
        Ok(fault)
    }

    /// Brings a host up again and tells the remote ends of the connections that it lost.
    pub(super) fn restart(&mut self, now: Duration, index: HostIndex) -> Result<()> {
        let host = self.host_mut(index)?;
        let Some(crash) = host.crash.take() else { bail!("host `{}` is not down", host.runtime.name()) };
        self.fabric.lift(now, crash.fault)?;
        for pair in crash.cut {
            self.fabric.send(now, outwards(pair.reset(0)));
        }
        Ok(())
    }

    pub(super) fn runtime(&self, host: HostIndex) -> Result<Arc<SimRuntime>> {
        Ok(Arc::clone(&self.host(host)?.runtime))
    }

    pub(super) fn trace_hash(&self) -> TraceHash {
        self.trace.hash()
    }

    /// How often all hosts were visited.
    pub(super) fn passes(&self) -> u64 {
        self.passes
    }

    /// Completes the capture and the transcript, if there are any.
    pub(super) fn finish_recordings(&mut self) -> Result<()> {
        if let Some(failure) = self.recording_failure.take() {
            return Err(failure);
        }
        self.capture.as_mut().map_or(Ok(()), Capture::finish)?;
        self.transcript.as_mut().map_or(Ok(()), Transcript::finish)
    }

    fn receive(&mut self, now: Duration, delivery: Delivery<Transport>) {
        let Delivery { host, sender, at, packet } = delivery;
        let packet = inwards(packet);
        self.trace.delivered(at, &packet);
        self.record(at, &packet, sender, host);
        let Transport::Tcp(segment) = &packet.payload else {
            self.stacks.deliver(packet);
            return;
        };
        match self.connections.arriving(&packet, segment) {
            Arrival::Ordinary => self.stacks.deliver(packet),
            Arrival::After(first) => {
                self.stacks.deliver(first);
                self.stacks.deliver(packet);
            }
            Arrival::Reset { here, there } => {
                self.stacks.deliver(here);
                self.send(now, there);
            }
        }
        // The stack may have answered by itself.
        self.signal.host_may_have_sent();
    }

    fn record(&mut self, at: Duration, packet: &Packet, sender: HostIndex, receiver: HostIndex) {
        if self.capture.is_none() && self.transcript.is_none() {
            return;
        }
        let name = |host: HostIndex| self.hosts.get(host.0 as usize).map_or("?", |host| host.runtime.name());
        let (sender, receiver) = (name(sender), name(receiver));
        let captured = self.capture.as_mut().map_or(Ok(()), |it| it.delivered(at, packet, sender, receiver));
        let written = self
            .transcript
            .as_mut()
            .map_or(Ok(()), |it| it.delivered(at, packet, (sender, receiver), self.trace.hash()));
        if let Err(failure) = captured.and(written) {
            self.capture = None;
            self.transcript = None;
            self.recording_failure = Some(failure);
        }
    }

    fn depart(&mut self, now: Duration, departure: Departure) {
        match departure {
            Departure::Quiet(pair) => self.connections.left(pair),
            Departure::Unread(pair) => {
                self.stacks.deliver(pair.reversed().reset(0));
                self.send(now, pair.reset(0));
                self.connections.forget(pair);
            }
        }
    }

    /// Sends a packet on behalf of a host.
    fn send(&mut self, now: Duration, packet: Packet) {
        if packet.src == packet.dst {
            self.stacks.deliver(packet);
        } else {
            self.fabric.send(now, outwards(packet));
        }
    }

    fn host(&self, host: HostIndex) -> Result<&Host> {
        self.hosts.get(host.0 as usize).ok_or_else(|| unknown(host))
    }

    fn host_mut(&mut self, host: HostIndex) -> Result<&mut Host> {
        self.hosts.get_mut(host.0 as usize).ok_or_else(|| unknown(host))
    }
}

fn unknown(host: HostIndex) -> anyhow::Error {
    anyhow::anyhow!("there is no host {}", host.0)
}

fn sockets_of(host: &SimRuntime) -> Netstat {
    match host.addresses().first() {
        Some(address) => turmoil_net::netstat(*address),
        None => Netstat { entries: Vec::new() },
    }
}

/// The connections of which a remote end can know.
fn open_connections(sockets: &Netstat) -> Vec<SocketPair> {
    let tcp = sockets.entries.iter().filter(|socket| socket.state.is_some_and(|state| state != NetstatState::Listen));
    tcp.filter_map(|socket| Some(SocketPair { local: socket.local, remote: socket.peer? }))
        .filter(|pair| !pair.is_loopback())
        .collect()
}

/// From the stack's representation to the fabric's.
fn outwards(packet: Packet) -> fabric::Packet<Transport> {
    let size = packet.size();
    let (protocol, source, destination) = match &packet.payload {
        Transport::Udp(datagram) => (Protocol::Udp, datagram.src_port, datagram.dst_port),
        Transport::Tcp(segment) => {
            let flags = segment.flags;
            let flags = fabric::TcpFlags { syn: flags.syn, fin: flags.fin, rst: flags.rst };
            (Protocol::Tcp(flags), segment.src_port, segment.dst_port)
        }
    };
    fabric::Packet {
        source: SocketAddr::new(packet.src, source),
        destination: SocketAddr::new(packet.dst, destination),
        protocol,
        size,
        body: packet.payload,
    }
}

/// From the fabric's representation to the stack's, with the addresses and ports that NATs left in it.
fn inwards(packet: fabric::Packet<Transport>) -> Packet {
    let fabric::Packet { source, destination, body: mut payload, .. } = packet;
    let (src_port, dst_port) = match &mut payload {
        Transport::Udp(datagram) => (&mut datagram.src_port, &mut datagram.dst_port),
        Transport::Tcp(segment) => (&mut segment.src_port, &mut segment.dst_port),
    };
    *src_port = source.port();
    *dst_port = destination.port();
    let (src, dst): (IpAddr, IpAddr) = (source.ip(), destination.ip());
    Packet { src, dst, ttl: 64, payload }
}
