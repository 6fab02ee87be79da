//! `worker`: one run, in this process.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use darkswap_sim::cost::real_now;
use darkswap_sim::platform;
use darkswap_sim::worker::{self, Message, Order};

use super::exit::Exit;
use super::output;

/// Longest order in bytes: it holds two paths, a seed and a hash.
const LONGEST: u64 = 1 << 20;
/// Least real time between two reports.
const REPORTS: Duration = Duration::from_millis(100);

/// Carry out one order; `run` starts this by itself
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The order as JSON; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    order: PathBuf,
}

pub(super) fn work(arguments: &Arguments) -> anyhow::Result<Exit> {
    if let Err(reason) = platform::supported() {
        output::error(reason);
        return Ok(Exit::BadInput);
    }
    let mut json = Vec::new();
    let source: Box<dyn io::Read> = match arguments.order.as_os_str() == "-" {
        true => Box::new(io::stdin()),
        false => Box::new(File::open(&arguments.order).context("cannot open the order")?),
    };
    source.take(LONGEST).read_to_end(&mut json).context("cannot read the order")?;
    let order: Order = serde_json::from_slice(&json).context("the order is not in order")?;
    let mut last = None;
    let finished = worker::run(&order, &mut |progress| {
        let now = real_now();
        if last.is_none_or(|last| now.saturating_sub(last) >= REPORTS) {
            last = Some(now);
            say(&Message::Progress(progress));
        }
    });
    say(&Message::Finished(finished));
    Ok(Exit::Holds)
}

/// Writes one message. When nobody listens any more, the run is of no use.
fn say(message: &Message) {
    let written = serde_json::to_string(message).map_err(io::Error::from).and_then(|line| {
        let mut out = io::stdout().lock();
        writeln!(out, "{line}").and_then(|()| out.flush())
    });
    if let Err(error) = written {
        output::error(&format!("cannot report: {error}"));
        std::process::exit(Exit::WorkerDied.code().into());
    }
}
