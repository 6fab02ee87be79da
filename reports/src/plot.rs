//! Drawings: numbers in, one SVG out. Nothing here knows records, scenarios or HTML.
//!
//! | module | noun |
//! |---|---|
//! | [`canvas`] | the surface: lines, polygons, text in CSS pixels; finished as one `<svg>` |
//! | [`axis`] | a range with ticks people read, linear or logarithmic |
//! | [`plane`] | two axes on a canvas, and where a value lands on it |
//! | [`cdf`] | cumulative distributions |
//! | [`time_line`] | values over time with the range over seeds, faults marked |
//! | [`stack`] | shares of a whole over time, faults marked |
//! | [`strip`] | one dot per value, in rows |
//! | [`heat_map`] | a share per pair of kinds |

pub(crate) mod axis;
pub(crate) mod canvas;
pub(crate) mod cdf;
pub(crate) mod heat_map;
pub(crate) mod plane;
pub(crate) mod stack;
pub(crate) mod strip;
pub(crate) mod time_line;

use plotters::drawing::DrawingAreaErrorKind;

use crate::palette::Colour;

/// Why a plot could not be drawn.
pub(crate) type PlotError = DrawingAreaErrorKind<std::io::Error>;

/// A drawing with what its colours mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plot {
    /// One `<svg>` element.
    pub(crate) svg: String,
    /// Whether it needs the whole width of a page.
    pub(crate) wide: bool,
    /// Meaning of the colours, in drawing order.
    pub(crate) legend: Vec<Key>,
}

/// One entry of a legend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// The colour explained.
    pub(crate) colour: Colour,
    /// What it stands for.
    pub(crate) label: String,
    /// Figures worth reading beside it; may be empty.
    pub(crate) note: String,
}
