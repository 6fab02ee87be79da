//! What the nodes log, with simulated times.

use std::fs::File;
use std::path::Path;
use std::sync::Mutex;

use anyhow::{Context as _, Result};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::clock::MONOTONIC_BASE;
use crate::simulated_thread::{self, SimulatedClock};

/// What is logged unless `RUST_LOG` says otherwise.
const DEFAULT: &str = "info,darkswap_node=debug,libp2p_dcutr=debug,libp2p_relay=debug";

/// Has this process log into a file, from now on.
pub(super) fn start(path: &Path) -> Result<()> {
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_timer(Simulated)
        .with_ansi(false)
        .with_writer(Mutex::new(file))
        .finish();
    tracing::subscriber::set_global_default(subscriber).context("logging was set up before")
}

/// Simulated time since the start of the run; a dash on threads that are not simulated.
struct Simulated;

impl FormatTime for Simulated {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        match simulated_thread::time(SimulatedClock::Monotonic) {
            Some(time) => write!(writer, "{:12.6}s", time.saturating_sub(MONOTONIC_BASE).as_secs_f64()),
            None => write!(writer, "{:>13}", "-"),
        }
    }
}
