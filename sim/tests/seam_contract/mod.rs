//! The clauses of the seam's contract, and the two worlds that they are checked in.

pub(crate) mod host;
pub(crate) mod storage;
pub(crate) mod tcp;
pub(crate) mod udp;

use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use darkswap_fabric::{FabricBuilder, HostConfig, LinkConfig, Placement};
use darkswap_node::{Runtime, TcpListener, TcpStream, TokioRuntime, UdpSocket};
use darkswap_sim::runtime::Names;
use darkswap_sim::{Setup, Simulation};

/// Two hosts that reach each other; in the real world they are the same.
pub(crate) struct Hosts {
    pub(crate) client: Arc<dyn Runtime>,
    pub(crate) server: Arc<dyn Runtime>,
    pub(crate) client_address: IpAddr,
    pub(crate) server_address: IpAddr,
}

/// The real world: one host, by its loopback address.
pub(crate) fn operating_system() -> Hosts {
    let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime);
    let address = Ipv4Addr::LOCALHOST.into();
    Hosts { client: Arc::clone(&runtime), server: runtime, client_address: address, server_address: address }
}

/// Runs a clause between two simulated hosts, 10 ms apart.
pub(crate) fn in_simulation<F: Future<Output = ()> + 'static>(clause: fn(Hosts) -> F) {
    let build = || {
        let mut builder = FabricBuilder::new(1);
        let core = builder.region("core")?;
        builder.every_path(LinkConfig::with_latency(Duration::from_millis(10)));
        builder.host("client", HostConfig::new(Ipv4Addr::new(198, 51, 100, 1), Placement::Core(core)))?;
        builder.host("server", HostConfig::new(Ipv4Addr::new(198, 51, 100, 2), Placement::Core(core)))?;
        Ok(Setup { fabric: builder.build()?, names: Names::new() })
    };
    let run = Simulation::new(1).limit(Duration::from_secs(3_600)).run(build, move |world| async move {
        let runtime = |name| world.runtime(world.host(name).unwrap()).unwrap();
        let (client, server) = (runtime("client"), runtime("server"));
        let (client_address, server_address) = (client.addresses()[0], server.addresses()[0]);
        clause(Hosts { client, server, client_address, server_address }).await;
    });
    run.unwrap();
}

impl Hosts {
    pub(crate) fn udp(&self) -> (Arc<dyn UdpSocket>, Arc<dyn UdpSocket>) {
        let client = self.client.bind_udp(SocketAddr::new(self.client_address, 0)).unwrap();
        (client, self.server.bind_udp(SocketAddr::new(self.server_address, 0)).unwrap())
    }

    pub(crate) fn listener(&self) -> (Box<dyn TcpListener>, SocketAddr) {
        let listener = self.server.listen_tcp(SocketAddr::new(self.server_address, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// A connection: the client's end, the server's end.
    pub(crate) async fn connection(&self) -> (Box<dyn TcpStream>, Box<dyn TcpStream>) {
        let (mut listener, address) = self.listener();
        let (client, server) = tokio::join!(self.client.connect_tcp(address), accept(&mut listener));
        (client.unwrap(), server.0)
    }
}

pub(crate) async fn accept(listener: &mut Box<dyn TcpListener>) -> (Box<dyn TcpStream>, SocketAddr) {
    poll_fn(|cx| listener.poll_accept(cx)).await.unwrap()
}

pub(crate) async fn receive(socket: &Arc<dyn UdpSocket>) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; 65_536];
    let (length, sender) = poll_fn(|cx| socket.poll_recv(cx, &mut buffer)).await.unwrap();
    buffer.truncate(length);
    (buffer, sender)
}

pub(crate) async fn send(socket: &Arc<dyn UdpSocket>, payload: &[u8], remote: SocketAddr) -> io::Result<()> {
    loop {
        match socket.try_send(payload, remote) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                poll_fn(|cx| socket.poll_writable(cx)).await?;
            }
            sent => return sent,
        }
    }
}
