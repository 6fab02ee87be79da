//! What substreams and data channels do with their connection.

use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;
use darkswap_webrtc::connection::{ChannelError, ChannelId, ChannelOptions};

use super::{Channel, Labelled, State, Stream, now};
use crate::transport::webrtc::data_channel::DataChannelError;

impl State {
    /// Reads from a substream: what has arrived stays readable when the connection ends.
    pub(in crate::transport::webrtc) fn read_stream(
        &mut self,
        id: ChannelId,
        read: impl FnOnce(&mut Stream) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let done = self.with_channel(id, |channel, _, _| match channel {
            Channel::Substream(stream) => Some(read(stream)),
            Channel::Labelled(_) => None,
        });
        let Some(done) = done.flatten() else { return Poll::Ready(Err(gone())) };
        match (done, &self.end) {
            (Poll::Pending, Some(end)) => Poll::Ready(Err(end.clone().into())),
            (done, _) => done,
        }
    }

    /// Does something with the write side of a substream and hands over what it has to say.
    pub(in crate::transport::webrtc) fn write_stream<T>(
        &mut self,
        id: ChannelId,
        write: impl FnOnce(&mut Stream) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if let Some(end) = &self.end {
            return Poll::Ready(Err(end.clone().into()));
        }
        let Some(Channel::Substream(stream)) = self.channels.get_mut(&id) else { return Poll::Ready(Err(gone())) };
        let done = write(stream);
        self.pump(now(), id);
        done
    }

    pub(in crate::transport::webrtc) fn drop_stream(&mut self, id: ChannelId) {
        let now = now();
        if self.end.is_some() {
            return self.remove_channel(id);
        }
        self.with_channel(id, |channel, _, _| {
            if let Channel::Substream(stream) = channel {
                stream.set_dropped();
            }
        });
        self.pump(now, id);
    }

    pub(in crate::transport::webrtc) fn open_channel(
        &mut self,
        options: ChannelOptions,
    ) -> Result<ChannelId, DataChannelError> {
        if let Some(end) = &self.end {
            return Err(end.clone().into());
        }
        let id = self.agent.connection_mut().open_channel(now(), options.clone())?;
        self.channels.insert(id, Channel::Labelled(Labelled::new(false, options)));
        self.note_use();
        Ok(id)
    }

    /// The application has a channel now.
    pub(in crate::transport::webrtc) fn use_channel(&mut self, id: ChannelId) {
        if let Some(Channel::Labelled(channel)) = self.channels.get_mut(&id) {
            channel.set_used();
            self.note_use();
        }
    }

    /// Whether the application has an open channel.
    pub(in crate::transport::webrtc) fn is_used(&self) -> bool {
        let is_used = |channel: &Channel| matches!(channel, Channel::Labelled(channel) if channel.is_used());
        self.end.is_none() && self.channels.values().any(is_used)
    }

    /// Has the node look whether the application uses this connection.
    pub(super) fn note_use(&self) {
        if let Some((peer, registry)) = &self.owner {
            registry.note_use(*peer);
        }
    }

    pub(in crate::transport::webrtc) fn accept_channel(&mut self) -> Option<(ChannelId, ChannelOptions)> {
        loop {
            let id = self.unaccepted.pop_front()?;
            if let Some(Channel::Labelled(channel)) = self.channels.get(&id) {
                return Some((id, channel.options().clone()));
            }
        }
    }

    pub(in crate::transport::webrtc) fn send(
        &mut self,
        id: ChannelId,
        message: &Bytes,
        cx: &Context<'_>,
    ) -> Poll<Result<(), DataChannelError>> {
        if let Some(end) = &self.end {
            return Poll::Ready(Err(end.clone().into()));
        }
        let Some(Channel::Labelled(channel)) = self.channels.get_mut(&id) else {
            return Poll::Ready(Err(DataChannelError::Closed));
        };
        if channel.is_closed() {
            return Poll::Ready(Err(DataChannelError::Closed));
        }
        match self.agent.connection_mut().write(now(), id, message.clone()) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(ChannelError::Full) => {
                channel.wait_to_write(cx);
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }

    pub(in crate::transport::webrtc) fn take_message(
        &mut self,
        id: ChannelId,
        cx: &Context<'_>,
    ) -> Poll<Option<Bytes>> {
        let taken = self.with_channel(id, |channel, connection, _| match channel {
            Channel::Labelled(channel) => channel.take(id, connection),
            Channel::Substream(_) => None,
        });
        if let Some(message) = taken.flatten() {
            return Poll::Ready(Some(message));
        }
        let Some(Channel::Labelled(channel)) = self.channels.get_mut(&id) else { return Poll::Ready(None) };
        if channel.is_closed() || self.end.is_some() {
            return Poll::Ready(None);
        }
        channel.wait_to_read(cx);
        Poll::Pending
    }

    pub(in crate::transport::webrtc) fn drop_channel(&mut self, id: ChannelId) {
        let now = now();
        let Some(Channel::Labelled(channel)) = self.channels.get_mut(&id) else { return };
        if channel.is_closed() || self.end.is_some() {
            self.remove_channel(id);
        } else {
            channel.set_dropped();
            self.agent.connection_mut().close_channel(now, id);
        }
        self.note_use();
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the substream is over")
}
