//! How good a connection is, and what to do about it.
//!
//! | part | noun |
//! |---|---|
//! | [`Meter`] | what is measured of one connection |
//! | [`Score`] | one number of 0 to 100, and what costs it most |
//! | [`Machine`] | upgrade, switch the relay or reconnect when the score stays low |
//!
//! **Score.** `(latency + jitter + throughput + direct) * loss`, rounded, where
//!
//! | term | most points | all of them at | none at |
//! |---|---|---|---|
//! | latency: smoothed round-trip time | 50 | 50 ms or less | 1 s or more |
//! | jitter | 20 | 5 ms or less | 250 ms or more |
//! | throughput while there was something to carry | 15 | 256 KiB/s or more | 0 |
//! | direct | 15 | direct | relayed |
//! | loss, as a factor | 1 | 0 % | 25 % or more |
//!
//! and each is linear between. A round-trip time that was never measured gives half of its points; a connection that had nothing to
//! carry gets all those of throughput. A better value of one input never gives a lower score (tested).
//!
//! **Actions.** See the table of [`Machine`].

mod action;
mod meter;
mod score;

pub use action::{Action, HIGH, HOLD, Input, LOW, Machine, Output, PAUSE, Reason, STALE, Way};
pub use meter::{Kind, Measurement, Meter, Transport};
pub use score::{Factor, Score};
