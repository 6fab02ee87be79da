//! `report`: draw again what was run.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use darkswap_sim::orchestrator::folder::RUNS;

use super::exit::Exit;
use super::output;

/// Draw the report of one or several run folders again, without running anything
///
/// Several folders, such as the shards of one invocation, become one report.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  darkswap-sim report runs/latest
  darkswap-sim report shard-1 shard-2 --out merged

Exit codes: 0 drawn, whatever the runs came to; 2 a folder has no summary, or they do not belong together")]
pub(super) struct Arguments {
    /// Folders that `run` has written
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,
    /// Where to write [default: the folder itself, or `runs/merged` when there are several]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn report(arguments: &Arguments) -> Result<Exit> {
    let out = match (&arguments.out, arguments.folders.as_slice()) {
        (Some(out), _) => out.clone(),
        (None, [only]) => only.clone(),
        (None, _) => Path::new(RUNS).join("merged"),
    };
    // Otherwise the renderer would create the folder that it does not find.
    for folder in &arguments.folders {
        anyhow::ensure!(folder.is_dir(), "{}: found no folder, expected one that `run` has written", folder.display());
    }
    let rendered = darkswap_reports::render(&arguments.folders, &out)?;
    for notice in &rendered.notices {
        output::warning(notice);
    }
    output::line(format_args!("{} of {} runs passed", rendered.passed, rendered.runs));
    output::line(format_args!("report: {}", rendered.html.display()));
    Ok(Exit::Holds)
}
