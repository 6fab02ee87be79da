//! The comparison as a page: one HTML file that needs nothing else, no script, and follows the reader's light or dark theme.

use std::fmt::Write as _;

use darkswap_records::expectation::Function;
use darkswap_statistics::describe::quantile;
use darkswap_statistics::sentence::{Verdict, p_value, percent};

use super::forest;
use super::grid::{Grid, Outcome};
use super::panel::{Against, Panel, Row, show_difference};
use crate::escape::{Escaped, anchor, prose};
use crate::palette;
use crate::plot::Plot;
use crate::scenario::seeds;

const STYLE: &str = concat!(include_str!("../page/style.css"), include_str!("style.css"));

const WHAT: &str = "DarkSwap is a peer-to-peer trading node. Here its real code ran in a deterministic simulated network, once for \
                    each <b>variant</b>, each <b>point</b> of the parameters and each <b>seed</b>. A seed fixes every random choice, so \
                    two variants are compared under the same seeds, pair by pair.";

/// Words that a reader needs.
const GLOSSARY: [(&str, &str); 7] = [
    (
        "One number per run",
        "Every run is reduced to one number per measure, such as the p95 of its connect times. Samples within a run depend on each other; runs of different seeds do not.",
    ),
    (
        "Difference",
        "The mean over the seeds of the variant's number less the baseline's under the same seed. Shares differ by percentage points (pp).",
    ),
    (
        "95 % interval",
        "Where the mean over all seeds, not only those that ran, probably lies: bias-corrected and accelerated bootstrap with 10,000 \
         resamples of a fixed random stream. With few seeds it is too narrow: of 8 normal values it holds the truth in about 88 % of cases, of 30 in about 94 %.",
    ),
    (
        "Cliff's delta",
        "How far the runs of two variants lie apart, all pairs of runs taken: 1 when every run of the variant is above every run of \
         the baseline, 0 when neither dominates. From 0.147 small, from 0.33 medium, from 0.474 large. A difference can be certain under \
         every seed and still be small beside the spread over seeds.",
    ),
    (
        "p",
        "How often chance alone would give a difference at least as large, by flipping the sign of each seed's difference, corrected by \
         Holm's method for all comparisons of the same measure.",
    ),
    ("Distinguishable", "p is at most 0.05. Otherwise the difference is shown in grey: it may be chance."),
    (
        "What this cannot tell",
        "Seeds vary what the scenario leaves open. Another scenario may give another answer, and the simulated network is a model.",
    ),
];

/// The whole page.
pub(super) fn page(grid: &Grid, panels: &[Panel], notices: &[String]) -> anyhow::Result<String> {
    let sweep = &grid.sweep;
    let sections = panels.iter().map(|panel| section(grid, panel)).collect::<anyhow::Result<String>>()?;
    let about: String = paragraphs(&sweep.about);
    let words: String =
        GLOSSARY.iter().map(|(word, meaning)| format!("<dt>{word}</dt><dd>{}</dd>", Escaped(meaning))).collect();
    let notices: String =
        notices.iter().map(|notice| format!("<p class=\"notice\">⚠ {}</p>\n", Escaped(notice))).collect();
    Ok(format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{} – DarkSwap comparison</title>\n<style>\n{}{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header>\n<p class=\"brand\">DarkSwap <span>comparison</span></p>\n<h1>{}</h1>\n{about}{}<p class=\"what\">{WHAT}</p>\n\
         <details class=\"glossary\"><summary>How to read this page</summary><dl>{words}</dl></details>\n{notices}</header>\n\
         {}{sections}{}<footer>Made by <code>darkswap-sim compare</code>. The numbers of this page are in <code>comparison.json</code>, \
         those of each run in <code>comparison.csv</code> beside it.</footer>\n</main>\n</body>\n</html>\n",
        Escaped(&sweep.title),
        palette::theme(),
        Escaped(&sweep.title),
        facts(grid),
        overview(grid, panels),
        runs(grid),
    ))
}

fn paragraphs(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty());
    paragraphs.map(|paragraph| format!("<p class=\"about\">{}</p>\n", Escaped(paragraph))).collect()
}

fn facts(grid: &Grid) -> String {
    let sweep = &grid.sweep;
    let fact = |name: &str, value: String, note: String| {
        format!("<div><dt>{name}</dt><dd>{}<small>{}</small></dd></div>", Escaped(&value), Escaped(&note))
    };
    let points = if sweep.points.iter().all(|point| point.name.is_empty()) { 0 } else { sweep.points.len() };
    let facts = [
        fact("Variants", sweep.variants.len().to_string(), format!("compared with {}", sweep.baseline)),
        fact("Points", if points == 0 { "–".into() } else { points.to_string() }, "of the parameters".into()),
        fact("Seeds", sweep.seeds.len().to_string(), seeds(&sweep.seeds)),
        fact("Runs", grid.present().to_string(), format!("of {}", grid.cells.len())),
        fact("Scenario", sweep.scenario.clone(), "as its variants change it".into()),
        fact(
            "Commit",
            short(&sweep.commit),
            format!("executable {}", sweep.program.get(..8).unwrap_or(&sweep.program)),
        ),
    ];
    format!("<dl class=\"facts\">{}</dl>\n", facts.concat())
}

/// A commit as people quote it, keeping the sign of a modified tree.
fn short(commit: &str) -> String {
    const QUOTED: usize = 8;
    let (hash, modified) = commit.strip_suffix('+').map_or((commit, ""), |hash| (hash, "+"));
    let hexadecimal = hash.len() > QUOTED && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hexadecimal { format!("{}{modified}", &hash[..QUOTED]) } else { commit.to_string() }
}

/// Every comparison in one table: a row per measure and point, a column per variant.
fn overview(grid: &Grid, panels: &[Panel]) -> String {
    let others: Vec<usize> = (0..grid.sweep.variants.len()).filter(|variant| *variant != grid.baseline()).collect();
    let named = grid.sweep.points.iter().any(|point| !point.name.is_empty());
    let mut head = String::from("<th scope=\"col\">Measure</th>");
    if named {
        head.push_str("<th scope=\"col\">Point</th>");
    }
    let _ = write!(head, "<th scope=\"col\" class=\"number\">{}</th>", Escaped(&grid.sweep.baseline));
    for variant in &others {
        let name = &grid.sweep.variants[*variant].name;
        let _ = write!(head, "<th scope=\"col\" class=\"number\">{}</th>", Escaped(name));
    }
    let mut body = String::new();
    for panel in panels {
        for of_point in panel.rows.chunk_by(|one, other| one.point == other.point) {
            let line = &panel.measure.line;
            let first = of_point[0].point == 0;
            let side =
                if panel.side().is_empty() { String::new() } else { format!(" <small>{}</small>", panel.side()) };
            let measure = format!("<a href=\"#{}\"><code>{}</code></a>{side}", anchor(line), Escaped(line));
            let _ = write!(body, "<tr><td>{}</td>", if first { measure } else { String::new() });
            if named {
                let _ = write!(body, "<td>{}</td>", Escaped(&grid.sweep.points[of_point[0].point].name));
            }
            let mean = of_point.iter().find(|row| row.against.is_none()).and_then(|row| row.mean);
            let _ = write!(body, "<td class=\"number\">{}</td>", shown(panel, mean));
            for variant in &others {
                let row = of_point.iter().find(|row| row.variant == *variant);
                let _ =
                    write!(body, "<td class=\"number\">{}</td>", row.map_or_else(String::new, |row| cell(panel, row)));
            }
            body.push_str("</tr>\n");
        }
    }
    format!(
        "<section>\n<h2>What differs</h2>\n<p class=\"muted\">The mean of {}, and the difference of every other variant from it. Bold is \
         distinguishable from chance, grey is not. Where a side is better, the difference says so.</p>\n<div class=\"scroll\"><table class=\"overview\">\n<thead><tr>{head}</tr></thead>\n\
         <tbody>\n{body}</tbody>\n</table></div>\n</section>\n",
        Escaped(&grid.sweep.baseline)
    )
}

/// A difference, as loud as it is certain.
fn cell(panel: &Panel, row: &Row) -> String {
    let Some(Against::Compared { paired, .. }) = &row.against else {
        return "<span class=\"chance\">too few</span>".into();
    };
    let relative = paired.relative().map_or_else(String::new, |share| format!(" <small>{}</small>", percent(share)));
    let difference = show_difference(panel.unit(), paired.difference);
    match row.verdict() {
        Some(Verdict::Larger | Verdict::Smaller) => {
            let word = match panel.improves(row) {
                Some(true) => " <small class=\"pass\">better</small>",
                Some(false) => " <small class=\"fail\">worse</small>",
                None => "",
            };
            format!("<b>{}</b>{relative}{word}", Escaped(&difference))
        }
        Some(Verdict::Same) => "<span class=\"chance\">the same</span>".into(),
        Some(Verdict::Indistinguishable) | None => {
            format!("<span class=\"chance\">{}{relative}</span>", Escaped(&difference))
        }
    }
}

fn section(grid: &Grid, panel: &Panel) -> anyhow::Result<String> {
    let line = &panel.measure.line;
    let sentences: String =
        panel.sentences(grid).iter().map(|sentence| format!("<li>{}</li>", Escaped(sentence))).collect();
    let readings = [
        (
            forest::differences(grid, panel)?,
            "Difference",
            "Dot and bar: mean difference under the same seeds and its 95 % interval. Grey may be chance; a bar across the line at zero leaves its direction open.",
        ),
        (
            forest::means(grid, panel)?,
            "Mean",
            "Stroke and bar: mean over the seeds and its 95 % interval. Each dot is one seed. Intervals of means may overlap although the differences under the same seeds are clear.",
        ),
    ];
    let figures: String =
        readings.iter().filter_map(|(plot, title, reading)| Some(figure(plot.as_ref()?, title, reading))).collect();
    Ok(format!(
        "<section id=\"{}\" class=\"scenario\">\n<h2><code>{}</code></h2>\n<p class=\"about\">{}</p>\n<ul class=\"sentences\">{sentences}</ul>\n\
         <div class=\"figures\">\n{figures}</div>\n{}</section>\n",
        anchor(line),
        Escaped(line),
        prose(&about(panel)),
        rows(grid, panel),
    ))
}

/// What the measure is computed from, and which way it is better.
fn about(panel: &Panel) -> String {
    let side = panel.side();
    let jain = match panel.measure.function {
        Function::Jain => " Jain's index of it is 1 when all values are equal, and 1/n when one of n has everything.",
        _ => "",
    };
    let side = if side.is_empty() { String::new() } else { format!(" Here {side}.") };
    format!("{}{jain}{side}", panel.measure.figure.about)
}

fn figure(plot: &Plot, title: &str, reading: &str) -> String {
    format!(
        "<figure><h3>{title}</h3><div class=\"scroll\">{}</div>\n<figcaption><p>{}</p></figcaption></figure>\n",
        plot.svg,
        Escaped(reading)
    )
}

/// Every number of a panel.
fn rows(grid: &Grid, panel: &Panel) -> String {
    let heads =
        ["Seeds", "Mean", "95 % interval", "Median", "Seed p90", "Difference", "95 % interval", "Cliff's delta", "p"];
    let heads: String =
        heads.iter().map(|head| format!("<th scope=\"col\" class=\"number\">{}</th>", Escaped(head))).collect();
    let named = grid.sweep.points.iter().any(|point| !point.name.is_empty());
    let point_head = if named { "<th scope=\"col\">Point</th>" } else { "" };
    let mut body = String::new();
    for row in &panel.rows {
        let present: Vec<f64> = row.values.iter().copied().flatten().collect();
        let unit = panel.unit();
        let range = |interval: Option<darkswap_statistics::bootstrap::Interval>, show: &dyn Fn(f64) -> String| {
            interval.map_or_else(|| "–".into(), |found| format!("{} to {}", show(found.low), show(found.high)))
        };
        let mut cells = vec![
            present.len().to_string(),
            shown(panel, row.mean),
            range(row.interval, &|value| unit.show(value)),
            shown(panel, row.median),
            shown(panel, quantile(&present, 0.9)),
        ];
        cells.extend(match &row.against {
            None => ["baseline".to_string(), String::new(), String::new(), String::new()],
            Some(Against::Nothing(_)) => ["too few".to_string(), String::new(), String::new(), String::new()],
            Some(Against::Compared { paired, adjusted }) => [
                show_difference(unit, paired.difference),
                range(Some(paired.interval), &|value| show_difference(unit, value)),
                format!("{} {}", format!("{:+.2}", paired.delta).replace('-', "−"), paired.magnitude().word()),
                p_value(*adjusted),
            ],
        });
        let swatch = format!("<i class=\"swatch\" style=\"background:{}\"></i>", forest::colour(row.variant).css());
        let name = Escaped(&grid.sweep.variants[row.variant].name);
        let point =
            if named { format!("<td>{}</td>", Escaped(&grid.sweep.points[row.point].name)) } else { String::new() };
        let numbers: String = cells.iter().map(|cell| format!("<td class=\"number\">{}</td>", Escaped(cell))).collect();
        let _ = writeln!(body, "<tr><td>{swatch}{name}</td>{point}{numbers}</tr>");
    }
    format!(
        "<details><summary>Every number</summary><div class=\"scroll\"><table class=\"numbers\">\n<thead><tr><th scope=\"col\">Variant</th>\
         {point_head}{heads}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div></details>\n"
    )
}

fn shown(panel: &Panel, value: Option<f64>) -> String {
    value.map_or_else(|| "–".into(), |value| panel.unit().show(value))
}

/// What ran, and whether what the scenario expects held.
fn runs(grid: &Grid) -> String {
    let mut body = String::new();
    for (variant, of) in grid.sweep.variants.iter().enumerate() {
        for point in 0..grid.sweep.points.len() {
            let cells = grid.cells_of(variant, point);
            let done = cells.iter().filter(|cell| matches!(cell, Outcome::Done { .. })).count();
            let (held, all) = cells.iter().fold((0, 0), |(held, all), cell| match cell {
                Outcome::Done { held: more, expectations, .. } => (held + more, all + expectations),
                Outcome::Missing | Outcome::Dead(_) => (held, all),
            });
            let about = if point == 0 { of.about.as_str() } else { "" };
            let _ = writeln!(
                body,
                "<tr><td>{}</td><td>{}</td><td class=\"number\">{done}/{}</td><td class=\"number\">{held}/{all}</td></tr>",
                Escaped(&grid.name(variant, point)),
                Escaped(about),
                cells.len(),
            );
        }
    }
    format!(
        "<section>\n<h2>Runs</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">Variant</th><th scope=\"col\">What it is</th>\
         <th scope=\"col\" class=\"number\">Ran to the end</th><th scope=\"col\" class=\"number\">Expectations held</th></tr></thead>\n\
         <tbody>\n{body}</tbody>\n</table></div>\n</section>\n"
    )
}
