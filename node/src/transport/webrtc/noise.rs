//! Proof of identity: a noise XX handshake over data channel 0, bound to both DTLS certificates (libp2p WebRTC Direct, "Connection
//! Security").
//!
//! The server is noise's initiator, because it is the one that can send first after a DTLS 1.2 handshake.

use darkswap_webrtc::certificate::Fingerprint;
use libp2p::core::UpgradeInfo as _;
use libp2p::core::upgrade::{InboundConnectionUpgrade as _, OutboundConnectionUpgrade as _};
use libp2p::identity::Keypair;
use libp2p::{PeerId, noise};

use super::substream::Substream;

const PREFIX: &[u8] = b"libp2p-webrtc-noise:";

/// Which end of the DTLS connection this is, with the fingerprints of both.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) client: Fingerprint,
    pub(super) server: Fingerprint,
}

impl Ends {
    fn prologue(&self) -> Vec<u8> {
        [PREFIX, &self.client.to_multihash(), &self.server.to_multihash()].concat()
    }
}

/// Channel 0 after the handshake. It is of no further use, but both ends keep it: its end is the end of the connection.
pub(super) type Handshake = noise::Output<Substream>;

/// Proves our identity to the server, and learns the server's.
pub(super) async fn to_server(
    identity: &Keypair,
    ends: Ends,
    channel: Substream,
) -> Result<(PeerId, Handshake), noise::Error> {
    let config = noise::Config::new(identity)?.with_prologue(ends.prologue());
    let protocol = config.protocol_info().next().expect("noise has one protocol name");
    config.upgrade_inbound(channel, protocol).await
}

/// Proves our identity to the client, and learns the client's.
pub(super) async fn to_client(
    identity: &Keypair,
    ends: Ends,
    channel: Substream,
) -> Result<(PeerId, Handshake), noise::Error> {
    let config = noise::Config::new(identity)?.with_prologue(ends.prologue());
    let protocol = config.protocol_info().next().expect("noise has one protocol name");
    config.upgrade_outbound(channel, protocol).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The specification's test vector.
    #[test]
    fn the_prologue_is_the_clients_fingerprint_and_then_the_servers() {
        let fingerprint = |hex: &str| {
            let digest = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
            Fingerprint::from_multihash(&[&[0x12, 0x20], &digest[..]].concat()).unwrap()
        };
        let ends = Ends {
            client: fingerprint("3e79af40d6059617a0d83b83a52ce73b0c1f37a72c6043ad2969e2351bdca870"),
            server: fingerprint("30fc9f469c207419dfdd0aab5f27a86c973c94e40548db9375cca2e915973b99"),
        };
        assert_eq!(
            data_encoding::HEXLOWER.encode(&ends.prologue()),
            "6c69627032702d7765627274632d6e6f6973653a12203e79af40d6059617a0d83b83a52ce73b0c1f37a72c6043ad2969e2351bdca870\
             122030fc9f469c207419dfdd0aab5f27a86c973c94e40548db9375cca2e915973b99"
        );
    }
}
