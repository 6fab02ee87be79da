//! What several fuzz targets share: how an input becomes steps, and peers that lie behind checksums, tags and encryption.

pub mod dtls;
pub mod entropy;
pub mod sctp;
pub mod stun;

use std::sync::OnceLock;

use darkswap_webrtc::certificate::Certificate;

/// The certificate of an end, made once per process: it takes long, and no finding depends on its bytes.
pub fn certificate(end: usize) -> &'static Certificate {
    static CERTIFICATES: [OnceLock<Certificate>; 2] = [OnceLock::new(), OnceLock::new()];
    CERTIFICATES[end & 1].get_or_init(|| Certificate::generate().expect("the provider makes P-256 certificates"))
}

/// An input as a list of steps: one byte of kind, one of length, then so many bytes or what is left.
pub fn steps(input: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = input;
    std::iter::from_fn(move || {
        let ([kind, length], after) = rest.split_first_chunk()?;
        let (bytes, after) = after.split_at(usize::from(*length).min(after.len()));
        rest = after;
        Some((*kind, bytes))
    })
}

/// A byte of a step, or 0.
pub fn byte(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(0)
}

/// Changes a packet by pairs of place and value; where the first is 255, the packet ends at the second.
pub fn mutate(packet: &mut Vec<u8>, changes: &[u8]) {
    for change in changes.chunks_exact(2) {
        if change[0] == 255 {
            packet.truncate(usize::from(change[1]));
        } else if let Some(byte) = packet.get_mut(usize::from(change[0])) {
            *byte ^= change[1];
        }
    }
}
