//! The section `expect`.

use std::collections::BTreeSet;

use darkswap_records::expectation::{Expectation, Filter};

use crate::bound;
use crate::names;
use crate::problem::Problems;
use crate::source::Place;
use crate::topology::{FloodKind, TradeLie};
use crate::tree::{Kind, Node};
use crate::value;

/// What the tags of a scenario can be.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tags {
    pub(crate) hosts: Vec<String>,
    /// NAT kinds such as `EI/APD`.
    pub(crate) kinds: BTreeSet<String>,
    /// NAT names.
    pub(crate) nats: BTreeSet<String>,
    pub(crate) topics: Vec<String>,
}

/// Reads the section; every line must parse and name nothing that the scenario does not have.
pub(crate) fn read(node: &Node, tags: &Tags, problems: &mut Problems<'_>) -> Vec<Expectation> {
    let items = value::list(node, "expectations", bound::ENTRIES, problems).unwrap_or_default();
    if items.is_empty() && matches!(node.kind, Kind::List(_)) {
        problems.add(node.place, "no expectation", "at least one: a scenario that cannot fail shows nothing");
    }
    // In a file with other faults the known tags are not all there are.
    let tags = problems.is_empty().then_some(tags);
    items.iter().filter_map(|item| expectation(item, tags, problems)).collect()
}

fn expectation(node: &Node, tags: Option<&Tags>, problems: &mut Problems<'_>) -> Option<Expectation> {
    let line = value::text(node, "an expectation such as `p95(connect_time) < 3s`", problems)?;
    let place = |offset: usize, length: usize, problems: &Problems<'_>| match &node.kind {
        Kind::Scalar { offset: Some(start), .. } => Place::of_bytes(problems.source.text, start + offset, length),
        _ => node.place,
    };
    let expectation = match Expectation::parse(line) {
        Ok(expectation) => expectation,
        Err(error) => {
            let help = error.nearest.map(|nearest| format!("did you mean `{nearest}`?"));
            problems.add_help(place(error.offset, error.length, problems), error.found, error.expected, help);
            return None;
        }
    };
    for filter in &expectation.filters {
        if let Some((what, known)) = tags.and_then(|tags| known(filter, expectation.figure.name, tags))
            && !known.contains(&filter.value.as_str())
        {
            let place = place(filter.offset, filter.value.len(), problems);
            problems.add_unknown(place, &filter.value, names::expected(what, &known), known.iter().copied());
        }
    }
    Some(expectation)
}

/// The values that a tag can have in this scenario; none when they are not known beforehand.
fn known<'t>(filter: &Filter, figure: &str, tags: &'t Tags) -> Option<(&'static str, Vec<&'t str>)> {
    let strings = |list: &'t [String]| list.iter().map(String::as_str).collect::<Vec<_>>();
    let kinds = || tags.kinds.iter().map(String::as_str);
    match filter.tag {
        "from" | "to" | "host" | "relay" => Some(("a host", strings(&tags.hosts))),
        "from_nat" | "to_nat" => Some(("a kind of NAT in this scenario", kinds().collect())),
        "nat" => Some(("a NAT in this scenario", kinds().chain(tags.nats.iter().map(String::as_str)).collect())),
        "topic" => Some(("a topic", strings(&tags.topics))),
        "transport" => Some(("a transport", vec!["quic", "tcp", "websocket", "webrtc"])),
        "path" => Some(("a path", vec!["direct", "relayed", "failed"])),
        "priority" => Some(("a priority", vec!["very_low", "low", "medium", "high"])),
        "how" if figure == "trade_lie" => Some(("a trader's lie", crate::chain::LIES.map(TradeLie::name).to_vec())),
        "how" if figure == "flood" => Some(("a flood", crate::order::FLOODS.map(FloodKind::name).to_vec())),
        "how" if figure == "attack" => Some(("a way to attack", crate::conduct::WAYS.to_vec())),
        "how" => Some(("a lie", vec!["malformed", "oversized", "out_of_order", "forged", "replayed", "flood"])),
        "after" => Some(("what made books differ", vec!["order", "start", "fault"])),
        "remote_kind" => Some(("a kind of candidate", vec!["host", "server_reflexive", "peer_reflexive", "relayed"])),
        "fault" => Some(("a fault", crate::fault::KINDS.to_vec())),
        _ => None,
    }
}
