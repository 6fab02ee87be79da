//! The file that holds a node's private key.
//!
//! Clear text of three lines, so that a person sees what it is and whose:
//!
//! ```text
//! darkswap identity v1, private key: keep it secret
//! peer 12D3KooW...
//! key <base64 of the libp2p protobuf encoding of an Ed25519 key pair>
//! ```
//!
//! It is readable for its owner only, is written completely or not at all, and is never overwritten. On Windows, where files have
//! no mode, the folder's access list is what protects it.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use libp2p::PeerId;
use libp2p::identity::Keypair;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::private_file::{self, Refusal};
use crate::runtime::Runtime;

const HEADER: &str = "darkswap identity v1, private key: keep it secret";

/// A genuine file has about 210 bytes.
const FILE_LIMIT: u64 = 4_096;

/// Bytes of an Ed25519 seed (RFC 8032 section 5.1.5).
const SEED: usize = 32;

/// Why an identity file could not be read or written.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// The host's error.
    #[error("cannot {action} the identity file {}", path.display())]
    Io {
        /// What was tried: `read`, `create`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The host's error.
        source: io::Error,
    },
    /// There is one already; it is never overwritten.
    #[error("the identity file {} exists already and is never overwritten", .0.display())]
    Exists(PathBuf),
    /// Other users of the host may read it.
    #[error(
        "the identity file {} can be read by others: found mode {mode:04o}, expected 0600; run `chmod 600 {}`",
        path.display(), path.display()
    )]
    ReadableByOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The content is not an identity: truncated, damaged, or another kind of file.
    #[error("{}:{line}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What was found and what was expected.
        reason: String,
    },
}

/// Makes a new Ed25519 identity from the runtime's entropy.
#[must_use]
pub fn generate(runtime: &dyn Runtime) -> Keypair {
    let mut seed = Zeroizing::new([0_u8; SEED]);
    runtime.fill_random(&mut *seed);
    Keypair::ed25519_from_bytes(&mut *seed).expect("every 32 bytes are an Ed25519 seed")
}

/// Writes an identity to a new file with mode 0600.
///
/// # Errors
/// [`IdentityError::Exists`] when there is a file already, [`IdentityError::Io`].
pub fn create(path: &Path, identity: &Keypair) -> Result<(), IdentityError> {
    let failed = |source| IdentityError::Io { action: "create", path: path.to_owned(), source };
    private_file::create(path, render(identity).as_bytes()).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => IdentityError::Exists(path.to_owned()),
        _ => failed(error),
    })
}

/// Reads an identity file.
///
/// # Errors
/// [`IdentityError::ReadableByOthers`], [`IdentityError::Malformed`] when it is truncated, damaged or holds a key of another type,
/// [`IdentityError::Io`].
pub fn load(path: &Path) -> Result<Keypair, IdentityError> {
    let bytes = private_file::read(path, FILE_LIMIT).map_err(|refusal| match refusal {
        Refusal::Io(source) => IdentityError::Io { action: "read", path: path.to_owned(), source },
        Refusal::ReadableByOthers(mode) => IdentityError::ReadableByOthers { path: path.to_owned(), mode },
    })?;
    parse(&bytes).map_err(|(line, reason)| IdentityError::Malformed { path: path.to_owned(), line, reason })
}

fn render(identity: &Keypair) -> Zeroizing<String> {
    let encoded = Zeroizing::new(identity.to_protobuf_encoding().expect("an Ed25519 key pair has a protobuf encoding"));
    // Reserved at once, so that growing leaves no copy of the key behind.
    let mut text = Zeroizing::new(String::with_capacity(FILE_LIMIT as usize));
    let _ =
        write!(text, "{HEADER}\npeer {}\nkey {}\n", identity.public().to_peer_id(), BASE64.encode_display(&encoded));
    text
}

/// The identity, or the line and what is wrong with it. No message repeats a part of the key.
fn parse(bytes: &[u8]) -> Result<Keypair, (usize, String)> {
    let text =
        std::str::from_utf8(bytes).map_err(|_| (1, "found binary data, expected a darkswap identity".to_owned()))?;
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        return Err((1, format!("not a darkswap identity: expected the line `{HEADER}`")));
    }
    let peer: PeerId =
        field(lines.next(), 2, "peer")?.parse().map_err(|_| (2, "the peer id is truncated or damaged".to_owned()))?;
    let key = field(lines.next(), 3, "key")?;
    let encoded = Zeroizing::new(
        BASE64
            .decode(key.as_bytes())
            .map_err(|_| (3, "the key is truncated or damaged: it is not base64".to_owned()))?,
    );
    refuse_other_key_type(&encoded).map_err(|reason| (3, reason))?;
    let identity = Keypair::from_protobuf_encoding(&encoded)
        .map_err(|_| (3, "the key is truncated or damaged: it is not an Ed25519 key pair".to_owned()))?;
    if identity.public().to_peer_id() != peer {
        return Err((3, format!("the key is not that of peer {peer}: one of the two lines was changed")));
    }
    if lines.any(|line| !line.is_empty()) {
        return Err((4, "found more lines, expected the end of the file".to_owned()));
    }
    Ok(identity)
}

fn field<'a>(line: Option<&'a str>, number: usize, name: &str) -> Result<&'a str, (usize, String)> {
    line.and_then(|line| line.strip_prefix(name)?.strip_prefix(' '))
        .map(str::trim_end)
        .ok_or_else(|| (number, format!("the file is truncated or damaged: expected the line `{name} ...`")))
}

/// The first field of the protobuf encoding is the key type (libp2p specification, peer ids).
fn refuse_other_key_type(encoded: &[u8]) -> Result<(), String> {
    const TYPE_FIELD: u8 = 0x08;
    let found = match encoded {
        [TYPE_FIELD, 0, ..] => "an RSA key",
        [TYPE_FIELD, 2, ..] => "a Secp256k1 key",
        [TYPE_FIELD, 3, ..] => "an ECDSA key",
        _ => return Ok(()),
    };
    Err(format!("found {found}, expected an Ed25519 key"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TokioRuntime;

    fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity");
        create(&path, &generate(&TokioRuntime)).unwrap();
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    fn genuine() -> String {
        render(&generate(&TokioRuntime)).to_string()
    }

    #[test]
    fn a_written_identity_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity");
        let identity = generate(&TokioRuntime);
        create(&path, &identity).unwrap();
        assert_eq!(load(&path).unwrap().public(), identity.public());
    }

    #[test]
    fn an_existing_file_is_never_overwritten() {
        let (_folder, path) = written("precious");
        let refused = create(&path, &generate(&TokioRuntime));
        assert!(matches!(refused, Err(IdentityError::Exists(_))), "{refused:?}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_private_and_a_public_one_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_folder, path) = written(&genuine());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let refused = load(&path).unwrap_err().to_string();
        assert!(refused.contains("0640") && refused.contains("chmod 600"), "{refused}");
    }

    #[test]
    fn every_truncation_is_refused() {
        let text = genuine();
        for length in 0..text.len() - 1 {
            assert!(parse(&text.as_bytes()[..length]).is_err(), "{length} bytes were accepted");
        }
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let text = genuine();
        let genuine = parse(text.as_bytes()).unwrap().public();
        for index in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[index] ^= 1;
            if let Ok(accepted) = parse(&bytes) {
                assert_eq!(accepted.public(), genuine, "byte {index}");
            }
        }
    }

    #[test]
    fn keys_of_another_type_are_named() {
        let text = genuine();
        let secp256k1 = BASE64.encode(&[&[0x08, 2, 0x12, 32][..], &[7; 32]].concat());
        let text = format!("{}\nkey {secp256k1}\n", text.lines().take(2).collect::<Vec<_>>().join("\n"));
        let (line, reason) = parse(text.as_bytes()).unwrap_err();
        assert_eq!((line, reason.as_str()), (3, "found a Secp256k1 key, expected an Ed25519 key"));
    }

    proptest::proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..512)) {
            let _ = parse(&bytes);
        }
    }
}
