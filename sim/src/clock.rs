//! Where simulated time starts.
//!
//! Simulated time is tokio's paused clock, counted from the moment a run starts. These constants say what the operating system's
//! clocks show at that moment. They are part of what a scenario means: changing one changes every trace.

use std::time::Duration;

/// The calendar at the start of every run, since the Unix epoch: 2026-01-01 00:00:00 UTC.
pub const WALL_CLOCK_EPOCH: Duration = Duration::from_secs(1_767_225_600);

/// The monotonic clock at the start of every run: late enough that subtracting from an early `Instant` does not underflow.
pub const MONOTONIC_BASE: Duration = Duration::from_secs(1_000_000);

/// Simulated time since `start`, which is tokio's clock at the start of the run.
pub(crate) fn since(start: tokio::time::Instant) -> Duration {
    tokio::time::Instant::now().saturating_duration_since(start)
}
