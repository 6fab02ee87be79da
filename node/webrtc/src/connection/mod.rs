//! One peer connection: ICE (RFC 8445), DTLS (RFC 6347) and SCTP with its data channels (RFC 8261, RFC 8831).
//!
//! | module | what it is |
//! |---|---|
//! | `settings`, `event`, `candidate` | what goes in and comes out |
//! | `ice`, `relayed` | candidates and the selected pair |
//! | `dtls`, `records` | encryption, and which records reach it |
//! | `sctp`, `packet`, `resets`, `recovery`, `clock` | the association, which packets reach it, and what it forgets |
//! | `channels`, `streams` | channels and the streams they use |
//!
//! The three protocols are those of `rtc`, but not its peer connection, which chooses streams, priorities and reliability itself and
//! keeps from its caller what the workarounds below it need.
//!
//! After any call that changes something: drain [`Connection::poll_event`] and [`Connection::poll_transmit`], then ask
//! [`Connection::poll_timeout`]. Time never goes back.

mod candidate;
mod channels;
mod clock;
mod dtls;
mod event;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod ice;
mod negotiation;
mod packet;
mod records;
mod recovery;
mod relayed;
mod resets;
mod sctp;
mod settings;
mod streams;

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;

pub use self::candidate::{Candidate, CandidateKind, CandidatePair, LocalCandidate, Transmit};
use self::channels::Channels;
use self::dtls::{Dtls, DtlsEvent};
pub use self::event::{CloseReason, ConnectionError, Event, IceState};
use self::ice::{Ice, IceEvent};
use self::negotiation::Negotiation;
pub use self::settings::Settings;
use crate::certificate::Fingerprint;
pub use crate::channel::{ChannelEnd, ChannelError, ChannelId, ChannelOptions, MAX_LABEL, Priority, Reliability};
use crate::sdp::{Description, is_password};

/// The stream of the handshake of webrtc-direct (libp2p WebRTC Direct, "Connection Security").
const HANDSHAKE_STREAM: u16 = 0;
/// How many encrypted datagrams wait for a pair to be selected: one flight of the handshake; what is dropped is sent again.
const MAX_UNROUTED: usize = 16;

/// A peer connection.
pub struct Connection {
    settings: Settings,
    now: Instant,
    ice: Ice,
    /// From when the peer's description is known.
    dtls: Option<Dtls>,
    channels: Channels,
    /// Channel 0 of webrtc-direct, without which the connection is of no use.
    handshake: Option<ChannelId>,
    negotiation: Negotiation,
    /// Our role in DTLS.
    client: bool,
    /// The longest message that the peer takes.
    peer_most: usize,
    connected: bool,
    /// When the set-up takes too long.
    set_up: Option<Instant>,
    unrouted: VecDeque<Bytes>,
    outgoing: VecDeque<Transmit>,
    events: VecDeque<Event>,
    closed: bool,
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connected, closed, client, .. } = self;
        let mut debug = formatter.debug_struct("Connection");
        debug.field("connected", connected).field("closed", closed).field("client", client).finish_non_exhaustive()
    }
}

/// Making one.
impl Connection {
    /// The listening end of webrtc-direct: it waits for the checks that carry `ufrag`, and takes any certificate, for the handshake on
    /// channel 0 proves who the client is. [`Event::ChannelOpened`] tells of that channel.
    pub fn direct_server(
        settings: &Settings,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        ufrag: &str,
    ) -> Result<Self, ConnectionError> {
        let mut connection = Self::direct(settings, now, local, ufrag, true)?;
        tracing::debug!(%remote, "a client of webrtc-direct arrives");
        connection.begin_checks(now, false, false, &Description::of_direct_client(ufrag))?;
        Ok(connection)
    }

    /// The dialling end of webrtc-direct.
    pub fn direct_client(
        settings: &Settings,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        ufrag: &str,
        server: &Fingerprint,
    ) -> Result<Self, ConnectionError> {
        let mut connection = Self::direct(settings, now, local, ufrag, false)?;
        connection.begin_checks(now, true, true, &Description::of_direct_server(remote, ufrag, *server))?;
        Ok(connection)
    }

    fn direct(
        settings: &Settings,
        now: Instant,
        local: SocketAddr,
        ufrag: &str,
        lite: bool,
    ) -> Result<Self, ConnectionError> {
        if !is_password(ufrag) {
            return Err(ConnectionError::Ufrag { found: ufrag.len() });
        }
        let ice = Ice::new(settings, now, Some(ufrag), lite)?;
        let mut connection = Self::new(settings, now, ice, Negotiation::none(), false);
        let host = LocalCandidate { kind: CandidateKind::Host, address: local, base: local, server: None };
        connection.add_local_candidate(&host)?;
        let options = ChannelOptions { negotiated: Some(HANDSHAKE_STREAM), ..ChannelOptions::default() };
        let handshake = connection.channels.open(now, options);
        connection.handshake = Some(handshake.expect("the first channel of a connection can be opened"));
        Ok(connection)
    }

    /// A connection by offer and answer. Candidates are added as they are found.
    pub fn signalled(settings: &Settings, now: Instant) -> Result<Self, ConnectionError> {
        let ice = Ice::new(settings, now, None, false)?;
        Ok(Self::new(settings, now, ice, Negotiation::new()?, true))
    }

    fn new(settings: &Settings, now: Instant, ice: Ice, negotiation: Negotiation, hides_init: bool) -> Self {
        Self {
            now,
            ice,
            dtls: None,
            channels: Channels::new(settings, hides_init),
            settings: settings.clone(),
            handshake: None,
            negotiation,
            client: false,
            peer_most: 0,
            connected: false,
            set_up: None,
            unrouted: VecDeque::new(),
            outgoing: VecDeque::new(),
            events: VecDeque::new(),
            closed: false,
        }
    }
}

/// Datagrams, time and events.
impl Connection {
    /// Takes a datagram that arrived at `local`; whatever it is.
    pub fn handle_datagram(&mut self, now: Instant, local: SocketAddr, remote: SocketAddr, payload: &[u8]) {
        if self.closed {
            return;
        }
        self.advance(now);
        // RFC 7983 section 7.
        match payload.first() {
            Some(0..=3) => self.ice.handle_datagram(self.now, local, remote, payload),
            Some(20..=63) if self.ice.accepts(self.now, local, remote) => {
                let events = self.dtls.as_mut().map(|dtls| dtls.handle_datagram(now, payload)).unwrap_or_default();
                for event in events {
                    self.on_dtls(event);
                }
            }
            _ => {}
        }
        self.take_events();
    }

    /// The next datagram to send. Also after the end: the peer hears of it.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        if let Some(transmit) = self.outgoing.pop_front() {
            return Some(transmit);
        }
        if self.closed {
            return None;
        }
        if let Some(transmit) = self.ice.poll_transmit() {
            return Some(transmit);
        }
        self.flush();
        self.take_events();
        self.outgoing.pop_front()
    }

    /// When to call [`Connection::handle_timeout`] at the latest.
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        if self.closed {
            return None;
        }
        let dtls = self.dtls.as_ref().and_then(Dtls::poll_timeout);
        [self.ice.poll_timeout(), dtls, self.channels.poll_timeout(), self.set_up].into_iter().flatten().min()
    }

    /// Acts upon the time.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        self.advance(now);
        self.ice.handle_timeout(self.now);
        if let Some(event) = self.dtls.as_mut().and_then(|dtls| dtls.handle_timeout(now)) {
            self.on_dtls(event);
        }
        if let Some(reason) = self.channels.handle_timeout(self.now) {
            self.end(reason);
        }
        if self.set_up.is_some_and(|at| at <= self.now) {
            self.end(CloseReason::SetUpTimeout);
        }
        self.take_events();
    }

    /// The address of the [selected socket](Self::selected_socket) is not the host's any more. [`IceState::Disconnected`] is told at once,
    /// and [`IceState::Connected`] should the peer answer there again.
    pub fn lose_selected_socket(&mut self, now: Instant) {
        if !self.closed {
            self.advance(now);
            self.ice.uproot();
        }
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.take_events();
        self.events.pop_front()
    }

    /// Ends the connection and tells the peer: drain [`Connection::poll_transmit`] afterwards. What was not sent is lost.
    pub fn close(&mut self, now: Instant) {
        self.advance(now);
        self.end(CloseReason::Local);
    }
}

/// Channels.
impl Connection {
    /// Opens a channel; before [`Event::Connected`] it waits for it. It may be written to at once.
    pub fn open_channel(&mut self, now: Instant, options: ChannelOptions) -> Result<ChannelId, ChannelError> {
        self.check_open()?;
        self.advance(now);
        self.channels.open(now, options)
    }

    /// Writes a message, or refuses it because the channel is full: [`Event::Writable`] follows.
    pub fn write(&mut self, now: Instant, channel: ChannelId, message: Bytes) -> Result<(), ChannelError> {
        self.check_open()?;
        self.advance(now);
        self.channels.write(now, channel, message)
    }

    /// The next message of a channel; after the channel's end as well, until all are read.
    pub fn read(&mut self, channel: ChannelId) -> Option<Bytes> {
        let (message, ended) = self.channels.read(self.now, channel);
        if let Some(reason) = ended {
            self.end(reason);
        }
        message
    }

    /// Closes a channel behind what was written; [`Event::ChannelClosed`] follows when the peer has closed its side, too.
    pub fn close_channel(&mut self, now: Instant, channel: ChannelId) {
        if !self.closed {
            self.advance(now);
            self.channels.close(now, channel);
            self.take_events();
        }
    }

    fn check_open(&self) -> Result<(), ChannelError> {
        if self.closed { Err(ChannelError::ConnectionClosed) } else { Ok(()) }
    }
}

/// Facts.
impl Connection {
    /// The fingerprint of the peer's certificate, from the end of the handshake on.
    pub fn remote_fingerprint(&self) -> Option<Fingerprint> {
        self.dtls.as_ref().and_then(Dtls::peer)
    }

    /// The fingerprint of our certificate.
    pub fn local_fingerprint(&self) -> Fingerprint {
        self.settings.certificate.fingerprint()
    }

    /// The pair of candidates that data takes.
    pub fn selected_pair(&self) -> Option<CandidatePair> {
        self.ice.selected()
    }

    /// The socket that data goes through, also when a TURN server relays it.
    pub fn selected_socket(&self) -> Option<SocketAddr> {
        self.ice.socket()
    }
}

/// What happens within.
impl Connection {
    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// The peer's description is known: pairs can be checked.
    fn begin_checks(
        &mut self,
        now: Instant,
        controlling: bool,
        client: bool,
        peer: &Description,
    ) -> Result<(), ConnectionError> {
        self.advance(now);
        if self.dtls.is_none() {
            self.client = client;
            self.peer_most = peer.max_message;
            self.dtls = Some(Dtls::new(&self.settings.certificate, client, peer.fingerprint)?);
            self.set_up = Some(now + self.settings.set_up_timeout);
        }
        self.ice.start(now, controlling, &peer.ufrag, &peer.password)?;
        for candidate in &peer.candidates {
            if let Err(error) = self.ice.add_remote(candidate) {
                tracing::debug!(%error, "a candidate of the peer's description is of no use");
            }
        }
        Ok(())
    }

    fn take_events(&mut self) {
        while let Some(event) = self.ice.poll_event().filter(|_| !self.closed) {
            match event {
                IceEvent::State(IceState::Failed) => {
                    self.events.push_back(Event::Ice(IceState::Failed));
                    self.end(CloseReason::IceFailed);
                }
                IceEvent::State(state) => {
                    self.events.push_back(Event::Ice(state));
                    if state == IceState::Connected {
                        self.channels.path_works(self.now);
                    }
                }
                IceEvent::Selected(pair) => {
                    self.events.push_back(Event::SelectedPair(pair));
                    self.channels.path_works(self.now);
                    if let Some(event) = self.dtls.as_mut().and_then(|dtls| dtls.connect(self.now)) {
                        self.on_dtls(event);
                    }
                }
            }
        }
        self.take_channel_events();
    }

    fn take_channel_events(&mut self) {
        while let Some(event) = self.channels.poll_event() {
            let mut ended = None;
            match event {
                Event::Connected => {
                    self.connected = true;
                    self.set_up = None;
                }
                Event::ChannelClosed { channel, reason } if Some(channel) == self.handshake => {
                    ended = Some(if reason == ChannelEnd::Local { CloseReason::Local } else { CloseReason::Peer });
                }
                _ => {}
            }
            self.events.push_back(event);
            if let Some(reason) = ended {
                self.end(reason);
            }
        }
    }

    fn on_dtls(&mut self, event: DtlsEvent) {
        if self.closed {
            return;
        }
        match event {
            DtlsEvent::Connected => self.channels.start(self.now, self.client, self.peer_most),
            DtlsEvent::Data(data) => {
                if let Some(reason) = self.channels.handle_packet(self.now, data) {
                    self.end(reason);
                }
            }
            DtlsEvent::Closed(reason) => self.end(reason),
        }
    }

    /// Moves what the association wants to send through DTLS to the selected pair.
    fn flush(&mut self) {
        let Some(dtls) = &mut self.dtls else { return };
        let now = self.now;
        let ended =
            if dtls.peer().is_some() { self.channels.flush(now, |packet| dtls.send(now, packet)) } else { None };
        self.route();
        if let Some(reason) = ended {
            self.end(reason);
        }
    }

    fn route(&mut self) {
        let Some(dtls) = &mut self.dtls else { return };
        let unrouted = std::mem::take(&mut self.unrouted).into_iter();
        let datagrams = unrouted.chain(std::iter::from_fn(|| dtls.poll_transmit()).map(bytes::BytesMut::freeze));
        if let Some((local, remote)) = self.ice.route() {
            self.outgoing.extend(datagrams.map(|payload| Transmit { local, remote, payload }));
        } else {
            self.unrouted = datagrams.take(MAX_UNROUTED).collect();
            while dtls.poll_transmit().is_some() {}
        }
    }

    fn end(&mut self, reason: CloseReason) {
        if self.closed {
            return;
        }
        self.closed = true;
        self.set_up = None;
        self.channels.end_all(self.now);
        self.flush();
        if let Some(dtls) = &mut self.dtls {
            dtls.close(self.now);
        }
        self.route();
        while let Some(transmit) = self.ice.poll_transmit() {
            self.outgoing.push_back(transmit);
        }
        self.take_channel_events();
        self.events.push_back(Event::Ice(IceState::Closed));
        self.events.push_back(Event::Closed(reason));
    }
}
