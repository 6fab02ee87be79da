//! Crash and restart of a host.

use std::io::ErrorKind;
use std::time::Duration;

use darkswap_node::{Runtime, TcpStream};
use darkswap_sim::SimRuntime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{LATENCY, accept, host, on, receive, run};

/// Serves connections and datagrams on port 80 for as long as the host lives.
fn serve(server: &std::sync::Arc<SimRuntime>) {
    let (mut listener, socket) = (server.listen_tcp(on(server, 80)).unwrap(), server.bind_udp(on(server, 80)).unwrap());
    let runtime = std::sync::Arc::clone(server);
    server.spawn(
        "serve",
        Box::pin(async move {
            loop {
                let (stream, _) = accept(&mut listener).await;
                runtime.spawn("echo", Box::pin(echo(stream)));
            }
        }),
    );
    server.spawn(
        "serve datagrams",
        Box::pin(async move {
            loop {
                let (payload, sender) = receive(&socket).await;
                socket.try_send(&payload, sender).unwrap();
            }
        }),
    );
}

async fn echo(stream: Box<dyn TcpStream>) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let _ = tokio::io::copy(&mut reader, &mut writer).await;
}

#[test]
fn a_crash_is_silent_and_a_restart_tells() {
    run(|world| async move {
        let (client, server) = (host(&world, "private"), host(&world, "two"));
        let two = world.host("two").unwrap();
        serve(&server);
        let mut stream = client.connect_tcp(on(&server, 80)).await.unwrap();
        stream.write_all(b"ping").await.unwrap();
        stream.read_exact(&mut [0; 4]).await.unwrap();

        let fault = world.crash(two).unwrap();
        assert_eq!(server.task_count(), 0);
        assert!(world.fabric(|fabric| fabric.touched(fault)) >= 1, "the host counts");
        stream.write_all(b"ping").await.unwrap();
        let silence = tokio::time::timeout(Duration::from_secs(60), stream.read(&mut [0; 4])).await;
        assert!(silence.is_err(), "a host that is down says nothing");
        assert_eq!(server.bind_udp(on(&server, 80)).unwrap_err().kind(), ErrorKind::NetworkDown);

        world.restart(two).unwrap();
        let error = stream.read(&mut [0; 4]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        serve(&server);
        let mut stream = client.connect_tcp(on(&server, 80)).await.unwrap();
        stream.write_all(b"again").await.unwrap();
        stream.read_exact(&mut [0; 5]).await.unwrap();
        let socket = client.bind_udp(on(&client, 0)).unwrap();
        socket.try_send(b"datagrams too", on(&server, 80)).unwrap();
        assert_eq!(receive(&socket).await.0, b"datagrams too");
    });
}

#[test]
fn a_crash_in_the_middle_of_handshakes_and_transfers_leaves_nothing() {
    run(|world| async move {
        let (client, server) = (host(&world, "one"), host(&world, "two"));
        let two = world.host("two").unwrap();
        for cycle in 0..20 {
            serve(&server);
            for start in 0..10 {
                let attempt = client.connect_tcp(on(&server, 80));
                client.spawn(
                    "flood",
                    Box::pin(async move {
                        tokio::time::sleep(Duration::from_millis(start * 7)).await;
                        if let Ok(mut stream) = attempt.await {
                            let _ = stream.write_all(&[0; 500_000]).await;
                        }
                    }),
                );
            }
            tokio::time::sleep(Duration::from_millis(5 + cycle * 5)).await;
            world.crash(two).unwrap();
            tokio::time::sleep(LATENCY * (cycle as u32 % 3)).await;
            world.restart(two).unwrap();
        }
        tokio::time::sleep(Duration::from_secs(200)).await;
        assert_eq!(client.task_count(), 0, "every client learned that its server crashed");
    });
}

#[test]
fn sockets_outside_of_the_tasks_of_a_crashed_host_are_reported() {
    run(|world| async move {
        let one = host(&world, "one");
        let _held = one.bind_udp(on(&one, 4_001)).unwrap();
        let error = world.crash(world.host("one").unwrap()).unwrap_err().to_string();
        assert!(error.contains("198.51.100.1:4001"), "{error}");
    });
}

#[test]
fn only_hosts_that_are_up_crash_and_only_hosts_that_are_down_restart() {
    run(|world| async move {
        let one = world.host("one").unwrap();
        assert!(world.restart(one).is_err());
        world.crash(one).unwrap();
        assert!(world.crash(one).is_err());
        world.restart(one).unwrap();
        assert!(world.crash(darkswap_fabric::HostIndex(99)).is_err());
    });
}
