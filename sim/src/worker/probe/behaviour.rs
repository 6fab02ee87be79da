//! The tests that tell how a NAT maps, filters, and treats what it did not expect.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use darkswap_node::Runtime as _;
use darkswap_scenario::nat::{Dependence, PortAssignment, Unsolicited};
use futures::channel::oneshot;
use tokio::time::sleep;

use super::client::Client;
use super::examination::{Distance, Examination, FoundKind};
use super::message::Change;
use super::port::PortPair;

const SAME: Change = Change { address: false, port: false };
const OTHER_ADDRESS: Change = Change { address: true, port: false };
const OTHER_PORT: Change = Change { address: false, port: true };
const BOTH: Change = Change { address: true, port: true };

impl Examination {
    /// RFC 5780, section 4.3: how one socket looks to three destinations.
    pub(super) async fn mapping(&self, distance: Distance) -> Result<(Dependence, [PortPair; 3])> {
        let client = self.client()?;
        let seen_from = |change| client.ask(self.server.endpoint(change), distance.patience);
        let seen = [seen_from(SAME).await?, seen_from(OTHER_ADDRESS).await?, seen_from(BOTH).await?];
        let mapping = if seen[1] == seen[0] {
            Dependence::EndpointIndependent
        } else if seen[2] == seen[1] {
            Dependence::AddressDependent
        } else {
            Dependence::AddressAndPortDependent
        };
        Ok((mapping, seen.map(|seen| PortPair { internal: client.port(), external: seen.port() })))
    }

    /// RFC 5780, section 4.4: who may answer besides the one who was asked. Each question comes from a mapping of its own, which has
    /// sent to one endpoint only.
    pub(super) async fn filtering(&self, distance: Distance) -> Result<Dependence> {
        Ok(if self.client()?.ask_from(self.server, BOTH, distance.patience).await? {
            Dependence::EndpointIndependent
        } else if self.client()?.ask_from(self.server, OTHER_PORT, distance.patience).await? {
            Dependence::AddressDependent
        } else if self.client()?.ask_from(self.server, SAME, distance.patience).await? {
            Dependence::AddressAndPortDependent
        } else {
            bail!("no answer even from the endpoint that was asked");
        })
    }

    /// What a packet that nothing accepts leaves behind: it comes from an endpoint to which a flow then begins that would use the same
    /// external port. A tracking NAT moves that flow to another port.
    ///
    /// This shows only if the port is known before: when ports are preserved, or when the mapping exists already, is the same for all
    /// destinations, and filters.
    pub(super) async fn unsolicited(
        &self,
        distance: Distance,
        ports: PortAssignment,
        (mapping, filtering): FoundKind,
    ) -> Result<Option<Unsolicited>> {
        let remote = self.server.endpoint(OTHER_ADDRESS);
        let trigger = self.client()?;
        let (client, port) = if ports == PortAssignment::Preserve {
            let port = self.fresh_port();
            trigger.ask_for(port, remote)?;
            sleep(distance.patience).await;
            (Client::bind(&self.host, port)?, port)
        } else {
            let filters = filtering.is_some_and(|filtering| filtering != Dependence::EndpointIndependent);
            if mapping != Some(Dependence::EndpointIndependent) || !filters {
                return Ok(None);
            }
            let client = self.client()?;
            let port = client.ask(self.server.primary(), distance.patience).await?.port();
            let early = trigger.ask_for(port, remote)?;
            if client.hear(early, distance.patience).await?.is_some() {
                bail!("the filter let a packet in that should be unsolicited");
            }
            (client, port)
        };
        let kept = client.ask(remote, distance.patience).await?.port() == port;
        Ok(Some(if kept { Unsolicited::Drop } else { Unsolicited::Track }))
    }

    /// RFC 5780, section 4.5: whether one socket reaches another through its external endpoint, and comes from an external one.
    ///
    /// The receiver sends first, to open its filter. Nothing can pass when the mapping towards the neighbour is another one than the
    /// server saw, and that one filters; nor when the first packet is tracked and makes the answer come from a port that the filter
    /// does not know.
    pub(super) async fn hairpinning(
        &self,
        distance: Distance,
        (mapping, filtering): FoundKind,
        unsolicited: Option<Unsolicited>,
    ) -> Result<Option<bool>> {
        let passes = match filtering {
            Some(Dependence::EndpointIndependent) => true,
            Some(Dependence::AddressDependent) => mapping == Some(Dependence::EndpointIndependent),
            Some(Dependence::AddressAndPortDependent) => {
                mapping == Some(Dependence::EndpointIndependent) && unsolicited == Some(Unsolicited::Drop)
            }
            None => false,
        };
        if !passes {
            return Ok(None);
        }
        let (receiver, sender) = (self.client()?, self.client()?);
        let receiver_seen = receiver.ask(self.server.primary(), distance.patience).await?;
        let sender_seen = sender.ask(self.server.primary(), distance.patience).await?;
        receiver.send_to(sender_seen)?;
        let sent = sender.send_to(receiver_seen)?;
        match receiver.hear(sent, distance.patience).await? {
            Some(heard) if heard.source.ip() == sender_seen.ip() => Ok(Some(true)),
            Some(heard) => bail!("a packet came back from {} instead of the external address", heard.source),
            None => Ok(Some(false)),
        }
    }

    /// Whether two hosts with the same internal port both keep it, and the port that the second one got. Nothing without a second host.
    pub(super) async fn overload(&self, distance: Distance) -> Result<Option<(bool, PortPair)>> {
        let Some(neighbour) = &self.neighbour else { return Ok(None) };
        let client = self.client()?;
        let port = client.port();
        let server = self.server.primary();
        if client.ask(server, distance.patience).await?.port() != port {
            bail!("port {port} was not preserved for the first host");
        }
        // The neighbour's socket belongs to a task of the neighbour, so that it ends with it.
        let (answer, answered) = oneshot::channel();
        let host = Arc::clone(neighbour);
        neighbour.spawn(
            "nat_probe_neighbour",
            Box::pin(async move {
                let asked = async { Client::bind(&host, port)?.ask(server, distance.patience).await };
                // A probe that does not wait any more has been recorded as unfinished.
                let _ = answer.send(asked.await);
            }),
        );
        let seen = answered.await.context("the other host behind the NAT went down")??;
        Ok(Some((seen.port() == port, PortPair { internal: port, external: seen.port() })))
    }
}
