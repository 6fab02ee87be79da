use std::time::Duration;

use darkswap_webrtc::connection::{ChannelOptions, Event};

use crate::support::{A, B, Net};

/// Opens channels one after the other, says something on each, and closes each; how many did not work.
fn churn(net: &mut Net, count: usize, closer: impl Fn(usize) -> usize) -> usize {
    let mut failed = 0;
    for number in 0..count {
        let opener = number % 2;
        let here = net.open(opener, ChannelOptions::default());
        net.write(opener, here, "hello");
        let mut there = None;
        let arrived = net.run(Duration::from_secs(30), |net| {
            there = there.or_else(|| {
                net.ends[1 - opener].events.iter().find_map(|event| match event {
                    Event::ChannelOpened { channel, by_peer: true, .. } => Some(*channel),
                    _ => None,
                })
            });
            there.is_some_and(|there| net.read(1 - opener, there).is_some())
        });
        let Some(there) = there.filter(|_| arrived) else {
            failed += 1;
            continue;
        };
        let now = net.now;
        for end in [A, B] {
            if closer(number) == 2 || closer(number) == end {
                net.ends[end].connection.close_channel(now, if end == opener { here } else { there });
            }
        }
        failed += usize::from(
            !net.run(Duration::from_secs(60), |net| net.has_closed(opener, here) && net.has_closed(1 - opener, there)),
        );
        net.clear_events();
    }
    failed
}

#[test]
fn twenty_thousand_channels_open_and_close_on_one_connection() {
    let mut net = Net::connected(1);
    // By the opener, by the other end, and by both at once.
    assert_eq!(churn(&mut net, 20_000, |number| number % 3), 0);
}

#[test]
fn channels_open_and_close_under_loss() {
    for seed in 0..4 {
        let mut net = Net::connected(seed);
        net.loss = 50;
        assert_eq!(churn(&mut net, 250, |number| number % 3), 0, "seed {seed}");
    }
}

#[test]
fn a_channel_opened_right_after_a_close_opens() {
    let mut net = Net::connected(1);
    for _ in 0..200 {
        let (here, there) = net.open_through(A, ChannelOptions::default());
        let now = net.now;
        net.ends[A].connection.close_channel(now, here);
        net.ends[B].connection.close_channel(now, there);
        net.clear_events();
    }
}

#[test]
fn bursts_of_channels_open_and_close() {
    let mut net = Net::connected(1);
    for _ in 0..20 {
        let burst: Vec<_> = (0..500).map(|_| net.open(A, ChannelOptions::default())).collect();
        assert!(net.run(Duration::from_secs(10), |net| burst.iter().all(|id| net.opened(A, *id))));
        let now = net.now;
        for id in &burst {
            net.ends[A].connection.close_channel(now, *id);
        }
        assert!(net.run(Duration::from_secs(10), |net| burst.iter().all(|id| net.has_closed(A, *id))));
        net.clear_events();
    }
}

#[test]
fn a_reset_that_is_sent_again_does_not_end_a_later_channel() {
    let mut net = Net::connected(5);
    for round in 0..150 {
        net.loss = 0;
        net.clear_events();
        let (here, there) = net.open_through(A, ChannelOptions::default());
        net.loss = 150;
        let now = net.now;
        net.ends[A].connection.close_channel(now, here);
        net.ends[B].connection.close_channel(now, there);
        assert!(net.run(Duration::from_secs(60), |net| net.has_closed(A, here) && net.has_closed(B, there)));
        net.clear_events();
        let (here, there) = net.open_through(A, ChannelOptions::default());
        net.run_for(Duration::from_secs(4));
        assert!(!net.has_closed(A, here) && !net.has_closed(B, there), "round {round}");
    }
}

#[test]
fn channels_close_at_both_ends_while_another_one_sends_under_loss() {
    let mut net = Net::connected(6);
    let (busy, busy_there) = net.open_through(A, ChannelOptions::default());
    net.clear_events();
    net.loss = 30;
    let message = bytes::Bytes::from(vec![0; 4000]);
    for round in 0..100 {
        let saturate = |net: &mut Net| {
            net.fill(A, busy, &message);
            while net.read(B, busy_there).is_some() {}
        };
        let here = net.open(A, ChannelOptions::default());
        let mut there = None;
        let opened = net.run(Duration::from_secs(25), |net| {
            saturate(net);
            there = net.ends[B].events.iter().find_map(|event| match event {
                Event::ChannelOpened { channel, by_peer: true, .. } => Some(*channel),
                _ => None,
            });
            net.opened(A, here) && there.is_some()
        });
        assert!(opened, "round {round}");
        let there = there.unwrap();
        net.write(A, here, "last words");
        let now = net.now;
        net.ends[A].connection.close_channel(now, here);
        let closed = net.run(Duration::from_secs(25), |net| {
            saturate(net);
            net.has_closed(A, here) && net.has_closed(B, there)
        });
        assert!(closed, "round {round}");
        net.clear_events();
    }
}
