//! The worker: one run of one seed, in a process of its own.
//!
//! | module | noun |
//! |---|---|
//! | [`order`] | what a worker is told and what it says |
//! | `topology` | the scenario's topology as a fabric |
//! | `member` | one host: identity, configuration, servers |
//! | `cast` | the nodes: who is up |
//! | `observer`, `recorder` | a node's events as samples and records |
//! | `relay` | what the choice of relays came to |
//! | `scene` | the world of a run with everybody and every book in it |
//! | `ledger` | what was promised and what came of it |
//! | `bitcoin` | the chain: who tells about it, what goes wrong with it, and what traders have on it |
//! | `trade` | what traders are asked to do and what they say came of it |
//! | `load`, `fault` | what hosts are asked to do, and what goes wrong |
//! | `channel` | data channels, at both ends |
//! | `attacker` | a peer that breaks the rules |
//! | `line` | raw streams of those that run no node |
//! | `liar` | a signalling peer that lies |
//! | `reach` | who can be reached through which relay: the truth |
//! | `rogue` | a relay that breaks the rules |
//! | `probe` | what hosts find out about their NATs |
//! | `figure` | what only the end of an interval or of the run tells |
//! | `log` | what the nodes log |

mod attacker;
mod bitcoin;
mod cast;
mod channel;
mod fault;
mod figure;
mod ledger;
mod liar;
mod line;
mod load;
mod log;
mod member;
mod observer;
pub mod order;
mod probe;
mod reach;
mod recorder;
mod relay;
mod rogue;
mod scene;
mod stage;
mod topology;
mod trade;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use darkswap_fabric::Counters;
use darkswap_scenario::Scenario;

use crate::cost;
use crate::harness::{Setup, Simulation};
pub use order::{Finished, Message, Order, Progress};
use stage::{Ended, Stage};

/// Progress messages that wait to be written.
const WAITING: usize = 64;
/// Simulated time beyond the scenario's duration after which a run counts as stuck.
const GRACE: Duration = Duration::from_secs(60);

/// Runs an order and tells `progress` how far it is.
///
/// # Panics
/// When a node or the simulator panics: a bug, which ends the process.
pub fn run(order: &Order, progress: &mut dyn FnMut(Progress)) -> Finished {
    match try_run(order, progress) {
        Ok(finished) => finished,
        Err(error) => Finished::failed(format!("{error:#}")),
    }
}

fn try_run(order: &Order, progress: &mut dyn FnMut(Progress)) -> Result<Finished> {
    let scenario = darkswap_scenario::check(&order.scenario).map_err(|problems| {
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        anyhow!("{}", lines.join("\n"))
    })?;
    let records = create(&order.out.join("records.jsonl"))?;
    if order.log {
        log::start(&order.out.join("log.txt"))?;
    }
    let mut simulation = Simulation::new(order.seed).limit(scenario.duration + GRACE).require_interposition();
    if order.capture {
        simulation = simulation.capture(create(&order.out.join("capture.pcapng"))?);
    }
    if order.trace {
        simulation = simulation.transcript(create(&order.out.join("trace.txt"))?);
    }
    let (sender, receiver) = mpsc::sync_channel(WAITING);
    let stage = Stage {
        topology: scenario.topology(order.seed),
        scenario: scenario.clone(),
        seed: order.seed,
        commit: order.commit.clone(),
        records,
        progress: sender,
    };
    let outcome = thread::scope(|scope| {
        let running = scope.spawn(move || simulate(simulation, stage));
        receiver.iter().for_each(|simulated| progress(progress_of(simulated, &scenario)));
        running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    let ended = outcome.value?;
    Ok(Finished {
        passed: ended.passed,
        trace_hash: outcome.trace_hash.to_string(),
        simulated_us: recorder::micros(outcome.simulated),
        wall_s: outcome.wall.as_secs_f64(),
        cpu_s: outcome.cpu.as_secs_f64(),
        peak_memory_bytes: cost::peak_memory().unwrap_or_default(),
        packets: packet_totals(&outcome.packets),
        expectations: ended.expectations,
        faults: ended.faults,
        figures: ended.figures,
        error: None,
    })
}

fn create(path: &Path) -> Result<BufWriter<File>> {
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    Ok(BufWriter::new(file))
}

fn simulate(simulation: Simulation, stage: Stage) -> Result<crate::harness::Outcome<Result<Ended>>> {
    let built = std::sync::Arc::new(std::sync::Mutex::new(None));
    let places = std::sync::Arc::clone(&built);
    let (topology, core, seed) = (stage.topology.clone(), stage.scenario.core.clone(), stage.seed);
    let probes = stage.probes();
    simulation.run(
        move || {
            let network = topology::build(&topology, &core, seed, probes)?;
            *places.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(network.places);
            Ok(Setup { fabric: network.fabric, names: BTreeMap::new() })
        },
        move |world| async move {
            let places = built.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
            stage.perform(world, places.context("the network was not built")?).await
        },
    )
}

fn progress_of(simulated: Duration, scenario: &Scenario) -> Progress {
    Progress { simulated_us: recorder::micros(simulated), duration_us: recorder::micros(scenario.duration) }
}

/// Packet totals by name, as records and summaries hold them.
fn packet_totals(counters: &Counters) -> BTreeMap<String, u64> {
    [
        ("sent", counters.sent),
        ("delivered", counters.delivered),
        ("bytes", counters.delivered_bytes),
        ("lost", counters.lost),
        ("lost_burst", counters.lost_burst),
        ("filtered", counters.filtered),
        ("unroutable", counters.unroutable),
        ("queue_dropped", counters.queue_dropped),
        ("overflowed", counters.overflowed),
        ("cut", counters.cut),
        ("duplicated", counters.duplicated),
        ("reordered", counters.reordered),
        ("tcp_delayed", counters.tcp_delayed),
        ("held", counters.held),
        ("hairpinned", counters.hairpinned),
    ]
    .into_iter()
    .map(|(name, count)| (name.to_owned(), count))
    .collect()
}
