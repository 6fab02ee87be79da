//! Traders over a network that loses, on a chain, with disks that are all that a crash leaves. Each case follows from its seed; a
//! failing one is repeated with `TRADER_MODEL_SEED=n`, and `TRADER_MODEL_CASES=n` plays more of them.
//!
//! In every case:
//! - nothing is said, published or broadcast that the disk does not know;
//! - every swap ends, and everybody has what its own records say, to the last satoshi and unit;
//! - books become equal; no honest peer is blamed.

#![allow(clippy::unwrap_used, reason = "helpers of tests: what fails there fails the test")]

#[path = "trader_model/cases.rs"]
mod cases;
#[path = "trader_model/chain.rs"]
mod chain;
#[path = "trader_model/judge.rs"]
mod judge;
#[path = "trader_model/world.rs"]
mod world;
