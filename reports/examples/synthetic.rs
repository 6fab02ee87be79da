//! Renders a made-up suite into a folder, to work on the page without running anything:
//! `cargo run -p darkswap-reports --example synthetic -- DIR`.

use std::path::PathBuf;

#[allow(dead_code, missing_docs, clippy::unwrap_used, reason = "the tests' module, of which this uses a part")]
#[path = "../tests/synthetic/mod.rs"]
mod synthetic;

fn main() -> anyhow::Result<()> {
    let dir = PathBuf::from(std::env::args_os().nth(1).unwrap_or_else(|| "runs/synthetic".into()));
    let relays = (1..=5).map(synthetic::relay::relay_selection);
    let drafts: Vec<_> = synthetic::suite().into_iter().chain(synthetic::webrtc::webrtc()).chain(relays).collect();
    let run_dir = synthetic::write(&dir, &drafts);
    darkswap_reports::render(&[run_dir], &dir)?;
    Ok(())
}
