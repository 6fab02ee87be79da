//! The tasks of one simulated host.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tracing::Span;

/// The running tasks of a host. They can all be ended at one instant, with everything that they hold.
pub(crate) struct Tasks {
    handle: Handle,
    span: Span,
    running: Arc<Mutex<Running>>,
    panicked: Arc<dyn Fn(TaskPanic) + Send + Sync>,
}

#[derive(Default)]
struct Running {
    tasks: BTreeMap<u64, Entry>,
    started: u64,
}

struct Entry {
    slot: Arc<Mutex<Slot>>,
    abort: Option<AbortHandle>,
}

/// What a task runs; empty once it ended or was ended.
enum Slot {
    Running(BoxFuture<'static, ()>),
    Ended,
}

/// A task that panicked: a bug in the node or in the simulator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TaskPanic {
    /// The name that the task was spawned with.
    pub(crate) task: &'static str,
    /// What the panic said.
    pub(crate) message: String,
}

impl Tasks {
    /// No tasks yet. Tasks will run on `handle` within `span`; `panicked` hears of those that panic.
    pub(crate) fn new(handle: Handle, span: Span, panicked: Arc<dyn Fn(TaskPanic) + Send + Sync>) -> Self {
        Self { handle, span, running: Arc::default(), panicked }
    }

    pub(crate) fn spawn(&self, name: &'static str, future: BoxFuture<'static, ()>) {
        let slot = Arc::new(Mutex::new(Slot::Running(future)));
        let id = {
            let mut running = lock(&self.running);
            running.started += 1;
            let id = running.started;
            running.tasks.insert(id, Entry { slot: Arc::clone(&slot), abort: None });
            id
        };
        let task = Task {
            id,
            name,
            slot,
            span: self.span.clone(),
            running: Arc::clone(&self.running),
            panicked: Arc::clone(&self.panicked),
        };
        let abort = self.handle.spawn(task).abort_handle();
        if let Some(entry) = lock(&self.running).tasks.get_mut(&id) {
            entry.abort = Some(abort);
        }
    }

    /// Ends all tasks at once and drops what they hold, in the order in which they were started, including those that are started
    /// meanwhile. The task that calls this, if any, ends with its current poll.
    pub(crate) fn end_all(&self) {
        loop {
            let Some((_, entry)) = lock(&self.running).tasks.pop_first() else { return };
            let ended = match entry.slot.try_lock() {
                Ok(mut slot) => std::mem::replace(&mut *slot, Slot::Ended),
                Err(TryLockError::Poisoned(slot)) => std::mem::replace(&mut *slot.into_inner(), Slot::Ended),
                Err(TryLockError::WouldBlock) => Slot::Ended,
            };
            if let Some(abort) = entry.abort {
                abort.abort();
            }
            drop(ended);
        }
    }

    /// How many tasks are running.
    pub(crate) fn count(&self) -> usize {
        lock(&self.running).tasks.len()
    }
}

/// What tokio runs: polls the future in the slot, which may be taken away at any time.
struct Task {
    id: u64,
    name: &'static str,
    slot: Arc<Mutex<Slot>>,
    span: Span,
    running: Arc<Mutex<Running>>,
    panicked: Arc<dyn Fn(TaskPanic) + Send + Sync>,
}

impl Future for Task {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let _in_host = self.span.enter();
        let mut slot = lock(&self.slot);
        let Slot::Running(future) = &mut *slot else { return Poll::Ready(()) };
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        if matches!(polled, Ok(Poll::Pending)) {
            return Poll::Pending;
        }
        let ended = std::mem::replace(&mut *slot, Slot::Ended);
        drop(slot);
        if let Err(panic) = polled {
            (self.panicked)(TaskPanic { task: self.name, message: message(panic.as_ref()) });
        }
        drop(ended);
        Poll::Ready(())
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        lock(&self.running).tasks.remove(&self.id);
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}

/// A poisoned lock is a panic elsewhere, which is reported there.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
