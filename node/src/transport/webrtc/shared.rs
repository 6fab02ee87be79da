//! What the driver, the muxer, the substreams and the data channels of one connection share.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use darkswap_webrtc::agent::Agent;
use darkswap_webrtc::connection::ChannelOptions;

use super::data_channel::{DataChannel, DataChannelError};
use super::end::End;
use super::port::Port;
use super::state::State;
use super::substream::Substream;

/// The state of a connection behind a lock that nobody holds for longer than one step.
#[derive(Debug)]
pub(super) struct Shared(Mutex<State>);

impl Shared {
    pub(super) fn new(agent: Agent, ports: &[Port]) -> Self {
        Self(Mutex::new(State::new(agent, ports)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the driver act upon a change.
    pub(super) fn wake_driver(&self) {
        let driver = self.lock().take_driver();
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    /// Tells the peer that it is over; nothing works afterwards.
    pub(super) fn close(&self) {
        self.lock().finish(End::Closed);
        self.wake_driver();
    }

    /// Channel 0 of a webrtc-direct connection.
    pub(super) fn poll_handshake_channel(this: &Arc<Self>, cx: &mut Context<'_>) -> Poll<Result<Substream, End>> {
        let mut state = this.lock();
        match state.take_handshake_channel() {
            Some(id) => Poll::Ready(Ok(Substream::new(Arc::clone(this), id))),
            None => state.wait_for_news(cx),
        }
    }

    /// The next substream that the peer opened.
    pub(super) fn poll_accept(this: &Arc<Self>, cx: &mut Context<'_>) -> Poll<Result<Substream, End>> {
        let mut state = this.lock();
        match state.accept_substream() {
            Some(id) => Poll::Ready(Ok(Substream::new(Arc::clone(this), id))),
            None => state.wait_for_news(cx),
        }
    }

    /// A new substream of ours; pends while the connection has too many channels.
    pub(super) fn poll_open(this: &Arc<Self>, cx: &mut Context<'_>) -> Poll<Result<Substream, End>> {
        let mut state = this.lock();
        let Some(id) = state.open_substream() else { return state.wait_for_news(cx) };
        drop(state);
        this.wake_driver();
        Poll::Ready(Ok(Substream::new(Arc::clone(this), id)))
    }

    /// Opens a channel with a label.
    pub(super) fn open_channel(this: &Arc<Self>, options: ChannelOptions) -> Result<DataChannel, DataChannelError> {
        let id = this.lock().open_channel(options.clone())?;
        this.wake_driver();
        Ok(DataChannel::new(Arc::clone(this), id, options))
    }

    /// The next channel with a label that the peer opened.
    pub(super) fn accept_channel(this: &Arc<Self>) -> Option<DataChannel> {
        let (id, options) = this.lock().accept_channel()?;
        Some(DataChannel::new(Arc::clone(this), id, options))
    }

    /// Ready when the driver has sent its last datagram.
    pub(super) fn poll_over(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.is_over() {
            return Poll::Ready(());
        }
        state.wait(cx);
        Poll::Pending
    }

    /// Where the peer is now, once that is another address than `before`.
    pub(super) fn poll_remote(
        &self,
        cx: &mut Context<'_>,
        before: Option<SocketAddr>,
    ) -> Poll<Result<SocketAddr, End>> {
        let mut state = self.lock();
        match (before, state.remote()) {
            (Some(before), Some(remote)) if remote != before => Poll::Ready(Ok(remote)),
            _ => state.wait_for_news(cx),
        }
    }
}
