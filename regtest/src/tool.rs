//! The three programs of a real chain.

pub mod find;
pub mod recipe;

use std::fmt;

/// A program that tests against a real chain need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    /// Bitcoin Core: the chain.
    Bitcoind,
    /// The Electrum server over it, which is what the node talks to.
    Electrs,
    /// The reference implementation of runes: what tests compare the node's own accounting with.
    Ord,
}

impl Tool {
    /// Each of them, in the order in which one needs the other.
    pub const ALL: [Self; 3] = [Self::Bitcoind, Self::Electrs, Self::Ord];

    /// The name of its executable.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bitcoind => "bitcoind",
            Self::Electrs => "electrs",
            Self::Ord => "ord",
        }
    }

    /// The environment variable that names its executable.
    pub const fn variable(self) -> &'static str {
        match self {
            Self::Bitcoind => "BITCOIND_EXE",
            Self::Electrs => "ELECTRS_EXE",
            Self::Ord => "ORD_EXE",
        }
    }

    /// The tool of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }

    /// What asks it for its version.
    pub(crate) const fn version_flag(self) -> &'static str {
        match self {
            Self::Bitcoind => "-version",
            Self::Electrs | Self::Ord => "--version",
        }
    }

    /// The versions that fit: from the first on, below the second.
    pub const fn fitting(self) -> (Version, Version) {
        match self {
            // 28 is the first that replaces every transaction that pays more (BIP 125 without its opt-in).
            Self::Bitcoind => (Version(28, 0, 0), Version(100, 0, 0)),
            // Servers of the same name with other command lines count from 0.4; newer ones need another bitcoind.
            Self::Electrs => (Version(0, 10, 6), Version(0, 11, 0)),
            // The JSON interface changes between minor versions.
            Self::Ord => (Version(0, 29, 0), Version(0, 30, 0)),
        }
    }

    /// Whether `version` fits.
    pub fn fits(self, version: Version) -> bool {
        let (first, end) = self.fitting();
        (first..end).contains(&version)
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The version of a tool: major, minor, patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// The first version within what a program says about itself: two or three numbers with dots between them.
    pub fn within(text: &str) -> Option<Self> {
        text.split(|c: char| !c.is_ascii_digit() && c != '.').find_map(|word| {
            let mut numbers = word.split('.').map(|number| number.parse().ok());
            let (major, minor) = (numbers.next()??, numbers.next()??);
            let patch = numbers.next().flatten().unwrap_or(0);
            Some(Self(major, minor, patch))
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_in_what_each_tool_says() {
        for (text, expected) in [
            ("Bitcoin Core daemon version v31.99.0-unk bitcoind\nCopyright (C) 2009-2026", Version(31, 99, 0)),
            ("v0.10.10\n", Version(0, 10, 10)),
            ("ord 0.29.1\n", Version(0, 29, 1)),
            ("Electrum Rust Server 0.4", Version(0, 4, 0)),
        ] {
            assert_eq!(Version::within(text), Some(expected), "{text}");
        }
        assert_eq!(Version::within("no version, 2026"), None);
        assert_eq!(Version::within("99999999999.1 ..."), None);
    }

    #[test]
    fn another_server_of_the_same_name_does_not_fit() {
        assert!(!Tool::Electrs.fits(Version(0, 4, 1)));
        assert!(Tool::Electrs.fits(Version(0, 10, 10)));
        assert!(!Tool::Bitcoind.fits(Version(27, 2, 0)));
    }

    #[test]
    fn what_is_built_fits() {
        for tool in Tool::ALL {
            assert!(tool.fits(recipe::Recipe::of(tool).version), "{tool}");
            assert_eq!(Tool::named(tool.name()), Some(tool));
        }
    }
}
