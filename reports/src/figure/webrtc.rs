//! What WebRTC did: only of scenarios in which it took part.
//!
//! | module | noun |
//! |---|---|
//! | [`set_up`] | how long each kind of path took to set up |
//! | [`winner`] | which transport carries each pair in the end, by kind of NAT |
//! | [`candidate`] | the kinds of the candidates that ICE selected, by kind of NAT |
//! | [`ice_state`] | the state of ICE over time |
//! | [`channel`] | data channels: throughput by priority, times |

mod candidate;
mod channel;
mod ice_state;
mod set_up;
mod winner;

use super::Figure;
use crate::palette::{AXIS, BLUE, Colour, GREEN, ORANGE, PURPLE, SKY, VERMILLION};
use crate::plot::PlotError;
use crate::scenario::Scenario;

/// Figures that are measured of WebRTC only.
const MEASURED: [&str; 3] = ["negotiation", "candidate_pair", "channel"];
/// Figures that are measured of every transport and name it.
const SHARED: [&str; 3] = ["connect_time", "upgrade_time", "path"];

/// What a whole may be made of: name, colour, and what it is in a few words.
type Part = (&'static str, Colour, &'static str);

/// What carries a pair in the end.
const CARRIERS: [Part; 6] = [
    ("quic", BLUE, "dialled, or hole punched with DCUtR"),
    ("tcp", PURPLE, "dialled"),
    ("websocket", SKY, "dialled"),
    ("webrtc", GREEN, "dialled, or through ICE, by TURN as well"),
    ("relayed", ORANGE, "no direct path, a relay forwards"),
    ("failed", VERMILLION, "no path at all"),
];

/// Whether WebRTC took part in any run of a scenario.
pub(crate) fn took_part(scenario: &Scenario) -> bool {
    let over_webrtc = |name: &&str| scenario.samples(name).any(|sample| sample.tag("transport") == "webrtc");
    MEASURED.iter().any(|name| scenario.samples(name).next().is_some())
        || scenario.runs.iter().any(|run| !run.ice.is_empty())
        || SHARED.iter().any(over_webrtc)
}

/// Every figure for which there are samples.
pub(super) fn figures(scenario: &Scenario) -> Result<Vec<Figure>, PlotError> {
    if !took_part(scenario) {
        return Ok(Vec::new());
    }
    let mut figures = Vec::new();
    figures.extend(winner::figure(scenario)?);
    figures.extend(candidate::figure(scenario)?);
    figures.extend(set_up::figure(scenario)?);
    figures.extend(channel::figures(scenario)?);
    figures.extend(ice_state::figure(scenario)?);
    Ok(figures)
}

/// The place of a name among the parts of a whole; none for a name that this version does not know.
fn place(parts: &[Part], name: &str) -> Option<usize> {
    parts.iter().position(|(known, ..)| *known == name)
}

/// The colour of a transport; grey for one that this version does not know.
fn transport_colour(transport: &str) -> Colour {
    place(&CARRIERS, transport).map_or(AXIS, |place| CARRIERS[place].1)
}
