//! Hosts whose addresses change under a negotiated connection.

use std::sync::Arc;
use std::time::Duration;

use darkswap_node::config::WebrtcConfig;
use darkswap_node::event::IceState;
use darkswap_node::handle::ChannelOptions;
use darkswap_node::{Runtime, event::Event};
use tokio::time::{Instant, timeout};

use crate::common::Running;
use crate::cut::Cut;
use crate::{Relay, direct, exchange_messages, settled_between};

const HOME: [u8; 4] = [127, 0, 0, 1];
const AWAY: [u8; 4] = [127, 0, 0, 2];
/// Less than the silence after which ICE notices by itself, which begins with the last message.
const AT_ONCE: Duration = Duration::from_millis(4_500);

/// Two nodes with a direct connection whose signalling is open still.
async fn connected(relay: &Relay, offerer: &Arc<Cut>, answerer: &Arc<Cut>) -> (Running, Running) {
    let on = |host: &Arc<Cut>| Arc::clone(host) as Arc<dyn Runtime>;
    let mut a = relay.client_on(on(offerer), WebrtcConfig::default()).await;
    let mut b = relay.client_on(on(answerer), WebrtcConfig::default()).await;
    a.handle.connect(b.id(), vec![relay.circuit()]).await.unwrap();
    direct(&mut a).await;
    direct(&mut b).await;
    (a, b)
}

/// Waits for the end of a restart; whether ICE was disconnected before.
async fn restarted(node: &mut Running) -> bool {
    let mut disconnected = false;
    node.wait("restart", |event| match event {
        Event::IceState { state: IceState::Disconnected, .. } => {
            disconnected = true;
            None
        }
        Event::Negotiation { restart: true, succeeded, reason, .. } => {
            assert!(succeeded, "{reason:?}");
            Some(())
        }
        Event::Misbehaviour { evidence, .. } => panic!("{evidence}"),
        _ => None,
    })
    .await;
    disconnected
}

#[tokio::test]
async fn an_offerer_that_moves_restarts_ice_at_once_and_closes_its_old_sockets() {
    let relay = Relay::start().await;
    let (home, other) = (Cut::at(&[HOME]), Cut::at(&[HOME]));
    let (mut a, mut b) = connected(&relay, &home, &other).await;
    let channel =
        a.handle.open_channel(b.id(), ChannelOptions { label: "long".to_owned(), ..ChannelOptions::default() });
    let channel = channel.unwrap();
    channel.send("before".into()).await.unwrap();
    let theirs = b.handle.accept_channel().await.unwrap().channel;
    assert_eq!(theirs.receive().await.unwrap(), "before");
    let moved = Instant::now();
    home.move_to(&[AWAY]);
    channel.send("meanwhile".into()).await.unwrap();
    let arrived = timeout(AT_ONCE, theirs.receive()).await.expect("before ICE would have noticed by itself");
    assert_eq!(arrived.unwrap(), "meanwhile", "on the same channel of the same connection");
    assert!(restarted(&mut a).await, "the node hears that the path is gone");
    assert!(moved.elapsed() < AT_ONCE);
    exchange_messages(&mut a, &mut b).await;
    assert_eq!(home.open(HOME), 0, "nothing is left on an address that is gone");
    assert!(home.open(AWAY) > 0);
}

#[tokio::test]
async fn an_answerer_that_moves_restarts_as_well() {
    let relay = Relay::start().await;
    let (home, other) = (Cut::at(&[HOME]), Cut::at(&[HOME]));
    let (mut a, mut b) = settled_between(&relay, &home, &other).await;
    exchange_messages(&mut a, &mut b).await;
    let moved = Instant::now();
    other.move_to(&[AWAY]);
    assert!(restarted(&mut b).await);
    assert!(moved.elapsed() < AT_ONCE, "{:?}", moved.elapsed());
    exchange_messages(&mut a, &mut b).await;
    assert_eq!(other.open(HOME), 0);
}

#[tokio::test]
async fn an_offerer_that_moves_long_after_its_signalling_ended_has_it_opened_again() {
    let relay = Relay::start().await;
    let (home, other) = (Cut::at(&[HOME]), Cut::at(&[HOME]));
    let (mut a, mut b) = settled_between(&relay, &home, &other).await;
    exchange_messages(&mut a, &mut b).await;
    let moved = Instant::now();
    home.move_to(&[AWAY]);
    assert!(restarted(&mut a).await);
    assert!(moved.elapsed() < AT_ONCE, "{:?}", moved.elapsed());
    exchange_messages(&mut a, &mut b).await;
    assert_eq!(home.open(HOME), 0);
}

#[tokio::test]
async fn an_address_that_appears_is_gathered_on_without_disturbing_the_connection() {
    let relay = Relay::start().await;
    let (home, other) = (Cut::at(&[HOME]), Cut::at(&[HOME]));
    let (mut a, mut b) = connected(&relay, &home, &other).await;
    home.move_to(&[HOME, AWAY]);
    assert!(!restarted(&mut a).await, "the path worked all the time");
    assert!(home.open(AWAY) > 0);
    home.move_to(&[AWAY]);
    exchange_messages(&mut a, &mut b).await;
}

#[tokio::test]
async fn two_hosts_that_move_at_once_find_each_other_again() {
    let relay = Relay::start().await;
    let (home, other) = (Cut::at(&[HOME]), Cut::at(&[HOME]));
    let (mut a, mut b) = settled_between(&relay, &home, &other).await;
    exchange_messages(&mut a, &mut b).await;
    home.move_to(&[AWAY]);
    other.move_to(&[[127, 0, 0, 3]]);
    assert!(restarted(&mut a).await && restarted(&mut b).await);
    exchange_messages(&mut a, &mut b).await;
    assert_eq!((home.open(HOME), other.open(HOME)), (0, 0));
}
