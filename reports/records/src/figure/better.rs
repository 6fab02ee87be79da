//! Which way a figure is better: what a comparison needs to call a difference an improvement.
//!
//! A figure that is not listed has no better side by itself: bytes through relays are neither good nor bad.

/// The better side of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Less is better, as of a time.
    Less,
    /// More is better, as of a share that arrived.
    More,
}

impl Better {
    /// The other side.
    pub const fn reversed(self) -> Self {
        match self {
            Self::Less => Self::More,
            Self::More => Self::Less,
        }
    }
}

/// Figures of values of which less is better.
const LESS: &[&str] = &[
    "broadcast_time",
    "channel_open_time",
    "channel_time",
    "circuit_stretch",
    "connect_time",
    "control_traffic",
    "convergence_time",
    "crash",
    "event_lag",
    "failover_time",
    "flaps",
    "gossip_time",
    "latency_stretch",
    "message_time",
    "misbehaviour",
    "negotiation_time",
    "order_bytes",
    "order_time",
    "packets_lost",
    "packets_queue_dropped",
    "payment_time",
    "probes",
    "reach_time",
    "reconcile_bytes",
    "recovery_time",
    "relay_return_time",
    "relayed_bytes_before_upgrade",
    "reservation_in_vain",
    "reservation_time",
    "round_trip",
    "stuck",
    "swap_time",
    "tip_time",
    "trade_fault",
    "unreachable_per_day",
    "unreachable_time",
    "upgrade_time",
    "value_lost",
];

/// Figures of values of which more is better.
const MORE: &[&str] = &["channel_delivered", "gossip_coverage", "reservation_success"];

/// Categories of which more is better, by name: they mean the same in every figure that has them.
const GOOD: &[&str] = &["accepted", "answered", "completed", "delivered", "direct", "reached", "settled", "succeeded"];

/// Categories of which less is better.
const BAD: &[&str] = &["aborted", "duplicate", "failed", "lost", "missed", "silent", "unreached", "worse"];

/// The better side of a figure's values; none when it has none.
pub fn better(figure: &str) -> Option<Better> {
    side(figure, LESS, MORE)
}

/// The better side of how many samples have a category; none when it has none.
pub(crate) fn of_category(category: &str) -> Option<Better> {
    side(category, BAD, GOOD)
}

fn side(name: &str, less: &[&str], more: &[&str]) -> Option<Better> {
    let is_less = less.contains(&name).then_some(Better::Less);
    is_less.or(more.contains(&name).then_some(Better::More))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::{FIGURES, Unit};

    #[test]
    fn no_name_has_two_sides_or_stands_there_twice() {
        for names in [[LESS, MORE].concat(), [GOOD, BAD].concat()] {
            for (index, name) in names.iter().enumerate() {
                assert!(!names[..index].contains(name), "{name}");
            }
        }
    }

    #[test]
    fn every_name_is_in_the_catalogue() {
        let categories: Vec<&str> = FIGURES.iter().flat_map(|figure| figure.categories).copied().collect();
        for name in [GOOD, BAD].concat() {
            assert!(categories.contains(&name), "{name}");
        }
        for name in [LESS, MORE].concat() {
            let figure = FIGURES.iter().find(|figure| figure.name == name);
            assert!(figure.is_some_and(|figure| figure.unit != Unit::Category), "{name}");
        }
    }
}
