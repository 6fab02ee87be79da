//! Substreams on one connection.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use darkswap_node::TokioRuntime;
use darkswap_node::transport::webrtc::End;
use futures::future::join_all;
use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use libp2p::core::muxing::StreamMuxerExt as _;
use libp2p::identity::Keypair;

use crate::peers::{Server, accept, dial, echo, open, returned, round_trip};

/// What a connection keeps of what nobody reads; four times the bound of one substream.
const BUFFERED: usize = 16 << 20;

/// What "at once" means on a loopback of a busy machine; far below ICE's and SCTP's own time-outs.
const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn sixty_substreams_at_once_and_two_hundred_in_sequence_carry_what_is_written() {
    let mut server = Server::start().await;
    let (mut dialler, listener) = server.connection().await;
    echo(listener);
    let mut at_once = Vec::new();
    for index in 0..60_u8 {
        let substream = open(&mut dialler).await;
        at_once.push(async move { returned(substream, &vec![index; 40_000]).await });
    }
    join_all(at_once).await;
    for index in 0..200_u8 {
        round_trip(&mut dialler, &[index; 100]).await;
    }
}

#[tokio::test]
async fn both_ends_open_substreams() {
    let mut server = Server::start().await;
    let (mut dialler, mut listener) = server.connection().await;
    let mut ours = open(&mut listener).await;
    ours.write_all(b"hello").await.unwrap();
    let mut theirs = accept(&mut dialler).await;
    let mut greeting = [0; 5];
    theirs.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"hello");
}

#[tokio::test]
async fn sixteen_mebibytes_go_each_way_on_one_substream() {
    let mut server = Server::start().await;
    let (mut dialler, listener) = server.connection().await;
    echo(listener);
    let message: Vec<u8> = (0_u32..16 << 18).flat_map(u32::to_le_bytes).collect();
    assert_eq!(message.len(), 16 << 20);
    round_trip(&mut dialler, &message).await;
}

#[tokio::test]
async fn a_substream_that_is_dropped_unfinished_is_reset_for_the_other_end() {
    let mut server = Server::start().await;
    let (mut dialler, mut listener) = server.connection().await;
    let mut ours = open(&mut dialler).await;
    ours.write_all(b"half a").await.unwrap();
    ours.flush().await.unwrap();
    let mut theirs = accept(&mut listener).await;
    let mut half = [0; 6];
    theirs.read_exact(&mut half).await.unwrap();
    drop(ours);
    let error = theirs.read(&mut half).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
}

#[tokio::test]
async fn substreams_beyond_the_bound_are_reset_and_the_others_go_on() {
    let mut server = Server::start().await;
    let (mut dialler, mut listener) = server.connection().await;
    let mut open_ones = Vec::new();
    for _ in 0..256 {
        let mut substream = open(&mut dialler).await;
        substream.write_all(b"x").await.unwrap();
        open_ones.push(substream);
    }
    let mut accepted = Vec::new();
    for _ in 0..256 {
        accepted.push(accept(&mut listener).await);
    }
    let mut beyond = open(&mut dialler).await;
    beyond.write_all(b"x").await.unwrap();
    assert!(tokio::time::timeout(SOON, beyond.read(&mut [0])).await.unwrap().is_err());
    assert_eq!(listener.refused_channels(), 1);
    // One ends, another may come.
    for mut substream in [open_ones.swap_remove(0), accepted.swap_remove(0)] {
        substream.close().await.unwrap();
    }
    let mut last = open(&mut dialler).await;
    last.write_all(b"y").await.unwrap();
    let mut byte = [0];
    tokio::time::timeout(SOON, accept(&mut listener)).await.unwrap().read_exact(&mut byte).await.unwrap();
    assert_eq!(&byte, b"y");
}

#[tokio::test]
async fn the_end_of_a_connection_is_noticed_at_once() {
    let mut server = Server::start().await;
    for closes_in_good_order in [true, false] {
        let (mut dialler, mut listener) = server.connection().await;
        let mut substream = open(&mut dialler).await;
        substream.write_all(b"x").await.unwrap();
        let mut theirs = accept(&mut listener).await;
        if closes_in_good_order {
            poll_fn(|cx| dialler.poll_close_unpin(cx)).await.unwrap();
        } else {
            drop(dialler);
        }
        let end = tokio::time::timeout(SOON, poll_fn(|cx| listener.poll_unpin(cx))).await.unwrap();
        assert!(matches!(end, Err(End::Connection(_))), "{end:?}");
        let mut rest = Vec::new();
        assert!(theirs.read_to_end(&mut rest).await.is_err());
        assert_eq!(rest, b"x", "what had arrived can still be read");
        assert!(substream.write_all(b"x").await.is_err());
    }
    let gone = async {
        while server.counts().occupancy.connections > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, gone).await.expect("the listener forgets what has ended");
}

#[tokio::test]
async fn a_connection_outlives_its_listener() {
    let mut server = Server::start().await;
    let (mut dialler, listener) = server.connection().await;
    echo(listener);
    server.stop();
    round_trip(&mut dialler, b"still here").await;
    let identity = Keypair::generate_ed25519();
    let dialling = dial(&identity, &server.address, Arc::new(TokioRuntime));
    assert!(tokio::time::timeout(Duration::from_millis(300), dialling).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_flood_over_many_substreams_that_nobody_reads_is_bounded_and_resets_only_some() {
    let mut server = Server::start().await;
    let (mut dialler, mut listener) = server.connection().await;
    let message = vec![7; 2 << 20];
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..12 {
        let mut substream = open(&mut dialler).await;
        // Its reset comes as an error, or after the last byte was handed over.
        let _ = substream.write_all(&message).await;
        let _ = substream.flush().await;
        theirs.push(accept(&mut listener).await);
        ours.push(substream);
        assert!(listener.buffered() <= BUFFERED, "{} bytes", listener.buffered());
    }
    let (mut whole, mut reset) = (0, 0);
    for mut substream in theirs {
        let mut read = vec![0; message.len()];
        match substream.read_exact(&mut read).await {
            Ok(()) => whole += 1,
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
                reset += 1;
            }
        }
    }
    assert!((7..=8).contains(&whole) && whole + reset == 12, "{whole} whole, {reset} reset");
    assert_eq!(listener.buffered(), 0);
    drop(ours);
    echo(listener);
    round_trip(&mut dialler, &vec![1; 3 << 20]).await;
}
