//! What did not hold, with the command that replays it.

use std::collections::BTreeMap;

use darkswap_records::record::Outcome;
use darkswap_records::summary::{RunSummary, Status};

use super::counted;
use crate::escape::{Escaped, anchor};
use crate::junit::ending;
use crate::scenario::seeds;

/// Longest error that is shown in full.
const ERROR: usize = 400;

/// Every scenario with a run that did not pass; empty when there is none.
pub(super) fn failures(runs: &[RunSummary]) -> String {
    let scenarios = runs.chunk_by(|one, other| one.scenario == other.scenario);
    let failed: String = scenarios.filter(|runs| runs.iter().any(|run| !run.passed)).map(scenario).collect();
    if failed.is_empty() { failed } else { format!("<section>\n<h2>What failed</h2>\n{failed}</section>\n") }
}

fn scenario(runs: &[RunSummary]) -> String {
    let failed: Vec<&RunSummary> = runs.iter().filter(|run| !run.passed).collect();
    let Some(first) = failed.first() else { return String::new() };
    let mut reasons: BTreeMap<Reason, Vec<(u64, String)>> = BTreeMap::new();
    for run in &failed {
        for (reason, value) in reasons_of(run) {
            reasons.entry(reason).or_default().push((run.seed, value));
        }
    }
    let reasons: String = reasons.iter().map(|(reason, seeds)| item(reason, seeds)).collect();
    let replay = first.replay.as_ref().map(|command| {
        let others = if failed.len() > 1 {
            format!(" (seed {}, the first of {})", first.seed, failed.len())
        } else {
            String::new()
        };
        format!("<p class=\"replay\">Replay{others}:<code>{}</code></p>", Escaped(command))
    });
    format!(
        "<article class=\"failure\"><h3><a href=\"#{}\">{}</a> <small>{} of {} failed</small></h3>\n<ul>{reasons}</ul>{}</article>\n",
        anchor(&first.scenario),
        Escaped(&first.scenario),
        failed.len(),
        counted(runs.len(), "run", "runs"),
        replay.unwrap_or_default()
    )
}

/// Why a run did not pass, the gravest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    Ending(Status),
    Fault(String),
    Expectation(String),
    Other(String),
}

/// The reasons with what was found instead; at least one.
fn reasons_of(run: &RunSummary) -> Vec<(Reason, String)> {
    let error = || run.error.clone().unwrap_or_default();
    if run.status > Status::Failed {
        return vec![(Reason::Ending(run.status), error())];
    }
    let missed = run.expectations.iter().filter(|outcome| !outcome.held);
    let idle = run.faults.iter().filter(|fault| fault.touched == 0);
    let mut reasons: Vec<_> =
        idle.map(|fault| (Reason::Fault(format!("{} of {}", fault.kind, fault.target)), String::new())).collect();
    reasons.extend(missed.map(|outcome| (Reason::Expectation(outcome.line.clone()), found(outcome))));
    if reasons.is_empty() {
        reasons.push((Reason::Other(error()), String::new()));
    }
    reasons
}

fn found(outcome: &Outcome) -> String {
    match &outcome.error {
        Some(error) => error.clone(),
        None => format!("was {}", outcome.shown),
    }
}

fn item(reason: &Reason, found: &[(u64, String)]) -> String {
    let what = match reason {
        Reason::Ending(status) => format!("<b>{}</b>", ending(*status)),
        Reason::Fault(fault) => format!("<b>fault <code>{}</code> touched nothing</b>", Escaped(fault)),
        Reason::Expectation(line) => format!("<code>{}</code> did not hold", Escaped(line)),
        Reason::Other(error) if error.is_empty() => "<b>failed without a reason given</b>".into(),
        Reason::Other(error) => format!("<b>{}</b>", Escaped(&shortened(error))),
    };
    let at: Vec<u64> = found.iter().map(|(seed, _)| *seed).collect();
    let seeds = format!("{} {}", if at.len() == 1 { "seed" } else { "seeds" }, seeds(&at));
    let value = found.iter().map(|(_, value)| value).find(|value| !value.is_empty());
    let value = value.map(|value| match found.len() {
        1 => format!(": {}", Escaped(&shortened(value))),
        _ => format!(", at seed {}: {}", found[0].0, Escaped(&shortened(value))),
    });
    format!("<li>{what} <span class=\"muted\">({seeds}{})</span></li>", value.unwrap_or_default())
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(ERROR).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
