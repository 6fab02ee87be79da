//! From the first message of signalling to a connection that can be used.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use darkswap_webrtc::agent::Agent;
use darkswap_webrtc::certificate::{Certificate, CertificateError, Fingerprint};
use darkswap_webrtc::connection::{Connection, ConnectionError, IceState, Settings};
use darkswap_webrtc::gather::{self, GatherError, GatherSettings, Gatherer};
use futures::SinkExt as _;
use futures::channel::{mpsc, oneshot};
use libp2p::PeerId;
use thiserror::Error;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::address::Target;
use super::addresses::Roaming;
use super::attendance::Attendance;
use super::exchange::{Exchange, Received, Refused};
use super::sockets::Bound;
use super::{Setting, sockets};
use crate::event::{Misbehaviour, NegotiationRole};
use crate::limits::fixed::signalling::{PAUSE_MS, SECURE, SET_UP, TRIES};
use crate::transport::webrtc::signalling::{Failed, NoStream, Opened, Purpose, Report, Request, Ticket, ToBehaviour};
use crate::transport::webrtc::{Control, Driven, End, Muxer, Signal};

/// Why a connection was not negotiated.
#[derive(Debug, Error)]
pub enum Error {
    /// There is no signalling stream to the peer.
    #[error("{0}")]
    NoStream(#[from] NoStream),
    /// The host refused its sockets.
    #[error("{0}")]
    Socket(io::Error),
    /// Candidates cannot be gathered.
    #[error("{0}")]
    Gather(#[from] GatherError),
    /// A certificate for the connection could not be made.
    #[error("{0}")]
    Certificate(#[from] CertificateError),
    /// A description or a candidate was not accepted.
    #[error("{0}")]
    SetUp(#[from] ConnectionError),
    /// The signalling stream ended before the descriptions were exchanged.
    #[error("signalling ended before there was an answer: {0}")]
    Signalling(io::Error),
    /// The connection ended before it could be used.
    #[error("the connection ended during its set-up: {0}")]
    Ended(#[from] End),
    /// ICE found a pair of candidates, and nothing came of it.
    #[error("ICE found a pair, but DTLS was not done within {SECURE:?}")]
    Stalled,
    /// The peer gave up, or the relayed connection ended, and nothing came of what was exchanged until then.
    #[error("signalling ended, and no connection came of it within {SECURE:?}")]
    Left,
    /// The set-up took too long.
    #[error("no connection within {SET_UP:?}")]
    TimedOut,
    /// A direct connection came about otherwise.
    #[error("given up for another direct connection")]
    Abandoned,
    /// The peer broke a rule of signalling.
    #[error("the peer broke a rule of signalling: {0}")]
    Refused(#[from] Refused),
    /// The transport is being shut down.
    #[error("the node has stopped")]
    Stopped,
}

pub(super) type Output = (PeerId, Muxer);
pub(super) type Reports = mpsc::Sender<ToBehaviour>;

/// Dials: negotiates as the offerer, a second time when the first try got stuck where a second one may not.
pub(super) async fn offer(setting: Arc<Setting>, mut reports: Reports, target: Target) -> Result<Output, Error> {
    let mut last = Error::Stopped;
    for round in 0..TRIES {
        if round > 0 {
            let (shortest, longest) = PAUSE_MS;
            sleep(Duration::from_millis(shortest + setting.random() % (longest - shortest))).await;
        }
        let begun = Instant::now();
        let done = offer_once(&setting, &mut reports, &target).await;
        tell_end(&mut reports, target.peer, NegotiationRole::Offerer, begun, done.as_ref().err()).await;
        match done {
            Ok(output) => return Ok(output),
            Err(error @ Error::Stalled) => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

async fn offer_once(setting: &Arc<Setting>, reports: &mut Reports, target: &Target) -> Result<Output, Error> {
    let servers = async { Ok(setting.servers.resolve(setting.runtime.as_ref()).await) };
    let (opened, servers) = futures::try_join!(request(reports, target), servers)?;
    let Opened { stream, ticket, mut abandoned } = opened;
    let exchange = Exchange::offerer(stream);
    let mut attempt = Attempt::start(setting, reports, target.peer, NegotiationRole::Offerer, exchange, servers)?;
    let negotiated = tokio::select! {
        biased;
        negotiated = attempt.offer() => negotiated,
        // Without a word the behaviour is gone, and everything with it.
        Ok(()) = &mut abandoned => Err(Error::Abandoned),
    };
    attempt.end(negotiated, ticket).await
}

async fn request(reports: &Reports, target: &Target) -> Result<Opened, NoStream> {
    let (answer, answered) = oneshot::channel();
    let request = Request { peer: target.peer, circuit: target.circuit.clone(), answer };
    reports.clone().send(ToBehaviour::Open(request)).await.map_err(|_| NoStream::Stopped)?;
    answered.await.map_err(|_| NoStream::Stopped)?
}

/// Answers a peer's offer.
pub(super) async fn answer(
    setting: Arc<Setting>,
    mut reports: Reports,
    peer: PeerId,
    offered: Offered,
) -> Result<Output, Error> {
    let begun = Instant::now();
    let Offered { exchange, sdp, fingerprint, ticket } = offered;
    let servers = setting.servers.resolve(setting.runtime.as_ref()).await;
    let role = NegotiationRole::Answerer;
    let done = match Attempt::start(&setting, &reports, peer, role, exchange, servers) {
        Ok(mut attempt) => {
            let negotiated = attempt.answer(&sdp, fingerprint).await;
            attempt.end(negotiated, ticket).await
        }
        Err(error) => Err(error),
    };
    tell_end(&mut reports, peer, role, begun, done.as_ref().err()).await;
    done
}

/// An offer that a peer made on a stream of its own.
#[derive(Debug)]
pub(super) struct Offered {
    pub(super) exchange: Exchange,
    pub(super) sdp: String,
    /// Of the peer's certificate for this connection.
    pub(super) fingerprint: Fingerprint,
    pub(super) ticket: Ticket,
}

/// Tells the node how a negotiation ended.
async fn tell_end(reports: &mut Reports, peer: PeerId, role: NegotiationRole, begun: Instant, error: Option<&Error>) {
    if let Some(Error::Refused(Refused { kind, evidence })) = error {
        tell(reports, Report::Misbehaviour { peer, kind: *kind, evidence: evidence.clone() }).await;
    }
    let result = match error {
        None => Ok(()),
        Some(error) => Err(Failed {
            unsupported: matches!(error, Error::NoStream(NoStream::Unsupported)),
            reason: error.to_string(),
        }),
    };
    let ended = Report::Ended { peer, role, purpose: Purpose::Connection, result, elapsed: begun.elapsed() };
    tell(reports, ended).await;
}

pub(super) async fn tell(reports: &mut Reports, report: Report) {
    // The behaviour ends with the swarm only.
    let _ = reports.send(ToBehaviour::Report(report)).await;
}

/// One try to make a connection.
struct Attempt {
    setting: Arc<Setting>,
    reports: Reports,
    peer: PeerId,
    role: NegotiationRole,
    number: u64,
    driven: Driven,
    control: Control,
    exchange: Exchange,
    roaming: Roaming,
    /// Of the certificate that the peer announced.
    fingerprint: Option<Fingerprint>,
    /// When DTLS must be done.
    secure_until: Option<Instant>,
    /// When the connection must stand although signalling has ended.
    left_until: Option<Instant>,
}

impl Attempt {
    /// Binds sockets and begins to gather candidates.
    fn start(
        setting: &Arc<Setting>,
        reports: &Reports,
        peer: PeerId,
        role: NegotiationRole,
        exchange: Exchange,
        servers: Vec<gather::IceServer>,
    ) -> Result<Self, Error> {
        let now = Instant::now().into_std();
        let Bound { ports, locals, host } =
            sockets::bind(setting.runtime.as_ref(), &setting.addresses).map_err(Error::Socket)?;
        let gathering = GatherSettings { locals, servers, relay_only: setting.relay_only, seed: setting.random() };
        let connection = Connection::signalled(&Settings::new(Certificate::generate()?), now)?;
        let agent = Agent::new(connection, Some(Gatherer::new(gathering, now)?));
        let driven = Driven::start(setting.runtime.as_ref(), agent, ports);
        Ok(Self {
            setting: Arc::clone(setting),
            reports: reports.clone(),
            peer,
            role,
            number: setting.number(),
            control: driven.control(),
            driven,
            exchange,
            roaming: Roaming::new(host),
            fingerprint: None,
            secure_until: None,
            left_until: None,
        })
    }

    async fn offer(&mut self) -> Result<(), Error> {
        let sdp = self.control.with(|agent, now| agent.connection_mut().create_offer(now))?;
        self.exchange.offer(sdp).await.map_err(Error::Signalling)?;
        self.connect().await
    }

    async fn answer(&mut self, sdp: &str, fingerprint: Fingerprint) -> Result<(), Error> {
        self.fingerprint = Some(fingerprint);
        let answer = self.control.with(|agent, now| agent.connection_mut().accept_offer(now, sdp));
        let answer = answer.map_err(|error| Refused::description("offer", &error))?;
        self.exchange.answer(answer).await.map_err(Error::Signalling)?;
        self.connect().await
    }

    /// Exchanges candidates until the connection can be used.
    async fn connect(&mut self) -> Result<(), Error> {
        let end = Instant::now() + SET_UP;
        timeout_at(end, self.exchange_candidates()).await.unwrap_or(Err(Error::TimedOut))?;
        // DTLS has checked that; the peer id hangs on it.
        let found = self.driven.remote_fingerprint();
        if found.is_none() || found != self.fingerprint {
            let evidence = "found a certificate other than the one of the description".to_owned();
            return Err(Refused { kind: Misbehaviour::Forged, evidence }.into());
        }
        Ok(())
    }

    /// Gives the connection to libp2p, or up.
    async fn end(mut self, negotiated: Result<(), Error>, ticket: Ticket) -> Result<Output, Error> {
        drop(ticket);
        match negotiated {
            Ok(()) => Ok(self.hand_over().await),
            Err(error) => {
                let state = IceState::Closed;
                tell(&mut self.reports, Report::Ice { peer: self.peer, number: self.number, state }).await;
                Err(error)
            }
        }
    }

    async fn exchange_candidates(&mut self) -> Result<(), Error> {
        loop {
            tokio::select! {
                biased;
                connected = self.driven.connected() => return Ok(connected?),
                signal = self.control.signal() => match signal {
                    Some(signal) => self.on_signal(signal).await,
                    None => return Err(self.control.end().unwrap_or(End::Closed).into()),
                },
                received = self.exchange.receive(), if self.exchange.is_open() => self.on_received(received?)?,
                () = until(self.secure_until) => return Err(Error::Stalled),
                () = until(self.left_until) => return Err(Error::Left),
            }
        }
    }

    async fn on_signal(&mut self, signal: Signal) {
        match signal {
            Signal::Candidate(candidate) => self.exchange.candidate(&candidate).await,
            Signal::GatheringComplete => self.exchange.end_of_candidates().await,
            Signal::Ice(state) => {
                if matches!(state, IceState::Connected | IceState::Completed) {
                    self.secure_until.get_or_insert(Instant::now() + SECURE);
                }
                tell(&mut self.reports, Report::Ice { peer: self.peer, number: self.number, state }).await;
            }
            Signal::SelectedPair(pair) => {
                let (local, remote) = (pair.local.kind, pair.remote.kind);
                tell(&mut self.reports, Report::Selected { peer: self.peer, local, remote }).await;
            }
        }
    }

    fn on_received(&mut self, received: Received) -> Result<(), Error> {
        match received {
            Received::Answer { sdp, fingerprint } => {
                self.fingerprint = Some(fingerprint);
                let accepted = self.control.with(|agent, now| agent.connection_mut().accept_answer(now, &sdp));
                accepted.map_err(|error| Refused::description("answer", &error))?;
            }
            Received::Candidate(candidate) => self.add_candidate(&candidate),
            // The exchange of an answerer takes no second offer before the connection stands.
            Received::Offer { .. } => {}
            // A peer that is connected already needs no signalling any more: js-libp2p says so at once. Before the answer it is a failure.
            Received::Ended if self.fingerprint.is_some() => {
                self.left_until.get_or_insert(Instant::now() + SECURE);
            }
            Received::Ended => return Err(Error::Signalling(io::ErrorKind::UnexpectedEof.into())),
        }
        Ok(())
    }

    fn add_candidate(&self, candidate: &str) {
        let added = self.control.with(|agent, _| agent.connection_mut().add_remote_candidate(candidate));
        if let Err(error) = added {
            // Of a kind that we do not know, say. Others may do.
            tracing::debug!(peer = %self.peer, %error, "a candidate is ignored");
        }
    }

    /// The connection stands: libp2p gets it, and a task attends to what is left of signalling.
    async fn hand_over(mut self) -> Output {
        self.exchange.connected();
        let Self { setting, peer, number, role, driven, control, exchange, roaming, fingerprint, mut reports, .. } =
            self;
        let muxer = driven.into_muxer(None, None);
        tell(&mut reports, Report::Established { peer, number }).await;
        let fingerprint = fingerprint.expect("it was compared with the certificate of the connection");
        let attendance =
            Attendance::new(&setting, reports, peer, number, role, control, exchange, roaming, fingerprint);
        setting.runtime.spawn("webrtc signalling", Box::pin(attendance.run()));
        (peer, muxer)
    }
}

pub(super) async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
