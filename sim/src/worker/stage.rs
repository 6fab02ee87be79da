//! A run from the first host's start to the last record.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use anyhow::Result;
use darkswap_records::record::{self, End, Record, Run};
use darkswap_records::summary::FigureSummary;
use darkswap_scenario::topology::JobAction;
use darkswap_scenario::{Scenario, Topology};

use super::bitcoin::Bitcoin;
use super::cast::Cast;
use super::fault::Faults;
use super::figure::{Figures, Totals, next_interval};
use super::ledger::Ledger;
use super::load::Load;
use super::observer::Observer;
use super::packet_totals;
use super::probe::Probes;
use super::recorder::{Recorder, micros};
use super::relay::RelayBook;
use super::relay::latency::Latencies;
use super::scene::Scene;
use super::topology::Places;
use super::trade::Desk;
use crate::harness::World;

/// How often the worker tells how far it is, in simulated time.
const TOLD: Duration = Duration::from_secs(1);

/// What is to be performed.
pub(super) struct Stage {
    pub(super) scenario: Scenario,
    pub(super) topology: Topology,
    pub(super) seed: u64,
    pub(super) commit: String,
    pub(super) records: BufWriter<File>,
    pub(super) progress: SyncSender<Duration>,
}

/// What came of it.
pub(super) struct Ended {
    pub(super) passed: bool,
    pub(super) expectations: Vec<record::Outcome>,
    pub(super) faults: Vec<record::Fault>,
    pub(super) figures: BTreeMap<String, FigureSummary>,
}

impl Stage {
    /// Whether the run probes NATs, for which it needs observers.
    pub(super) fn probes(&self) -> bool {
        self.topology.jobs.iter().any(|job| matches!(job.action, JobAction::ProbeNat { .. }))
    }

    /// Runs the nodes, the load and the faults for the scenario's duration, and checks the expectations.
    pub(super) async fn perform(self, world: World, places: Places) -> Result<Ended> {
        let Self { scenario, topology, seed, commit, records, progress } = self;
        let recorder = Recorder::new(records, &scenario.expectations);
        recorder.record(&Record::Run(head(&scenario, &topology, &places, seed, commit)));
        let ledger = Ledger::new(RelayBook::new(Latencies::of(&topology, &scenario.core)));
        let bitcoin = Bitcoin::found(&topology, seed)?;
        let cast = Cast::new(&world, (&topology, &scenario.core), &places, bitcoin.clone())?;
        let topics: Vec<String> = topology.topics.iter().map(|topic| topic.name.clone()).collect();
        let observe = |host| Observer::new(host, cast.clone(), recorder.clone(), ledger.clone(), topics.clone());
        let load = Load {
            cast: cast.clone(),
            recorder: recorder.clone(),
            ledger: ledger.clone(),
            topics: topics.clone(),
            channels: topology.channels.clone(),
            lies: topology.lies.clone(),
            orders: topology.orders.clone(),
            takes: topology.takes.clone(),
            floods: topology.floods.clone(),
            addresses: places.addresses.clone(),
        };
        let scene = Scene {
            world: &world,
            topology: &topology,
            places: &places,
            cast: &cast,
            recorder: &recorder,
            ledger: &ledger,
        };
        let faults = Faults { scene, observe: &observe, end_of_run: scenario.duration };
        let figures = Figures { scene };
        let probes = Probes { scene };

        load.start(&topology);
        if let Some(bitcoin) = &bitcoin {
            bitcoin.start_mining(seed);
        }
        let end = tokio::time::Instant::now() + scenario.duration;
        let (started, applied, (), (), probed) = tokio::join!(
            start_hosts(&topology, &cast, &observe),
            faults.run(),
            intervals(&scenario, &figures, &recorder),
            tell(&scenario, &recorder, &progress),
            probes.run(end),
        );
        started?;
        probed?;
        tokio::time::sleep_until(end).await;
        figures.close().await;
        ledger.reachability.close(&cast, &recorder);
        let faults = faults.close(applied?);
        if let Some(bitcoin) = &bitcoin {
            Desk { cast: &cast, recorder: &recorder }.close().await;
            bitcoin.close(&recorder);
        }

        let expectations: Vec<record::Outcome> =
            recorder.samples(|samples| scenario.expectations.iter().map(|line| line.evaluate(samples)).collect());
        for outcome in &expectations {
            recorder.record(&Record::Expectation(outcome.clone()));
        }
        let passed = expectations.iter().all(|outcome| outcome.held) && faults.iter().all(|fault| fault.touched > 0);
        let packets = world.fabric(|fabric| packet_totals(fabric.counters()));
        recorder.record(&Record::End(End {
            at_us: micros(recorder.now()),
            passed,
            trace_hash: world.trace_hash().to_string(),
            packets,
        }));
        recorder.finish()?;
        let figures = recorder.samples(FigureSummary::of_all);
        Ok(Ended { passed, expectations, faults, figures })
    }
}

/// Starts every host at its time.
async fn start_hosts(topology: &Topology, cast: &Cast, observe: &impl Fn(usize) -> Observer) -> Result<()> {
    let begin = tokio::time::Instant::now();
    let mut order: Vec<usize> = (0..topology.hosts.len()).collect();
    order.sort_by_key(|index| topology.hosts[*index].start);
    for index in order {
        tokio::time::sleep_until(begin + topology.hosts[index].start).await;
        cast.start(index, observe(index))?;
    }
    Ok(())
}

/// Records the traffic of each interval and tells the progress, until the end.
async fn intervals(scenario: &Scenario, figures: &Figures<'_>, recorder: &Recorder) {
    let begin = tokio::time::Instant::now() - recorder.now();
    let mut totals = Totals::default();
    loop {
        let at = next_interval(recorder.now(), scenario.interval);
        if at > scenario.duration {
            return;
        }
        tokio::time::sleep_until(begin + at).await;
        figures.interval(&mut totals);
    }
}

/// Tells how far the run is, whatever the scenario's interval: who hears nothing for minutes takes the run for hung.
async fn tell(scenario: &Scenario, recorder: &Recorder, progress: &SyncSender<Duration>) {
    let begin = tokio::time::Instant::now() - recorder.now();
    loop {
        let at = next_interval(recorder.now(), TOLD);
        if at > scenario.duration {
            return;
        }
        tokio::time::sleep_until(begin + at).await;
        // Nobody listens any more when the process is about to end.
        let _ = progress.send(at);
    }
}

fn head(scenario: &Scenario, topology: &Topology, places: &Places, seed: u64, commit: String) -> Run {
    let hosts = topology.hosts.iter().enumerate().map(|(index, host)| record::Host {
        name: host.name.clone(),
        role: host.role.name().to_owned(),
        group: host.group.clone(),
        nat: topology.nat_kind(darkswap_scenario::topology::HostIndex(index)),
        region: region(scenario, topology, host.uplink.0),
        address: places.addresses[index].to_string(),
    });
    Run {
        version: record::VERSION,
        scenario: scenario.name.clone(),
        title: scenario.title.clone(),
        about: scenario.about.clone(),
        seed,
        commit,
        hosts: hosts.collect(),
    }
}

fn region(scenario: &Scenario, topology: &Topology, uplink: usize) -> String {
    let index = topology.uplinks.get(uplink).map(|uplink| uplink.region);
    index.and_then(|index| scenario.core.regions.get(index)).cloned().unwrap_or_default()
}
