use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

fn start() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "only the distances to it matter")]
    Instant::now()
}

fn named(number: u32) -> String {
    format!("{UFRAG_PREFIX}abcdefghijklmnopqrstuvwx{number:08}")
}

fn request_of(username: &str) -> Vec<u8> {
    let padded = username.len().next_multiple_of(4);
    let mut datagram = vec![0, 1];
    datagram.extend(u16::try_from(4 + padded).expect("short").to_be_bytes());
    datagram.extend([0x21, 0x12, 0xa4, 0x42]);
    datagram.extend([9; 12]);
    datagram.extend([0, 6]);
    datagram.extend(u16::try_from(username.len()).expect("short").to_be_bytes());
    datagram.extend(username.as_bytes());
    datagram.resize(24 + padded, 0);
    datagram
}

fn request(number: u32) -> Vec<u8> {
    request_of(&format!("{0}:{0}", named(number)))
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn mux() -> Mux {
    Mux::new(MuxSettings::default())
}

fn opened(route: Route) -> Key {
    match route {
        Route::New { key, .. } => key,
        other => panic!("expected a new connection, found {other:?}"),
    }
}

#[test]
fn the_first_binding_request_of_a_ufrag_opens_and_everything_after_it_follows() {
    let (now, remote) = (start(), address("192.0.2.1:1000"));
    let mut mux = mux();
    assert_eq!(mux.route(now, remote, &[22, 254, 253]), Route::Dropped(DropReason::NotStun));
    let route = mux.route(now, remote, &request(1));
    assert!(matches!(&route, Route::New { ufrag, .. } if *ufrag == named(1)));
    let key = opened(route);
    assert_eq!(mux.route(now, remote, &request(1)), Route::Known(key));
    assert_eq!(mux.route(now, remote, &[22, 254, 253]), Route::Known(key));
}

#[test]
fn a_peer_behind_a_new_mapping_keeps_its_connection() {
    let now = start();
    let mut mux = mux();
    let key = opened(mux.route(now, address("192.0.2.1:1000"), &request(1)));
    mux.established(key);
    assert_eq!(mux.route(now, address("198.51.100.7:9"), &[22]), Route::Dropped(DropReason::NotStun));
    assert_eq!(mux.route(now, address("198.51.100.7:9"), &request(1)), Route::Known(key));
    assert_eq!(mux.route(now, address("198.51.100.7:9"), &[22]), Route::Known(key));
    assert_eq!(mux.route(now, address("192.0.2.1:1000"), &[22]), Route::Known(key));
}

#[test]
fn a_connection_that_moves_often_keeps_the_addresses_it_uses() {
    let now = start();
    let mut mux = mux();
    let used = address("192.0.2.1:1000");
    let key = opened(mux.route(now, used, &request(1)));
    for step in 1..100u16 {
        let now = now + Duration::from_secs(u64::from(step));
        assert_eq!(mux.route(now, used, &[22]), Route::Known(key));
        assert_eq!(mux.route(now, SocketAddr::new(used.ip(), 2000 + step), &request(1)), Route::Known(key));
        assert!(mux.occupancy().addresses <= MuxSettings::default().addresses_per_connection);
    }
}

#[test]
fn nobody_takes_over_the_address_of_a_living_connection() {
    let (now, remote) = (start(), address("192.0.2.1:1000"));
    let mut mux = mux();
    let key = opened(mux.route(now, remote, &request(1)));
    let other = opened(mux.route(now, address("192.0.2.2:1000"), &request(2)));
    assert_eq!(mux.route(now, remote, &request(2)), Route::Dropped(DropReason::AddressTaken));
    assert_eq!(mux.route(now, remote, &request(3)), Route::Dropped(DropReason::AddressTaken));
    assert_eq!(mux.route(now, remote, &[22]), Route::Known(key));
    mux.remove(now, other);
    assert_eq!(mux.drops().get(&DropReason::AddressTaken), Some(&2));
}

#[test]
fn the_checks_of_a_peer_whose_connection_was_closed_do_not_open_it_again() {
    let (now, remote) = (start(), address("192.0.2.1:1000"));
    let mut mux = mux();
    let key = opened(mux.route(now, remote, &request(1)));
    mux.established(key);
    mux.remove(now, key);
    assert_eq!(mux.route(now, remote, &request(1)), Route::Dropped(DropReason::Retired));
    assert_eq!(mux.route(now, remote, &[22]), Route::Dropped(DropReason::NotStun));
    opened(mux.route(now, remote, &request(2)));
    opened(mux.route(now + MuxSettings::default().retired_age, address("192.0.2.1:1001"), &request(1)));
}

#[test]
fn a_half_open_connection_ends_after_its_time_and_an_established_one_does_not() {
    let now = start();
    let mut mux = mux();
    let stays = opened(mux.route(now, address("192.0.2.1:1000"), &request(1)));
    let goes = opened(mux.route(now, address("192.0.2.1:1001"), &request(2)));
    mux.established(stays);
    let deadline = mux.poll_timeout().expect("one is half-open");
    assert_eq!(deadline, now + MuxSettings::default().half_open_age);
    mux.handle_timeout(deadline);
    assert_eq!(mux.poll_expired(), Some(goes));
    assert_eq!(mux.poll_expired(), None);
    assert_eq!(mux.route(deadline, address("192.0.2.1:1000"), &[22]), Route::Known(stays));
    assert_eq!(mux.occupancy().half_open, 0);
}

#[test]
fn a_flood_of_requests_meets_the_bounds_and_leaves_established_connections_alone() {
    let now = start();
    let settings = MuxSettings::default();
    let mut mux = mux();
    let friend = address("203.0.113.1:4000");
    let key = opened(mux.route(now, friend, &request(0)));
    mux.established(key);
    let mut peak = Occupancy::default();
    for number in 1..=100_000u32 {
        let now = now + Duration::from_millis(u64::from(number));
        // One source sends every second request, the others are all different.
        let ip = if number % 2 == 0 { 0x0a00_0001 } else { 0x0b00_0000 + number };
        let remote = SocketAddr::new(IpAddr::from(ip.to_be_bytes()), (number % 60_000) as u16 + 1);
        mux.route(now, remote, &request(number));
        mux.handle_timeout(now);
        while mux.poll_expired().is_some() {}
        let occupancy = mux.occupancy();
        peak.connections = peak.connections.max(occupancy.connections);
        peak.half_open = peak.half_open.max(occupancy.half_open);
        peak.addresses = peak.addresses.max(occupancy.addresses);
        peak.sources = peak.sources.max(occupancy.sources);
        peak.retired = peak.retired.max(occupancy.retired);
        assert_eq!(mux.by_ufrag.len(), occupancy.connections);
        assert_eq!(mux.route(now, friend, &[22]), Route::Known(key));
    }
    assert_eq!(peak.half_open, settings.half_open);
    assert_eq!(peak.connections, settings.half_open + 1);
    assert_eq!(peak.addresses, settings.half_open + 1);
    assert_eq!(peak.sources, settings.half_open - settings.half_open_per_source + 1);
    assert!(peak.retired <= settings.retired);
    assert!(mux.drops()[&DropReason::TooManyHalfOpen] > 0);
    assert!(mux.drops()[&DropReason::TooManyFromSource] > 0);
}

#[test]
fn the_addresses_of_one_ipv6_network_are_one_source() {
    let now = start();
    let mut mux = mux();
    let bound = MuxSettings::default().half_open_per_source as u32;
    for number in 0..bound {
        opened(mux.route(now, address(&format!("[2001:db8::{number:x}]:1")), &request(number)));
    }
    let dropped = Route::Dropped(DropReason::TooManyFromSource);
    assert_eq!(mux.route(now, address("[2001:db8::ffff]:1"), &request(bound)), dropped);
    opened(mux.route(now, address("[2001:db8:0:1::1]:1"), &request(bound)));
    opened(mux.route(now, address("[::ffff:192.0.2.1]:1"), &request(bound + 1)));
    assert_eq!(mux.occupancy().sources, 3);
}

#[test]
fn only_the_same_libp2p_ufrag_twice_opens_a_connection() {
    let (now, remote) = (start(), address("192.0.2.1:1000"));
    let mut mux = mux();
    let good = named(1);
    for username in [
        format!("{good}:{}", named(2)),
        "abcdefghijklmnopqrstuvwx:abcdefghijklmnopqrstuvwx".to_owned(),
        format!("{UFRAG_PREFIX}ab:{UFRAG_PREFIX}ab"),
        format!("{good}\r\na=x:{good}\r\na=x"),
        format!("{good}:{good}:"),
    ] {
        assert_eq!(mux.route(now, remote, &request_of(&username)), Route::Dropped(DropReason::Ufrag), "{username}");
    }
    for username in [good.clone(), "x".repeat(509)] {
        let dropped = Route::Dropped(DropReason::NotABindingRequest);
        assert_eq!(mux.route(now, remote, &request_of(&username)), dropped);
    }
    for bytes in [request(1).len() - 4, request(1).len() + 4] {
        let mut damaged = request(1);
        damaged.resize(bytes, 0);
        assert_eq!(peek(&damaged), Err(StunError::Malformed), "the length field says otherwise");
    }
    let mut response = request(1);
    response[0] = 1;
    assert_eq!(mux.route(now, remote, &response), Route::Dropped(DropReason::NotABindingRequest));
    assert_eq!(mux.occupancy(), Occupancy::default());
}

#[test]
fn a_new_ufrag_is_a_valid_one() {
    for fill in [0, 63, 64, 255] {
        let ufrag = ufrag([fill; 32]);
        assert_eq!(check_ufrag(&ufrag), Ok(ufrag.as_str()));
    }
}

fn small() -> MuxSettings {
    MuxSettings {
        connections: 6,
        half_open: 4,
        half_open_per_source: 2,
        half_open_age: Duration::from_secs(20),
        addresses_per_connection: 2,
        retired_age: Duration::from_secs(60),
        retired: 3,
    }
}

#[derive(Clone, Debug)]
enum Step {
    Request { host: u8, port: u16, number: u32 },
    Other { host: u8, port: u16 },
    Establish(usize),
    Remove(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..4u8, 1..4u16, 0..12u32).prop_map(|(host, port, number)| Step::Request { host, port, number }),
        2 => (0..4u8, 1..4u16).prop_map(|(host, port)| Step::Other { host, port }),
        2 => (0..8usize).prop_map(Step::Establish),
        1 => (0..8usize).prop_map(Step::Remove),
        1 => (0..30u64).prop_map(Step::Wait),
    ]
}

fn consistent(mux: &Mux) {
    let held = mux.occupancy();
    assert!(held.connections <= 6 && held.half_open <= 4 && held.retired <= 3, "{held:?}");
    assert!(mux.half_open_by_source.values().all(|count| (1..=2).contains(count)));
    assert_eq!(mux.half_open_by_source.values().sum::<usize>(), held.half_open);
    assert_eq!(mux.by_ufrag.len(), held.connections);
    assert_eq!(mux.entries.values().map(|entry| entry.addresses.len()).sum::<usize>(), held.addresses);
    for (key, entry) in &mux.entries {
        assert_eq!(mux.by_ufrag.get(&entry.ufrag), Some(key));
        assert!((1..=2).contains(&entry.addresses.len()));
        assert!(entry.addresses.iter().all(|address| mux.by_address[address].key == *key));
    }
    assert!(mux.half_open.keys().all(|key| mux.entries.contains_key(key)));
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_tables_stay_consistent_and_bounded_whatever_happens(steps in prop::collection::vec(step(), 0..120)) {
        let mut now = start();
        let mut mux = Mux::new(small());
        let mut keys = Vec::new();
        for step in steps {
            match step {
                Step::Request { host, port, number } => {
                    let remote = SocketAddr::new(IpAddr::from([10, 0, 0, host]), port);
                    match mux.route(now, remote, &request(number)) {
                        Route::New { key, ufrag } => {
                            prop_assert_eq!(&ufrag, &named(number));
                            prop_assert!(!keys.contains(&key), "a key was used twice");
                            keys.push(key);
                        }
                        Route::Known(key) => prop_assert_eq!(&mux.entries[&key].ufrag, &named(number)),
                        Route::Dropped(_) => {}
                    }
                }
                Step::Other { host, port } => {
                    let remote = SocketAddr::new(IpAddr::from([10, 0, 0, host]), port);
                    let expected = mux.by_address.get(&remote).map(|address| address.key);
                    let found = mux.route(now, remote, &[22]);
                    prop_assert_eq!(found, expected.map_or(Route::Dropped(DropReason::NotStun), Route::Known));
                }
                Step::Establish(index) => keys.get(index).into_iter().for_each(|key| mux.established(*key)),
                Step::Remove(index) => keys.get(index).into_iter().for_each(|key| mux.remove(now, *key)),
                Step::Wait(seconds) => {
                    now += Duration::from_secs(seconds);
                    mux.handle_timeout(now);
                    while let Some(key) = mux.poll_expired() {
                        prop_assert!(!mux.entries.contains_key(&key));
                    }
                    prop_assert!(mux.poll_timeout().is_none_or(|deadline| deadline > now));
                }
            }
            consistent(&mux);
        }
    }

    #[test]
    fn arbitrary_datagrams_never_panic_and_never_open_a_connection(
        datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..40),
    ) {
        let mut mux = mux();
        for datagram in datagrams {
            let route = mux.route(start(), address("192.0.2.1:1000"), &datagram);
            prop_assert!(matches!(route, Route::Dropped(_)));
        }
    }

    #[test]
    fn damaged_binding_requests_never_panic(
        cut in 0..200usize,
        damage in prop::collection::vec((0..200usize, any::<u8>()), 0..6),
    ) {
        let mut datagram = request(1);
        for (index, byte) in damage {
            if let Some(found) = datagram.get_mut(index) {
                *found = byte;
            }
        }
        datagram.truncate(cut.max(1));
        if let Ok(found) = peek(&datagram) {
            prop_assert!(found.local_ufrag.len() + found.remote_ufrag.len() < 508);
        }
    }
}
