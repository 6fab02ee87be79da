//! Faults on their timeline.

use std::time::Duration;

use anyhow::{Context as _, Result};
use darkswap_fabric::nat::AfterReset;
use darkswap_fabric::{self as fabric, FaultId, LinkRef};
use darkswap_records::record::{self, Record};
use darkswap_scenario::topology::{Fault, FaultKind, HostIndex};

use super::bitcoin;
use super::observer::Observer;
use super::recorder::{micros, tags};
use super::scene::Scene;
use super::topology::access;

/// Everything that faults need.
pub(super) struct Faults<'a> {
    pub(super) scene: Scene<'a>,
    pub(super) observe: &'a (dyn Fn(usize) -> Observer + 'a),
}

/// A fault that was applied, in the network or to the chain.
#[derive(Debug, Clone, Default)]
pub(super) struct Applied {
    network: Vec<FaultId>,
    chain: bitcoin::Applied,
}

/// A step of the timeline: a fault begins or is lifted.
#[derive(Debug, Clone, Copy)]
enum Step {
    Begin(usize),
    Lift(usize),
}

impl Faults<'_> {
    /// Applies and lifts every fault in time.
    ///
    /// # Errors
    /// When a fault cannot be applied, which the check of the scenario excludes.
    pub(super) async fn run(&self) -> Result<Vec<Applied>> {
        let faults = &self.scene.topology.faults;
        let begins = faults.iter().enumerate().map(|(index, fault)| (fault.at, Step::Begin(index)));
        let lifts = faults.iter().enumerate().filter_map(|(index, fault)| Some((fault.until?, Step::Lift(index))));
        let mut steps: Vec<(Duration, Step)> = begins.chain(lifts).collect();
        steps.sort_by_key(|(at, _)| *at);
        let mut applied = vec![Applied::default(); faults.len()];
        let start = tokio::time::Instant::now() - self.scene.recorder.now();
        for (at, step) in steps {
            tokio::time::sleep_until(start + at).await;
            let (Step::Begin(index) | Step::Lift(index)) = step;
            let fault = &faults[index];
            let (kind, state) = match step {
                Step::Begin(_) => {
                    applied[index] = self.apply(fault).with_context(|| format!("fault {}", fault.kind.name()))?;
                    (fault.kind.name(), "applied")
                }
                Step::Lift(_) => {
                    self.lift(fault, &mut applied[index])?;
                    (fault.kind.name(), "lifted")
                }
            };
            self.scene.ledger.fault(at, kind);
            self.scene.recorder.event("", "fault", tags([("kind", kind), ("target", &fault.target), ("state", state)]));
        }
        Ok(applied)
    }

    /// Writes what each fault touched, and answers with it.
    pub(super) fn close(&self, applied: Vec<Applied>) -> Vec<record::Fault> {
        let mut closed = Vec::new();
        for (fault, mut applied) in self.scene.topology.faults.iter().zip(applied) {
            let network = applied.network.iter();
            let touched: u64 = self.scene.world.fabric(|fabric| network.map(|id| fabric.touched(*id)).sum());
            let chain = self.scene.cast.bitcoin().map_or(0, |bitcoin| bitcoin.lift(&mut applied.chain));
            let touched = touched + chain;
            let kind = fault.kind.name();
            let names = tags([("kind", kind), ("target", &fault.target)]);
            self.scene.recorder.sample(fault.at, "fault_touched", touched as f64, None, names);
            let record = record::Fault {
                at_us: micros(fault.at),
                until_us: fault.until.map(micros),
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
        let chain = self.scene.cast.bitcoin().map(|bitcoin| bitcoin.apply(fault)).transpose()?.flatten();
        Ok(Applied { network: self.apply_to_network(fault)?, chain: chain.unwrap_or_default() })
    }

    fn apply_to_network(&self, fault: &Fault) -> Result<Vec<FaultId>> {
        let host = |index: &HostIndex| self.scene.places.hosts[index.0];
        match &fault.kind {
            FaultKind::Partition(groups) => {
                let groups = groups.iter().map(|group| group.iter().map(host).collect()).collect();
                self.put(vec![fabric::Fault::Partition { groups }])
            }
            FaultKind::Crash(hosts) => hosts
                .iter()
                .map(|index| {
                    self.scene.cast.forget(index.0);
                    self.scene.world.crash(host(index))
                })
                .collect(),
            FaultKind::LinkFlap(uplinks) => self.put(
                uplinks
                    .iter()
                    .map(|uplink| fabric::Fault::LinkDown { at: self.scene.places.uplinks[uplink.0] })
                    .collect(),
            ),
            FaultKind::NatReset(sites) => {
                let after = AfterReset::Fresh;
                self.put(
                    sites
                        .iter()
                        .map(|site| fabric::Fault::NatReset { site: self.scene.places.sites[site.0], after })
                        .collect(),
                )
            }
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
            for index in hosts {
                self.scene.world.restart(self.scene.places.hosts[index.0])?;
                self.scene.cast.start(index.0, (self.observe)(index.0))?;
            }
            return Ok(());
        }
        let now = self.scene.world.now();
        self.scene
            .world
            .fabric(|fabric| applied.network.iter().try_for_each(|id| fabric.lift(now, *id)))
            .context("lifting a fault")
    }
}
