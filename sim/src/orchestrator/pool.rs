//! Several workers at a time.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use darkswap_records::summary::RunSummary;

use crate::worker::Progress;

use super::task::{BUNDLES, Settings, Step, Task};

/// Events that may wait for whoever shows them; beyond, progress is dropped and the rest waits.
const WAITING: usize = 64;

/// Something that happened to a task; `task` is its index.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields say it")]
pub enum Event {
    /// Its worker was started.
    Started { task: usize },
    /// Its worker reported.
    Progress { task: usize, progress: Progress },
    /// It failed and is run once more for its capture.
    Again { task: usize },
    /// It ended.
    Ended { task: usize, run: Box<RunSummary> },
    /// It was interrupted.
    Interrupted { task: usize },
}

/// Runs tasks, at most `jobs` at a time, in their order. Returns the entries of those that ended, in no particular order.
///
/// After a run that did not pass no other is started unless `keep_going`; those that are running go on to their end. After an
/// interrupt none is started and those that are running are killed.
pub fn run(
    tasks: &[Task],
    settings: &Settings,
    jobs: usize,
    keep_going: bool,
    tell: &mut dyn FnMut(&Event),
) -> Vec<RunSummary> {
    let queue = Queue {
        tasks,
        settings,
        keep_going,
        next: AtomicUsize::new(0),
        failed: AtomicBool::new(false),
        bundles: AtomicUsize::new(BUNDLES),
    };
    let mut runs = Vec::new();
    let (sender, events) = sync_channel(WAITING);
    thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, tasks.len().max(1)) {
            let (queue, sender) = (&queue, sender.clone());
            scope.spawn(move || queue.work(&sender));
        }
        drop(sender);
        for event in events {
            tell(&event);
            if let Event::Ended { run, .. } = event {
                runs.push(*run);
            }
        }
    });
    runs
}

struct Queue<'a> {
    tasks: &'a [Task],
    settings: &'a Settings,
    keep_going: bool,
    next: AtomicUsize,
    failed: AtomicBool,
    bundles: AtomicUsize,
}

impl Queue<'_> {
    fn work(&self, events: &SyncSender<Event>) {
        while let Some((index, task)) = self.next() {
            // The receiver outlives the threads.
            let _ = events.send(Event::Started { task: index });
            let failed = || self.failed.store(true, Ordering::Relaxed);
            let run = task.run(self.settings, &self.bundles, &failed, &mut |step| match step {
                // Another report follows soon.
                Step::Running(progress) => drop(events.try_send(Event::Progress { task: index, progress })),
                Step::Again => drop(events.send(Event::Again { task: index })),
            });
            let _ = events.send(match run {
                Some(run) => Event::Ended { task: index, run: Box::new(run) },
                None => Event::Interrupted { task: index },
            });
        }
    }

    fn next(&self) -> Option<(usize, &Task)> {
        let stop = self.failed.load(Ordering::Relaxed) && !self.keep_going;
        if stop || self.settings.watch.interrupt.is_raised() {
            return None;
        }
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        Some((index, self.tasks.get(index)?))
    }
}

#[cfg(all(test, unix))]
mod tests;
