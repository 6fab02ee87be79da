//! More connections than a peer should have.

use std::time::Duration;

use darkswap_node::limits::Limits;
use darkswap_node::{Config, Runtime as _, TokioRuntime};
use libp2p::futures::future::join_all;
use libp2p::futures::stream::{FuturesUnordered, StreamExt as _};
use libp2p::identity::Keypair;
use tokio::io::AsyncReadExt as _;
use tokio::time::{Instant, timeout};

use super::Siege;
use super::bytes::socket;
use crate::carrier::Carrier;
use crate::common::{PATIENCE, listening};
use crate::raw::Raw;

/// The node gives a handshake 10 s; a connection that ends in less than this was refused.
const AT_ONCE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_flood_of_half_open_connections_stops_at_the_limit_and_the_node_goes_on() {
    const FLOOD: usize = 100;
    const PENDING: usize = 8;
    let limits = Limits { pending_connections: PENDING as u32, ..Limits::default() };
    let siege = Siege::begin(Config { limits, ..listening(Carrier::Tcp.loopback()) }).await;
    let to = socket(&siege.address);
    let half_open = join_all((0..FLOOD).map(|_| TokioRuntime.connect_tcp(to))).await;
    let began = Instant::now();
    let mut ends: FuturesUnordered<_> = half_open
        .into_iter()
        .map(|stream| async move {
            // Refused by the host already: that is an end as well.
            if let Ok(mut stream) = stream {
                let _ = stream.read_to_end(&mut Vec::new()).await;
            }
            began.elapsed()
        })
        .collect();

    siege.serves().await;
    for refused in 0..FLOOD - PENDING {
        let after = timeout(PATIENCE, ends.next()).await.expect("surplus connections end in time").unwrap();
        assert!(after < AT_ONCE, "only {refused} of {FLOOD} connections were refused at once");
    }
    siege.serves().await;
    // The others have the time of a handshake, and no more.
    while timeout(PATIENCE, ends.next()).await.expect("the last connections end in time").is_some() {}
    siege.serves_newcomers().await;
}

#[tokio::test]
async fn one_peer_holds_no_more_connections_than_its_share() {
    const DIALLED: usize = 20;
    const SHARE: usize = 3;
    let limits = Limits { connections_per_peer: SHARE as u32, ..Limits::default() };
    for carrier in [Carrier::Tcp, Carrier::Quic] {
        let siege = Siege::begin(Config { limits: limits.clone(), ..listening(carrier.loopback()) }).await;
        let identity = Keypair::generate_ed25519();
        let connections = join_all((0..DIALLED).map(|_| Raw::dial(&siege.address, &identity))).await;
        let mut ends: FuturesUnordered<_> = connections
            .iter()
            .map(|connection| {
                let mut connection = connection.clone();
                async move { connection.closed().await }
            })
            .collect();
        for _ in 0..DIALLED - SHARE {
            ends.next().await.unwrap();
        }
        let id = identity.public().to_peer_id();
        let peers = siege.node.handle.peers().await.unwrap();
        let held = peers.iter().find(|peer| peer.peer == id).map_or(0, |peer| peer.connections);
        let open = connections.iter().filter(|connection| !connection.is_closed()).count();
        assert!(held <= SHARE && open <= SHARE, "{carrier:?}: the node holds {held}, {open} are open");
        siege.serves_newcomers().await;
    }
}
