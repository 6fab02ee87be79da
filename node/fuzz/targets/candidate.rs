//! Candidates of a lying peer: a connection takes any lines of them, and goes on checking what it can.
#![no_main]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use darkswap_fuzz::certificate;
use darkswap_fuzz::entropy::repeatable;
use darkswap_webrtc::connection::{CandidateKind, Connection, LocalCandidate, Settings};
use libfuzzer_sys::fuzz_target;

/// Datagrams that all candidates together may cause within a second.
const WAITING: usize = 10_000;

fuzz_target!(|bytes: &[u8]| repeatable(|| run(bytes)));

fn run(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let mut now = Instant::now();
    let settings = |end| Settings::new(certificate(end).clone());
    let mut connection = Connection::signalled(&settings(0), now).expect("one can be made");
    let mut peer = Connection::signalled(&settings(1), now).expect("one can be made");
    let address = SocketAddr::from(([192, 0, 2, 1], 4_001));
    let host = LocalCandidate { kind: CandidateKind::Host, address, base: address, server: None };
    connection.add_local_candidate(&host).expect("the first candidate is taken");
    let mut lines = text.lines();
    // The first line comes before the description.
    let _ = connection.add_remote_candidate(lines.next().unwrap_or_default());
    let offer = peer.create_offer(now).expect("the first offer can be made");
    connection.accept_offer(now, &offer).expect("an honest offer is taken");
    for line in lines {
        let _ = connection.add_remote_candidate(line);
    }
    let mut taken = 0;
    for _ in 0..10 {
        now += Duration::from_millis(100);
        connection.handle_timeout(now);
        while let Some(transmit) = connection.poll_transmit() {
            assert!(transmit.remote.port() != 0 && !transmit.remote.ip().is_unspecified(), "{transmit:?}");
            taken += 1;
        }
        while connection.poll_event().is_some() {
            taken += 1;
        }
    }
    assert!(taken <= WAITING, "{taken} events and datagrams waited");
}
