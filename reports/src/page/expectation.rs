//! A scenario's expectations over its seeds.

use darkswap_records::record::Outcome;

use super::table::{number, table, text};
use crate::escape::Escaped;
use crate::scenario::{Scenario, seeds};

/// One expectation in every run that evaluated it.
struct Line<'a> {
    text: &'a str,
    outcomes: Vec<(u64, &'a Outcome)>,
}

/// The table, in the order of the scenario file; empty when the scenario expects nothing.
pub(super) fn expectations(scenario: &Scenario) -> String {
    let lines = lines(scenario);
    if lines.is_empty() {
        return String::new();
    }
    let columns = [text("Expectation"), number("Value over seeds"), number("Held"), text("Failed seeds")];
    let rows = lines.iter().map(|line| {
        let held = line.outcomes.iter().filter(|(_, outcome)| outcome.held).count();
        let failed: Vec<u64> =
            line.outcomes.iter().filter(|(_, outcome)| !outcome.held).map(|(seed, _)| *seed).collect();
        let class = if failed.is_empty() { "pass" } else { "fail" };
        let sign = if failed.is_empty() { "✓" } else { "✗" };
        vec![
            format!("<span class=\"{class}\">{sign}</span> <code>{}</code>", Escaped(line.text)),
            Escaped(&range(&line.outcomes)).to_string(),
            format!("<span class=\"{class}\">{held}/{}</span>", line.outcomes.len()),
            format!("{}{}", seeds(&failed), errors(&line.outcomes)),
        ]
    });
    format!("<h3>Expectations</h3>\n{}", table(&columns, rows))
}

fn lines(scenario: &Scenario) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for run in &scenario.runs {
        for outcome in &run.summary.expectations {
            let entry = (run.summary.seed, outcome);
            match lines.iter_mut().find(|line| line.text == outcome.line) {
                Some(line) => line.outcomes.push(entry),
                None => lines.push(Line { text: &outcome.line, outcomes: vec![entry] }),
            }
        }
    }
    lines
}

/// The smallest and the largest value, as they were shown.
fn range(outcomes: &[(u64, &Outcome)]) -> String {
    let mut values: Vec<(f64, &str)> =
        outcomes.iter().filter_map(|(_, outcome)| Some((outcome.value?, outcome.shown.as_str()))).collect();
    values.sort_by(|one, other| one.0.total_cmp(&other.0));
    match (values.first(), values.last()) {
        (Some((_, low)), Some((_, high))) if low == high => (*low).to_string(),
        (Some((_, low)), Some((_, high))) => format!("{low} … {high}"),
        _ => "–".into(),
    }
}

fn errors(outcomes: &[(u64, &Outcome)]) -> String {
    let error = outcomes.iter().find_map(|(_, outcome)| outcome.error.as_ref());
    error.map(|error| format!(" <span class=\"muted\">{}</span>", Escaped(error))).unwrap_or_default()
}
