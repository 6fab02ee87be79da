//! What a load entry asks of traders.

use std::time::Duration;

use crate::bound;
use crate::fields::{Fields, Section};
use crate::load::Who;
use crate::names;
use crate::problem::{Problems, quote};
use crate::source::Place;
use crate::topology::{Choice, FloodKind, Floods, HostIndex, Orders, Sides, Takes};
use crate::tree::Node;
use crate::value;

pub(crate) const ORDER: Section =
    Section { name: "`order`", fields: &["from", "rune", "side", "units", "least", "price", "around", "lifetime"] };
pub(crate) const TAKE: Section = Section { name: "`take`", fields: &["from", "rune", "side", "units", "choice"] };

pub(crate) const FLOOD: Section = Section { name: "`flood`", fields: &["from", "count", "how"] };

/// The words of a scenario for what is published in a flood.
pub(crate) const FLOODS: [FloodKind; 4] =
    [FloodKind::Orders, FloodKind::Garbage, FloodKind::Forgeries, FloodKind::Stale];
const SIDES: [(&str, Sides); 3] = [("buy", Sides::Buy), ("sell", Sides::Sell), ("either", Sides::Either)];
const CHOICES: [(&str, Choice); 2] = [("best", Choice::Best), ("any", Choice::Any)];
/// How long orders last that do not say.
const LIFETIME: Duration = Duration::from_secs(3_600);

/// Reads an entry that places orders.
pub(crate) fn read(node: &Node, who: Who<'_>, problems: &mut Problems<'_>) -> Option<(Vec<HostIndex>, Orders)> {
    let fields = Fields::open(node, &ORDER, problems)?;
    let from = fields.require("from", problems).and_then(|node| traders(node, who, problems));
    let rune = rune(&fields, who, problems);
    let units = fields.require("units", problems);
    let units = units.and_then(|node| value::number(node, bound::RUNE_UNITS, problems));
    let least = match (fields.find("least"), units) {
        (Some(node), Some(units)) => value::number(node, *bound::RUNE_UNITS.start()..=units, problems),
        (_, units) => units,
    };
    let price = fields.require("price", problems).and_then(|node| value::bitcoin(node, bound::PRICE, problems));
    let side = fields.word("side", &SIDES, Sides::Either, problems);
    let around = fields.share("around", problems);
    let lifetime = fields.duration("lifetime", bound::ORDER_LIFE, LIFETIME, problems);
    let orders = Orders { rune: rune?, side, least: least?, units: units?, price: price?, around, lifetime };
    Some((from?, orders))
}

/// Reads an entry that takes orders.
pub(crate) fn read_take(node: &Node, who: Who<'_>, problems: &mut Problems<'_>) -> Option<(Vec<HostIndex>, Takes)> {
    let fields = Fields::open(node, &TAKE, problems)?;
    let from = fields.require("from", problems).and_then(|node| traders(node, who, problems));
    let rune = rune(&fields, who, problems);
    let side = fields.word("side", &SIDES, Sides::Either, problems);
    let units = match fields.find("units") {
        Some(node) => Some(value::number(node, bound::RUNE_UNITS, problems)?),
        None => None,
    };
    let choice = fields.word("choice", &CHOICES, Choice::Best, problems);
    Some((from?, Takes { rune: rune?, side, units, choice }))
}

/// Reads an entry that floods. Without `how` it has everything.
pub(crate) fn read_flood(node: &Node, who: Who<'_>, problems: &mut Problems<'_>) -> Option<(Vec<HostIndex>, Floods)> {
    let fields = Fields::open(node, &FLOOD, problems)?;
    let from = fields.require("from", problems).and_then(|node| traders(node, who, problems));
    let count = fields.require("count", problems).and_then(|node| value::number(node, bound::FLOOD, problems));
    let kinds = match fields.find("how") {
        Some(node) => value::distinct(node, "flood", &FLOODS.map(|kind| (kind.name(), kind)), problems),
        None => Some(FLOODS.to_vec()),
    };
    Some((from?, Floods { count: count?, kinds: kinds? }))
}

/// The hosts that a node names, all of which must be traders.
pub(crate) fn traders(node: &Node, who: Who<'_>, problems: &mut Problems<'_>) -> Option<Vec<HostIndex>> {
    let selected = who.directory.select(node, problems)?;
    all_traders(&selected, node.place, who, problems)
}

/// These hosts, all of which must be traders.
pub(crate) fn all_traders(
    hosts: &[HostIndex],
    place: Place,
    who: Who<'_>,
    problems: &mut Problems<'_>,
) -> Option<Vec<HostIndex>> {
    if let Some(other) = hosts.iter().find(|host| !who.servers.traders.contains(host)) {
        let name = quote(&who.directory.hosts[other.0]);
        let known: Vec<&str> = who.servers.traders.iter().map(|host| who.directory.hosts[host.0].as_str()).collect();
        problems.add(place, format!("{name}, which is no trader"), names::expected("a trader", &known));
        return None;
    }
    Some(hosts.to_vec())
}

fn rune(fields: &Fields<'_>, who: Who<'_>, problems: &mut Problems<'_>) -> Option<String> {
    let node = fields.require("rune", problems)?;
    let name = value::text(node, "a rune", problems)?;
    let known = names::Names::new("a rune of some trader", &who.servers.runes);
    known.find(name, node.place, problems).map(|_| name.to_string())
}
