/// A STUN header (RFC 8489, section 5).
const HEADER: usize = 20;
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const BINDING_REQUEST: u16 = 0x0001;
const USERNAME: u16 = 0x0006;

/// Longest USERNAME: "fewer than 509 bytes" (RFC 8489, section 14.3).
const MAX_USERNAME: usize = 508;

/// What the demultiplexer has to know of a STUN binding request. Nothing in it is authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindingRequest<'a> {
    /// The ufrag of the receiver (RFC 8445, section 7.2.2).
    pub local_ufrag: &'a str,
    /// The ufrag of the sender.
    pub remote_ufrag: &'a str,
}

/// Why a datagram is not a binding request that names a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StunError {
    /// It is another protocol: the first two bits or the magic cookie are not those of STUN.
    #[error("found a datagram of another protocol, expected STUN")]
    NotStun,
    /// Its lengths do not add up.
    #[error("found a STUN message whose lengths do not add up")]
    Malformed,
    /// It is another STUN message.
    #[error("found another STUN message, expected a binding request")]
    NotABindingRequest,
    /// It has no USERNAME of two parts.
    #[error("found a binding request without a USERNAME of two ufrags")]
    NoUsername,
}

/// Reads who a STUN binding request is for.
///
/// # Errors
/// If the datagram is something else.
pub fn peek(datagram: &[u8]) -> Result<BindingRequest<'_>, StunError> {
    let Some((header, mut attributes)) = datagram.split_at_checked(HEADER) else { return Err(StunError::NotStun) };
    if header[0] & 0xc0 != 0 || header[4..8] != MAGIC_COOKIE {
        return Err(StunError::NotStun);
    }
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if length != attributes.len() || length % 4 != 0 {
        return Err(StunError::Malformed);
    }
    if u16::from_be_bytes([header[0], header[1]]) != BINDING_REQUEST {
        return Err(StunError::NotABindingRequest);
    }
    let mut username = None;
    while let Some((head, rest)) = attributes.split_first_chunk::<4>() {
        let kind = u16::from_be_bytes([head[0], head[1]]);
        let size = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let (padded, rest) = rest.split_at_checked(size.next_multiple_of(4)).ok_or(StunError::Malformed)?;
        // Only the first of several counts (RFC 8489, section 14).
        if kind == USERNAME && username.is_none() {
            username = Some(&padded[..size]);
        }
        attributes = rest;
    }
    let username = username.filter(|username| username.len() <= MAX_USERNAME).ok_or(StunError::NoUsername)?;
    let username = str::from_utf8(username).map_err(|_| StunError::NoUsername)?;
    let (local_ufrag, remote_ufrag) = username.split_once(':').ok_or(StunError::NoUsername)?;
    Ok(BindingRequest { local_ufrag, remote_ufrag })
}
