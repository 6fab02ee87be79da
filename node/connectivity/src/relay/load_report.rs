//! The bytes in which a relay of ours tells its load.
//!
//! | bytes | field |
//! |---|---|
//! | 1 | version: 1 |
//! | 1 | flags: bit 0, it is draining; the others are 0 |
//! | 2 | reservations in use, in thousandths of what it grants |
//! | 2 | circuits in use, in thousandths |
//! | 2 | bandwidth in use, in thousandths |
//! | 4 | seconds until it stops, 0 unless it is draining |
//!
//! Numbers are big-endian. A report has exactly [`LENGTH`] bytes: a receiver reads one byte more than that at most, and a new field
//! is a new version. Nothing is signed: the connection shows who speaks, and a relay may lie about itself anyway, which
//! [`estimate`](super::estimate) reckons with.

use thiserror::Error;

/// The version that is spoken.
pub const VERSION: u8 = 1;
/// The bytes of a report.
pub const LENGTH: usize = 12;
/// The longest notice of a drain that is believed, in seconds: a day. Longer ones are no notices.
pub const LONGEST_NOTICE: u32 = 86_400;

const DRAINING: u8 = 1;
const THOUSAND: u16 = 1_000;

/// Why bytes are not a load report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Malformed {
    /// Another version.
    #[error("found version {found}, expected {VERSION}: take the relay as one that tells nothing")]
    Version {
        /// What was found.
        found: u8,
    },
    /// Too many or too few bytes.
    #[error("found {found} bytes, expected {LENGTH}")]
    Length {
        /// What was found.
        found: usize,
    },
    /// A flag that has no meaning.
    #[error("found the flags {found:#010b}, expected only bit 0")]
    Flags {
        /// What was found.
        found: u8,
    },
    /// More than all.
    #[error("found {found} thousandths in use, expected at most {THOUSAND}")]
    Share {
        /// What was found.
        found: u16,
    },
    /// A notice without a drain, or one that is too long.
    #[error("found {found} s until the relay stops, expected at most {LONGEST_NOTICE}, and none of a relay that stays")]
    Notice {
        /// What was found.
        found: u32,
    },
}

/// A share of a capacity, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Share(u16);

impl Share {
    /// How much of the limit is in use; all of a limit of zero, and never more than all.
    #[must_use]
    pub fn of(used: u64, limit: u64) -> Self {
        if used >= limit {
            return Self(THOUSAND);
        }
        let thousandths = u128::from(used) * u128::from(THOUSAND) / u128::from(limit);
        Self(u16::try_from(thousandths).expect("less than the limit is less than a thousand thousandths"))
    }

    /// As a fraction.
    #[must_use]
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / f64::from(THOUSAND)
    }
}

/// What a relay says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadReport {
    /// Reservations in use.
    pub reservations: Share,
    /// Circuits in use.
    pub circuits: Share,
    /// Bandwidth in use.
    pub bandwidth: Share,
    /// In how many seconds it stops, when it is draining; at most [`LONGEST_NOTICE`].
    pub drains_in: Option<u32>,
}

impl LoadReport {
    /// The load of the scarcest: what will refuse us first.
    #[must_use]
    pub fn load(&self) -> f64 {
        self.reservations.max(self.circuits).max(self.bandwidth).fraction()
    }

    /// The report's bytes. A notice that is too long is shortened to [`LONGEST_NOTICE`].
    #[must_use]
    pub fn encode(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[0] = VERSION;
        bytes[1] = if self.drains_in.is_some() { DRAINING } else { 0 };
        bytes[2..4].copy_from_slice(&self.reservations.0.to_be_bytes());
        bytes[4..6].copy_from_slice(&self.circuits.0.to_be_bytes());
        bytes[6..8].copy_from_slice(&self.bandwidth.0.to_be_bytes());
        bytes[8..].copy_from_slice(&self.drains_in.unwrap_or(0).min(LONGEST_NOTICE).to_be_bytes());
        bytes
    }

    /// Reads a report.
    ///
    /// # Errors
    /// [`Malformed`], the version first: of another one nothing else is known.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        match bytes.first() {
            Some(&VERSION) => {}
            Some(&found) => return Err(Malformed::Version { found }),
            None => return Err(Malformed::Length { found: 0 }),
        }
        let bytes: &[u8; LENGTH] = bytes.try_into().map_err(|_| Malformed::Length { found: bytes.len() })?;
        let [_, flags, r0, r1, c0, c1, b0, b1, notice @ ..] = *bytes;
        if flags & !DRAINING != 0 {
            return Err(Malformed::Flags { found: flags });
        }
        let notice = u32::from_be_bytes(notice);
        let is_draining = flags & DRAINING != 0;
        if notice > LONGEST_NOTICE || (!is_draining && notice != 0) {
            return Err(Malformed::Notice { found: notice });
        }
        Ok(Self {
            reservations: share([r0, r1])?,
            circuits: share([c0, c1])?,
            bandwidth: share([b0, b1])?,
            drains_in: is_draining.then_some(notice),
        })
    }
}

fn share(bytes: [u8; 2]) -> Result<Share, Malformed> {
    let found = u16::from_be_bytes(bytes);
    if found <= THOUSAND { Ok(Share(found)) } else { Err(Malformed::Share { found }) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bytes_of_version_1_stay() {
        let report = LoadReport {
            reservations: Share::of(1, 4),
            circuits: Share::of(0, 4),
            bandwidth: Share::of(9, 4),
            drains_in: Some(300),
        };
        assert_eq!(report.encode(), [1, 1, 0, 250, 0, 0, 3, 232, 0, 0, 1, 44]);
        assert_eq!(report.load(), 1.0);
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        let with = |index: usize, value: u8| {
            let mut bytes = LoadReport::default().encode();
            bytes[index] = value;
            LoadReport::decode(&bytes)
        };
        assert_eq!(with(0, 2), Err(Malformed::Version { found: 2 }));
        assert_eq!(with(1, 2), Err(Malformed::Flags { found: 2 }));
        assert_eq!(with(2, 4), Err(Malformed::Share { found: 1_024 }));
        assert_eq!(with(11, 1), Err(Malformed::Notice { found: 1 }));
        assert_eq!(LoadReport::decode(&[]), Err(Malformed::Length { found: 0 }));
        assert_eq!(LoadReport::decode(&[1; 13]), Err(Malformed::Length { found: 13 }));
    }

    #[test]
    fn a_limit_of_zero_is_full() {
        assert_eq!(Share::of(0, 0).fraction(), 1.0);
    }

    proptest! {
        #![proptest_config(crate::cases())]

        #[test]
        fn no_bytes_make_the_decoder_panic_and_what_it_takes_is_canonical(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(report) = LoadReport::decode(&bytes) {
                prop_assert_eq!(report.encode().to_vec(), bytes);
            }
        }

        #[test]
        fn mutated_reports_are_taken_canonically_or_refused(index in 0..LENGTH, value: u8, drains_in in prop::option::of(0..=LONGEST_NOTICE)) {
            let mut bytes = LoadReport { drains_in, ..LoadReport::default() }.encode();
            bytes[index] = value;
            if let Ok(report) = LoadReport::decode(&bytes) {
                prop_assert_eq!(report.encode(), bytes);
            }
        }

        #[test]
        fn a_report_round_trips(used: [u64; 3], limit: [u64; 3], drains_in in prop::option::of(0..=LONGEST_NOTICE)) {
            let share = |i: usize| Share::of(used[i], limit[i]);
            let report = LoadReport { reservations: share(0), circuits: share(1), bandwidth: share(2), drains_in };
            prop_assert_eq!(LoadReport::decode(&report.encode()), Ok(report));
            prop_assert!((0.0..=1.0).contains(&report.load()));
        }
    }
}
