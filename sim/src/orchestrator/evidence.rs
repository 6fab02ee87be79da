//! The second run of a failing pair, for what is too large to keep of every run.

use std::fs;
use std::io;
use std::path::Path;

use darkswap_records::summary::RunSummary;

use crate::worker::{Order, Progress};

use super::folder::fresh;
use super::launcher::Launcher;
use super::process::{Ending, Watch, supervise};

/// What a worker writes besides its records when it is told to: packets for Wireshark, one line per packet, the nodes' log.
pub const FILES: [&str; 3] = ["capture.pcapng", "trace.txt", "log.txt"];

/// Runs an order once more with everything on and moves what it wrote beside the first run's records, which stay as they are.
///
/// Runs are deterministic, so this is the same run. When it turns out not to be, everything of the second run is kept in the folder
/// `again`, and the result says so.
///
/// # Errors
/// Files cannot be moved.
pub fn collect(
    launcher: &Launcher,
    order: &Order,
    first: &RunSummary,
    watch: &Watch,
    heard: &mut dyn FnMut(Progress),
) -> io::Result<Option<String>> {
    let out = order.out.join("again");
    fresh(&out)?;
    let order_again = Order { out: out.clone(), capture: true, trace: true, log: true, ..order.clone() };
    let hash = match supervise(launcher, &order_again, watch, heard) {
        Ending::Finished(finished) => finished.trace_hash,
        Ending::Crashed(_) => String::new(),
        Ending::Interrupted => return fs::remove_dir_all(&out).map(|()| None),
        Ending::Hung(reason) => return Ok(Some(format!("run again for its capture, it hung: {reason}"))),
    };
    if hash != first.trace_hash {
        return Ok(Some(format!(
            "run again for its capture, it was another run: trace hash {} instead of {}; compare {} with {}",
            named(&hash),
            named(&first.trace_hash),
            out.display(),
            order.out.display(),
        )));
    }
    for name in FILES {
        keep(&out.join(name), &order.out.join(name))?;
    }
    fs::remove_dir_all(&out)?;
    Ok(None)
}

fn named(hash: &str) -> &str {
    if hash.is_empty() { "(none)" } else { hash }
}

fn keep(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
