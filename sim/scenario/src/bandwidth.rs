//! How many bytes per second the nodes of a population send and receive, by the time of day.
//!
//! The words are those of a node's table `[bandwidth]`: `unlimited`, bytes per second such as `64KiB`, or a list of
//! `{from: "08:00", to: "18:00", rate: 64KiB}`. A run begins at midnight, UTC.

use darkswap_connectivity::limiter::bandwidth::{FASTEST, SLOWEST, SPANS};

use crate::fields::{Fields, Section};
use crate::problem::{Problems, quote};
use crate::topology::{Bandwidth, RateSpan};
use crate::tree::{Kind, Node};
use crate::value;

pub(crate) const BANDWIDTH: Section = Section {
    name: "`bandwidth`",
    fields: &["node_sends", "node_receives", "connection_sends", "connection_receives"],
};

pub(crate) const RATE_SPAN: Section = Section { name: "a span of `bandwidth`", fields: &["from", "to", "rate"] };

/// Minutes of a day.
const DAY: u16 = 24 * 60;
/// Spans with a rate of their own: each takes up to two of a node's schedule.
const RATE_SPANS: usize = SPANS / 2;
const RATE_FORM: &str = "`unlimited`, bytes per second such as `64KiB`, or a list of spans";
const TIME_FORM: &str = "a time of the day such as `08:00`";

impl Bandwidth {
    /// Reads the field of a host. What is not said is not limited.
    pub(crate) fn read(node: &Node, problems: &mut Problems<'_>) -> Option<Self> {
        let fields = Fields::open(node, &BANDWIDTH, problems)?;
        if fields.is_empty() {
            problems.add(node.place, "an empty map", format!("at least one of {}", BANDWIDTH.fields.join(", ")));
            return None;
        }
        let mut rate = |name| fields.find(name).map_or(Some(Vec::new()), |node| rate(node, problems));
        let (node_sends, node_receives) = (rate("node_sends"), rate("node_receives"));
        let (connection_sends, connection_receives) = (rate("connection_sends"), rate("connection_receives"));
        Some(Self {
            node_sends: node_sends?,
            node_receives: node_receives?,
            connection_sends: connection_sends?,
            connection_receives: connection_receives?,
        })
    }
}

/// The spans of a rate; none where there is no limit.
fn rate(node: &Node, problems: &mut Problems<'_>) -> Option<Vec<RateSpan>> {
    if let Kind::List(_) = &node.kind {
        return spans(node, problems);
    }
    if value::text(node, RATE_FORM, problems)? == "unlimited" {
        return Some(Vec::new());
    }
    value::size(node, SLOWEST..=FASTEST, problems).map(|rate| vec![RateSpan { from: 0, to: DAY, rate }])
}

fn spans(node: &Node, problems: &mut Problems<'_>) -> Option<Vec<RateSpan>> {
    let mut taken = vec![false; usize::from(DAY)];
    let mut spans = Vec::new();
    for item in value::list(node, "spans", RATE_SPANS, problems)? {
        let span = span(item, problems)?;
        for minute in span.minutes() {
            if std::mem::replace(&mut taken[usize::from(minute)], true) {
                let found = format!("a second rate at {:02}:{:02}", minute / 60, minute % 60);
                problems.add(item.place, found, "spans that do not overlap");
                return None;
            }
        }
        spans.push(span);
    }
    if spans.is_empty() {
        problems.add(node.place, "an empty list", RATE_FORM);
        return None;
    }
    Some(spans)
}

fn span(node: &Node, problems: &mut Problems<'_>) -> Option<RateSpan> {
    let fields = Fields::open(node, &RATE_SPAN, problems)?;
    let from = fields.require("from", problems).and_then(|node| time(node, problems));
    let to = fields.require("to", problems).and_then(|node| time(node, problems));
    let rate = fields.require("rate", problems).and_then(|node| value::size(node, SLOWEST..=FASTEST, problems));
    let span = RateSpan { from: from?, to: to?, rate: rate? };
    if span.from == DAY || span.from == span.to {
        problems.add(node.place, "a span without a minute", "two different times of the day, not from `24:00`");
        return None;
    }
    Some(span)
}

/// A time of the day in minutes: `08:00`, and `24:00` for its end.
fn time(node: &Node, problems: &mut Problems<'_>) -> Option<u16> {
    let text = value::text(node, TIME_FORM, problems)?;
    let number = |text: &str, most: u16| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|number| is_number && *number <= most)
    };
    let parsed = text.split_once(':').and_then(|(hours, minutes)| Some(number(hours, 24)? * 60 + number(minutes, 59)?));
    let parsed = parsed.filter(|minutes| *minutes <= DAY);
    if parsed.is_none() {
        problems.add(node.place, quote(text), TIME_FORM);
    }
    parsed
}

impl RateSpan {
    fn minutes(self) -> impl Iterator<Item = u16> {
        let end = if self.to > self.from { self.to } else { self.to + DAY };
        (self.from..end).map(|minute| minute % DAY)
    }
}
