//! Faults, runs and every measured figure, as tables.

use darkswap_records::figure::{FIGURES, Figure, Unit};
use darkswap_records::summary::FigureSummary;
use darkswap_records::unit::{show_bytes, show_seconds};

use super::table::{Align, Column, number, table, text};
use crate::escape::{Escaped, prose};
use crate::junit::ending;
use crate::scenario::Scenario;

/// The timeline of faults, with the numbers that plots refer to; empty without faults.
pub(super) fn faults(scenario: &Scenario) -> String {
    if scenario.faults.is_empty() {
        return String::new();
    }
    let columns = [
        number("No."),
        text("Fault"),
        text("On"),
        number("From"),
        number("Until"),
        Column {
            heading: "Touched",
            about: "packets, mappings or hosts that it touched, over seeds",
            align: Align::Number,
        },
    ];
    let rows = scenario.faults.iter().map(|fault| {
        let (least, most) = (fault.touched.iter().min().unwrap_or(&0), fault.touched.iter().max().unwrap_or(&0));
        let touched = if least == most { least.to_string() } else { format!("{least} … {most}") };
        let touched = if *least == 0 { format!("<span class=\"fail\">✗ {touched}</span>") } else { touched };
        vec![
            fault.span.number.to_string(),
            Escaped(&fault.kind).to_string(),
            Escaped(&fault.target).to_string(),
            format!("{} s", fault.span.from),
            fault.span.until.map_or_else(|| "–".into(), |until| format!("{until} s")),
            touched,
        ]
    });
    format!("<h3>Faults</h3>\n{}", table(&columns, rows))
}

/// Each seed with how it ended and what it cost.
pub(super) fn runs(scenario: &Scenario) -> String {
    let columns = [
        number("Seed"),
        text("Ended"),
        text("Trace hash"),
        number("Simulated"),
        number("Wall"),
        number("CPU"),
        number("Memory"),
        number("Packets"),
    ];
    let rows = scenario.runs.iter().map(|run| {
        let run = &run.summary;
        let class = if run.passed { "pass" } else { "fail" };
        let hash: String = run.trace_hash.chars().take(16).collect();
        vec![
            run.seed.to_string(),
            format!("<span class=\"{class}\">{}</span>", ending(run.status)),
            format!("<code>{}</code>", Escaped(&hash)),
            show_seconds(run.simulated_s),
            show_seconds(run.wall_s),
            show_seconds(run.cpu_s),
            show_bytes(run.peak_memory_bytes as f64),
            run.packets.get("delivered").map_or_else(|| "–".into(), u64::to_string),
        ]
    });
    let open = if scenario.passed() == scenario.runs.len() { "" } else { " open" };
    format!("<details{open}><summary>Runs</summary>{}</details>\n", table(&columns, rows))
}

/// Every figure that was measured, with the range of its statistics over seeds.
pub(super) fn measured(scenario: &Scenario) -> String {
    let columns = [
        text("Figure"),
        number("Samples"),
        number("Median"),
        number("p95"),
        number("Largest"),
        Column { heading: "What it is", about: "", align: Align::Text },
    ];
    let rows: Vec<Vec<String>> = FIGURES.iter().filter_map(|figure| measured_row(scenario, figure)).collect();
    if rows.is_empty() {
        return String::new();
    }
    format!(
        "<details><summary>Everything measured</summary>\n<p class=\"muted\">Statistics of each seed on its own; two values are the \
         smallest and the largest over seeds.</p>{}</details>\n",
        table(&columns, rows)
    )
}

fn measured_row(scenario: &Scenario, figure: &Figure) -> Option<Vec<String>> {
    let summaries: Vec<&FigureSummary> =
        scenario.runs.iter().filter_map(|run| run.summary.figures.get(figure.name)).collect();
    if summaries.is_empty() {
        return None;
    }
    let count: u64 = summaries.iter().map(|summary| summary.count).sum();
    let mut row = vec![format!("<code>{}</code>", figure.name), count.to_string()];
    if figure.unit == Unit::Category {
        let of = |name: &str| scenario.count(figure.name, &[name]);
        let counts: Vec<String> = figure.categories.iter().map(|name| format!("{name} {}", of(name))).collect();
        row.extend([
            "–".into(),
            "–".into(),
            "–".into(),
            format!("{} <b>{}</b>", prose(figure.about), counts.join(", ")),
        ]);
    } else {
        for value in [|of: &FigureSummary| of.median, |of: &FigureSummary| of.p95, |of: &FigureSummary| of.max] {
            row.push(range(figure.unit, summaries.iter().map(|summary| value(summary))));
        }
        row.push(prose(figure.about));
    }
    Some(row)
}

fn range(unit: Unit, values: impl Iterator<Item = f64> + Clone) -> String {
    let low = values.clone().min_by(f64::total_cmp).map(|value| unit.show(value)).unwrap_or_default();
    let high = values.max_by(f64::total_cmp).map(|value| unit.show(value)).unwrap_or_default();
    if low == high { low } else { format!("{low} … {high}") }
}
