//! The part of STUN (RFC 5389) that a probe needs, with the attributes of RFC 5780.
//!
//! | message | type | attributes |
//! |---|---|---|
//! | Binding request | `0x0001` | CHANGE-REQUEST `0x0003` and RESPONSE-PORT `0x0027`, both optional |
//! | Binding indication: a keep-alive, never answered | `0x0011` | none |
//! | Binding success response | `0x0101` | XOR-MAPPED-ADDRESS `0x0020` with an IPv4 address |
//!
//! Of an attribute that comes twice the first counts. Unknown attributes are skipped if they may be (type `0x8000` and above). What
//! is anything else is no message here: there is no authentication, fingerprint, error response or IPv6.

use std::net::SocketAddrV4;

/// Bytes of a message at most: what fits a datagram on any path (RFC 5389, section 7.1).
pub(super) const MAX_LENGTH: usize = 548;

/// What a request and its response have in common.
pub(super) type Transaction = [u8; 12];

const COOKIE: u32 = 0x2112_A442;
const REQUEST: u16 = 0x0001;
const INDICATION: u16 = 0x0011;
const RESPONSE: u16 = 0x0101;

const CHANGE_REQUEST: u16 = 0x0003;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const RESPONSE_PORT: u16 = 0x0027;
/// Attributes from here on may be skipped by those who do not know them.
const OPTIONAL: u16 = 0x8000;

const CHANGE_ADDRESS: u32 = 4;
const CHANGE_PORT: u32 = 2;
const IPV4: u8 = 1;

/// From where a response is wanted: CHANGE-REQUEST.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Change {
    /// From the server's other address.
    pub(super) address: bool,
    /// From the server's other port.
    pub(super) port: bool,
}

/// A STUN message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    /// Asks how the sender looks from outside.
    Request {
        transaction: Transaction,
        /// From where the response is to come.
        change: Change,
        /// The port of the sender's address that is to get the response, if not the one that the request came from.
        response_port: Option<u16>,
    },
    /// Is just a packet.
    Indication { transaction: Transaction },
    /// Says how the sender of the request looks from outside.
    Response { transaction: Transaction, mapped: SocketAddrV4 },
}

impl Message {
    /// What joins a request and its response.
    pub(super) const fn transaction(&self) -> Transaction {
        match self {
            Self::Request { transaction, .. }
            | Self::Indication { transaction }
            | Self::Response { transaction, .. } => *transaction,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut attributes = Vec::new();
        let kind = match self {
            Self::Request { change, response_port, .. } => {
                if *change != Change::default() {
                    let address = if change.address { CHANGE_ADDRESS } else { 0 };
                    let port = if change.port { CHANGE_PORT } else { 0 };
                    push(&mut attributes, CHANGE_REQUEST, &(address | port).to_be_bytes());
                }
                if let Some(port) = response_port {
                    push(&mut attributes, RESPONSE_PORT, &port.to_be_bytes());
                }
                REQUEST
            }
            Self::Indication { .. } => INDICATION,
            Self::Response { mapped, .. } => {
                push(&mut attributes, XOR_MAPPED_ADDRESS, &masked(*mapped));
                RESPONSE
            }
        };
        let mut bytes = Vec::with_capacity(20 + attributes.len());
        bytes.extend(kind.to_be_bytes());
        // At most two short attributes.
        bytes.extend((attributes.len() as u16).to_be_bytes());
        bytes.extend(COOKIE.to_be_bytes());
        bytes.extend(self.transaction());
        bytes.extend(attributes);
        bytes
    }

    /// Reads a message; nothing when the bytes are not one.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_LENGTH {
            return None;
        }
        let (kind, rest) = bytes.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (cookie, rest) = rest.split_first_chunk()?;
        let (transaction, mut rest) = rest.split_first_chunk::<12>()?;
        let (kind, transaction) = (u16::from_be_bytes(*kind), *transaction);
        if u32::from_be_bytes(*cookie) != COOKIE || usize::from(u16::from_be_bytes(*length)) != rest.len() {
            return None;
        }
        let (mut change, mut response_port, mut mapped) = (None, None, None);
        while !rest.is_empty() {
            let (attribute, value, after) = attribute(rest)?;
            match attribute {
                CHANGE_REQUEST => change = change.or(Some(change_request(value)?)),
                RESPONSE_PORT => response_port = response_port.or(Some(port(value)?)),
                XOR_MAPPED_ADDRESS => mapped = mapped.or(Some(unmasked(value)?)),
                0..OPTIONAL => return None,
                OPTIONAL.. => {}
            }
            rest = after;
        }
        match kind {
            REQUEST => Some(Self::Request { transaction, change: change.unwrap_or_default(), response_port }),
            INDICATION => Some(Self::Indication { transaction }),
            RESPONSE => Some(Self::Response { transaction, mapped: mapped? }),
            _ => None,
        }
    }
}

/// Bytes that fill a value up to a multiple of four.
const fn padding(length: usize) -> usize {
    (4 - length % 4) % 4
}

fn push(attributes: &mut Vec<u8>, attribute: u16, value: &[u8]) {
    attributes.extend(attribute.to_be_bytes());
    attributes.extend((value.len() as u16).to_be_bytes());
    attributes.extend(value);
    attributes.resize(attributes.len() + padding(value.len()), 0);
}

/// The first attribute: its type, its value, and what follows.
fn attribute(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (attribute, rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (value, rest) = rest.split_at_checked(length)?;
    let (_, rest) = rest.split_at_checked(padding(length))?;
    Some((u16::from_be_bytes(*attribute), value, rest))
}

fn change_request(value: &[u8]) -> Option<Change> {
    let flags = u32::from_be_bytes(value.try_into().ok()?);
    Some(Change { address: flags & CHANGE_ADDRESS != 0, port: flags & CHANGE_PORT != 0 })
}

fn port(value: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(value.try_into().ok()?))
}

/// XOR-MAPPED-ADDRESS: masked, so that no NAT mistakes it for an address that it should rewrite.
fn masked(endpoint: SocketAddrV4) -> [u8; 8] {
    let [high, low] = (endpoint.port() ^ (COOKIE >> 16) as u16).to_be_bytes();
    let [a, b, c, d] = (endpoint.ip().to_bits() ^ COOKIE).to_be_bytes();
    [0, IPV4, high, low, a, b, c, d]
}

fn unmasked(value: &[u8]) -> Option<SocketAddrV4> {
    let &[_, IPV4, high, low, a, b, c, d] = value else { return None };
    let port = u16::from_be_bytes([high, low]) ^ (COOKIE >> 16) as u16;
    Some(SocketAddrV4::new((u32::from_be_bytes([a, b, c, d]) ^ COOKIE).into(), port))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message() -> impl Strategy<Value = Message> {
        let request = (any::<Transaction>(), any::<(bool, bool)>(), any::<Option<u16>>());
        prop_oneof![
            request.prop_map(|(transaction, (address, port), response_port)| {
                Message::Request { transaction, change: Change { address, port }, response_port }
            }),
            any::<Transaction>().prop_map(|transaction| Message::Indication { transaction }),
            (any::<Transaction>(), any::<u32>(), any::<u16>()).prop_map(|(transaction, address, port)| {
                Message::Response { transaction, mapped: SocketAddrV4::new(address.into(), port) }
            }),
        ]
    }

    #[test]
    fn a_response_is_the_one_of_the_standard() {
        // RFC 5769, section 2.2: 192.0.2.1 port 32853.
        let value = [0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43];
        let mapped = SocketAddrV4::new([192, 0, 2, 1].into(), 32_853);
        assert_eq!((masked(mapped), unmasked(&value)), (value, Some(mapped)));
        let bytes = Message::Response { transaction: [7; 12], mapped }.encode();
        assert_eq!(&bytes[..8], [0x01, 0x01, 0x00, 0x0c, 0x21, 0x12, 0xa4, 0x42]);
        assert_eq!(&bytes[20..24], [0x00, 0x20, 0x00, 0x08]);
    }

    #[test]
    fn an_unknown_attribute_counts_only_if_it_must_be_understood() {
        for (attribute, understood) in [(0x8022_u16, true), (0x0006, false)] {
            let mut bytes = Message::Indication { transaction: [1; 12] }.encode();
            push(&mut bytes, attribute, b"name");
            bytes[3] = 8;
            assert_eq!(Message::decode(&bytes).is_some(), understood, "{attribute:#06x}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(message in message()) {
            let bytes = message.encode();
            prop_assert!(bytes.len() <= MAX_LENGTH);
            prop_assert_eq!(Message::decode(&bytes), Some(message));
        }

        #[test]
        fn a_damaged_message_never_panics(
            message in message(),
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            length in any::<prop::sample::Index>(),
        ) {
            let mut bytes = message.encode();
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let cut = length.index(bytes.len());
            let _ = Message::decode(&bytes);
            prop_assert_eq!(Message::decode(&bytes[..cut]), None);
        }

        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = Message::decode(&bytes);
            // Past the header, too.
            let mut message = Message::Indication { transaction: [0; 12] }.encode();
            message.extend(&bytes);
            message[2..4].copy_from_slice(&(bytes.len() as u16).to_be_bytes());
            let decoded = Message::decode(&message);
            prop_assert!(decoded.is_none() || message.len() <= MAX_LENGTH);
        }
    }
}
