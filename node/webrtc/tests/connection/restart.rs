//! Restarts of ICE, and hosts that move.

use std::net::SocketAddr;
use std::time::Duration;

use darkswap_webrtc::connection::{CandidateKind, ChannelOptions, ConnectionError, Event, IceState, LocalCandidate};

use crate::support::{A, B, Net};

fn moved(end: usize, times: u16) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, [1, 2][end]], 1000 + times))
}

/// Gives an end another address, which it tells its peer.
fn tell_address(net: &mut Net, end: usize, address: SocketAddr) {
    net.ends[end].address = address;
    let candidate = LocalCandidate { kind: CandidateKind::Host, address, base: address, server: None };
    let text = net.ends[end].connection.add_local_candidate(&candidate).unwrap();
    net.ends[1 - end].connection.add_remote_candidate(&text).unwrap();
}

fn selects(net: &mut Net, end: usize) -> bool {
    net.run(Duration::from_secs(1), |net| {
        net.ends[end].events.iter().any(|event| matches!(event, Event::SelectedPair(_)))
    })
}

#[test]
fn a_hundred_moves_are_no_more_than_one() {
    let mut net = Net::signalled(1);
    assert!(net.connect(Duration::from_secs(1)));
    let (here, there) = net.open_through(A, ChannelOptions::default());
    for times in 0..100 {
        net.clear_events();
        let (now, restarter) = (net.now, [A, B][usize::from(times % 2)]);
        net.ends[restarter].connection.restart_ice(now).unwrap();
        net.negotiate(restarter);
        for end in [A, B] {
            tell_address(&mut net, end, moved(end, times));
        }
        net.write(A, here, "still there");
        let arrives = |net: &mut Net| net.read(B, there).is_some_and(|message| message == "still there");
        assert!(net.run(Duration::from_secs(2), arrives), "after {times} moves");
        for end in [A, B] {
            assert_eq!(net.ends[end].connection.selected_socket(), Some(moved(end, times)));
        }
    }
}

#[test]
fn candidates_that_come_before_the_answer_are_those_of_the_restart() {
    let mut net = Net::signalled(1);
    assert!(net.connect(Duration::from_secs(1)));
    net.clear_events();
    let now = net.now;
    net.ends[A].connection.restart_ice(now).unwrap();
    let offer = net.ends[A].connection.create_offer(now).unwrap();
    let address = moved(A, 0);
    let candidate = LocalCandidate { kind: CandidateKind::Host, address, base: address, server: None };
    let text = net.ends[A].connection.add_local_candidate(&candidate).unwrap();
    net.run_for(Duration::from_secs(1));
    net.ends[A].address = address;
    let now = net.now;
    let answer = net.ends[B].connection.accept_offer(now, &offer).unwrap();
    net.ends[A].connection.accept_answer(now, &answer).unwrap();
    net.ends[B].connection.add_remote_candidate(&text).unwrap();
    tell_address(&mut net, B, moved(B, 0));
    assert!(selects(&mut net, A) && selects(&mut net, B));
    assert_eq!(net.ends[A].connection.selected_socket(), Some(address));
}

#[test]
fn a_socket_whose_address_is_gone_disconnects_at_once_and_only_once_until_it_works_again() {
    let mut net = Net::signalled(1);
    assert!(net.connect(Duration::from_secs(1)));
    net.clear_events();
    for _ in 0..2 {
        let now = net.now;
        net.ends[A].connection.lose_selected_socket(now);
        net.pump();
    }
    assert_eq!(net.ends[A].events, [Event::Ice(IceState::Disconnected)]);
    // It was a rumour, or the address came back.
    net.run_for(Duration::from_secs(3));
    assert_eq!(net.ends[A].events, [IceState::Disconnected, IceState::Connected].map(Event::Ice));
    assert!(net.ends[B].events.is_empty());
}

#[test]
fn two_restarts_that_cross_become_one_when_an_end_gives_way() {
    let mut net = Net::signalled(1);
    assert!(net.connect(Duration::from_secs(1)));
    net.clear_events();
    let now = net.now;
    for end in [A, B] {
        net.ends[end].connection.restart_ice(now).unwrap();
    }
    let offer = net.ends[B].connection.create_offer(now).unwrap();
    let lost = net.ends[A].connection.create_offer(now).unwrap();
    let refused = net.ends[A].connection.accept_offer(now, &offer).unwrap_err();
    assert!(matches!(refused, ConnectionError::State { .. }), "{refused}");
    net.ends[A].connection.withdraw_offer();
    let answer = net.ends[A].connection.accept_offer(now, &offer).unwrap();
    assert_ne!(answer.lines().find(|line| line.contains("ufrag")), lost.lines().find(|line| line.contains("ufrag")));
    net.ends[B].connection.accept_answer(now, &answer).unwrap();
    for end in [A, B] {
        tell_address(&mut net, end, moved(end, 0));
    }
    assert!(selects(&mut net, A) && selects(&mut net, B));
}
