//! The node against stock libp2p, which speaks for every other implementation, and against peers that keep no rule.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod carrier;
#[path = "../../../tests/common/mod.rs"]
mod common;
mod frame;
mod hostile;
mod interop;
mod raw;
mod stock;
