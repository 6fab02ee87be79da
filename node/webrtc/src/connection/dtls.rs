//! DTLS of one connection (RFC 6347), over the stack's sans-I/O endpoint.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rtc::dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc::dtls::endpoint::{Endpoint, EndpointEvent};
use rtc::dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc::shared::TransportProtocol;
use rtc::shared::error::Error;

use super::records::Records;
use super::{CloseReason, ConnectionError};
use crate::certificate::{Certificate, Fingerprint, provider};

/// The stack names its peers by address; ours is whoever ICE found, so the name is fixed.
pub(super) const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
const SELF: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 2);

/// When a flight is sent again; the stack gives up after seven times.
const RETRANSMISSION: Duration = Duration::from_millis(500);

/// The handshake, and then encryption both ways.
pub(super) struct Dtls {
    endpoint: Endpoint,
    /// The configuration of a client that has not begun.
    client: Option<Arc<HandshakeConfig>>,
    records: Records,
    expected: Option<Fingerprint>,
    peer: Option<Fingerprint>,
    over: bool,
}

/// What a datagram brought.
pub(super) enum DtlsEvent {
    /// The handshake is over.
    Connected,
    /// Data of the peer.
    Data(Bytes),
    /// The end.
    Closed(CloseReason),
}

impl Dtls {
    /// A client begins with [`Dtls::connect`], a server waits. Of `None`, any certificate will do.
    pub(super) fn new(
        certificate: &Certificate,
        client: bool,
        expected: Option<Fingerprint>,
    ) -> Result<Self, ConnectionError> {
        let config = ConfigBuilder::default()
            .with_crypto_provider(provider())
            .with_certificates(vec![certificate.dtls().clone()])
            // Browsers offer SRTP to every peer, and a server without a common profile would end the handshake.
            .with_srtp_protection_profiles(vec![
                SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
                SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
            ])
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            // Certificates are self-signed; `verify` compares the fingerprint before any data counts.
            .with_insecure_skip_verify(true)
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .with_flight_interval(RETRANSMISSION)
            .build(client, None)
            .map_err(|error| ConnectionError::SetUp { reason: error.to_string() })?;
        let config = Arc::new(config);
        let server = (!client).then(|| Arc::clone(&config));
        Ok(Self {
            endpoint: Endpoint::new(SELF, TransportProtocol::UDP, server),
            client: client.then_some(config),
            records: Records::new(!client),
            expected,
            peer: None,
            over: false,
        })
    }

    /// Begins the handshake of a client that has not begun.
    pub(super) fn connect(&mut self, now: Instant) -> Option<DtlsEvent> {
        let config = self.client.take()?;
        let failed = self.endpoint.connect(now, PEER, config, None).err()?;
        Some(DtlsEvent::Closed(CloseReason::Dtls { reason: failed.to_string() }))
    }

    pub(super) fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) -> Vec<DtlsEvent> {
        let Some(records) = self.records.pass(datagram, self.over) else { return Vec::new() };
        match self.endpoint.read(now, PEER, None, records) {
            Ok(events) => self.take_events(events),
            // The peer refused us; whatever else arrives broken is the same as lost.
            Err(Error::ErrAlertFatalOrClose) if !self.over => {
                vec![DtlsEvent::Closed(CloseReason::Dtls { reason: "the peer refused the handshake".to_owned() })]
            }
            Err(Error::ErrAlertFatalOrClose) => vec![DtlsEvent::Closed(CloseReason::Peer)],
            Err(error) => {
                tracing::debug!(%error, "a DTLS record was not accepted");
                Vec::new()
            }
        }
    }

    fn take_events(&mut self, events: Vec<EndpointEvent>) -> Vec<DtlsEvent> {
        let mut taken = Vec::with_capacity(events.len());
        for event in events {
            let event = match event {
                EndpointEvent::HandshakeComplete => self.verify(),
                EndpointEvent::ApplicationData(data) => DtlsEvent::Data(data.freeze()),
                EndpointEvent::PeerClosed => DtlsEvent::Closed(CloseReason::Peer),
                _ => continue,
            };
            let last = matches!(event, DtlsEvent::Closed(_));
            taken.push(event);
            if last {
                break;
            }
        }
        taken
    }

    /// Compares the peer's certificate with the announced fingerprint (RFC 8122 section 5).
    fn verify(&mut self) -> DtlsEvent {
        self.over = true;
        let certificates = self.endpoint.get_connection_state(PEER).map(|state| &state.peer_certificates);
        let Some(certificate) = certificates.and_then(|certificates| certificates.first()) else {
            return DtlsEvent::Closed(CloseReason::Dtls { reason: "the peer showed no certificate".to_owned() });
        };
        let found = Fingerprint::of(certificate);
        self.peer = Some(found);
        match self.expected {
            Some(expected) if expected != found => DtlsEvent::Closed(CloseReason::WrongFingerprint { found, expected }),
            _ => DtlsEvent::Connected,
        }
    }

    /// Encrypts.
    pub(super) fn send(&mut self, now: Instant, data: &[u8]) {
        if let Err(error) = self.endpoint.write(now, PEER, data) {
            tracing::debug!(%error, "data could not be encrypted");
        }
    }

    /// The next datagram for the peer.
    pub(super) fn poll_transmit(&mut self) -> Option<BytesMut> {
        self.endpoint.poll_transmit().map(|transmit| transmit.message)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.endpoint.poll_timeout(&PEER)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<DtlsEvent> {
        if self.poll_timeout().is_none_or(|at| at > now) {
            return None;
        }
        let failed = self.endpoint.handle_timeout(PEER, now).err()?;
        tracing::debug!(error = %failed, "the DTLS handshake got no answer");
        Some(DtlsEvent::Closed(CloseReason::Dtls { reason: "the peer does not answer".to_owned() }))
    }

    /// Says goodbye.
    pub(super) fn close(&mut self, now: Instant) {
        if let Err(error) = self.endpoint.close(now) {
            tracing::debug!(%error, "the end of DTLS could not be announced");
        }
    }

    pub(super) fn peer(&self) -> Option<Fingerprint> {
        self.peer
    }
}
