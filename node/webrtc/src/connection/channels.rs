//! The channels of one connection: their openings, buffers and ends (RFC 8831 section 6, RFC 8832).
//!
//! | state | until |
//! |---|---|
//! | waiting | the association is up |
//! | opening | the peer answers, or time is over |
//! | open | either end closes it, or a bound is broken |
//! | closing | what was written has left and both ends have reset the stream, or time is over |
//! | ended | what arrived is read, or time is over |

mod ends;
mod messages;
mod openings;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::sctp::{Sctp, SctpEvent, Unreadable};
use super::streams::Streams;
use super::{CloseReason, Event, Settings};
use crate::channel::dcep::Dcep;
use crate::channel::schedule::{Message, Schedule};
use crate::channel::{ChannelEnd, ChannelError, ChannelId, ChannelOptions, MAX_LABEL, Reliability};

/// How many bytes wait within the association for its windows: few, so that a message of high priority does not wait behind many others,
/// but always more than one packet, so that no window stays unused.
const UNSENT: usize = 32 * 1024;
/// How many bytes may wait to be acknowledged: a peer can make its window as wide as it likes. Enough for 80 MB/s at 100 ms.
const MAX_IN_FLIGHT: usize = 8 * 1024 * 1024;
/// How long the peer may take to answer an opening: several losses of a packet.
const OPENING: Duration = Duration::from_secs(30);
/// How long the peer may take to take what was written, and again to close its side.
const CLOSING: Duration = Duration::from_secs(30);
/// How long unread messages of an ended channel are kept.
const ENDED: Duration = Duration::from_secs(30);
/// What an unread message costs besides its bytes, so that empty ones are bounded, too.
const OVERHEAD: usize = 64;
/// How many streams the peer may begin to use without opening a channel.
const MAX_UNOPENED: usize = 256;
/// How many streams may wait for the peer to close its side.
const MAX_CLOSING: usize = 4096;
/// The channel that js-libp2p opens so that its offer mentions channels at all, and closes without use.
const INIT_LABEL: &str = "init";

pub(super) struct Channels {
    sctp: Sctp,
    settings: Settings,
    /// The longest message that both ends take.
    most: usize,
    client: bool,
    hides_init: bool,
    /// From when the association is up.
    streams: Option<Streams>,
    table: BTreeMap<ChannelId, Channel>,
    by_stream: BTreeMap<u16, ChannelId>,
    unopened: BTreeSet<u16>,
    schedule: Schedule,
    deadlines: BTreeSet<(Instant, ChannelId)>,
    /// Channels whose streams hold messages that the buffers do not.
    blocked: BTreeSet<ChannelId>,
    next: u64,
    /// How many channels are neither closing nor ended.
    live: usize,
    unread: usize,
    in_flight: usize,
    events: VecDeque<Event>,
}

struct Channel {
    options: ChannelOptions,
    stream: Option<u16>,
    state: State,
    hidden: bool,
    incoming: VecDeque<Bytes>,
    unread: usize,
    /// Bytes within the association that the peer has not acknowledged.
    in_flight: usize,
    /// Whether a write was refused since.
    full: bool,
    deadline: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Opening,
    Open,
    Closing(ChannelEnd),
    Ended,
}

impl State {
    fn is_live(self) -> bool {
        matches!(self, Self::Waiting | Self::Opening | Self::Open)
    }
}

/// What the connection does.
impl Channels {
    pub(super) fn new(settings: &Settings, hides_init: bool) -> Self {
        Self {
            sctp: Sctp::new(settings.max_message),
            settings: settings.clone(),
            most: settings.max_message,
            client: false,
            hides_init,
            streams: None,
            table: BTreeMap::new(),
            by_stream: BTreeMap::new(),
            unopened: BTreeSet::new(),
            schedule: Schedule::default(),
            deadlines: BTreeSet::new(),
            blocked: BTreeSet::new(),
            next: 0,
            live: 0,
            unread: 0,
            in_flight: 0,
            events: VecDeque::new(),
        }
    }

    /// DTLS is up; `client` is our role in it, `most` the longest message that the peer takes.
    pub(super) fn start(&mut self, now: Instant, client: bool, most: usize) {
        self.client = client;
        self.most = most.min(self.settings.max_message);
        if client {
            self.sctp.connect(now);
        }
    }

    /// The end of the association, if it came.
    pub(super) fn handle_packet(&mut self, now: Instant, packet: Bytes) -> Option<CloseReason> {
        self.sctp.handle_packet(now, packet);
        self.take_sctp_events(now)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<CloseReason> {
        self.sctp.handle_timeout(now);
        while let Some((_, id)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now) {
            self.set_deadline(id, None);
            self.on_deadline(now, id);
        }
        self.take_sctp_events(now)
    }

    /// There is a way to the peer again, or another one.
    pub(super) fn path_works(&mut self, now: Instant) {
        self.sctp.path_works(now);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        self.sctp.poll_timeout().into_iter().chain(deadline).min()
    }

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Hands every packet that may leave to `out`, filling it by the priorities of the channels.
    pub(super) fn flush(&mut self, now: Instant, mut out: impl FnMut(&[u8])) -> Option<CloseReason> {
        loop {
            if self.streams.is_some() {
                self.fill(now);
            }
            let any = self.sctp.transmit(now, &mut out);
            if !any || self.schedule.is_empty() || self.sctp.unsent() >= UNSENT {
                break;
            }
        }
        self.take_sctp_events(now)
    }

    /// Ends all channels; the peer hears of it with the next [`Channels::flush`].
    pub(super) fn end_all(&mut self, now: Instant) {
        self.sctp.abort();
        let ids: Vec<ChannelId> = self.table.keys().copied().collect();
        for id in ids {
            self.schedule.remove(id);
            self.end(now, id, ChannelEnd::Connection);
        }
        self.deadlines.clear();
    }
}

/// What the application does.
impl Channels {
    pub(super) fn open(&mut self, now: Instant, options: ChannelOptions) -> Result<ChannelId, ChannelError> {
        if options.label.len() > MAX_LABEL {
            return Err(ChannelError::Label { found: options.label.len() });
        }
        if self.live >= self.settings.max_channels {
            return Err(ChannelError::TooMany { most: self.settings.max_channels });
        }
        let stream = self.choose_stream(now, &options)?;
        let id = self.insert(options, stream, State::Waiting, false);
        if self.streams.is_some() {
            self.begin(now, id);
        }
        Ok(id)
    }

    pub(super) fn write(&mut self, now: Instant, id: ChannelId, payload: Bytes) -> Result<(), ChannelError> {
        let channel = self.table.get_mut(&id).filter(|channel| channel.state.is_live()).ok_or(ChannelError::Closed)?;
        if payload.len() > self.most {
            return Err(ChannelError::TooLong { found: payload.len(), most: self.most });
        }
        let held = self.schedule.bytes(id);
        if held > 0 && held + payload.len() > self.settings.channel_send_buffer {
            channel.full = true;
            return Err(ChannelError::Full);
        }
        let expires = match channel.options.reliability {
            Reliability::Lifetime(most) => Some(now + most),
            Reliability::Reliable | Reliability::Retransmits(_) => None,
        };
        self.schedule.push(id, channel.options.priority, Message { payload, expires });
        Ok(())
    }

    /// The next message, and the end of the association, if it came.
    pub(super) fn read(&mut self, now: Instant, id: ChannelId) -> (Option<Bytes>, Option<CloseReason>) {
        let Some(channel) = self.table.get_mut(&id) else { return (None, None) };
        let Some(message) = channel.incoming.pop_front() else { return (None, None) };
        let cost = message.len() + OVERHEAD;
        channel.unread -= cost;
        self.unread -= cost;
        if channel.state == State::Ended && channel.incoming.is_empty() {
            self.remove(id);
        }
        if self.blocked.remove(&id) {
            self.set_deadline(id, None);
            self.drain(now, id);
        }
        self.drain_blocked(now);
        (Some(message), self.take_sctp_events(now))
    }

    /// Closes behind what was written; what arrived and what still arrives is of no interest any more.
    pub(super) fn close(&mut self, now: Instant, id: ChannelId) {
        let Some(channel) = self.table.get(&id) else { return };
        match channel.state {
            State::Waiting => {
                self.schedule.remove(id);
                self.end(now, id, ChannelEnd::Local);
            }
            State::Opening | State::Open => {
                self.begin_closing(now, id, ChannelEnd::Local);
                if !self.schedule.holds(id) {
                    self.reset_stream(now, id);
                }
            }
            State::Closing(_) => {}
            State::Ended => self.remove(id),
        }
    }
}

/// What the association reports.
impl Channels {
    fn take_sctp_events(&mut self, now: Instant) -> Option<CloseReason> {
        while let Some(event) = self.sctp.poll_event() {
            match event {
                SctpEvent::Connected => self.on_connected(now),
                SctpEvent::Opened(stream) => self.on_stream_opened(now, stream),
                SctpEvent::Readable(stream) => self.on_readable(now, stream),
                SctpEvent::Released(stream, bytes) => self.on_released(stream, bytes),
                SctpEvent::Closed(stream) => self.on_stream_closed(now, stream),
                SctpEvent::Crowded(stream) => self.on_crowded(now, stream),
                SctpEvent::Lost { by_peer: true, .. } => return Some(CloseReason::Peer),
                SctpEvent::Lost { by_peer: false, reason } => return Some(CloseReason::Sctp { reason }),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
