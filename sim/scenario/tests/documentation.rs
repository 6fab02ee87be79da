//! The reference in `docs/scenarios.md` is complete.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::path::Path;

use darkswap_records::figure::{FIGURES, Figure, Unit};
use darkswap_scenario::{SECTIONS, check_bytes, link, nat};

fn reference() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/scenarios.md")).unwrap()
}

#[test]
fn every_field_is_documented() {
    let reference = reference();
    for section in SECTIONS {
        for field in section.fields {
            let row = reference.lines().any(|line| line.starts_with('|') && line.contains(&format!("`{field}`")));
            let prose = reference.lines().any(|line| line.starts_with('`') && line.contains(&format!("`{field}")));
            assert!(row || prose, "`{field}` of {} is not documented", section.name);
        }
    }
}

#[test]
fn every_built_in_link_and_nat_is_documented() {
    let reference = reference();
    let names =
        link::built_in().into_iter().map(|link| link.name).chain(nat::built_in().into_iter().map(|nat| nat.name));
    for name in names {
        assert!(reference.contains(&format!("`{name}`")), "`{name}` is not documented");
    }
}

#[test]
fn every_figure_is_documented_as_the_catalogue_has_it() {
    let reference = reference();
    for figure in FIGURES {
        let row = row(figure);
        assert!(reference.lines().any(|line| line == row), "docs/scenarios.md has no row\n{row}");
    }
}

#[test]
fn the_example_at_the_beginning_is_valid() {
    let reference = reference();
    let start = reference.find("```yaml\n").unwrap() + "```yaml\n".len();
    let example = &reference[start..start + reference[start..].find("```").unwrap()];
    check_bytes("example", "docs/scenarios.md", example.as_bytes()).unwrap();
}

fn row(figure: &Figure) -> String {
    let quoted = |words: &[&str]| words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let value = match figure.unit {
        Unit::Seconds => "duration".to_string(),
        Unit::Bytes => "size".to_string(),
        Unit::BytesPerSecond => "rate".to_string(),
        Unit::Share => "share".to_string(),
        Unit::Ratio => "ratio".to_string(),
        Unit::Count => "number".to_string(),
        Unit::Category => quoted(figure.categories),
    };
    format!("| `{}` | {value} | {} | {} |", figure.name, quoted(figure.tags), figure.about)
}
