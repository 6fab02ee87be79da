//! Offers and answers of a lying peer: a connection takes them or not, and what it understands it would write as the same.
//!
//! The first byte says whether the rest is an offer, an answer, or the offer or answer of a restart of ICE.
#![no_main]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use darkswap_fuzz::certificate;
use darkswap_webrtc::connection::{CandidateKind, Connection, LocalCandidate, Settings};
use darkswap_webrtc::sdp::{Description, MAX_CANDIDATES};
use libfuzzer_sys::fuzz_target;

/// Datagrams that one description may cause within a second.
const WAITING: usize = 10_000;

fuzz_target!(|bytes: &[u8]| {
    let Some((role, text)) = bytes.split_first() else { return };
    let Ok(text) = str::from_utf8(text) else { return };
    if let Ok(description) = Description::parse(text) {
        assert!(description.candidates.len() <= MAX_CANDIDATES && description.fingerprint.is_some());
        assert_eq!(Description::parse(&description.to_text(1, 1)).as_ref(), Ok(&description));
    }
    let mut now = Instant::now();
    let mut connection = signalled(now, 0);
    let mut peer = signalled(now, 1);
    let restarts = role & 2 != 0;
    if restarts {
        let offer = connection.create_offer(now).expect("the first offer can be made");
        let answer = peer.accept_offer(now, &offer).expect("an honest offer is taken");
        connection.accept_answer(now, &answer).expect("an honest answer is taken");
    }
    if role & 1 == 0 {
        let _ = connection.accept_offer(now, text);
    } else {
        if restarts {
            connection.restart_ice(now).expect("a connection with a description can restart");
        }
        connection.create_offer(now).expect("an offer is due");
        let _ = connection.accept_answer(now, text);
    }
    let mut taken = 0;
    for _ in 0..10 {
        now += Duration::from_millis(100);
        connection.handle_timeout(now);
        while connection.poll_transmit().is_some() || connection.poll_event().is_some() {
            taken += 1;
        }
    }
    assert!(taken <= WAITING, "{taken} events and datagrams waited");
});

fn signalled(now: Instant, end: usize) -> Connection {
    let mut connection = Connection::signalled(&Settings::new(certificate(end).clone()), now).expect("one can be made");
    let address = SocketAddr::from(([192, 0, 2, 1 + u8::from(end == 1)], 4_001));
    let host = LocalCandidate { kind: CandidateKind::Host, address, base: address, server: None };
    connection.add_local_candidate(&host).expect("the first candidate is taken");
    connection
}
