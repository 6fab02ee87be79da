//! One probe: everything that one host finds out about its NAT.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::Result;
use darkswap_scenario::nat::{Dependence, Nat, PortAssignment};
use tokio::time::Instant;

use super::client::Client;
use super::finding::{Finding, assignment_name, refresh_name, unsolicited_name};
use super::port::{PortPair, assignment, parity};
use super::responder::Server;
use crate::runtime::SimRuntime;

/// How long the first answers may take; later ones get as long as these took, and some.
const FIRST_PATIENCE: Duration = Duration::from_secs(3);
/// What is added to three round trips to make the patience for all later answers.
const MORE_PATIENCE: Duration = Duration::from_millis(300);
/// Mappings from which the port assignment is told: a random one looks as if it kept parity once in 2^16 times.
const MAPPINGS: usize = 16;
/// Local ports are so far apart that mappings which step aside for others do not meet.
const SPACING: u16 = 16;
/// The lowest local port of a probe, above those that nodes listen on.
const FIRST_PORT: u16 = 20_000;
/// Local ports for one probe.
const PORTS: u16 = 600;
/// Probes of one host until it uses the first ports again: up to where hosts choose ports by themselves.
const ROUNDS: usize = 48;

/// A probe.
pub(super) struct Examination {
    pub(super) host: Arc<SimRuntime>,
    /// Another host on the same LAN.
    pub(super) neighbour: Option<Arc<SimRuntime>>,
    pub(super) server: Server,
    /// How the NAT is configured.
    pub(super) nat: Nat,
    first_port: u16,
    sockets: AtomicU16,
}

/// How far away the server is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Distance {
    pub(super) round_trip: Duration,
    /// How long to wait for an answer.
    pub(super) patience: Duration,
}

impl Examination {
    /// The `round`th probe of this host.
    pub(super) fn new(
        host: Arc<SimRuntime>,
        neighbour: Option<Arc<SimRuntime>>,
        server: Server,
        nat: Nat,
        round: usize,
    ) -> Self {
        let first_port = FIRST_PORT + (round % ROUNDS) as u16 * PORTS;
        Self { host, neighbour, server, nat, first_port, sockets: AtomicU16::new(0) }
    }

    /// Runs all tests. What the NAT's other properties hide is left out.
    pub(super) async fn findings(&self) -> Vec<Finding> {
        let (distance, pairs) = match self.first_look().await {
            Ok(seen) => seen,
            Err(error) => return vec![Finding::unfinished(&format!("{error:#}"))],
        };
        let (mut findings, life, refresh) =
            tokio::join!(self.behaviour(distance, pairs), self.life(distance), self.refresh(distance));
        findings.push(Finding::new("life", life, format!("{:?}", self.nat.life)));
        findings.push(Finding::new("refresh", refresh, refresh_name(self.nat.refresh)));
        findings
    }

    /// What does not need the mapping's life, one after another because later tests build on earlier ones.
    async fn behaviour(&self, distance: Distance, mut pairs: Vec<PortPair>) -> Vec<Finding> {
        let nat = &self.nat;
        let ports = assignment(&pairs);
        let mapping = self.mapping(distance).await;
        let filtering = self.filtering(distance).await;
        let kind = (mapping.as_ref().ok().map(|(mapping, _)| *mapping), filtering.as_ref().ok().copied());
        let unsolicited = self.unsolicited(distance, ports, kind).await;
        let hairpinning = self.hairpinning(distance, kind, unsolicited.as_ref().ok().copied().flatten()).await;
        let overload = match ports {
            PortAssignment::Preserve => self.overload(distance).await,
            PortAssignment::Sequential | PortAssignment::Random => Ok(None),
        };
        pairs.extend(mapping.iter().flat_map(|(_, pairs)| pairs));
        pairs.extend(overload.iter().flatten().map(|(_, pair)| *pair));

        let mut findings = vec![
            Finding::new("mapping", mapping.map(|(mapping, _)| mapping), nat.mapping),
            Finding::new("filtering", filtering, nat.filtering),
            Finding::new("ports", Ok(assignment_name(ports)), assignment_name(nat.ports)),
        ];
        findings.extend(parity(&pairs).map(|parity| Finding::new("parity", Ok(parity), nat.parity)));
        let overload = overload.map(|found| found.map(|(overload, _)| overload)).transpose();
        findings.extend(overload.map(|found| Finding::new("overload", found, nat.overload)));
        findings.extend(hairpinning.transpose().map(|found| Finding::new("hairpinning", found, nat.hairpinning)));
        let unsolicited = unsolicited.transpose().map(|found| found.map(unsolicited_name));
        findings.extend(unsolicited.map(|found| Finding::new("unsolicited", found, unsolicited_name(nat.unsolicited))));
        findings
    }

    /// Opens mappings one after another: their ports, and how far away the server is.
    async fn first_look(&self) -> Result<(Distance, Vec<PortPair>)> {
        let mut pairs = Vec::new();
        let mut round_trip = Duration::ZERO;
        let mut clients = Vec::new();
        for _ in 0..MAPPINGS {
            let client = self.client()?;
            let asked = Instant::now();
            let mapped = client.ask(self.server.primary(), FIRST_PATIENCE).await?;
            round_trip = round_trip.max(asked.elapsed());
            pairs.push(PortPair { internal: client.port(), external: mapped.port() });
            // A port that is free again could be bound by the node.
            clients.push(client);
        }
        Ok((Distance { round_trip, patience: round_trip * 3 + MORE_PATIENCE }, pairs))
    }

    /// A socket on a fresh port.
    pub(super) fn client(&self) -> Result<Client> {
        Client::bind(&self.host, self.fresh_port())
    }

    /// A port that no probe of this host used lately. Parity changes every second time, so that sequential ports do not look as if
    /// they kept it.
    pub(super) fn fresh_port(&self) -> u16 {
        let count = self.sockets.fetch_add(1, Ordering::Relaxed);
        self.first_port + (count * SPACING) % PORTS + (count / 2) % 2
    }
}

/// What is known of mapping and filtering.
pub(super) type FoundKind = (Option<Dependence>, Option<Dependence>);
