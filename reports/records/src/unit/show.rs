//! Values rounded for people: three significant digits and a space before the unit.

/// Seconds as `412 ms`, `3.2 s`, `2.5 min`.
pub fn show_seconds(seconds: f64) -> String {
    let size = seconds.abs();
    match size {
        _ if !size.is_finite() => "not a number".into(),
        0.0 => "0 s".into(),
        s if s < 0.000_999_5 => format!("{} µs", digits(seconds * 1e6)),
        s if s < 0.999_5 => format!("{} ms", digits(seconds * 1e3)),
        s if s < 119.5 => format!("{} s", digits(seconds)),
        s if s < 7_170.0 => format!("{} min", digits(seconds / 60.0)),
        _ => format!("{} h", digits(seconds / 3_600.0)),
    }
}

/// Bytes as `200 B`, `64 KiB`, `1.5 MiB`.
pub fn show_bytes(bytes: f64) -> String {
    let mut value = bytes;
    for unit in ["B", "KiB", "MiB"] {
        if value.abs() < 1_023.5 {
            return format!("{} {unit}", digits(value));
        }
        value /= 1_024.0;
    }
    format!("{} GiB", digits(value))
}

/// Bytes per second as `64 KiB/s`.
pub fn show_rate(bytes_per_second: f64) -> String {
    format!("{}/s", show_bytes(bytes_per_second))
}

/// A share of 0 to 1 as `83 %`, `99.5 %`.
pub fn show_share(share: f64) -> String {
    // Floor, so that 99.96 % never reads as all of them.
    let tenths = (share * 1_000.0 + 1e-9).floor() / 10.0;
    format!("{tenths} %")
}

/// A count, whole when it is whole.
pub fn show_count(count: f64) -> String {
    if count.fract() == 0.0 { format!("{count:.0}") } else { digits(count) }
}

/// A ratio as `0.873`, `1.4`: three decimals below one, where Jain's index is.
pub fn show_ratio(ratio: f64) -> String {
    if ratio.abs() >= 0.999_5 {
        return digits(ratio);
    }
    let text = format!("{ratio:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.to_string() }
}

/// Three significant digits, but never fewer than the whole part.
fn digits(value: f64) -> String {
    let decimals = match value.abs() {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
}
