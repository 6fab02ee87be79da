//! What is known of one rune, and whether it can be minted.

use bitcoin::Txid;
use bitcoin::hashes::Hash;
use ordinals::{Artifact, Rune, RuneId, Runestone, SpacedRune, Terms};
use serde::{Deserialize, Serialize};

/// The id of the rune that mainnet starts with.
pub(super) const GENESIS_ID: RuneId = RuneId { block: 1, tx: 0 };

/// A rune.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// How many runes were etched before it.
    pub number: u64,
    /// The transaction that etched it; zeros for the rune that mainnet starts with.
    pub etching: Txid,
    /// The height of that transaction's block.
    pub block: u64,
    /// When that block was found, in seconds since the Unix epoch, as its header says.
    pub timestamp: u64,
    /// Its name.
    pub rune: Rune,
    /// Where people write spacers in the name, one bit per gap between letters. Bits beyond the name are kept and mean nothing.
    pub spacers: u32,
    /// Decimal places that people see.
    pub divisibility: u8,
    /// Its currency symbol.
    pub symbol: Option<char>,
    /// Units that its etching made.
    pub premine: u128,
    /// Whether and when it can be minted.
    pub terms: Option<Terms>,
    /// How often it was minted.
    pub mints: u128,
    /// Units that are gone.
    pub burned: u128,
    /// Whether it opts in to future changes of the protocol.
    pub turbo: bool,
}

/// Why a rune cannot be minted in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MintRefusal {
    /// It was etched without terms.
    #[error("this rune was etched without mint terms")]
    Unmintable,
    /// Minting has not begun.
    #[error("minting begins with block {start}")]
    Early {
        /// The first block.
        start: u64,
    },
    /// Minting is over.
    #[error("minting ended before block {end}")]
    Late {
        /// The first block without.
        end: u64,
    },
    /// All mints were taken.
    #[error("all {cap} mints were taken")]
    Cap {
        /// How many there are.
        cap: u128,
    },
}

impl Entry {
    /// The entry of a rune that was just etched. A cenotaph etches as well, but without supply or terms.
    pub(super) fn new(artifact: &Artifact, id: RuneId, rune: Rune, etching: Txid, number: u64, timestamp: u64) -> Self {
        let details = match artifact {
            Artifact::Runestone(Runestone { etching: Some(details), .. }) => *details,
            Artifact::Runestone(_) | Artifact::Cenotaph(_) => ordinals::Etching::default(),
        };
        Self {
            number,
            etching,
            block: id.block,
            timestamp,
            rune,
            spacers: details.spacers.unwrap_or_default(),
            divisibility: details.divisibility.unwrap_or_default(),
            symbol: details.symbol,
            premine: details.premine.unwrap_or_default(),
            terms: details.terms,
            mints: 0,
            burned: 0,
            turbo: details.turbo,
        }
    }

    /// The name with its spacers.
    pub fn spaced(&self) -> SpacedRune {
        SpacedRune { rune: self.rune, spacers: self.spacers }
    }

    /// The units that one mint in a block of this height gives.
    pub fn mintable(&self, height: u64) -> Result<u128, MintRefusal> {
        let terms = self.terms.ok_or(MintRefusal::Unmintable)?;
        if let Some(start) = self.start().filter(|start| height < *start) {
            return Err(MintRefusal::Early { start });
        }
        if let Some(end) = self.end().filter(|end| height >= *end) {
            return Err(MintRefusal::Late { end });
        }
        let cap = terms.cap.unwrap_or_default();
        if self.mints >= cap {
            return Err(MintRefusal::Cap { cap });
        }
        Ok(terms.amount.unwrap_or_default())
    }

    /// The first block in which it can be minted: the later one, where terms give a height and an offset from the etching.
    pub fn start(&self) -> Option<u64> {
        let terms = self.terms?;
        let relative = terms.offset.0.map(|offset| self.block.saturating_add(offset));
        relative.into_iter().chain(terms.height.0).max()
    }

    /// The first block in which it cannot be minted any more: the earlier one, where terms give a height and an offset.
    pub fn end(&self) -> Option<u64> {
        let terms = self.terms?;
        let relative = terms.offset.1.map(|offset| self.block.saturating_add(offset));
        relative.into_iter().chain(terms.height.1).min()
    }

    /// Units that exist or were burned: the premine and every mint. None where they do not fit, which no etching allows.
    pub fn supply(&self) -> Option<u128> {
        let amount = self.terms.and_then(|terms| terms.amount).unwrap_or_default();
        self.premine.checked_add(self.mints.checked_mul(amount)?)
    }
}

/// The name of the rune that mainnet starts with: UNCOMMONGOODS.
pub(super) fn genesis_rune() -> Rune {
    Rune(2_055_900_680_524_219_742)
}

/// The rune that mainnet starts with, as ord has it built in: one unit per mint, from the fourth halving to the fifth.
pub(super) fn genesis() -> Entry {
    let terms =
        Terms { amount: Some(1), cap: Some(u128::MAX), height: (Some(840_000), Some(1_050_000)), offset: (None, None) };
    Entry {
        number: 0,
        etching: Txid::all_zeros(),
        block: GENESIS_ID.block,
        timestamp: 0,
        rune: genesis_rune(),
        spacers: 128,
        divisibility: 0,
        symbol: Some('\u{29C9}'),
        premine: 0,
        terms: Some(terms),
        mints: 0,
        burned: 0,
        turbo: true,
    }
}
