//! The Bitcoin chain of a run, and what is on it.

use std::time::Duration;

/// How the chain grows, and what its nodes relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    /// How the times between blocks are spread.
    pub blocks: Blocks,
    /// The time between two blocks, or its mean.
    pub interval: Duration,
    /// The lowest fee rate that is relayed, in satoshis per virtual byte.
    pub relay_fee: u64,
    /// Whether indexers estimate fees; those of a young chain cannot.
    pub estimates: bool,
}

/// How the times between blocks are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocks {
    /// Exponentially, as on the real chain.
    Random,
    /// All are the same.
    Fixed,
}

/// What a trader's wallet holds when the run begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trader {
    /// Satoshis in all coins without runes together.
    pub bitcoin: u64,
    /// How many such coins.
    pub coins: u64,
    /// Units of each rune, by the name that the scenario gives it.
    pub runes: Vec<(String, u64)>,
    /// How it breaks the rules of swaps, one way in each swap, in turn. An honest one does not.
    pub lies: Vec<TradeLie>,
}

/// How a trader breaks the rules of a swap, or leaves its peer alone in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TradeLie {
    /// A maker accepts, and says and hears nothing more.
    Vanish,
    /// A maker accepts with an input of the taker's as its own.
    Steal,
    /// A maker accepts with an input that does not exist.
    Phantom,
    /// A maker accepts until a day that no taker would wait for.
    Deadline,
    /// A maker answers with bytes that are no message.
    Garble,
    /// A maker claims to refuse a proposal that it settles.
    Refuse,
    /// A maker tells of another transaction than the one that was agreed on.
    Swap,
    /// A maker settles, and at once spends its inputs elsewhere at a higher fee.
    DoubleSpend,
    /// A taker proposes a transaction that was not agreed on.
    Forge,
}

impl TradeLie {
    /// What scenarios and records call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Vanish => "vanish",
            Self::Steal => "steal",
            Self::Phantom => "phantom",
            Self::Deadline => "deadline",
            Self::Garble => "garble",
            Self::Refuse => "refuse",
            Self::Swap => "swap",
            Self::DoubleSpend => "double_spend",
            Self::Forge => "forge",
        }
    }

    /// Whether it is the maker of an order who lies so.
    #[must_use]
    pub fn is_of_maker(self) -> bool {
        self != Self::Forge
    }
}

/// How an indexer lies about the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChainLie {
    /// It denies transactions that wait, or were confirmed since it began to lie.
    Hide,
    /// It shows transactions that wait as confirmed.
    Invent,
    /// It adds to balances.
    Balance,
    /// Its merkle proofs prove nothing.
    Proof,
    /// It takes transactions and broadcasts none.
    Swallow,
}

impl ChainLie {
    /// What scenarios and records call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hide => "hide",
            Self::Invent => "invent",
            Self::Balance => "balance",
            Self::Proof => "proof",
            Self::Swallow => "swallow",
        }
    }
}
