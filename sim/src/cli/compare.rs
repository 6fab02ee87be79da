//! `compare`: what a sweep showed, over all of its shards.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use darkswap_reports::comparison::{self, Compared};
use darkswap_sim::orchestrator::folder::RUNS;

use super::exit::Exit;
use super::output;
use super::paint::Paint;

/// Compare the variants of a sweep, from one folder or from those of its shards, without running anything
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  darkswap-sim compare runs/sweep/relay-selection/transports
  darkswap-sim compare shard-1 shard-2 --out all

Exit codes: 0 compared, 2 a folder is no sweep's, they do not belong together, or runs are missing")]
pub(super) struct Arguments {
    /// Folders that `sweep` has written
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,
    /// Where to write [default: the folder itself, or `runs/compared` when there are several]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Compare what is there although runs are missing
    #[arg(long)]
    partial: bool,
    /// Print `comparison.json` instead of text
    #[arg(long)]
    json: bool,
}

pub(super) fn compare(arguments: &Arguments) -> Result<Exit> {
    let out = match (&arguments.out, arguments.folders.as_slice()) {
        (Some(out), _) => out.clone(),
        (None, [only]) => only.clone(),
        (None, _) => Path::new(RUNS).join("compared"),
    };
    print(&comparison::compare(&arguments.folders, &out, arguments.partial)?, arguments.json)?;
    Ok(Exit::Holds)
}

/// Prints the sentences and where the page is.
pub(super) fn print(compared: &Compared, json: bool) -> Result<()> {
    compared.notices.iter().for_each(|notice| output::warning(notice));
    if json {
        output::text(&std::fs::read_to_string(&compared.json)?);
        return Ok(());
    }
    for (measure, sentences) in &compared.sentences {
        output::line(format_args!("\n{}", Paint::stdout().bold(measure)));
        sentences.iter().for_each(|sentence| output::line(format_args!("  {sentence}")));
    }
    output::line(format_args!("\n{} of {} runs compared", compared.cells, compared.planned));
    output::line(format_args!("comparison: {}", compared.html.display()));
    Ok(())
}
