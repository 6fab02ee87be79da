//! Everything about one scenario.

use std::collections::BTreeMap;

use anyhow::Context;
use darkswap_records::record::Host;

use super::overview::short;
use super::relay::relays_table;
use super::{counted, detail, expectation};
use crate::escape::{Escaped, anchor};
use crate::figure::headline::{Headline, headlines};
use crate::figure::{Figure, figures, relay, webrtc};
use crate::plot::{Key, Stroke};
use crate::scenario::{Scenario, seeds};

/// One scenario's part of the page, and what its row on the first screen needs.
#[derive(Debug)]
pub(crate) struct Section {
    /// The scenario's name.
    pub(super) name: String,
    /// How many runs there are.
    pub(super) runs: usize,
    /// How many of them passed.
    pub(super) passed: usize,
    /// How many outcomes of expectations there are, over all runs.
    pub(super) outcomes: usize,
    /// How many of them held.
    pub(super) held: usize,
    /// Simulated seconds, summed.
    pub(super) simulated_s: f64,
    /// Whether WebRTC took part, so that its words need an explanation.
    pub(super) webrtc: bool,
    /// Whether there were relays to choose from, likewise.
    pub(super) relays: bool,
    /// The few numbers that tell how it went.
    pub(super) headlines: Vec<Headline>,
    /// The section itself.
    pub(super) html: String,
}

impl Section {
    /// Draws a scenario.
    pub(crate) fn new(scenario: &Scenario) -> anyhow::Result<Self> {
        let figures = figures(scenario).with_context(|| format!("cannot draw {}", scenario.name))?;
        let headlines = headlines(scenario);
        let outcomes = || scenario.runs.iter().flat_map(|run| &run.summary.expectations);
        Ok(Self {
            html: html(scenario, &headlines, &figures),
            name: scenario.name.clone(),
            runs: scenario.runs.len(),
            passed: scenario.passed(),
            outcomes: outcomes().count(),
            held: outcomes().filter(|outcome| outcome.held).count(),
            simulated_s: scenario.runs.iter().map(|run| run.summary.simulated_s).sum(),
            webrtc: webrtc::took_part(scenario),
            relays: relay::took_part(scenario),
            headlines,
        })
    }

    /// Whether every run passed.
    pub(super) fn passed(&self) -> bool {
        self.passed == self.runs
    }
}

fn html(scenario: &Scenario, headlines: &[Headline], figures: &[Figure]) -> String {
    let (passed, all) = (scenario.passed(), scenario.runs.len());
    let (class, sign) = if passed == all { ("pass", "✓") } else { ("fail", "✗") };
    let plots: String = figures.iter().map(|figure| figure_html(scenario, figure)).collect();
    let plots = if plots.is_empty() { plots } else { format!("<div class=\"figures\">\n{plots}</div>\n") };
    format!(
        "<section id=\"{}\" class=\"scenario\">\n<h2>{} <span class=\"pill {class}\">{sign} {passed} of {all} passed</span></h2>\n\
         {}<p class=\"muted\"><code>{}</code> · {} · commit <code>{}</code>{}</p>\n{}{}{}{}{plots}{}{}{}</section>\n",
        anchor(&scenario.name),
        Escaped(&scenario.title),
        paragraphs(&scenario.about),
        Escaped(&scenario.name),
        seeds_of(scenario),
        Escaped(&short(&scenario.commit)),
        hosts(scenario),
        tiles(headlines),
        notices(scenario),
        expectation::expectations(scenario),
        detail::faults(scenario),
        relays_table(scenario),
        detail::measured(scenario),
        detail::runs(scenario),
    )
}

fn paragraphs(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty());
    paragraphs.map(|paragraph| format!("<p class=\"about\">{}</p>\n", Escaped(paragraph))).collect()
}

fn seeds_of(scenario: &Scenario) -> String {
    let all = scenario.seeds();
    format!("{} {}", if all.len() == 1 { "seed" } else { "seeds" }, seeds(&all))
}

/// How many hosts of each role there are, from the first run that tells.
fn hosts(scenario: &Scenario) -> String {
    let Some(head) = scenario.runs.iter().find_map(|run| run.head.as_ref()) else { return String::new() };
    let mut roles: BTreeMap<&str, usize> = BTreeMap::new();
    for Host { role, .. } in &head.hosts {
        *roles.entry(role).or_default() += 1;
    }
    let roles: String = roles
        .into_iter()
        .map(|(role, count)| format!(" · {}", Escaped(&counted(count, role, &format!("{role}s")))))
        .collect();
    roles
}

fn tiles(headlines: &[Headline]) -> String {
    let tile = |headline: &Headline| {
        let value = headline.value.as_ref()?;
        let (about, value) = (Escaped(headline.about), Escaped(value));
        Some(format!("<div title=\"{about}\"><dt>{}</dt><dd>{value}</dd></div>", Escaped(headline.label)))
    };
    let tiles: String = headlines.iter().filter_map(tile).collect();
    if tiles.is_empty() { tiles } else { format!("<dl class=\"facts tiles\">{tiles}</dl>\n") }
}

fn notices(scenario: &Scenario) -> String {
    scenario.notices().iter().map(|notice| format!("<p class=\"notice\">⚠ {}</p>\n", Escaped(notice))).collect()
}

fn figure_html(scenario: &Scenario, figure: &Figure) -> String {
    let legend: String = figure.plot.legend.iter().map(key).collect();
    let class = if figure.plot.legend.iter().all(|key| key.note.is_empty()) { "legend short" } else { "legend" };
    let legend = if legend.is_empty() { legend } else { format!("<ul class=\"{class}\">{legend}</ul>") };
    let notes: String = figure.notes.iter().map(|note| format!("<p>{}</p>", Escaped(note))).collect();
    let measured = |name: &&&str| scenario.samples(name).next().is_some();
    let wide = if figure.plot.wide { " class=\"wide\"" } else { "" };
    let tables: String = figure
        .tables
        .iter()
        .filter(measured)
        .enumerate()
        .map(|(index, name)| {
            format!("{}<a href=\"csv/{name}.csv\">{name}.csv</a>", if index == 0 { " · " } else { ", " })
        })
        .collect();
    format!(
        "<figure{wide}><h3>{}</h3>{legend}<div class=\"scroll\">{}</div>\n<figcaption><p>{}</p>{notes}\
         <p class=\"source\">{} · {} · commit {}{tables}</p></figcaption></figure>\n",
        Escaped(&figure.title),
        figure.plot.svg,
        Escaped(&figure.reading),
        Escaped(&scenario.name),
        seeds_of(scenario),
        Escaped(&short(&scenario.commit)),
    )
}

fn key(key: &Key) -> String {
    let class = match key.stroke {
        Stroke::Solid => "",
        Stroke::Dashed => " class=\"dashed\"",
    };
    format!(
        "<li><i{class} style=\"background:{}\"></i><b>{}</b> <span>{}</span></li>",
        key.colour.css(),
        Escaped(&key.label),
        Escaped(&key.note)
    )
}
