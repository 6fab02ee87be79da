//! One run, from its seed to its outcome.

use std::future::Future;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::panic;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use darkswap_fabric::Counters;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::Instant;
use turmoil_net::{KernelConfig, Net};

use super::failure::Failure;
use super::network::Network;
use super::pump::pump;
use super::world::lock;
use super::{Signal, SimFabric, World};
use crate::capture::Capture;
use crate::disk::Disk;
use crate::entropy::Entropy;
use crate::runtime::{Names, SimRuntime};
use crate::simulated_thread;
use crate::socket::{Entered, RECEIVE_BUFFER};
use crate::tasks::{TaskPanic, Tasks};
use crate::trace::TraceHash;
use crate::transcript::Transcript;
use crate::{clock, cost};

/// How long a run may take in simulated time unless told otherwise.
pub const DEFAULT_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The stack of the simulating thread; futures of whole nodes are large.
const STACK_SIZE: usize = 32 << 20;

/// How many tasks tokio polls before it looks at timers and deferred tasks, unless none is ready before: practically all.
const TASKS_PER_TURN: u32 = 1 << 20;

/// What a run takes place in.
#[derive(Debug)]
pub struct Setup {
    /// The network, and with it the hosts.
    pub fabric: SimFabric,
    /// What the hosts can resolve.
    pub names: Names,
}

/// One run before it starts.
pub struct Simulation {
    seed: u64,
    limit: Duration,
    capture: Option<Box<dyn Write + Send>>,
    transcript: Option<Box<dyn Write + Send>>,
    interposition: bool,
}

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Outcome<T> {
    /// What the main future returned.
    pub value: T,
    /// The hash of everything that was delivered.
    pub trace_hash: TraceHash,
    /// How much simulated time passed.
    pub simulated: Duration,
    /// What happened to the packets.
    pub packets: Counters,
    /// How often the pump visited the hosts.
    pub passes: u64,
    /// Wall time of the run.
    pub wall: Duration,
    /// CPU time of the run.
    pub cpu: Duration,
}

impl Simulation {
    /// A run whose entropy follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, limit: DEFAULT_LIMIT, capture: None, transcript: None, interposition: false }
    }

    /// Ends the run with an error after so much simulated time.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Writes every delivered packet to `file`, which should be buffered, as pcapng.
    #[must_use]
    pub fn capture(mut self, file: impl Write + Send + 'static) -> Self {
        self.capture = Some(Box::new(file));
        self
    }

    /// Writes a line for every delivered packet to `file`, which should be buffered.
    #[must_use]
    pub fn transcript(mut self, file: impl Write + Send + 'static) -> Self {
        self.transcript = Some(Box::new(file));
        self
    }

    /// Refuses to run unless clock and entropy of the process are replaced: without, a run cannot be repeated.
    #[must_use]
    pub fn require_interposition(mut self) -> Self {
        self.interposition = true;
        self
    }

    /// Builds the world with `build` and runs `main` in it, until `main` ends.
    ///
    /// Both run on a fresh thread whose clock and entropy are simulated from its first instruction on. In one process, libraries keep
    /// counters across runs; for identical traces give each run a process of its own.
    ///
    /// # Errors
    /// What `build` returns; a task of a host that panicked; more simulated time than the limit; a capture that cannot be written.
    ///
    /// # Panics
    /// When `build` or `main` panics.
    pub fn run<T, B, M, F>(self, build: B, main: M) -> Result<Outcome<T>>
    where
        T: Send + 'static,
        B: FnOnce() -> Result<Setup> + Send + 'static,
        M: FnOnce(World) -> F + Send + 'static,
        F: Future<Output = T>,
    {
        let thread = thread::Builder::new().name("simulation".to_owned()).stack_size(STACK_SIZE);
        let run = thread.spawn(move || self.run_here(build, main)).context("cannot start the simulation's thread")?;
        run.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked))
    }

    /// The order of the end matters: a socket can only be closed while its stack is there.
    /// 1. The main future is dropped. 2. The tasks of the hosts end, host by host. 3. tokio's runtime is dropped, and with it the pump
    ///    and everything that was spawned past the hosts. 4. `entered`: sockets that somebody still holds become inert. 5. The network,
    ///    and with it the stacks. 6. The thread gets its real clock and entropy back.
    ///
    /// Locals are dropped in reverse order, so this holds for a panic, too.
    fn run_here<T, B, M, F>(self, build: B, main: M) -> Result<Outcome<T>>
    where
        B: FnOnce() -> Result<Setup>,
        M: FnOnce(World) -> F,
        F: Future<Output = T>,
    {
        let (wall, cpu) = (cost::real_now(), cost::thread_cpu_now());
        let simulated = simulated_thread::enter(self.seed);
        if self.interposition {
            simulated.require_interposition()?;
        }
        let Setup { fabric, names } = build()?;
        let capture = self.capture.map(Capture::new).transpose()?;
        let transcript = self.transcript.map(Transcript::new).transpose()?;
        let network;
        let entered = Entered::new();
        let tokio = paused_runtime()?;
        let start = inside(&tokio, Instant::now);
        simulated.anchor(start);

        let (signal, failure) = (Arc::<Signal>::default(), Arc::<Failure>::default());
        let shared = Shared {
            seed: self.seed,
            handle: tokio.handle(),
            entered: &entered,
            signal: &signal,
            failure: &failure,
            names: Arc::new(names),
            start,
        };
        let mut stacks = Net::with_config(stack_config());
        let hosts = fabric.hosts().map(|(_, name, address)| shared.host(&mut stacks, name, address));
        let hosts = hosts.collect::<Result<Vec<_>>>()?;
        let stacks = stacks.enter();
        network =
            Arc::new(Mutex::new(Network::new(stacks, fabric, hosts.clone(), Arc::clone(&signal), capture, transcript)));
        let world = World::new(Arc::clone(&network), Arc::clone(&signal), start);

        tokio.spawn(pump(Arc::clone(&network), signal, start));
        let value = tokio.block_on(async {
            tokio::select! {
                biased;
                () = failure.reported() => None,
                value = tokio::time::timeout(self.limit, main(world)) => value.ok(),
            }
        });
        let simulated = inside(&tokio, || clock::since(start));
        for host in &hosts {
            host.crash();
        }
        drop(tokio);
        drop(entered);
        let mut network = lock(&network);
        network.finish_recordings()?;
        if let Some(bug) = failure.first() {
            bail!(bug);
        }
        Ok(Outcome {
            value: value.with_context(|| format!("the run did not end within {:?} of simulated time", self.limit))?,
            trace_hash: network.trace_hash(),
            simulated,
            packets: *network.fabric.counters(),
            passes: network.passes(),
            wall: cost::real_now().saturating_sub(wall),
            cpu: cost::thread_cpu_now().saturating_sub(cpu),
        })
    }
}

/// What all hosts of a run share.
struct Shared<'a> {
    seed: u64,
    handle: &'a Handle,
    entered: &'a Entered,
    signal: &'a Arc<Signal>,
    failure: &'a Arc<Failure>,
    names: Arc<Names>,
    start: Instant,
}

impl Shared<'_> {
    fn host(&self, stacks: &mut Net, name: &str, address: Ipv4Addr) -> Result<Arc<SimRuntime>> {
        ensure!(
            address.octets()[3] != 255,
            "host `{name}` cannot have the address {address}: its stack takes that for a broadcast address"
        );
        let id = stacks.add_host(IpAddr::V4(address));
        let span = tracing::info_span!("host", name);
        Ok(Arc::new(SimRuntime {
            name: name.to_owned(),
            addresses: vec![address.into()],
            owner: self.entered.owner(id, Arc::clone(self.signal)),
            names: Arc::clone(&self.names),
            entropy: Mutex::new(Entropy::new(self.seed, &format!("host {name}"))),
            disk: Disk::new(Entropy::new(self.seed, &format!("disk of host {name}"))),
            tasks: Tasks::new(self.handle.clone(), span, reporter(name, self.failure)),
            start: self.start,
            up: AtomicBool::new(true),
        }))
    }
}

impl std::fmt::Debug for Simulation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulation").field("seed", &self.seed).field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// Asks tokio's clock, which is there only inside of its runtime.
fn inside<T>(tokio: &Runtime, ask: impl FnOnce() -> T) -> T {
    let _inside = tokio.enter();
    ask()
}

fn paused_runtime() -> Result<Runtime> {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true).event_interval(TASKS_PER_TURN);
    builder.build().context("cannot start tokio")
}

/// The fabric never loses a segment, so the stack, which counts passes instead of time, must never retransmit one.
fn stack_config() -> KernelConfig {
    KernelConfig::default().retx_threshold(u32::MAX).recv_buf_cap(RECEIVE_BUFFER).send_buf_cap(RECEIVE_BUFFER)
}

fn reporter(host: &str, failure: &Arc<Failure>) -> Arc<dyn Fn(TaskPanic) + Send + Sync> {
    let (host, failure) = (host.to_owned(), Arc::clone(failure));
    Arc::new(move |TaskPanic { task, message }| {
        failure.report(format!("task `{task}` of host `{host}` panicked: {message}"))
    })
}
