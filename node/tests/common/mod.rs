//! A node on real sockets of this machine, with everything that it reports.

mod wait;

use std::sync::Arc;
use std::time::Duration;

use darkswap_node::config::Config;
use darkswap_node::event::Event;
use darkswap_node::{Handle, Node, Runtime, TokioRuntime};
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId};
use tokio::sync::mpsc;

/// How long a test waits for what should happen at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Events that a test leaves unread at most.
const UNREAD: usize = 1 << 16;

/// A running node.
pub(crate) struct Running {
    pub(crate) handle: Handle,
    events: mpsc::Receiver<Event>,
}

impl Running {
    pub(crate) fn start(config: Config) -> Self {
        Self::start_on(Arc::new(TokioRuntime), config)
    }

    pub(crate) fn start_on(runtime: Arc<dyn Runtime>, config: Config) -> Self {
        let mut node = Node::new(config, Keypair::generate_ed25519(), runtime).unwrap();
        let (sender, events) = mpsc::channel(UNREAD);
        // A test that has seen enough drops the receiver.
        node.observe(move |event| assert!(sender.is_closed() || sender.try_send(event.clone()).is_ok()));
        let handle = node.handle();
        TokioRuntime.spawn("node", Box::pin(node.run()));
        Self { handle, events }
    }

    pub(crate) async fn wait<T>(&mut self, what: &str, found: impl FnMut(&Event) -> Option<T>) -> T {
        wait::wait(&mut self.events, PATIENCE, what, found).await
    }

    pub(crate) async fn address(&mut self) -> Multiaddr {
        self.wait("listener", |event| match event {
            Event::Listening { address } => Some(address.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) fn id(&self) -> PeerId {
        self.handle.peer_id()
    }
}

/// A node that listens there and tells nobody else.
pub(crate) fn listening(address: &str) -> Config {
    Config { listen: vec![address.parse().unwrap()], discovery: false, ..Config::default() }
}
