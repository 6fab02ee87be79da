//! STUN and TURN messages as the client writes and reads them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use rtc::crypto::RTCCryptoProvider;
use rtc::stun::attributes::{ATTR_DATA, ATTR_NONCE, ATTR_REALM, ATTR_USERNAME};
use rtc::stun::error_code::ErrorCodeAttribute;
use rtc::stun::fingerprint::FINGERPRINT;
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{CLASS_INDICATION, CLASS_REQUEST, METHOD_SEND};
use rtc::stun::message::{Getter, Message, MessageType, Method, Setter, TransactionId, is_stun_message};
use rtc::stun::xoraddr::XorMappedAddress;
use rtc::turn::proto::peeraddr::PeerAddress;
use rtc::turn::proto::relayaddr::RelayedAddress;

/// Bytes before the data of a ChannelData message (RFC 8656, section 12.4).
const CHANNEL_HEADER: usize = 4;
/// Bytes of a NONCE or a REALM that are taken from a server at most (RFC 8489, sections 14.9 and 14.10).
const MAX_TEXT: usize = 763;
/// Characters of a server's error text that are shown.
const SHOWN_REASON: usize = 80;

/// What a server's datagram is.
#[derive(Debug)]
pub(super) enum Incoming {
    Stun(Box<Message>),
    ChannelData { number: u16, data: Bytes },
    Neither,
}

impl Incoming {
    /// Tells STUN from ChannelData by the first two bits (RFC 8656, section 12), and decodes.
    pub(super) fn decode(payload: &[u8]) -> Self {
        match payload.first().map(|first| first >> 6) {
            Some(0) if is_stun_message(payload) => {
                let mut message = Message { raw: payload.to_vec(), ..Message::default() };
                if message.decode().is_ok() { Self::Stun(Box::new(message)) } else { Self::Neither }
            }
            Some(1) if payload.len() >= CHANNEL_HEADER => {
                let number = u16::from_be_bytes([payload[0], payload[1]]);
                let length = usize::from(u16::from_be_bytes([payload[2], payload[3]]));
                match payload[CHANNEL_HEADER..].get(..length) {
                    Some(data) => Self::ChannelData { number, data: Bytes::copy_from_slice(data) },
                    None => Self::Neither,
                }
            }
            _ => Self::Neither,
        }
    }
}

/// The long-term credential of one user at one server (RFC 8489, section 9.2).
#[derive(Clone)]
pub(super) struct Credential {
    username: String,
    realm: String,
    nonce: Vec<u8>,
    key: Vec<u8>,
    crypto: Arc<dyn RTCCryptoProvider>,
}

impl Credential {
    /// Answers a server's challenge (401). `None` when the challenge is not usable.
    pub(super) fn answer(username: &str, password: &str, challenge: &Message) -> Option<Self> {
        let crypto = rtc::crypto::default_provider().ok()?;
        let realm = String::from_utf8(text(challenge, ATTR_REALM)?).ok()?;
        let nonce = text(challenge, ATTR_NONCE)?;
        let key = MessageIntegrity::long_term_integrity_key(
            username.to_owned(),
            realm.clone(),
            password.to_owned(),
            crypto.crypto(),
        );
        Some(Self { username: username.to_owned(), realm, nonce, key: key.ok()?, crypto })
    }

    /// Takes the new nonce of a server that calls the old one stale (438). Says whether there was one.
    pub(super) fn renew(&mut self, answer: &Message) -> bool {
        match text(answer, ATTR_NONCE) {
            Some(nonce) => {
                self.nonce = nonce;
                true
            }
            None => false,
        }
    }

    /// Whether the server that signed `answer` knows the credential.
    pub(super) fn signed(&self, answer: &mut Message) -> bool {
        MessageIntegrity::check(answer, &self.key, self.crypto.crypto()).is_ok()
    }
}

impl std::fmt::Debug for Credential {
    /// Without key and nonce, which must not reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential")
            .field("username", &self.username)
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}

/// Writes a request, signed when there is a credential, with FINGERPRINT.
pub(super) fn request(
    method: Method,
    attributes: &[&dyn Setter],
    credential: Option<&Credential>,
) -> (TransactionId, Bytes) {
    let mut message = start(method, CLASS_REQUEST, attributes);
    if let Some(credential) = credential {
        message.add(ATTR_USERNAME, credential.username.as_bytes());
        message.add(ATTR_REALM, credential.realm.as_bytes());
        message.add(ATTR_NONCE, &credential.nonce);
        let integrity =
            MessageIntegrity::new_raw_integrity_with_provider(credential.key.clone(), credential.crypto.crypto());
        integrity.add_to(&mut message).expect("HMAC-SHA1 takes every key, and no FINGERPRINT was added yet");
    }
    FINGERPRINT.add_to(&mut message).expect("a fixed number of bytes");
    (message.transaction_id, message.raw.into())
}

/// Writes a Send indication (RFC 8656, section 11.1).
pub(super) fn send_indication(peer: SocketAddr, payload: &[u8]) -> Bytes {
    let mut message = start(METHOD_SEND, CLASS_INDICATION, &[&peer_address(peer)]);
    message.add(ATTR_DATA, payload);
    message.raw.into()
}

/// Writes a ChannelData message. Over UDP it needs no padding.
pub(super) fn channel_data(number: u16, payload: &[u8]) -> Bytes {
    let mut message = BytesMut::with_capacity(CHANNEL_HEADER + payload.len());
    message.put_u16(number);
    message.put_u16(u16::try_from(payload.len()).expect("the relay's bound on a payload is below 64 KiB"));
    message.put_slice(payload);
    message.freeze()
}

/// XOR-PEER-ADDRESS.
pub(super) fn peer_address(peer: SocketAddr) -> PeerAddress {
    PeerAddress { ip: peer.ip(), port: peer.port() }
}

/// The peer of a Data indication.
pub(super) fn read_peer(message: &Message) -> Option<SocketAddr> {
    let mut peer = PeerAddress::default();
    peer.get_from(message).ok()?;
    Some(SocketAddr::new(peer.ip, peer.port))
}

/// XOR-MAPPED-ADDRESS: our address as the server sees it.
pub(super) fn read_mapped(message: &Message) -> Option<SocketAddr> {
    let mut mapped = XorMappedAddress::default();
    mapped.get_from(message).ok()?;
    Some(SocketAddr::new(mapped.ip, mapped.port))
}

/// XOR-RELAYED-ADDRESS: the address that the server relays for us.
pub(super) fn read_relayed(message: &Message) -> Option<SocketAddr> {
    let mut relayed = RelayedAddress::default();
    relayed.get_from(message).ok()?;
    Some(SocketAddr::new(relayed.ip, relayed.port))
}

/// The code and the shortened text of an error response.
pub(super) fn read_error(message: &Message) -> (u16, String) {
    let mut error = ErrorCodeAttribute::default();
    if error.get_from(message).is_err() {
        return (0, "no ERROR-CODE".to_owned());
    }
    let reason = String::from_utf8_lossy(&error.reason);
    let shown = reason.chars().filter(|character| !character.is_control()).take(SHOWN_REASON).collect();
    (error.code.0, shown)
}

/// Whether a server's word about an address of ours can be true: a peer could be told to send anywhere with it.
pub(super) fn is_plausible(told: SocketAddr, ours: SocketAddr) -> bool {
    let ip = told.ip();
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    told.is_ipv4() == ours.is_ipv4()
        && told.port() != 0
        && !ip.is_unspecified()
        && !ip.is_multicast()
        && !broadcast
        && (!ip.is_loopback() || ours.ip().is_loopback())
}

fn start(method: Method, class: rtc::stun::message::MessageClass, attributes: &[&dyn Setter]) -> Message {
    let mut message = Message::new();
    message.set_type(MessageType::new(method, class));
    message.write_header();
    TransactionId::new().add_to(&mut message).expect("a fixed number of bytes");
    for attribute in attributes {
        attribute.add_to(&mut message).expect("addresses and numbers always fit");
    }
    message
}

fn text(message: &Message, attribute: rtc::stun::attributes::AttrType) -> Option<Vec<u8>> {
    message.get(attribute).ok().filter(|text| !text.is_empty() && text.len() <= MAX_TEXT)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rtc::stun::message::METHOD_BINDING;

    use super::*;

    #[test]
    fn channel_data_says_its_number_and_its_bytes() {
        let Incoming::ChannelData { number, data } = Incoming::decode(&channel_data(0x4001, b"payload")) else {
            panic!("expected ChannelData");
        };
        assert_eq!((number, &data[..]), (0x4001, &b"payload"[..]));
    }

    #[test]
    fn an_address_that_nobody_can_be_reached_at_is_not_believed() {
        let ours = "10.0.0.2:5000".parse().expect("an address");
        for told in ["0.0.0.0:1", "203.0.113.1:0", "127.0.0.1:1", "224.0.0.1:1", "255.255.255.255:1", "[2001:db8::1]:1"]
        {
            assert!(!is_plausible(told.parse().expect("an address"), ours), "{told}");
        }
        assert!(is_plausible("203.0.113.1:1".parse().expect("an address"), ours));
    }

    proptest! {
        #[test]
        fn whatever_arrives_is_decoded_or_ignored(noise in proptest::collection::vec(any::<u8>(), 0..100), stun in any::<bool>()) {
            // Half of the noise has a STUN header, so that it gets to the attributes.
            let mut datagram = noise;
            if stun {
                let (_, header) = request(METHOD_BINDING, &[], None);
                let length = u16::try_from(datagram.len()).expect("short");
                datagram.splice(..0, header[..20].iter().copied());
                datagram[2..4].copy_from_slice(&length.to_be_bytes());
            }
            if let Incoming::Stun(message) = Incoming::decode(&datagram) {
                let _ = (read_peer(&message), read_mapped(&message), read_relayed(&message), read_error(&message));
                let _ = Credential::answer("user", "password", &message);
            }
        }
    }
}
