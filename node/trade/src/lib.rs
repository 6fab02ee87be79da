//! Trades without I/O: what is traded, what is offered, and how both sides make sure that they get what they agreed on.
//!
//! | module | noun |
//! |---|---|
//! | [`asset`] | what can be traded: bitcoin, runes, alkanes |
//! | [`coin`] | an output of the chain with the assets on it, as a check sees it |
//! | [`rune`] | the runes protocol: what a transaction does to the runes on its inputs |
//! | [`alkane`] | protostones: the transfer of alkanes |
//! | [`hex`] | ids as people read them |
//! | [`order`] | signed, versioned offers and their wire form |
//! | [`book`] | every valid order, by price and time |
//! | [`reconcile`] | how two books find their difference |
//! | [`psbt`] | the transaction of a swap: built, received, checked |
//! | [`swap`] | one swap from request to confirmation, for maker and taker |
//! | [`settlement`] | what came of swaps: the judge of scenarios and of tests on a real chain |
//!
//! Invariants: no I/O, no clock, no entropy, no tasks. Time is a [`Time`] argument, random bits are arguments. Amounts never wrap:
//! arithmetic is checked, and an overflow is a typed refusal.

pub mod alkane;
pub mod asset;
pub mod book;
pub mod coin;
pub mod hex;
pub mod order;
pub mod psbt;
pub mod reconcile;
pub mod rune;
pub mod settlement;
pub mod swap;

/// Time since the Unix epoch.
pub type Time = std::time::Duration;
