//! A relay's report of its load: what decodes is a load between idle and full, and encodes back to the same bytes.
#![no_main]

use darkswap_connectivity::relay::load_report::{LONGEST_NOTICE, LoadReport};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(report) = LoadReport::decode(bytes) {
        assert_eq!(&report.encode(), bytes);
        assert!((0.0..=1.0).contains(&report.load()));
        assert!(report.drains_in.is_none_or(|seconds| seconds <= LONGEST_NOTICE));
    }
});
