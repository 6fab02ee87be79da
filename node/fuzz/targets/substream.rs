//! A substream against a hostile peer: whatever comes over the channel and when, what is kept stays within its bounds.
//!
//! The input is a list of steps: one byte of kind, one of length or time, then the bytes of a data channel message.
#![no_main]

use std::time::{Duration, Instant};

use bytes::Bytes;
use darkswap_webrtc::frame::MAX_FRAME;
use darkswap_webrtc::substream::{Substream, SubstreamSettings};
use libfuzzer_sys::fuzz_target;

/// So small that a short input fills it.
const READ_BUFFER: usize = 1_000;

fuzz_target!(|bytes: &[u8]| {
    let mut now = Instant::now();
    let mut substream = Substream::new(SubstreamSettings { read_buffer: READ_BUFFER, ..Default::default() });
    let mut rest = bytes;
    while let Some(([kind, length], after)) = rest.split_first_chunk() {
        rest = after;
        match kind % 10 {
            0 => {
                let _ = substream.write(&vec![7; usize::from(*length) * 16]);
            }
            1 => substream.close(),
            2 => {
                let _ = substream.read(usize::from(*length));
            }
            3 => substream.stop_reading(),
            4 if *length == 0 => substream.reset(),
            5 if *length == 0 => substream.abandon(),
            6 if *length == 0 => substream.handle_channel_closed(),
            7 => {
                now += Duration::from_millis(u64::from(*length) * 100);
                substream.handle_timeout(now, usize::from(kind & 1));
            }
            8 => {
                if let Some(message) = substream.poll_message(now) {
                    substream.put_back(message);
                }
            }
            _ => {
                let (message, after) = rest.split_at(usize::from(*length).min(rest.len()));
                rest = after;
                let _ = substream.handle_message(now, Bytes::copy_from_slice(message));
            }
        }
        assert!(substream.buffered() <= READ_BUFFER, "{} bytes wait", substream.buffered());
        let waits = substream.poll_timeout().is_some_and(|deadline| deadline <= now);
        if waits {
            substream.handle_timeout(now, 0);
        }
    }
    while let Some(message) = substream.poll_message(now) {
        assert!(message.len() <= MAX_FRAME);
    }
});
