//! Rates by the time of day: `"unlimited"`, `"2MiB"`, or a list of spans.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::unit;
use super::value::{Fault, Raw, list, unknown_keys};
use crate::config::{DayRate, RATE_SPANS, RateSpan};

const UNLIMITED: &str = "unlimited";

const FROM: &str = "from";
const TO: &str = "to";
const RATE: &str = "rate";
const KEYS: [&str; 3] = [FROM, TO, RATE];

/// What values are possible, for messages.
pub(super) const EXPECTED: &str = "\"unlimited\", bytes per second such as \"2MiB\", or a list such as `[{ from = \"08:00\", to = \"18:00\", rate = \"2MiB\" }]`";

/// Reads a rate. In the environment and in flags a span is written as `08:00-18:00 2MiB`, and spans are separated by commas.
pub(super) fn read(raw: Raw<'_>) -> Result<DayRate, Vec<Fault>> {
    let wrong = |error: crate::config::DayRateError| vec![raw.fault(error.to_string())];
    if let Some(text) = raw.text() {
        if text == UNLIMITED {
            return Ok(DayRate::default());
        }
        if let Some(rate) = unit::parse_size(text) {
            return DayRate::always(rate).map_err(wrong);
        }
        if matches!(raw, Raw::Toml(_)) || !text.contains('-') {
            return Err(raw.unexpected(EXPECTED));
        }
    } else if !matches!(raw, Raw::Toml(value) if value.get_ref().as_array().is_some()) {
        return Err(raw.unexpected(EXPECTED));
    }
    DayRate::new(list(raw, RATE_SPANS, span)?).map_err(wrong)
}

/// As TOML.
pub(super) fn show(rate: &DayRate) -> toml::Value {
    let table = |span: &RateSpan| {
        let entries = [(FROM, show_time(span.from)), (TO, show_time(span.to)), (RATE, unit::show_size(span.rate))];
        toml::Value::Table(entries.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect())
    };
    match rate.whole_day() {
        Some(rate) => unit::show_size(rate).into(),
        None if rate.spans().is_empty() => UNLIMITED.into(),
        None => rate.spans().iter().map(table).collect::<Vec<_>>().into(),
    }
}

fn span(raw: Raw<'_>) -> Result<RateSpan, Vec<Fault>> {
    if let Raw::Toml(value) = raw
        && let DeValue::Table(table) = value.get_ref()
    {
        return span_of_table(value, table);
    }
    let parts = raw.text().and_then(|text| {
        let (times, rate) = text.split_once(' ')?;
        let (from, to) = times.split_once('-')?;
        Some(RateSpan { from: time(from)?, to: time(to)?, rate: unit::parse_size(rate)? })
    });
    parts.ok_or_else(|| raw.unexpected("a span such as `08:00-18:00 2MiB`"))
}

fn span_of_table(value: &Spanned<DeValue<'_>>, table: &DeTable<'_>) -> Result<RateSpan, Vec<Fault>> {
    let mut faults = unknown_keys(table, &KEYS);
    let mut part = |key: &str, expected: &str, read: fn(&str) -> Option<u64>| match table.get(key).map(Raw::Toml) {
        None => {
            faults.push(Raw::Toml(value).fault(format!("found no `{key}`, expected {expected}")));
            0
        }
        Some(raw) => raw.text().and_then(read).unwrap_or_else(|| {
            faults.extend(raw.unexpected(expected));
            0
        }),
    };
    let from = part(FROM, "a time such as \"08:00\"", |text| time(text).map(u64::from));
    let to = part(TO, "a time such as \"18:00\"", |text| time(text).map(u64::from));
    let rate = part(RATE, "bytes per second such as \"2MiB\"", unit::parse_size);
    if !faults.is_empty() {
        return Err(faults);
    }
    let minute = |minutes: u64| u16::try_from(minutes).unwrap_or(u16::MAX);
    Ok(RateSpan { from: minute(from), to: minute(to), rate })
}

/// Reads a time of the day in minutes: `08:00`, and `24:00` for its end.
fn time(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let number = |text: &str, most: u16| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|number| is_number && *number <= most)
    };
    let time = number(hours, 24)? * 60 + number(minutes, 59)?;
    (time <= 24 * 60).then_some(time)
}

fn show_time(minutes: u16) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Result<DayRate, Vec<String>> {
        read(Raw::Text(text)).map_err(|faults| faults.into_iter().map(|fault| fault.message).collect())
    }

    fn toml(text: &str) -> Result<DayRate, Vec<String>> {
        let document = format!("rate = {text}");
        let table = DeTable::parse(&document).unwrap();
        read(Raw::Toml(&table.get_ref()["rate"]))
            .map_err(|faults| faults.into_iter().map(|fault| fault.message).collect())
    }

    const SPANS: &str =
        r#"[{ from = "08:00", to = "18:00", rate = "2MiB" }, { from = "22:30", to = "06:00", rate = "64KiB" }]"#;

    #[test]
    fn a_rate_is_a_word_a_size_or_spans_of_the_day() {
        assert_eq!(text("unlimited"), Ok(DayRate::default()));
        assert_eq!(toml("\"2MiB\""), Ok(DayRate::always(2 << 20).unwrap()));
        assert_eq!(text("2MiB"), toml("\"2MiB\""));
        let day = RateSpan { from: 480, to: 1_080, rate: 2 << 20 };
        let night = RateSpan { from: 1_350, to: 360, rate: 64 << 10 };
        let both = DayRate::new(vec![day, night]).unwrap();
        assert_eq!(toml(SPANS), Ok(both.clone()));
        assert_eq!(text("08:00-18:00 2MiB, 22:30-06:00 64KiB"), Ok(both));
    }

    #[test]
    fn what_is_shown_reads_back() {
        for rate in ["unlimited", "2MiB", "08:00-18:00 2MiB,22:30-06:00 64KiB,20:00-22:00 1KiB"] {
            let rate = text(rate).unwrap();
            assert_eq!(toml(&show(&rate).to_string()), Ok(rate));
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_was_expected() {
        assert!(toml("7").unwrap_err()[0].contains("unlimited"));
        assert!(text("fast").unwrap_err()[0].contains("unlimited"));
        assert!(toml("\"1B\"").unwrap_err()[0].contains("expected 1024 to"));
        assert!(text("08:00-25:00 2MiB").unwrap_err()[0].contains("08:00-18:00 2MiB"));
        assert!(text("08:00-18:00 2MiB,17:00-19:00 1MiB").unwrap_err()[0].contains("17:00"));
        let wrong = toml(r#"[{ form = "08:00", to = "8" }]"#).unwrap_err();
        assert!(wrong.iter().any(|fault| fault.contains("did you mean `from`")), "{wrong:?}");
        assert_eq!(wrong.len(), 4, "{wrong:?}");
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn no_text_panics(found in "\\PC*", times in "[0-9:.-]{0,12} [0-9]{0,4}(KiB)?") {
            let _ = (text(&found), text(&times));
        }
    }
}
