//! The messages of circuit relay v2 as a relay of ours reads them: what is read is written and read as the same.
#![no_main]

use darkswap_connectivity::relay::message::{HopMessage, MAX_PREFIX, StopMessage, length};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(message) = HopMessage::decode(bytes) {
        assert_eq!(HopMessage::decode(body(&message.encode())), Ok(message));
    }
    if let Ok(message) = StopMessage::decode(bytes) {
        assert_eq!(StopMessage::decode(body(&message.encode())), Ok(message));
    }
    let _ = length(bytes);
});

/// The message behind its length. What was read with fields that we do not know is written without them, so it fits.
fn body(encoded: &[u8]) -> &[u8] {
    let found = (1..=MAX_PREFIX)
        .find_map(|bytes| length(&encoded[..bytes]).expect("it is no longer than what was read").map(|_| bytes));
    &encoded[found.expect("a message has a length")..]
}
