//! The messages of `/webrtc-signaling/0.0.1`: a stream cut anywhere gives the same messages, and messages encode back.
//!
//! The first byte says where the rest of the input is cut.
#![no_main]

use darkswap_webrtc::signalling::{Decoder, MAX_MESSAGE, Message, MessageError};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((cut, stream)) = bytes.split_first() else { return };
    let messages = read(stream.chunks(usize::from(*cut).max(1)));
    assert_eq!(messages, read(stream.chunks(MAX_MESSAGE)));
    for message in messages.into_iter().flatten() {
        let again = read(message.encode().chunks(MAX_MESSAGE));
        // The JSON of a candidate may be longer than what it was read from: absent fields are written as null.
        let grown = matches!((&message, &again), (Message::Candidate(_), Err(MessageError::Candidate(_))));
        assert!(grown || again == Ok(vec![message]), "{again:?}");
    }
});

/// All complete messages of these pieces of a stream.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Message>, MessageError> {
    let mut decoder = Decoder::new();
    let mut messages = Vec::new();
    for mut piece in pieces {
        while let Some(message) = decoder.next_message(&mut piece)? {
            messages.push(message);
        }
    }
    Ok(messages)
}
