//! What traders are asked to do.

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

/// Orders that are taken: the best one of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Takes {
    /// A rune by the name that the scenario gives it.
    pub rune: String,
    /// Which side of the book.
    pub side: Sides,
    /// How many units; all of an order when absent.
    pub units: Option<u64>,
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
