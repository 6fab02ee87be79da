//! Connections over a network in virtual time.

#![allow(clippy::unwrap_used, reason = "tests")]

mod channels;
mod churn;
mod hostile;
mod recovery;
mod relayed;
mod restart;
mod setup;
#[path = "../support/mod.rs"]
mod support;
