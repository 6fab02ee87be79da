//! Values with units, read and written the same way in scenarios, expectations and reports.
//!
//! Two ways out: `format_*` is exact and reads back to the same value (`1.5s`, `64KiB`), `show_*` is rounded for people
//! (`412 ms`, `83 %`). Reading is exact integer arithmetic: `0.1s` is 100,000,000 ns and nothing else.

use std::time::Duration;

use crate::nearest::nearest;

mod decimal;
mod show;

use decimal::{Decimal, trim};
pub use show::{show_bytes, show_count, show_rate, show_ratio, show_seconds, show_share};

/// Why a text is not a value with a unit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("found {found}, expected {expected}")]
pub struct UnitError {
    /// What stood there, quoted for people.
    pub found: String,
    /// What would have been right.
    pub expected: String,
    /// Byte offset of the fault within the text.
    pub offset: usize,
    /// The nearest known unit, when one is near.
    pub nearest: Option<String>,
}

/// A unit's spellings and their size in the base unit.
type Units = &'static [(&'static str, u128)];

const DURATION: Units = &[
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];
const SIZE: Units = &[
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];
const BITCOIN: Units = &[("sat", 1), ("btc", 100_000_000)];
const RATE: Units = &[("bit", 1), ("kbit", 1_000), ("Mbit", 1_000_000), ("Gbit", 1_000_000_000)];

/// What a duration looks like, for error messages.
pub const DURATION_FORM: &str = "a duration such as `20ms`, `1.5s`, `2m` or `1h`";
/// What a size looks like, for error messages.
pub const SIZE_FORM: &str = "a size such as `200B`, `64KiB` or `1MB`";
/// What a rate looks like, for error messages.
pub const RATE_FORM: &str = "a rate in bits per second such as `512kbit`, `20Mbit` or `1Gbit`";
/// What an amount of bitcoin looks like, for error messages.
pub const BITCOIN_FORM: &str = "an amount such as `0.5btc` or `2000sat`";
/// What a share looks like, for error messages.
pub const SHARE_FORM: &str = "a share such as `1%` or `0.5%`";

/// Reads a duration: a number and `ns`, `us`, `ms`, `s`, `m` or `h`.
///
/// # Errors
/// Another form, an unknown unit, more digits than a nanosecond holds, or more than 2^64 nanoseconds.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    parse(text, DURATION, DURATION_FORM).map(Duration::from_nanos)
}

/// Reads a size in bytes: a number and `B`, `kB`, `MB`, `GB` (decimal) or `KiB`, `MiB`, `GiB` (binary).
///
/// # Errors
/// Another form, an unknown unit, a fraction of a byte, or more than 2^64 bytes.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    parse(text, SIZE, SIZE_FORM)
}

/// Reads an amount of bitcoin in satoshis: a number and `sat` or `btc`.
///
/// # Errors
/// Another form, an unknown unit, a fraction of a satoshi, or more than 2^64 satoshis.
pub fn parse_bitcoin(text: &str) -> Result<u64, UnitError> {
    parse(text, BITCOIN, BITCOIN_FORM)
}

/// Reads a rate in bits per second: a number and `bit`, `kbit`, `Mbit` or `Gbit`, with or without `/s`.
///
/// # Errors
/// Another form, an unknown unit, a fraction of a bit, or more than 2^64 bits per second.
pub fn parse_rate(text: &str) -> Result<u64, UnitError> {
    parse(text.strip_suffix("/s").unwrap_or(text), RATE, RATE_FORM)
}

/// Reads a share: a number and `%`; `70%` is 0.7. May exceed 100 %; what is allowed is the caller's matter.
///
/// # Errors
/// Another form, or more digits than are exact.
pub fn parse_share(text: &str) -> Result<f64, UnitError> {
    let error = |found: String, offset| UnitError { found, expected: SHARE_FORM.into(), offset, nearest: None };
    let (number, rest) = Decimal::read(text).ok_or_else(|| error(quote(text), 0))?;
    match rest.trim_start() {
        "%" => number.over(100).ok_or_else(|| error(quote(text), 0)),
        "" => {
            // `0.7` may well mean 70 %, so only a whole number is taken for per cent.
            let nearest = (!text.contains('.')).then(|| format!("{}%", text.trim_end()));
            Err(UnitError { nearest, ..error(format!("{} without a unit", quote(text)), text.len()) })
        }
        unit => Err(error(format!("unit {}", quote(unit)), text.len() - unit.len())),
    }
}

/// The exact text of a duration, in the largest unit that keeps it short: `1.5s`, `20ms`, `2m`.
pub fn format_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    for (unit, size) in DURATION.iter().rev() {
        // Hours and minutes only when whole: 1.5m is harder to read than 90s.
        let fits = if *size > 1_000_000_000 { nanos.is_multiple_of(*size) } else { nanos >= *size };
        if nanos > 0 && fits {
            return format!("{}{unit}", trim(nanos, *size));
        }
    }
    "0s".into()
}

/// The exact text of a size: binary units when they divide it, else decimal ones, else bytes.
pub fn format_size(bytes: u64) -> String {
    exact(u128::from(bytes), SIZE, "0B")
}

/// The exact text of an amount of bitcoin: `2btc`, `2000sat`.
pub fn format_bitcoin(satoshis: u64) -> String {
    exact(u128::from(satoshis), BITCOIN, "0sat")
}

/// The exact text of a rate in bits per second: `20Mbit`.
pub fn format_rate(bits: u64) -> String {
    exact(u128::from(bits), RATE, "0bit")
}

/// The text of a share with up to six decimals: `70%`, `0.5%`.
pub fn format_share(share: f64) -> String {
    let text = format!("{:.6}", share * 100.0);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

fn exact(value: u128, units: Units, zero: &str) -> String {
    if value == 0 {
        return zero.into();
    }
    let (unit, size) = units.iter().rev().find(|(_, size)| value.is_multiple_of(*size)).unwrap_or(&units[0]);
    format!("{}{unit}", value / size)
}

fn parse(text: &str, units: Units, form: &str) -> Result<u64, UnitError> {
    let error = |found: String, offset| UnitError { found, expected: form.to_string(), offset, nearest: None };
    let (number, rest) = Decimal::read(text).ok_or_else(|| error(quote(text), 0))?;
    let unit = rest.trim_start();
    let offset = text.len() - unit.len();
    if unit.is_empty() {
        return Err(error(format!("{} without a unit", quote(text)), text.len()));
    }
    let Some((_, size)) = units.iter().find(|(name, _)| *name == unit) else {
        let nearest = nearest(unit, units.iter().map(|(name, _)| *name)).map(str::to_string);
        return Err(UnitError { nearest, ..error(format!("unit {}", quote(unit)), offset) });
    };
    match number.times(*size).map(u64::try_from) {
        Some(Ok(value)) => Ok(value),
        Some(Err(_)) => Err(error(format!("{}, which is too large", quote(text)), 0)),
        None => Err(error(format!("{}, which is finer than the smallest unit or too long", quote(text)), 0)),
    }
}

/// Text in backquotes, shortened: it comes from outside and ends up on a terminal.
pub(crate) fn quote(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut out: String = text.chars().take(LONGEST).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().count() > LONGEST {
        out.push('…');
    }
    format!("`{out}`")
}

#[cfg(test)]
mod tests;
