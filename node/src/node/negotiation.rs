//! What comes of signalling.

use darkswap_core::path::Input;
use libp2p::PeerId;
use libp2p::swarm::ConnectionId;

use super::Node;
use crate::event::{Event, IceState, NegotiationRole};
use crate::transport::webrtc::signalling::{self, Failed, Purpose};

impl Node {
    pub(super) fn on_signalling(&mut self, event: signalling::Event) {
        match event {
            signalling::Event::Ended { peer, role, purpose, result, elapsed } => {
                let restart = purpose == Purpose::Restart;
                let reason = result.as_ref().err().map(|failed| failed.reason.clone());
                let succeeded = result.is_ok();
                self.report(Event::Negotiation { peer, role, restart, succeeded, elapsed, reason });
                match result {
                    Err(Failed { unsupported: true, .. }) => self.input(peer, Input::NegotiationUnsupported),
                    Err(_) if restart && role == NegotiationRole::Offerer => self.restart_failed(peer),
                    Err(_) if restart => self.input(peer, Input::NegotiationFailed),
                    // A dial's failure comes from the swarm.
                    Ok(()) | Err(_) => {}
                }
            }
            signalling::Event::Ice { peer, connection, state } => {
                self.report(Event::IceState { peer, state });
                if let Some(connection) = connection {
                    self.on_ice(peer, connection, state);
                }
            }
            signalling::Event::Selected { peer, local, remote } => {
                self.report(Event::IceSelected { peer, local, remote });
            }
            signalling::Event::Misbehaviour { peer, kind, evidence } => {
                self.report(Event::Misbehaviour { peer, kind, evidence });
            }
        }
    }

    fn on_ice(&mut self, id: PeerId, connection: ConnectionId, state: IceState) {
        let disturbed = match state {
            IceState::Disconnected | IceState::Failed => true,
            IceState::Connected | IceState::Completed => false,
            IceState::New | IceState::Checking | IceState::Closed => return,
        };
        let Some((_, key)) = self.connections.get(&connection).copied() else { return };
        let Some(open) = self.peers.get_mut(&id).and_then(|peer| peer.connections.get_mut(&key)) else { return };
        if std::mem::replace(&mut open.disturbed, disturbed) == disturbed {
            return;
        }
        let input = if disturbed { Input::Disturbed { connection: key } } else { Input::Recovered { connection: key } };
        self.input(id, input);
        if disturbed {
            // It may be our NAT that forgot, and more than this connection.
            self.observe_again();
        }
    }

    /// A disturbed connection that was ours to restore cannot be, so a new one is negotiated.
    fn restart_failed(&mut self, id: PeerId) {
        let disturbed = self.peers.get(&id).is_some_and(|peer| peer.connections.values().any(|it| it.disturbed));
        if disturbed && self.peer(id).path.is_wanted() {
            let now = self.now();
            self.dial_negotiation(now, id);
            self.drive(id);
        } else {
            self.input(id, Input::NegotiationFailed);
        }
    }
}
