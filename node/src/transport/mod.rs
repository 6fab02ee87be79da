//! libp2p transports over the seam, and their composition.
//!
//! Everything below a transport's bytes comes from [`Runtime`]; everything above (noise, yamux, TLS, WebSocket framing) is
//! libp2p's, rustls' and quinn's. The published `libp2p-tcp` and `libp2p-quic` open operating-system sockets themselves, which
//! is why these exist; they speak the same protocols.

pub(crate) mod address;
#[cfg(test)]
pub(crate) mod arbitrary;
pub(crate) mod metered;
mod names;
pub mod quic;
pub mod tcp;
pub mod webrtc;
mod writers;

use std::io;
use std::sync::Arc;

use futures::future::Either;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, OptionalTransport, OrTransport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId, Transport, noise, relay, yamux};
use thiserror::Error;

use crate::Runtime;
use crate::config::WebrtcConfig;
use crate::event::TransportKind;
use crate::limits::fixed::{connection, stream};
pub use address::relay_of;
use names::Names;
pub use webrtc::DataChannels;

/// Why the transports of a node could not be made.
#[derive(Debug, Error)]
pub enum TransportError {
    /// noise could not sign its static key with the identity.
    #[error("noise cannot be set up with this identity: {0}")]
    Noise(#[from] noise::Error),
    /// QUIC's certificate could not be made from the identity.
    #[error("the QUIC certificate cannot be made: {0}")]
    Certificate(#[from] quic::TlsError),
    /// WebRTC's certificate could not be made.
    #[error("the WebRTC certificate cannot be made: {0}")]
    Webrtc(#[from] darkswap_webrtc::certificate::CertificateError),
}

/// All transports of a node: QUIC, WebRTC, TCP and WebSocket with noise and yamux, and circuits through relays. WebRTC connections
/// are added to `channels`.
///
/// # Errors
/// When the identity cannot be used for noise or for TLS.
pub fn build(
    identity: &Keypair,
    runtime: &Arc<dyn Runtime>,
    circuits: relay::client::Transport,
    webrtc: &WebrtcConfig,
    signalled: Option<webrtc::signalled::Transport>,
    channels: &DataChannels,
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
    let signalled = signalled.map_or_else(OptionalTransport::none, OptionalTransport::some);
    // `/webrtc` comes before the circuits that it is reached through, which would take its addresses for theirs.
    let webrtc = OrTransport::new(direct(identity, runtime, webrtc)?, signalled);
    let packets = OrTransport::new(quic, webrtc);
    let channels = channels.clone();
    let all = OrTransport::new(packets, streams).map(move |output, _| match output {
        Either::Left(Either::Left((peer, connection))) => (peer, StreamMuxerBox::new(connection)),
        Either::Left(Either::Right(Either::Left((peer, muxer)) | Either::Right((peer, muxer)))) => {
            channels.add(peer, &muxer);
            (peer, StreamMuxerBox::new(muxer))
        }
        Either::Right(output) => output,
    });
    Ok(Names::new(all, Arc::clone(runtime)).map_err(io::Error::other).boxed())
}

/// webrtc-direct, unless WebRTC is turned off.
fn direct(
    identity: &Keypair,
    runtime: &Arc<dyn Runtime>,
    config: &WebrtcConfig,
) -> Result<OptionalTransport<webrtc::direct::Transport>, TransportError> {
    if !config.enabled {
        return Ok(OptionalTransport::none());
    }
    let direct = webrtc::direct::Transport::new(identity, Arc::clone(runtime), config.certificate.clone())?;
    Ok(OptionalTransport::some(direct))
}

/// The kind of transport that an address names. `/webrtc` behind a circuit is a connection of its own, for which the circuit only
/// carries the signalling.
#[must_use]
pub fn kind(address: &Multiaddr) -> TransportKind {
    use libp2p::multiaddr::Protocol;
    let mut kind = TransportKind::Tcp;
    for protocol in address {
        match (protocol, kind) {
            (Protocol::P2pCircuit, _) => kind = TransportKind::Circuit,
            (Protocol::WebRTC, _) => kind = TransportKind::WebRtc,
            // What carries a circuit is in front of it.
            (_, TransportKind::Circuit) => {}
            (Protocol::QuicV1, _) => kind = TransportKind::Quic,
            (Protocol::WebRTCDirect, _) => kind = TransportKind::WebRtc,
            (Protocol::Ws(_) | Protocol::Wss(_), _) => kind = TransportKind::WebSocket,
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
        #![proptest_config(crate::cases())]
        #[test]
        fn every_address_has_a_kind_and_a_circuit_is_one_whatever_carries_it(address in arbitrary::multiaddr()) {
            use libp2p::multiaddr::Protocol;
            let decides = |protocol: &Protocol<'_>| matches!(protocol, Protocol::P2pCircuit | Protocol::WebRTC);
            let is_circuit = address.iter().filter(decides).last() == Some(Protocol::P2pCircuit);
            prop_assert_eq!(kind(&address) == TransportKind::Circuit, is_circuit);
        }
    }
}
