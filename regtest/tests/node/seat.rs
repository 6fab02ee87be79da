//! How many tests with nodes run at once: each has four or more processes, whatever the number of cores.

use std::sync::{Condvar, Mutex, PoisonError};

/// Enough that a test that waits for a deadline keeps nobody waiting, and little memory: a chain with two nodes takes some 300 MB.
const SEATS: usize = 8;

static TAKEN: Mutex<usize> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

/// A test that runs. Its seat is free again when this is dropped.
pub(crate) struct Seat(());

impl Seat {
    /// Waits until one is free.
    pub(crate) fn take() -> Self {
        let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = FREED.wait_while(taken, |taken| *taken >= SEATS).unwrap_or_else(PoisonError::into_inner);
        *taken += 1;
        Self(())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        FREED.notify_one();
    }
}
