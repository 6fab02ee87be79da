//! TLS for QUIC after the libp2p TLS specification, on ring.
//!
//! `libp2p-tls` makes and reads the certificates; its ready-made configurations use aws-lc, whose entropy cannot be made
//! deterministic, so the rustls configurations are built here.

use std::sync::Arc;

use libp2p::PeerId;
use libp2p::identity::Keypair;
use libp2p_tls::certificate;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};
use thiserror::Error;

const ALPN: &[u8] = b"libp2p";

/// Why TLS could not be set up.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The certificate could not be made or signed.
    #[error("{0}")]
    Certificate(#[from] certificate::GenError),
    /// rustls refused the certificate or the algorithms.
    #[error("{0}")]
    Tls(#[from] rustls::Error),
    /// ring has no suite for QUIC's initial packets.
    #[error("{0}")]
    Suite(#[from] quinn::crypto::rustls::NoInitialCipherSuite),
}

/// The two halves of an endpoint's TLS.
pub(super) struct Tls {
    pub(super) client: Arc<QuicClientConfig>,
    pub(super) server: Arc<QuicServerConfig>,
}

pub(super) fn configure(identity: &Keypair) -> Result<Tls, TlsError> {
    let (certificate, key) = certificate::generate(identity)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(Verifier { schemes: provider.signature_verification_algorithms.supported_schemes() });
    // rustls' own way to set a certificate refuses the critical extension that libp2p puts into it.
    let signing_key = rustls::crypto::ring::sign::any_ecdsa_type(&key)?;
    let certified = Arc::new(SingleCertAndKey::from(CertifiedKey::new(vec![certificate], signing_key)));

    let mut client = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::<Verifier>::clone(&verifier))
        .with_client_cert_resolver(Arc::<SingleCertAndKey>::clone(&certified));
    client.alpn_protocols = vec![ALPN.to_vec()];
    // Tickets would let a peer reconnect without showing the certificate that proves its identity.
    client.resumption = rustls::client::Resumption::disabled();

    let mut server = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(certified);
    server.alpn_protocols = vec![ALPN.to_vec()];
    server.send_tls13_tickets = 0;

    Ok(Tls { client: Arc::new(client.try_into()?), server: Arc::new(server.try_into()?) })
}

/// The peer id that a finished connection's certificate proves.
pub(super) fn peer_id(connection: &quinn::Connection) -> Option<PeerId> {
    let identity = connection.peer_identity()?;
    let chain = identity.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    let [certificate] = chain.as_slice() else { return None };
    Some(certificate::parse(certificate).ok()?.peer_id())
}

/// Checks that a certificate is a single, self-signed one with a valid libp2p extension. Whose it is, is decided by the caller.
#[derive(Debug)]
struct Verifier {
    schemes: Vec<SignatureScheme>,
}

impl Verifier {
    fn certificate(end_entity: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> Result<(), rustls::Error> {
        if !intermediates.is_empty() {
            return Err(rustls::Error::General(format!(
                "found {} certificates, expected exactly one (libp2p TLS specification)",
                intermediates.len() + 1
            )));
        }
        certificate::parse(end_entity)?;
        Ok(())
    }

    fn signature(
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        certificate::parse(certificate)?.verify_signature(signed.scheme, message, signed.signature())?;
        Ok(HandshakeSignatureValid::assertion())
    }
}

fn only_tls13() -> rustls::Error {
    rustls::Error::General("found a TLS 1.2 handshake, expected TLS 1.3".into())
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Self::certificate(end_entity, intermediates)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(only_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Self::signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Self::certificate(end_entity, intermediates)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(only_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Self::signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_certificate_is_taken_alone_only() {
        let (certificate, _) = certificate::generate(&Keypair::generate_ed25519()).unwrap();
        assert!(Verifier::certificate(&certificate, &[]).is_ok());
        assert!(Verifier::certificate(&certificate, std::slice::from_ref(&certificate)).is_err());
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn arbitrary_bytes_are_no_certificate(bytes: Vec<u8>) {
            prop_assert!(Verifier::certificate(&CertificateDer::from(bytes), &[]).is_err());
        }

        // What surrounds the signed part is read generously; it says nothing of who the peer is.
        #[test]
        fn a_damaged_certificate_is_refused_or_proves_the_same_identity(
            at: prop::sample::Index,
            flipped in 1..=u8::MAX,
            length: prop::sample::Index,
        ) {
            let identity = Keypair::generate_ed25519();
            let (certificate, _) = certificate::generate(&identity).unwrap();
            let mut damaged = certificate.to_vec();
            damaged[at.index(certificate.len())] ^= flipped;
            let damaged = CertificateDer::from(damaged);
            if Verifier::certificate(&damaged, &[]).is_ok() {
                prop_assert_eq!(certificate::parse(&damaged).unwrap().peer_id(), identity.public().to_peer_id());
            }
            let truncated = certificate[..length.index(certificate.len())].to_vec();
            prop_assert!(Verifier::certificate(&CertificateDer::from(truncated), &[]).is_err());
        }
    }
}
