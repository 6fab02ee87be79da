//! Answers that are judged by themselves: histories by their length, proofs by where they lead.

use bitcoin::{TxMerkleNode, Txid};
use electrum_streaming_client::response::{Tx, TxMerkle};

use super::misbehaviour::Misbehaviour;

/// Transactions in the history of one script. Servers tell fewer; a wallet takes no more in one answer.
const MAX_HISTORY: usize = 50_000;

/// Steps from a transaction to the root of its block: 2^24 transactions do not fit into one.
const MAX_BRANCH: usize = 24;

/// The size of an inner node of a merkle tree. A transaction as large could be taken for one, and prove what is not in the
/// block (CVE-2017-12842).
const INNER_NODE: usize = 64;

/// A transaction in a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// Which.
    pub(super) txid: Txid,
    /// The height of its block, not proven; none while it waits.
    pub(super) height: Option<u32>,
}

/// A history, if it is as long as somebody's can be.
pub(super) fn history(answer: Vec<Tx>) -> Result<Vec<Seen>, Misbehaviour> {
    if answer.len() > MAX_HISTORY {
        return Err(Misbehaviour::History { found: answer.len(), limit: MAX_HISTORY });
    }
    let seen = |tx: Tx| {
        let height = tx.confirmation_height().map(|height| height.to_consensus_u32());
        // Nobody pays in the genesis block: height 0 means the mempool.
        Seen { txid: tx.txid(), height: height.filter(|height| *height > 0) }
    };
    Ok(answer.into_iter().map(seen).collect())
}

/// Whether a merkle branch leads from a transaction of this size, without witnesses, to the root of its block.
pub(super) fn proves(proof: &TxMerkle, txid: Txid, size: usize, height: u32, root: TxMerkleNode) -> bool {
    let steps = proof.merkle.len();
    size != INNER_NODE
        && steps <= MAX_BRANCH
        && proof.pos >> steps == 0
        && proof.block_height.to_consensus_u32() == height
        && proof.expected_merkle_root(txid) == root
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::hashes::Hash as _;
    use proptest::prelude::*;

    #[test]
    fn a_transaction_of_the_size_of_an_inner_node_proves_nothing() {
        let txid = Txid::from_byte_array([2; 32]);
        let proof: TxMerkle = serde_json::from_str("{\"block_height\":5,\"pos\":0,\"merkle\":[]}").unwrap();
        let root = TxMerkleNode::from_byte_array([2; 32]);
        assert!(proves(&proof, txid, 65, 5, root));
        assert!(!proves(&proof, txid, 64, 5, root));
        assert!(!proves(&proof, txid, 65, 6, root));
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn no_history_and_no_proof_makes_it_panic(
            height in any::<i64>(), fee in proptest::option::of(any::<i64>()), pos in any::<u64>(), steps in 0..70_usize,
        ) {
            let hash = "aa".repeat(32);
            let fee = fee.map_or(String::new(), |fee| format!(",\"fee\":{fee}"));
            let text = format!("[{{\"tx_hash\":\"{hash}\",\"height\":{height}{fee}}}]");
            if let Ok(answer) = serde_json::from_str::<Vec<Tx>>(&text) {
                let seen = history(answer).expect("it is short");
                prop_assert!(seen[0].height.is_none_or(|height| height > 0));
            }
            let merkle = vec![format!("\"{hash}\""); steps].join(",");
            let text = format!("{{\"block_height\":5,\"pos\":{pos},\"merkle\":[{merkle}]}}");
            if let Ok(proof) = serde_json::from_str::<TxMerkle>(&text) {
                let root = TxMerkleNode::from_byte_array([1; 32]);
                prop_assert!(!proves(&proof, Txid::from_byte_array([2; 32]), 100, 5, root));
            }
        }
    }
}
