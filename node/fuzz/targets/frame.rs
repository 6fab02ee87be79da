//! The frames of a substream: messages cut anywhere give the same frames, and frames encode back.
//!
//! The first byte says where the rest of the input is cut into data channel messages.
#![no_main]

use bytes::Bytes;
use darkswap_webrtc::frame::{Decoder, Frame, FrameError, MAX_FRAME, MAX_PAYLOAD, decode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((cut, stream)) = bytes.split_first() else { return };
    let frames = read(stream.chunks(usize::from(*cut).max(1)));
    let Ok(frames) = frames else { return };
    // What other messages carry the same bytes in does not matter, as long as none is too large.
    assert_eq!(read(stream.chunks(MAX_FRAME)).as_ref(), Ok(&frames));
    for frame in frames.iter().filter(|frame| frame.payload.len() <= MAX_PAYLOAD) {
        assert_eq!(decode(&frame.encode()), Ok(Some(vec![frame.clone()])));
    }
});

/// All complete frames of these messages.
fn read<'a>(messages: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Frame>, FrameError> {
    let mut decoder = Decoder::new();
    let mut frames = Vec::new();
    for message in messages {
        decoder.push(Bytes::copy_from_slice(message))?;
        while let Some(frame) = decoder.next_frame()? {
            assert!(frame.payload.len() <= MAX_FRAME);
            frames.push(frame);
        }
    }
    Ok(frames)
}
