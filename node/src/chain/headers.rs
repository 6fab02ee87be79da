//! The headers of the chain with the most work, from a checkpoint on.
//!
//! | what is checked | how |
//! |---|---|
//! | each header builds on the one before | by hash, from the checkpoint on, and backwards from it |
//! | each has its work | below its own target, and that within the network's limit |
//! | difficulty and time | by the network's rules (`difficulty`), which need the checkpoint's period of difficulty: it is fetched as well |
//! | the chain | the one with the most work of those that were offered |
//!
//! Deliberately absent: anything inside of a block. Whoever wants to lie with less work than the network does has to work at full
//! difficulty to the end of a period first.
//!
//! A header has 80 bytes; a million of them, which is more than mainnet has, takes 80 MB. They are held from the oldest
//! block that was asked about, which is the checkpoint unless the wallet is older.

use std::collections::VecDeque;

use bitcoin::block::Header;
use bitcoin::consensus::Params;
use bitcoin::{Network, Work};
use darkswap_wallet::bdk_chain::BlockId;
use thiserror::Error;

use super::difficulty::{self, PERIOD};

/// How many headers are held at most: mainnet until the year 2040. 120 MB.
pub(super) const MAX_HEADERS: usize = 1_500_000;

/// Why a header cannot be in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HeaderFault {
    /// It does not build on the one before.
    #[error("it does not build on the block before it")]
    Link,
    /// Its hash is not below its target.
    #[error("its hash is not below its own target")]
    Work,
    /// Its target is easier than the network allows.
    #[error("its target is easier than the network allows")]
    Limit,
    /// Its difficulty is not what the blocks before it demand.
    #[error("its difficulty is not the one that follows from the blocks before it")]
    Difficulty,
    /// It is dated too early.
    #[error("it is dated earlier than the blocks before it allow")]
    Time,
    /// There are too many of them.
    #[error("there are more than {MAX_HEADERS} headers")]
    TooMany,
}

/// What an offer did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    /// All of it was known.
    Known,
    /// The tip moved on.
    Extended,
    /// Blocks after this height were replaced by ones with more work.
    Reorganised {
        /// The last height that both have.
        fork: u32,
    },
    /// It has no more work than what is known.
    Weaker,
}

/// Headers of consecutive heights, checked.
#[derive(Debug)]
pub(super) struct Headers {
    params: Params,
    checkpoint: BlockId,
    /// The height of the first one held.
    base: u32,
    chain: VecDeque<Header>,
    /// The lowest and the highest height that changed since somebody asked.
    changed: Option<(u32, u32)>,
}

impl Headers {
    /// None yet; the first one must be the checkpoint.
    pub(super) fn new(network: Network, checkpoint: BlockId) -> Self {
        let (base, chain) = (checkpoint.height, VecDeque::new());
        Self { params: Params::new(network), checkpoint, base, chain, changed: None }
    }

    /// The lowest height without which difficulty cannot be checked.
    pub(super) fn needed(&self) -> u32 {
        self.checkpoint.height - self.checkpoint.height % PERIOD
    }

    /// The lowest and the highest height that changed since this was asked last.
    pub(super) fn take_changes(&mut self) -> Option<(u32, u32)> {
        self.changed.take()
    }

    fn change(&mut self, first: u32, last: u32) {
        let (lowest, highest) = self.changed.unwrap_or((first, last));
        self.changed = Some((lowest.min(first), highest.max(last)));
    }

    /// The block from which on all is checked.
    pub(super) fn checkpoint(&self) -> BlockId {
        self.checkpoint
    }

    /// The lowest height held.
    pub(super) fn base(&self) -> u32 {
        self.base
    }

    /// The last block; none until the first offer.
    pub(super) fn tip(&self) -> Option<BlockId> {
        let above = u32::try_from(self.chain.len().checked_sub(1)?).ok()?;
        let height = self.base.checked_add(above)?;
        Some(BlockId { height, hash: self.chain.back()?.block_hash() })
    }

    /// The header at a height, if it is held.
    pub(super) fn header(&self, height: u32) -> Option<&Header> {
        self.chain.get(usize::try_from(height.checked_sub(self.base)?).ok()?)
    }

    /// The block at a height, if its header is held.
    pub(super) fn block(&self, height: u32) -> Option<BlockId> {
        Some(BlockId { height, hash: self.header(height)?.block_hash() })
    }

    /// Whether a header at this height builds on what is held, or is the checkpoint.
    pub(super) fn meets(&self, height: u32, header: &Header) -> bool {
        if height == self.checkpoint.height && header.block_hash() == self.checkpoint.hash {
            return true;
        }
        let below = height.checked_sub(1).and_then(|below| self.header(below));
        below.is_some_and(|below| below.block_hash() == header.prev_blockhash)
    }

    /// Takes consecutive headers whose first one [meets](Self::meets) what is held, if they are in order and their chain has
    /// more work.
    ///
    /// An error comes with the height of the header that is at fault.
    pub(super) fn offer(&mut self, start: u32, offered: &[Header]) -> Result<Offer, (u32, HeaderFault)> {
        let known = offered.iter().zip(start..).take_while(|(new, height)| self.header(*height) == Some(*new)).count();
        let new = &offered[known..];
        let first = start.saturating_add(u32::try_from(known).unwrap_or(u32::MAX));
        if new.is_empty() {
            return Ok(Offer::Known);
        }
        self.check(first, new)?;
        let held = usize::try_from(first.saturating_sub(self.base)).unwrap_or(usize::MAX);
        if held.saturating_add(new.len()) > MAX_HEADERS {
            return Err((first, HeaderFault::TooMany));
        }
        let replaced = self.chain.len().saturating_sub(held);
        if replaced > 0 && work(new.iter()) <= work(self.chain.range(held..)) {
            return Ok(Offer::Weaker);
        }
        self.chain.truncate(held);
        self.chain.extend(new);
        self.change(first, first.saturating_add(u32::try_from(new.len()).unwrap_or(u32::MAX)).saturating_sub(1));
        Ok(if replaced > 0 { Offer::Reorganised { fork: first.saturating_sub(1) } } else { Offer::Extended })
    }

    /// Takes the headers that end below the first one held. True if they link to it.
    pub(super) fn prepend(&mut self, older: &[Header]) -> bool {
        let Some(mut next) = self.chain.front().map(|header| header.prev_blockhash) else { return false };
        if u32::try_from(older.len()).is_ok_and(|count| count > self.base)
            || older.len() + self.chain.len() > MAX_HEADERS
        {
            return false;
        }
        for header in older.iter().rev() {
            if header.block_hash() != next {
                return false;
            }
            next = header.prev_blockhash;
        }
        let above = self.base;
        for header in older.iter().rev() {
            self.chain.push_front(*header);
            self.base -= 1;
        }
        if self.base < above {
            self.change(self.base, above - 1);
        }
        true
    }

    fn check(&self, first: u32, new: &[Header]) -> Result<(), (u32, HeaderFault)> {
        let at = |height: u32| match height.checked_sub(first) {
            Some(above) => new.get(usize::try_from(above).ok()?).copied(),
            None => self.header(height).copied(),
        };
        for (header, height) in new.iter().zip(first..) {
            let fault = |fault| (height, fault);
            let hash = header.block_hash();
            let before = height.checked_sub(1).and_then(at);
            let is_checkpoint = height == self.checkpoint.height && hash == self.checkpoint.hash;
            match before {
                Some(before) if before.block_hash() != header.prev_blockhash => return Err(fault(HeaderFault::Link)),
                Some(_) => {}
                None if is_checkpoint => {}
                None => return Err(fault(HeaderFault::Link)),
            }
            if header.target() > self.params.max_attainable_target {
                return Err(fault(HeaderFault::Limit));
            }
            if !header.target().is_met_by(hash) {
                return Err(fault(HeaderFault::Work));
            }
            if !is_checkpoint {
                difficulty::check(&self.params, height, header, &at).map_err(fault)?;
            }
        }
        Ok(())
    }
}

fn work<'a>(headers: impl Iterator<Item = &'a Header>) -> Work {
    headers.map(Header::work).fold(Work::from_be_bytes([0; 32]), |sum, work| sum + work)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use bitcoin::constants::genesis_block;
    use bitcoin::hashes::Hash as _;

    pub(in crate::chain) fn genesis() -> BlockId {
        BlockId { height: 0, hash: genesis_block(Network::Regtest).block_hash() }
    }

    /// A header of regtest difficulty; `tag` makes branches differ.
    fn child(of: &Header, tag: u8) -> Header {
        let mut header = *of;
        header.prev_blockhash = of.block_hash();
        header.time += 600;
        header.merkle_root = bitcoin::TxMerkleNode::from_byte_array([tag; 32]);
        header.nonce = 0;
        while !header.target().is_met_by(header.block_hash()) {
            header.nonce += 1;
        }
        header
    }

    pub(in crate::chain) fn branch(from: &Header, count: usize, tag: u8) -> Vec<Header> {
        std::iter::successors(Some(child(from, tag)), |last| Some(child(last, tag))).take(count).collect()
    }

    fn held(count: usize) -> (Headers, Vec<Header>) {
        let mut headers = Headers::new(Network::Regtest, genesis());
        let mut chain = vec![genesis_block(Network::Regtest).header];
        chain.extend(branch(&chain[0], count, 1));
        assert_eq!(headers.offer(0, &chain), Ok(Offer::Extended));
        (headers, chain)
    }

    #[test]
    fn a_heavier_branch_replaces_and_an_equal_one_does_not() {
        let (mut headers, chain) = held(5);
        assert_eq!(headers.offer(3, &branch(&chain[2], 3, 2)), Ok(Offer::Weaker));
        assert_eq!(headers.block(5).map(|block| block.hash), Some(chain[5].block_hash()));
        let heavier = branch(&chain[2], 4, 3);
        assert_eq!(headers.offer(3, &heavier), Ok(Offer::Reorganised { fork: 2 }));
        assert_eq!(headers.tip().map(|tip| (tip.height, tip.hash)), Some((6, heavier[3].block_hash())));
    }

    #[test]
    fn a_broken_link_and_missing_work_are_named_with_their_height() {
        let (mut headers, chain) = held(2);
        let mut next = branch(&chain[2], 3, 4);
        next.remove(1);
        assert_eq!(headers.offer(3, &next), Err((4, HeaderFault::Link)));
        let mut lazy = child(&chain[2], 5);
        while lazy.target().is_met_by(lazy.block_hash()) {
            lazy.nonce += 1;
        }
        assert_eq!(headers.offer(3, &[lazy]), Err((3, HeaderFault::Work)));
        assert_eq!(headers.tip().map(|tip| tip.height), Some(2));
    }

    #[test]
    fn another_checkpoint_is_not_met() {
        let mut headers = Headers::new(Network::Regtest, genesis());
        let other = genesis_block(Network::Bitcoin).header;
        assert!(!headers.meets(0, &other));
        assert_eq!(headers.offer(0, &[other]), Err((0, HeaderFault::Link)));
    }

    #[test]
    fn older_headers_are_taken_only_where_they_link() {
        let (_, chain) = held(6);
        let checkpoint = BlockId { height: 4, hash: chain[4].block_hash() };
        let mut headers = Headers::new(Network::Regtest, checkpoint);
        assert_eq!(headers.offer(4, &chain[4..]), Ok(Offer::Extended));
        assert!(!headers.prepend(&chain[1..3]));
        assert!(headers.prepend(&chain[2..4]));
        assert_eq!((headers.base(), headers.header(2)), (2, Some(&chain[2])));
        assert_eq!(headers.tip().map(|tip| tip.height), Some(6));
    }

    #[test]
    fn a_header_of_another_difficulty_or_of_the_past_is_refused() {
        let (mut headers, chain) = held(20);
        let mined = |mut header: Header| {
            while !header.target().is_met_by(header.block_hash()) {
                header.nonce += 1;
            }
            header
        };
        let next = child(&chain[20], 6);
        let harder = mined(Header { bits: bitcoin::CompactTarget::from_consensus(0x2000_ffff), ..next });
        assert_eq!(headers.offer(21, &[harder]), Err((21, HeaderFault::Difficulty)));
        let easier = Header { bits: bitcoin::CompactTarget::from_consensus(0x2100_ffff), ..next };
        assert_eq!(headers.offer(21, &[easier]), Err((21, HeaderFault::Limit)));
        let early = mined(Header { time: chain[15].time, ..next });
        assert_eq!(headers.offer(21, &[early]), Err((21, HeaderFault::Time)));
        assert_eq!(headers.offer(21, &[next]), Ok(Offer::Extended));
    }

    #[test]
    fn what_changed_is_told_once() {
        let (mut headers, chain) = held(5);
        assert_eq!(headers.take_changes(), Some((0, 5)));
        assert_eq!(headers.take_changes(), None);
        assert_eq!(headers.offer(3, &branch(&chain[2], 3, 2)), Ok(Offer::Weaker));
        assert_eq!(headers.take_changes(), None);
        let heavier = branch(&chain[2], 4, 3);
        assert_eq!(headers.offer(3, &heavier), Ok(Offer::Reorganised { fork: 2 }));
        assert_eq!(headers.offer(7, &branch(&heavier[3], 1, 3)), Ok(Offer::Extended));
        assert_eq!(headers.take_changes(), Some((3, 7)));
    }

    #[test]
    fn a_checkpoint_needs_the_beginning_of_its_period() {
        let needed = |height| Headers::new(Network::Bitcoin, BlockId { height, ..genesis() }).needed();
        assert_eq!([2_015, 2_016, 840_000].map(needed), [0, 2_016, 838_656]);
    }
}
