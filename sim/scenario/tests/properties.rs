//! No input makes the checker panic, and what it refuses it points at.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use darkswap_scenario::{Problem, Scenario, check_bytes};
use proptest::prelude::*;

/// A scenario that uses every field.
const FULL: &str = include_str!("full.yaml");

fn checked(bytes: &[u8]) -> Result<Scenario, Vec<Problem>> {
    check_bytes("fuzz", "fuzz.yaml", bytes)
}

/// Problems lie within the text and can be shown; a scenario can be applied.
fn survives(bytes: &[u8]) {
    match checked(bytes) {
        Ok(scenario) => {
            for seed in [0, u64::MAX] {
                let topology = scenario.topology(seed);
                assert_eq!(topology.hosts.len(), scenario.host_count());
                for job in &topology.jobs {
                    assert!(job.times().take(3).all(|at| at < scenario.duration));
                }
            }
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            let lines = String::from_utf8_lossy(bytes).lines().count();
            for problem in problems {
                assert!(
                    problem.place.line <= lines.max(1) + 1 && problem.place.column >= 1 && problem.place.length >= 1
                );
                let shown = problem.to_string();
                assert!(
                    shown.starts_with("fuzz.yaml:") && !shown.chars().any(|c| c.is_control() && c != '\n'),
                    "{shown:?}"
                );
            }
        }
    }
}

#[test]
fn the_full_scenario_is_valid_and_uses_every_field() {
    if let Err(problems) = checked(FULL.as_bytes()) {
        panic!("{}", problems.iter().map(|problem| format!("{problem}\n\n")).collect::<String>());
    }
    for field in darkswap_scenario::SECTIONS.iter().flat_map(|section| section.fields) {
        assert!(FULL.contains(&format!("{field}:")), "{field}");
    }
}

#[test]
fn hostile_shapes_are_refused() {
    for text in [
        "{".repeat(10_000),
        "[".repeat(10_000),
        "- ".repeat(10_000),
        "a: &a [1]\nb: [*a, *a]".into(),
        "x".repeat(darkswap_scenario::bound::FILE + 1),
        format!("title: x\nduration: 10s\nhosts: {{a: {{count: {}}}}}\nexpect: [count(path) > 0]", "9".repeat(40)),
        "? [a]\n: b".into(),
        "\u{feff}".into(),
        "%YAML 9.9\n---\n".into(),
    ] {
        assert!(checked(text.as_bytes()).is_err());
        survives(text.as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        survives(&bytes);
    }

    #[test]
    fn arbitrary_text_never_panics(text in "[a-z0-9 :{}\\[\\],%\"'#&*!|>\\-\n\t]{0,200}") {
        survives(text.as_bytes());
    }

    #[test]
    fn a_changed_byte_never_panics(at in 0..FULL.len(), byte in any::<u8>()) {
        let mut bytes = FULL.as_bytes().to_vec();
        bytes[at] = byte;
        survives(&bytes);
    }

    #[test]
    fn a_cut_or_doubled_part_never_panics(from in 0..FULL.len(), length in 1_usize..80) {
        let end = (from + length).min(FULL.len());
        let part = &FULL.as_bytes()[from..end];
        survives(&[&FULL.as_bytes()[..from], &FULL.as_bytes()[end..]].concat());
        survives(&[&FULL.as_bytes()[..end], part, &FULL.as_bytes()[end..]].concat());
    }

    #[test]
    fn a_misspelt_field_is_pointed_at(choice in any::<prop::sample::Index>()) {
        let keys: Vec<usize> = key_ends(FULL);
        let end = keys[choice.index(keys.len())];
        let text = format!("{}zzz{}", &FULL[..end], &FULL[end..]);
        let line = text[..end].matches('\n').count() + 1;
        // A name that the file gives may be anything; then what refers to it is wrong, or nothing is.
        if let Err(problems) = checked(text.as_bytes()) {
            let key: String = text[..end + 3].chars().rev().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '-').collect();
            let key: String = key.chars().rev().collect();
            let named = problems.iter().any(|problem| problem.place.line == line && problem.found.contains(&key));
            let referred = problems.iter().any(|problem| problem.found.contains(key.trim_end_matches("zzz")));
            prop_assert!(named || referred, "{}: {:?}", key, problems);
        }
        survives(text.as_bytes());
    }

    #[test]
    fn a_wrong_value_is_pointed_at(choice in any::<prop::sample::Index>(), value in prop::sample::select(vec!["?!", "-1", "1e9", "0x1", "[]", "{}", "~", "99999999999h", "\u{1}"])) {
        let scalars: Vec<(usize, usize)> = scalars(FULL);
        let (from, to) = scalars[choice.index(scalars.len())];
        let text = format!("{}{value}{}", &FULL[..from], &FULL[to..]);
        let line = text[..from].matches('\n').count() + 1;
        match checked(text.as_bytes()) {
            // Prose takes nearly anything.
            Ok(_) => prop_assert!(line <= 3 || value == "[]" || value == "{}" || value == "~", "{}: {}", line, value),
            Err(problems) => prop_assert!(!problems.is_empty()),
        }
        survives(text.as_bytes());
    }
}

/// Ends of the words before colons.
fn key_ends(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..bytes.len() - 1)
        .filter(|at| bytes[*at] == b':' && word(bytes[*at - 1]) && b" \n".contains(&bytes[*at + 1]))
        .collect()
}

/// Plain values after colons, up to a comma, brace or line end.
fn scalars(text: &str) -> Vec<(usize, usize)> {
    key_ends(text)
        .into_iter()
        .filter_map(|end| {
            let from = end + 2;
            let first = *text.as_bytes().get(from)?;
            let length = text[from..].find([',', '}', '\n', ']'])?;
            (first.is_ascii_alphanumeric() && text.as_bytes()[end + 1] == b' ').then_some((from, from + length))
        })
        .collect()
}
