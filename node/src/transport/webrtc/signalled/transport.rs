//! libp2p's view of `/webrtc`.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::swarm::Stream;
use libp2p::{Multiaddr, PeerId};
use tokio::time::timeout;

use super::exchange::{Exchange, Received, Refused};
use super::negotiation::{self, Error, Offered, Output, Reports, tell};
use super::{Setting, address};
use crate::limits::fixed::signalling::OFFER;
use crate::transport::webrtc::signalling::{Report, Ticket, ToTransport, TransportEnd};

type Upgrade = BoxFuture<'static, Result<Output, Error>>;
type Event = TransportEvent<Upgrade, Error>;

/// `/webrtc` for libp2p. Dials `/webrtc/p2p/..` and `<circuit>/webrtc/p2p/..`, listens on `/webrtc`.
pub struct Transport {
    setting: Arc<Setting>,
    link: TransportEnd,
    listener: Option<ListenerId>,
    /// Addresses through reservations, in the order in which they came.
    announced: Vec<Multiaddr>,
    events: VecDeque<Event>,
    /// Streams whose offer is awaited, as many as the behaviour lets in.
    greetings: FuturesUnordered<BoxFuture<'static, Option<(PeerId, Offered)>>>,
    waker: Option<Waker>,
}

impl Transport {
    pub(super) fn new(setting: Arc<Setting>, link: TransportEnd) -> Self {
        Self {
            setting,
            link,
            listener: None,
            announced: Vec::new(),
            events: VecDeque::new(),
            greetings: FuturesUnordered::new(),
            waker: None,
        }
    }

    fn reports(&self) -> Reports {
        self.link.to_behaviour.clone()
    }

    fn on_message(&mut self, message: ToTransport) {
        match message {
            ToTransport::Accepted { peer, stream, ticket } => {
                self.greetings.push(greet(self.reports(), peer, stream, ticket).boxed());
            }
            ToTransport::Circuit(address) if !self.announced.contains(&address) => {
                if let Some(listener_id) = self.listener {
                    self.events.push_back(TransportEvent::NewAddress { listener_id, listen_addr: address.clone() });
                }
                self.announced.push(address);
            }
            ToTransport::Circuit(_) => {}
            ToTransport::CircuitGone(address) => {
                self.announced.retain(|other| *other != address);
                if let Some(listener_id) = self.listener {
                    self.events.push_back(TransportEvent::AddressExpired { listener_id, listen_addr: address });
                }
            }
            ToTransport::Restart { number, stream } => self.setting.attended.restart(number, stream),
        }
    }

    /// An offer: for a new connection, which libp2p hears of, or for a new path of one that exists.
    fn on_offer(&mut self, peer: PeerId, offered: Offered) -> Option<Event> {
        let offered = self.setting.attended.offered(peer, offered)?;
        let listener_id = self.listener?;
        let upgrade = negotiation::answer(Arc::clone(&self.setting), self.reports(), peer, offered).boxed();
        let (local_addr, send_back_addr) = (address::of(self.setting.local), address::of(peer));
        Some(TransportEvent::Incoming { listener_id, upgrade, local_addr, send_back_addr })
    }

    fn wake(&mut self) {
        self.waker.take().into_iter().for_each(Waker::wake);
    }
}

/// Waits for a peer's offer.
async fn greet(mut reports: Reports, peer: PeerId, stream: Stream, ticket: Ticket) -> Option<(PeerId, Offered)> {
    let mut exchange = Exchange::answerer(stream);
    match timeout(OFFER, exchange.receive()).await {
        Ok(Ok(Received::Offer { sdp, fingerprint })) => Some((peer, Offered { exchange, sdp, fingerprint, ticket })),
        Ok(Err(Refused { kind, evidence })) => {
            tell(&mut reports, Report::Misbehaviour { peer, kind, evidence }).await;
            None
        }
        // The peer thought better of it, or the relayed connection ended.
        Ok(Ok(_)) | Err(_) => {
            tracing::debug!(%peer, "a signalling stream ended without an offer");
            None
        }
    }
}

impl libp2p::Transport for Transport {
    type Output = Output;
    type Error = Error;
    type ListenerUpgrade = Upgrade;
    type Dial = Upgrade;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<Error>> {
        if address != address::listener() {
            return Err(TransportError::MultiaddrNotSupported(address));
        }
        if self.listener.is_some() {
            let reason =
                io::Error::new(io::ErrorKind::AddrInUse, "/webrtc is listened on already: one listener is enough");
            return Err(TransportError::Other(Error::Socket(reason)));
        }
        self.listener = Some(id);
        let announce =
            |address: &Multiaddr| TransportEvent::NewAddress { listener_id: id, listen_addr: address.clone() };
        self.events.extend(self.announced.iter().map(announce));
        self.wake();
        Ok(())
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        if self.listener != Some(id) {
            return false;
        }
        self.listener = None;
        self.events.push_back(TransportEvent::ListenerClosed { listener_id: id, reason: Ok(()) });
        self.wake();
        true
    }

    fn dial(&mut self, address: Multiaddr, options: DialOpts) -> Result<Upgrade, TransportError<Error>> {
        // Nothing is punched here on somebody else's word: ICE punches itself.
        let target = address::target(&address).filter(|_| options.role.is_dialer());
        let target = target.ok_or(TransportError::MultiaddrNotSupported(address))?;
        Ok(negotiation::offer(Arc::clone(&self.setting), self.reports(), target).boxed())
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Event> {
        while let Poll::Ready(Some(message)) = self.link.from_behaviour.poll_next_unpin(cx) {
            self.on_message(message);
        }
        while let Poll::Ready(Some(greeted)) = self.greetings.poll_next_unpin(cx) {
            if let Some((peer, offered)) = greeted
                && let Some(event) = self.on_offer(peer, offered)
            {
                self.events.push_back(event);
            }
        }
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(event);
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
