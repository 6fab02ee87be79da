//! Faults on their timeline.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use darkswap_fabric::nat::AfterReset;
use darkswap_fabric::{self as fabric, FaultId, LinkRef};
use darkswap_records::record::{self, Record};
use darkswap_scenario::topology::{Absence, Fault, FaultKind, HostIndex, SiteIndex, UplinkIndex};

use super::bitcoin;
use super::observer::Observer;
use super::recorder::{micros, tags};
use super::scene::Scene;
use super::topology::access;
use super::trade::Desk;

mod drain;

/// Where the addresses of NATs begin that got another one, in the core and behind another NAT. A topology would need 65,000 sites to get
/// there.
const MOVED: (Ipv4Addr, Ipv4Addr) = (Ipv4Addr::new(198, 19, 0, 0), Ipv4Addr::new(100, 127, 0, 0));

/// Everything that faults need.
pub(super) struct Faults<'a> {
    pub(super) scene: Scene<'a>,
    pub(super) observe: &'a (dyn Fn(usize) -> Observer + 'a),
    /// Simulated time of the whole run.
    pub(super) end_of_run: Duration,
}

/// A fault that was applied, in the network or to the chain.
#[derive(Debug, Clone, Default)]
pub(super) struct Applied {
    /// When; none while it waits for something.
    at: Option<Duration>,
    until: Option<Duration>,
    network: Vec<FaultId>,
    chain: bitcoin::Applied,
}

/// For how long whom a fault takes away.
fn absences(fault: &Fault) -> &[Absence] {
    if let FaultKind::Churn(absences) = &fault.kind { absences } else { &[] }
}

/// Whether it is not known beforehand when all of a fault happens.
fn is_awaited(fault: &Fault) -> bool {
    fault.when.is_some() || matches!(fault.kind, FaultKind::Drain(..))
}

/// A step of the timeline: a fault begins or is lifted.
#[derive(Debug, Clone, Copy)]
enum Step {
    Begin(usize),
    /// Of a fault, a host leaves.
    Leave(usize, HostIndex),
    /// Of a fault, a host is back.
    Return(HostIndex),
    Lift(usize),
}

impl Faults<'_> {
    /// Applies and lifts every fault in time.
    ///
    /// # Errors
    /// When a fault cannot be applied, which the check of the scenario excludes.
    pub(super) async fn run(&self) -> Result<Vec<Applied>> {
        let waiting = self.scene.topology.faults.iter().enumerate().filter(|(_, fault)| is_awaited(fault));
        let waiting = waiting.map(|(index, fault)| async move { anyhow::Ok((index, self.wait(fault).await?)) });
        let (applied, waited) = tokio::join!(self.run_timeline(), futures::future::join_all(waiting));
        let mut applied = applied?;
        for outcome in waited {
            let (index, fault) = outcome?;
            applied[index] = fault;
        }
        Ok(applied)
    }

    /// The faults whose times are known beforehand.
    async fn run_timeline(&self) -> Result<Vec<Applied>> {
        let faults = &self.scene.topology.faults;
        let timed = || faults.iter().enumerate().filter(|(_, fault)| !is_awaited(fault));
        let begins = timed().map(|(index, fault)| (fault.at, Step::Begin(index)));
        let lifts = timed().filter_map(|(index, fault)| Some((fault.at + fault.lasts?, Step::Lift(index))));
        let absences = timed().flat_map(|(index, fault)| absences(fault).iter().map(move |absence| (index, *absence)));
        let leaves = absences.clone().map(|(index, absence)| (absence.from, Step::Leave(index, absence.host)));
        let returns = absences.filter_map(|(_, absence)| Some((absence.until?, Step::Return(absence.host))));
        let mut steps: Vec<(Duration, Step)> = begins.chain(leaves).chain(returns).chain(lifts).collect();
        steps.sort_by_key(|(at, _)| *at);
        let mut applied = vec![Applied::default(); faults.len()];
        let start = tokio::time::Instant::now() - self.scene.recorder.now();
        for (at, step) in steps {
            tokio::time::sleep_until(start + at).await;
            match step {
                Step::Begin(index) => applied[index] = self.begin(&faults[index])?,
                Step::Leave(index, host) => {
                    applied[index].network.push(self.stop(host, faults[index].kind.name())?);
                    self.scene.recorder.event(self.name(host), "left", tags([]));
                }
                Step::Return(host) => {
                    self.restart(host)?;
                    self.scene.recorder.event(self.name(host), "returned", tags([]));
                }
                Step::Lift(index) => self.end(&faults[index], &mut applied[index])?,
            }
        }
        Ok(applied)
    }

    /// A fault that waits for a step of a swap, or for those it touches, until it is lifted or the run ends.
    async fn wait(&self, fault: &Fault) -> Result<Applied> {
        let start = tokio::time::Instant::now() - self.scene.recorder.now();
        let end = start + self.end_of_run;
        tokio::time::sleep_until(start + fault.at).await;
        if let FaultKind::Drain(relays, within) = &fault.kind {
            return self.drain(fault, relays, *within).await;
        }
        let trades = self.scene.cast.bitcoin().map(bitcoin::Bitcoin::trades);
        let Some((trades, moment)) = trades.zip(fault.when.as_ref()) else { return Ok(Applied::default()) };
        if !matches!(tokio::time::timeout_at(end, trades.wait_for(moment)).await, Ok(Ok(()))) {
            return Ok(Applied::default());
        }
        let mut applied = self.begin(fault)?;
        let Some(lasts) = fault.lasts else { return Ok(applied) };
        if tokio::time::timeout_at(end, tokio::time::sleep(lasts)).await.is_ok() {
            self.end(fault, &mut applied)?;
        }
        Ok(applied)
    }

    fn begin(&self, fault: &Fault) -> Result<Applied> {
        let at = self.scene.recorder.now();
        let applied = self.apply(fault).with_context(|| format!("fault {}", fault.kind.name()))?;
        self.tell(fault, "applied");
        Ok(Applied { at: Some(at), until: fault.lasts.map(|lasts| at + lasts), ..applied })
    }

    fn end(&self, fault: &Fault, applied: &mut Applied) -> Result<()> {
        self.lift(fault, applied)?;
        self.tell(fault, "lifted");
        if !matches!(fault.kind, FaultKind::Lag(..) | FaultKind::Lie(..) | FaultKind::Crash(_) | FaultKind::Churn(_)) {
            Desk { cast: self.scene.cast, recorder: self.scene.recorder }.heal();
        }
        Ok(())
    }

    fn tell(&self, fault: &Fault, state: &str) {
        let kind = fault.kind.name();
        self.scene.ledger.fault(self.scene.recorder.now(), kind);
        self.scene.recorder.event("", "fault", tags([("kind", kind), ("target", &fault.target), ("state", state)]));
    }

    /// Writes what each fault touched, and answers with it.
    pub(super) fn close(&self, applied: Vec<Applied>) -> Vec<record::Fault> {
        let mut closed = Vec::new();
        for (fault, mut applied) in self.scene.topology.faults.iter().zip(applied) {
            let network = applied.network.iter();
            let touched: u64 = self.scene.world.fabric(|fabric| network.map(|id| fabric.touched(*id)).sum());
            let chain = self.scene.cast.bitcoin().map_or(0, |bitcoin| bitcoin.lift(&mut applied.chain));
            let touched = touched + chain;
            let (kind, at) = (fault.kind.name(), applied.at.unwrap_or(fault.at));
            let names = tags([("kind", kind), ("target", &fault.target)]);
            self.scene.recorder.sample(at, "fault_touched", touched as f64, None, names);
            let record = record::Fault {
                at_us: micros(at),
                until_us: applied.until.map(micros),
                kind: kind.to_owned(),
                target: fault.target.clone(),
                touched,
            };
            self.scene.recorder.record(&Record::Fault(record.clone()));
            closed.push(record);
        }
        closed
    }

    fn apply(&self, fault: &Fault) -> Result<Applied> {
        let now = self.scene.recorder.now();
        let chain = self.scene.cast.bitcoin().map(|bitcoin| bitcoin.apply(fault, now)).transpose()?.flatten();
        let network = self.apply_to_network(fault)?;
        Ok(Applied { network, chain: chain.unwrap_or_default(), ..Applied::default() })
    }

    fn apply_to_network(&self, fault: &Fault) -> Result<Vec<FaultId>> {
        let host = |index: &HostIndex| self.scene.places.hosts[index.0];
        match &fault.kind {
            FaultKind::Partition(groups) => {
                let groups = groups.iter().map(|group| group.iter().map(host).collect()).collect();
                self.put(vec![fabric::Fault::Partition { groups }])
            }
            FaultKind::Crash(hosts) => hosts.iter().map(|index| self.stop(*index, fault.kind.name())).collect(),
            // Each host leaves at its own times, and each relay when it has drained.
            FaultKind::Churn(_) | FaultKind::Drain(..) => Ok(Vec::new()),
            FaultKind::LinkFlap(uplinks) | FaultKind::RegionOutage(uplinks) => {
                let now = self.scene.recorder.now();
                self.scene.ledger.reachability.cut(now, &self.hosts_on(uplinks), fault.kind.name());
                let down = |uplink: &UplinkIndex| fabric::Fault::LinkDown { at: self.scene.places.uplinks[uplink.0] };
                self.put(uplinks.iter().map(down).collect())
            }
            FaultKind::NatReset(sites) => {
                let after = AfterReset::Fresh;
                self.put(
                    sites
                        .iter()
                        .map(|site| fabric::Fault::NatReset { site: self.scene.places.sites[site.0], after })
                        .collect(),
                )
            }
            FaultKind::Readdress(sites) => sites.iter().map(|site| self.readdress(*site)).collect(),
            FaultKind::Impair(uplinks, change) => {
                let mut faults = Vec::new();
                for uplink in uplinks {
                    let config = access(&change.apply(&self.scene.topology.uplinks[uplink.0].link))?;
                    let at = self.scene.places.uplinks[uplink.0];
                    faults.push(fabric::Fault::Impairment { link: LinkRef::Up(at), config: config.up });
                    faults.push(fabric::Fault::Impairment { link: LinkRef::Down(at), config: config.down });
                }
                self.put(faults)
            }
            FaultKind::Lag(..) | FaultKind::Lie(..) | FaultKind::Reorg { .. } | FaultKind::Evict => Ok(Vec::new()),
        }
    }

    /// Stops a host without a word.
    fn stop(&self, index: HostIndex, fault: &'static str) -> Result<FaultId> {
        self.scene.cast.forget(index.0);
        Desk { cast: self.scene.cast, recorder: self.scene.recorder }.stop(index.0);
        self.scene.ledger.reachability.crash(self.scene.recorder.now(), &[index.0], fault);
        self.scene.world.crash(self.scene.places.hosts[index.0])
    }

    fn restart(&self, index: HostIndex) -> Result<()> {
        self.scene.world.restart(self.scene.places.hosts[index.0])?;
        self.scene.ledger.reachability.restore(self.scene.recorder.now(), &[index.0]);
        self.scene.cast.start(index.0, (self.observe)(index.0))
    }

    /// The hosts with one of these access links.
    fn hosts_on(&self, uplinks: &[UplinkIndex]) -> Vec<usize> {
        let hosts = self.scene.topology.hosts.iter().enumerate();
        hosts.filter(|(_, host)| uplinks.contains(&host.uplink)).map(|(index, _)| index).collect()
    }

    fn name(&self, host: HostIndex) -> &str {
        &self.scene.topology.hosts[host.0].name
    }

    /// Gives a NAT the first address that is free: beyond those of the topology, within the network around it.
    fn readdress(&self, site: SiteIndex) -> Result<FaultId> {
        let base = if self.scene.topology.sites[site.0].behind.is_some() { MOVED.1 } else { MOVED.0 };
        let now = self.scene.world.now();
        self.scene.world.fabric(|fabric| {
            let addresses = (1..=u32::from(u16::MAX)).map(|number| Ipv4Addr::from(u32::from(base) + number));
            let external = addresses.into_iter().filter(|it| it.octets()[3] != 255).find(|it| !fabric.is_taken(*it));
            let external = external.context("every address for NATs that move is taken")?;
            let site = self.scene.places.sites[site.0];
            Ok(fabric.apply(now, fabric::Fault::Readdress { site, external })?)
        })
    }

    fn put(&self, faults: Vec<fabric::Fault>) -> Result<Vec<FaultId>> {
        let now = self.scene.world.now();
        self.scene
            .world
            .fabric(|fabric| faults.into_iter().map(|fault| fabric.apply(now, fault).map_err(Into::into)).collect())
    }

    fn lift(&self, fault: &Fault, applied: &mut Applied) -> Result<()> {
        if let Some(bitcoin) = self.scene.cast.bitcoin() {
            bitcoin.lift(&mut applied.chain);
        }
        if let FaultKind::Crash(hosts) = &fault.kind {
            return hosts.iter().try_for_each(|index| self.restart(*index));
        }
        if let FaultKind::Churn(_) = &fault.kind {
            return Ok(());
        }
        if let FaultKind::LinkFlap(uplinks) | FaultKind::RegionOutage(uplinks) = &fault.kind {
            self.scene.ledger.reachability.restore(self.scene.recorder.now(), &self.hosts_on(uplinks));
        }
        let now = self.scene.world.now();
        self.scene
            .world
            .fabric(|fabric| applied.network.iter().try_for_each(|id| fabric.lift(now, *id)))
            .context("lifting a fault")
    }
}
