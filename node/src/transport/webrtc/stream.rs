//! The connection's side of a substream: the pure machine, its data channel and who waits for it.

use std::io;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use darkswap_webrtc::connection::{ChannelError, ChannelId, Connection};
use darkswap_webrtc::substream::{Read, Substream, SubstreamSettings, WriteError, WriteState};

/// A substream, as its connection sees it.
#[derive(Debug)]
pub(super) struct Stream {
    machine: Substream,
    by_peer: bool,
    /// Whether libp2p has let go of it.
    dropped: bool,
    channel: Channel,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Channel {
    Open,
    /// Both sides are done; the connection closes the channel.
    Closing,
    Closed,
}

impl Stream {
    pub(super) fn new(by_peer: bool) -> Self {
        let machine = Substream::new(SubstreamSettings::default());
        Self { machine, by_peer, dropped: false, channel: Channel::Open, reader: None, writer: None }
    }

    pub(super) fn by_peer(&self) -> bool {
        self.by_peer
    }

    pub(super) fn is_dropped(&self) -> bool {
        self.dropped
    }

    /// Whether nothing more can happen to it.
    pub(super) fn is_over(&self) -> bool {
        self.channel != Channel::Open
    }

    /// Whether the channel is to be closed now; asked once.
    pub(super) fn take_close(&mut self) -> bool {
        let close = self.channel == Channel::Open && self.machine.is_done();
        if close {
            self.channel = Channel::Closing;
        }
        close
    }

    /// What has arrived and was not read, as it counts against bounds.
    pub(super) fn buffered(&self) -> usize {
        self.machine.buffered()
    }

    /// Takes what has arrived. It is never left in the connection, where one unread channel would hold up all others. `room` is what all
    /// substreams together may hold besides.
    pub(super) fn receive(&mut self, now: Instant, id: ChannelId, connection: &mut Connection, room: usize) {
        let mut received = false;
        let most = self.buffered().saturating_add(room);
        while let Some(message) = connection.read(id) {
            received = true;
            let room = most.saturating_sub(self.buffered());
            if let Err(fault) = self.machine.handle_message_within(now, message, room) {
                tracing::debug!(?id, %fault, "a substream was reset");
            }
        }
        if received {
            self.wake();
        }
    }

    /// Hands over what the channel takes.
    pub(super) fn send(&mut self, now: Instant, id: ChannelId, connection: &mut Connection) {
        if self.channel != Channel::Open {
            return;
        }
        let mut sent = false;
        while let Some(message) = self.machine.poll_message(now) {
            match connection.write(now, id, message.clone()) {
                Ok(()) => sent = true,
                Err(ChannelError::Full) => {
                    self.machine.put_back(message);
                    break;
                }
                Err(error) => {
                    tracing::debug!(?id, %error, "a substream lost its channel");
                    self.machine.handle_channel_closed();
                    sent = true;
                }
            }
        }
        if sent && let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }

    pub(super) fn channel_closed(&mut self) {
        self.channel = Channel::Closed;
        self.machine.handle_channel_closed();
        self.wake();
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        if self.is_over() { None } else { self.machine.poll_timeout() }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        // What the channel still holds is sent before it closes, so nothing is lost by not waiting for it here.
        self.machine.handle_timeout(now, 0);
        self.wake();
    }

    /// libp2p lets go of it: what it has finished is finished properly, the rest is reset.
    pub(super) fn set_dropped(&mut self) {
        self.dropped = true;
        self.machine.abandon();
    }

    pub(super) fn wake(&mut self) {
        [self.reader.take(), self.writer.take()].into_iter().flatten().for_each(Waker::wake);
    }

    pub(super) fn poll_read(&mut self, cx: &Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.machine.read(buffer.len()) {
            Read::Data(bytes) => {
                buffer[..bytes.len()].copy_from_slice(&bytes);
                Poll::Ready(Ok(bytes.len()))
            }
            Read::End => Poll::Ready(Ok(0)),
            Read::Failed(abort) => Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionReset, abort))),
            Read::Pending => {
                self.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    pub(super) fn poll_write(&mut self, cx: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.machine.write(bytes) {
            Ok(0) if !bytes.is_empty() => self.wait_to_write(cx),
            Ok(taken) => Poll::Ready(Ok(taken)),
            Err(error) => Poll::Ready(Err(refused(error))),
        }
    }

    /// Ready when the channel has everything.
    pub(super) fn poll_flush(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        if self.machine.is_flushed() { Poll::Ready(Ok(())) } else { self.wait_to_write(cx) }
    }

    /// Ready when the peer has confirmed that it received everything, or did not for too long (libp2p WebRTC, "Closing an
    /// `RTCDataChannel`").
    pub(super) fn poll_close(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        self.machine.close();
        match self.machine.write_state() {
            WriteState::Confirmed | WriteState::Unconfirmed => Poll::Ready(Ok(())),
            WriteState::Aborted(abort) => Poll::Ready(Err(refused(abort.into()))),
            WriteState::Open | WriteState::Closing => self.wait_to_write(cx),
        }
    }

    fn wait_to_write<T>(&mut self, cx: &Context<'_>) -> Poll<io::Result<T>> {
        self.writer = Some(cx.waker().clone());
        Poll::Pending
    }
}

fn refused(error: WriteError) -> io::Error {
    let kind = match error {
        WriteError::Closed => io::ErrorKind::WriteZero,
        WriteError::Stopped => io::ErrorKind::BrokenPipe,
        WriteError::Aborted(_) => io::ErrorKind::ConnectionReset,
    };
    io::Error::new(kind, error)
}
