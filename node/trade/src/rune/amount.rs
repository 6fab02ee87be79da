//! Decimal text and units.
//!
//! A rune's *divisibility* says how many decimal places people see; the protocol knows only whole units.

use std::fmt;

use ordinals::Etching;

/// The longest text that is read: 39 digits of a u128, a point, and room for zeros.
const TEXT_LIMIT: usize = 80;

/// Why a text is no amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// The divisibility is not one that a rune can have.
    #[error("found divisibility {found}, expected at most {}", Etching::MAX_DIVISIBILITY)]
    Divisibility {
        /// What was given.
        found: u8,
    },
    /// The text is longer than any amount.
    #[error("found an amount of {found} characters, expected at most {TEXT_LIMIT}")]
    TooLong {
        /// Its length in bytes.
        found: usize,
    },
    /// There is no digit before or after the point.
    #[error("found {text:?}, expected digits, or digits on both sides of one point, as in 1.25")]
    Malformed {
        /// The text.
        text: String,
    },
    /// There are more decimal places than the rune has.
    #[error("found {found} decimal places, expected at most {divisibility}: this asset cannot be divided further")]
    Places {
        /// Decimal places in the text, without zeros at the end.
        found: usize,
        /// Decimal places of the rune.
        divisibility: u8,
    },
    /// The amount is more than any rune can have.
    #[error("found more than 2^128 - 1 units, expected less")]
    Overflow,
}

/// Reads an amount such as `1.25` exactly: with a divisibility of 2 that is 125 units. No sign, no exponent, no separators.
pub fn parse(text: &str, divisibility: u8) -> Result<u128, AmountError> {
    if divisibility > Etching::MAX_DIVISIBILITY {
        return Err(AmountError::Divisibility { found: divisibility });
    }
    if text.len() > TEXT_LIMIT {
        return Err(AmountError::TooLong { found: text.len() });
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if [whole, fraction].iter().any(|part| part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(AmountError::Malformed { text: text.to_owned() });
    }
    let fraction = fraction.trim_end_matches('0');
    let missing = usize::from(divisibility)
        .checked_sub(fraction.len())
        .ok_or(AmountError::Places { found: fraction.len(), divisibility })?;
    let mut digits = whole.bytes().chain(fraction.bytes()).chain(std::iter::repeat_n(b'0', missing));
    digits
        .try_fold(0_u128, |units, digit| units.checked_mul(10)?.checked_add(u128::from(digit - b'0')))
        .ok_or(AmountError::Overflow)
}

/// Units that are shown as decimal text, without zeros at the end: 125 with a divisibility of 2 is `1.25`, 100 is `1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// The units.
    pub units: u128,
    /// Decimal places.
    pub divisibility: u8,
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = usize::from(self.divisibility);
        let digits = format!("{:0>width$}", self.units, width = places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        let fraction = fraction.trim_end_matches('0');
        match fraction {
            "" => f.write_str(whole),
            fraction => write!(f, "{whole}.{fraction}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    #[test]
    fn decimal_text_is_read_exactly() {
        let cases = [("1.25", 2, 125), ("1", 2, 100), ("0.01", 2, 1), ("1.2500", 2, 125), ("007", 0, 7), ("3.0", 0, 3)];
        for (text, divisibility, units) in cases {
            assert_eq!(parse(text, divisibility), Ok(units), "{text} with divisibility {divisibility}");
        }
        assert_eq!(parse(&u128::MAX.to_string(), 0), Ok(u128::MAX));
    }

    #[test]
    fn what_is_no_amount_is_refused_with_the_reason() {
        for text in ["", ".", "1.", ".5", "-1", "+1", "1e3", "1.2.3", "1,5", " 1", "٣"] {
            assert_eq!(parse(text, 2), Err(AmountError::Malformed { text: text.to_owned() }));
        }
        assert_eq!(parse("1.255", 2), Err(AmountError::Places { found: 3, divisibility: 2 }));
        assert_eq!(parse("340282366920938463463374607431768211456", 0), Err(AmountError::Overflow));
        assert_eq!(parse("5", 38), Err(AmountError::Overflow));
        assert_eq!(parse("1", 39), Err(AmountError::Divisibility { found: 39 }));
        assert_eq!(parse(&"1".repeat(81), 0), Err(AmountError::TooLong { found: 81 }));
    }

    #[test]
    fn units_are_shown_without_zeros_at_the_end() {
        let shown = |units, divisibility| Decimal { units, divisibility }.to_string();
        assert_eq!(shown(125, 2), "1.25");
        assert_eq!(shown(100, 2), "1");
        assert_eq!(shown(1, 2), "0.01");
        assert_eq!(shown(0, 38), "0");
        assert_eq!(shown(10, 0), "10");
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn what_is_shown_is_read_back(units: u128, divisibility in 0..=Etching::MAX_DIVISIBILITY) {
            prop_assert_eq!(parse(&Decimal { units, divisibility }.to_string(), divisibility), Ok(units));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,90}", digits in "[0-9.]{0,45}", divisibility: u8) {
            let _ = parse(&text, divisibility);
            let _ = parse(&digits, divisibility);
        }
    }
}
