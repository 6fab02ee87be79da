//! A server's answers as bytes, and what it reads from requests.

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use rtc::crypto::RTCCrypto;
use rtc::stun::attributes::{ATTR_DATA, ATTR_XOR_PEER_ADDRESS, Attributes};
use rtc::stun::error_code::{ErrorCode, ErrorCodeAttribute};
use rtc::stun::fingerprint::FINGERPRINT;
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{
    CLASS_ERROR_RESPONSE, CLASS_INDICATION, CLASS_SUCCESS_RESPONSE, Getter, METHOD_DATA, Message, MessageClass,
    MessageType, Setter, TransactionId, is_stun_message,
};
use rtc::turn::proto::peeraddr::PeerAddress;

/// Bytes before the data of a ChannelData message.
const CHANNEL_HEADER: usize = 4;

/// What a datagram to the server is.
#[derive(Debug)]
pub(super) enum Incoming<'a> {
    Stun(Message),
    ChannelData { number: u16, data: &'a [u8] },
    Malformed,
}

impl<'a> Incoming<'a> {
    pub(super) fn decode(payload: &'a [u8]) -> Self {
        match payload {
            [first, ..] if first >> 6 == 0 && is_stun_message(payload) => {
                let mut message = Message { raw: payload.to_vec(), ..Message::default() };
                if message.decode().is_ok() { Self::Stun(message) } else { Self::Malformed }
            }
            [first, second, high, low, data @ ..] if first >> 6 == 1 => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                match data.get(..length) {
                    Some(data) => Self::ChannelData { number: u16::from_be_bytes([*first, *second]), data },
                    None => Self::Malformed,
                }
            }
            _ => Self::Malformed,
        }
    }
}

/// With what an answer is signed.
#[derive(Clone, Copy)]
pub(super) struct Signature<'a> {
    pub(super) key: &'a [u8],
    pub(super) crypto: &'a dyn RTCCrypto,
}

pub(super) fn success(request: &Message, attributes: &[&dyn Setter], signature: Option<Signature<'_>>) -> Bytes {
    finish(start(request, CLASS_SUCCESS_RESPONSE, attributes), signature)
}

/// An error response; attributes are those that go with a challenge.
pub(super) fn error(
    request: &Message,
    code: ErrorCode,
    reason: &str,
    attributes: &[&dyn Setter],
    signature: Option<Signature<'_>>,
) -> Bytes {
    let mut message = start(request, CLASS_ERROR_RESPONSE, attributes);
    let attribute = ErrorCodeAttribute { code, reason: reason.as_bytes().to_vec() };
    attribute.add_to(&mut message).expect("the server's own reasons are short");
    finish(message, signature)
}

/// What a peer sent, without a channel.
pub(super) fn data_indication(peer: SocketAddr, payload: &[u8]) -> Bytes {
    let mut message = Message::new();
    message.set_type(MessageType::new(METHOD_DATA, CLASS_INDICATION));
    message.write_header();
    TransactionId::new().add_to(&mut message).expect("a fixed number of bytes");
    PeerAddress { ip: peer.ip(), port: peer.port() }.add_to(&mut message).expect("an address always fits");
    message.add(ATTR_DATA, payload);
    message.raw.into()
}

/// What a peer sent, in its channel. `None` when it is longer than a length field can say.
pub(super) fn channel_data(number: u16, payload: &[u8]) -> Option<Bytes> {
    let mut message = BytesMut::with_capacity(CHANNEL_HEADER + payload.len());
    message.put_u16(number);
    message.put_u16(u16::try_from(payload.len()).ok()?);
    message.put_slice(payload);
    Some(message.freeze())
}

/// All XOR-PEER-ADDRESS attributes, or `None` when one is malformed.
pub(super) fn read_peers(request: &Message) -> Option<Vec<SocketAddr>> {
    let attributes = request.attributes.0.iter().filter(|attribute| attribute.typ == ATTR_XOR_PEER_ADDRESS);
    let read = |attribute: &rtc::stun::attributes::RawAttribute| {
        // The codec reads the first attribute of its kind, and an address depends on the transaction.
        let alone = Message {
            transaction_id: request.transaction_id,
            attributes: Attributes(vec![attribute.clone()]),
            ..Message::default()
        };
        let mut peer = PeerAddress::default();
        peer.get_from(&alone).ok().map(|()| SocketAddr::new(peer.ip, peer.port))
    };
    attributes.map(read).collect()
}

fn start(request: &Message, class: MessageClass, attributes: &[&dyn Setter]) -> Message {
    let mut message = Message::new();
    message.set_type(MessageType::new(request.typ.method, class));
    message.write_header();
    request.transaction_id.add_to(&mut message).expect("a fixed number of bytes");
    for attribute in attributes {
        attribute.add_to(&mut message).expect("addresses, numbers and the server's own texts always fit");
    }
    message
}

fn finish(mut message: Message, signature: Option<Signature<'_>>) -> Bytes {
    if let Some(Signature { key, crypto }) = signature {
        let integrity = MessageIntegrity::new_raw_integrity_with_provider(key, crypto);
        integrity.add_to(&mut message).expect("HMAC-SHA1 takes every key, and no FINGERPRINT was added yet");
    }
    FINGERPRINT.add_to(&mut message).expect("a fixed number of bytes");
    message.raw.into()
}
