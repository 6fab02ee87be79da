//! When a node that starts is ready: every configured address is listened on.

use darkswap_node::{Event, transport};
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use tokio::sync::oneshot;

/// Watches a starting node's events.
#[derive(Debug)]
pub(crate) struct Readiness {
    waiting: Vec<Multiaddr>,
    done: Option<oneshot::Sender<Result<(), String>>>,
}

impl Readiness {
    /// Waits for these listeners. What is received says that all are open, or why one is not.
    pub(crate) fn new(listen: &[Multiaddr]) -> (Self, oneshot::Receiver<Result<(), String>>) {
        let (done, ready) = oneshot::channel();
        let mut readiness = Self { waiting: listen.to_vec(), done: Some(done) };
        readiness.finish_if_all_are_open();
        (readiness, ready)
    }

    /// Takes note of an event.
    pub(crate) fn observe(&mut self, event: &Event) {
        if self.done.is_none() {
            return;
        }
        if let Event::Listening { address } = event {
            self.waiting.retain(|configured| !is_opened_by(configured, address));
            self.finish_if_all_are_open();
        } else if let Event::ListenerClosed { addresses, reason: Some(reason) } = event {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            self.finish(Err(format!("cannot listen on {}: {reason}", addresses.join(", "))));
        }
    }

    fn finish_if_all_are_open(&mut self) {
        if self.waiting.is_empty() {
            self.finish(Ok(()));
        }
    }

    fn finish(&mut self, outcome: Result<(), String>) {
        if let Some(done) = self.done.take() {
            // Nobody waits any more when the node was told to stop meanwhile.
            let _ = done.send(outcome);
        }
    }
}

/// Whether the address that a node reports may come from the configured one, where address and port may be wildcards.
fn is_opened_by(configured: &Multiaddr, reported: &Multiaddr) -> bool {
    transport::kind(configured) == transport::kind(reported)
        && configured.iter().zip(reported).all(|(wanted, found)| match (wanted, found) {
            (Protocol::Ip4(wanted), Protocol::Ip4(found)) => wanted.is_unspecified() || wanted == found,
            (Protocol::Ip6(wanted), Protocol::Ip6(found)) => wanted.is_unspecified() || wanted == found,
            (Protocol::Tcp(wanted), Protocol::Tcp(found)) | (Protocol::Udp(wanted), Protocol::Udp(found)) => {
                wanted == 0 || wanted == found
            }
            (wanted, found) => wanted == found,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening(address: &str) -> Event {
        Event::Listening { address: address.parse().unwrap() }
    }

    #[test]
    fn a_node_is_ready_when_every_configured_address_is_open() {
        let listen = ["/ip4/0.0.0.0/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/4001"].map(|address| address.parse().unwrap());
        let (mut readiness, mut ready) = Readiness::new(&listen);
        readiness.observe(&listening("/ip4/192.0.2.1/udp/51000/quic-v1"));
        readiness.observe(&listening("/ip4/127.0.0.1/tcp/4002"));
        readiness.observe(&listening("/ip4/127.0.0.1/tcp/4001/ws"));
        assert!(ready.try_recv().is_err());
        readiness.observe(&listening("/ip4/127.0.0.1/tcp/4001"));
        assert_eq!(ready.try_recv(), Ok(Ok(())));
    }

    #[test]
    fn a_listener_that_breaks_meanwhile_is_a_failure() {
        let (mut readiness, mut ready) = Readiness::new(&["/ip4/127.0.0.1/tcp/1".parse().unwrap()]);
        let closed = Event::ListenerClosed { addresses: Vec::new(), reason: Some("taken".to_owned()) };
        readiness.observe(&closed);
        assert!(ready.try_recv().unwrap().is_err());
    }

    #[test]
    fn a_node_that_listens_nowhere_is_ready_at_once() {
        assert_eq!(Readiness::new(&[]).1.try_recv(), Ok(Ok(())));
    }
}
