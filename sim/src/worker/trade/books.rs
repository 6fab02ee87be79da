//! The order books of traders as their own reports tell, and when they are all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use darkswap_trade::order::OrderId;

/// The books of everybody who is up. Hosts are named by their index in the topology.
#[derive(Debug, Default)]
pub(super) struct Books {
    mirrors: BTreeMap<usize, Mirror>,
    /// The last time that somebody did something that makes books differ, and what.
    disturbed: Option<(Duration, &'static str)>,
    /// Whether they have differed since.
    differ: bool,
}

/// One trader's book.
#[derive(Debug, Default)]
struct Mirror {
    orders: BTreeSet<OrderId>,
    /// All ids of the orders added bit by bit without carry, which is the same whatever their order.
    fingerprint: [u8; 32],
    own: BTreeSet<OrderId>,
}

impl Mirror {
    fn turn(&mut self, order: &OrderId) {
        for (sum, byte) in self.fingerprint.iter_mut().zip(order.0) {
            *sum ^= byte;
        }
    }
}

/// The books are equal again: how long after what.
pub(super) type Converged = Option<(Duration, &'static str)>;

impl Books {
    /// A trader starts with an empty book.
    pub(super) fn start(&mut self, host: usize, now: Duration) -> Converged {
        self.mirrors.insert(host, Mirror::default());
        self.disturb(now, "start")
    }

    /// A trader went down.
    pub(super) fn stop(&mut self, host: usize, now: Duration) -> Converged {
        self.mirrors.remove(&host);
        self.compare(now)
    }

    /// A fault of the network was lifted.
    pub(super) fn heal(&mut self, now: Duration) -> Converged {
        self.disturb(now, "fault")
    }

    /// An order is in a host's book.
    pub(super) fn add(&mut self, host: usize, order: OrderId, is_own: bool, now: Duration) -> Converged {
        let mirror = self.mirrors.get_mut(&host)?;
        if mirror.orders.insert(order) {
            mirror.turn(&order);
        }
        if !is_own {
            return self.compare(now);
        }
        mirror.own.insert(order);
        self.disturb(now, "order")
    }

    /// An order left a host's book.
    pub(super) fn remove(&mut self, host: usize, order: OrderId, is_expired: bool, now: Duration) -> Converged {
        let mirror = self.mirrors.get_mut(&host)?;
        if mirror.orders.remove(&order) {
            mirror.turn(&order);
        }
        // Everybody sees an order expire without being told.
        match mirror.own.remove(&order) && !is_expired {
            true => self.disturb(now, "order"),
            false => self.compare(now),
        }
    }

    fn disturb(&mut self, now: Duration, what: &'static str) -> Converged {
        self.disturbed = Some((now, what));
        self.compare(now)
    }

    fn compare(&mut self, now: Duration) -> Converged {
        let mut fingerprints = self.mirrors.values().map(|mirror| mirror.fingerprint);
        let first = fingerprints.next();
        if fingerprints.any(|other| Some(other) != first) {
            self.differ = true;
            return None;
        }
        let differed = std::mem::take(&mut self.differ);
        let (at, what) = self.disturbed.take()?;
        differed.then(|| (now.saturating_sub(at), what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn order(number: u8) -> OrderId {
        OrderId([number; 32])
    }

    #[test]
    fn an_order_converges_when_the_last_trader_has_it() {
        let mut books = Books::default();
        assert_eq!([0, 1, 2].map(|host| books.start(host, at(1))), [None; 3]);
        assert_eq!(books.add(0, order(1), true, at(5)), None);
        assert_eq!(books.add(1, order(1), false, at(6)), None);
        assert_eq!(books.add(2, order(1), false, at(8)), Some((at(3), "order")));
    }

    #[test]
    fn a_partition_is_measured_from_its_end() {
        let mut books = Books::default();
        books.start(0, at(0));
        books.start(1, at(0));
        assert_eq!(books.add(0, order(1), true, at(10)), None);
        assert_eq!(books.add(1, order(2), true, at(11)), None);
        assert_eq!(books.heal(at(40)), None);
        assert_eq!(books.add(1, order(1), false, at(42)), None);
        assert_eq!(books.add(0, order(2), false, at(45)), Some((at(5), "fault")));
    }

    #[test]
    fn what_changes_nothing_is_no_sample() {
        let mut books = Books::default();
        books.start(0, at(0));
        assert_eq!(books.start(1, at(1)), None);
        books.add(0, order(1), true, at(2));
        books.add(1, order(1), false, at(3));
        assert_eq!(books.remove(0, order(1), true, at(9)), None);
        assert_eq!(books.remove(1, order(1), true, at(10)), None);
        assert_eq!(books.heal(at(11)), None);
    }

    #[test]
    fn a_trader_that_is_down_is_not_waited_for() {
        let mut books = Books::default();
        books.start(0, at(0));
        books.start(1, at(0));
        books.add(0, order(1), true, at(2));
        assert_eq!(books.stop(1, at(7)), Some((at(5), "order")));
        assert_eq!(books.start(1, at(20)), None);
        assert_eq!(books.add(1, order(1), false, at(21)), Some((at(1), "start")));
    }
}
