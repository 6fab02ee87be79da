//! Lying STUN and TURN servers: whatever they answer, gathering ends or goes on, and says nothing of what it does not know.
//!
//! The input is a list of steps: one byte of server and kind, one of length, then the bytes of a datagram. Most answers get the id
//! of the request that they pretend to answer.
#![no_main]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use darkswap_webrtc::gather::{GatherEvent, GatherSettings, Gathered, Gatherer, IceServer};
use libfuzzer_sys::fuzz_target;

/// Events and datagrams of one step at most.
const WAITING: usize = 1_000;
/// Where the id of a STUN message is (RFC 8489, section 5).
const TRANSACTION_ID: std::ops::Range<usize> = 8..20;

fuzz_target!(|bytes: &[u8]| {
    let local = SocketAddr::from(([10, 0, 0, 1], 1_000));
    let peer = SocketAddr::from(([10, 0, 0, 9], 9));
    let [stun, turn] = [1, 2].map(|host| SocketAddr::from(([203, 0, 113, host], 3_478)));
    let settings = GatherSettings {
        locals: vec![local],
        servers: vec![
            IceServer::Stun { address: stun },
            IceServer::Turn { address: turn, username: "user".to_owned(), credential: "secret".to_owned() },
        ],
        relay_only: false,
        seed: 1,
    };
    let mut now = Instant::now();
    let mut gatherer = Gatherer::new(settings, now).expect("the settings are within their bounds");
    let mut requests = [[0; 12]; 2];
    let mut relayed = None;
    drain(&mut gatherer, stun, &mut requests, &mut relayed);
    let mut rest = bytes;
    while let Some(([kind, length], after)) = rest.split_first_chunk() {
        let (datagram, after) = after.split_at(usize::from(*length).min(after.len()));
        rest = after;
        let mut datagram = datagram.to_vec();
        let server = usize::from(kind & 1);
        match kind >> 1 & 7 {
            0 => now += Duration::from_millis(u64::from(*length) * 50),
            1 => {
                if let Some(relayed) = relayed {
                    gatherer.send_relayed(now, relayed, peer, &datagram);
                }
            }
            2 if *length == 0 => gatherer.close(now),
            kind => {
                if let Some(id) = datagram.get_mut(TRANSACTION_ID).filter(|_| kind != 3) {
                    id.copy_from_slice(&requests[server]);
                }
                let taken = gatherer.handle_datagram(now, local, [stun, turn][server], &datagram);
                if let Gathered::Relayed { local, .. } = taken {
                    assert!(gatherer.is_relayed(local));
                }
            }
        }
        if gatherer.poll_timeout().is_some_and(|deadline| deadline <= now) {
            gatherer.handle_timeout(now);
        }
        drain(&mut gatherer, stun, &mut requests, &mut relayed);
    }
});

/// Takes everything that waits, and notes the ids of the latest requests to each server.
fn drain(gatherer: &mut Gatherer, stun: SocketAddr, requests: &mut [[u8; 12]; 2], relayed: &mut Option<SocketAddr>) {
    let mut taken = 0;
    while let Some(transmit) = gatherer.poll_transmit() {
        if let Some(id) = transmit.payload.get(TRANSACTION_ID) {
            requests[usize::from(transmit.remote != stun)].copy_from_slice(id);
        }
        taken += 1;
    }
    while let Some(event) = gatherer.poll_event() {
        if let GatherEvent::Candidate(candidate) = event
            && gatherer.is_relayed(candidate.address)
        {
            *relayed = Some(candidate.address);
        }
        taken += 1;
    }
    assert!(taken <= WAITING, "{taken} events and datagrams waited");
}
