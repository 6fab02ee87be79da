//! The acknowledgement of a message: what decodes encodes back to the same bytes.
#![no_main]

use darkswap_core::wire::{Acknowledgement, RESPONSE};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((bytes, _)) = bytes.split_first_chunk::<RESPONSE>() else { return };
    if let Ok(decoded) = Acknowledgement::decode(bytes) {
        assert_eq!(&decoded.encode(), bytes);
    }
});
