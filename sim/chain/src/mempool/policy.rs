//! What a node relays.

use std::time::Duration;

/// The rules of admission to a mempool. The defaults are those of Bitcoin Core 31, but for `max_vsize`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Lowest fee rate, in satoshis per 1,000 virtual bytes (`-minrelaytxfee`).
    pub min_relay_fee_rate: u64,
    /// What a replacement pays on top for its own relay, in satoshis per 1,000 virtual bytes (`-incrementalrelayfee`).
    pub incremental_fee_rate: u64,
    /// An output is dust if spending it at this fee rate would cost more than it holds (`-dustrelayfee`).
    pub dust_fee_rate: u64,
    /// Highest fee rate that is not taken for a mistake (the default of `sendrawtransaction`).
    pub max_fee_rate: u64,
    /// Most bytes in the `OP_RETURN` outputs of a transaction (`-datacarriersize`).
    pub max_data_carrier: usize,
    /// Most unconfirmed ancestors, itself included (`-limitancestorcount`).
    pub max_ancestors: usize,
    /// Most unconfirmed descendants of any ancestor, that one included (`-limitdescendantcount`).
    pub max_descendants: usize,
    /// Largest family in either direction, in virtual bytes (`-limitancestorsize`, `-limitdescendantsize`).
    pub max_family_vsize: u64,
    /// Most transactions that one replacement may evict (BIP 125, rule 5).
    pub max_replaced: usize,
    /// Whether transactions can be replaced that did not signal it (`-mempoolfullrbf`).
    pub full_rbf: bool,
    /// The size of the mempool in virtual bytes; what pays least is evicted above it. Core counts memory (`-maxmempool`).
    pub max_vsize: u64,
    /// Who waits longer is dropped (`-mempoolexpiry`).
    pub expiry: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            min_relay_fee_rate: 100,
            incremental_fee_rate: 100,
            dust_fee_rate: 3_000,
            max_fee_rate: 10_000_000,
            max_data_carrier: 100_000,
            max_ancestors: 25,
            max_descendants: 25,
            max_family_vsize: 101_000,
            max_replaced: 100,
            full_rbf: true,
            // Twenty full blocks: what a scenario can fill, and no more memory than it can have.
            max_vsize: 20_000_000,
            expiry: Duration::from_secs(336 * 3_600),
        }
    }
}

/// The fee for a size at a rate in satoshis per 1,000 virtual bytes, rounded up.
pub fn required_fee(rate: u64, vsize: u64) -> u64 {
    u64::try_from((u128::from(rate) * u128::from(vsize)).div_ceil(1_000)).unwrap_or(u64::MAX)
}
