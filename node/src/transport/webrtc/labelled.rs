//! The connection's side of a data channel with a label.

use std::collections::VecDeque;
use std::task::{Context, Waker};

use bytes::Bytes;
use darkswap_webrtc::connection::{ChannelId, ChannelOptions, Connection};

/// A data channel with a label, as its connection sees it.
#[derive(Debug)]
pub(super) struct Labelled {
    by_peer: bool,
    options: ChannelOptions,
    closed: bool,
    dropped: bool,
    /// What had arrived when the channel was closed.
    rest: VecDeque<Bytes>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Labelled {
    pub(super) fn new(by_peer: bool, options: ChannelOptions) -> Self {
        let rest = VecDeque::new();
        Self { by_peer, options, closed: false, dropped: false, rest, reader: None, writer: None }
    }

    pub(super) fn by_peer(&self) -> bool {
        self.by_peer
    }

    pub(super) fn options(&self) -> &ChannelOptions {
        &self.options
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

    /// The channel is closed: what has arrived, at most the connection's receive buffer, can still be taken.
    pub(super) fn closed(&mut self, id: ChannelId, connection: &mut Connection) {
        self.rest.extend(std::iter::from_fn(|| connection.read(id)));
        self.closed = true;
        self.wake();
    }

    pub(super) fn take(&mut self, id: ChannelId, connection: &mut Connection) -> Option<Bytes> {
        self.rest.pop_front().or_else(|| connection.read(id))
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
