//! What clients ask for and destinations answer.

use std::net::IpAddr;

use darkswap_connectivity::relay::message::Status;
use darkswap_connectivity::relay::server::{Circuit, Denied};
use libp2p::PeerId;
use libp2p::swarm::{ConnectionId, Stream};

use super::super::exchange::{Asked, NotTaken, refusal};
use super::super::handler::{FromBehaviour, Offer};
use super::super::reservation;
use super::{Behaviour, Ends, Offered};
use crate::event::{CircuitRefusal, Misbehaviour, RelayServerEvent};

impl Behaviour {
    pub(super) fn refuse(&mut self, peer: PeerId, connection: ConnectionId, stream: Stream, status: Status) {
        self.tell(peer, connection, FromBehaviour::Answer { stream, answer: refusal(status) });
    }

    pub(super) fn on_asked(&mut self, peer: PeerId, connection: ConnectionId, asked: Asked<Stream>) {
        let Some((_, address)) = self.connections.get(&connection).copied() else { return };
        match asked {
            Asked::Reserve(stream) => self.on_reserve(peer, connection, address, stream),
            Asked::Connect { stream, to } => {
                self.on_connect(Ends { from: peer, opener: connection, to }, address, stream);
            }
            Asked::Nonsense { kind, evidence } => self.misbehaved(peer, kind, evidence),
            Asked::Nothing => {}
        }
    }

    fn on_reserve(&mut self, peer: PeerId, connection: ConnectionId, address: IpAddr, stream: Stream) {
        let granted = self.shared.ask(|now, server| server.reserve(now, peer, address));
        // What has expired meanwhile is no renewal.
        self.settle();
        match granted {
            Ok(life) => {
                let renewal = self.reserved.contains_key(&peer);
                let through = self.reserved.entry(peer).or_default();
                through.retain(|other| *other != connection);
                through.push(connection);
                let ends = self.runtime.wall_clock() + life;
                let limit = reservation::limit(&self.limits);
                let answer = reservation::granted(&self.identity, peer, self.external.iter(), ends, limit);
                self.tell(peer, connection, FromBehaviour::Reserved(true));
                self.tell(peer, connection, FromBehaviour::Answer { stream, answer });
                self.report(RelayServerEvent::ReservationGranted { peer, renewal });
            }
            Err(reason) => {
                let status = match reason {
                    Denied::Draining => Status::ReservationRefused,
                    _ => Status::ResourceLimitExceeded,
                };
                self.count(reason.name());
                self.refuse(peer, connection, stream, status);
                self.report(RelayServerEvent::ReservationDenied { peer, reason });
            }
        }
    }

    fn on_connect(&mut self, ends: Ends, address: IpAddr, stream: Stream) {
        let Ends { from, opener, to } = ends;
        let admitted = self.shared.ask(|now, server| server.connect(now, from, address, to));
        self.settle();
        match admitted {
            Ok(circuit) => {
                let destination = *self.reserved.get(&to).and_then(|through| through.last()).expect(
                    "the server admits circuits to peers with a reservation only, and forgets those whose connections ended",
                );
                self.offered.insert(circuit, Offered { ends, stream, destination });
                let limit = reservation::limit(&self.limits);
                self.tell(to, destination, FromBehaviour::Offer(Offer { circuit, from, limit }));
            }
            Err(reason) => {
                let status = match reason {
                    Denied::NoReservation => Status::NoReservation,
                    _ => Status::ResourceLimitExceeded,
                };
                self.count(reason.name());
                self.refuse(from, opener, stream, status);
                self.report(RelayServerEvent::CircuitDenied { from, to, reason: CircuitRefusal::Denied(reason) });
            }
        }
    }

    /// The destination took a circuit, or did not.
    pub(super) fn on_taken(&mut self, circuit: Circuit, result: Result<Stream, NotTaken>) {
        // The circuit may have ended meanwhile; dropping the stream tells the destination.
        let Some(Offered { ends: ends @ Ends { from, opener, to }, stream, .. }) = self.offered.remove(&circuit) else {
            return;
        };
        match result {
            Ok(other) => {
                self.open.insert(circuit, ends);
                let limit = reservation::limit(&self.limits);
                self.tell(from, opener, FromBehaviour::Carry { circuit, limit, opener: stream, other });
                self.report(RelayServerEvent::CircuitOpened { from, to });
            }
            Err(reason) => {
                if let NotTaken::Nonsense(evidence) = &reason {
                    self.misbehaved(to, Misbehaviour::Malformed, evidence.clone());
                }
                self.not_taken(circuit, ends, stream, &reason);
            }
        }
    }

    fn not_taken(&mut self, circuit: Circuit, Ends { from, opener, to }: Ends, stream: Stream, reason: &NotTaken) {
        let refusal = CircuitRefusal::NotTaken(reason.to_string());
        self.count(refusal.name());
        self.refuse(from, opener, stream, Status::ConnectionFailed);
        self.report(RelayServerEvent::CircuitDenied { from, to, reason: refusal });
        self.shared.end(circuit);
        self.settle();
    }
}
