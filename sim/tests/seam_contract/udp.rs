//! UDP sockets.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};

use super::{Hosts, receive, send};

pub(crate) async fn a_port_is_chosen_and_known(hosts: Hosts) {
    let (one, other) = hosts.udp();
    let (one, other) = (one.local_addr().unwrap(), other.local_addr().unwrap());
    assert_eq!((one.ip(), other.ip()), (hosts.client_address, hosts.server_address));
    assert!(one.port() != 0 && other.port() != 0);
}

pub(crate) async fn a_datagram_is_answered(hosts: Hosts) {
    let (client, server) = hosts.udp();
    send(&client, b"question", server.local_addr().unwrap()).await.unwrap();
    let (question, sender) = receive(&server).await;
    assert_eq!((question.as_slice(), sender), (b"question".as_slice(), client.local_addr().unwrap()));
    send(&server, b"", sender).await.unwrap();
    assert_eq!(receive(&client).await, (Vec::new(), server.local_addr().unwrap()));
}

pub(crate) async fn an_oversized_datagram_is_refused(hosts: Hosts) {
    let (client, server) = hosts.udp();
    let remote = server.local_addr().unwrap();
    let error = send(&client, &[0; 65_508], remote).await.unwrap_err();
    if cfg!(target_os = "linux") {
        assert_eq!(error.raw_os_error(), Some(90), "EMSGSIZE");
    }
    send(&client, b"the socket is fine", remote).await.unwrap();
    assert_eq!(receive(&server).await.0, b"the socket is fine");
}

pub(crate) async fn a_taken_or_foreign_address_is_refused(hosts: Hosts) {
    let (client, _) = hosts.udp();
    let taken = hosts.client.bind_udp(client.local_addr().unwrap()).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    let foreign = SocketAddr::new(IpAddr::from([192, 0, 2, 1]), 0);
    assert_eq!(hosts.client.bind_udp(foreign).unwrap_err().kind(), ErrorKind::AddrNotAvailable);
}

pub(crate) async fn a_dropped_socket_frees_its_port(hosts: Hosts) {
    let (client, _) = hosts.udp();
    let address = client.local_addr().unwrap();
    drop(client);
    assert_eq!(hosts.client.bind_udp(address).unwrap().local_addr().unwrap(), address);
}

pub(crate) async fn many_datagrams_cross_while_both_ends_wait(hosts: Hosts) {
    const COUNT: u32 = 200;
    let (client, server) = hosts.udp();
    let remote = server.local_addr().unwrap();
    let echo = async {
        for _ in 0..COUNT {
            let (payload, sender) = receive(&server).await;
            send(&server, &payload, sender).await.unwrap();
        }
    };
    let asking = async {
        for number in 0..COUNT {
            send(&client, &number.to_be_bytes(), remote).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let counting = async {
        for number in 0..COUNT {
            assert_eq!(receive(&client).await.0, number.to_be_bytes());
        }
    };
    tokio::join!(echo, asking, counting);
}
