//! What comes of serving as a relay.

use std::time::Duration;

use tokio::sync::oneshot;

use super::Node;
use super::pool::Hold;
use crate::event::{Event, RelayServerEvent};
use crate::handle::CommandError;
use crate::relay_server;

/// Callers that wait for the end of a drain, at most: an operator, and a script or two.
const WAITING: usize = 16;

impl Node {
    pub(super) fn on_relay_service(&mut self, event: relay_server::Event) {
        match event {
            relay_server::Event::Report(event) => {
                if let RelayServerEvent::Drained { cut } = &event {
                    for waiting in self.draining.drain(..) {
                        let _ = waiting.send(Ok(*cut));
                    }
                    self.drained = Some(*cut);
                }
                match &event {
                    // Whoever has a reservation here is not closed for room.
                    RelayServerEvent::ReservationGranted { peer, .. } => self.hold_open(*peer, Hold::Client),
                    RelayServerEvent::ReservationEnded { peer, .. } => self.let_go(*peer, Hold::Client),
                    // Nor are the two ends of a circuit.
                    RelayServerEvent::CircuitOpened { from, to } => {
                        [from, to].into_iter().for_each(|end| self.circuit_opened(*end));
                    }
                    RelayServerEvent::CircuitClosed { from, to, .. } => {
                        [from, to].into_iter().for_each(|end| self.circuit_closed(*end));
                    }
                    _ => {}
                }
                self.report(Event::RelayServer(event));
            }
            relay_server::Event::Notify { peer, within } => self.tell_draining(peer, within),
            relay_server::Event::Misbehaviour { peer, kind, evidence } => {
                self.report(Event::Misbehaviour { peer, kind, evidence });
            }
        }
    }

    /// Begins to drain the relay. Answers at the end, with the number of circuits that were cut.
    pub(super) fn drain(&mut self, within: Duration, answer: oneshot::Sender<Result<usize, CommandError>>) {
        let Some(relay) = self.swarm.behaviour_mut().relay_server.as_mut() else {
            let _ = answer.send(Err(CommandError::NoRelay));
            return;
        };
        if let Some(cut) = self.drained {
            let _ = answer.send(Ok(cut));
            return;
        }
        relay.drain(within);
        self.withdraw_relay(within);
        self.draining.retain(|waiting| !waiting.is_closed());
        if self.draining.len() < WAITING {
            self.draining.push(answer);
        } else {
            let what = "callers that wait for the end of the drain";
            let _ = answer.send(Err(CommandError::LimitReached { what, found: WAITING, limit: WAITING }));
        }
    }
}
