//! Where turmoil-net's TCP is helped to behave like a real kernel's.

use std::io::ErrorKind;
use std::time::Duration;

use darkswap_node::Runtime;
use futures::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{LATENCY, accept, connection, host, on, run};

#[test]
fn data_for_one_who_left_is_answered_with_a_reset() {
    run(|world| async move {
        let (mut client, server) = connection(&host(&world, "one"), &host(&world, "two")).await;
        drop(server);
        tokio::time::sleep(LATENCY * 2).await;
        client.write_all(b"hello?").await.unwrap();
        tokio::time::sleep(LATENCY * 3).await;
        assert_eq!(client.write(b"hello?").await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_handshake_that_the_client_abandons_does_not_hold_the_port() {
    run(|world| async move {
        let (one, two) = (host(&world, "one"), host(&world, "two"));
        let listener = two.listen_tcp(on(&two, 80)).unwrap();
        let mut attempt = one.connect_tcp(on(&two, 80));
        assert!((&mut attempt).now_or_never().is_none());
        tokio::time::sleep(LATENCY + Duration::from_millis(1)).await;
        drop(attempt);
        tokio::time::sleep(LATENCY * 4).await;
        drop(listener);
        tokio::time::sleep(LATENCY * 4).await;
        two.listen_tcp(on(&two, 80)).expect("nothing holds the port");
    });
}

#[test]
fn an_attempt_to_reach_nobody_times_out_as_on_linux() {
    run(|world| async move {
        let one = host(&world, "one");
        let error = one.connect_tcp("192.0.2.1:80".parse().unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(world.now(), Duration::from_secs(127));
    });
}

#[test]
fn a_thousand_connections_come_and_go() {
    run(|world| async move {
        let (one, two) = (host(&world, "one"), host(&world, "two"));
        let mut listener = two.listen_tcp(on(&two, 80)).unwrap();
        for round in 0..1_000_u32 {
            let (client, (mut server, _)) = tokio::join!(one.connect_tcp(on(&two, 80)), accept(&mut listener));
            let mut client = client.unwrap();
            client.write_all(&round.to_be_bytes()).await.unwrap();
            assert_eq!(server.read_u32().await.unwrap(), round);
        }
        drop(listener);
        tokio::time::sleep(LATENCY * 4).await;
        two.listen_tcp(on(&two, 80)).expect("nothing holds the port");
    });
}
