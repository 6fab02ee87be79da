//! What is worth plotting of a scenario: which samples, grouped how, explained in which words.
//!
//! | module | noun |
//! |---|---|
//! | [`nat_pairs`] | who reaches whom directly, by kind of NAT |
//! | [`distribution`] | connect time, round trip, message time, gossip time, path changes |
//! | [`delivery`] | messages, bytes and gossip over time |
//! | [`recovery`] | how long pairs needed after a fault |
//! | [`relay`] | homes, load of relays, failover |
//! | [`trade`] | what traders and watchers of the chain waited for |
//! | [`webrtc`] | what WebRTC did: winners, candidates, ICE, data channels |
//! | [`bucket`] | time cut into equal pieces |
//! | [`headline`] | the few numbers that tell how a scenario went |

pub(crate) mod bucket;
pub(crate) mod delivery;
pub(crate) mod distribution;
pub(crate) mod headline;
pub(crate) mod nat_pairs;
pub(crate) mod recovery;
pub(crate) mod relay;
pub(crate) mod trade;
pub(crate) mod webrtc;

use crate::palette::{BLUE, CATEGORIES, Colour, ORANGE, VERMILLION};
use crate::plot::{Plot, PlotError};
use crate::scenario::Scenario;

/// A plot with the words around it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figure {
    /// What it shows.
    pub(crate) title: String,
    /// How to read it, in one sentence.
    pub(crate) reading: String,
    /// The drawing.
    pub(crate) plot: Plot,
    /// What stands out, one line each.
    pub(crate) notes: Vec<String>,
    /// Figures of the catalogue whose tables hold the numbers.
    pub(crate) tables: Vec<&'static str>,
}

/// Every figure for which a scenario has samples.
pub(crate) fn figures(scenario: &Scenario) -> Result<Vec<Figure>, PlotError> {
    let mut figures = Vec::new();
    figures.extend(nat_pairs::figure(scenario)?);
    figures.extend(webrtc::figures(scenario)?);
    figures.extend(relay::figures(scenario)?);
    figures.extend(trade::figures(scenario)?);
    figures.extend(distribution::connecting(scenario)?);
    figures.extend(delivery::figures(scenario)?);
    figures.extend(recovery::figure(scenario)?);
    figures.extend(distribution::talking(scenario)?);
    Ok(figures)
}

/// The colour of a path everywhere in a report; others take their turn.
fn path_colour(path: &str, turn: usize) -> Colour {
    match path {
        "direct" | "" => BLUE,
        "relayed" => ORANGE,
        "failed" => VERMILLION,
        _ => CATEGORIES[turn % CATEGORIES.len()],
    }
}
