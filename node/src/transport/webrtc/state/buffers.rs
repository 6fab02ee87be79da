//! What a connection keeps of what has arrived, over all its channels.

use darkswap_webrtc::connection::{ChannelId, Connection};

use super::{Channel, State};

/// Bytes that have arrived on a connection and were not read, of all substreams and of closed channels together: as much as four
/// substreams may hold that are read too slowly. A peer may open 256, and nothing in WebRTC holds it back, so the substream that asks for
/// more is reset.
pub(super) const BUFFERED: usize = 16 << 20;

impl Channel {
    fn buffered(&self) -> usize {
        match self {
            Self::Substream(stream) => stream.buffered(),
            Self::Labelled(channel) => channel.buffered(),
        }
    }
}

impl State {
    /// Does something with a channel that may change what it holds, and keeps count. It is told what all of them may hold besides.
    pub(super) fn with_channel<T>(
        &mut self,
        id: ChannelId,
        act: impl FnOnce(&mut Channel, &mut Connection, usize) -> T,
    ) -> Option<T> {
        let channel = self.channels.get_mut(&id)?;
        let before = channel.buffered();
        let done = act(channel, self.agent.connection_mut(), BUFFERED.saturating_sub(self.buffered));
        self.buffered = self.buffered - before + channel.buffered();
        Some(done)
    }

    /// Forgets a channel with what it holds.
    pub(super) fn remove_channel(&mut self, id: ChannelId) {
        if let Some(channel) = self.channels.remove(&id) {
            self.buffered -= channel.buffered();
        }
    }

    /// Bytes that have arrived and were not read.
    pub(in crate::transport::webrtc) fn buffered(&self) -> usize {
        self.buffered
    }
}
