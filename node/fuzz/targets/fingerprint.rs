//! Fingerprints as multihash and as SDP writes them: what decodes encodes back.
#![no_main]

use darkswap_webrtc::certificate::Fingerprint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(fingerprint) = Fingerprint::from_multihash(bytes) {
        assert_eq!(fingerprint.to_multihash(), bytes);
        assert_eq!(Fingerprint::from_sdp(&fingerprint.to_sdp()), Ok(fingerprint));
    }
    if let Ok(text) = str::from_utf8(bytes)
        && let Ok(fingerprint) = Fingerprint::from_sdp(text)
    {
        assert!(fingerprint.to_sdp().eq_ignore_ascii_case(text));
        assert_eq!(Fingerprint::from_multihash(&fingerprint.to_multihash()), Ok(fingerprint));
    }
});
