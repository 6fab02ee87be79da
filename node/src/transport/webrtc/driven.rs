//! A connection with a running driver.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use darkswap_webrtc::agent::Agent;
use darkswap_webrtc::certificate::Fingerprint;
use futures::FutureExt as _;

use super::driver::Driver;
use super::end::End;
use super::muxer::Muxer;
use super::noise::Handshake;
use super::port::Port;
use super::shared::Shared;
use super::signal::Signal;
use super::substream::Substream;
use crate::Runtime;

/// A connection with a running driver. Dropping it closes the connection.
#[derive(Debug)]
pub(in crate::transport) struct Driven {
    shared: Arc<Shared>,
}

impl Driven {
    /// Starts the driver of a connection that uses these ports.
    pub(in crate::transport) fn start(runtime: &dyn Runtime, agent: Agent, ports: Vec<Port>) -> Self {
        let shared = Arc::new(Shared::new(agent, &ports));
        runtime.spawn("webrtc connection", Driver::new(Arc::clone(&shared), ports).boxed());
        Self { shared }
    }

    /// Waits until the data channels can be used.
    ///
    /// # Errors
    /// Why the connection ended instead.
    pub(in crate::transport) async fn connected(&self) -> Result<(), End> {
        poll_fn(|cx| {
            let mut state = self.shared.lock();
            match state.end() {
                Some(end) => Poll::Ready(Err(end.clone())),
                None if state.is_connected() => Poll::Ready(Ok(())),
                None => {
                    state.wait(cx);
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Channel 0 of a webrtc-direct connection, for the proof of identity.
    ///
    /// # Errors
    /// When the connection has ended.
    pub(super) async fn handshake_channel(&self) -> Result<Substream, End> {
        poll_fn(|cx| Shared::poll_handshake_channel(&self.shared, cx)).await
    }

    /// Of the certificate that the peer showed.
    pub(in crate::transport) fn remote_fingerprint(&self) -> Option<Fingerprint> {
        self.shared.lock().agent().connection().remote_fingerprint()
    }

    /// The peer has proved who it is.
    pub(super) fn established(&self) {
        self.shared.lock().set_established();
        self.shared.wake_driver();
    }

    /// A way to steer the connection while something else owns it.
    pub(in crate::transport) fn control(&self) -> Control {
        Control { shared: Arc::clone(&self.shared) }
    }

    /// The connection for libp2p. `remote` is where the peer was reached when its multiaddress says so; the handshake is kept so that
    /// channel 0 stays open.
    pub(in crate::transport) fn into_muxer(self, remote: Option<SocketAddr>, handshake: Option<Handshake>) -> Muxer {
        Muxer::new(self, remote, handshake)
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// A way to steer a connection that somebody else owns: its signalling and its ports. It does not keep the connection open.
#[derive(Debug, Clone)]
pub(in crate::transport) struct Control {
    shared: Arc<Shared>,
}

impl Control {
    /// Does something with the agent and lets the driver act upon it.
    pub(in crate::transport) fn with<T>(&self, act: impl FnOnce(&mut Agent, Instant) -> T) -> T {
        let done = act(self.shared.lock().agent_mut(), tokio::time::Instant::now().into_std());
        self.shared.wake_driver();
        done
    }

    /// Gives the connection new sockets, for an ICE restart. Those in use are closed once a pair with a new one is selected.
    pub(in crate::transport) fn replace_ports(&self, ports: Vec<Port>) {
        self.shared.lock().replace_ports(ports);
        self.shared.wake_driver();
    }

    /// The socket that data goes through.
    pub(in crate::transport) fn selected_socket(&self) -> Option<SocketAddr> {
        self.shared.lock().agent().connection().selected_socket()
    }

    /// The next thing that concerns signalling; `None` when the connection has ended. One task at a time may ask.
    pub(in crate::transport) async fn signal(&self) -> Option<Signal> {
        poll_fn(|cx| {
            let mut state = self.shared.lock();
            match state.take_signal() {
                Some(signal) => Poll::Ready(Some(signal)),
                None if state.end().is_some() => Poll::Ready(None),
                None => {
                    state.wait(cx);
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Why the connection ended, when it has.
    pub(in crate::transport) fn end(&self) -> Option<End> {
        self.shared.lock().end().cloned()
    }
}
