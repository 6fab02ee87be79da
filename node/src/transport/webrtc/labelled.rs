//! The connection's side of a data channel with a label.

use std::collections::VecDeque;
use std::task::{Context, Waker};

use bytes::Bytes;
use darkswap_webrtc::connection::{ChannelId, ChannelOptions, Connection};

/// What a message costs besides its bytes, so that empty ones are bounded, too.
const OVERHEAD: usize = 64;

/// A data channel with a label, as its connection sees it.
#[derive(Debug)]
pub(super) struct Labelled {
    by_peer: bool,
    options: ChannelOptions,
    /// Whether the application has it. One that the peer opened waits for that, and gives the peer no right to anything before.
    used: bool,
    closed: bool,
    dropped: bool,
    /// What had arrived when the channel was closed.
    rest: VecDeque<Bytes>,
    /// What that costs.
    buffered: usize,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Labelled {
    pub(super) fn new(by_peer: bool, options: ChannelOptions) -> Self {
        let rest = VecDeque::new();
        let (used, closed, dropped) = (!by_peer, false, false);
        Self { by_peer, options, used, closed, dropped, rest, buffered: 0, reader: None, writer: None }
    }

    pub(super) fn by_peer(&self) -> bool {
        self.by_peer
    }

    pub(super) fn options(&self) -> &ChannelOptions {
        &self.options
    }

    pub(super) fn set_used(&mut self) {
        self.used = true;
    }

    /// Whether the application has it, and it is open.
    pub(super) fn is_used(&self) -> bool {
        self.used && !self.closed && !self.dropped
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn is_dropped(&self) -> bool {
        self.dropped
    }

    pub(super) fn set_dropped(&mut self) {
        self.dropped = true;
    }

    /// What was kept of a closed channel, as it counts against bounds.
    pub(super) fn buffered(&self) -> usize {
        self.buffered
    }

    /// The channel is closed: what has arrived can still be taken. Where there is no room to keep it, it stays in the connection, which
    /// has a bound of its own and forgets it in time.
    pub(super) fn closed(&mut self, id: ChannelId, connection: &mut Connection, room: usize) {
        let most = self.buffered.saturating_add(room);
        while self.buffered < most
            && let Some(message) = connection.read(id)
        {
            self.buffered += message.len() + OVERHEAD;
            self.rest.push_back(message);
        }
        self.closed = true;
        self.wake();
    }

    pub(super) fn take(&mut self, id: ChannelId, connection: &mut Connection) -> Option<Bytes> {
        match self.rest.pop_front() {
            Some(message) => {
                self.buffered -= message.len() + OVERHEAD;
                Some(message)
            }
            None => connection.read(id),
        }
    }

    pub(super) fn wait_to_read(&mut self, cx: &Context<'_>) {
        self.reader = Some(cx.waker().clone());
    }

    pub(super) fn wait_to_write(&mut self, cx: &Context<'_>) {
        self.writer = Some(cx.waker().clone());
    }

    pub(super) fn wake_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    pub(super) fn wake_writer(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }

    pub(super) fn wake(&mut self) {
        self.wake_reader();
        self.wake_writer();
    }
}
