//! What the nodes log, with simulated times.

use std::fs::File;
use std::path::Path;
use std::sync::Mutex;

use anyhow::{Context as _, Result};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::uptime;

/// What is logged unless `RUST_LOG` says otherwise.
const DEFAULT: &str = "info,darkswap_node=debug,libp2p_dcutr=debug,libp2p_relay=debug";

/// Has this process log into a file, from now on.
pub(super) fn start(path: &Path) -> Result<()> {
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_timer(uptime())
        .with_ansi(false)
        .with_writer(Mutex::new(file))
        .finish();
    tracing::subscriber::set_global_default(subscriber).context("logging was set up before")
}
