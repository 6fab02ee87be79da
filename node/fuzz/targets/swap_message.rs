//! The messages of a swap: what decodes encodes back to the same message.
#![no_main]

use darkswap_trade::swap::Message;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(message) = Message::decode(bytes) {
        assert_eq!(Message::decode(&message.encode()).as_ref(), Ok(&message));
    }
});
