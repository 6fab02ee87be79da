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
//! | [`grid`] | rows and columns of kinds, a cell per pair |
//! | [`heat_map`] | a share per pair of kinds |
//! | [`split_map`] | how a whole divides, per pair of kinds |
//! | [`state_line`] | what state something was in over time, in rows, faults marked |
//! | [`bar`] | one bar per value, in rows |

pub(crate) mod axis;
pub(crate) mod bar;
pub(crate) mod canvas;
pub(crate) mod cdf;
pub(crate) mod grid;
pub(crate) mod heat_map;
pub(crate) mod plane;
pub(crate) mod split_map;
pub(crate) mod stack;
pub(crate) mod state_line;
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
    /// How it is drawn, where that tells two entries of one colour apart.
    pub(crate) stroke: Stroke,
    /// What it stands for.
    pub(crate) label: String,
    /// Figures worth reading beside it; may be empty.
    pub(crate) note: String,
}

impl Key {
    /// An entry for what is drawn without gaps.
    pub(crate) fn solid(colour: Colour, label: impl Into<String>, note: impl Into<String>) -> Self {
        Self { colour, stroke: Stroke::Solid, label: label.into(), note: note.into() }
    }
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stroke {
    /// Without gaps.
    Solid,
    /// In dashes.
    Dashed,
}
