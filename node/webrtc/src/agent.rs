//! A connection together with its gatherer.
//!
//! The connection decides what to send, the gatherer how it leaves: what goes out from a relayed address is wrapped for the TURN
//! server, what comes from there is unwrapped, and every candidate that is found becomes one of the connection.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use crate::connection::{CandidateKind, Connection, Event, Transmit};
use crate::gather::{GatherEvent, Gathered, Gatherer, ServerFailure};

/// How many relayed addresses are remembered. A gatherer has one per TURN server at most, and restarts of ICE are far apart: pairs of
/// older ones have ended.
const RELAYED: usize = 32;

/// A [`Connection`] and an optional [`Gatherer`] as one state machine.
///
/// After each call that may change something, drain [`poll_transmit`](Self::poll_transmit) and [`poll_event`](Self::poll_event), then
/// wait for a datagram or for [`poll_timeout`](Self::poll_timeout).
pub struct Agent {
    connection: Connection,
    gatherer: Option<Gatherer>,
    /// The gatherer before the last ICE restart, until its relay is released.
    former: Option<Gatherer>,
    /// The latest relayed addresses, also those of gatherers that are gone: nothing leaves from them but through their relay.
    relayed: VecDeque<SocketAddr>,
    /// The latest time that was told: what the connection sends is dated by it on its way to the relay. It may be a little old, which
    /// the gatherer's timers bear.
    now: Option<Instant>,
    /// What the connection said when it was closed.
    farewell: VecDeque<Transmit>,
}

/// What happened to an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentEvent {
    /// Something of the connection.
    Connection(Event),
    /// A new candidate of ours, as the text to signal.
    Candidate(String),
    /// Every ICE server has answered or failed.
    GatheringComplete,
    /// An ICE server is of no use.
    ServerFailed {
        /// The server's address.
        server: SocketAddr,
        /// Why.
        reason: ServerFailure,
    },
}

impl Agent {
    /// Joins a connection and what gathers for it. Without a gatherer, the caller adds candidates itself.
    pub fn new(connection: Connection, gatherer: Option<Gatherer>) -> Self {
        Self { connection, gatherer, former: None, relayed: VecDeque::new(), now: None, farewell: VecDeque::new() }
    }

    /// The connection.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The connection, for its signalling and its channels.
    pub fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Gathers anew, for an ICE restart: call it when the new local description is there, so that the candidates belong to it.
    ///
    /// The former gatherer releases its relay, whose pairs the restart has ended. Should the new one use the same sockets, its
    /// requests leave after that release.
    pub fn gather_anew(&mut self, now: Instant, gatherer: Gatherer) {
        self.note(now);
        self.former = self.gatherer.replace(gatherer);
        if let Some(former) = &mut self.former {
            former.close(now);
        }
    }

    /// Takes a datagram that `local` received.
    pub fn handle_datagram(&mut self, now: Instant, local: SocketAddr, remote: SocketAddr, payload: &[u8]) {
        self.note(now);
        let mut gathered = Gathered::NotMine;
        for gatherer in self.gatherer.iter_mut().chain(&mut self.former) {
            if gathered == Gathered::NotMine {
                gathered = gatherer.handle_datagram(now, local, remote, payload);
            }
        }
        match gathered {
            Gathered::NotMine => self.connection.handle_datagram(now, local, remote, payload),
            Gathered::Consumed => {}
            Gathered::Relayed { local, remote, payload } => {
                self.connection.handle_datagram(now, local, remote, &payload);
            }
        }
    }

    /// The next datagram to send, from one of our sockets.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        if let Some(transmit) = self.farewell.pop_front() {
            return Some(transmit);
        }
        loop {
            let mut gatherers = self.former.iter_mut().chain(&mut self.gatherer);
            if let Some(transmit) = gatherers.find_map(Gatherer::poll_transmit) {
                return Some(transmit);
            }
            let transmit = self.connection.poll_transmit()?;
            if let Some(transmit) = self.relay(transmit) {
                return Some(transmit);
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        let gatherers = self.gatherer.iter_mut().chain(&mut self.former).filter_map(Gatherer::poll_timeout);
        gatherers.chain(self.connection.poll_timeout()).min()
    }

    /// Tells the time.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.note(now);
        self.connection.handle_timeout(now);
        for gatherer in self.gatherer.iter_mut().chain(&mut self.former) {
            gatherer.handle_timeout(now);
        }
        if self.former.as_mut().is_some_and(|former| former.poll_timeout().is_none()) {
            self.former = None;
        }
    }

    /// What happened.
    pub fn poll_event(&mut self) -> Option<AgentEvent> {
        while let Some(event) = self.gatherer.as_mut().and_then(Gatherer::poll_event) {
            match event {
                GatherEvent::Candidate(candidate) => {
                    if candidate.kind == CandidateKind::Relayed {
                        self.remember(candidate.address);
                    }
                    match self.connection.add_local_candidate(&candidate) {
                        Ok(text) => return Some(AgentEvent::Candidate(text)),
                        Err(error) => {
                            tracing::debug!(kind = ?candidate.kind, %error, "a gathered candidate is not used")
                        }
                    }
                }
                GatherEvent::Complete => return Some(AgentEvent::GatheringComplete),
                GatherEvent::ServerFailed { server, reason } => {
                    return Some(AgentEvent::ServerFailed { server, reason });
                }
            }
        }
        self.connection.poll_event().map(AgentEvent::Connection)
    }

    /// Closes the connection and releases the relay. Drain [`poll_transmit`](Self::poll_transmit) afterwards.
    pub fn close(&mut self, now: Instant) {
        self.note(now);
        self.connection.close(now);
        // The peer is told before the relay is released: through it, if that is the path.
        while let Some(transmit) = self.connection.poll_transmit() {
            if let Some(transmit) = self.relay(transmit) {
                self.farewell.push_back(transmit);
            }
        }
        if let Some(gatherer) = &mut self.gatherer {
            gatherer.close(now);
        }
    }

    /// Gives a datagram back, unless it left through the relay. From a relayed address that is no more, it is lost.
    fn relay(&mut self, transmit: Transmit) -> Option<Transmit> {
        let mut gatherers = self.gatherer.iter_mut().chain(&mut self.former);
        let Some(gatherer) = gatherers.find(|gatherer| gatherer.is_relayed(transmit.local)) else {
            return (!self.relayed.contains(&transmit.local)).then_some(transmit);
        };
        if let Some(now) = self.now {
            gatherer.send_relayed(now, transmit.local, transmit.remote, &transmit.payload);
        }
        None
    }

    fn remember(&mut self, relayed: SocketAddr) {
        if !self.relayed.contains(&relayed) {
            self.relayed.push_back(relayed);
        }
        if self.relayed.len() > RELAYED {
            self.relayed.pop_front();
        }
    }

    fn note(&mut self, now: Instant) {
        self.now = self.now.max(Some(now));
    }
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent").field("gatherer", &self.gatherer).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::Certificate;
    use crate::connection::Settings;

    /// A pair may outlive two gatherings: what the connection still says on it must not look like a datagram for a socket.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "only a start from which virtual time is counted")]
    fn nothing_leaves_from_a_relayed_address_whose_gatherer_is_gone() {
        let certificate = Certificate::generate().expect("the provider makes P-256 certificates");
        let connection = Connection::signalled(&Settings::new(certificate), Instant::now()).expect("one can be made");
        let mut agent = Agent::new(connection, None);
        let [relayed, local] = [49_152, 1_000].map(|port| SocketAddr::from(([203, 0, 113, 2], port)));
        agent.remember(relayed);
        let from = |local| Transmit { local, remote: SocketAddr::from(([10, 0, 0, 9], 9)), payload: vec![1].into() };
        assert_eq!(agent.relay(from(relayed)), None);
        assert_eq!(agent.relay(from(local)), Some(from(local)));
        for port in 0..100 {
            agent.remember(SocketAddr::from(([203, 0, 113, 3], port)));
        }
        assert_eq!(agent.relayed.len(), RELAYED);
    }
}
