use proptest::prelude::*;

use super::*;
use crate::figure::FIGURES;
use crate::record::Sample;

fn category(figure: &str, category: &str, tags: &[(&str, &str)]) -> Sample {
    let tags = tags.iter().map(|(tag, value)| (tag.to_string(), value.to_string())).collect();
    Sample { at_us: 0, figure: figure.into(), value: 1.0, category: Some(category.into()), tags }
}

fn value(figure: &str, value: f64) -> Sample {
    Sample { at_us: 0, figure: figure.into(), value, category: None, tags: Default::default() }
}

fn samples() -> Samples {
    let mut samples = Samples::new();
    samples.extend((0..10).map(|n| {
        let (path, nat) = if n < 7 { ("direct", "EI/APD") } else { ("relayed", "APD/APD") };
        category("path", path, &[("from_nat", nat), ("from", "peer-1")])
    }));
    samples.extend((1..=100).map(|n| value("connect_time", f64::from(n) / 10.0)));
    samples.extend((0..4).map(|_| category("message", "delivered", &[])));
    samples.extend([0.5, 0.5, 0.0, 0.0].map(|share| value("relay_load", share)));
    samples
}

#[test]
fn expectations_hold_and_fail() {
    for (line, held, shown) in [
        ("share(path == direct) >= 70%", true, "70 %"),
        ("share(path == direct) == 70%", true, "70 %"),
        ("share(path != direct) < 30%", false, "30 %"),
        ("share(path == direct where from_nat == \"EI/APD\") == 100%", true, "100 %"),
        ("share(path == direct where from_nat == EI/APD and from == peer-1) == 100%", true, "100 %"),
        ("share(path == direct where from_nat != EI/APD) == 0%", true, "0 %"),
        ("count(path) == 10", true, "10"),
        ("count(message == lost) == 0", true, "0"),
        ("p95(connect_time) <= 9500ms", true, "9.5 s"),
        ("p99.9(connect_time) < 10s", false, "10 s"),
        ("median(connect_time) == 5s", true, "5 s"),
        ("min(connect_time) == 100ms", true, "100 ms"),
        ("max(connect_time) > 1m", false, "10 s"),
        ("last(connect_time) == 10s", true, "10 s"),
        ("share(connect_time < 1s) > 8.9%", true, "9 %"),
        ("count(connect_time >= 9s) == 11", true, "11"),
        ("jain(relay_load) == 0.5", true, "0.5"),
        ("jain(relay_load) >= 0.9", false, "0.5"),
    ] {
        let outcome = Expectation::parse(line).unwrap().evaluate(&samples());
        assert_eq!((outcome.held, outcome.shown.as_str(), outcome.error), (held, shown, None), "{line}");
    }
}

#[test]
fn without_samples_nothing_holds() {
    for (line, error) in [
        ("count(dial) == 0", "no samples of `dial` in this run"),
        ("count(dial == failed) == 0", "no samples of `dial` in this run"),
        ("sum(crash) == 0", "no samples of `crash` in this run"),
        ("count(path == failed where from == nobody) == 0", "none of the 10 samples of `path` matches the `where`"),
    ] {
        let outcome = Expectation::parse(line).unwrap().evaluate(&samples());
        assert_eq!((outcome.held, outcome.value, outcome.error.as_deref()), (false, None, Some(error)), "{line}");
    }
}

#[test]
fn errors_point_at_the_fault() {
    for (line, offset, found, expected, nearest) in [
        ("shar(path == direct) > 1%", 0, "`shar`", "a function", Some("share")),
        ("share(pth == direct) > 1%", 6, "`pth`", "the name of a figure", Some("path")),
        ("share(banana == direct) > 1%", 6, "`banana`", "one of the figures connect_time, ", None),
        ("share(path == dirct) > 1%", 14, "`dirct`", "a category of `path`: direct, relayed, failed", Some("direct")),
        ("share(path < direct) > 1%", 11, "`<`", "`==` or `!=`", None),
        ("share(path) > 1%", 10, "`)`", "a condition", None),
        ("share(path = direct) > 1%", 11, "`=`", "a condition", None),
        ("mean(path) > 1", 5, "`path`", "`count` or `share`", None),
        ("mean(round_trip > 1s) > 1s", 16, "`>`", "`mean` takes no condition", None),
        ("count(path where frm == a) > 1", 17, "`frm`", "a tag of `path`: from, to", Some("from")),
        ("count(path wher from == a) > 1", 11, "`wher`", "a comparison, `where` or `)`", Some("where")),
        ("count(path where from == a or to == b) > 1", 27, "`or`", "`and` or `)`", None),
        ("p95(connect_time) < 3", 20, "`3` without a unit", "a duration", None),
        ("p95(connect_time) < 3sec", 21, "unit `sec`", "a duration", None),
        ("p95(connect_time) < 30MB", 22, "unit `MB`", "a duration", None),
        ("p101(connect_time) < 3s", 0, "`p101`", "a percentile from p0 to p100", None),
        ("share(path == direct) >= 700%", 25, "`700%`", "`0%` to `100%`", None),
        ("share(path == direct) >= 0.7", 27, "`0.7` without a unit", "a share", None),
        ("count(path) == 5s", 15, "`5s`", "a plain number", None),
        ("jain(relay_load) > 50%", 19, "`50%`", "a plain number", None),
        ("jain(relay_load) > 1.5", 19, "`1.5`", "from `0` to `1`", None),
        ("jain(relay_load > 0%) > 0.5", 16, "`>`", "`jain` takes no condition", None),
        ("count(path) = 5", 12, "`=`", "a comparison", Some("==")),
        ("count(path) == 5 6", 17, "`6`", "the end of the line", None),
        ("count(path", 10, "the end of the line", "`)`", None),
        ("count path", 6, "`path`", "`(`", None),
        ("", 0, "the end of the line", "a function", None),
        ("count(path where from == \"a) == 1", 25, "a text without its closing `\"`", "a value", None),
    ] {
        let error = Expectation::parse(line).unwrap_err();
        assert_eq!((error.offset, error.found.as_str(), error.nearest.as_deref()), (offset, found, nearest), "{line}");
        assert!(error.expected.contains(expected), "{line}: {}", error.expected);
    }
}

#[test]
fn a_long_line_is_refused() {
    assert!(Expectation::parse(&"x".repeat(MAX_LINE + 1)).unwrap_err().found.contains("401 bytes"));
}

proptest! {
    #[test]
    fn any_line_is_answered_within_its_bounds(line in "\\PC{0,60}") {
        if let Err(error) = Expectation::parse(&line) {
            prop_assert!(error.offset <= line.len() && error.length >= 1);
            prop_assert!(line.is_char_boundary(error.offset));
        }
    }

    #[test]
    fn words_of_the_language_in_any_order_are_answered(
        words in prop::collection::vec(prop::sample::select(vec![
            "share", "count", "p95", "(", ")", "path", "connect_time", "==", "<", "direct", "where", "and", "from", "\"x\"", "3s", "70%", "5", "é",
        ]), 0..12)
    ) {
        let line = words.join(" ");
        if let Ok(expectation) = Expectation::parse(&line) {
            let outcome = expectation.evaluate(&samples());
            prop_assert!(outcome.value.is_some() != outcome.error.is_some());
        }
    }

    #[test]
    fn every_figure_can_be_counted(index in 0..FIGURES.len(), threshold in 0_u32..1_000) {
        let line = format!("count({}) >= {threshold}", FIGURES[index].name);
        let expectation = Expectation::parse(&line).unwrap();
        prop_assert_eq!(expectation.figure, &FIGURES[index]);
        prop_assert_eq!(expectation.threshold, f64::from(threshold));
    }
}
