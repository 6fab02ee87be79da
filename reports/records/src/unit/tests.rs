use proptest::prelude::*;

use super::*;

#[test]
fn durations_are_exact() {
    assert_eq!(parse_duration("20ms"), Ok(Duration::from_millis(20)));
    assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1_500)));
    assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
    assert_eq!(parse_duration("1 h"), Ok(Duration::from_secs(3_600)));
    assert_eq!(format_duration(Duration::from_millis(90_500)), "90.5s");
    assert_eq!(format_duration(Duration::from_secs(7_200)), "2h");
    assert_eq!(format_duration(Duration::from_nanos(1_234_567)), "1.234567ms");
    assert_eq!(format_duration(Duration::ZERO), "0s");
}

#[test]
fn sizes_rates_and_shares_are_exact() {
    assert_eq!(parse_size("64KiB"), Ok(65_536));
    assert_eq!(parse_size("1MB"), Ok(1_000_000));
    assert_eq!(parse_rate("20Mbit"), Ok(20_000_000));
    assert_eq!(parse_rate("1.5Gbit/s"), Ok(1_500_000_000));
    assert_eq!(parse_share("70%"), Ok(0.7));
    assert_eq!(parse_share("0.5%"), Ok(0.005));
    assert_eq!(format_size(65_536), "64KiB");
    assert_eq!(format_rate(1_500_000_000), "1500Mbit");
    assert_eq!(format_share(0.07), "7%");
}

#[test]
fn a_wrong_unit_names_the_nearest() {
    let error = parse_duration("20msec").unwrap_err();
    assert_eq!((error.offset, error.found.as_str()), (2, "unit `msec`"));
    assert_eq!(parse_size("64Kib").unwrap_err().nearest.as_deref(), Some("KiB"));
    assert_eq!(parse_share("5").unwrap_err().nearest.as_deref(), Some("5%"));
    assert_eq!(parse_duration("5").unwrap_err().found, "`5` without a unit");
    assert!(parse_duration("0.1ns").unwrap_err().found.contains("finer"));
    assert!(parse_duration("99999999999h").unwrap_err().found.contains("too large"));
}

#[test]
fn people_read_three_digits() {
    assert_eq!(show_seconds(0.412_3), "412 ms");
    assert_eq!(show_seconds(0.999_9), "1 s");
    assert_eq!(show_seconds(3.21), "3.21 s");
    assert_eq!(show_seconds(300.0), "5 min");
    assert_eq!(show_share(0.83), "83 %");
    assert_eq!(show_share(0.999_9), "99.9 %");
    assert_eq!(show_share(0.29), "29 %");
    assert_eq!(show_bytes(65_536.0), "64 KiB");
    assert_eq!(show_count(17.0), "17");
    assert_eq!([0.8731, 0.25, 1.0, 1.2345, -0.25, -1e-9].map(show_ratio), ["0.873", "0.25", "1", "1.23", "-0.25", "0"]);
    assert_eq!(show_rate(100.0), "100 B/s");
}

proptest! {
    #[test]
    fn what_is_written_reads_back(nanos in any::<u64>(), bytes in any::<u64>(), hundredths in 0_u32..20_000) {
        // More than 18 digits is refused on reading; such a duration is 31 years long.
        let nanos = nanos % 1_000_000_000_000_000_000;
        let bytes = bytes % 1_000_000_000_000_000_000;
        let duration = Duration::from_nanos(nanos);
        prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        prop_assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
        prop_assert_eq!(parse_rate(&format_rate(bytes)), Ok(bytes));
        let text = format!("{}%", f64::from(hundredths) / 100.0);
        prop_assert_eq!(parse_share(&text).map(format_share), Ok(text));
    }

    #[test]
    fn any_text_is_answered(text in ".{0,40}") {
        for offset in [parse_duration(&text).err(), parse_size(&text).err(), parse_rate(&text).err(), parse_share(&text).err()]
            .into_iter().flatten().map(|error| error.offset)
        {
            prop_assert!(offset <= text.len());
        }
        let _ = parse_share(&text).map(show_share);
    }

    #[test]
    fn any_number_is_shown(value in any::<f64>()) {
        let words = [show_seconds(value), show_bytes(value), show_rate(value), show_share(value), show_count(value)];
        for text in words.into_iter().chain([show_ratio(value)]) {
            prop_assert!(!text.is_empty());
        }
    }
}
