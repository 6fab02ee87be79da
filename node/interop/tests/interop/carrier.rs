//! Stock transports: operating-system sockets opened by libp2p itself.

use std::fmt;

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, OrTransport};
use libp2p::core::upgrade::Version;
use libp2p::futures::future::Either;
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId, Transport as _, noise, relay, yamux};

/// What carries a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    Tcp,
    WebSocket,
    Quic,
}

impl Carrier {
    pub(crate) const ALL: [Self; 3] = [Self::Tcp, Self::WebSocket, Self::Quic];

    /// Where to listen on this machine.
    pub(crate) fn loopback(self) -> &'static str {
        match self {
            Self::Tcp => "/ip4/127.0.0.1/tcp/0",
            Self::WebSocket => "/ip4/127.0.0.1/tcp/0/ws",
            Self::Quic => "/ip4/127.0.0.1/udp/0/quic-v1",
        }
    }

    pub(crate) fn address(self) -> Multiaddr {
        self.loopback().parse().unwrap()
    }
}

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.loopback())
    }
}

/// Every stock transport, and circuits over them, with their default configuration.
pub(crate) fn stock(identity: &Keypair, circuits: relay::client::Transport) -> Boxed<(PeerId, StreamMuxerBox)> {
    let tcp = || libp2p_tcp::tokio::Transport::new(libp2p_tcp::Config::default());
    let streams = OrTransport::new(circuits, OrTransport::new(libp2p_websocket::Config::new(tcp()), tcp()));
    let streams = streams
        .upgrade(Version::V1)
        .authenticate(noise::Config::new(identity).unwrap())
        .multiplex(yamux::Config::default())
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let quic = libp2p_quic::tokio::Transport::new(libp2p_quic::Config::new(identity));
    OrTransport::new(quic, streams)
        .map(|output, _| match output {
            Either::Left((peer, connection)) => (peer, StreamMuxerBox::new(connection)),
            Either::Right(output) => output,
        })
        .boxed()
}
