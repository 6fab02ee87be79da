//! What is wrong with a configuration, told so that a person can mend it.

use std::fmt;

use super::origin::{Origin, Place};
use crate::terminal;

/// How similar a name must be to be suggested (Jaro-Winkler, 1 is equal).
const SUGGESTION: f64 = 0.8;

/// Characters of a wrong value that a message repeats.
const EXCERPT: usize = 80;

/// Everything that is wrong with a configuration, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Problems(pub Vec<Problem>);

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub origin: Origin,
    /// What was found and what was expected.
    pub message: String,
    /// The line of the file.
    pub line: Option<String>,
}

impl Problem {
    /// A problem in `text`, the content of the configuration file.
    pub(super) fn in_file(place: Place, text: &str, message: String) -> Self {
        let line = text.lines().nth(place.line - 1).map(printable);
        Self { origin: Origin::File(place), message, line }
    }

    pub(super) fn elsewhere(origin: Origin, message: String) -> Self {
        Self { origin, message, line: None }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)?;
        if let (Origin::File(place), Some(line)) = (&self.origin, &self.line) {
            let number = place.line.to_string();
            let (gutter, indent) = (" ".repeat(number.len()), " ".repeat(place.column - 1));
            let rest = line.chars().count().saturating_sub(place.column - 1).max(1);
            write!(f, "\n  {number} | {line}\n  {gutter} | {indent}{}", "^".repeat(place.width.min(rest)))?;
        }
        Ok(())
    }
}

/// `; did you mean ..?` when one of `known` resembles `found`, else nothing.
pub(super) fn suggestion<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(found, known).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// The name that resembles `found` most, when any does.
pub(super) fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let found: String = excerpt(found).replace('-', "_");
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&found, name), name))
        .filter(|(similarity, _)| *similarity >= SUGGESTION)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// The beginning of a wrong value, fit for a terminal.
pub(super) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}...", printable(&text[..end])),
        None => printable(text),
    }
}

/// Tabs would move the marker under the line, and so would line ends.
fn printable(text: &str) -> String {
    terminal::printable(&text.replace('\t', " ")).replace('\n', "\u{fffd}")
}
