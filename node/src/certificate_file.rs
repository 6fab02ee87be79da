//! The file that holds the certificate of a node's WebRTC connections and its private key.
//!
//! Two lines for people and against damage, then PEM:
//!
//! ```text
//! darkswap certificate v1, private key: keep it secret
//! fingerprint <SHA-256 of the certificate as in SDP, RFC 8122>
//! -----BEGIN ...
//! ```
//!
//! A webrtc-direct address names the certificate's fingerprint (`/certhash/..`), so a node that lost the file could no longer be
//! reached at its published addresses. It says nothing about who the node is: that is the identity's part.

use std::io;
use std::path::{Path, PathBuf};

use darkswap_webrtc::certificate::{Certificate, CertificateError};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::private_file::{self, Refusal};

const HEADER: &str = "darkswap certificate v1, private key: keep it secret";

/// A genuine file has about 1,000 bytes.
const FILE_LIMIT: u64 = 16 << 10;

/// Why a certificate file could not be read or written.
#[derive(Debug, Error)]
pub enum CertificateFileError {
    /// The host's error.
    #[error("cannot {action} the certificate file {}", path.display())]
    Io {
        /// What was tried: `read`, `create`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The host's error.
        source: io::Error,
    },
    /// Other users of the host may read it.
    #[error(
        "the certificate file {} can be read by others: found mode {mode:04o}, expected 0600; run `chmod 600 {}`",
        path.display(), path.display()
    )]
    ReadableByOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The content is not a certificate with its key: truncated, damaged, or another kind of file.
    #[error(
        "{}:{line}: {reason}; restore the file, or remove it to get a new one (webrtc-direct addresses that others know stop \
         working then)",
        path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What was found and what was expected.
        reason: String,
    },
    /// None could be made.
    #[error("cannot make a certificate")]
    Generate(#[source] CertificateError),
}

/// Whether a file was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provenance {
    /// It was read.
    Kept,
    /// There was none; it was made.
    Made,
}

/// Reads the certificate file, or makes one when there is none. A damaged one is never replaced.
///
/// # Errors
/// Whatever is wrong with the file that exists, or why none could be made.
pub fn load_or_create(path: &Path) -> Result<(Certificate, Provenance), CertificateFileError> {
    match load(path) {
        Err(CertificateFileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
        loaded => return Ok((loaded?, Provenance::Kept)),
    }
    let certificate = Certificate::generate().map_err(CertificateFileError::Generate)?;
    match private_file::create(path, render(&certificate).as_bytes()) {
        Ok(()) => Ok((certificate, Provenance::Made)),
        // Another process was quicker.
        Err(refused) if refused.kind() == io::ErrorKind::AlreadyExists => Ok((load(path)?, Provenance::Kept)),
        Err(source) => Err(CertificateFileError::Io { action: "create", path: path.to_owned(), source }),
    }
}

/// Reads a certificate file.
///
/// # Errors
/// [`CertificateFileError::ReadableByOthers`], [`CertificateFileError::Malformed`], [`CertificateFileError::Io`].
pub fn load(path: &Path) -> Result<Certificate, CertificateFileError> {
    let bytes = private_file::read(path, FILE_LIMIT).map_err(|refusal| match refusal {
        Refusal::Io(source) => CertificateFileError::Io { action: "read", path: path.to_owned(), source },
        Refusal::ReadableByOthers(mode) => CertificateFileError::ReadableByOthers { path: path.to_owned(), mode },
    })?;
    parse(&bytes).map_err(|(line, reason)| CertificateFileError::Malformed { path: path.to_owned(), line, reason })
}

fn render(certificate: &Certificate) -> Zeroizing<String> {
    let pem = Zeroizing::new(certificate.to_pem());
    Zeroizing::new(format!("{HEADER}\nfingerprint {}\n{}", certificate.fingerprint().to_sdp(), pem.as_str()))
}

/// The certificate, or the line and what is wrong with it. No message repeats a part of the key.
fn parse(bytes: &[u8]) -> Result<Certificate, (usize, String)> {
    let text =
        std::str::from_utf8(bytes).map_err(|_| (1, "found binary data, expected a darkswap certificate".to_owned()))?;
    let mut parts = text.splitn(3, '\n');
    if parts.next() != Some(HEADER) {
        return Err((1, format!("not a darkswap certificate: expected the line `{HEADER}`")));
    }
    let fingerprint = parts
        .next()
        .and_then(|line| line.strip_prefix("fingerprint "))
        .ok_or_else(|| (2, "the file is truncated or damaged: expected the line `fingerprint ...`".to_owned()))?;
    let certificate = Certificate::from_pem(parts.next().unwrap_or_default()).map_err(|error| match error {
        CertificateError::Mismatch => {
            (3, "the key is not that of the certificate: one of the two was changed".to_owned())
        }
        CertificateError::Pem { reason } | CertificateError::Generate { reason } => {
            (3, format!("the certificate or its key is truncated or damaged: {reason}"))
        }
    })?;
    // DTLS would not notice a damaged certificate: peers compare the fingerprint, which would be another one.
    if certificate.fingerprint().to_sdp() != fingerprint {
        return Err((2, "the fingerprint is not that of the certificate: one of the two was changed".to_owned()));
    }
    Ok(certificate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> (tempfile::TempDir, PathBuf, Certificate) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("certificate.pem");
        let (certificate, provenance) = load_or_create(&path).unwrap();
        assert_eq!(provenance, Provenance::Made);
        (folder, path, certificate)
    }

    #[test]
    fn the_fingerprint_is_the_same_after_a_restart() {
        let (_folder, path, certificate) = made();
        let (again, provenance) = load_or_create(&path).unwrap();
        assert_eq!((again.fingerprint(), provenance), (certificate.fingerprint(), Provenance::Kept));
    }

    #[test]
    fn a_damaged_file_is_refused_and_never_replaced() {
        let (_folder, path, _) = made();
        let whole = std::fs::read(&path).unwrap();
        let truncated = &whole[..whole.len() / 2];
        for damaged in [&b""[..], b"\xff\xfe", b"precious", truncated] {
            std::fs::write(&path, damaged).unwrap();
            let refused = load_or_create(&path);
            assert!(matches!(refused, Err(CertificateFileError::Malformed { .. })), "{refused:?}");
            let message = refused.unwrap_err().to_string();
            assert!(message.contains("certificate.pem:") && message.contains("restore the file"), "{message}");
            assert_eq!(std::fs::read(&path).unwrap(), damaged);
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_private_and_a_public_one_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_folder, path, _) = made();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let refused = load_or_create(&path).unwrap_err().to_string();
        assert!(refused.contains("0644") && refused.contains("chmod 600"), "{refused}");
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let (_folder, path, certificate) = made();
        let whole = std::fs::read(&path).unwrap();
        for index in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[index] ^= 1;
            if let Ok(accepted) = parse(&bytes) {
                assert_eq!(accepted.fingerprint(), certificate.fingerprint(), "byte {index}");
            }
        }
    }

    #[test]
    fn every_truncation_is_refused() {
        let (_folder, path, _) = made();
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.trim_ascii_end().len() {
            assert!(parse(&whole[..length]).is_err(), "{length} bytes were accepted");
        }
    }

    proptest::proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..512)) {
            let _ = parse(&bytes);
        }
    }
}
