//! How many bytes per second a node sends and receives, by the time of day.

/// The rates of a node: the spans of each, none where there is no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bandwidth {
    /// What it sends over all connections together.
    pub node_sends: Vec<RateSpan>,
    /// What it receives over all connections together.
    pub node_receives: Vec<RateSpan>,
    /// What it sends over each connection.
    pub connection_sends: Vec<RateSpan>,
    /// What it receives over each connection.
    pub connection_receives: Vec<RateSpan>,
}

/// A rate from one time of the day to another, in minutes since midnight, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateSpan {
    /// Its first minute.
    pub from: u16,
    /// The minute after its last one. Not after `from`: it goes on past midnight.
    pub to: u16,
    /// Bytes per second.
    pub rate: u64,
}
