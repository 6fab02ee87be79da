/// What every ufrag of webrtc-direct begins with; another version of the protocol would have another prefix.
pub const UFRAG_PREFIX: &str = "libp2p+webrtc+v1/";

/// Shortest ufrag. It is the password too, and RFC 8445, section 5.3, asks for 22 characters of that.
const MIN_UFRAG: usize = 22;

/// Longest ufrag (RFC 8445, section 5.3).
const MAX_UFRAG: usize = 256;

/// Characters that a new ufrag is drawn from: 62 letters and digits, and two more of the ice-chars to make 64.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Why a text is not a ufrag of webrtc-direct.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UfragError {
    /// It does not begin with [`UFRAG_PREFIX`].
    #[error(
        "found a ufrag without the prefix {UFRAG_PREFIX}: the peer speaks another protocol or another version of it"
    )]
    Prefix,
    /// It is too short or too long.
    #[error("found a ufrag of {found} characters, expected {MIN_UFRAG} to {MAX_UFRAG}")]
    Length {
        /// Its length.
        found: usize,
    },
    /// It has a character that is not an ice-char.
    #[error("found a ufrag with other characters than letters, digits, '+' and '/'")]
    Character,
    /// The two ends have different ones.
    #[error("found a USERNAME with two different ufrags, expected the same one twice")]
    Different,
}

/// Returns the text if it is a ufrag of webrtc-direct.
///
/// # Errors
/// If it is not.
pub fn check_ufrag(ufrag: &str) -> Result<&str, UfragError> {
    if !(MIN_UFRAG..=MAX_UFRAG).contains(&ufrag.len()) {
        return Err(UfragError::Length { found: ufrag.len() });
    }
    if !ufrag.starts_with(UFRAG_PREFIX) {
        return Err(UfragError::Prefix);
    }
    if !ufrag.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')) {
        return Err(UfragError::Character);
    }
    Ok(ufrag)
}

/// A new ufrag for a dial, from 32 bytes of entropy (192 bits of it remain).
pub fn ufrag(entropy: [u8; 32]) -> String {
    let letters = entropy.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 64)]));
    UFRAG_PREFIX.chars().chain(letters).collect()
}
