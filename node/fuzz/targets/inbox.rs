//! The ids of a peer's messages: whatever it numbers them, no message is delivered twice while its session is remembered.
//!
//! The input is a list of ids: one byte of session, eight of sequence number (big-endian).
#![no_main]

use std::collections::BTreeSet;

use darkswap_core::message::{Inbox, MessageId, SESSIONS};
use darkswap_core::wire::Verdict;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut inbox = Inbox::new();
    let mut delivered = BTreeSet::new();
    for id in bytes.as_chunks::<9>().0 {
        let [session, sequence @ ..] = *id;
        // No more sessions than an inbox remembers, so that none is forgotten.
        let id = MessageId { session: u64::from(session) % SESSIONS as u64, sequence: u64::from_be_bytes(sequence) };
        let is_new = !delivered.contains(&id);
        match inbox.admit(id) {
            Verdict::Delivered => assert!(delivered.insert(id), "{id} was delivered twice"),
            Verdict::Duplicate => assert!(!is_new, "{id} was never delivered"),
            Verdict::Stale => {}
        }
    }
});
