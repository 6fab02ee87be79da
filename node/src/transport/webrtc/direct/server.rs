//! The listening end of webrtc-direct.

use std::sync::Arc;

use darkswap_webrtc::agent::Agent;
use darkswap_webrtc::certificate::Certificate;
use darkswap_webrtc::connection::{Connection, Settings};
use libp2p::identity::Keypair;
use tokio::time::{Instant, timeout};

use super::{Error, Output};
use crate::Runtime;
use crate::limits::fixed::webrtc::HANDSHAKE;
use crate::transport::webrtc::endpoint::Arrival;
use crate::transport::webrtc::noise::{self, Ends};
use crate::transport::webrtc::{Driven, End};

/// Answers a client that made itself known, and proves who both ends are.
pub(super) async fn accept(
    (identity, certificate): (Keypair, Certificate),
    runtime: Arc<dyn Runtime>,
    Arrival { port, remote, ufrag }: Arrival,
) -> Result<Output, Error> {
    let accepting = async {
        let server = certificate.fingerprint();
        let settings = Settings { set_up_timeout: HANDSHAKE, ..Settings::new(certificate) };
        let now = Instant::now().into_std();
        let connection = Connection::direct_server(&settings, now, port.local(), remote, &ufrag)?;
        let driven = Driven::start(runtime.as_ref(), Agent::new(connection, None), vec![port]);
        driven.connected().await?;
        // Nothing has checked the client's certificate; that noise's prologue names it makes up for that.
        let client = driven.remote_fingerprint().ok_or(End::Closed)?;
        let (peer, handshake) =
            noise::to_client(&identity, Ends { client, server }, driven.handshake_channel().await?).await?;
        driven.established();
        Ok((peer, driven.into_muxer(Some(remote), Some(handshake))))
    };
    timeout(HANDSHAKE, accepting).await.unwrap_or(Err(Error::TimedOut))
}
