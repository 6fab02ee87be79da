//! What is wrong with a scenario: where, what was found and what was expected.

use std::fmt;

use darkswap_records::nearest::nearest;

use crate::bound;
use crate::source::{Place, Source};

/// One fault of a scenario file, displayed with the line it stands in.
///
/// ```text
/// scenarios/quickstart.yaml:7:11: found field `latncy`, expected a field of a link: latency, jitter, loss
///   |
/// 7 |   fibre: {latncy: 5ms}
///   |           ^^^^^^
///   = help: did you mean `latency`?
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file as it was named by the caller.
    pub file: String,
    /// Where in the file.
    pub place: Place,
    /// What stood there, in words.
    pub found: String,
    /// What would have been right.
    pub expected: String,
    /// A way out, when one is known.
    pub help: Option<String>,
    /// The line of the file, without control characters and cropped when long.
    excerpt: String,
    /// Characters in front of the fault in `excerpt`.
    indent: usize,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, place: Place { line, column, length }, found, expected, .. } = self;
        write!(f, "{file}:{line}:{column}: found {found}, expected {expected}")?;
        let gutter = line.to_string().len();
        let carets = "^".repeat((*length).min(self.excerpt.chars().count().saturating_sub(self.indent)).max(1));
        if !self.excerpt.is_empty() {
            write!(
                f,
                "\n{:gutter$} |\n{line} | {}\n{:gutter$} | {:indent$}{carets}",
                "",
                self.excerpt,
                "",
                "",
                indent = self.indent
            )?;
        }
        match &self.help {
            Some(help) => write!(f, "\n{:gutter$} = help: {help}", ""),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

/// The problems of one file so far.
#[derive(Debug)]
pub(crate) struct Problems<'a> {
    pub(crate) source: Source<'a>,
    list: Vec<Problem>,
}

impl<'a> Problems<'a> {
    pub(crate) fn new(source: Source<'a>) -> Self {
        Self { source, list: Vec::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether the same was found at the same place already.
    pub(crate) fn has(&self, place: Place, found: &str) -> bool {
        self.list.iter().any(|problem| problem.place == place && problem.found == found)
    }

    /// Every problem, in the order of the file.
    pub(crate) fn finish(mut self) -> Vec<Problem> {
        self.list.sort_by_key(|problem| problem.place);
        self.list.dedup();
        self.list.truncate(bound::PROBLEMS);
        self.list
    }

    pub(crate) fn add(&mut self, place: Place, found: impl Into<String>, expected: impl Into<String>) {
        self.add_help(place, found, expected, None);
    }

    /// A word that is none of `known`.
    pub(crate) fn add_unknown<'k>(
        &mut self,
        place: Place,
        word: &str,
        expected: impl Into<String>,
        known: impl IntoIterator<Item = &'k str>,
    ) {
        let help = nearest(word, known).map(|name| format!("did you mean `{name}`?"));
        self.add_help(place, quote(word), expected, help);
    }

    pub(crate) fn add_help(
        &mut self,
        place: Place,
        found: impl Into<String>,
        expected: impl Into<String>,
        help: Option<String>,
    ) {
        // Far above what is reported, so that sorting still picks the first ones, but bounded.
        if self.list.len() >= 20 * bound::PROBLEMS {
            return;
        }
        let (excerpt, indent) = excerpt(self.source.line(place.line), place.column - 1);
        self.list.push(Problem {
            file: self.source.file.to_string(),
            place,
            found: found.into(),
            expected: expected.into(),
            help,
            excerpt,
            indent,
        });
    }
}

/// Text in backquotes for a message, on one line and shortened.
pub(crate) fn quote(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut out: String = text.chars().take(LONGEST).map(printable).collect();
    if text.chars().count() > LONGEST {
        out.push('…');
    }
    format!("`{out}`")
}

fn printable(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

/// The part of a line around a column that fits a terminal, and the column within it.
fn excerpt(line: &str, column: usize) -> (String, usize) {
    const WIDTH: usize = 110;
    const BEFORE: usize = 70;
    let length = line.chars().count();
    let column = column.min(length);
    let skip = if length <= WIDTH { 0 } else { column.saturating_sub(BEFORE) };
    let mut text: String = line.chars().skip(skip).take(WIDTH).map(printable).collect();
    let mut indent = column - skip;
    if skip > 0 {
        text.insert(0, '…');
        indent += 1;
    }
    if length > skip + WIDTH {
        text.push('…');
    }
    (text, indent)
}
