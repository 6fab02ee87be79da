//! One run of an invocation, from its empty folder to its entry in the summary.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use darkswap_records::summary::{RunSummary, Status};

use crate::cost::real_now;
use crate::worker::{Order, Progress};

use super::bundle::{Bundle, replay_command};
use super::evidence;
use super::folder::{Folder, fresh};
use super::launcher::Launcher;
use super::process::{Ending, STDERR, Watch, supervise};
use super::result::summarise;

/// Failing runs of an invocation that are run again for their capture: each takes as long as the first time, and some megabytes.
pub const BUNDLES: usize = 8;

/// One run to carry out.
#[derive(Debug, Clone)]
pub struct Task {
    /// The scenario's name.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// How long it will be in simulated time.
    pub duration: Duration,
    /// The scenario's file, whose path gives its name.
    pub file: PathBuf,
    /// What is in it.
    pub text: Arc<[u8]>,
}

/// What all runs of an invocation have in common.
#[derive(Debug)]
pub struct Settings {
    /// How workers are started.
    pub launcher: Launcher,
    /// Where their files are.
    pub folder: Folder,
    /// Commit of the code that runs.
    pub commit: String,
    /// Whether to capture the packets of every run.
    pub capture: bool,
    /// When a worker is killed.
    pub watch: Watch,
}

/// How far a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Its worker reported.
    Running(Progress),
    /// It failed and is run once more for its capture.
    Again,
}

impl Task {
    /// Carries it out; none when it was interrupted. `failed` hears at once of a run that did not pass, before its bundle is made.
    /// `bundles` is how many more failing runs may be run again.
    pub fn run(
        &self,
        settings: &Settings,
        bundles: &AtomicUsize,
        failed: &dyn Fn(),
        tell: &mut dyn FnMut(Step),
    ) -> Option<RunSummary> {
        let order = Order {
            scenario: self.file.clone(),
            seed: self.seed,
            out: settings.folder.run(&self.scenario, self.seed),
            commit: settings.commit.clone(),
            capture: settings.capture,
            trace: false,
            log: false,
        };
        let start = real_now();
        let ending = match fresh(&order.out) {
            Ok(()) => supervise(&settings.launcher, &order, &settings.watch, &mut |at| tell(Step::Running(at))),
            Err(error) => Ending::Crashed(format!("cannot empty {}: {error}", order.out.display())),
        };
        let mut run = summarise(&self.scenario, self.seed, ending, real_now().saturating_sub(start))?;
        if run.passed {
            remove_empty(order.out.join(STDERR));
        } else {
            failed();
            self.bundle(settings, &order, &mut run, bundles, tell);
        }
        Some(run)
    }

    fn bundle(
        &self,
        settings: &Settings,
        order: &Order,
        run: &mut RunSummary,
        bundles: &AtomicUsize,
        tell: &mut dyn FnMut(Step),
    ) {
        match Bundle::write(&order.out, run, &order.commit, &self.text) {
            Ok(()) => run.replay = Some(replay_command(&order.out)),
            Err(error) => add(run, format!("there is nothing to replay: {error:#}")),
        }
        let again = run.status != Status::Hung && !settings.watch.interrupt.is_raised();
        let left = |count: usize| count.checked_sub(1);
        if again && bundles.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).is_ok() {
            tell(Step::Again);
            match evidence::collect(&settings.launcher, order, run, &settings.watch, &mut |at| tell(Step::Running(at)))
            {
                Ok(None) => {}
                Ok(Some(difference)) => add(run, difference),
                Err(error) => add(run, format!("the capture is incomplete: {error}")),
            }
        }
    }
}

/// Adds a remark to what is wrong already.
fn add(run: &mut RunSummary, remark: String) {
    match &mut run.error {
        Some(error) => *error = format!("{error}\n{remark}"),
        none => *none = Some(remark),
    }
}

fn remove_empty(path: PathBuf) {
    if path.metadata().is_ok_and(|file| file.len() == 0) {
        // It is empty, so it does no harm either.
        let _ = std::fs::remove_file(path);
    }
}
