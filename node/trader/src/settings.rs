//! What an operator decides.

use std::time::Duration;

use darkswap_trade::book::Capacity;
use darkswap_trade::psbt::{MAX_FEE_RATE, MIN_FEE_RATE};
use darkswap_trade::swap::Policy;

/// What an operator decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How swaps are made.
    pub policy: Policy,
    /// How many orders of everybody are kept.
    pub capacity: Capacity,
    /// Whether interactive orders name the coins that back them. Everybody can see then whose coins these are.
    pub reveals_funding: bool,
    /// Whether the seed was in use before this store was: then the chain is searched for its coins once.
    pub recovers: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let policy = Policy {
            // What wallets call settled for everyday amounts.
            confirmations: 3,
            // Several round trips over a slow relay and a person's patience.
            window: Duration::from_secs(60),
            fee_rates: (MIN_FEE_RATE, MAX_FEE_RATE),
        };
        Self { policy, capacity: Capacity::default(), reveals_funding: false, recovers: false }
    }
}
