//! The relay of a connection: which TURN server, and which one after it.
//!
//! There is one allocation at a time. A gatherer's seed says which server is first, so that many connections spread over all of them;
//! when a server fails, the next one is asked; when a server that worked is lost, a new round begins behind it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;

use super::allocation::{Allocation, AllocationEvent};
use super::message::Incoming;
use super::settings::ServerFailure;
use crate::connection::Transmit;

/// Relayed addresses that one gatherer may have, one after the other: servers that grant and lose must not keep us busy.
const MAX_ALLOCATIONS: usize = 8;

/// A TURN server with its credential.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct TurnServer {
    pub(super) address: SocketAddr,
    pub(super) username: String,
    pub(super) credential: String,
}

impl std::fmt::Debug for TurnServer {
    /// Without the credential, which must not reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TurnServer").field("address", &self.address).finish_non_exhaustive()
    }
}

/// What happened to the relay.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RelayEvent {
    Allocated { relayed: SocketAddr, local: SocketAddr, server: SocketAddr, mapped: Option<SocketAddr> },
    Failed { server: SocketAddr, reason: ServerFailure },
}

/// All TURN servers, and the allocation on one of them.
#[derive(Debug)]
pub(super) struct Relay {
    servers: Vec<TurnServer>,
    locals: Vec<SocketAddr>,
    /// Who is asked next, and from which socket.
    attempts: VecDeque<(usize, SocketAddr)>,
    current: Option<(usize, Allocation)>,
    /// The current relayed address is the last one.
    relayed: Vec<SocketAddr>,
    events: VecDeque<RelayEvent>,
    closed: bool,
}

impl Relay {
    pub(super) fn new(now: Instant, seed: u64, servers: Vec<TurnServer>, locals: &[SocketAddr]) -> Self {
        let mut this = Self {
            servers,
            locals: locals.to_vec(),
            attempts: VecDeque::new(),
            current: None,
            relayed: Vec::new(),
            events: VecDeque::new(),
            closed: false,
        };
        for server in &this.servers {
            if !this.locals.iter().any(|local| local.is_ipv4() == server.address.is_ipv4()) {
                let reason = ServerFailure::Unreachable;
                this.events.push_back(RelayEvent::Failed { server: server.address, reason });
            }
        }
        let count = this.servers.len().max(1) as u64;
        this.begin_round(usize::try_from(seed % count).expect("less than the number of servers"));
        this.try_next(now);
        this
    }

    /// Whether a datagram to `local` from `remote` may be the relay's.
    pub(super) fn expects(&self, local: SocketAddr, remote: SocketAddr) -> bool {
        self.current.as_ref().is_some_and(|(_, current)| current.local() == local && current.server() == remote)
    }

    /// Takes a message of the server; gives our relayed address, the peer and its datagram, if it was one.
    pub(super) fn handle(&mut self, now: Instant, incoming: Incoming) -> Option<(SocketAddr, SocketAddr, Bytes)> {
        let received = self.current.as_mut().and_then(|(_, current)| current.handle(now, incoming));
        self.follow(now);
        received
    }

    /// Sends to a peer from a relayed address. From one that is lost, nothing can be sent any more.
    pub(super) fn send(&mut self, now: Instant, relayed: SocketAddr, peer: SocketAddr, payload: &[u8]) {
        if self.relayed.last() == Some(&relayed)
            && let Some((_, current)) = &mut self.current
        {
            current.send(now, peer, payload);
        }
    }

    /// Whether an address is or was a relayed one of ours.
    pub(super) fn is_relayed(&self, address: SocketAddr) -> bool {
        self.relayed.contains(&address)
    }

    /// Whether there is an allocation, or no way to get one.
    pub(super) fn is_settled(&self) -> bool {
        self.current.as_ref().is_none_or(|(_, current)| current.is_allocated())
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let Some((_, current)) = &mut self.current {
            current.handle_timeout(now);
        }
        self.follow(now);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.current.as_ref().and_then(|(_, current)| current.poll_timeout())
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        let (_, current) = self.current.as_mut()?;
        let payload = current.poll_transmit()?;
        Some(Transmit { local: current.local(), remote: current.server(), payload })
    }

    pub(super) fn poll_event(&mut self) -> Option<RelayEvent> {
        self.events.pop_front()
    }

    pub(super) fn close(&mut self, now: Instant) {
        self.closed = true;
        self.attempts.clear();
        if let Some((_, current)) = &mut self.current {
            current.close(now);
        }
    }

    /// Draws the consequences of what happened to the allocation.
    fn follow(&mut self, now: Instant) {
        while let Some((index, current)) = &mut self.current {
            let (index, local, server) = (*index, current.local(), current.server());
            match current.poll_event() {
                Some(AllocationEvent::Allocated { relayed, mapped }) => {
                    self.relayed.push(relayed);
                    self.events.push_back(RelayEvent::Allocated { relayed, local, server, mapped });
                    self.begin_round(index + 1);
                }
                Some(AllocationEvent::Ended(reason)) => {
                    self.events.push_back(RelayEvent::Failed { server, reason });
                    self.current = None;
                    self.try_next(now);
                }
                None if current.is_ended() => self.current = None,
                None => break,
            }
        }
    }

    /// Lines up all servers, from the one at `first` on, from each socket in turn.
    fn begin_round(&mut self, first: usize) {
        self.attempts.clear();
        if self.closed || self.relayed.len() >= MAX_ALLOCATIONS {
            return;
        }
        let (servers, locals) = (&self.servers, &self.locals);
        let longest = locals.len();
        for turn in 0..longest {
            for step in 0..servers.len() {
                let index = (first + step) % servers.len();
                let family = |local: &&SocketAddr| local.is_ipv4() == servers[index].address.is_ipv4();
                if let Some(local) = locals.iter().filter(family).nth(turn) {
                    self.attempts.push_back((index, *local));
                }
            }
        }
    }

    fn try_next(&mut self, now: Instant) {
        if let Some((index, local)) = self.attempts.pop_front() {
            let TurnServer { address, username, credential } = &self.servers[index];
            self.current = Some((index, Allocation::new(now, local, *address, username, credential)));
        }
    }
}
