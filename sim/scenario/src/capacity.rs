//! What a relay of a population admits.

use std::ops::RangeInclusive;
use std::time::Duration;

use darkswap_connectivity::relay::server::Limits;

use crate::bound;
use crate::fields::{Fields, Section};
use crate::problem::Problems;
use crate::tree::Node;
use crate::value;

pub(crate) const CAPACITY: Section = Section {
    name: "`capacity`",
    fields: &[
        "reservations",
        "reservations_per_prefix",
        "reservation_life",
        "circuits",
        "circuits_per_peer",
        "circuits_per_prefix",
        "circuit_life",
        "circuit_bytes",
        "peer_bytes",
        "prefix_bytes",
        "peer_rate",
        "prefix_rate",
        "rate",
    ],
};

/// Reads the field of a relay. What is not said is as in a relay that is told nothing.
pub(crate) fn read(node: &Node, problems: &mut Problems<'_>) -> Option<Limits> {
    let plain = Limits::default();
    let fields = Fields::open(node, &CAPACITY, problems)?;
    let count = |name, default: usize, problems: &mut Problems<'_>| {
        let read = fields.find(name).and_then(|node| value::number(node, 0..=bound::SLOTS, problems));
        read.map_or(default, |count| count as usize)
    };
    let life = |name, range: RangeInclusive<Duration>, default, problems: &mut Problems<'_>| {
        fields.duration(name, range, default, problems)
    };
    let bytes = |name, default: u64, problems: &mut Problems<'_>| {
        fields.find(name).and_then(|node| value::size(node, bound::RELAYED, problems)).unwrap_or(default)
    };
    let rate = |name, default: u64, problems: &mut Problems<'_>| {
        // A scenario counts bits per second, as it does for links.
        fields.find(name).and_then(|node| value::rate(node, bound::RATE, problems)).map_or(default, |bits| bits / 8)
    };
    Some(Limits {
        reservations: count("reservations", plain.reservations, problems),
        reservations_per_prefix: count("reservations_per_prefix", plain.reservations_per_prefix, problems),
        reservation_life: life("reservation_life", bound::RESERVATION, plain.reservation_life, problems),
        circuits: count("circuits", plain.circuits, problems),
        circuits_per_peer: count("circuits_per_peer", plain.circuits_per_peer, problems),
        circuits_per_prefix: count("circuits_per_prefix", plain.circuits_per_prefix, problems),
        circuit_life: life("circuit_life", bound::CIRCUIT, plain.circuit_life, problems),
        circuit_bytes: bytes("circuit_bytes", plain.circuit_bytes, problems),
        peer_bytes: bytes("peer_bytes", plain.peer_bytes, problems),
        prefix_bytes: bytes("prefix_bytes", plain.prefix_bytes, problems),
        peer_rate: rate("peer_rate", plain.peer_rate, problems),
        prefix_rate: rate("prefix_rate", plain.prefix_rate, problems),
        rate: rate("rate", plain.rate, problems),
        ..plain
    })
}
