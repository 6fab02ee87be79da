//! More streams than a peer should have.

use std::time::Duration;

use libp2p::futures::future::join_all;
use libp2p::futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::{Instant, timeout};

use super::Siege;
use crate::carrier::Carrier;
use crate::common::{PATIENCE, listening};
use crate::frame;
use crate::raw::{Raw, RawStream};

/// Streams that a hostile peer opens.
const STREAMS: usize = 3_000;
/// Messages of one connection that the node reads at once.
const SERVED: usize = 128;
/// The node gives a message 10 s; a stream that ends in less than this was refused.
const AT_ONCE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_peer_that_opens_streams_without_end_holds_few_of_them_and_not_for_long() {
    let siege = Siege::begin(listening(Carrier::Tcp.loopback())).await;
    let peer = Raw::dial_without_restraint(&siege.address).await;
    // Each announces the largest message that the node takes and sends nothing of it.
    let header = frame::header(1, 0, 1 << 20);
    let streams = join_all((0..STREAMS).map(|_| async {
        let mut stream = peer.try_open(frame::PROTOCOL).await?;
        stream.write(&header).await;
        Some(stream)
    }));
    let streams = timeout(PATIENCE, streams).await.expect("streams in time");
    let all_open = Instant::now();
    let mut ends: FuturesUnordered<_> = streams.into_iter().flatten().map(RawStream::end).collect();
    let mut left = ends.len();
    siege.serves().await;
    while left > SERVED {
        let answer = timeout(PATIENCE, ends.next()).await.expect("surplus streams end in time").unwrap();
        assert!(answer.is_empty(), "half a message was answered");
        left -= 1;
    }
    assert!(all_open.elapsed() < AT_ONCE, "{:?} until {SERVED} streams were left", all_open.elapsed());
    assert!(!peer.is_closed(), "the connection is gone");
    siege.serves_newcomers().await;

    while timeout(PATIENCE, ends.next()).await.expect("the last streams end in time").is_some() {}
    let good = frame::message(0, b"sorry");
    let mut stream = peer.open(frame::PROTOCOL).await;
    stream.write(&good).await;
    assert_eq!(stream.rest().await, frame::acknowledgement(&good));
}
