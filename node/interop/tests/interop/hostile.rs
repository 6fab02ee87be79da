//! Peers that keep no rule: the node stays, counts, bounds what they hold, and serves an honest peer meanwhile.

mod bytes;
mod connections;
mod messages;
mod relay;
mod sealed;
mod streams;

use ::bytes::Bytes;
use darkswap_core::path::PathKind;
use darkswap_node::Config;
use darkswap_node::event::{Event, Misbehaviour};
use libp2p::{Multiaddr, PeerId};

use crate::carrier::Carrier;
use crate::common::{Running, listening};

/// A node under attack, and an honest one that is connected to it.
struct Siege {
    node: Running,
    address: Multiaddr,
    honest: Running,
}

impl Siege {
    async fn begin(config: Config) -> Self {
        let mut node = Running::start(config);
        let address = node.address().await;
        let honest = Running::start(listening(Carrier::Quic.loopback()));
        assert_eq!(honest.handle.connect(node.id(), vec![address.clone()]).await, Ok(PathKind::Direct));
        let siege = Self { node, address, honest };
        siege.serves().await;
        siege
    }

    /// The connected honest peer is served.
    async fn serves(&self) {
        self.honest.handle.send(self.node.id(), Bytes::from_static(b"hello")).await.unwrap();
    }

    /// An honest peer that comes now is served.
    async fn serves_newcomers(&self) {
        let newcomer = Running::start(listening(Carrier::Quic.loopback()));
        let path = newcomer.handle.connect(self.node.id(), vec![self.address.clone()]).await;
        assert_eq!(path, Ok(PathKind::Direct));
        newcomer.handle.send(self.node.id(), Bytes::from_static(b"hello")).await.unwrap();
    }

    /// Waits until the node has counted a misbehaviour of `peer`; answers with its kind and the evidence.
    async fn counted(&mut self, peer: PeerId) -> (Misbehaviour, String) {
        self.node
            .wait("misbehaviour", |event| match event {
                Event::Misbehaviour { peer: who, kind, evidence } if *who == peer => Some((*kind, evidence.clone())),
                _ => None,
            })
            .await
    }
}
