//! How a whole divides, per pair of kinds: rows from, columns to, bars cut in parts.

use super::canvas::{self, Anchor, Canvas, TEXT};
use super::grid::Grid;
use super::{Key, Plot, PlotError};
use crate::palette::{Colour, INK, MUTED, RULE};

const CELL: (f64, f64) = (76.0, 42.0);
/// Longest kind that fits above a column; longer ones are numbered.
const SHORT: usize = 10;
/// Space between cells, and around what is in them.
const GAP: f64 = 1.0;
const PADDING: f64 = 5.0;
/// Upper edge of the bars, and their height all together.
const BARS: (f64, f64) = (22.0, 14.0);

/// One pair of kinds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cell {
    /// The most important of it in words, for those who do not tell colours apart.
    pub(crate) text: String,
    /// Bars from the top down, each of parts from the left; the parts' sizes are relative to their sum.
    pub(crate) bars: Vec<Vec<(Colour, f64)>>,
}

/// Draws `cells[row][column]` over the kinds, which label rows and columns alike.
pub(crate) fn draw(
    title: &str,
    kinds: &[String],
    cells: &[Vec<Option<Cell>>],
    legend: Vec<Key>,
) -> Result<Plot, PlotError> {
    let grid = Grid::new(kinds, CELL, SHORT);
    let svg = canvas::draw(grid.size(), title, |canvas| {
        grid.draw(canvas)?;
        for (row, cells) in cells.iter().enumerate() {
            for (column, cell) in cells.iter().enumerate() {
                draw_cell(canvas, grid.corner(row, column), cell.as_ref())?;
            }
        }
        Ok(())
    })?;
    Ok(Plot { svg, wide: grid.wide(), legend })
}

fn draw_cell(canvas: &Canvas<'_>, (x, y): (f64, f64), cell: Option<&Cell>) -> Result<(), PlotError> {
    canvas.rectangle((x + GAP, y + GAP), (x + CELL.0 - GAP, y + CELL.1 - GAP), RULE, 0.35)?;
    let Some(cell) = cell else {
        return canvas.text("–", (x + CELL.0 / 2.0, y + CELL.1 / 2.0), Anchor::Middle, MUTED, TEXT);
    };
    canvas.text(&cell.text, (x + CELL.0 / 2.0, y + BARS.0 / 2.0 + 1.0), Anchor::Middle, INK, TEXT - 1.0)?;
    let height = BARS.1 / cell.bars.len().max(1) as f64;
    for (index, bar) in cell.bars.iter().enumerate() {
        let top = y + BARS.0 + height * index as f64;
        for (colour, from, until) in cuts(bar) {
            let place = |share: f64| x + PADDING + share * (CELL.0 - 2.0 * PADDING);
            canvas.rectangle((place(from), top), (place(until), top + height - GAP), colour, 1.0)?;
        }
    }
    Ok(())
}

/// Where each part of a bar begins and ends, as shares of the whole.
fn cuts(parts: &[(Colour, f64)]) -> Vec<(Colour, f64, f64)> {
    let whole: f64 = parts.iter().map(|(_, size)| size).sum();
    let mut end = 0.0;
    let cut = |(colour, size): &(Colour, f64)| {
        let start = end;
        end += size / whole;
        (*colour, start, end)
    };
    parts.iter().filter(|(_, size)| *size > 0.0).map(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::palette::{BLUE, GREEN};

    #[test]
    fn the_parts_of_a_bar_fill_it_in_proportion() {
        assert_eq!(cuts(&[(BLUE, 1.0), (INK, 0.0), (GREEN, 3.0)]), [(BLUE, 0.0, 0.25), (GREEN, 0.25, 1.0)]);
        assert_eq!(cuts(&[]), []);
        assert_eq!(cuts(&[(BLUE, 0.0)]), []);
    }

    #[test]
    fn a_cell_has_its_words_and_a_rectangle_per_part() {
        let cell = Cell { text: "quic 75 %".into(), bars: vec![vec![(BLUE, 3.0), (GREEN, 1.0)]] };
        let plot = draw("", &["a".into(), "b".into()], &[vec![Some(cell), None]], Vec::new()).unwrap();
        assert!(plot.svg.contains("quic 75 %"));
        assert_eq!((plot.svg.matches("#0072B2").count(), plot.svg.matches("#009E73").count()), (1, 1));
    }
}
