//! Packed messages of a peer: whatever it compressed, no more is inflated than the bounds allow, and the next message is none the
//! worse for it.
//!
//! The input is a packed message. As no fuzzer writes frames, it is also taken as content, whose frame is damaged where its last
//! bytes say.
#![no_main]

use darkswap_fuzz::mutate;
use darkswap_messages::compression::{Bounds, Compressor, Inflater, Rule};
use libfuzzer_sys::fuzz_target;

const BOUNDS: Bounds = Bounds { message: 1 << 16, ratio: 50 };

fuzz_target!(|bytes: &[u8]| {
    let mut inflater = Inflater::new();
    unpack(&mut inflater, bytes);
    let (content, changes) = bytes.split_at(bytes.len() - bytes.len().min(8));
    let mut frame = vec![1];
    frame.extend(zstd::bulk::compress(content, 1).unwrap_or_default());
    mutate(&mut frame, changes);
    unpack(&mut inflater, &frame);
    let packed = Compressor::new(Rule::default(), BOUNDS).pack(bytes);
    assert_eq!(inflater.unpack(&packed, BOUNDS).as_deref(), Ok(bytes));
});

fn unpack(inflater: &mut Inflater, packed: &[u8]) {
    if let Ok(message) = inflater.unpack(packed, BOUNDS) {
        assert!(message.len() <= BOUNDS.message);
        assert!(packed[0] == 0 || BOUNDS.admits(packed.len() - 1, message.len()));
    }
}
