//! The opening messages of a substream: whatever comes, and in whatever pieces, it is read to the same end.
//!
//! The first byte is the length of the pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;

/// The node's own file.
#[path = "../../src/transport/metered"]
mod metered {
    pub mod opening;

    static PROBES: [&str; 2] = ["/ipfs/ping/1.0.0", "/darkswap/alive/1"];

    pub fn is_use(bytes: &[u8], piece: usize) -> bool {
        let mut opening = opening::Opening::new(&PROBES);
        bytes.chunks(piece).fold(false, |is_use, piece| opening.is_use(piece) | is_use)
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((piece, bytes)) = bytes.split_first() else { return };
    let whole = metered::is_use(bytes, bytes.len().max(1));
    assert_eq!(metered::is_use(bytes, usize::from(*piece).max(1)), whole, "pieces of {piece} bytes make a difference");
});
