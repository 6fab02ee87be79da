//! Names of runes as people write them: `UNCOMMON•GOODS`, with bullets or points between letters.

use ordinals::{SpacedRune, spaced_rune};

/// The longest name: 28 letters are the largest number that a rune's name can stand for.
const LETTER_LIMIT: usize = 28;

/// Why a text is no name.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum NameError {
    /// There is no letter at all.
    #[error("found no letter, expected a name such as UNCOMMON•GOODS")]
    Empty,
    /// It has too many letters.
    #[error(
        "found a name of {found} characters, expected at most {LETTER_LIMIT} letters with single spacers between them"
    )]
    TooLong {
        /// Its characters.
        found: usize,
    },
    /// It is not made of letters from A to Z with single spacers between them.
    #[error("found {text:?}, expected letters from A to Z with single spacers between them: {reason}")]
    Malformed {
        /// The text.
        text: String,
        /// What is wrong.
        reason: spaced_rune::Error,
    },
}

/// Reads a name, with or without spacers. Spacers are for the eye: two names that differ only in them are the same rune.
pub fn parse(text: &str) -> Result<SpacedRune, NameError> {
    // The parser of `ordinals` shifts by the number of letters, so the length has to be known to be small before.
    let characters = text.chars().take(2 * LETTER_LIMIT + 1).count();
    let letters = text.chars().take(2 * LETTER_LIMIT + 1).filter(char::is_ascii_uppercase).count();
    if characters > 2 * LETTER_LIMIT || letters > LETTER_LIMIT {
        return Err(NameError::TooLong { found: text.chars().count() });
    }
    if letters == 0 {
        return Err(NameError::Empty);
    }
    text.parse().map_err(|reason| NameError::Malformed { text: text.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use ordinals::Rune;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    #[test]
    fn spacers_are_bullets_or_points() {
        let spaced = SpacedRune { rune: Rune(2_055_900_680_524_219_742), spacers: 128 };
        assert_eq!(parse("UNCOMMON•GOODS"), Ok(spaced));
        assert_eq!(parse("UNCOMMON.GOODS"), Ok(spaced));
        assert_eq!(parse("UNCOMMONGOODS").map(|name| name.rune), Ok(spaced.rune));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        assert_eq!(parse(""), Err(NameError::Empty));
        assert_eq!(parse("•"), Err(NameError::Empty));
        assert!(matches!(parse("uncommon"), Err(NameError::Empty)));
        assert!(matches!(parse("A••B"), Err(NameError::Malformed { .. })));
        assert!(matches!(parse("AB•"), Err(NameError::Malformed { .. })));
        assert!(matches!(parse(&"A".repeat(29)), Err(NameError::TooLong { found: 29 })));
        assert!(matches!(parse(&format!("{}•A", "A".repeat(64))), Err(NameError::TooLong { .. })));
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn no_text_makes_the_reader_panic(text in "[A-Z•.]{0,80}", other in "\\PC{0,80}") {
            let _ = parse(&text);
            let _ = parse(&other);
        }

        #[test]
        fn every_name_is_read_back(number: u128) {
            let rune = Rune(number);
            prop_assert_eq!(parse(&rune.to_string()).map(|name| name.rune), Ok(rune));
        }
    }
}
