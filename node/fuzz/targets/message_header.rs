//! The header of a message: what decodes keeps the limit and encodes back to the same bytes.
#![no_main]

use darkswap_core::wire::{Header, Malformed, REQUEST_HEADER};
use libfuzzer_sys::fuzz_target;

/// A node's limit is configured; this one is in the middle of its range.
const LIMIT: usize = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let Some((header, _)) = bytes.split_first_chunk::<REQUEST_HEADER>() else { return };
    match Header::decode(header, LIMIT) {
        Ok(decoded) => {
            assert!(decoded.length <= LIMIT);
            assert_eq!(&decoded.encode(), header);
        }
        Err(Malformed::Oversized { found, limit }) => assert!(found > limit),
        Err(Malformed::Version { found }) => assert_eq!(found, header[0]),
        Err(Malformed::Verdict { .. }) => panic!("a header has no verdict"),
    }
});
