//! The wallet without I/O: keys, coins with the assets on them, reservations, payments, and the seed at rest.
//!
//! | module | noun |
//! |---|---|
//! | [`seed`] | the entropy of everything, as BIP 39 words |
//! | [`sealed`] | the seed at rest, behind a passphrase or a key file |
//! | [`wallet`] | addresses, chain, balance, persistence; with parts below |
//! | [`coin`] | an own output and what may be done with it |
//! | [`selection`] | which coins pay: fewest, then oldest |
//! | [`reservation`] | coins promised to one holder until a time |
//! | [`payment`] | sends, transfers, fee bumps, reclaims |
//! | [`signing`] | signatures on own inputs, and on nothing else |
//!
//! Invariants:
//! - **Denied by default.** A coin is spent as bitcoin only after the caller said what is on it and the answer was "nothing".
//!   What was said is forgotten when a reorganisation moves the coin.
//! - A coin that carries assets never pays a fee, and two holders never have the same coin.
//! - Only inputs that the caller names are signed, and each signature is verified before it leaves.
//! - No I/O, no clock, no tasks: time is an argument. Entropy is an argument with one exception: [`sealed`] takes salts and
//!   nonces from the operating system, because the crate `age` offers no other way.
//!
//! Deliberately absent: how facts come from the chain (the caller turns requests into updates), where bytes are stored, and what
//! assets are on an output (an index of runes or alkanes knows).

pub mod coin;
mod keys;
mod pairs;
pub mod payment;
pub mod reservation;
pub mod sealed;
pub mod seed;
pub mod selection;
pub mod signing;
pub mod wallet;

pub use bdk_wallet::{KeychainKind as Keychain, Update, WalletEvent, chain as bdk_chain};
pub use coin::{CoinState, OwnCoin};
pub use reservation::{Holder, ReservationError};
pub use sealed::{Lock, SealError, SealKey, SealedSeed};
pub use seed::{Seed, SeedError};
pub use selection::{Selection, SelectionError};
pub use wallet::{AssetBalance, Balance, ScanRequest, SyncRequest, Wallet, Write};
