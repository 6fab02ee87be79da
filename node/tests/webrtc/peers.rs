//! A transport that listens, and muxers of it and of those that dial it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use darkswap_node::transport::webrtc::direct::{Counts, Error, Transport};
use darkswap_node::transport::webrtc::{Muxer, Substream};
use darkswap_node::{Runtime, TokioRuntime};
use darkswap_webrtc::certificate::Certificate;
use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use libp2p::core::Endpoint;
use libp2p::core::muxing::StreamMuxerExt as _;
use libp2p::core::transport::{DialOpts, ListenerId, PortUse, Transport as _, TransportEvent};
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId};
use tokio::sync::mpsc;

use crate::common::PATIENCE;

/// A listening transport.
pub(crate) struct Server {
    pub(crate) peer: PeerId,
    pub(crate) address: Multiaddr,
    transport: Arc<Mutex<Transport>>,
    listener: ListenerId,
    accepted: mpsc::Receiver<(PeerId, Muxer)>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let identity = Keypair::generate_ed25519();
        let mut transport = Transport::new(&identity, Arc::new(TokioRuntime), None).unwrap();
        let listener = ListenerId::next();
        transport.listen_on(listener, "/ip4/127.0.0.1/udp/0/webrtc-direct".parse().unwrap()).unwrap();
        let transport = Arc::new(Mutex::new(transport));
        let TransportEvent::NewAddress { listen_addr: address, .. } = next(&transport).await else {
            panic!("a listener says first where it listens");
        };
        let (sender, accepted) = mpsc::channel(1_000);
        let polled = Arc::clone(&transport);
        let accepting = async move {
            loop {
                if let TransportEvent::Incoming { upgrade, .. } = next(&polled).await {
                    let sender = sender.clone();
                    let upgrading = async move {
                        if let Ok(output) = upgrade.await {
                            let _ = sender.send(output).await;
                        }
                    };
                    TokioRuntime.spawn("upgrade", Box::pin(upgrading));
                }
            }
        };
        TokioRuntime.spawn("server", Box::pin(accepting));
        Self { peer: identity.public().to_peer_id(), address, transport, listener, accepted }
    }

    pub(crate) async fn accept(&mut self) -> (PeerId, Muxer) {
        tokio::time::timeout(PATIENCE, self.accepted.recv()).await.unwrap().unwrap()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.transport.lock().unwrap().counts(self.listener).unwrap()
    }

    /// Listens no longer.
    pub(crate) fn stop(&self) {
        assert!(self.transport.lock().unwrap().remove_listener(self.listener));
    }

    /// The muxers of both ends of a new connection, the dialler's first.
    pub(crate) async fn connection(&mut self) -> (Muxer, Muxer) {
        let identity = Keypair::generate_ed25519();
        let address = self.address.clone();
        let (dialled, accepted) = tokio::join!(dial(&identity, &address, Arc::new(TokioRuntime)), self.accept());
        let (server, dialler) = dialled.unwrap();
        assert_eq!((server, accepted.0), (self.peer, identity.public().to_peer_id()));
        (dialler, accepted.1)
    }
}

async fn next(
    transport: &Mutex<Transport>,
) -> TransportEvent<<Transport as libp2p::Transport>::ListenerUpgrade, Error> {
    poll_fn(|cx| Pin::new(&mut *transport.lock().unwrap()).poll(cx)).await
}

pub(crate) async fn dial(
    identity: &Keypair,
    address: &Multiaddr,
    runtime: Arc<dyn Runtime>,
) -> Result<(PeerId, Muxer), Error> {
    let certificate = Certificate::generate().unwrap();
    let mut transport = Transport::new(identity, runtime, Some(certificate)).unwrap();
    let options = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
    transport.dial(address.clone(), options).unwrap().await
}

pub(crate) async fn open(muxer: &mut Muxer) -> Substream {
    poll_fn(|cx| muxer.poll_outbound_unpin(cx)).await.unwrap()
}

pub(crate) async fn accept(muxer: &mut Muxer) -> Substream {
    poll_fn(|cx| muxer.poll_inbound_unpin(cx)).await.unwrap()
}

/// Returns everything on every substream that the other end opens, until the connection ends.
pub(crate) fn echo(mut muxer: Muxer) {
    let accepting = async move {
        while let Ok(substream) = poll_fn(|cx| muxer.poll_inbound_unpin(cx)).await {
            let returning = async move {
                let (reader, mut writer) = substream.split();
                if futures::io::copy(reader, &mut writer).await.is_ok() {
                    let _ = writer.close().await;
                }
            };
            TokioRuntime.spawn("echo", Box::pin(returning));
        }
    };
    TokioRuntime.spawn("echo server", Box::pin(accepting));
}

/// Sends a message over a new substream and reads it back.
pub(crate) async fn round_trip(muxer: &mut Muxer, message: &[u8]) {
    let substream = open(muxer).await;
    returned(substream, message).await;
}

pub(crate) async fn returned(substream: Substream, message: &[u8]) {
    let (mut reader, mut writer) = substream.split();
    let mut back = Vec::new();
    let writing = async {
        writer.write_all(message).await.unwrap();
        writer.close().await.unwrap();
    };
    let ((), read) = tokio::join!(writing, reader.read_to_end(&mut back));
    read.unwrap();
    assert!(back == message, "{} bytes came back of {}", back.len(), message.len());
}
