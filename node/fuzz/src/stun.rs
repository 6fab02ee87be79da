//! STUN messages of a peer that knows the passwords, with attributes that no honest one would send.

use rtc::stun::attributes::{ATTR_USERNAME, AttrType};
use rtc::stun::fingerprint::FINGERPRINT;
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{Message, Setter as _, TransactionId};

/// Type and transaction as they are, then attributes from the input: two bytes of type, one of length, the value. With a
/// password, what proves it is added.
pub fn message(kind: u16, transaction: [u8; 12], username: &str, password: Option<&str>, attributes: &[u8]) -> Vec<u8> {
    let mut message = Message::new();
    message.typ.read_value(kind);
    message.transaction_id = TransactionId(transaction);
    message.write_header();
    if !username.is_empty() {
        message.add(ATTR_USERNAME, username.as_bytes());
    }
    let mut rest = attributes;
    while let Some(([upper, lower, length], after)) = rest.split_first_chunk() {
        let (value, after) = after.split_at(usize::from(*length).min(after.len()));
        message.add(AttrType(u16::from_be_bytes([*upper, *lower])), value);
        rest = after;
    }
    let real = rtc::crypto::default_provider().expect("a provider is compiled in");
    if let Some(password) = password {
        let integrity = MessageIntegrity::new_short_term_integrity_with_provider(password.to_owned(), real.crypto());
        let _ = integrity.add_to(&mut message);
    }
    let _ = FINGERPRINT.add_to(&mut message);
    message.raw
}
