//! The demultiplexer of webrtc-direct: no sequence of datagrams breaks a bound or sends one to a connection that is gone.
//!
//! The input is a list of steps: one byte of sender, one of kind and time, one of length, then the bytes of a datagram.
#![no_main]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use darkswap_webrtc::mux::{Key, Mux, MuxSettings, Route, check_ufrag, peek};
use libfuzzer_sys::fuzz_target;

/// Bounds so small that a short input reaches them.
fn settings() -> MuxSettings {
    MuxSettings {
        connections: 6,
        half_open: 4,
        half_open_per_source: 2,
        half_open_age: Duration::from_secs(2),
        addresses_per_connection: 2,
        retired_age: Duration::from_secs(4),
        retired: 3,
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut now = Instant::now();
    let mut mux = Mux::new(settings());
    let mut alive: BTreeSet<Key> = BTreeSet::new();
    let mut rest = bytes;
    while let Some(([sender, kind, length], after)) = rest.split_first_chunk() {
        let (datagram, after) = after.split_at(usize::from(*length).min(after.len()));
        rest = after;
        now += Duration::from_millis(u64::from(kind >> 2) * 20);
        mux.handle_timeout(now);
        while let Some(key) = mux.poll_expired() {
            assert!(alive.remove(&key), "{key:?} expired, but was not there");
        }
        match (kind & 3, alive.iter().nth(usize::from(*sender) % alive.len().max(1)).copied()) {
            (0, Some(key)) => mux.established(key),
            (1, Some(key)) => {
                mux.remove(now, key);
                alive.remove(&key);
            }
            _ => route(&mut mux, now, *sender, datagram, &mut alive),
        }
        let (occupied, bounds) = (mux.occupancy(), settings());
        assert_eq!(occupied.connections, alive.len());
        assert!(occupied.connections <= bounds.connections && occupied.half_open <= bounds.half_open, "{occupied:?}");
        assert!(occupied.addresses <= alive.len() * bounds.addresses_per_connection, "{occupied:?}");
        assert!(occupied.retired <= bounds.retired && occupied.sources <= occupied.half_open, "{occupied:?}");
    }
});

fn route(mux: &mut Mux, now: Instant, sender: u8, datagram: &[u8], alive: &mut BTreeSet<Key>) {
    // Four senders behind each of a few addresses.
    let remote = SocketAddr::from(([10, 0, 0, sender >> 2 & 3], 1_000 + u16::from(sender & 3)));
    match mux.route(now, remote, datagram) {
        Route::Known(key) => assert!(alive.contains(&key), "{key:?} is known, but gone"),
        Route::New { key, ufrag } => {
            assert!(alive.insert(key), "{key:?} is new for the second time");
            assert_eq!(check_ufrag(&ufrag), Ok(ufrag.as_str()));
            assert_eq!(peek(datagram).map(|request| request.local_ufrag), Ok(ufrag.as_str()));
        }
        Route::Dropped(_) => {}
    }
}
