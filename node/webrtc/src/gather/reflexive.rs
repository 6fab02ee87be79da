//! Server-reflexive addresses: what STUN servers see of our sockets (RFC 8445, section 5.1.1.2).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rtc::stun::message::{CLASS_SUCCESS_RESPONSE, METHOD_BINDING, Message};

use super::message::{self, is_plausible};
use super::settings::ServerFailure;
use super::transaction::{Step, Transaction};
use crate::connection::Transmit;

/// Pause between the first requests of one gatherer: RFC 8445's smallest Ta, so that many sockets and servers are no burst.
const PACE: Duration = Duration::from_millis(5);

/// All Binding requests of a gatherer: one for each socket and each server of the same address family.
#[derive(Debug, Default)]
pub(super) struct Reflexive {
    bindings: Vec<Binding>,
    servers: Vec<Server>,
    transmits: VecDeque<Transmit>,
    outcomes: VecDeque<Outcome>,
}

/// What a server said about a socket, or that it says nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Mapped { local: SocketAddr, mapped: SocketAddr },
    Failed { server: SocketAddr, reason: ServerFailure },
}

#[derive(Debug)]
struct Binding {
    local: SocketAddr,
    server: SocketAddr,
    transaction: Transaction,
}

/// A server fails as a whole: when none of the sockets got an answer.
#[derive(Debug)]
struct Server {
    address: SocketAddr,
    /// Whether it answered, or its failure was told.
    settled: bool,
}

impl Reflexive {
    pub(super) fn new(now: Instant, locals: &[SocketAddr], servers: Vec<SocketAddr>) -> Self {
        let mut this = Self::default();
        let mut due = now;
        for server in servers {
            let reachable = locals.iter().filter(|local| local.is_ipv4() == server.is_ipv4());
            let before = this.bindings.len();
            for local in reachable {
                let transaction = Transaction::new(due, message::request(METHOD_BINDING, &[], None));
                this.bindings.push(Binding { local: *local, server, transaction });
                due += PACE;
            }
            if this.bindings.len() == before {
                this.outcomes.push_back(Outcome::Failed { server, reason: ServerFailure::Unreachable });
            } else {
                this.servers.push(Server { address: server, settled: false });
            }
        }
        this
    }

    /// Whether an answer to `local` from `remote` may be for us.
    pub(super) fn expects(&self, local: SocketAddr, remote: SocketAddr) -> bool {
        self.bindings.iter().any(|binding| binding.local == local && binding.server == remote)
    }

    /// Takes the answer to one of our requests; says whether it was one.
    pub(super) fn handle(&mut self, local: SocketAddr, remote: SocketAddr, answer: &Message) -> bool {
        let ours = |binding: &Binding| {
            binding.local == local && binding.server == remote && binding.transaction.id() == answer.transaction_id
        };
        if answer.typ.method != METHOD_BINDING {
            return false;
        }
        let Some(index) = self.bindings.iter().position(ours) else { return false };
        self.bindings.remove(index);
        if answer.typ.class != CLASS_SUCCESS_RESPONSE {
            let (code, reason) = message::read_error(answer);
            self.end(remote, ServerFailure::Refused { code, reason });
            return true;
        }
        match message::read_mapped(answer).filter(|mapped| is_plausible(*mapped, local)) {
            Some(mapped) => {
                if let Some(server) = self.servers.iter_mut().find(|server| server.address == remote) {
                    server.settled = true;
                }
                self.outcomes.push_back(Outcome::Mapped { local, mapped });
            }
            None => self.end(remote, ServerFailure::BadAnswer("no usable XOR-MAPPED-ADDRESS")),
        }
        true
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        let mut expired = Vec::new();
        let transmits = &mut self.transmits;
        self.bindings.retain_mut(|binding| match binding.transaction.step(now) {
            Step::Wait => true,
            Step::Send(payload) => {
                transmits.push_back(Transmit { local: binding.local, remote: binding.server, payload });
                true
            }
            Step::Expired => {
                expired.push(binding.server);
                false
            }
        });
        for server in expired {
            self.end(server, ServerFailure::Timeout);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.bindings.iter().map(|binding| binding.transaction.due()).min()
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    pub(super) fn poll_outcome(&mut self) -> Option<Outcome> {
        self.outcomes.pop_front()
    }

    pub(super) fn is_done(&self) -> bool {
        self.bindings.is_empty()
    }

    pub(super) fn close(&mut self) {
        self.bindings.clear();
        self.transmits.clear();
    }

    /// A request to `server` ended without an address; the last one without any answer ends the server.
    fn end(&mut self, server: SocketAddr, reason: ServerFailure) {
        let open = self.bindings.iter().any(|binding| binding.server == server);
        let known = self.servers.iter_mut().find(|known| known.address == server && !known.settled && !open);
        if let Some(known) = known {
            known.settled = true;
            self.outcomes.push_back(Outcome::Failed { server, reason });
        }
    }
}
