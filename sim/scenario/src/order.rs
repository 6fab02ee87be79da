//! What a load entry asks of traders.

use std::time::Duration;

use crate::bound;
use crate::fields::{Fields, Section};
use crate::load::Who;
use crate::names;
use crate::problem::{Problems, quote};
use crate::topology::{HostIndex, Orders, Sides, Takes};
use crate::tree::Node;
use crate::value;

pub(crate) const ORDER: Section =
    Section { name: "`order`", fields: &["from", "rune", "side", "units", "least", "price", "around", "lifetime"] };
pub(crate) const TAKE: Section = Section { name: "`take`", fields: &["from", "rune", "side", "units"] };

const SIDES: [(&str, Sides); 3] = [("buy", Sides::Buy), ("sell", Sides::Sell), ("either", Sides::Either)];
/// How long orders last that do not say.
const LIFETIME: Duration = Duration::from_secs(3_600);

/// Reads an entry that places orders.
pub(crate) fn read(node: &Node, who: Who<'_>, problems: &mut Problems<'_>) -> Option<(Vec<HostIndex>, Orders)> {
    let fields = Fields::open(node, &ORDER, problems)?;
    let from = traders(&fields, who, problems);
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
    let from = traders(&fields, who, problems);
    let rune = rune(&fields, who, problems);
    let side = fields.word("side", &SIDES, Sides::Either, problems);
    let units = match fields.find("units") {
        Some(node) => Some(value::number(node, bound::RUNE_UNITS, problems)?),
        None => None,
    };
    Some((from?, Takes { rune: rune?, side, units }))
}

fn traders(fields: &Fields<'_>, who: Who<'_>, problems: &mut Problems<'_>) -> Option<Vec<HostIndex>> {
    let node = fields.require("from", problems)?;
    let selected = who.directory.select(node, problems)?;
    if let Some(other) = selected.iter().find(|host| !who.servers.traders.contains(host)) {
        let name = quote(&who.directory.hosts[other.0]);
        let known: Vec<&str> = who.servers.traders.iter().map(|host| who.directory.hosts[host.0].as_str()).collect();
        problems.add(node.place, format!("{name}, which is no trader"), names::expected("a trader", &known));
        return None;
    }
    Some(selected)
}

fn rune(fields: &Fields<'_>, who: Who<'_>, problems: &mut Problems<'_>) -> Option<String> {
    let node = fields.require("rune", problems)?;
    let name = value::text(node, "a rune", problems)?;
    let known = names::Names::new("a rune of some trader", &who.servers.runes);
    known.find(name, node.place, problems).map(|_| name.to_string())
}
