//! libp2p transports over the seam, and their composition.
//!
//! Everything below a transport's bytes comes from [`Runtime`]; everything above (noise, yamux, TLS, WebSocket framing) is
//! libp2p's, rustls' and quinn's. The published `libp2p-tcp` and `libp2p-quic` open operating-system sockets themselves, which
//! is why these exist; they speak the same protocols.

mod address;
#[cfg(test)]
pub(crate) mod arbitrary;
mod names;
pub mod quic;
pub mod tcp;

use std::io;
use std::sync::Arc;

use futures::future::Either;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, OrTransport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId, Transport, noise, relay, yamux};
use thiserror::Error;

use crate::Runtime;
use crate::event::TransportKind;
use crate::limits::fixed::{connection, stream};
use names::Names;

/// Why the transports of a node could not be made.
#[derive(Debug, Error)]
pub enum TransportError {
    /// noise could not sign its static key with the identity.
    #[error("noise cannot be set up with this identity: {0}")]
    Noise(#[from] noise::Error),
    /// QUIC's certificate could not be made from the identity.
    #[error("the QUIC certificate cannot be made: {0}")]
    Certificate(#[from] quic::TlsError),
}

/// All transports of a node: QUIC, TCP and WebSocket with noise and yamux, and circuits through relays.
///
/// # Errors
/// When the identity cannot be used for noise or for TLS.
pub fn build(
    identity: &Keypair,
    runtime: &Arc<dyn Runtime>,
    circuits: relay::client::Transport,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, TransportError> {
    let tcp = || tcp::Transport::new(Arc::clone(runtime));
    let mut websocket = libp2p_websocket::Config::new(tcp());
    websocket.set_max_data_size(stream::WEBSOCKET_FRAME).set_max_redirects(0);
    let streams = OrTransport::new(circuits, OrTransport::new(websocket, tcp()));
    let mut muxer = yamux::Config::default();
    muxer.set_max_num_streams(stream::YAMUX_STREAMS);
    let streams = streams
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(identity)?)
        .multiplex(muxer)
        .timeout(connection::HANDSHAKE)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let quic = quic::Transport::new(identity, Arc::clone(runtime))?;
    let all = OrTransport::new(quic, streams).map(|output, _| match output {
        Either::Left((peer, connection)) => (peer, StreamMuxerBox::new(connection)),
        Either::Right(output) => output,
    });
    Ok(Names::new(all, Arc::clone(runtime)).map_err(io::Error::other).boxed())
}

/// The kind of transport that an address names.
#[must_use]
pub fn kind(address: &Multiaddr) -> TransportKind {
    use libp2p::multiaddr::Protocol;
    let mut kind = TransportKind::Tcp;
    for protocol in address {
        match protocol {
            Protocol::P2pCircuit => return TransportKind::Circuit,
            Protocol::QuicV1 => kind = TransportKind::Quic,
            Protocol::Ws(_) | Protocol::Wss(_) => kind = TransportKind::WebSocket,
            _ => {}
        }
    }
    kind
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_address_has_a_kind_and_a_circuit_is_one_whatever_carries_it(address in arbitrary::multiaddr()) {
            use libp2p::multiaddr::Protocol;
            let is_circuit = address.iter().any(|protocol| protocol == Protocol::P2pCircuit);
            prop_assert_eq!(kind(&address) == TransportKind::Circuit, is_circuit);
        }
    }
}
