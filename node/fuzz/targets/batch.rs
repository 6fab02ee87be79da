//! Requests, responses, parcels, receipts and batches of sealed messages: what decodes encodes back, within the bounds.
//!
//! The first byte says which of them the rest is.
#![no_main]

use bytes::Bytes;
use darkswap_messages::batch::{self, Bounds};
use darkswap_messages::challenge::{Challenge, Proof};
use darkswap_messages::wire::{ENTRIES, ENTRY, Parcel, Receipt, Request, Response};
use libfuzzer_sys::fuzz_target;

const MESSAGE: usize = 1_000;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let rest = Bytes::copy_from_slice(rest);
    let again = match kind % 7 {
        0 => Request::decode(&rest).ok().map(|request| request.encode()),
        1 => Response::decode(&rest).ok().map(|response| response.encode()),
        2 => Parcel::decode(&rest, MESSAGE).ok().map(|parcel| {
            assert!(parcel.entries.len() <= ENTRIES);
            assert!(parcel.entries.iter().all(|entry| entry.packed.len() <= ENTRY + MESSAGE));
            parcel.encode()
        }),
        3 => Receipt::decode(&rest).ok().map(|receipt| {
            assert!(receipt.outcomes.len() <= ENTRIES);
            receipt.encode()
        }),
        4 => Challenge::decode(&rest).ok().map(|challenge| challenge.encode().to_vec()),
        5 => Proof::decode(&rest).ok().map(|proof| proof.encode().to_vec()),
        _ => batch::decode(&rest, Bounds { items: 8, item_bytes: 300 }).ok().map(|items| {
            assert!(items.len() <= 8 && items.iter().all(|item| item.len() <= 300));
            batch::encode(items.iter().map(|item| &item[..]))
        }),
    };
    if let Some(again) = again {
        assert_eq!(again, rest);
    }
});
