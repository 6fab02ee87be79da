//! The thread whose clock and entropy are simulated.
//!
//! A worker process replaces libc's `clock_gettime`, `getrandom`, `getentropy` and `syscall` (`src/interpose.rs`, linked into the
//! binary only, so that a library user never gets it by accident). The replacements ask this module what the calling thread should
//! see: a thread that [`enter`]ed sees simulated time and seeded entropy, every other thread the real thing. Where the replacements
//! are not linked, entering changes nothing and [`SimulatedThread::require_interposition`] says so.

use std::cell::{Cell, RefCell};
use std::collections::hash_map::RandomState;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};

use crate::clock::{self, MONOTONIC_BASE, WALL_CLOCK_EPOCH};
use crate::entropy::Entropy;

thread_local! {
    static SIMULATED: Cell<bool> = const { Cell::new(false) };
    static ENTROPY: RefCell<Option<Entropy>> = const { RefCell::new(None) };
    static DRAWS: Cell<u64> = const { Cell::new(0) };
    static START: Cell<Option<tokio::time::Instant>> = const { Cell::new(None) };
    static READING: Cell<bool> = const { Cell::new(false) };
    static LAST: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// A clock that a simulated thread sees simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SimulatedClock {
    /// The calendar, `CLOCK_REALTIME` and its variants.
    WallClock,
    /// The clocks that only ever advance, `CLOCK_MONOTONIC` and its variants.
    Monotonic,
}

/// Makes the calling thread a simulated one until the guard is dropped.
///
/// Enter before the thread's first hash map, whose keys are drawn from the operating system once per thread.
pub fn enter(seed: u64) -> SimulatedThread {
    ENTROPY.set(Some(Entropy::new(seed, "process")));
    DRAWS.set(0);
    START.set(None);
    LAST.set(Duration::ZERO);
    SIMULATED.set(true);
    SimulatedThread { _this_thread_only: std::marker::PhantomData }
}

/// The state of being the simulated thread; dropping it gives the thread the real clock and entropy back.
#[derive(Debug)]
#[must_use = "the thread is simulated only while the guard is held"]
pub struct SimulatedThread {
    _this_thread_only: std::marker::PhantomData<*const ()>,
}

impl SimulatedThread {
    /// Checks that the standard library of this process sees the simulated clock and entropy.
    ///
    /// # Errors
    /// Names what is not replaced.
    #[expect(clippy::disallowed_methods, reason = "what the standard library sees is the question")]
    pub fn require_interposition(&self) -> Result<()> {
        let calendar = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        ensure!(calendar == WALL_CLOCK_EPOCH + elapsed(), "the process does not replace clock_gettime");
        let _keys = RandomState::new();
        ensure!(
            DRAWS.get() > 0,
            "the process does not replace getrandom, or a hash map existed before the thread was simulated"
        );
        Ok(())
    }

    /// Ties the simulated clocks to tokio's clock, which must be paused; until then they stand still.
    pub fn anchor(&self, start: tokio::time::Instant) {
        START.set(Some(start));
    }
}

impl Drop for SimulatedThread {
    fn drop(&mut self) {
        SIMULATED.set(false);
        ENTROPY.set(None);
        START.set(None);
    }
}

/// Fills `bytes` from the run's entropy if the calling thread is simulated, or returns `false` and leaves them alone.
pub fn fill_random(bytes: &mut [u8]) -> bool {
    if !SIMULATED.get() {
        return false;
    }
    ENTROPY.with_borrow_mut(|entropy| match entropy {
        Some(entropy) => {
            DRAWS.set(DRAWS.get() + 1);
            entropy.fill(bytes);
            true
        }
        None => false,
    })
}

/// What `clock` shows if the calling thread is simulated.
pub fn time(clock: SimulatedClock) -> Option<Duration> {
    if !SIMULATED.get() {
        return None;
    }
    Some(
        elapsed()
            + match clock {
                SimulatedClock::WallClock => WALL_CLOCK_EPOCH,
                SimulatedClock::Monotonic => MONOTONIC_BASE,
            },
    )
}

/// Simulated time since the anchor. tokio may ask for the time while it answers; then the last answer stands.
fn elapsed() -> Duration {
    let Some(start) = START.get() else { return Duration::ZERO };
    if !READING.replace(true) {
        LAST.set(clock::since(start).max(LAST.get()));
        READING.set(false);
    }
    LAST.get()
}
