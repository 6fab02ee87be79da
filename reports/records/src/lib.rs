//! What a simulation run writes and a report reads.
//!
//! | module | noun |
//! |---|---|
//! | [`record`] | one line of `records.jsonl`, with the format's version |
//! | [`read`] | a records file as values, refused when it is of another version |
//! | [`figure`] | the catalogue of everything a run measures: name, unit, tags |
//! | [`sample`] | the measured values of a run, by figure |
//! | [`statistic`] | count, share, percentile and their kin over samples |
//! | [`expectation`] | `p95(connect_time) < 3s`: parsed, checked against the catalogue, evaluated |
//! | [`summary`] | `summary.json`: one entry per run, for scripts |
//! | [`sweep`] | `sweep.json` and `cell.json`: which runs a sweep consists of, and what each came to |
//! | [`mod@unit`] | `20ms`, `1%`, `20Mbit`, `64KiB`: read and written the same way everywhere |
//! | [`nearest`] | the name that was probably meant |
//!
//! Records of a run are a function of scenario, seed and code: they hold virtual time only, so two runs of the same seed write
//! the same bytes. What a run cost (wall clock, CPU, memory) is in the summary instead.
//!
//! An expectation never passes for lack of evidence: a figure without samples is an error, and a name outside the catalogue is
//! refused before anything runs.

pub mod expectation;
pub mod figure;
pub mod nearest;
pub mod read;
pub mod record;
pub mod sample;
pub mod statistic;
pub mod summary;
pub mod sweep;
pub mod unit;
