//! The command line.

use std::io::Write as _;
use std::num::NonZero;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};
use darkswap_regtest::setup::{self, Outcome, Progress, Request};
use darkswap_regtest::tool::find::{self, Found, Search};
use darkswap_regtest::tool::{Tool, recipe::Recipe};
use serde::Serialize;

/// Provides bitcoind, electrs and ord for tests against a real chain.
///
/// Exit code: 0 when everything that was asked for is there, 1 otherwise.
#[derive(Debug, Parser)]
#[command(name = "darkswap-regtest", version)]
struct Cli {
    #[command(subcommand)]
    command: Order,
}

#[derive(Debug, Subcommand)]
enum Order {
    /// Find the tools, or build what is missing (some minutes, once per user).
    Setup(Setup),
    /// Show which tools are there.
    Status(Status),
}

#[derive(Debug, Args)]
struct Setup {
    /// Only this tool; may be repeated.
    #[arg(long, value_enum)]
    only: Vec<Name>,
    /// Install missing Debian packages. Implied for root in continuous integration (CI is set).
    #[arg(long)]
    install: bool,
    /// Compilers at a time [default: one per core].
    #[arg(long, short)]
    jobs: Option<NonZero<usize>>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Status {
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Name {
    Bitcoind,
    Electrs,
    Ord,
}

impl From<Name> for Tool {
    fn from(name: Name) -> Self {
        match name {
            Name::Bitcoind => Self::Bitcoind,
            Name::Electrs => Self::Electrs,
            Name::Ord => Self::Ord,
        }
    }
}

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Order::Setup(setup) => set_up(setup),
        Order::Status(status) => show_status(&status),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn set_up(setup: Setup) -> Result<ExitCode> {
    let mut tools: Vec<Tool> = setup.only.into_iter().map(Tool::from).collect();
    tools.sort_unstable();
    tools.dedup();
    if tools.is_empty() {
        tools = Tool::ALL.to_vec();
    }
    let cores = || std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    let install = setup.install || (std::env::var_os("CI").is_some() && setup::is_root());
    let request = Request { tools, install, jobs: setup.jobs.unwrap_or_else(cores) };
    let Outcome { tools, steps } = setup::run(&request, &mut Progress::default())?;
    let rows: Vec<Row> = tools.iter().map(Row::found).collect();
    if setup.json {
        print(&serde_json::to_string_pretty(&serde_json::json!({ "tools": rows, "steps": steps }))?)?;
    } else {
        print(&table(&rows))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show_status(status: &Status) -> Result<ExitCode> {
    let mut rows = Vec::new();
    for tool in Tool::ALL {
        rows.push(match find::search(tool) {
            Ok(Search { found: Some(found), .. }) => Row::found(&found),
            Ok(Search { notes, .. }) => Row::missing(tool, notes.join("; ")),
            Err(error) => Row::missing(tool, format!("{error:#}")),
        });
    }
    let ready = rows.iter().all(|row| row.state == "ready");
    if status.json {
        print(&serde_json::to_string_pretty(&serde_json::json!({ "tools": rows }))?)?;
    } else {
        print(&table(&rows))?;
        if !ready {
            print(&format!("\nTo provide what is missing: {}", find::SETUP))?;
        }
    }
    Ok(if ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One tool, as it is printed.
#[derive(Debug, Serialize)]
struct Row {
    tool: &'static str,
    state: &'static str,
    version: String,
    source: String,
    bytes: u64,
    recipe: String,
    /// The executable; for a missing one, why others were passed over.
    place: String,
}

impl Row {
    fn found(found: &Found) -> Self {
        Self {
            tool: found.tool.name(),
            state: "ready",
            version: found.version.to_string(),
            source: format!("{:?}", found.source).to_lowercase(),
            bytes: size(&found.path),
            recipe: Recipe::of(found.tool).name(),
            place: found.path.display().to_string(),
        }
    }

    fn missing(tool: Tool, why: String) -> Self {
        Self {
            tool: tool.name(),
            state: "MISSING",
            version: "-".to_owned(),
            source: "-".to_owned(),
            bytes: 0,
            recipe: Recipe::of(tool).name(),
            place: if why.is_empty() { "-".to_owned() } else { why },
        }
    }
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// Columns as wide as what is in them.
fn table(rows: &[Row]) -> String {
    let head = ["tool", "state", "version", "from", "size", "place"].map(str::to_owned);
    let mut lines = vec![head];
    for row in rows {
        let size = if row.bytes == 0 { "-".to_owned() } else { format!("{:.1} MB", row.bytes as f64 / 1e6) };
        let (version, source, place) = (row.version.clone(), row.source.clone(), row.place.clone());
        lines.push([row.tool.to_owned(), row.state.to_owned(), version, source, size, place]);
    }
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..5).map(width).collect();
    let mut text = String::new();
    for [tool, state, version, source, size, place] in &lines {
        let [a, b, c, d, e] = widths[..] else { unreachable!("five widths were computed") };
        let line = format!("{tool:<a$}  {state:<b$}  {version:<c$}  {source:<d$}  {size:>e$}  {place}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text
}

fn print(text: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn the_table_is_aligned() {
        let rows = [
            Row {
                tool: "bitcoind",
                state: "ready",
                version: "31.99.0".to_owned(),
                source: "cache".to_owned(),
                bytes: 13_200_000,
                recipe: String::new(),
                place: "/cache/bitcoind".to_owned(),
            },
            Row::missing(Tool::Ord, String::new()),
        ];
        let expected = "\
tool      state    version  from      size  place
bitcoind  ready    31.99.0  cache  13.2 MB  /cache/bitcoind
ord       MISSING  -        -            -  -";
        assert_eq!(table(&rows), expected);
    }
}
