//! TLS to an Electrum server: by the certificate's name and issuer, or by its fingerprint.

use std::io;
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use bitcoin::hashes::{Hash as _, sha256};
use bitcoin::hex::DisplayHex as _;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::misbehaviour::{Misbehaviour, Trouble};
use crate::config::{Security, ServerAddress};
use crate::ice_server::Host;
use crate::runtime::Runtime;

/// Roots that are trusted: Mozilla's, which are the same on every host.
static ROOTS: LazyLock<Arc<RootCertStore>> =
    LazyLock::new(|| Arc::new(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }));

/// Shakes hands on a new connection. A certificate that is not trusted is the server's fault, everything else the world's.
pub(super) async fn secure<S>(
    stream: S,
    address: &ServerAddress,
    security: Security,
    runtime: &Arc<dyn Runtime>,
) -> Result<TlsStream<S>, Trouble>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let lost = |error: &dyn std::fmt::Display| Trouble::Lost(format!("TLS is not possible: {error}"));
    let name = match &address.host {
        Host::Ip(ip) => ServerName::IpAddress((*ip).into()),
        Host::Name(name) => ServerName::try_from(name.clone()).map_err(|error| lost(&error))?,
    };
    let provider = Arc::new(ring::default_provider());
    let trust = match security {
        Security::Pinned(pin) => Trust::Pin(pin),
        Security::Plain | Security::Roots => {
            let roots = WebPkiServerVerifier::builder_with_provider(ROOTS.clone(), provider.clone()).build();
            Trust::Roots(roots.map_err(|error| lost(&error))?)
        }
    };
    let refusal = Arc::new(OnceLock::new());
    let verifier = Arc::new(Verifier { trust, provider: provider.clone(), refusal: refusal.clone() });
    let clock = Arc::new(Calendar(runtime.clone()));
    let config = ClientConfig::builder_with_details(provider, clock)
        .with_safe_default_protocol_versions()
        .map_err(|error| lost(&error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| match refusal.get() {
        Some(found) => Misbehaviour::Certificate(found.clone()).into(),
        None => Trouble::Lost(handshake_failed(&error)),
    })
}

fn handshake_failed(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return "the server closed the connection during the TLS handshake: is it a port without TLS?".to_owned();
    }
    format!("the TLS handshake failed: {error}")
}

/// Whom to trust.
#[derive(Debug)]
enum Trust {
    Roots(Arc<WebPkiServerVerifier>),
    Pin([u8; 32]),
}

/// Judges a certificate, and keeps why it was refused.
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
    refusal: Arc<OnceLock<String>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let found = sha256::Hash::hash(end_entity).to_byte_array();
        let refuse = |reason: String, error: rustls::Error| {
            let _ = self.refusal.set(format!("{reason}; its fingerprint is sha256={}", found.to_lower_hex_string()));
            error
        };
        match &self.trust {
            Trust::Roots(roots) => roots
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
                .map_err(|error| refuse(error.to_string(), error)),
            Trust::Pin(pin) if *pin == found => Ok(ServerCertVerified::assertion()),
            Trust::Pin(_) => {
                let error = rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure);
                Err(refuse("it is not the pinned one".to_owned(), error))
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The calendar behind the seam, for the dates in certificates.
#[derive(Debug)]
struct Calendar(Arc<dyn Runtime>);

impl TimeProvider for Calendar {
    fn current_time(&self) -> Option<UnixTime> {
        let now: Duration = self.0.wall_clock();
        Some(UnixTime::since_unix_epoch(now))
    }
}

#[cfg(test)]
mod tests {
    use rustls::ServerConfig;
    use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::TokioRuntime;

    /// What comes of a handshake with a server that made its certificate itself; its fingerprint.
    async fn shake(security: impl FnOnce([u8; 32]) -> Security) -> (Result<Vec<u8>, Trouble>, String) {
        let made = rcgen::generate_simple_self_signed(["electrum.example.org".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let fingerprint = sha256::Hash::hash(&certificate).to_byte_array();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let (ours, theirs) = duplex(1 << 16);
        let server = async {
            if let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(theirs).await {
                let _ = stream.write_all(b"hello").await;
                let _ = stream.shutdown().await;
            }
        };
        let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime);
        let address = "electrum.example.org:50002".parse().unwrap();
        let client = async {
            let mut stream = secure(ours, &address, security(fingerprint), &runtime).await?;
            let mut heard = Vec::new();
            stream.read_to_end(&mut heard).await.unwrap();
            Ok(heard)
        };
        (futures::join!(client, server).0, fingerprint.to_lower_hex_string())
    }

    #[tokio::test]
    async fn a_pinned_certificate_is_taken_whoever_made_it() {
        assert_eq!(shake(Security::Pinned).await.0, Ok(b"hello".to_vec()));
    }

    #[tokio::test]
    async fn another_certificate_than_the_pinned_one_is_refused_with_its_fingerprint() {
        let (refused, fingerprint) = shake(|_| Security::Pinned([7; 32])).await;
        let Err(Trouble::Misbehaved(misbehaviour)) = refused else { panic!("{refused:?}") };
        let message = misbehaviour.to_string();
        assert!(message.contains("not the pinned one") && message.contains(&fingerprint), "{message}");
    }

    #[tokio::test]
    async fn a_certificate_of_nobody_known_is_refused_with_its_fingerprint() {
        let (refused, fingerprint) = shake(|_| Security::Roots).await;
        let Err(Trouble::Misbehaved(misbehaviour)) = refused else { panic!("{refused:?}") };
        let message = misbehaviour.to_string();
        assert!(message.contains("UnknownIssuer") && message.contains(&fingerprint), "{message}");
        assert!(message.contains("#sha256="), "it says what to do: {message}");
    }

    #[tokio::test]
    async fn a_server_without_tls_is_named_as_one() {
        let (ours, mut theirs) = duplex(1 << 16);
        let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime);
        let address = "127.0.0.1:50001".parse().unwrap();
        let server = async {
            let mut hello = [0; 16];
            let _ = theirs.read(&mut hello).await;
            drop(theirs);
        };
        let (refused, ()) = futures::join!(secure(ours, &address, Security::Roots, &runtime), server);
        let Err(Trouble::Lost(reason)) = refused else { panic!("{:?}", refused.map(drop)) };
        assert!(reason.contains("TLS handshake"), "{reason}");
    }
}
