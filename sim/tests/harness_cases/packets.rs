//! Packets get where they should, when they should, and idle hosts cost nothing.

use std::time::Duration;

use darkswap_fabric::{FabricBuilder, HostConfig, LinkConfig, Placement};
use darkswap_node::Runtime;
use darkswap_sim::runtime::Names;
use darkswap_sim::{Setup, Simulation};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{LATENCY, NAT_ADDRESS, accept, connection, host, on, receive, run};

#[test]
fn a_datagram_crosses_a_nat_and_comes_back() {
    run(|world| async move {
        let (private, one) = (host(&world, "private"), host(&world, "one"));
        let (client, server) = (private.bind_udp(on(&private, 4_001)).unwrap(), one.bind_udp(on(&one, 4_002)).unwrap());
        client.try_send(b"hello", on(&one, 4_002)).unwrap();
        let (hello, sender) = receive(&server).await;
        assert_eq!(hello, b"hello");
        assert_eq!(sender.ip(), std::net::IpAddr::from(NAT_ADDRESS));
        assert_eq!(world.now(), LATENCY);
        server.try_send(b"hello yourself", sender).unwrap();
        assert_eq!(receive(&client).await, (b"hello yourself".to_vec(), on(&one, 4_002)));
        assert_eq!(world.now(), LATENCY * 2);
    });
}

#[test]
fn a_connection_crosses_a_nat() {
    run(|world| async move {
        let (private, two) = (host(&world, "private"), host(&world, "two"));
        let mut listener = two.listen_tcp("0.0.0.0:80".parse().unwrap()).unwrap();
        let address = two.resolve("two.example").await.unwrap()[0];
        let (client, (mut server, remote)) =
            tokio::join!(private.connect_tcp((address, 80).into()), accept(&mut listener));
        let mut client = client.unwrap();
        assert_eq!(remote.ip(), std::net::IpAddr::from(NAT_ADDRESS));
        assert_eq!(world.now(), LATENCY * 3, "one round trip, and half of one until the server knows");
        client.write_all(b"ping").await.unwrap();
        let mut bytes = [0; 4];
        server.read_exact(&mut bytes).await.unwrap();
        server.write_all(&bytes).await.unwrap();
        client.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"ping");
    });
}

#[test]
fn loopback_stays_inside_the_host() {
    let outcome = run(|world| async move {
        let one = host(&world, "one");
        let mut listener = one.listen_tcp("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let (client, (mut server, _)) = tokio::join!(one.connect_tcp(address), accept(&mut listener));
        client.unwrap().write_all(b"inside").await.unwrap();
        let mut bytes = Vec::new();
        server.read_to_end(&mut bytes).await.unwrap();
        assert_eq!(bytes, b"inside");
    });
    assert_eq!(outcome.packets.sent, 0);
}

#[test]
fn sockets_dropped_while_another_host_acts_hurt_nobody() {
    run(|world| async move {
        let (one, two) = (host(&world, "one"), host(&world, "two"));
        // Both hosts number their sockets alike, so a close on the wrong host would close the other host's socket.
        let ones = one.bind_udp(on(&one, 4_001)).unwrap();
        let twos = two.bind_udp(on(&two, 4_001)).unwrap();
        let (here, mut there) = connection(&one, &two).await;
        let attempt = one.connect_tcp(on(&two, 9));
        twos.try_send(b"two is the current host now", on(&one, 4_001)).unwrap();
        drop((ones, here, attempt));
        assert_eq!(there.read(&mut [0; 10]).await.unwrap(), 0, "one's end is closed");
        twos.try_send(b"two's socket is open", on(&two, 4_001)).unwrap();
        assert_eq!(receive(&twos).await.0, b"two's socket is open");
        one.bind_udp(on(&one, 4_001)).expect("one's port is free");
        two.bind_udp(on(&two, 4_001)).expect_err("two's port is taken");
    });
}

#[test]
fn a_window_opens_again_for_a_reader_who_comes_late() {
    run(|world| async move {
        let (mut client, mut server) = connection(&host(&world, "one"), &host(&world, "two")).await;
        let write = async {
            client.write_all(&vec![3; 2 << 20]).await.unwrap();
            client.shutdown().await.unwrap();
        };
        let read = async {
            let mut received = 0;
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let mut part = [0; 300_000];
                match server.read(&mut part).await.unwrap() {
                    0 => return received,
                    length => received += length,
                }
            }
        };
        let ((), received) = tokio::join!(write, read);
        assert_eq!(received, 2 << 20);
    });
}

#[test]
fn a_thousand_idle_hosts_cost_no_passes() {
    let build = || {
        let mut builder = FabricBuilder::new(1);
        let core = builder.region("core")?;
        builder.every_path(LinkConfig::with_latency(LATENCY));
        for host in 0..1_000_u32 {
            let address = std::net::Ipv4Addr::from_bits(0x0a00_0001 + (host / 200 * 256) + host % 200);
            builder.host(&format!("host-{host}"), HostConfig::new(address, Placement::Core(core)))?;
        }
        Ok(Setup { fabric: builder.build()?, names: Names::new() })
    };
    let outcome = Simulation::new(1).run(build, |world| async move {
        let mut sockets = Vec::new();
        for index in 0..1_000 {
            let host = host(&world, &format!("host-{index}"));
            sockets.push(host.bind_udp(on(&host, 4_001)).unwrap());
            sockets.push(host.bind_udp(on(&host, 4_002)).unwrap());
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
    assert!(outcome.unwrap().passes < 10);
}
