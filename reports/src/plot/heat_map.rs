//! A share per pair of kinds: rows from, columns to, coloured from none to all.

use super::canvas::{self, Anchor, Canvas, TEXT};
use super::grid::Grid;
use super::{Key, Plot, PlotError};
use crate::palette::{self, FAIL, INK, MUTED, RULE};

const CELL: (f64, f64) = (58.0, 38.0);
/// Longest kind that fits above a column; longer ones are numbered.
const SHORT: usize = 8;

/// Whether a cell came out as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mark {
    /// As predicted, or nothing was predicted.
    None,
    /// At least one pair better than predicted, none worse.
    Better,
    /// At least one pair worse than predicted.
    Worse,
}

/// One pair of kinds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cell {
    /// Share of 0 to 1.
    pub(crate) share: f64,
    /// Against the prediction.
    pub(crate) mark: Mark,
}

/// Draws `cells[row][column]` over the kinds, which label rows and columns alike.
pub(crate) fn draw(title: &str, kinds: &[String], cells: &[Vec<Option<Cell>>]) -> Result<Plot, PlotError> {
    let grid = Grid::new(kinds, CELL, SHORT);
    let svg = canvas::draw(grid.size(), title, |canvas| {
        grid.draw(canvas)?;
        for (row, cells) in cells.iter().enumerate() {
            for (column, cell) in cells.iter().enumerate() {
                draw_cell(canvas, grid.corner(row, column), *cell)?;
            }
        }
        Ok(())
    })?;
    let key = |share, label: &str| Key::solid(palette::share(share).0, label, "");
    Ok(Plot {
        svg,
        wide: grid.wide(),
        legend: vec![key(1.0, "100: every pair"), key(0.5, "50: half of them"), key(0.0, "0: none")],
    })
}

fn draw_cell(canvas: &Canvas<'_>, (x, y): (f64, f64), cell: Option<Cell>) -> Result<(), PlotError> {
    let (width, height) = CELL;
    let middle = (x + width / 2.0, y + height / 2.0);
    let Some(Cell { share, mark }) = cell else {
        canvas.rectangle((x + 1.0, y + 1.0), (x + width - 1.0, y + height - 1.0), RULE, 0.35)?;
        return canvas.text("–", middle, Anchor::Middle, MUTED, TEXT);
    };
    let (colour, ink) = palette::share(share);
    canvas.rectangle((x + 1.0, y + 1.0), (x + width - 1.0, y + height - 1.0), colour, 1.0)?;
    let percent = percent(share);
    let text = match mark {
        Mark::None => percent,
        Mark::Better => format!("{percent} ▲"),
        Mark::Worse => format!("{percent} ▼"),
    };
    canvas.text(&text, middle, Anchor::Middle, ink, TEXT + 1.0)?;
    if mark == Mark::None {
        return Ok(());
    }
    let (left, right, top, bottom) = (x + 2.0, x + width - 2.0, y + 2.0, y + height - 2.0);
    let frame = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top - 1.0)];
    canvas.line(&frame, if mark == Mark::Worse { FAIL } else { INK }, 2.5)
}

/// Whole per cent, where only all is 100 and only none is 0.
pub(crate) fn percent(share: f64) -> String {
    let percent = (share * 100.0).round();
    let percent = if share > 0.0 && share < 1.0 { percent.clamp(1.0, 99.0) } else { percent };
    format!("{percent:.0}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_all_is_a_hundred_and_only_none_is_zero() {
        assert_eq!([0.0, 0.001, 0.5, 0.999, 1.0].map(percent), ["0", "1", "50", "99", "100"]);
    }

    #[test]
    fn long_kinds_are_numbered_above_the_columns() {
        let kinds = ["public".to_string(), "endpoint_independent".to_string()];
        let plot = draw("", &kinds, &[vec![None, None], vec![None, None]]).unwrap();
        assert_eq!(plot.svg.matches("endpoint_independent").count(), 1);
        assert!(plot.svg.contains("endpoint_independent  2"));
    }

    #[test]
    fn a_cell_worse_than_predicted_is_marked_in_text_and_frame() {
        let cell = |mark| Some(Cell { share: 0.4, mark });
        let plain = draw("", &["a".into()], &[vec![cell(Mark::None)]]).unwrap();
        let worse = draw("", &["a".into()], &[vec![cell(Mark::Worse)]]).unwrap();
        assert!(worse.svg.contains("40 ▼") && worse.svg.contains("polyline"));
        assert!(plain.svg.contains(">40<") && !plain.svg.contains("polyline"));
    }
}
