//! The difficulty and the time that a header has to have, by those before it: the rules of Bitcoin Core's `GetNextWorkRequired`
//! and `ContextualCheckBlockHeader`.
//!
//! | network | difficulty |
//! |---|---|
//! | mainnet, signet | adjusted every 2,016 blocks by the time that they took, at most by a factor of four |
//! | testnet3 | as well; a block more than 20 minutes after the one before has the lowest, and those after it have what was there before |
//! | testnet4 | as testnet3, adjusted from the first block of a period instead of its last one (BIP 94) |
//! | regtest | never adjusted |
//!
//! Times are later than the median of the eleven blocks before. On testnet4 the first block of a period is at most ten minutes
//! earlier than the one before it (BIP 94). Deliberately absent: that no block is two hours ahead of the calendar. It would only
//! keep somebody from lying who has the work for a whole period, at a cost of refusing the truth while a host's clock is wrong.

use bitcoin::block::Header;
use bitcoin::consensus::Params;
use bitcoin::{CompactTarget, Network};

use super::headers::HeaderFault;

/// How many blocks there are between two adjustments, on every network.
pub(super) const PERIOD: u32 = 2_016;

/// How many blocks make the median time.
const MEDIAN_SPAN: u32 = 11;

/// How much earlier than the block before the first one of a period may be, in seconds (BIP 94).
const MAX_TIMEWARP: u32 = 600;

/// Headers by height, of the chain that is looked at.
pub(super) trait Before {
    /// The header at a height, where it is held.
    fn at(&self, height: u32) -> Option<Header>;
}

impl<F: Fn(u32) -> Option<Header>> Before for F {
    fn at(&self, height: u32) -> Option<Header> {
        self(height)
    }
}

/// Whether a header can follow those before it.
///
/// All of its period that is before it, and the whole period before that where it is the first of one, has to be there; a header
/// for which they are not is refused. Of the blocks for the median those are enough that are held.
pub(super) fn check(params: &Params, height: u32, header: &Header, before: &impl Before) -> Result<(), HeaderFault> {
    if required(params, height, header.time, before) != Some(header.bits) {
        return Err(HeaderFault::Difficulty);
    }
    let in_time = median_time(height, before).is_none_or(|median| header.time > median);
    let last = height.checked_sub(1).and_then(|last| before.at(last));
    let warps = has_bip94(params)
        && height.is_multiple_of(PERIOD)
        && last.is_some_and(|last| header.time < last.time.saturating_sub(MAX_TIMEWARP));
    if in_time && !warps { Ok(()) } else { Err(HeaderFault::Time) }
}

/// The target that the header of this height and time has to have; none if too little of what is before it is held.
fn required(params: &Params, height: u32, time: u32, before: &impl Before) -> Option<CompactTarget> {
    let last = before.at(height.checked_sub(1)?)?;
    if params.no_pow_retargeting {
        return Some(last.bits);
    }
    if height.is_multiple_of(PERIOD) {
        let first = before.at(height.checked_sub(PERIOD)?)?;
        let from = if has_bip94(params) { first.bits } else { last.bits };
        // Blocks may be dated before those that they follow; then the period took no time.
        let took = u64::from(last.time.saturating_sub(first.time));
        return Some(CompactTarget::from_next_work_required(from, took, params));
    }
    if !params.allow_min_difficulty_blocks {
        return Some(last.bits);
    }
    let lowest = params.max_attainable_target.to_compact_lossy();
    if u64::from(time) > u64::from(last.time) + 2 * params.pow_target_spacing {
        return Some(lowest);
    }
    // The last block of the period that had a difficulty of its own.
    let (mut height, mut header) = (height - 1, last);
    while !height.is_multiple_of(PERIOD) && header.bits == lowest {
        height -= 1;
        header = before.at(height)?;
    }
    Some(header.bits)
}

/// The median time of the eleven blocks before a height; none where some of them are not held.
fn median_time(height: u32, before: &impl Before) -> Option<u32> {
    let mut times: Vec<u32> = (height.saturating_sub(MEDIAN_SPAN)..height)
        .map(|height| before.at(height).map(|header| header.time))
        .collect::<Option<_>>()?;
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

fn has_bip94(params: &Params) -> bool {
    params.network == Network::Testnet4
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bitcoin::constants::genesis_block;
    use proptest::prelude::*;

    use super::*;

    /// The lowest difficulty of mainnet and testnets.
    const LOWEST: u32 = 0x1d00_ffff;
    /// A higher one.
    const HIGHER: u32 = 0x1c05_a3f4;

    /// Headers of which only time and target matter.
    #[derive(Default)]
    struct Chain(BTreeMap<u32, Header>);

    impl Chain {
        fn of(blocks: impl IntoIterator<Item = (u32, u32, u32)>) -> Self {
            let header = |time, bits| Header {
                time,
                bits: CompactTarget::from_consensus(bits),
                ..genesis_block(Network::Bitcoin).header
            };
            Self(blocks.into_iter().map(|(height, time, bits)| (height, header(time, bits))).collect())
        }
    }

    impl Before for Chain {
        fn at(&self, height: u32) -> Option<Header> {
            self.0.get(&height).copied()
        }
    }

    fn bits(network: Network, height: u32, time: u32, before: &Chain) -> Option<u32> {
        required(&Params::new(network), height, time, before).map(CompactTarget::to_consensus)
    }

    /// Blocks of mainnet and signet, by Bitcoin Core's `pow_tests.cpp` and the chain itself.
    #[test]
    fn difficulty_is_adjusted_as_the_chains_did() {
        for (network, first, last, expected) in [
            // The first period was too slow, but there is nothing easier.
            (Network::Bitcoin, (0, 1_231_006_505), (2_015, 1_233_061_996, 0x1d00_ffff), 0x1d00_ffff),
            // The first change.
            (Network::Bitcoin, (30_240, 1_261_130_161), (32_255, 1_262_152_739, 0x1d00_ffff), 0x1d00_d86a),
            // No more than four times as difficult, and as easy.
            (Network::Bitcoin, (66_528, 1_279_008_237), (68_543, 1_279_297_671, 0x1c05_a3f4), 0x1c01_68fd),
            (Network::Bitcoin, (44_352, 1_263_163_443), (46_367, 1_269_211_443, 0x1c38_7f6f), 0x1d00_e1fd),
            (Network::Signet, (2_016, 1_599_332_844), (4_031, 1_600_591_200, 503_394_215), 503_397_348),
        ] {
            let before = Chain::of([(first.0, first.1, last.2), last]);
            assert_eq!(bits(network, last.0 + 1, 0, &before), Some(expected), "{network} {}", last.0 + 1);
        }
    }

    #[test]
    fn within_a_period_difficulty_stays_and_what_is_not_held_is_not_guessed() {
        let before = Chain::of([(2_016, 5, HIGHER)]);
        assert_eq!(bits(Network::Bitcoin, 2_017, 1_000_000, &before), Some(HIGHER));
        assert_eq!(bits(Network::Bitcoin, 2_018, 1_000_000, &before), None);
        assert_eq!(bits(Network::Bitcoin, 4_032, 9, &Chain::of([(4_031, 5, HIGHER)])), None);
        assert_eq!(bits(Network::Regtest, 2_016, 9, &Chain::of([(2_015, 5, 0x207f_ffff)])), Some(0x207f_ffff));
    }

    #[test]
    fn a_late_block_of_a_test_network_is_easy_and_the_next_one_is_not() {
        let before = Chain::of([(4_032, 0, HIGHER), (4_033, 600, HIGHER), (4_034, 1_801, LOWEST)]);
        for network in [Network::Testnet, Network::Testnet4] {
            assert_eq!(bits(network, 4_034, 1_800, &before), Some(HIGHER), "20 minutes are in time");
            assert_eq!(bits(network, 4_034, 1_801, &before), Some(LOWEST));
            assert_eq!(bits(network, 4_035, 1_900, &before), Some(HIGHER));
        }
        assert_eq!(bits(Network::Signet, 4_034, 1_801, &before), Some(HIGHER));
    }

    #[test]
    fn testnet4_adjusts_from_the_first_block_of_a_period_and_testnet3_from_the_last() {
        // Two weeks for a period: nothing to adjust.
        let before = Chain::of([(0, 0, HIGHER), (2_015, 1_209_600, LOWEST)]);
        assert_eq!(bits(Network::Testnet, 2_016, 1_209_700, &before), Some(LOWEST));
        assert_eq!(bits(Network::Testnet4, 2_016, 1_209_700, &before), Some(HIGHER));
    }

    #[test]
    fn a_period_on_testnet4_does_not_begin_much_before_the_last_one_ended() {
        let before = Chain::of((0..2_016).map(|height| (height, height * 600, HIGHER)));
        let last = 2_015 * 600;
        let begins = |network, time| {
            let params = Params::new(network);
            let bits = required(&params, 2_016, time, &before).unwrap();
            check(&params, 2_016, &Header { time, bits, ..before.at(0).unwrap() }, &before)
        };
        assert_eq!(begins(Network::Testnet4, last - 600), Ok(()));
        assert_eq!(begins(Network::Testnet4, last - 601), Err(HeaderFault::Time));
        assert_eq!(begins(Network::Testnet, last - 601), Ok(()));
    }

    #[test]
    fn a_block_is_later_than_the_median_of_eleven() {
        // Out of order, as miners' clocks are; the median is 15.
        let times = [10, 20, 11, 19, 12, 18, 13, 17, 14, 16, 15];
        let before = Chain::of((0..).zip(times).map(|(height, time)| (height, time, LOWEST)));
        let params = Params::new(Network::Bitcoin);
        let at = |time| check(&params, 11, &Header { time, ..before.at(0).unwrap() }, &before);
        assert_eq!((at(15), at(16)), (Err(HeaderFault::Time), Ok(())));
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn no_times_and_targets_make_it_panic(
            times in proptest::collection::vec((any::<u32>(), prop_oneof![Just(LOWEST), Just(HIGHER)]), 1..30),
            at in prop_oneof![Just(0_u32), 2_000..2_016_u32, Just(u32::MAX - 40)],
            time in any::<u32>(),
        ) {
            let count = u32::try_from(times.len()).unwrap();
            let first = at.max(2_015) - 2_015;
            let before = Chain::of(
                times.iter().zip(at..).map(|((time, bits), height)| (height, *time, *bits)).chain([(first, time, HIGHER)]),
            );
            for network in [Network::Bitcoin, Network::Testnet, Network::Testnet4, Network::Signet, Network::Regtest] {
                for height in at..=at + count {
                    let header = before.at(at).unwrap();
                    let _ = check(&Params::new(network), height, &Header { time, ..header }, &before);
                }
            }
        }
    }
}
