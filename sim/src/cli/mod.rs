//! The command line: arguments, what is printed, exit codes.
//!
//! One module per command; [`output`] is the only one that writes to the terminal. Results go to standard output, everything else
//! (progress, problems, warnings) to standard error.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod arguments;
mod check;
mod compare;
mod display;
mod exit;
mod list;
mod output;
mod paint;
mod replay;
mod report;
mod run;
mod seed_list;
mod signal;
mod sweep;
mod table;
mod verdict;
mod worker;

use exit::Exit;

/// Run the darkswap node in a deterministic network.
#[derive(Debug, Parser)]
#[command(name = "darkswap-sim", version, max_term_width = 110, after_help = WORKFLOW)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Arguments),
    Replay(replay::Arguments),
    Check(check::Arguments),
    List(list::Arguments),
    Report(report::Arguments),
    Sweep(sweep::Arguments),
    Compare(compare::Arguments),
    #[command(hide = true)]
    Worker(worker::Arguments),
}

const WORKFLOW: &str = "\
Workflow:
  A scenario is a YAML file: hosts, NATs, links, load, faults and what must hold. It runs once
  per seed, each run in a process of its own; a (scenario, seed) always gives the same run.

    darkswap-sim list                            what there is
    darkswap-sim check scenarios                 is it well-formed? (nothing runs)
    darkswap-sim run scenarios/quickstart.yaml   run it; prints a table and where the report is
    darkswap-sim replay runs/latest/nat/matrix/seed-3
                                                 a failed run again, with the nodes' log
    darkswap-sim report runs/latest              draw the report again, without running
    darkswap-sim sweep scenarios/relay-selection/transports.plan.yaml
                                                 compare variants of a scenario over many seeds

Exit codes:
  0    everything holds
  1    an expectation did not hold, or a fault touched nothing
  2    bad input (scenario, path, argument, unsupported system); nothing was run
  3    a worker crashed or hung, the summary says which; outweighs 1
  130  interrupted; the summary holds what had ended";

/// Does what the command line says.
pub(crate) fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(arguments) => run::run(arguments),
        Command::Replay(arguments) => replay::replay(arguments),
        Command::Check(arguments) => check::check(&arguments),
        Command::List(arguments) => list::list(&arguments),
        Command::Report(arguments) => report::report(&arguments),
        Command::Sweep(arguments) => sweep::sweep(&arguments),
        Command::Compare(arguments) => compare::compare(&arguments),
        Command::Worker(arguments) => worker::work(&arguments),
    };
    let exit = done.unwrap_or_else(|error| {
        output::error(&format!("{error:#}"));
        Exit::BadInput
    });
    exit.into()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        super::Cli::command().debug_assert();
    }
}
