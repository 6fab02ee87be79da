//! The state of one connection: its agent, its channels and who waits for what.

mod buffers;
mod channels;
mod ports;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use darkswap_webrtc::agent::{Agent, AgentEvent};
use darkswap_webrtc::connection::{ChannelId, ChannelOptions, Event, Transmit};
use libp2p::PeerId;

use self::ports::{Change, Ports};
use super::end::End;
use super::labelled::Labelled;
use super::port::Port;
use super::registry::DataChannels;
use super::signal::{Signal, Signals};
use super::stream::Stream;
use crate::limits::fixed::webrtc::{CHANNELS, STREAMS, UNACCEPTED_CHANNELS};

/// The stream of the handshake of webrtc-direct, agreed upon beforehand (libp2p WebRTC Direct, "Connection Security").
const HANDSHAKE: u16 = 0;

/// The state of one connection.
pub(super) struct State {
    agent: Agent,
    handshake: Option<ChannelId>,
    channels: BTreeMap<ChannelId, Channel>,
    /// What all channels hold that was not read.
    buffered: usize,
    /// Substreams that the peer opened and libp2p has not accepted.
    inbound: VecDeque<ChannelId>,
    /// Channels with a label that the peer opened and nobody has accepted.
    unaccepted: VecDeque<ChannelId>,
    /// Channels that the peer opened beyond the bounds.
    refused: u64,
    signals: Signals,
    connected: bool,
    established: bool,
    remote: Option<SocketAddr>,
    owner: Option<(PeerId, DataChannels)>,
    ports: Ports,
    end: Option<End>,
    lost_socket: Option<io::Error>,
    over: bool,
    driver: Option<Waker>,
    /// Tasks that wait for anything that concerns the connection as a whole.
    waiting: Vec<Waker>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("remote", &self.remote)
            .field("end", &self.end)
            .field("channels", &self.channels)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
enum Channel {
    Substream(Stream),
    Labelled(Labelled),
}

impl Channel {
    fn is_substream_of_peer(&self) -> bool {
        matches!(self, Self::Substream(stream) if stream.by_peer())
    }

    fn is_labelled_of_peer(&self) -> bool {
        matches!(self, Self::Labelled(channel) if channel.by_peer())
    }
}

/// What the driver does.
impl State {
    pub(super) fn receive(&mut self, local: SocketAddr, remote: SocketAddr, payload: &[u8]) {
        self.agent.handle_datagram(now(), local, remote, payload);
    }

    /// Lets time pass and acts upon every event; whether something happened.
    pub(super) fn advance(&mut self) -> bool {
        let now = now();
        let mut busy = false;
        if self.agent.poll_timeout().is_some_and(|at| at <= now) {
            self.agent.handle_timeout(now);
            busy = true;
        }
        busy |= self.time_out_substreams(now);
        while let Some(event) = self.agent.poll_event() {
            busy = true;
            self.on_event(now, event);
        }
        busy
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.agent.poll_transmit()
    }

    /// When [`advance`](Self::advance) is due.
    pub(super) fn deadline(&mut self) -> Option<Instant> {
        let substreams = self.channels.values().filter_map(|channel| match channel {
            Channel::Substream(stream) => stream.deadline(),
            Channel::Labelled(_) => None,
        });
        let substreams = substreams.min();
        self.agent.poll_timeout().into_iter().chain(substreams).min()
    }

    pub(super) fn lost_socket(&mut self, error: io::Error) {
        self.lost_socket = Some(error);
    }

    /// The last port is gone.
    pub(super) fn finish_without_socket(&mut self) {
        let end = self.lost_socket.take().map_or(End::NoSocket, |error| End::Socket(Arc::new(error)));
        self.finish(end);
    }

    /// The connection ends, for the first reason that comes.
    pub(super) fn finish(&mut self, end: End) {
        if self.end.is_some() {
            return;
        }
        self.end = Some(end);
        self.agent.close(now());
        self.note_use();
        for channel in self.channels.values_mut() {
            match channel {
                Channel::Substream(stream) => stream.wake(),
                Channel::Labelled(channel) => channel.wake(),
            }
        }
        self.wake_waiting();
    }

    pub(super) fn set_over(&mut self) {
        self.over = true;
        self.wake_waiting();
    }

    pub(super) fn set_driver(&mut self, waker: &Waker) {
        if !self.driver.as_ref().is_some_and(|driver| driver.will_wake(waker)) {
            self.driver = Some(waker.clone());
        }
    }

    pub(super) fn take_driver(&mut self) -> Option<Waker> {
        self.driver.take()
    }

    pub(super) fn take_change_of_ports(&mut self) -> Change {
        self.ports.take_change()
    }

    /// Whether the peer has proved who it is since this was last asked.
    pub(super) fn take_established(&mut self) -> bool {
        std::mem::take(&mut self.established)
    }

    fn time_out_substreams(&mut self, now: Instant) -> bool {
        let due = |channel: &Channel| matches!(channel, Channel::Substream(stream) if stream.deadline().is_some_and(|at| at <= now));
        let due: Vec<ChannelId> = self.channels.iter().filter(|(_, channel)| due(channel)).map(|(id, _)| *id).collect();
        for id in &due {
            if let Some(Channel::Substream(stream)) = self.channels.get_mut(id) {
                stream.handle_timeout(now);
            }
            self.pump(now, *id);
        }
        !due.is_empty()
    }

    fn on_event(&mut self, now: Instant, event: AgentEvent) {
        match event {
            AgentEvent::Connection(Event::Connected) => {
                self.connected = true;
                self.wake_waiting();
            }
            AgentEvent::Connection(Event::ChannelOpened { channel, options, by_peer }) => {
                if options.negotiated == Some(HANDSHAKE) {
                    self.on_handshake_channel(now, channel);
                } else if by_peer {
                    self.on_channel(now, channel, options);
                }
            }
            AgentEvent::Connection(Event::Readable(id)) => self.on_readable(now, id),
            AgentEvent::Connection(Event::Writable(id)) => self.on_writable(now, id),
            AgentEvent::Connection(Event::ChannelClosed { channel, .. }) => self.on_channel_closed(now, channel),
            AgentEvent::Connection(Event::SelectedPair(pair)) => {
                self.remote = Some(pair.remote.address);
                if let Some(socket) = self.agent.connection().selected_socket() {
                    self.ports.select(socket);
                }
                self.signals.push(Signal::SelectedPair(pair));
                self.wake_waiting();
            }
            AgentEvent::Connection(Event::Ice(state)) => {
                self.signals.push(Signal::Ice(state));
                self.wake_waiting();
            }
            AgentEvent::Connection(Event::Closed(reason)) => self.finish(End::Connection(reason)),
            AgentEvent::Candidate(candidate) => {
                self.signals.push(Signal::Candidate(candidate));
                self.wake_waiting();
            }
            AgentEvent::GatheringComplete => {
                self.signals.push(Signal::GatheringComplete);
                self.wake_waiting();
            }
            AgentEvent::ServerFailed { server, reason } => {
                tracing::debug!(?server, %reason, "an ICE server failed");
            }
        }
    }

    fn on_handshake_channel(&mut self, now: Instant, id: ChannelId) {
        self.handshake = Some(id);
        self.channels.insert(id, Channel::Substream(Stream::new(false)));
        self.on_readable(now, id);
        self.wake_waiting();
    }

    /// The peer opened a channel.
    fn on_channel(&mut self, now: Instant, id: ChannelId, options: ChannelOptions) {
        let count = |of: fn(&Channel) -> bool| self.channels.values().filter(|channel| of(channel)).count();
        if options.label.is_empty() {
            if count(Channel::is_substream_of_peer) >= STREAMS {
                return self.refuse(now, id);
            }
            self.channels.insert(id, Channel::Substream(Stream::new(true)));
            self.inbound.push_back(id);
            self.wake_waiting();
            self.on_readable(now, id);
            return;
        }
        if self.unaccepted.len() >= UNACCEPTED_CHANNELS || count(Channel::is_labelled_of_peer) >= CHANNELS {
            return self.refuse(now, id);
        }
        self.channels.insert(id, Channel::Labelled(Labelled::new(true, options)));
        self.unaccepted.push_back(id);
        if let Some((peer, registry)) = &self.owner {
            registry.announce(*peer);
        }
    }

    fn refuse(&mut self, now: Instant, id: ChannelId) {
        self.refused += 1;
        self.agent.connection_mut().close_channel(now, id);
    }

    fn on_readable(&mut self, now: Instant, id: ChannelId) {
        self.with_channel(id, |channel, connection, room| match channel {
            Channel::Substream(stream) => stream.receive(now, id, connection, room),
            Channel::Labelled(channel) => channel.wake_reader(),
        });
        self.pump(now, id);
    }

    fn on_writable(&mut self, now: Instant, id: ChannelId) {
        match self.channels.get_mut(&id) {
            Some(Channel::Substream(_)) => self.pump(now, id),
            Some(Channel::Labelled(channel)) => channel.wake_writer(),
            None => {}
        }
    }

    fn on_channel_closed(&mut self, now: Instant, id: ChannelId) {
        let is_dropped = self.with_channel(id, |channel, connection, room| match channel {
            Channel::Substream(stream) => {
                stream.receive(now, id, connection, room);
                stream.channel_closed();
                false
            }
            Channel::Labelled(channel) => {
                channel.closed(id, connection, room);
                channel.is_dropped()
            }
        });
        if is_dropped == Some(true) {
            self.remove_channel(id);
        }
        self.note_use();
        self.tidy(now, id);
        // There may be room for another one.
        self.wake_waiting();
    }

    /// Sends what a substream has to say, and lets its channel go when both sides are done.
    fn pump(&mut self, now: Instant, id: ChannelId) {
        if let Some(Channel::Substream(stream)) = self.channels.get_mut(&id) {
            stream.send(now, id, self.agent.connection_mut());
            self.tidy(now, id);
        }
    }

    fn tidy(&mut self, now: Instant, id: ChannelId) {
        let Some(Channel::Substream(stream)) = self.channels.get_mut(&id) else { return };
        if stream.take_close() {
            self.agent.connection_mut().close_channel(now, id);
        }
        if stream.is_dropped() && stream.is_over() {
            self.remove_channel(id);
        }
    }

    fn wake_waiting(&mut self) {
        self.waiting.drain(..).for_each(Waker::wake);
    }
}

/// What the connection's owner does.
impl State {
    pub(super) fn new(agent: Agent, ports: &[Port]) -> Self {
        Self {
            agent,
            handshake: None,
            channels: BTreeMap::new(),
            buffered: 0,
            inbound: VecDeque::new(),
            unaccepted: VecDeque::new(),
            refused: 0,
            signals: Signals::default(),
            connected: false,
            established: false,
            remote: None,
            owner: None,
            ports: Ports::new(ports),
            end: None,
            lost_socket: None,
            over: false,
            driver: None,
            waiting: Vec::new(),
        }
    }

    pub(super) fn agent(&self) -> &Agent {
        &self.agent
    }

    pub(super) fn agent_mut(&mut self) -> &mut Agent {
        &mut self.agent
    }

    pub(super) fn replace_ports(&mut self, ports: Vec<Port>) {
        self.ports.replace(ports);
    }

    pub(super) fn set_established(&mut self) {
        self.established = true;
    }

    pub(super) fn set_owner(&mut self, peer: PeerId, registry: DataChannels) {
        self.owner = Some((peer, registry));
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// Why the connection ended, when it has.
    pub(super) fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// Where the peer is, since a pair was selected.
    pub(super) fn remote(&self) -> Option<SocketAddr> {
        self.remote
    }

    /// Channels that the peer opened beyond the bounds.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    pub(super) fn take_signal(&mut self) -> Option<Signal> {
        self.signals.pop()
    }

    /// Has the task woken by whatever next concerns the connection as a whole.
    pub(super) fn wait(&mut self, cx: &Context<'_>) {
        if !self.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.waiting.push(cx.waker().clone());
        }
    }

    /// The end of the connection, or a wait for whatever comes.
    pub(super) fn wait_for_news<T>(&mut self, cx: &Context<'_>) -> Poll<Result<T, End>> {
        if let Some(end) = &self.end {
            return Poll::Ready(Err(end.clone()));
        }
        self.wait(cx);
        Poll::Pending
    }

    /// The channel of the handshake, once it is open. There is one handshake, so it is given away.
    pub(super) fn take_handshake_channel(&mut self) -> Option<ChannelId> {
        self.handshake.take()
    }

    pub(super) fn accept_substream(&mut self) -> Option<ChannelId> {
        self.inbound.pop_front()
    }

    /// A new substream; `None` when the connection has ended or has too many channels for now.
    pub(super) fn open_substream(&mut self) -> Option<ChannelId> {
        if self.end.is_some() {
            return None;
        }
        match self.agent.connection_mut().open_channel(now(), ChannelOptions::default()) {
            Ok(id) => {
                self.channels.insert(id, Channel::Substream(Stream::new(false)));
                Some(id)
            }
            Err(error) => {
                tracing::debug!(%error, "a substream has to wait");
                None
            }
        }
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
