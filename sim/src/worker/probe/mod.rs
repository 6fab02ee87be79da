//! NAT probes: hosts find out from inside the simulation how the NAT in front of them behaves (RFC 5780), which must be what the
//! scenario says.
//!
//! | module | noun |
//! |---|---|
//! | `message` | STUN, as far as it is needed |
//! | `responder` | the server with two addresses and two ports, on the hosts `observer-1` and `observer-2` |
//! | `client` | sockets of the probing host |
//! | `examination` | one probe: which tests, in which order |
//! | `behaviour`, `life` | the tests |
//! | `port` | what ports tell |
//! | `finding` | found against configured, as records |
//!
//! A test is chosen by what earlier tests found, never by the configuration, except that the life of a mapping is not searched for but
//! confirmed. All packets travel the simulated network. A probe takes about 1.2 lives of a mapping and some seconds.
//!
//! # Absent on purpose
//! Properties that the NAT's other properties hide leave no sample, see [`examination`]; nor is a NAT probed that is behind another.

mod behaviour;
mod client;
mod examination;
mod finding;
mod life;
mod message;
mod port;
mod responder;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use darkswap_node::Runtime as _;
use darkswap_scenario::topology::{HostIndex, JobAction};
use futures::channel::oneshot;
use futures::future::try_join_all;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::scene::Scene;
use crate::runtime::SimRuntime;
use examination::Examination;
use finding::Finding;
use responder::Server;

/// The NAT probes of a run.
pub(super) struct Probes<'a> {
    pub(super) scene: Scene<'a>,
}

impl Probes<'_> {
    /// Runs every probe at its time, all at once if the scenario says so, and records what they find. What has not ended at `end` is
    /// recorded as different.
    ///
    /// # Errors
    /// When the server cannot be started: a bug.
    pub(super) async fn run(&self, end: Instant) -> Result<()> {
        let Some(observers) = self.scene.places.observers else { return Ok(()) };
        let server = Server::start(self.scene.world, observers)?;
        let start = Instant::now() - self.scene.recorder.now();
        let mut rounds: BTreeMap<usize, usize> = BTreeMap::new();
        let mut probes = Vec::new();
        for job in &self.scene.topology.jobs {
            let JobAction::ProbeNat { host } = job.action else { continue };
            for at in job.times() {
                let round = rounds.entry(host.0).or_default();
                probes.push(self.probe(server, host, *round, start + at, end));
                *round += 1;
            }
        }
        try_join_all(probes).await?;
        Ok(())
    }

    async fn probe(&self, server: Server, index: HostIndex, round: usize, at: Instant, end: Instant) -> Result<()> {
        sleep_until(at).await;
        let host = self.scene.topology.hosts.get(index.0).context("a host of the topology")?;
        let site =
            host.site.and_then(|site| self.scene.topology.sites.get(site.0)).context("a probing host has a NAT")?;
        let examination = Examination::new(
            self.runtime(index.0)?,
            self.neighbour(index.0).map(|neighbour| self.runtime(neighbour)).transpose()?,
            server,
            site.nat.clone(),
            round,
        );
        // The sockets belong to a task of the host, so that they end with it.
        let (answer, answered) = oneshot::channel();
        let runtime = Arc::clone(&examination.host);
        let task = async move {
            // Nobody waits any more when the run ends before the probe.
            let _ = answer.send(examination.findings().await);
        };
        runtime.spawn("nat_probe", Box::pin(task));
        let findings = match timeout_at(end, answered).await {
            Ok(Ok(findings)) => findings,
            Ok(Err(oneshot::Canceled)) => vec![Finding::unfinished("the host went down")],
            Err(_) => vec![Finding::unfinished("the run ended before the probe")],
        };
        findings.iter().for_each(|finding| finding.record(self.scene.recorder, &host.name, &site.nat.name));
        Ok(())
    }

    /// Another host on the same LAN.
    fn neighbour(&self, index: usize) -> Option<usize> {
        let site = self.scene.topology.hosts.get(index)?.site;
        let mut hosts = self.scene.topology.hosts.iter().enumerate();
        hosts.find(|(other, host)| *other != index && host.site == site).map(|(other, _)| other)
    }

    fn runtime(&self, index: usize) -> Result<Arc<SimRuntime>> {
        self.scene.world.runtime(*self.scene.places.hosts.get(index).context("a host of the fabric")?)
    }
}
