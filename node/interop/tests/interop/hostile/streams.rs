//! More streams than a peer should have.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use libp2p::futures::stream::{FuturesUnordered, StreamExt as _};
use libp2p::identity::Keypair;
use tokio::time::{Instant, timeout};

use super::Siege;
use crate::carrier::Carrier;
use crate::common::{PATIENCE, listening};
use crate::frame;
use crate::raw::Raw;

/// Streams that a hostile peer opens.
const STREAMS: usize = 3_000;
/// Messages of one connection that the node reads at once.
const SERVED: usize = 128;
/// The node gives a message 10 s; a stream that ends in less than this was refused.
const AT_ONCE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_peer_that_opens_streams_without_end_holds_few_of_them_and_not_for_long() {
    let siege = Siege::begin(listening(Carrier::Tcp.loopback())).await;
    let peer = Raw::dial(&siege.address, &Keypair::generate_ed25519()).await;
    let open = Arc::new(AtomicUsize::new(0));
    // Each announces the largest message that the node takes and sends nothing of it.
    let header = frame::header(1, 0, 1 << 20);
    let mut streams: FuturesUnordered<_> = (0..STREAMS)
        .map(|_| {
            let (peer, open, header) = (peer.clone(), Arc::clone(&open), header.clone());
            async move {
                let stream = peer.try_open(frame::PROTOCOL).await;
                open.fetch_add(1, Ordering::Relaxed);
                if let Some(mut stream) = stream {
                    stream.write(&header).await;
                    assert!(stream.end().await.is_empty(), "half a message was answered");
                }
            }
        })
        .collect();

    let mut ended = 0;
    while open.load(Ordering::Relaxed) < STREAMS {
        if timeout(PATIENCE, streams.next()).await.expect("streams in time").is_some() {
            ended += 1;
        }
    }
    let all_open = Instant::now();
    siege.serves().await;
    while STREAMS - ended > SERVED {
        timeout(PATIENCE, streams.next()).await.expect("surplus streams end in time");
        ended += 1;
    }
    assert!(all_open.elapsed() < AT_ONCE, "{:?} until at most {SERVED} streams were left", all_open.elapsed());
    siege.serves_newcomers().await;

    while timeout(PATIENCE, streams.next()).await.expect("the last streams end in time").is_some() {}
    let good = frame::message(0, b"sorry");
    let mut stream = peer.open(frame::PROTOCOL).await;
    stream.write(&good).await;
    assert_eq!(stream.rest().await, frame::acknowledgement(&good));
}
