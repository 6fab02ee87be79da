//! What can be told from the external ports that internal ones got.

use darkswap_scenario::nat::PortAssignment;

/// Ports that a NAT assigns, from 1,024 on.
const RANGE: u16 = u16::MAX - 1_023;
/// How far sequential ports may be apart: others use the NAT meanwhile, and parity skips every other port.
const STEP: u16 = 16;

/// An internal port and the external one that it got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PortPair {
    pub(super) internal: u16,
    pub(super) external: u16,
}

/// How the ports of new mappings are chosen, which were made in this order by internal ports that nobody else used.
pub(super) fn assignment(pairs: &[PortPair]) -> PortAssignment {
    let preserved = pairs.iter().filter(|pair| pair.internal == pair.external).count();
    let step = |pair: &[PortPair]| {
        let (before, after) = (pair[0].external, pair[1].external);
        if after >= before { after - before } else { RANGE.saturating_sub(before - after) }
    };
    if preserved * 2 > pairs.len() {
        PortAssignment::Preserve
    } else if pairs.windows(2).all(|pair| (1..=STEP).contains(&step(pair))) {
        PortAssignment::Sequential
    } else {
        PortAssignment::Random
    }
}

/// Whether even ports get even ones and odd ports odd ones. Preserved ports say nothing about it.
pub(super) fn parity(pairs: &[PortPair]) -> Option<bool> {
    let mut told = pairs.iter().filter(|pair| pair.internal != pair.external).peekable();
    told.peek()?;
    Some(told.all(|pair| pair.internal % 2 == pair.external % 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(u16, u16)]) -> Vec<PortPair> {
        pairs.iter().map(|&(internal, external)| PortPair { internal, external }).collect()
    }

    #[test]
    fn assignments_are_told_apart() {
        let cases = [
            (PortAssignment::Preserve, [(20, 20), (36, 36), (53, 53), (69, 1_024)]),
            (PortAssignment::Sequential, [(20, 65_534), (36, 65_535), (53, 1_024), (69, 1_026)]),
            (PortAssignment::Random, [(20, 4_000), (36, 3_999), (53, 3_998), (69, 3_997)]),
            (PortAssignment::Random, [(20, 4_000), (36, 9_000), (53, 9_001), (69, 9_002)]),
        ];
        for (expected, ports) in cases {
            assert_eq!(assignment(&pairs(&ports)), expected, "{ports:?}");
        }
    }

    #[test]
    fn parity_shows_in_ports_that_are_not_preserved() {
        assert_eq!(parity(&pairs(&[(20, 20), (21, 21)])), None);
        assert_eq!(parity(&pairs(&[(20, 20), (21, 23)])), Some(true));
        assert_eq!(parity(&pairs(&[(20, 22), (21, 22)])), Some(false));
    }
}
