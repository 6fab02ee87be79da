//! Blocks that are in each chain for sure, so that nobody has to fetch and check what is below them.
//!
//! They are blocks that Bitcoin Core itself starts from when it loads a snapshot (`m_assumeutxo_data` in its chain parameters):
//! reviewed by many, and far below any tip. Older blocks are fetched when a wallet has coins in them, and lead here by hash.

use bitcoin::Network;
use bitcoin::constants::genesis_block;
use darkswap_wallet::bdk_chain::BlockId;

/// The newest block of a network that is taken for granted; its first block, where there is no other.
pub(super) fn checkpoint(network: Network) -> BlockId {
    match network {
        // The block of the fourth halving, in which runes began.
        Network::Bitcoin => block(840_000, "0000000000000000000320283a032748cef8227873ff4872689bf23f1cda83a5"),
        Network::Testnet => block(2_500_000, "0000000000000093bcb68c03a9a168ae252572d348a2eaeba2cdf9231d73206f"),
        Network::Testnet4 => block(90_000, "0000000002ebe8bcda020e0dd6ccfbdfac531d2f6a81457191b99fc2df2dbe3b"),
        Network::Signet => block(160_000, "0000003ca3c99aff040f2563c2ad8f8ec88bd0fd6b8f0895cfaf1ef90353a62c"),
        // Everybody has a chain of their own.
        Network::Regtest => BlockId { height: 0, hash: genesis_block(network).block_hash() },
    }
}

/// A block by its hash as explorers show it.
fn block(height: u32, hash: &str) -> BlockId {
    BlockId { height, hash: hash.parse().expect("what is written above is 64 digits") }
}

#[cfg(test)]
mod tests {
    use bitcoin::Target;
    use bitcoin::consensus::Params;

    use super::*;

    #[test]
    fn every_checkpoint_has_work_and_reads_as_it_is_written() {
        for network in [Network::Bitcoin, Network::Testnet, Network::Testnet4, Network::Signet, Network::Regtest] {
            let BlockId { height, hash } = checkpoint(network);
            let limit: Target = Params::new(network).max_attainable_target;
            assert!(limit.is_met_by(hash), "{network} {height}");
        }
        let shown = checkpoint(Network::Bitcoin).hash.to_string();
        assert_eq!(shown, "0000000000000000000320283a032748cef8227873ff4872689bf23f1cda83a5");
    }
}
