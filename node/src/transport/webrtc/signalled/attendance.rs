//! What goes on with a negotiated connection: the state of ICE, and restarts.
//!
//! ICE does not recover by itself when a NAT forgets a mapping: both ends go on sending to where nobody is. An ICE restart (RFC 8445,
//! section 9) gathers and exchanges candidates anew for the same DTLS and SCTP, so that everything under way survives. It needs
//! signalling: the stream of the set-up where the peer keeps it open and the relayed connection lives, else a new one over a new
//! circuit. js-libp2p closes the stream and takes every stream for a new connection, so for such a peer the remedy is to dial again.
//!
//! It is the same when the host's own addresses change, of which the host tells at once: then the way may be good still, or gone without
//! the silence after which ICE would notice.
//!
//! Only the offerer restarts, so that two restarts do not cross, unless it is the answerer's address that is gone: then the answerer has
//! reason to be first. Should both restart, the offerer gives way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use darkswap_webrtc::certificate::Fingerprint;
use darkswap_webrtc::connection::{ConnectionError, IceState};
use darkswap_webrtc::gather::{GatherSettings, Gatherer};
use futures::channel::oneshot;
use libp2p::PeerId;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::addresses::{LOOK, Roaming};
use super::exchange::{Exchange, Received, Refused};
use super::negotiation::{Error, Offered, Reports, tell, until};
use super::sockets::Bound;
use super::{Setting, sockets};
use crate::event::NegotiationRole;
use crate::limits::fixed::signalling::{COMMANDS, KEPT, RESTART};
use crate::transport::webrtc::signalling::{Failed, NoStream, Opened, Purpose, Report, Ticket};
use crate::transport::webrtc::{Control, Signal};

/// Negotiated connections that are open, by number.
#[derive(Debug, Clone, Default)]
pub(super) struct Attended(Arc<Mutex<BTreeMap<u64, Entry>>>);

#[derive(Debug)]
struct Entry {
    peer: PeerId,
    fingerprint: Fingerprint,
    commands: mpsc::Sender<Command>,
}

/// What a connection's task is told.
#[derive(Debug)]
enum Command {
    /// Restart ICE over this stream, if there is one.
    Restart(Result<Opened, NoStream>),
    /// The peer restarts ICE over a stream of its own.
    Offered(Box<Offered>),
}

impl Attended {
    /// Tells a connection to restart; does nothing when it is gone.
    pub(super) fn restart(&self, number: u64, stream: Result<Opened, NoStream>) {
        if let Some(entry) = self.lock().get(&number) {
            // A task that is that far behind has a restart to attend to already.
            let _ = entry.commands.try_send(Command::Restart(stream));
        }
    }

    /// Hands an offer to the connection that it restarts; gives it back when it is for a new one.
    pub(super) fn offered(&self, peer: PeerId, offered: Offered) -> Option<Offered> {
        let attended = self.lock();
        let same = attended.values().find(|entry| entry.peer == peer && entry.fingerprint == offered.fingerprint);
        let Some(entry) = same else { return Some(offered) };
        // As above.
        let _ = entry.commands.try_send(Command::Offered(Box::new(offered)));
        None
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task of one connection's signalling. It ends with the connection.
pub(super) struct Attendance {
    setting: Arc<Setting>,
    reports: Reports,
    peer: PeerId,
    number: u64,
    role: NegotiationRole,
    control: Control,
    /// The stream of the set-up or of the last restart, while the peer keeps it open.
    exchange: Option<Exchange>,
    /// Of the peer's certificate: a restart must not bring another one.
    fingerprint: Fingerprint,
    commands: mpsc::Receiver<Command>,
    restart: Option<Restart>,
    roaming: Roaming,
    /// When to look at the host's addresses.
    next_look: Instant,
    /// When the connection stood.
    since: Instant,
    /// Whether the peer ended signalling at once. Such a one takes every stream for a new connection.
    forgets: bool,
    /// Whether ICE has lost the peer.
    disturbed: bool,
}

/// A restart under way.
struct Restart {
    begun: Instant,
    /// Whether both descriptions are exchanged.
    answered: bool,
    _ticket: Option<Ticket>,
    _abandoned: Option<oneshot::Receiver<()>>,
}

impl Attendance {
    #[expect(clippy::too_many_arguments, reason = "they are what a negotiation leaves behind, handed over once")]
    pub(super) fn new(
        setting: &Arc<Setting>,
        reports: Reports,
        peer: PeerId,
        number: u64,
        role: NegotiationRole,
        control: Control,
        exchange: Exchange,
        roaming: Roaming,
        fingerprint: Fingerprint,
    ) -> Self {
        let (sender, commands) = mpsc::channel(COMMANDS);
        setting.attended.lock().insert(number, Entry { peer, fingerprint, commands: sender });
        Self {
            setting: Arc::clone(setting),
            reports,
            peer,
            number,
            role,
            control,
            exchange: Some(exchange),
            fingerprint,
            commands,
            restart: None,
            roaming,
            next_look: Instant::now() + LOOK,
            since: Instant::now(),
            forgets: false,
            disturbed: false,
        }
    }

    /// Runs until the connection has ended.
    pub(super) async fn run(mut self) {
        loop {
            let restart_until = self.restart.as_ref().map(|restart| restart.begun + RESTART);
            tokio::select! {
                biased;
                signal = self.control.signal() => match signal {
                    Some(signal) => self.on_signal(signal).await,
                    None => break,
                },
                Some(command) = self.commands.recv() => self.on_command(command).await,
                received = receive(&mut self.exchange) => self.on_received(received).await,
                () = sleep_until(self.next_look) => self.look_at_addresses().await,
                () = until(restart_until) => {
                    self.end_restart(Err(format!("the connection was not restored within {RESTART:?}"))).await;
                }
            }
        }
        self.end_restart(Err("the connection ended".to_owned())).await;
        tell(&mut self.reports, Report::Gone { peer: self.peer, number: self.number }).await;
    }

    async fn on_signal(&mut self, signal: Signal) {
        match signal {
            Signal::Candidate(candidate) if self.restart.is_some() => {
                if let Some(exchange) = &mut self.exchange {
                    exchange.candidate(&candidate).await;
                }
            }
            Signal::GatheringComplete if self.restart.is_some() => {
                if let Some(exchange) = &mut self.exchange {
                    exchange.end_of_candidates().await;
                }
            }
            // The peer has what it needed.
            Signal::Candidate(_) | Signal::GatheringComplete => {}
            Signal::Ice(state) => self.on_ice(state).await,
            Signal::SelectedPair(pair) => {
                let (local, remote) = (pair.local.kind, pair.remote.kind);
                tell(&mut self.reports, Report::Selected { peer: self.peer, local, remote }).await;
            }
        }
    }

    async fn on_ice(&mut self, state: IceState) {
        let works = matches!(state, IceState::Connected | IceState::Completed);
        if works {
            self.disturbed = false;
            self.end_restart(Ok(())).await;
        }
        tell(&mut self.reports, Report::Ice { peer: self.peer, number: self.number, state }).await;
        let lost = matches!(state, IceState::Disconnected | IceState::Failed);
        if lost
            && !std::mem::replace(&mut self.disturbed, true)
            && self.role == NegotiationRole::Offerer
            && !self.is_offline()
        {
            // The node has a new stream opened. The one of the set-up is there at once, if its relayed connection still is.
            if let Some(exchange) = &mut self.exchange {
                exchange.probe().await;
            }
            if let Some(exchange) = self.exchange.take_if(|exchange| exchange.can_restart()) {
                self.begin_restart(exchange, None, None).await;
            }
        }
    }

    /// Acts upon a change of the host's addresses: ICE gathers on the new ones, at once where the peer can be told.
    async fn look_at_addresses(&mut self) {
        self.next_look = Instant::now() + LOOK;
        let Some(current) = self.setting.addresses.look(self.setting.runtime.as_ref()) else { return };
        let is_lost = self.control.selected_socket().is_some_and(|socket| !current.contains(&socket.ip()));
        let has_moved = self.roaming.has_moved(&current);
        if self.restart.is_some() || !is_lost && !has_moved {
            return;
        }
        let can_restart = has_moved && self.exchange.as_ref().is_some_and(Exchange::can_restart);
        if !(is_lost && !self.disturbed || can_restart) || !self.roaming.may_restart(Instant::now()) {
            return;
        }
        tracing::debug!(peer = %self.peer, is_lost, has_moved, "the host's addresses have changed");
        if is_lost {
            // The node hears of it as of any loss, and has a stream opened if there is none.
            self.control.with(|agent, now| agent.connection_mut().lose_selected_socket(now));
        }
        if can_restart && let Some(mut exchange) = self.exchange.take() {
            exchange.probe().await;
            if exchange.can_restart() {
                self.begin_restart(exchange, None, None).await;
            }
        }
    }

    fn has_moved(&self) -> bool {
        let current = self.setting.addresses.look(self.setting.runtime.as_ref());
        current.is_some_and(|current| self.roaming.has_moved(&current))
    }

    fn is_offline(&self) -> bool {
        let current = self.setting.addresses.look(self.setting.runtime.as_ref());
        current.is_some_and(|current| self.roaming.is_offline(&current))
    }

    async fn on_command(&mut self, command: Command) {
        match command {
            Command::Restart(_) if self.restart.as_ref().is_some_and(|restart| restart.answered) => {}
            Command::Restart(_)
                if self.role == NegotiationRole::Answerer && self.restart.is_none() && !self.has_moved() =>
            {
                self.tell_end(Instant::now(), Err("the peer restarts, who made the offer".to_owned())).await;
            }
            Command::Restart(_) if self.forgets => {
                self.tell_end(Instant::now(), Err("the peer does not restore connections".to_owned())).await;
            }
            Command::Restart(Ok(Opened { stream, ticket, abandoned })) => {
                self.begin_restart(Exchange::offerer(stream), Some(ticket), Some(abandoned)).await;
            }
            Command::Restart(Err(_)) if self.restart.is_some() => {}
            Command::Restart(Err(reason)) => self.tell_end(Instant::now(), Err(reason.to_string())).await,
            Command::Offered(_) if self.is_first() => {}
            Command::Offered(offered) => {
                let Offered { exchange, sdp, fingerprint, ticket } = *offered;
                self.exchange = Some(exchange);
                self.accept_restart(&sdp, fingerprint, Some(ticket)).await;
            }
        }
    }

    async fn on_received(&mut self, received: Result<Received, Error>) {
        match received {
            Ok(Received::Offer { .. }) if self.is_first() => {}
            Ok(Received::Offer { sdp, fingerprint }) => self.accept_restart(&sdp, fingerprint, None).await,
            Ok(Received::Answer { sdp, fingerprint }) if fingerprint == self.fingerprint => {
                let accepted = self.control.with(|agent, now| agent.connection_mut().accept_answer(now, &sdp));
                match (accepted, &mut self.restart) {
                    (Ok(()), Some(restart)) => restart.answered = true,
                    (Ok(()), None) => {}
                    (Err(error), _) => self.refuse(Refused::description("answer", &error)).await,
                }
            }
            Ok(Received::Answer { .. }) => self.refuse(Refused::other_certificate()).await,
            Ok(Received::Candidate(candidate)) => {
                // One that is of no use does no harm.
                let _ = self.control.with(|agent, _| agent.connection_mut().add_remote_candidate(&candidate));
            }
            Ok(Received::Ended) => {
                self.exchange = None;
                self.forgets |= self.since.elapsed() < KEPT;
            }
            Err(Error::Refused(refused)) => self.refuse(refused).await,
            Err(_) => self.exchange = None,
        }
    }

    /// Offers the peer new candidates.
    async fn begin_restart(
        &mut self,
        mut exchange: Exchange,
        ticket: Option<Ticket>,
        abandoned: Option<oneshot::Receiver<()>>,
    ) {
        let begun = self.restart.take().map_or_else(Instant::now, |before| before.begun);
        self.restart = Some(Restart { begun, answered: false, _ticket: ticket, _abandoned: abandoned });
        let gatherer = match self.gatherer().await {
            Ok(gatherer) => gatherer,
            Err(error) => return self.end_restart(Err(error.to_string())).await,
        };
        // In one step: the candidates must be those of the new description.
        let offer = self.control.with(|agent, now| {
            // An offer that was lost with its stream stands; it is made again.
            let _ = agent.connection_mut().restart_ice(now);
            let offer = agent.connection_mut().create_offer(now)?;
            agent.gather_anew(now, gatherer);
            Ok::<_, ConnectionError>(offer)
        });
        let sent = match offer {
            Ok(sdp) => exchange.offer(sdp).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match sent {
            Ok(()) => self.exchange = Some(exchange),
            Err(reason) => self.end_restart(Err(reason)).await,
        }
    }

    /// Whether an offer of ours goes before one of the peer's.
    fn is_first(&self) -> bool {
        self.role == NegotiationRole::Answerer && self.has_offered()
    }

    fn has_offered(&self) -> bool {
        self.restart.as_ref().is_some_and(|restart| !restart.answered)
    }

    /// Answers with new candidates of ours.
    async fn accept_restart(&mut self, sdp: &str, fingerprint: Fingerprint, ticket: Option<Ticket>) {
        if fingerprint != self.fingerprint {
            return self.refuse(Refused::other_certificate()).await;
        }
        if self.has_offered() {
            self.control.with(|agent, _| agent.connection_mut().withdraw_offer());
        }
        self.restart = Some(Restart { begun: Instant::now(), answered: true, _ticket: ticket, _abandoned: None });
        let gatherer = match self.gatherer().await {
            Ok(gatherer) => gatherer,
            Err(error) => return self.end_restart(Err(error.to_string())).await,
        };
        let answer = self.control.with(|agent, now| {
            let answer = agent.connection_mut().accept_offer(now, sdp)?;
            agent.gather_anew(now, gatherer);
            Ok::<_, ConnectionError>(answer)
        });
        match answer {
            Ok(answer) => {
                if let Some(exchange) = &mut self.exchange
                    && let Err(error) = exchange.answer(answer).await
                {
                    self.end_restart(Err(error.to_string())).await;
                }
            }
            Err(error) => self.refuse(Refused::description("offer", &error)).await,
        }
    }

    /// Asks the ICE servers again: the mappings that they told of may be gone, and the host may have other addresses.
    async fn gatherer(&mut self) -> Result<Gatherer, Error> {
        let servers = self.setting.servers.resolve(self.setting.runtime.as_ref()).await;
        let Bound { ports, locals, host } =
            sockets::bind(self.setting.runtime.as_ref(), &self.setting.addresses).map_err(Error::Socket)?;
        let now = Instant::now().into_std();
        let (relay_only, seed) = (self.setting.relay_only, self.setting.random());
        let gatherer = Gatherer::new(GatherSettings { locals, servers, relay_only, seed }, now)?;
        self.control.replace_ports(ports);
        self.roaming.set_bound(host);
        Ok(gatherer)
    }

    /// The peer broke a rule: no more signalling on this stream. The connection itself is not concerned.
    async fn refuse(&mut self, Refused { kind, evidence }: Refused) {
        self.exchange = None;
        let reason = evidence.clone();
        tell(&mut self.reports, Report::Misbehaviour { peer: self.peer, kind, evidence }).await;
        self.end_restart(Err(reason)).await;
    }

    async fn end_restart(&mut self, result: Result<(), String>) {
        if let Some(Restart { begun, .. }) = self.restart.take() {
            self.tell_end(begun, result).await;
        }
    }

    async fn tell_end(&mut self, begun: Instant, result: Result<(), String>) {
        let result = result.map_err(|reason| Failed { unsupported: false, reason });
        let (peer, role, purpose) = (self.peer, self.role, Purpose::Restart);
        tell(&mut self.reports, Report::Ended { peer, role, purpose, result, elapsed: begun.elapsed() }).await;
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        self.setting.attended.lock().remove(&self.number);
    }
}

async fn receive(exchange: &mut Option<Exchange>) -> Result<Received, Error> {
    match exchange {
        Some(exchange) => exchange.receive().await.map_err(Error::from),
        None => std::future::pending().await,
    }
}
