//! `list`: which scenarios there are.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use darkswap_records::unit::format_duration;
use darkswap_sim::orchestrator::collection::{Checked, Collection};
use serde_json::{Value, json};

use super::exit::Exit;
use super::table::{Align, Table};
use super::{output, seed_list};

/// List scenarios with their seeds, hosts and duration
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  darkswap-sim list
  darkswap-sim list scenarios/nat --json

Exit codes: 0 all are listed, 2 some are not in order (the others are listed)")]
pub(super) struct Arguments {
    /// Scenario files, or folders with some
    #[arg(value_name = "PATH", default_value = "scenarios")]
    paths: Vec<PathBuf>,
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn list(arguments: &Arguments) -> Result<Exit> {
    let Collection { scenarios, problems } = Collection::of(&arguments.paths);
    if arguments.json {
        output::line(format_args!("{:#}", Value::from_iter(scenarios.iter().map(entry))));
    } else if !scenarios.is_empty() {
        let columns = [("hosts", Align::Right), ("duration", Align::Right), ("seeds", Align::Left)];
        let columns = [&[("name", Align::Left)], &columns[..], &[("title", Align::Left)]].concat();
        let mut table = Table::new(&columns);
        for Checked { scenario, .. } in &scenarios {
            table.row([
                scenario.name.clone(),
                scenario.host_count().to_string(),
                format_duration(scenario.duration),
                seed_list::show(&scenario.seeds),
                scenario.title.clone(),
            ]);
        }
        table.lines().iter().for_each(output::line);
    }
    if problems.is_empty() {
        return Ok(Exit::Holds);
    }
    output::problems(&problems, "");
    Ok(Exit::BadInput)
}

fn entry(Checked { file, scenario, .. }: &Checked) -> Value {
    json!({
        "name": scenario.name,
        "file": file.display().to_string(),
        "title": scenario.title,
        "seeds": scenario.seeds,
        "hosts": scenario.host_count(),
        "duration_s": scenario.duration.as_secs_f64(),
    })
}
