//! Rows and columns labelled by the same kinds, with a cell for each pair.

use super::PlotError;
use super::canvas::{Anchor, Canvas, TEXT};
use crate::palette::{INK, MUTED};

/// Width in CSS pixels from which a grid is too wide for half a page.
const WIDE: f64 = 600.0;
/// Widest character of a label, as a share of the text's height.
const CHARACTER: f64 = 0.58;
/// Longest kind that is shown in full beside a row.
const LONG: usize = 44;
/// Height of the headings.
const TOP: f64 = 46.0;

/// Where everything is.
#[derive(Debug)]
pub(crate) struct Grid<'a> {
    kinds: &'a [String],
    labels: Vec<String>,
    numbered: bool,
    cell: (f64, f64),
    left: f64,
}

impl<'a> Grid<'a> {
    /// Lays out cells of one size. A kind of more than `short` characters does not fit above a column: then all are numbered.
    pub(crate) fn new(kinds: &'a [String], cell: (f64, f64), short: usize) -> Self {
        let numbered = kinds.iter().any(|kind| kind.chars().count() > short);
        let labels: Vec<String> =
            kinds.iter().enumerate().map(|(index, kind)| row_label(index, kind, numbered)).collect();
        let widest = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
        let left = (widest as f64 * TEXT * CHARACTER).max(76.0) + 16.0;
        Self { kinds, labels, numbered, cell, left }
    }

    /// Width and height of the whole.
    pub(crate) fn size(&self) -> (f64, f64) {
        let count = self.kinds.len() as f64;
        (self.left + self.cell.0 * count + 8.0, TOP + self.cell.1 * count + 8.0)
    }

    /// Whether it needs the whole width of a page.
    pub(crate) fn wide(&self) -> bool {
        self.size().0 > WIDE
    }

    /// The upper left corner of a cell.
    pub(crate) fn corner(&self, row: usize, column: usize) -> (f64, f64) {
        (self.left + self.cell.0 * column as f64, TOP + self.cell.1 * row as f64)
    }

    /// Draws the labels.
    pub(crate) fn draw(&self, canvas: &Canvas<'_>) -> Result<(), PlotError> {
        let (left, (width, height)) = (self.left, self.cell);
        canvas.text("from ↓   to →", (left - 10.0, TOP - 14.0), Anchor::Right, MUTED, TEXT)?;
        for (index, label) in self.labels.iter().enumerate() {
            let (x, y) = self.corner(index, index);
            let column = if self.numbered { (index + 1).to_string() } else { self.kinds[index].clone() };
            canvas.text(&column, (x + width / 2.0, TOP - 14.0), Anchor::Middle, INK, TEXT)?;
            canvas.text(label, (left - 10.0, y + height / 2.0), Anchor::Right, INK, TEXT)?;
        }
        Ok(())
    }
}

fn row_label(index: usize, kind: &str, numbered: bool) -> String {
    let mut label: String = kind.chars().take(LONG).collect();
    if kind.chars().count() > LONG {
        label.push('…');
    }
    if numbered { format!("{label}  {}", index + 1) } else { label }
}
