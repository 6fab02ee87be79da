//! Durations, sizes and fee rates as people write them: `90s`, `1h30m`, `64KiB`, `1.5sat/vB`.

use std::time::Duration;

use bitcoin::FeeRate;

/// Milliseconds of each unit, largest first.
const DURATIONS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Bytes of each unit. The binary ones are shown, largest first; the decimal ones are only read.
const SIZES: [(&str, u64); 8] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// Reads one or more numbers with units: `250ms`, `60s`, `1h30m`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut milliseconds = 0_u64;
    loop {
        let (number, after) = leading_number(rest)?;
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        milliseconds = milliseconds.checked_add(number.checked_mul(unit(&DURATIONS, &after[..end])?)?)?;
        rest = &after[end..];
        if rest.is_empty() {
            return Some(Duration::from_millis(milliseconds));
        }
    }
}

/// Reads a number of bytes with or without a unit: `65536`, `64KiB`, `1 MB`.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    let (number, name) = leading_number(text.trim())?;
    let bytes = if name.is_empty() { 1 } else { unit(&SIZES, name)? };
    number.checked_mul(bytes)
}

/// The shortest exact form: `1h30m`.
pub(super) fn show_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (name, milliseconds) in DURATIONS {
        if rest >= milliseconds {
            text.push_str(&format!("{}{name}", rest / milliseconds));
            rest %= milliseconds;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// The shortest exact form in binary units: `64KiB`.
pub(super) fn show_size(bytes: u64) -> String {
    SIZES
        .iter()
        .filter(|(name, _)| name.ends_with("iB"))
        .find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit))
        .map_or_else(|| format!("{bytes}B"), |(name, unit)| format!("{}{name}", bytes / unit))
}

/// What follows the number of a fee rate.
const FEE_RATE: &str = "sat/vB";

/// Reads a number with at most three decimal places: `12 sat/vB`, `1.5sat/vB`.
pub(super) fn parse_fee_rate(text: &str) -> Option<FeeRate> {
    let number = text.trim().strip_suffix(FEE_RATE)?.trim_end();
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(decimals) || decimals.len() > 3 {
        return None;
    }
    let thousandths = whole.parse::<u64>().ok()?.checked_mul(1_000)?;
    let thousandths = thousandths.checked_add(format!("{decimals:0<3}").parse().ok()?)?;
    // A virtual byte has four weight units: 1 sat/vB is 250 sat/kwu.
    thousandths.is_multiple_of(4).then(|| FeeRate::from_sat_per_kwu(thousandths / 4))
}

/// The shortest exact form: `1.5sat/vB`.
pub(super) fn show_fee_rate(fee_rate: FeeRate) -> String {
    let (whole, rest) = (fee_rate.to_sat_per_kwu() / 250, fee_rate.to_sat_per_kwu() % 250);
    let decimals = format!(".{:03}", rest * 4);
    format!("{whole}{}{FEE_RATE}", decimals.trim_end_matches('0').trim_end_matches('.'))
}

fn leading_number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, text[end..].trim_start()))
}

fn unit(units: &[(&str, u64)], name: &str) -> Option<u64> {
    let name = name.trim_end();
    units.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_and_sizes_are_read() {
        assert_eq!(parse_duration("1h30m"), Some(Duration::from_secs(5_400)));
        assert_eq!(parse_duration(" 250 ms "), Some(Duration::from_millis(250)));
        assert_eq!(parse_duration("0s"), Some(Duration::ZERO));
        assert_eq!(parse_size("64KiB"), Some(65_536));
        assert_eq!(parse_size("64 kB"), Some(64_000));
        assert_eq!(parse_size("7"), Some(7));
    }

    #[test]
    fn what_has_no_unit_an_unknown_one_or_no_number_is_refused() {
        for text in
            ["", "5", "s", "5 s x", "1h30", "-1s", "1.5s", "5 weeks", "99999999999999999999s", "18446744073709551615d"]
        {
            assert_eq!(parse_duration(text), None, "{text}");
        }
        assert_eq!(parse_fee_rate("1.5 sat/vB"), Some(FeeRate::from_sat_per_kwu(375)));
        for text in [
            "",
            "1",
            "sat/vB",
            ".5sat/vB",
            "1.sat/vB",
            "1.001sat/vB",
            "1.0000sat/vB",
            "-1sat/vB",
            "99999999999999999sat/vB",
        ] {
            assert_eq!(parse_fee_rate(text), None, "{text}");
        }
        for text in ["", "KiB", "5 KIB", "-1", "1.5MiB", "18446744073709551615KiB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn what_is_shown_reads_back(milliseconds in any::<u64>(), bytes in any::<u64>(), fee in 0..u64::MAX / 4_000) {
            let fee_rate = FeeRate::from_sat_per_kwu(fee);
            prop_assert_eq!(parse_fee_rate(&show_fee_rate(fee_rate)), Some(fee_rate));
            let duration = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse_duration(&show_duration(duration)), Some(duration));
            prop_assert_eq!(parse_size(&show_size(bytes)), Some(bytes));
        }

        #[test]
        fn arbitrary_text_never_panics(text in "\\PC*") {
            let _ = (parse_duration(&text), parse_size(&text), parse_fee_rate(&text));
        }
    }
}
