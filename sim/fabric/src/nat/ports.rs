//! The choice of external ports.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::config::{OnClash, PortAssignment};
use super::table::Occupancy;
use crate::hash::FastMap;
use crate::packet::Transport;

/// The lowest port that is assigned; a preserved one may be lower (RFC 4787, section 4.2.2).
const FIRST_PORT: u16 = 1_024;
/// How many ports there are from [`FIRST_PORT`] on.
const PORTS: u16 = u16::MAX - FIRST_PORT + 1;

/// Chooses external ports by the rule of the NAT.
#[derive(Debug)]
pub(super) struct PortAllocator {
    rule: PortAssignment,
    parity: bool,
    cursor: u16,
    rng: ChaCha8Rng,
    retired: FastMap<(Transport, u16), ()>,
}

impl PortAllocator {
    /// `parity` keeps even ports even and odd ones odd; `seed` decides random ports and where sequential ones start.
    pub(super) fn new(rule: PortAssignment, parity: bool, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let cursor = any_port(&mut rng);
        Self { rule, parity, cursor, rng, retired: FastMap::default() }
    }

    /// Replaces the ports that are not assigned as long as there are others.
    pub(super) fn retire(&mut self, ports: impl Iterator<Item = (Transport, u16)>) {
        self.retired = ports.map(|port| (port, ())).collect();
    }

    /// Picks a port, or none if all are in use.
    pub(super) fn assign(
        &mut self,
        transport: Transport,
        internal: u16,
        mut occupancy: impl FnMut(u16) -> Occupancy,
    ) -> Option<u16> {
        let start = match self.rule {
            PortAssignment::Preserve { on_clash } => {
                if !self.retired.contains_key(&(transport, internal)) {
                    match (occupancy(internal), on_clash) {
                        (Occupancy::Free, _) | (Occupancy::Others, OnClash::Overload) => return Some(internal),
                        (Occupancy::Others, OnClash::NextFree) | (Occupancy::Taken, _) => {}
                    }
                }
                internal
            }
            PortAssignment::Sequential => self.cursor,
            PortAssignment::Random => any_port(&mut self.rng),
        };
        let port = self.first_free_after(transport, start, internal, &mut occupancy)?;
        self.cursor = port;
        Some(port)
    }

    fn first_free_after(
        &self,
        transport: Transport,
        start: u16,
        internal: u16,
        occupancy: &mut impl FnMut(u16) -> Occupancy,
    ) -> Option<u16> {
        let mut fallback = None;
        for step in 1..=PORTS {
            let port = after(start, step);
            if self.parity && port % 2 != internal % 2 {
                continue;
            }
            if occupancy(port) == Occupancy::Free {
                if !self.retired.contains_key(&(transport, port)) {
                    return Some(port);
                }
                fallback = fallback.or(Some(port));
            }
        }
        fallback
    }
}

fn any_port(rng: &mut ChaCha8Rng) -> u16 {
    FIRST_PORT + (rng.next_u32() % u32::from(PORTS)) as u16
}

/// The port `step` places above `start`, wrapping within the assigned range.
fn after(start: u16, step: u16) -> u16 {
    let offset = u32::from(start.saturating_sub(FIRST_PORT)) + u32::from(step);
    FIRST_PORT + (offset % u32::from(PORTS)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_port_is_followed_by_the_first() {
        assert_eq!(after(u16::MAX, 1), FIRST_PORT);
        assert_eq!(after(5_000, 1), 5_001);
        assert_eq!(after(80, 1), FIRST_PORT + 1);
    }

    #[test]
    fn without_a_free_port_nothing_is_assigned() {
        let mut ports = PortAllocator::new(PortAssignment::Sequential, false, 1);
        assert_eq!(ports.assign(Transport::Udp, 5_000, |_| Occupancy::Taken), None);
    }

    #[test]
    fn retired_ports_are_used_only_when_all_others_are_taken() {
        let mut ports = PortAllocator::new(PortAssignment::Sequential, false, 1);
        ports.retire([(Transport::Udp, 7_000)].into_iter());
        let only_7000 = |port| if port == 7_000 { Occupancy::Free } else { Occupancy::Taken };
        let two = |port| if port == 7_000 || port == 6_000 { Occupancy::Free } else { Occupancy::Taken };
        assert_eq!(ports.assign(Transport::Udp, 1, two), Some(6_000));
        assert_eq!(ports.assign(Transport::Udp, 1, only_7000), Some(7_000));
    }

    #[test]
    fn with_parity_only_ports_of_the_same_parity_are_assigned() {
        let only_7000 = |port| if port == 7_000 { Occupancy::Free } else { Occupancy::Taken };
        let mut ports = PortAllocator::new(PortAssignment::Random, true, 1);
        assert_eq!(ports.assign(Transport::Udp, 5_000, only_7000), Some(7_000));
        assert_eq!(ports.assign(Transport::Udp, 5_001, only_7000), None);
    }
}
