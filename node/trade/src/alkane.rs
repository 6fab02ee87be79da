//! Protostones: the transfer of alkanes.
//!
//! | module | noun |
//! |---|---|
//! | [`protostone`] | the messages of protocols on top of runes, in the runestone's protocol field: read and written |
//! | [`transfer`] | where the alkanes on the inputs of one transaction go |
//! | [`script`] | the runestone that moves alkanes, and runes beside them |
//!
//! Alkanes are *protorunes* with protocol tag 1. The protorunes specification says how their messages are laid out and how balances move;
//! where it is silent, its reference indexer `alkanes-rs` decides, and its versions differ. So the rule here is to be certain or to refuse:
//! what that indexer has ever treated in two ways, what needs a contract to be run, and what converts runes into protorunes is refused with
//! the reason, never guessed.
//!
//! Deliberately absent: contracts. Which alkanes exist, and who holds them, only an indexer that runs every contract since the first one
//! knows. See [`ORIGIN_NOTICE`], which every user interface shows with an alkane balance.

pub mod protostone;
pub mod script;
pub mod transfer;

pub use protostone::{Edict, Protostone, ProtostoneError, protostones};
pub use script::{AlkaneScriptError, Transfer, transfer_script};
pub use transfer::{AlkaneRefusal, allocate, is_protected};

/// The protocol tag of alkanes.
pub const PROTOCOL: u128 = 1;

/// What a user must know of every alkane balance that is shown.
pub const ORIGIN_NOTICE: &str = "An alkane balance is only as good as the alkanes indexer that is configured. Contracts decide which \
    alkanes exist, and this program does not run them: it believes that indexer. If the indexer errs or lies, alkanes that you buy may not \
    exist. What a swap's transaction does with the balance is checked here.";
