//! One connection of a relay: its peer's requests and their answers, circuits that its peer opened, questions to its peer.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::task::{Context, Poll, Waker};

use darkswap_connectivity::relay::message::{HopMessage, Limit};
use darkswap_connectivity::relay::server::Circuit;
use futures::StreamExt as _;
use futures::future::{AbortHandle, Abortable, BoxFuture, FutureExt as _, Ready, ready};
use futures::stream::FuturesUnordered;
use libp2p::PeerId;
use libp2p::core::upgrade::{InboundUpgrade, ReadyUpgrade, UpgradeInfo};
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound, StreamUpgradeError,
};
use libp2p::swarm::{ConnectionHandler, ConnectionHandlerEvent, Stream, StreamProtocol, SubstreamProtocol};

use super::exchange::{self, Asked, NotTaken};
use super::shared::Shared;
use super::{HOP, STOP, circuit};
use crate::event::CircuitEnd;
use crate::limits::fixed::relay_server;

/// What the behaviour tells a handler.
#[derive(Debug)]
pub(crate) enum FromBehaviour {
    /// Whether requests are taken.
    Serve(bool),
    /// Whether the peer has a reservation through this connection.
    Reserved(bool),
    /// Answer a request and end its stream.
    Answer { stream: Stream, answer: HopMessage },
    /// Ask the peer to take a circuit.
    Offer(Offer),
    /// Tell the peer that its circuit is open, and carry it.
    Carry { circuit: Circuit, limit: Limit, opener: Stream, other: Stream },
    /// Close a circuit that the peer opened.
    Close(Circuit),
}

/// A circuit that the peer is asked to take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer {
    pub(super) circuit: Circuit,
    pub(super) from: PeerId,
    pub(super) limit: Limit,
}

/// What a handler tells the behaviour.
#[derive(Debug)]
pub(crate) enum FromHandler {
    /// The peer asked for something.
    Asked(Asked<Stream>),
    /// The peer has more requests at once than it may. Told once.
    Flooded,
    /// The peer took a circuit, or did not.
    Taken { circuit: Circuit, result: Result<Stream, NotTaken> },
    /// A circuit that the peer opened has ended.
    Ended { circuit: Circuit, end: CircuitEnd },
}

/// What came of a piece of work.
#[derive(Debug)]
enum Done {
    Asked(Asked<Stream>),
    Answered,
    Taken { circuit: Circuit, result: Result<Stream, NotTaken> },
    Ended { circuit: Circuit, end: CircuitEnd },
    Aborted,
}

/// The handler of one direct connection.
#[derive(Debug)]
pub(crate) struct Handler {
    shared: Shared,
    is_serving: bool,
    is_reserved: bool,
    has_flooded: bool,
    /// Requests that are read or answered.
    requests: usize,
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    circuits: BTreeMap<Circuit, AbortHandle>,
    /// Bounded by the circuits that the server admits.
    offers: VecDeque<Offer>,
    events: VecDeque<FromHandler>,
    waker: Option<Waker>,
}

impl Handler {
    pub(super) fn new(shared: Shared, is_serving: bool) -> Self {
        Self {
            shared,
            is_serving,
            is_reserved: false,
            has_flooded: false,
            requests: 0,
            work: FuturesUnordered::new(),
            circuits: BTreeMap::new(),
            offers: VecDeque::new(),
            events: VecDeque::new(),
            waker: None,
        }
    }

    fn on_request(&mut self, stream: Stream) {
        if self.requests < relay_server::REQUESTS {
            self.requests += 1;
            self.work.push(exchange::request(stream).map(Done::Asked).boxed());
        } else if !self.has_flooded {
            self.has_flooded = true;
            self.events.push_back(FromHandler::Flooded);
        }
    }

    fn on_offered(&mut self, Offer { circuit, from, limit }: Offer, stream: Stream) {
        let offered = exchange::offer(stream, from, limit);
        self.work.push(offered.map(move |result| Done::Taken { circuit, result }).boxed());
    }

    fn carry(&mut self, circuit: Circuit, limit: Limit, mut opener: Stream, other: Stream) {
        let (handle, registration) = AbortHandle::new_pair();
        self.circuits.insert(circuit, handle);
        let shared = self.shared.clone();
        let carried = async move {
            let end = match exchange::accept(&mut opener, limit).await {
                Ok(()) => circuit::carry(shared, circuit, opener, other).await,
                Err(error) => CircuitEnd::Broken(error.to_string()),
            };
            Done::Ended { circuit, end }
        };
        self.work.push(Abortable::new(carried, registration).map(|done| done.unwrap_or(Done::Aborted)).boxed());
    }

    fn on_done(&mut self, done: Done) {
        let event = match done {
            Done::Asked(asked) => {
                self.requests -= 1;
                match asked {
                    Asked::Nothing => return,
                    asked => FromHandler::Asked(asked),
                }
            }
            Done::Answered => return self.requests -= 1,
            Done::Taken { circuit, result } => FromHandler::Taken { circuit, result },
            Done::Ended { circuit, end } => {
                self.circuits.remove(&circuit);
                FromHandler::Ended { circuit, end }
            }
            Done::Aborted => return,
        };
        self.events.push_back(event);
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = FromBehaviour;
    type ToBehaviour = FromHandler;
    type InboundProtocol = Hop;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Offer;

    fn listen_protocol(&self) -> SubstreamProtocol<Hop> {
        SubstreamProtocol::new(Hop { is_spoken: self.is_serving }, ())
    }

    fn connection_keep_alive(&self) -> bool {
        self.is_reserved || !self.work.is_empty()
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<ReadyUpgrade<StreamProtocol>, Offer, FromHandler>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(event));
            }
            if let Some(offer) = self.offers.pop_front() {
                let upgrade = ReadyUpgrade::new(STOP);
                let protocol = SubstreamProtocol::new(upgrade, offer).with_timeout(relay_server::STOP);
                return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
            }
            match self.work.poll_next_unpin(cx) {
                Poll::Ready(Some(done)) => self.on_done(done),
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, event: FromBehaviour) {
        match event {
            FromBehaviour::Serve(is_serving) => self.is_serving = is_serving,
            FromBehaviour::Reserved(is_reserved) => self.is_reserved = is_reserved,
            FromBehaviour::Answer { stream, answer } => {
                self.requests += 1;
                self.work.push(exchange::answer(stream, answer).map(|_| Done::Answered).boxed());
            }
            FromBehaviour::Offer(offer) => self.offers.push_back(offer),
            FromBehaviour::Carry { circuit, limit, opener, other } => self.carry(circuit, limit, opener, other),
            FromBehaviour::Close(circuit) => {
                if let Some(handle) = self.circuits.remove(&circuit) {
                    handle.abort();
                }
            }
        }
        self.waker.take().into_iter().for_each(Waker::wake);
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Hop, ReadyUpgrade<StreamProtocol>, (), Offer>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: stream, .. }) => {
                self.on_request(stream);
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol: stream, info: offer }) => {
                self.on_offered(offer, stream);
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info: offer, error }) => {
                let result = Err(explain(error));
                self.events.push_back(FromHandler::Taken { circuit: offer.circuit, result });
            }
            _ => {}
        }
        self.waker.take().into_iter().for_each(Waker::wake);
    }
}

fn explain(error: StreamUpgradeError<Infallible>) -> NotTaken {
    match error {
        StreamUpgradeError::NegotiationFailed => NotTaken::NoStream(format!("it does not speak {STOP}")),
        StreamUpgradeError::Timeout => NotTaken::TimedOut,
        StreamUpgradeError::Apply(never) => match never {},
        StreamUpgradeError::Io(error) => NotTaken::Io(error),
    }
}

/// The upgrade to the protocol of requests, which a relay that cannot be reached does not speak.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hop {
    is_spoken: bool,
}

impl UpgradeInfo for Hop {
    type Info = StreamProtocol;
    type InfoIter = std::option::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.is_spoken.then_some(HOP).into_iter()
    }
}

impl<S: Send + 'static> InboundUpgrade<S> for Hop {
    type Output = S;
    type Error = Infallible;
    type Future = Ready<Result<S, Infallible>>;

    fn upgrade_inbound(self, stream: S, _: StreamProtocol) -> Self::Future {
        ready(Ok(stream))
    }
}
