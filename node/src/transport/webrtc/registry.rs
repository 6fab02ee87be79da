//! The data channels of a node by peer: where applications open and accept them while libp2p owns the connections.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use libp2p::PeerId;

use super::data_channel::{ChannelOptions, DataChannel, DataChannelError};
use super::muxer::Muxer;
use super::shared::Shared;

/// The data channels of a node by peer. A clone is another view of the same.
#[derive(Debug, Clone, Default)]
pub struct DataChannels(Arc<Mutex<Registry>>);

#[derive(Debug, Default)]
struct Registry {
    /// The connections to each peer, the oldest first; at most as many as the node's limits let be open.
    connections: BTreeMap<PeerId, Vec<Weak<Shared>>>,
    /// Peers that opened a channel which nobody accepted.
    ready: BTreeSet<PeerId>,
    acceptor: Option<Waker>,
    /// Peers with whom a channel began or ended.
    changed: BTreeSet<PeerId>,
    watcher: Option<Waker>,
}

impl DataChannels {
    /// Opens a channel to a peer, on its newest WebRTC connection. Messages can be sent at once.
    ///
    /// # Errors
    /// Without such a connection, without a label, and when the connection refuses another channel.
    pub fn open(&self, peer: PeerId, options: ChannelOptions) -> Result<DataChannel, DataChannelError> {
        if options.label.is_empty() {
            return Err(DataChannelError::NoLabel);
        }
        let newest = self.connections(&peer).into_iter().rfind(|connection| connection.lock().end().is_none());
        Shared::open_channel(&newest.ok_or(DataChannelError::NoConnection)?, options)
    }

    /// The next channel that a peer opens. One task at a time may wait.
    pub async fn accept(&self) -> (PeerId, DataChannel) {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// The next channel that a peer opened.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<(PeerId, DataChannel)> {
        loop {
            let peer = {
                let mut registry = self.lock();
                registry.acceptor = Some(cx.waker().clone());
                match registry.ready.pop_first() {
                    Some(peer) => peer,
                    None => return Poll::Pending,
                }
            };
            for connection in self.connections(&peer) {
                if let Some(channel) = Shared::accept_channel(&connection) {
                    // There may be more where it came from.
                    self.lock().ready.insert(peer);
                    return Poll::Ready((peer, channel));
                }
            }
        }
    }

    /// The next peer with whom a channel of the application began or ended; there may be others left. One task at a time may wait.
    pub async fn changed(&self) -> PeerId {
        poll_fn(|cx| {
            let mut registry = self.lock();
            registry.watcher = Some(cx.waker().clone());
            registry.changed.pop_first().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Whether the application has an open channel with a peer.
    #[must_use]
    pub fn are_used(&self, peer: PeerId) -> bool {
        self.connections(&peer).iter().any(|connection| connection.lock().is_used())
    }

    /// Adds a connection whose peer is known.
    pub fn add(&self, peer: PeerId, muxer: &Muxer) {
        {
            let mut registry = self.lock();
            registry.connections.retain(|_, connections| {
                connections.retain(|connection| connection.strong_count() > 0);
                !connections.is_empty()
            });
            registry.connections.entry(peer).or_default().push(Arc::downgrade(muxer.shared()));
        }
        muxer.shared().lock().set_owner(peer, self.clone());
        self.announce(peer);
    }

    /// A peer has opened a channel.
    pub(super) fn announce(&self, peer: PeerId) {
        self.tell(|registry| {
            registry.ready.insert(peer);
            registry.acceptor.take()
        });
    }

    /// A channel with a peer began or ended.
    pub(super) fn note_use(&self, peer: PeerId) {
        self.tell(|registry| {
            registry.changed.insert(peer);
            registry.watcher.take()
        });
    }

    /// Wakes whoever waits for what is noted, without the lock.
    fn tell(&self, note: impl FnOnce(&mut Registry) -> Option<Waker>) {
        let waiting = note(&mut self.lock());
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    fn connections(&self, peer: &PeerId) -> Vec<Arc<Shared>> {
        self.lock().connections.get(peer).into_iter().flatten().filter_map(Weak::upgrade).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
