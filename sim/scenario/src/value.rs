//! From nodes to typed values. Each function gives a value or adds a problem.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use darkswap_records::unit::{self, UnitError};

use crate::bound;
use crate::problem::{Problems, quote};
use crate::source::Place;
use crate::tree::{Kind, Node};

/// The text of a scalar.
pub(crate) fn text<'n>(node: &'n Node, expected: &str, problems: &mut Problems<'_>) -> Option<&'n str> {
    match &node.kind {
        Kind::Scalar { text, .. } => Some(text),
        Kind::Null | Kind::List(_) | Kind::Map(_) => {
            problems.add(node.place, node.describe(), expected);
            None
        }
    }
}

/// A text of at most so many characters.
pub(crate) fn prose(node: &Node, most: usize, problems: &mut Problems<'_>) -> Option<String> {
    let text = text(node, "a text", problems)?.trim();
    let length = text.chars().count();
    if length > most {
        problems.add(node.place, format!("a text of {length} characters"), format!("at most {most}"));
        return None;
    }
    Some(text.to_string())
}

/// A name that the file gives to something.
pub(crate) fn name(node: &Node, problems: &mut Problems<'_>) -> Option<String> {
    const EXPECTED: &str = "a name of letters, digits, `-` and `_` that starts with a letter";
    let text = text(node, EXPECTED, problems)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !text.starts_with(|c: char| c.is_ascii_alphabetic()) || !text.chars().all(plain) {
        problems.add(node.place, quote(text), EXPECTED);
        return None;
    }
    if text.len() > bound::NAME {
        problems.add(node.place, format!("a name of {} characters", text.len()), format!("at most {}", bound::NAME));
        return None;
    }
    Some(text.to_string())
}

/// One of a few words.
pub(crate) fn word<T: Copy>(node: &Node, what: &str, words: &[(&str, T)], problems: &mut Problems<'_>) -> Option<T> {
    let known = || words.iter().map(|(word, _)| *word);
    let expected = format!("{what}: {}", known().collect::<Vec<_>>().join(", "));
    let text = text(node, &expected, problems)?;
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Some(*value);
    }
    problems.add_unknown(node.place, text, expected, known());
    None
}

/// `true` or `false`.
pub(crate) fn switch(node: &Node, problems: &mut Problems<'_>) -> Option<bool> {
    word(node, "a switch", &[("true", true), ("false", false)], problems)
}

/// A duration within a range.
pub(crate) fn duration(node: &Node, range: RangeInclusive<Duration>, problems: &mut Problems<'_>) -> Option<Duration> {
    let show = |value: &Duration| unit::format_duration(*value);
    measured(node, range, unit::DURATION_FORM, unit::parse_duration, show, problems)
}

/// A size in bytes within a range.
pub(crate) fn size(node: &Node, range: RangeInclusive<u64>, problems: &mut Problems<'_>) -> Option<u64> {
    measured(node, range, unit::SIZE_FORM, unit::parse_size, |value| unit::format_size(*value), problems)
}

/// An amount of bitcoin in satoshis within a range.
pub(crate) fn bitcoin(node: &Node, range: RangeInclusive<u64>, problems: &mut Problems<'_>) -> Option<u64> {
    let show = |value: &u64| unit::format_bitcoin(*value);
    measured(node, range, unit::BITCOIN_FORM, unit::parse_bitcoin, show, problems)
}

/// A rate in bits per second within a range.
pub(crate) fn rate(node: &Node, range: RangeInclusive<u64>, problems: &mut Problems<'_>) -> Option<u64> {
    measured(node, range, unit::RATE_FORM, unit::parse_rate, |value| unit::format_rate(*value), problems)
}

/// A share from 0 % to 100 %, as 0 to 1.
pub(crate) fn share(node: &Node, problems: &mut Problems<'_>) -> Option<f64> {
    measured(node, 0.0..=1.0, unit::SHARE_FORM, unit::parse_share, |value| unit::format_share(*value), problems)
}

/// A whole number within a range.
pub(crate) fn number(node: &Node, range: RangeInclusive<u64>, problems: &mut Problems<'_>) -> Option<u64> {
    let parse = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = if digits { text.parse().ok() } else { None };
        number.ok_or_else(|| UnitError { found: quote(text), expected: String::new(), offset: 0, nearest: None })
    };
    measured(node, range, "a whole number", parse, u64::to_string, problems)
}

/// A number such as `1.5` within a range, at most six digits behind the point.
pub(crate) fn decimal(node: &Node, range: RangeInclusive<f64>, problems: &mut Problems<'_>) -> Option<f64> {
    let parse = |text: &str| {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let plain = digits(whole) && digits(fraction) && fraction.len() <= 6;
        let number = if plain { text.parse().ok() } else { None };
        number.ok_or_else(|| UnitError { found: quote(text), expected: String::new(), offset: 0, nearest: None })
    };
    measured(node, range, "a number such as `1.5`", parse, f64::to_string, problems)
}

fn measured<T: PartialOrd + Copy>(
    node: &Node,
    range: RangeInclusive<T>,
    form: &str,
    parse: impl Fn(&str) -> Result<T, UnitError>,
    show: impl Fn(&T) -> String,
    problems: &mut Problems<'_>,
) -> Option<T> {
    let text = text(node, form, problems)?;
    match parse(text) {
        Ok(value) if range.contains(&value) => Some(value),
        Ok(_) => {
            let expected = format!("a value from {} to {}", show(range.start()), show(range.end()));
            problems.add(node.place, quote(text), expected);
            None
        }
        Err(error) => {
            let help = error.nearest.map(|nearest| format!("did you mean `{nearest}`?"));
            problems.add_help(part(node, error.offset, problems), error.found, form, help);
            None
        }
    }
}

/// The place of a scalar's text from a byte offset on, when the file says it literally.
fn part(node: &Node, from: usize, problems: &Problems<'_>) -> Place {
    match &node.kind {
        Kind::Scalar { text, offset: Some(offset) } if from < text.len() => {
            Place::of_bytes(problems.source.text, offset + from, text.len() - from)
        }
        _ => node.place,
    }
}

/// The entries of a list, not too many.
pub(crate) fn list<'n>(node: &'n Node, what: &str, most: usize, problems: &mut Problems<'_>) -> Option<&'n [Node]> {
    match &node.kind {
        Kind::List(items) => within(node, items, what, most, problems),
        Kind::Scalar { .. } | Kind::Null | Kind::Map(_) => {
            problems.add(node.place, node.describe(), format!("a list of {what}"));
            None
        }
    }
}

/// A list of words, at least one and each once.
pub(crate) fn distinct<T: Copy + PartialEq>(
    node: &Node,
    noun: &str,
    words: &[(&str, T)],
    problems: &mut Problems<'_>,
) -> Option<Vec<T>> {
    let mut read = Vec::new();
    for item in list(node, &format!("{noun}s"), words.len(), problems)? {
        let word = word(item, &format!("a {noun}"), words, problems)?;
        if read.contains(&word) {
            let name = words.iter().find(|(_, known)| *known == word).map_or("", |(name, _)| name);
            problems.add(item.place, quote(name).to_string() + " again", format!("each {noun} once"));
            return None;
        }
        read.push(word);
    }
    if read.is_empty() {
        let known: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        problems.add(node.place, "an empty list", format!("at least one {noun}: {}", known.join(", ")));
        return None;
    }
    Some(read)
}

/// The entries of a map, not too many.
pub(crate) fn map<'n>(
    node: &'n Node,
    what: &str,
    most: usize,
    problems: &mut Problems<'_>,
) -> Option<&'n [(Node, Node)]> {
    match &node.kind {
        Kind::Map(entries) => within(node, entries, what, most, problems),
        Kind::Scalar { .. } | Kind::Null | Kind::List(_) => {
            problems.add(node.place, node.describe(), format!("a map of {what}"));
            None
        }
    }
}

fn within<'n, T>(
    node: &Node,
    entries: &'n [T],
    what: impl Display,
    most: usize,
    problems: &mut Problems<'_>,
) -> Option<&'n [T]> {
    if entries.len() > most {
        problems.add(node.place, format!("{} {what}", entries.len()), format!("at most {most}"));
        return None;
    }
    Some(entries)
}
