//! Lock times: absolute ones against the median time (BIP 113) and relative ones (BIP 68).
//!
//! What scripts demand of them (BIP 65, BIP 112) is the script library's matter; it only compares fields of the
//! transaction, and the rules here make these fields true.

use bitcoin::absolute::LOCK_TIME_THRESHOLD;
use bitcoin::{Sequence, Transaction};

use crate::coin::Coin;

/// The sequence bits that hold the amount of a relative lock.
const LOCK_MASK: u32 = 0xffff;
/// Relative times count in units of 512 seconds.
const TIME_GRANULARITY: u32 = 9;

/// Whether the lock time allows a block of this height after a chain with this median time.
pub(crate) fn is_final(transaction: &Transaction, height: u32, median_time_past: u32) -> bool {
    let lock = transaction.lock_time.to_consensus_u32();
    let reached = if lock < LOCK_TIME_THRESHOLD { height } else { median_time_past };
    lock == 0 || lock < reached || transaction.input.iter().all(|input| input.sequence == Sequence::MAX)
}

/// Whether all relative locks have passed in a block of this height.
///
/// `coins` are those that the inputs spend; `median_time_past(h)` is that of the block at height `h` of the chain below.
pub(crate) fn sequence_locks_passed(
    transaction: &Transaction,
    coins: &[Coin],
    height: u32,
    median_time_past: impl Fn(u32) -> u32,
) -> bool {
    // The version is a signed number that BIP 68 compares as an unsigned one.
    if (transaction.version.0 as u32) < 2 {
        return true;
    }
    transaction.input.iter().zip(coins).filter(|(input, _)| input.sequence.is_relative_lock_time()).all(
        |(input, coin)| {
            let amount = input.sequence.to_consensus_u32() & LOCK_MASK;
            if input.sequence.is_time_locked() {
                let start = u64::from(median_time_past(coin.height.saturating_sub(1)));
                let end = u64::from(median_time_past(height.saturating_sub(1)));
                start + (u64::from(amount) << TIME_GRANULARITY) <= end
            } else {
                coin.height.saturating_add(amount) <= height
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::{Amount, OutPoint, ScriptBuf, TxIn, TxOut, Witness, absolute, transaction};

    fn locked(lock_time: u32, sequence: u32) -> Transaction {
        Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::from_consensus(lock_time),
            input: vec![TxIn {
                previous_output: OutPoint::null(),
                script_sig: ScriptBuf::new(),
                sequence: Sequence(sequence),
                witness: Witness::new(),
            }],
            output: vec![],
        }
    }

    fn coin(height: u32) -> Coin {
        let output = TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::new() };
        Coin { output, height, coinbase: false }
    }

    #[test]
    fn a_lock_to_a_height_opens_in_the_block_after_it() {
        assert!(!is_final(&locked(10, 0), 10, 0));
        assert!(is_final(&locked(10, 0), 11, 0));
        assert!(is_final(&locked(10, u32::MAX), 5, 0), "final sequences switch the lock off");
    }

    #[test]
    fn a_lock_to_a_time_opens_when_the_median_time_has_passed_it() {
        assert!(!is_final(&locked(1_700_000_000, 0), 10, 1_700_000_000));
        assert!(is_final(&locked(1_700_000_000, 0), 10, 1_700_000_001));
    }

    #[test]
    fn a_relative_lock_of_blocks_counts_from_the_block_of_the_coin() {
        let passed = |height| sequence_locks_passed(&locked(0, 3), &[coin(10)], height, |_| 0);
        assert!(!passed(12));
        assert!(passed(13));
    }

    #[test]
    fn a_relative_lock_of_time_counts_from_the_median_time_before_the_coin() {
        let sequence = (1 << 22) | 2;
        let times = |height: u32| if height == 9 { 1_000 } else { 1_000 + 100 * height };
        let passed = |height| sequence_locks_passed(&locked(0, sequence), &[coin(10)], height, times);
        assert!(!passed(11), "median time is 2,000, the lock ends at 2,024");
        assert!(passed(12));
    }

    #[test]
    fn a_transaction_of_version_one_has_no_relative_locks() {
        let mut transaction = locked(0, 100);
        transaction.version = transaction::Version::ONE;
        assert!(sequence_locks_passed(&transaction, &[coin(10)], 11, |_| 0));
    }
}
