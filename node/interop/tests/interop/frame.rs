//! The message protocol as its documentation describes it, written down a second time: what both agree on is what is meant.

/// The protocol's name.
pub(crate) const PROTOCOL: &str = "/darkswap/message/1";

/// Bytes before a payload.
const HEADER: usize = 21;

/// A message of session 7: version, session, sequence, length, payload.
pub(crate) fn message(sequence: u64, payload: &[u8]) -> Vec<u8> {
    [&header(1, sequence, u32::try_from(payload.len()).unwrap()), payload].concat()
}

/// What precedes a payload, of whatever version and with whatever length.
pub(crate) fn header(version: u8, sequence: u64, length: u32) -> Vec<u8> {
    [&[version][..], &7_u64.to_be_bytes(), &sequence.to_be_bytes(), &length.to_be_bytes()].concat()
}

/// What a message carries.
pub(crate) fn payload(message: &[u8]) -> &[u8] {
    let length = u32::from_be_bytes(message[17..HEADER].try_into().unwrap());
    assert_eq!((message[0], length as usize), (1, message.len() - HEADER), "version and length of a message");
    &message[HEADER..]
}

/// The answer "delivered".
pub(crate) fn acknowledgement(message: &[u8]) -> Vec<u8> {
    [&message[..17], &[0]].concat()
}
