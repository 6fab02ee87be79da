//! Messages of DCEP: what is understood is written again as the same.
#![no_main]

use darkswap_webrtc::channel::MAX_LABEL;
use darkswap_webrtc::connection::fuzzing::dcep;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((options, encoded)) = dcep(bytes) else { return };
    assert!(options.as_ref().is_none_or(|options| options.label.len() <= MAX_LABEL && options.negotiated.is_none()));
    // The bytes may differ: in the protocol, which we do not keep, and in what lies between two classes of priority.
    assert_eq!(dcep(&encoded), Some((options, encoded.clone())));
});
