//! Probes on one connection.

use std::collections::VecDeque;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::StreamProtocol;
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::swarm::handler::ConnectionEvent;
use libp2p::swarm::{ConnectionHandler, ConnectionHandlerEvent, StreamUpgradeError, SubstreamProtocol};
use tokio::time::Instant;

use super::PROTOCOL;

/// Probes of one connection that are not answered. More tell no more, and each is a stream.
const PROBES: usize = 4;
/// Answers and questions that wait to be told. A peer that asks faster is not told of: one of them is as good as a hundred.
const NEWS: usize = 4;

/// Opens streams and sees them agreed to.
#[derive(Debug, Default)]
pub(in crate::node) struct Handler {
    /// Probes that were not begun.
    wanted: usize,
    /// Those under way.
    running: usize,
    news: VecDeque<Option<Duration>>,
}

impl Handler {
    fn tell(&mut self, elapsed: Option<Duration>) {
        if self.news.len() < NEWS {
            self.news.push_back(elapsed);
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = ();
    type ToBehaviour = Option<Duration>;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Instant;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ())
    }

    fn on_behaviour_event(&mut self, (): ()) {
        if self.wanted + self.running < PROBES {
            self.wanted += 1;
        }
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Instant, Self::ToBehaviour>> {
        // Whatever changes this comes through a method, after which the handler is polled.
        if let Some(elapsed) = self.news.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(elapsed));
        }
        if self.wanted > 0 {
            self.wanted -= 1;
            self.running += 1;
            let protocol = SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), Instant::now());
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        Poll::Pending
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol, (), Instant>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(_) => self.tell(None),
            ConnectionEvent::FullyNegotiatedOutbound(agreed) => {
                self.running = self.running.saturating_sub(1);
                self.tell(Some(agreed.info.elapsed()));
            }
            ConnectionEvent::DialUpgradeError(failed) => {
                self.running = self.running.saturating_sub(1);
                if let StreamUpgradeError::NegotiationFailed = failed.error {
                    self.tell(Some(failed.info.elapsed()));
                }
            }
            _ => {}
        }
    }
}
