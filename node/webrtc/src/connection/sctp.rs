//! SCTP of one connection (RFC 8261, RFC 9260), over the stack's sans-I/O endpoint.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use rtc::sctp::{
    Association, AssociationError, AssociationHandle, ClientConfig, DatagramEvent, Endpoint, EndpointConfig, Event,
    Payload, PayloadProtocolIdentifier, ReliabilityType, ServerConfig, StreamEvent, TimerConfig, TransportConfig,
};
use rtc::shared::TransportProtocol;

use super::clock::Clock;
use super::dtls::PEER;
use super::packet::{Arrival, Inspector, SINK, Sent, Standing};
use super::recovery::Recovery;
use super::resets::Resets;
use crate::channel::Reliability;
use crate::channel::dcep::milliseconds;

const SELF: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 2);
/// The window offered to the peer: enough for 50 MB/s at 20 ms.
const WINDOW: u32 = 1024 * 1024;
/// How many chunks may lie unread: a window counts bytes, and a chunk takes some 300 besides its own. 64,000 are 20 MB.
const MAX_CHUNKS: usize = 64 * 1024;
/// How many timers of an association that is up may run: T3-rtx and those of acknowledgements and resets.
const TIMERS: usize = 3;
/// How many handshakes of one peer are kept: it begins anew when our answer is lost.
const MAX_HANDSHAKES: usize = 8;

/// The association with the peer.
pub(super) struct Sctp {
    clock: Clock,
    endpoint: Endpoint,
    config: TransportConfig,
    /// While nobody has answered there may be several; one of them lives.
    associations: Vec<(AssociationHandle, Association)>,
    connected: bool,
    lost: bool,
    inspector: Inspector,
    sent: Sent,
    resets: Resets,
    recovery: Recovery,
    /// Bytes handed over that have not left yet.
    unsent: usize,
    /// Streams that we have closed and the peer has not.
    closing: BTreeSet<u16>,
    /// Streams that both ends have closed.
    gone: BTreeSet<u16>,
    /// Chunks that arrived and were not read, by stream.
    chunks: BTreeMap<u16, usize>,
    unread: usize,
    events: VecDeque<SctpEvent>,
}

/// What the association reports.
#[derive(Debug)]
pub(super) enum SctpEvent {
    Connected,
    /// The peer has begun to use a stream.
    Opened(u16),
    /// Messages may be readable on a stream.
    Readable(u16),
    /// Bytes of a stream were acknowledged or given up.
    Released(u16, usize),
    /// A stream is closed by both ends.
    Closed(u16),
    /// Of all streams this one has the most chunks unread, and together they are too many.
    Crowded(u16),
    /// The association is over; whether the peer wanted so.
    Lost {
        by_peer: bool,
        reason: String,
    },
}

/// A message and whether it belongs to DCEP.
pub(super) struct Received {
    pub(super) payload: Bytes,
    pub(super) dcep: bool,
}

/// Why nothing could be read.
pub(super) enum Unreadable {
    /// There is nothing.
    Empty,
    /// The message is longer than agreed.
    TooLong,
}

impl Sctp {
    /// `most` is how long messages may be that are sent.
    pub(super) fn new(most: usize) -> Self {
        let timers = TimerConfig {
            // Whether the peer is alive is for ICE to say. At the end of its patience the stack would stop sending without a word.
            max_t3_rtx_retrans: usize::MAX,
            max_reconfig_retrans: usize::MAX,
            ..TimerConfig::default()
        };
        let config = TransportConfig::default()
            .with_max_receive_buffer_size(WINDOW)
            .with_max_message_size(u32::try_from(most).unwrap_or(u32::MAX))
            .with_timer_config(timers);
        let server = Arc::new(ServerConfig::new(config.clone()));
        Self {
            clock: Clock::default(),
            endpoint: Endpoint::new(SELF, TransportProtocol::UDP, Arc::new(EndpointConfig::default()), Some(server)),
            config,
            associations: Vec::new(),
            connected: false,
            lost: false,
            inspector: Inspector::default(),
            sent: Sent::default(),
            resets: Resets::default(),
            recovery: Recovery::default(),
            unsent: 0,
            closing: BTreeSet::new(),
            gone: BTreeSet::new(),
            chunks: BTreeMap::new(),
            unread: 0,
            events: VecDeque::new(),
        }
    }

    /// Begins the association; the DTLS client does.
    pub(super) fn connect(&mut self, now: Instant) {
        let now = self.clock.fast(now);
        self.endpoint.set_server_config(None);
        match self.endpoint.connect(now, ClientConfig::new(self.config.clone()), PEER) {
            Ok(association) => self.associations.push(association),
            Err(error) => self.lose(false, error.to_string()),
        }
    }

    pub(super) fn handle_packet(&mut self, now: Instant, packet: Bytes) {
        let now = self.clock.fast(now);
        let Self { inspector, closing, gone, chunks, unread, .. } = self;
        let mut count = |stream: u16, arrival| {
            match arrival {
                Arrival::Asks => {}
                Arrival::Reopens => _ = gone.remove(&stream),
                Arrival::Brings => {
                    *chunks.entry(stream).or_default() += 1;
                    *unread += 1;
                }
            }
            match stream {
                stream if closing.contains(&stream) => Standing::Closing,
                stream if gone.contains(&stream) => Standing::Gone,
                _ => Standing::Live,
            }
        };
        for packet in inspector.inspect(packet, &mut count) {
            match self.endpoint.handle(now, PEER, None, packet) {
                Some((handle, DatagramEvent::NewAssociation(association)))
                    if self.associations.len() < MAX_HANDSHAKES =>
                {
                    self.associations.push((handle, association));
                }
                Some((handle, DatagramEvent::AssociationEvent(event))) => {
                    if let Some((_, association)) = self.associations.iter_mut().find(|(known, _)| *known == handle) {
                        association.handle_event(event);
                    }
                }
                _ => {}
            }
        }
        for request in self.inspector.take_answered() {
            self.resets.on_answered(request);
        }
        if let Some((_, association)) = self.associations.first() {
            self.recovery.note(&mut association.stats());
        }
        self.check_crowd();
        self.take_events();
    }

    fn check_crowd(&mut self) {
        if self.unread <= MAX_CHUNKS {
            return;
        }
        // What comes for a closed one is not kept, and what was kept is gone as soon as the peer closes it, too.
        let open = self.chunks.iter().filter(|(stream, _)| !self.closing.contains(stream));
        if let Some((stream, _)) = open.max_by_key(|(_, chunks)| **chunks) {
            self.events.push_back(SctpEvent::Crowded(*stream));
        }
    }

    #[cfg(test)]
    pub(super) fn unread(&self) -> usize {
        self.unread
    }

    fn forget_chunks(&mut self, stream: u16, most: usize) {
        if let Some(chunks) = self.chunks.get_mut(&stream) {
            let read = most.min(*chunks);
            *chunks -= read;
            self.unread -= read;
            if *chunks == 0 {
                self.chunks.remove(&stream);
            }
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        let fast = self.clock.fast(now);
        for (_, association) in &mut self.associations {
            association.handle_timeout(fast);
        }
        if self.recovery.is_due(now) {
            self.send_again(now);
        }
        self.take_events();
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let associations = self.associations.iter().filter_map(|(_, association)| association.poll_timeout());
        let association = associations.min().map(|at| self.clock.real(at));
        [association, self.resets.poll_timeout(), self.recovery.poll_timeout()].into_iter().flatten().min()
    }

    /// There is a way to the peer again, or another one: what waits for a timer that has backed off leaves now.
    pub(super) fn path_works(&mut self, now: Instant) {
        if self.connected && !self.lost && self.recovery.begin(now) {
            self.send_again(now);
            self.take_events();
        }
    }

    /// Has T3-rtx fire (RFC 9260 section 6.3.3), unless it has not done so in vain.
    fn send_again(&mut self, now: Instant) {
        let Some((_, association)) = self.associations.first_mut() else { return };
        if !self.recovery.is_stalled(&mut association.stats()) {
            return self.recovery.end();
        }
        let before = association.stats().get_num_t3timeouts();
        for _ in 0..TIMERS {
            let Some(due) = association.poll_timeout() else { break };
            association.handle_timeout(self.clock.skip_to(now, due));
            if association.stats().get_num_t3timeouts() > before {
                break;
            }
        }
    }

    pub(super) fn poll_event(&mut self) -> Option<SctpEvent> {
        self.events.pop_front()
    }

    /// Hands all packets that may leave to `out`; whether there was one.
    pub(super) fn transmit(&mut self, now: Instant, mut out: impl FnMut(&[u8])) -> bool {
        let fast = self.clock.fast(now);
        let mut any = self.resets.transmit(now, &mut out);
        for (_, association) in &mut self.associations {
            while let Some(transmit) = association.poll_transmit(fast) {
                let Payload::RawEncode(packets) = transmit.message else { continue };
                for packet in packets {
                    self.unsent = self.unsent.saturating_sub(self.sent.count(&packet));
                    self.resets.on_sent(now, &packet);
                    out(&packet);
                    any = true;
                }
            }
        }
        any
    }

    /// How many bytes wait within the association for its windows.
    pub(super) fn unsent(&self) -> usize {
        self.unsent
    }

    /// Not more than that can be waiting: what was given up before it left was not seen leaving.
    pub(super) fn limit_unsent(&mut self, most: usize) {
        self.unsent = self.unsent.min(most);
    }

    /// How many streams we have closed and the peer has not.
    pub(super) fn closing(&self) -> usize {
        self.closing.len()
    }

    /// How many streams both ends have.
    pub(super) fn streams(&self) -> u16 {
        self.associations.first().and_then(|(_, association)| association.negotiated_max_streams()).unwrap_or(0)
    }

    /// Whether the association knows the stream.
    pub(super) fn knows(&mut self, stream: u16) -> bool {
        self.association().is_some_and(|association| association.stream(stream).is_ok())
    }

    /// Opens our side of a stream; the peer's first message may have opened it already.
    pub(super) fn open(&mut self, stream: u16) -> bool {
        self.gone.remove(&stream);
        let known = self.knows(stream);
        let opened = self
            .association()
            .is_some_and(|association| association.open_stream(stream, PayloadProtocolIdentifier::Binary).is_ok());
        known || opened
    }

    /// Sends a message of DCEP, which is always ordered and reliable; how many bytes will be released for it.
    pub(super) fn send_dcep(&mut self, now: Instant, stream: u16, payload: &Bytes) -> usize {
        self.send(now, stream, payload, PayloadProtocolIdentifier::Dcep)
    }

    /// How the peer's messages of a stream, and ours, may be treated.
    pub(super) fn set_reliability(&mut self, stream: u16, ordered: bool, reliability: Reliability) {
        let (kind, value) = match reliability {
            Reliability::Reliable => (ReliabilityType::Reliable, 0),
            Reliability::Retransmits(most) => (ReliabilityType::Rexmit, most.into()),
            Reliability::Lifetime(most) => (ReliabilityType::Timed, milliseconds(Clock::stretch(most))),
        };
        if let Some(mut stream) = self.association().and_then(|association| association.stream(stream).ok()) {
            let _ = stream.set_reliability_params(!ordered, kind, value);
        }
    }

    /// Sends a message; how many bytes will be released for it.
    pub(super) fn send_message(&mut self, now: Instant, stream: u16, payload: &Bytes) -> usize {
        if payload.is_empty() {
            // SCTP has no empty messages (RFC 8831 section 6.6).
            return self.send(now, stream, &Bytes::from_static(&[0]), PayloadProtocolIdentifier::BinaryEmpty);
        }
        self.send(now, stream, payload, PayloadProtocolIdentifier::Binary)
    }

    fn send(&mut self, now: Instant, stream: u16, payload: &Bytes, kind: PayloadProtocolIdentifier) -> usize {
        let now = self.clock.fast(now);
        let Some(mut stream) = self.association().and_then(|association| association.stream(stream).ok()) else {
            return 0;
        };
        match stream.write_chunk_with_ppi(now, payload, kind) {
            Ok(bytes) => {
                self.unsent += bytes;
                bytes
            }
            Err(error) => {
                tracing::debug!(%error, "a message could not be sent");
                0
            }
        }
    }

    /// The next message of a stream.
    pub(super) fn read(&mut self, stream: u16, most: usize) -> Result<Received, Unreadable> {
        let message = match self.association().and_then(|association| association.stream(stream).ok()) {
            Some(mut stream) => stream.read_sctp().ok().flatten().ok_or(Unreadable::Empty),
            None => Err(Unreadable::Empty),
        };
        self.take_events();
        let message = message?;
        self.forget_chunks(stream, message.chunks.len());
        let payload = message.to_payload(most).map_err(|_| Unreadable::TooLong)?.freeze();
        let empty =
            matches!(message.ppi, PayloadProtocolIdentifier::BinaryEmpty | PayloadProtocolIdentifier::StringEmpty);
        let payload = if empty { Bytes::new() } else { payload };
        Ok(Received { payload, dcep: message.ppi == PayloadProtocolIdentifier::Dcep })
    }

    /// Closes our side of a stream behind what was sent; [`SctpEvent::Closed`] follows.
    pub(super) fn close(&mut self, now: Instant, stream: u16) {
        let now = self.clock.fast(now);
        if let Some(mut open) = self.association().and_then(|association| association.stream(stream).ok()) {
            let _ = open.close(now);
            self.closing.insert(stream);
        }
    }

    /// Tells the peer that it is over.
    pub(super) fn abort(&mut self) {
        for (_, association) in &mut self.associations {
            let _ = association.abort();
        }
        self.lost = true;
    }

    fn association(&mut self) -> Option<&mut Association> {
        self.associations.first_mut().map(|(_, association)| association)
    }

    fn take_events(&mut self) {
        let mut closed = Vec::new();
        let mut connected = None;
        for (index, (_, association)) in self.associations.iter_mut().enumerate() {
            while let Some(event) = association.poll() {
                match event {
                    Event::Connected => connected = connected.or(Some(index)),
                    Event::HandshakeFailed { reason } => self.events.push_back(lost(&reason)),
                    // Not only the association but each of its streams is "lost"; a reset is how a stream is closed.
                    Event::AssociationLost { id, .. } if !association.is_closed() => {
                        self.closing.remove(&id);
                        closed.push(id);
                        self.gone.insert(id);
                        self.events.push_back(SctpEvent::Closed(id));
                    }
                    Event::AssociationLost { reason, .. } if !self.lost => {
                        self.lost = true;
                        self.events.push_back(lost(&reason));
                    }
                    Event::Stream(StreamEvent::Opened { id: SINK } | StreamEvent::Readable { id: SINK }) => {
                        while association.stream(SINK).is_ok_and(|mut sink| matches!(sink.read_sctp(), Ok(Some(_)))) {}
                    }
                    Event::Stream(StreamEvent::Opened { id }) => self.events.push_back(SctpEvent::Opened(id)),
                    Event::Stream(StreamEvent::Readable { id }) => self.events.push_back(SctpEvent::Readable(id)),
                    Event::Stream(StreamEvent::BufferedAmountReleased { id, n_bytes }) => {
                        self.events.push_back(SctpEvent::Released(id, n_bytes));
                    }
                    _ => {}
                }
            }
        }
        for stream in closed {
            self.forget_chunks(stream, usize::MAX);
        }
        if let Some(index) = connected.filter(|_| !self.connected) {
            self.connected = true;
            self.associations.swap(0, index);
            self.associations.truncate(1);
            self.endpoint.reject_new_associations();
            // What arrived together with the end of the handshake is read after it.
            self.events.push_front(SctpEvent::Connected);
        }
        if self.connected
            && !self.lost
            && self.associations.first().is_some_and(|(_, association)| association.is_closed())
        {
            self.lose(true, "the peer ended it".to_owned());
        }
    }

    /// Ends the association, telling the peer.
    pub(super) fn fail(&mut self, reason: &str) {
        if !self.lost {
            self.abort();
            self.events.push_back(SctpEvent::Lost { by_peer: false, reason: reason.to_owned() });
        }
    }

    fn lose(&mut self, by_peer: bool, reason: String) {
        self.lost = true;
        self.events.push_back(SctpEvent::Lost { by_peer, reason });
    }
}

fn lost(reason: &AssociationError) -> SctpEvent {
    let by_peer = matches!(
        reason,
        AssociationError::Reset | AssociationError::AssociationClosed | AssociationError::ApplicationClosed
    );
    SctpEvent::Lost { by_peer, reason: reason.to_string() }
}
