//! Relayed candidates wait for better ones.

use std::time::Duration;

use darkswap_webrtc::connection::{CandidateKind, Connection, LocalCandidate};

use crate::support::{A, B, Net, address, settings, start};

/// Two ends of which `owner` has a relayed candidate besides, with descriptions and candidates exchanged. A offers, so it nominates.
fn relayed(owner: usize, hosts: &[usize]) -> Net {
    let now = start();
    let ends = [A, B].map(|end| Connection::signalled(&settings(end), now).unwrap());
    let mut net = Net::new(now, ends.into(), 1);
    let (host, server) = (address(owner), "203.0.113.9:50000".parse().unwrap());
    net.ends[owner].relayed = Some(server);
    let offer = net.ends[A].connection.create_offer(now).unwrap();
    let candidate = |end: usize| LocalCandidate {
        kind: CandidateKind::Host,
        address: address(end),
        base: address(end),
        server: None,
    };
    let relayed = LocalCandidate { kind: CandidateKind::Relayed, address: server, base: host, server: Some(server) };
    let mut texts = Vec::new();
    for end in hosts {
        texts.push((*end, net.ends[*end].connection.add_local_candidate(&candidate(*end)).unwrap()));
    }
    texts.push((owner, net.ends[owner].connection.add_local_candidate(&relayed).unwrap()));
    let answer = net.ends[B].connection.accept_offer(now, &offer).unwrap();
    net.ends[A].connection.accept_answer(now, &answer).unwrap();
    for (end, text) in texts {
        net.ends[1 - end].connection.add_remote_candidate(&text).unwrap();
    }
    net
}

/// Whether both ends are connected in time, and whether through the server.
fn connects(net: &mut Net, limit: Duration) -> Option<bool> {
    net.connect(limit).then(|| {
        let socket = |net: &Net, end: usize| net.ends[end].connection.selected_pair().unwrap();
        let server = net.ends.iter().find_map(|end| end.relayed).unwrap();
        [A, B].iter().any(|end| {
            let pair = socket(net, *end);
            pair.local.address == server || pair.remote.address == server
        })
    })
}

#[test]
fn a_better_pair_whose_first_checks_are_lost_is_still_preferred_to_a_relayed_one() {
    for owner in [A, B] {
        let mut net = relayed(owner, &[A, B]);
        net.closed = Some(address(owner));
        net.run_for(Duration::from_millis(300));
        net.closed = None;
        assert_eq!(connects(&mut net, Duration::from_secs(1)), Some(false), "relayed for {owner}");
    }
}

#[test]
fn a_relayed_pair_is_used_within_a_second_where_nothing_else_works() {
    for owner in [A, B] {
        let mut net = relayed(owner, &[A, B]);
        net.closed = Some(address(owner));
        assert_eq!(connects(&mut net, Duration::from_secs(1)), Some(true), "relayed for {owner}");
        assert_eq!(net.ends[owner].connection.selected_socket(), Some(address(owner)), "to the server goes a socket");
    }
}

#[test]
fn an_end_with_nothing_but_relayed_candidates_does_not_wait() {
    let mut net = relayed(A, &[B]);
    assert_eq!(connects(&mut net, Duration::from_millis(300)), Some(true));
}
