//! The end of a run by a bug.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// The first bug that a run met, if any.
#[derive(Debug, Default)]
pub(crate) struct Failure {
    first: Mutex<Option<String>>,
    met: Notify,
}

impl Failure {
    /// Ends the run.
    pub(crate) fn report(&self, what: String) {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(what);
        self.met.notify_one();
    }

    /// What was reported first, if anything.
    pub(crate) fn first(&self) -> Option<String> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Completes when a bug was reported.
    pub(crate) async fn reported(&self) {
        while self.first().is_none() {
            self.met.notified().await;
        }
    }
}
