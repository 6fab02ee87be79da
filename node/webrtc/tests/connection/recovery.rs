//! What happens when the way between two ends works again.

use std::time::Duration;

use darkswap_webrtc::connection::{ChannelId, ChannelOptions, Event, IceState};

use crate::support::{A, B, Net, address};

fn channel(net: &mut Net) -> (ChannelId, ChannelId) {
    net.open_through(A, ChannelOptions { label: "label".to_owned(), ..ChannelOptions::default() })
}

fn arrives(net: &mut Net, there: ChannelId, limit: Duration, expected: &'static str) -> bool {
    net.run(limit, |net| net.read(B, there).is_some_and(|message| message == expected))
}

/// Writes and lets nothing through for so long that the repetitions are seconds apart.
fn interrupt(net: &mut Net, here: ChannelId, time: Duration) {
    net.write(A, here, "meanwhile");
    net.cut = true;
    net.run_for(time);
    net.cut = false;
    assert!(net.ends[A].events.contains(&Event::Ice(IceState::Disconnected)), "the cut was too short");
    net.clear_events();
}

#[test]
fn data_leaves_as_soon_as_ice_finds_its_peer_again() {
    for seed in 0..8 {
        let mut net = Net::connected(seed);
        let (here, there) = channel(&mut net);
        interrupt(&mut net, here, Duration::from_secs(7));
        let works = |net: &mut Net| net.ends[A].events.contains(&Event::Ice(IceState::Connected));
        assert!(net.run(Duration::from_secs(3), works), "seed {seed}");
        assert!(arrives(&mut net, there, Duration::from_millis(100), "meanwhile"), "seed {seed}");
    }
}

#[test]
fn data_leaves_as_soon_as_a_restart_has_selected_a_pair() {
    for seed in 0..8 {
        let mut net = Net::signalled(seed);
        assert!(net.connect(Duration::from_secs(1)));
        let (here, there) = channel(&mut net);
        interrupt(&mut net, here, Duration::from_secs(7));
        let now = net.now;
        net.ends[A].connection.restart_ice(now).unwrap();
        net.negotiate(A);
        net.exchange_candidates();
        let selected = |net: &mut Net| net.ends[A].events.iter().any(|event| matches!(event, Event::SelectedPair(_)));
        assert!(net.run(Duration::from_secs(1), selected), "seed {seed}");
        assert!(arrives(&mut net, there, Duration::from_millis(100), "meanwhile"), "seed {seed}");
    }
}

#[test]
fn data_leaves_again_when_the_first_packet_after_a_restart_is_lost() {
    let mut net = Net::signalled(1);
    assert!(net.connect(Duration::from_secs(1)));
    let (here, there) = channel(&mut net);
    interrupt(&mut net, here, Duration::from_secs(7));
    let now = net.now;
    net.ends[A].connection.restart_ice(now).unwrap();
    net.negotiate(A);
    net.exchange_candidates();
    let selected = |net: &mut Net| net.ends[A].events.iter().any(|event| matches!(event, Event::SelectedPair(_)));
    assert!(net.run(Duration::from_secs(1), selected));
    net.cut = true;
    net.run_for(Duration::from_millis(300));
    net.cut = false;
    assert!(arrives(&mut net, there, Duration::from_millis(200), "meanwhile"));
}

#[test]
fn a_restart_amid_a_transfer_costs_hardly_more_than_what_was_under_way() {
    let mut net = Net::signalled(1);
    assert!(net.connect(Duration::from_secs(1)));
    let (here, there) = channel(&mut net);
    let message = bytes::Bytes::from(vec![7; 16 * 1024]);
    let transfer = |net: &mut Net, time: Duration| {
        let (until, mut received) = (net.now + time, 0);
        while net.now < until {
            net.fill(A, here, &message);
            net.run_for(Duration::from_millis(5));
            received += std::iter::from_fn(|| net.read(B, there)).count();
        }
        received
    };
    net.rate = Some(2_000_000);
    transfer(&mut net, Duration::from_secs(2));
    let before = transfer(&mut net, Duration::from_secs(2));
    let now = net.now;
    net.ends[A].connection.restart_ice(now).unwrap();
    net.negotiate(A);
    net.exchange_candidates();
    let after = transfer(&mut net, Duration::from_secs(2));
    assert!(after * 4 >= before * 3, "{after} messages after {before}");
    assert_eq!(net.ends[A].connection.selected_pair().unwrap().remote.address, address(B));
}
