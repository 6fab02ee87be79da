//! TCP listeners and connections.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::Pin;
use std::task::Poll;

use darkswap_node::TcpStream;
use futures::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Hosts, accept};

const MEBIBYTE: usize = 1 << 20;

pub(crate) async fn a_connection_knows_its_ends(hosts: Hosts) {
    let (mut listener, address) = hosts.listener();
    assert!(address.port() != 0 && address.ip() == hosts.server_address);
    let (client, (server, remote)) = tokio::join!(hosts.client.connect_tcp(address), accept(&mut listener));
    let client = client.unwrap();
    assert_eq!(client.local_addr().unwrap(), remote);
    assert_eq!(remote.ip(), hosts.client_address);
    assert_eq!(server.local_addr().unwrap(), address);
}

pub(crate) async fn bytes_flow_both_ways(hosts: Hosts) {
    let (mut client, mut server) = hosts.connection().await;
    for round in 0..10_u8 {
        client.write_all(&[round; 100]).await.unwrap();
        let mut bytes = [0; 100];
        server.read_exact(&mut bytes).await.unwrap();
        server.write_all(&bytes[..50]).await.unwrap();
        let mut bytes = [0; 50];
        client.read_exact(&mut bytes).await.unwrap();
        assert_eq!(bytes, [round; 50]);
    }
}

pub(crate) async fn one_direction_closes_alone(hosts: Hosts) {
    let (mut client, mut server) = hosts.connection().await;
    client.write_all(b"all I have").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(client.write(b"more").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    let mut request = Vec::new();
    server.read_to_end(&mut request).await.unwrap();
    assert_eq!(request, b"all I have");
    server.write_all(b"answer").await.unwrap();
    drop(server);
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"answer");
}

pub(crate) async fn nobody_listening_is_refused(hosts: Hosts) {
    let (listener, address) = hosts.listener();
    drop(listener);
    let error = hosts.client.connect_tcp(address).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

pub(crate) async fn leaving_bytes_unread_resets(hosts: Hosts) {
    let (mut client, mut server) = hosts.connection().await;
    client.write_all(&[1; 1_000]).await.unwrap();
    let mut some = [0; 10];
    server.read_exact(&mut some).await.unwrap();
    drop(server);
    let error = client.read(&mut some).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

pub(crate) async fn writing_to_one_who_left_fails(hosts: Hosts) {
    let (mut client, server) = hosts.connection().await;
    drop(server);
    assert_eq!(client.read(&mut [0; 10]).await.unwrap(), 0, "the close is orderly");
    client.write_all(b"still there?").await.unwrap();
    let error = loop {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        if let Err(error) = client.write(b"still there?").await {
            break error;
        }
    };
    assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{error}");
}

pub(crate) async fn a_writer_waits_for_its_reader(hosts: Hosts) {
    let (mut client, mut server) = hosts.connection().await;
    let mut accepted = 0;
    while let Some(written) = write_now(&mut client, &[7; MEBIBYTE / 16]).await {
        accepted += written;
        assert!(accepted < 64 * MEBIBYTE, "nobody reads, and yet the connection takes more");
    }
    let read = async {
        let mut received = Vec::new();
        server.read_to_end(&mut received).await.unwrap();
        received.len()
    };
    let write = async {
        client.write_all(&[7; MEBIBYTE]).await.unwrap();
        client.shutdown().await.unwrap();
    };
    let (received, ()) = tokio::join!(read, write);
    assert_eq!(received, accepted + MEBIBYTE);
}

pub(crate) async fn eight_mebibytes_arrive_whole_in_small_reads(hosts: Hosts) {
    let (mut client, mut server) = hosts.connection().await;
    let sent: Vec<u8> = (0..8 * MEBIBYTE).map(|position| (position * 31 / 7) as u8).collect();
    let write = async {
        client.write_all(&sent).await.unwrap();
        client.shutdown().await.unwrap();
    };
    let read = async {
        let mut received = Vec::with_capacity(sent.len());
        let mut buffer = [0; 7_777];
        loop {
            match server.read(&mut buffer).await.unwrap() {
                0 => return received,
                length => received.extend_from_slice(&buffer[..length]),
            }
        }
    };
    let ((), received) = tokio::join!(write, read);
    assert!(received == sent, "{} bytes of {} arrived, or others", received.len(), sent.len());
}

pub(crate) async fn an_abandoned_attempt_leaves_nothing(hosts: Hosts) {
    let (mut listener, address) = hosts.listener();
    let mut attempt = hosts.client.connect_tcp(address);
    let _ = (&mut attempt).now_or_never();
    drop(attempt);
    let second = async {
        let mut client = hosts.client.connect_tcp(address).await.unwrap();
        client.write_all(b"me").await.unwrap();
        client
    };
    let serve = async {
        loop {
            let (mut server, _) = accept(&mut listener).await;
            let mut bytes = Vec::new();
            if server.read_buf(&mut bytes).await.is_ok_and(|length| length > 0) {
                return bytes;
            }
        }
    };
    let (_client, bytes) = tokio::join!(second, serve);
    assert_eq!(bytes, b"me");
}

pub(crate) async fn a_closed_listener_frees_its_port(hosts: Hosts) {
    let (listener, address) = hosts.listener();
    drop(listener);
    let (mut listener, address) = (hosts.server.listen_tcp(address).unwrap(), address);
    let (client, _) = tokio::join!(hosts.client.connect_tcp(address), accept(&mut listener));
    client.unwrap();
}

/// Writes without waiting for room.
async fn write_now(stream: &mut Box<dyn TcpStream>, bytes: &[u8]) -> Option<usize> {
    poll_fn(|cx| match Pin::new(&mut *stream).poll_write(cx, bytes) {
        Poll::Ready(written) => Poll::Ready(Some(written.unwrap())),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
