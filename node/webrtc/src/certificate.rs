//! The certificate of DTLS and its fingerprint (RFC 8122; multihash in libp2p addresses).

use std::fmt;

use rtc::crypto::{HashAlgorithm, RTCCryptoProvider, SignatureScheme};
use rtc::dtls::crypto::Certificate as DtlsCertificate;
use thiserror::Error;

/// Code of SHA-256 in the multihash table.
const SHA2_256: u8 = 0x12;
/// Bytes of a SHA-256 digest.
const DIGEST: usize = 32;
/// The most bytes of a PEM text that we read: a P-256 key and a self-signed certificate take about 1 KiB.
const MAX_PEM: usize = 16 * 1024;

/// A self-signed ECDSA P-256 certificate with its private key.
///
/// It is valid until the year 4096: nobody checks more of it than its fingerprint, and an address of webrtc-direct must outlive restarts.
#[derive(Clone)]
pub struct Certificate {
    dtls: DtlsCertificate,
    fingerprint: Fingerprint,
    pem: String,
}

/// Why a certificate could not be made or read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CertificateError {
    /// The cryptography did not produce one.
    #[error("no certificate could be generated: {reason}")]
    Generate {
        /// What it says.
        reason: String,
    },
    /// The text is not one of ours.
    #[error(
        "the text holds no usable certificate: {reason}; expected a PRIVATE_KEY block (PKCS#8, P-256) and a CERTIFICATE block: \
         restore the file, or remove it to get a new certificate and a new address"
    )]
    Pem {
        /// What is wrong with it.
        reason: String,
    },
    /// The private key is not the one of the certificate.
    #[error(
        "the private key does not belong to the certificate: restore the file, or remove it to get a new certificate"
    )]
    Mismatch,
}

/// Why a text or bytes are not a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FingerprintError {
    /// Another hash than SHA-256.
    #[error("the fingerprint uses another hash than SHA-256, the only one that is supported")]
    OtherHash,
    /// The wrong number of bytes.
    #[error("the fingerprint has {found} bytes, expected 32")]
    Length {
        /// How many there are.
        found: usize,
    },
    /// Not pairs of hexadecimal digits with colons between them.
    #[error("the fingerprint is not written as 32 pairs of hexadecimal digits with colons between them")]
    Text,
}

impl Certificate {
    /// Makes a new one.
    pub fn generate() -> Result<Self, CertificateError> {
        let provider = provider();
        let dtls = DtlsCertificate::generate_self_signed(vec!["libp2p".to_owned()], provider.crypto())
            .map_err(|error| CertificateError::Generate { reason: error.to_string() })?;
        Self::new(dtls).map_err(|error| CertificateError::Generate { reason: error.to_string() })
    }

    /// Reads what [`Certificate::to_pem`] wrote.
    pub fn from_pem(pem: &str) -> Result<Self, CertificateError> {
        if pem.len() > MAX_PEM {
            return Err(CertificateError::Pem {
                reason: format!("it has {} bytes, at most {MAX_PEM} are read", pem.len()),
            });
        }
        let dtls = DtlsCertificate::from_pem(pem, provider().crypto())
            .map_err(|error| CertificateError::Pem { reason: error.to_string() })?;
        Self::new(dtls)
    }

    /// The private key and the certificate as PEM blocks: a secret.
    pub fn to_pem(&self) -> String {
        self.pem.clone()
    }

    /// The SHA-256 digest of the certificate.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    pub(crate) fn dtls(&self) -> &DtlsCertificate {
        &self.dtls
    }

    fn new(dtls: DtlsCertificate) -> Result<Self, CertificateError> {
        let [der] = &dtls.certificate[..] else {
            return Err(CertificateError::Pem { reason: format!("it has {} certificates", dtls.certificate.len()) });
        };
        let key = &dtls.private_key.signing_key;
        if !key.supports(SignatureScheme::EcdsaP256Sha256) {
            return Err(CertificateError::Pem { reason: "its key is not of P-256".to_owned() });
        }
        // A certificate holds the public key as it is.
        let public = key.public_key().bytes;
        if !der.windows(public.len().max(1)).any(|window| window == public) {
            return Err(CertificateError::Mismatch);
        }
        let fingerprint = Fingerprint::of(der.as_ref());
        let pem = dtls.serialize_pem().map_err(|error| CertificateError::Pem { reason: error.to_string() })?;
        Ok(Self { dtls, fingerprint, pem })
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Certificate").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

/// The SHA-256 digest of a certificate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; DIGEST]);

impl Fingerprint {
    /// From a multihash: the code of SHA-256 (0x12), the length (0x20) and the digest.
    pub fn from_multihash(bytes: &[u8]) -> Result<Self, FingerprintError> {
        match bytes {
            [SHA2_256, length, digest @ ..] => {
                let digest =
                    <[u8; DIGEST]>::try_from(digest).map_err(|_| FingerprintError::Length { found: digest.len() })?;
                if usize::from(*length) == DIGEST {
                    Ok(Self(digest))
                } else {
                    Err(FingerprintError::Length { found: usize::from(*length) })
                }
            }
            _ => Err(FingerprintError::OtherHash),
        }
    }

    /// As a multihash.
    pub fn to_multihash(&self) -> Vec<u8> {
        let mut bytes = vec![SHA2_256, DIGEST as u8];
        bytes.extend_from_slice(&self.0);
        bytes
    }

    /// From the text of SDP, `AA:BB:..`, in either case (RFC 8122 section 5).
    pub fn from_sdp(text: &str) -> Result<Self, FingerprintError> {
        let mut digest = [0; DIGEST];
        let mut found = 0;
        for pair in text.split(':') {
            let byte = match pair.as_bytes() {
                [high, low] => digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low),
                _ => None,
            };
            let byte = byte.ok_or(FingerprintError::Text)?;
            if let Some(slot) = digest.get_mut(found) {
                *slot = byte;
            }
            found += 1;
        }
        if found == DIGEST { Ok(Self(digest)) } else { Err(FingerprintError::Length { found }) }
    }

    /// As SDP writes it: pairs of upper-case digits with colons between them.
    pub fn to_sdp(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
    }

    /// Of a certificate in DER.
    pub(crate) fn of(der: &[u8]) -> Self {
        let digest = provider().crypto().hash(HashAlgorithm::Sha256, der).expect("the provider hashes with SHA-256");
        Self(<[u8; DIGEST]>::try_from(digest.as_ref()).expect("a SHA-256 digest has 32 bytes"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Fingerprint({})", self.to_sdp())
    }
}

/// The cryptography of DTLS, ICE and certificates: ring, so that one source of entropy serves everything.
pub(crate) fn provider() -> std::sync::Arc<dyn RTCCryptoProvider> {
    rtc::crypto::default_provider().expect("the ring provider is compiled in")
}

fn digit(text: u8) -> Option<u8> {
    char::from(text).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests;
