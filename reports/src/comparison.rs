//! The cells of a sweep compared: variants with a baseline, paired by seed.
//!
//! | module | noun |
//! |---|---|
//! | `grid` | the cells of one or several folders, each with one number per measure |
//! | `panel` | what the numbers of one measure come to |
//! | `forest` | intervals of means and of differences, drawn |
//! | `page` | the HTML page |
//! | `table` | the same as JSON and as CSV |
//!
//! What holds: the same cells give the same bytes, however they were spread over shards; no cost, time or path is part of them; a run
//! without data is named and never dropped in silence; one seed is refused.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

mod forest;
mod grid;
mod page;
mod panel;
mod table;

/// What [`compare`] wrote, and how complete it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// The page.
    pub html: PathBuf,
    /// Every number of the page, for scripts.
    pub json: PathBuf,
    /// One line per cell and measure.
    pub csv: PathBuf,
    /// Cells that have run.
    pub cells: usize,
    /// Cells of the whole sweep.
    pub planned: usize,
    /// What is and what is not distinguishable, by measure: a heading, then its sentences.
    pub sentences: Vec<(String, Vec<String>)>,
    /// What a reader should know that is no failure, such as a run without data; one line each, for a terminal.
    pub notices: Vec<String>,
}

/// Compares the cells in one or several folders (shards) of a sweep into `out`, which may be one of them.
///
/// Writes `comparison.html`, `comparison.json` and `comparison.csv`; what is there under these names is replaced. Cells that have not
/// run are an error unless `partial`.
///
/// # Errors
/// No folder; one that is no sweep's, or of another sweep or program; the same cell in two folders with different results; cells that
/// are missing; one seed only; or `out` cannot be written.
pub fn compare(folders: &[PathBuf], out: &Path, partial: bool) -> anyhow::Result<Compared> {
    let grid = grid::Grid::read(folders, partial)?;
    let panels = panel::panels(&grid);
    fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    let (html, json, csv) = (out.join("comparison.html"), out.join("comparison.json"), out.join("comparison.csv"));
    let notices: Vec<String> =
        grid.notices().into_iter().chain(panels.iter().flat_map(|panel| panel.notices(&grid))).collect();
    crate::write(&html, &page::page(&grid, &panels, &notices)?)?;
    crate::write(&json, &table::json(&grid, &panels)?)?;
    crate::write(&csv, &table::csv(&grid))?;
    // Only here: who died is no part of what the runs showed.
    let notices = notices.into_iter().chain(grid.replaced.iter().cloned()).collect();
    let sentences = panels.iter().map(|panel| (panel.measure.line.clone(), panel.sentences(&grid))).collect();
    Ok(Compared { html, json, csv, cells: grid.present(), planned: grid.cells.len(), sentences, notices })
}
