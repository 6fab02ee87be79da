//! Which sockets a connection has: one set serves, and during an ICE restart a second one is to.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::transport::webrtc::port::Port;

/// A change that the driver has not seen.
#[derive(Debug, Default)]
pub(in crate::transport::webrtc) struct Change {
    /// Ports to add.
    pub(in crate::transport::webrtc) new: Vec<Port>,
    /// The ports to keep, when others are to be closed.
    pub(in crate::transport::webrtc) keep: Option<BTreeSet<SocketAddr>>,
}

/// The sockets of a connection by their addresses.
#[derive(Debug, Default)]
pub(super) struct Ports {
    serving: BTreeSet<SocketAddr>,
    /// Those of a restart that has not selected a pair.
    successors: BTreeSet<SocketAddr>,
    change: Change,
}

impl Ports {
    pub(super) fn new(ports: &[Port]) -> Self {
        Self { serving: ports.iter().map(Port::local).collect(), ..Self::default() }
    }

    /// Begins to replace the ports. Those of a restart that came to nothing go at once, so there are never more than two sets.
    pub(super) fn replace(&mut self, ports: Vec<Port>) {
        self.successors = ports.iter().map(Port::local).collect();
        self.change.new = ports;
        self.change.keep = Some(self.serving.union(&self.successors).copied().collect());
    }

    /// Data goes through this socket now.
    pub(super) fn select(&mut self, socket: SocketAddr) {
        if self.successors.contains(&socket) {
            self.serving = std::mem::take(&mut self.successors);
            self.change.keep = Some(self.serving.clone());
        }
    }

    pub(super) fn take_change(&mut self) -> Change {
        std::mem::take(&mut self.change)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::task::{Context, Poll};

    use super::*;
    use crate::UdpSocket;

    #[derive(Debug)]
    struct Nowhere;

    impl UdpSocket for Nowhere {
        fn local_addr(&self) -> io::Result<SocketAddr> {
            Err(io::ErrorKind::NotConnected.into())
        }

        fn try_send(&self, _: &[u8], _: SocketAddr) -> io::Result<()> {
            Ok(())
        }

        fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn poll_recv(&self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
            Poll::Pending
        }
    }

    fn local(port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], port))
    }

    fn ports(numbers: &[u16]) -> Vec<Port> {
        numbers.iter().map(|number| Port::own(Arc::new(Nowhere), local(*number))).collect()
    }

    fn kept(ports: &mut Ports) -> Option<Vec<u16>> {
        ports.take_change().keep.map(|keep| keep.iter().map(SocketAddr::port).collect())
    }

    #[test]
    fn the_sockets_in_use_stay_until_a_pair_with_a_new_one_is_selected() {
        let mut sockets = Ports::new(&ports(&[1, 2]));
        sockets.select(local(2));
        assert_eq!(kept(&mut sockets), None);
        sockets.replace(ports(&[3, 4]));
        assert_eq!(kept(&mut sockets), Some(vec![1, 2, 3, 4]));
        sockets.select(local(1));
        assert_eq!(kept(&mut sockets), None, "the old pair was selected once more");
        sockets.replace(ports(&[5]));
        assert_eq!(kept(&mut sockets), Some(vec![1, 2, 5]), "the first restart came to nothing");
        sockets.select(local(5));
        assert_eq!(kept(&mut sockets), Some(vec![5]));
        sockets.select(local(5));
        assert_eq!(kept(&mut sockets), None);
    }

    #[test]
    fn a_selection_before_the_driver_has_looked_closes_nothing_too_many() {
        let mut sockets = Ports::new(&ports(&[1]));
        sockets.replace(ports(&[2]));
        sockets.select(local(2));
        let change = sockets.take_change();
        assert_eq!((change.new.len(), change.keep), (1, Some(BTreeSet::from([local(2)]))));
    }
}
