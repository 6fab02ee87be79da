//! The task of a connection: moves datagrams between its ports and its agent, and keeps its time.
//!
//! Whatever changes the agent is followed by everything that it wants to say, until there is nothing left or the task's turn is
//! over: nothing here waits for a fixed time.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use darkswap_webrtc::connection::Transmit;

use super::port::Port;
use super::shared::Shared;
use super::state::State;
use super::timer::Timer;
use crate::limits::fixed::webrtc::{DATAGRAM, TURN};

/// Datagrams that a round takes from each socket: one packet acknowledges them all, instead of one for every two.
const BATCH: usize = 16;

/// The task of a connection; it ends when the connection has ended and its farewell is sent.
pub(super) struct Driver {
    shared: Arc<Shared>,
    ports: Vec<Port>,
    /// What a full socket did not take.
    stalled: Option<Transmit>,
    timer: Timer,
    buffer: Box<[u8]>,
}

impl Driver {
    pub(super) fn new(shared: Arc<Shared>, ports: Vec<Port>) -> Self {
        Self { shared, ports, stalled: None, timer: Timer::default(), buffer: vec![0; DATAGRAM].into() }
    }

    /// Receives what has arrived, at most [`BATCH`] datagrams from each port; whether there was one.
    fn receive(&mut self, state: &mut State, cx: &mut Context<'_>) -> bool {
        let mut busy = false;
        let buffer = &mut self.buffer;
        // The set-up goes step by step: it is not a matter of throughput.
        let batch = if state.is_connected() { BATCH } else { 1 };
        self.ports.retain(|port| {
            for _ in 0..batch {
                match port.poll_recv(cx, buffer) {
                    Poll::Ready(Ok((length, remote))) => {
                        busy = true;
                        state.receive(port.local(), remote, &buffer[..length]);
                    }
                    Poll::Ready(Err(error)) => {
                        busy = true;
                        tracing::debug!(local = %port.local(), %error, "a WebRTC connection lost a socket");
                        state.lost_socket(error);
                        return false;
                    }
                    Poll::Pending => break,
                }
            }
            true
        });
        busy
    }

    /// Sends what there is; whether something was sent.
    fn send(&mut self, state: &mut State, cx: &mut Context<'_>) -> bool {
        let mut busy = false;
        while let Some(transmit) = self.stalled.take().or_else(|| state.poll_transmit()) {
            // A port that is gone takes its datagrams along.
            let Some(port) = self.ports.iter().find(|port| port.local() == transmit.local) else { continue };
            if port.try_send(&transmit.payload, transmit.remote) {
                busy = true;
                continue;
            }
            let writable = port.poll_writable(cx);
            self.stalled = Some(transmit);
            match writable {
                Poll::Ready(_) => {
                    // Worth another try, though not in this round: the host may say so without end.
                    busy = true;
                    break;
                }
                Poll::Pending => break,
            }
        }
        busy
    }

    /// One round: in, time, out. Whether something happened.
    fn round(&mut self, state: &mut State, cx: &mut Context<'_>) -> bool {
        let mut change = state.take_change_of_ports();
        self.ports.append(&mut change.new);
        if let Some(keep) = change.keep {
            self.ports.retain(|port| keep.contains(&port.local()));
        }
        if state.take_established() {
            self.ports.iter().for_each(Port::established);
        }
        let mut busy = self.receive(state, cx);
        if self.ports.is_empty() {
            state.finish_without_socket();
        }
        busy |= state.advance();
        busy |= self.send(state, cx);
        busy
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let shared = Arc::clone(&this.shared);
        let mut state = shared.lock();
        state.set_driver(cx.waker());
        for _ in 0..TURN / BATCH {
            if this.round(&mut state, cx) {
                continue;
            }
            if state.end().is_some() && this.stalled.is_none() {
                state.set_over();
                return Poll::Ready(());
            }
            if this.timer.poll(cx, state.deadline()).is_pending() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Driver {
    /// The host may end its tasks without asking: whoever still holds the connection must hear of it.
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.finish_without_socket();
        state.set_over();
    }
}
