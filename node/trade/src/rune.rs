//! The runes protocol: what a transaction does to the runes on its inputs.
//!
//! | module | noun |
//! |---|---|
//! | [`transfer`] | where the runes on the inputs of one transaction go |
//! | [`script`] | the output script of a runestone: written, and refused where a reader would see something else |
//! | [`index`] | every rune and every balance of a chain, block by block, with a way back |
//! | [`amount`] | decimal text and units |
//! | [`name`] | names of runes as people write them |
//!
//! The program `ord` is the specification of runes; its documentation says so. Crate `ordinals` decodes runestones, and the rules here
//! follow ord 0.29. What a malformed runestone does is a rule of the protocol as well: it is a *cenotaph*, and burns every rune on the inputs.

use std::collections::BTreeMap;

use ordinals::RuneId;

pub mod amount;
pub mod index;
pub mod name;
pub mod script;
pub mod transfer;

pub use index::{Entry, Index, IndexError, MemoryState, PreviousOutput, State, Tip, Undo};
pub use script::{ScriptError, etching_script, mint_script, transfer_script};
pub use transfer::{Allocation, Context, TransferError, allocate};

/// Units by rune. No entry has the value zero.
pub type Balances = BTreeMap<RuneId, u128>;
