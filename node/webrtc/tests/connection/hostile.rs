use std::time::Duration;

use darkswap_webrtc::connection::{ChannelOptions, Transmit};
use proptest::prelude::*;

use crate::support::{A, B, Net, Random, address};

/// Everything that a set-up and some traffic put on the wire.
fn recorded() -> Vec<Transmit> {
    let mut net = Net::direct(1);
    net.log = Some(Vec::new());
    assert!(net.connect(Duration::from_secs(1)));
    let (here, _) = net.open_through(A, ChannelOptions::default());
    net.write(A, here, vec![1; 10_000]);
    net.run_for(Duration::from_secs(3));
    net.log.take().unwrap().into_iter().map(|(_, transmit)| transmit).collect()
}

/// Whether channels still open and carry messages.
fn works(net: &mut Net) -> bool {
    if net.close_reason(A).is_some() || net.close_reason(B).is_some() {
        return false;
    }
    let (here, there) = net.open_through(A, ChannelOptions::default());
    net.write(A, here, vec![2; 5000]);
    net.run(Duration::from_secs(10), |net| net.read(B, there).is_some())
}

fn mutate(random: &mut Random, payload: &[u8]) -> Vec<u8> {
    let mut payload = payload.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(payload.len().max(1));
        match random.below(4) {
            0 if !payload.is_empty() => payload[at] = random.next() as u8,
            1 => payload.truncate(at),
            2 => payload.insert(at.min(payload.len()), random.next() as u8),
            _ if !payload.is_empty() => payload[at] ^= 1 << random.below(8),
            _ => {}
        }
    }
    payload
}

#[test]
fn mutated_datagrams_do_not_end_a_connection() {
    let recorded = recorded();
    let mut net = Net::connected(1);
    net.log = Some(Vec::new());
    assert!(works(&mut net));
    let own = net.log.take().unwrap();
    let mut random = Random(9);
    for round in 0..20_000 {
        let Transmit { local, remote, payload } = match round % 2 {
            0 => own[random.below(own.len())].1.clone(),
            _ => recorded[random.below(recorded.len())].clone(),
        };
        let payload = mutate(&mut random, &payload);
        let now = net.now;
        let end = if remote == address(A) { A } else { B };
        net.ends[end].connection.handle_datagram(now, remote, local, &payload);
        if round % 100 == 0 {
            net.run_for(Duration::from_millis(20));
        }
    }
    assert!(works(&mut net));
}

#[test]
fn mutated_datagrams_during_the_set_up_only_delay_it() {
    let recorded = recorded();
    for seed in 0..60 {
        let mut net = Net::direct(seed);
        let mut random = Random(seed);
        let connected = net.run(Duration::from_secs(20), |net| {
            for _ in 0..3 {
                let Transmit { local, remote, payload } = recorded[random.below(recorded.len())].clone();
                let mutated = mutate(&mut random, &payload);
                let end = if remote == address(A) { A } else { B };
                let now = net.now;
                // Handshake messages and alerts are not authenticated, so forged ones can break a handshake for good.
                let breaks = |payload: &[u8]| matches!(payload.first(), Some(20..=22));
                if !breaks(&payload) && !breaks(&mutated) {
                    net.ends[end].connection.handle_datagram(now, remote, local, &mutated);
                }
            }
            [A, B].iter().all(|end| net.ends[*end].connection.remote_fingerprint().is_some())
        });
        assert!(connected, "seed {seed}: {:?} {:?}", net.close_reason(A), net.close_reason(B));
    }
}

#[test]
fn strangers_and_floods_of_checks_are_bounded() {
    let mut net = Net::connected(1);
    let recorded = recorded();
    let check = recorded.iter().find(|transmit| transmit.payload[0] == 0 && transmit.remote == address(B)).unwrap();
    let before = net.sent;
    for number in 0..10_000_u16 {
        let stranger = std::net::SocketAddr::from(([203, 0, 113, (number >> 8) as u8], number | 1));
        let now = net.now;
        net.ends[B].connection.handle_datagram(now, address(B), stranger, &check.payload);
        net.ends[B].connection.handle_datagram(
            now,
            address(B),
            stranger,
            &[23, 254, 253, 0, 1, 0, 0, 0, 0, 0, 9, 0, 1, 0],
        );
    }
    net.run_for(Duration::from_secs(10));
    // Whoever knows the password may be answered, but only so many.
    assert!(net.sent - before < 500, "{} datagrams", net.sent - before);
    assert!(works(&mut net));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_datagrams_do_not_end_a_connection(payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..60)) {
        let mut net = Net::connected(1);
        for (number, payload) in payloads.iter().enumerate() {
            let end = number % 2;
            let now = net.now;
            let mut payload = payload.clone();
            // As STUN, as DTLS and as whatever it is.
            if let (Some(first), Some(kind)) = (payload.first_mut(), [Some(0), Some(22), Some(23), None][number % 4]) {
                *first = kind;
            }
            net.ends[end].connection.handle_datagram(now, address(end), address(1 - end), &payload);
        }
        prop_assert!(works(&mut net));
    }

    #[test]
    fn random_descriptions_and_candidates_are_refused_without_panic(text in ".{0,200}") {
        let mut net = Net::signalled(1);
        let now = net.now;
        let connection = &mut net.ends[A].connection;
        let _ = connection.accept_offer(now, &text);
        let _ = connection.accept_answer(now, &text);
        let _ = connection.add_remote_candidate(&text);
        let _ = connection.add_remote_candidate(&format!("candidate:1 1 udp 1 {text}"));
        prop_assert!(net.connect(Duration::from_secs(5)));
    }
}

#[test]
fn calls_on_a_closed_connection_do_nothing() {
    let mut net = Net::connected(1);
    let now = net.now;
    let connection = &mut net.ends[A].connection;
    connection.close(now);
    connection.close(now);
    while connection.poll_transmit().is_some() {}
    while connection.poll_event().is_some() {}
    connection.handle_datagram(now, address(A), address(B), &[0; 20]);
    connection.handle_timeout(now + Duration::from_secs(100));
    assert!(connection.open_channel(now, ChannelOptions::default()).is_err());
    assert_eq!((connection.poll_transmit(), connection.poll_event(), connection.poll_timeout()), (None, None, None));
}
