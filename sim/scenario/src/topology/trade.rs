//! What traders are asked to do, and where a swap is when something goes wrong.

use std::time::Duration;

/// Orders that are placed: each with its own side, size and price, drawn anew.
#[derive(Debug, Clone, PartialEq)]
pub struct Orders {
    /// A rune by the name that the scenario gives it.
    pub rune: String,
    /// What the maker does with it.
    pub side: Sides,
    /// Fewest units.
    pub least: u64,
    /// Most units.
    pub units: u64,
    /// Satoshis for one unit, in the middle.
    pub price: u64,
    /// How far prices are from the middle at most, as a share of it.
    pub around: f64,
    /// How long each order lasts.
    pub lifetime: Duration,
}

/// Orders that are taken: one of others each time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Takes {
    /// A rune by the name that the scenario gives it.
    pub rune: String,
    /// Which side of the book.
    pub side: Sides,
    /// How many units; all of an order when absent.
    pub units: Option<u64>,
    /// Which of them.
    pub choice: Choice,
}

/// Which order of a book is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Choice {
    /// The best one: everybody takes the same.
    Best,
    /// Any, as drawn.
    Any,
}

/// Sides of a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sides {
    /// Makers buy.
    Buy,
    /// Makers sell.
    Sell,
    /// Whichever: as drawn, or the better one.
    Either,
}

/// Statements that a host publishes at once, beside its node's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Floods {
    /// How many of each kind.
    pub count: u64,
    /// Of which kinds.
    pub kinds: Vec<FloodKind>,
}

/// What is published in a flood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FloodKind {
    /// Good orders of the host's own key, as fast as they can be said.
    Orders,
    /// Bytes that are no statement.
    Garbage,
    /// Orders that somebody else did not sign.
    Forgeries,
    /// Orders that ended long ago.
    Stale,
}

impl FloodKind {
    /// What scenarios and records call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Garbage => "garbage",
            Self::Forgeries => "forgeries",
            Self::Stale => "stale",
        }
    }
}

/// A step of a swap, as one of its sides sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A taker has asked for it.
    Requested,
    /// The maker has agreed.
    Accepted,
    /// The taker has given its signatures away.
    Proposed,
    /// The transaction is out.
    Broadcast,
    /// The transaction is in a block.
    Confirming,
    /// The transaction is deep enough.
    Settled,
    /// An input is being spent elsewhere.
    Reclaiming,
}

impl Step {
    /// What scenarios and records call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Accepted => "accepted",
            Self::Proposed => "proposed",
            Self::Broadcast => "broadcast",
            Self::Confirming => "confirming",
            Self::Settled => "settled",
            Self::Reclaiming => "reclaiming",
        }
    }
}
