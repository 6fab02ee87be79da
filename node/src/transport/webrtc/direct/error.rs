//! Why a webrtc-direct connection was not made.

use std::io;
use std::net::SocketAddr;

use darkswap_webrtc::certificate::{CertificateError, Fingerprint};
use darkswap_webrtc::connection::ConnectionError;
use libp2p::{PeerId, noise};
use thiserror::Error;

use crate::limits::fixed::webrtc::HANDSHAKE;
use crate::transport::webrtc::End;

/// Why a webrtc-direct connection was not made.
#[derive(Debug, Error)]
pub enum Error {
    /// The host refused a socket, or it was lost.
    #[error("{0}")]
    Socket(#[from] io::Error),
    /// No address of this host is of the remote's family.
    #[error("found no local address to reach {0} from, expected one of the same family")]
    NoLocalAddress(SocketAddr),
    /// A certificate for this connection could not be made.
    #[error("{0}")]
    Certificate(#[from] CertificateError),
    /// The connection could not be set up locally.
    #[error("{0}")]
    SetUp(#[from] ConnectionError),
    /// The server showed another certificate than the address names; its address is out of date, or somebody is in between.
    #[error("found a server with the certificate {}, expected {} (/certhash): ask for its current address", found.to_sdp(), expected.to_sdp())]
    WrongCertificate {
        /// The fingerprint of the certificate that it showed.
        found: Fingerprint,
        /// What the address names.
        expected: Fingerprint,
    },
    /// The connection ended before the peer had proved who it is.
    #[error("the connection ended during its set-up: {0}")]
    Ended(#[from] End),
    /// The set-up took too long.
    #[error("no WebRTC connection within {HANDSHAKE:?}")]
    TimedOut,
    /// The peer did not prove who it is.
    #[error("noise failed: {0}")]
    Noise(#[from] noise::Error),
    /// Somebody else answered.
    #[error("found peer {found}, expected {expected}")]
    WrongPeer {
        /// Who answered.
        found: PeerId,
        /// Whom the address names.
        expected: PeerId,
    },
}
