//! `check`: are scenarios in order?

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use darkswap_records::unit::format_duration;
use darkswap_sim::orchestrator::collection::{BadInput, Checked, Collection};
use serde_json::{Value, json};

use super::exit::Exit;
use super::output;
use super::paint::Paint;
use super::table::{Align, Table};

/// Check scenarios without running anything
///
/// Every problem is reported with file, line, column, what was found and what was expected.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  darkswap-sim check scenarios
  darkswap-sim check scenarios/quickstart.yaml --json

Exit codes: 0 all are in order, 2 some are not")]
pub(super) struct Arguments {
    /// Scenario files, or folders with some
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn check(arguments: &Arguments) -> Result<Exit> {
    let collection = Collection::of(&arguments.paths);
    let Collection { scenarios, problems } = &collection;
    if arguments.json {
        let scenarios: Vec<Value> = scenarios.iter().map(scenario_json).collect();
        let problems: Vec<Value> = problems.iter().map(problem_json).collect();
        output::line(format_args!("{:#}", json!({ "scenarios": scenarios, "problems": problems })));
    } else {
        let mut table = Table::new(&[("", Align::Left), ("", Align::Left), ("", Align::Left)]);
        for Checked { file, scenario, .. } in scenarios {
            let hosts = match scenario.host_count() {
                1 => "1 host".to_string(),
                count => format!("{count} hosts"),
            };
            let extent = format!("{hosts} for {}", format_duration(scenario.duration));
            table.row(["ok".into(), file.display().to_string(), extent]);
        }
        for line in table.lines().iter().skip(1) {
            let rest = line.strip_prefix("ok").unwrap_or(line);
            output::line(format_args!("{}{rest}", Paint::stdout().green("ok")));
        }
        if !problems.is_empty() {
            output::problems(problems, "");
        }
    }
    Ok(if problems.is_empty() { Exit::Holds } else { Exit::BadInput })
}

fn scenario_json(checked: &Checked) -> Value {
    json!({ "file": checked.file.display().to_string(), "name": checked.scenario.name })
}

fn problem_json(problem: &BadInput) -> Value {
    match problem {
        BadInput::Scenario(problem) => json!({
            "file": problem.file,
            "line": problem.place.line,
            "column": problem.place.column,
            "length": problem.place.length,
            "found": problem.found,
            "expected": problem.expected,
            "help": problem.help,
        }),
        BadInput::Path(problem) => json!({
            "file": problem.path,
            "found": problem.found,
            "expected": problem.expected,
            "help": problem.help,
        }),
    }
}
