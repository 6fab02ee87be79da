//! Address prefixes: which addresses are likely to fail, or to lie, together.
//!
//! One operator, provider or data centre mostly holds addresses with one prefix, so relays with different prefixes fail more
//! independently, and a limit per prefix cannot be passed by taking many addresses of one network. It is a guess: routing registries
//! would know better, but need data that ages.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Prefixes that are remembered of one peer. Two of each family cover a host with two providers; whoever announces more would only
/// crowd others out.
pub const PREFIXES: usize = 4;

/// How many leading bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrefixLengths {
    /// Of an IPv4 address: /16 is the usual size of a provider's block, and what Bitcoin Core groups by.
    pub v4: u8,
    /// Of an IPv6 address: /32 is what a registry allots to a provider.
    pub v6: u8,
}

impl Default for PrefixLengths {
    fn default() -> Self {
        Self { v4: 16, v6: 32 }
    }
}

impl PrefixLengths {
    /// The prefix of an address. An IPv4 address written as IPv6 (RFC 4291, section 2.5.5.2) counts as IPv4; a length beyond the
    /// address's own counts as that.
    #[must_use]
    pub fn of(&self, address: IpAddr) -> Prefix {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let length = self.v4.min(32);
                let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
                Prefix { address: Ipv4Addr::from_bits(address.to_bits() & mask).into(), length }
            }
            IpAddr::V6(address) => {
                let length = self.v6.min(128);
                let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
                Prefix { address: Ipv6Addr::from_bits(address.to_bits() & mask).into(), length }
            }
        }
    }

    /// The prefixes of a host's addresses, the first [`PREFIXES`] different ones.
    #[must_use]
    pub fn of_all(&self, addresses: impl IntoIterator<Item = IpAddr>) -> Prefixes {
        let mut prefixes = BTreeSet::new();
        for address in addresses {
            if prefixes.len() == PREFIXES {
                break;
            }
            prefixes.insert(self.of(address));
        }
        Prefixes(prefixes)
    }
}

/// The leading bits of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    /// The first address of the block.
    address: IpAddr,
    /// How many bits count.
    length: u8,
}

impl std::fmt::Display for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// The prefixes of one host, at most [`PREFIXES`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prefixes(BTreeSet<Prefix>);

impl Prefixes {
    /// Whether the two hosts share no prefix, so that they probably fail independently. Hosts of which nothing is known are not
    /// independent of each other: nobody can tell.
    #[must_use]
    pub fn is_independent_of(&self, other: &Self) -> bool {
        (!self.0.is_empty() || !other.0.is_empty()) && self.0.is_disjoint(&other.0)
    }

    /// Every prefix, in order.
    pub fn iter(&self) -> impl Iterator<Item = Prefix> {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prefix(address: &str) -> String {
        PrefixLengths::default().of(address.parse().unwrap()).to_string()
    }

    #[test]
    fn a_prefix_keeps_the_leading_bits() {
        assert_eq!(prefix("198.51.100.7"), "198.51.0.0/16");
        assert_eq!(prefix("2001:db8:1:2::3"), "2001:db8::/32");
    }

    #[test]
    fn ipv4_in_ipv6_is_ipv4() {
        assert_eq!(prefix("::ffff:198.51.100.7"), "198.51.0.0/16");
    }

    #[test]
    fn lengths_of_nothing_and_beyond_the_address_are_taken() {
        let lengths = PrefixLengths { v4: 0, v6: 255 };
        assert_eq!(lengths.of("198.51.100.7".parse().unwrap()).to_string(), "0.0.0.0/0");
        assert_eq!(lengths.of("2001:db8::1".parse().unwrap()).to_string(), "2001:db8::1/128");
    }

    #[test]
    fn hosts_of_which_nothing_is_known_are_not_independent() {
        let known = PrefixLengths::default().of_all(["198.51.100.7".parse().unwrap()]);
        assert!(!Prefixes::default().is_independent_of(&Prefixes::default()));
        assert!(known.is_independent_of(&Prefixes::default()));
    }

    proptest! {
        #![proptest_config(crate::cases())]

        #[test]
        fn independence_is_mutual_and_never_of_oneself(left: Vec<IpAddr>, right: Vec<IpAddr>) {
            let lengths = PrefixLengths { v4: 2, v6: 2 };
            let (left, right) = (lengths.of_all(left), lengths.of_all(right));
            prop_assert_eq!(left.is_independent_of(&right), right.is_independent_of(&left));
            prop_assert!(!left.is_independent_of(&left));
            prop_assert!(left.iter().count() <= PREFIXES);
        }
    }
}
