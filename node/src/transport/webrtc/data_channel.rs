//! Data channels of applications: those with a label, besides libp2p's substreams on the same connection.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use darkswap_webrtc::connection::ChannelId;
pub use darkswap_webrtc::connection::{ChannelError, ChannelOptions, Priority, Reliability};
use thiserror::Error;

use super::end::End;
use super::shared::Shared;

/// Why a data channel was not opened, or a message not sent.
#[derive(Debug, Error)]
pub enum DataChannelError {
    /// There is no WebRTC connection to the peer.
    #[error("no WebRTC connection to the peer: data channels need one")]
    NoConnection,
    /// A channel without a label would be taken for a substream of libp2p.
    #[error("found an empty label, expected one: channels without belong to libp2p")]
    NoLabel,
    /// The connection has ended.
    #[error("{0}")]
    Ended(#[from] End),
    /// The channel has ended.
    #[error("the data channel is closed")]
    Closed,
    /// The channel cannot do that.
    #[error("{0}")]
    Channel(#[from] ChannelError),
}

/// One end of a data channel. Dropping it closes the channel.
#[derive(Debug)]
pub struct DataChannel {
    shared: Arc<Shared>,
    id: ChannelId,
    options: ChannelOptions,
}

impl DataChannel {
    pub(super) fn new(shared: Arc<Shared>, id: ChannelId, options: ChannelOptions) -> Self {
        Self { shared, id, options }
    }

    /// The application has it now: until its end the connection is in use.
    pub(crate) fn take_into_use(&self) {
        self.shared.lock().use_channel(self.id);
    }

    /// What the channel is called and what it promises.
    #[must_use]
    pub fn options(&self) -> &ChannelOptions {
        &self.options
    }

    /// Sends a message; waits while as much as the channel may hold is unsent.
    ///
    /// # Errors
    /// When the channel or the connection has ended, or the message is too large.
    pub async fn send(&self, message: Bytes) -> Result<(), DataChannelError> {
        poll_fn(|cx| self.poll_send(cx, &message)).await
    }

    /// Takes the oldest message that waits, or waits for the next one; `None` when the channel has ended and is empty.
    pub async fn receive(&self) -> Option<Bytes> {
        poll_fn(|cx| self.poll_receive(cx)).await
    }

    /// Sends a message, or pends while as much as the channel may hold is unsent.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn poll_send(&self, cx: &mut Context<'_>, message: &Bytes) -> Poll<Result<(), DataChannelError>> {
        let sent = self.shared.lock().send(self.id, message, cx);
        self.shared.wake_driver();
        sent
    }

    /// Takes the oldest message that waits.
    pub fn poll_receive(&self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.shared.lock().take_message(self.id, cx)
    }
}

impl Drop for DataChannel {
    fn drop(&mut self) {
        self.shared.lock().drop_channel(self.id);
        self.shared.wake_driver();
    }
}
