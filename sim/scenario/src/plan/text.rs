//! A document as text, and from a place in the text back to where it was written.

use crate::problem::{Problem, Problems};
use crate::source::Place;

use super::Both;
use super::document::{Document, File, Origin, Part};

/// Levels that are written over several lines; what lies deeper is on one.
const BLOCK: usize = 2;

/// A text in which every value is on one line.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) text: String,
    spans: Vec<Span>,
}

/// A piece of a line and its origin.
#[derive(Debug)]
struct Span {
    line: usize,
    /// Columns, from 1; the end is exclusive.
    columns: std::ops::Range<usize>,
    /// Where a scalar's text begins, when it stands there without escapes.
    text: Option<(usize, String)>,
    origin: Origin,
}

/// Writes a document so that the scenario's grammar reads the same values from it.
pub(super) fn write(document: &Document) -> Written {
    let mut writer = Writer { text: String::new(), line: 1, column: 1, spans: Vec::new() };
    writer.block(document, 0);
    Written { text: writer.text, spans: writer.spans }
}

impl Written {
    /// Adds a problem of the text to those of the file in which it was caused; `whose` names the variant.
    pub(super) fn report(&self, problem: &Problem, whose: &str, both: &mut Both<'_>) {
        let Place { line, column, length } = problem.place;
        let mut here = self.spans.iter().filter(|span| span.line == line);
        let found = here.clone().find(|span| span.columns.contains(&column));
        // A problem with what is not there stands behind the last thing that is.
        let Some(span) = found.or_else(|| here.next_back()).or(self.spans.first()) else { return };
        let problems = match span.origin.file {
            File::Base => &mut both.base,
            File::Plan => &mut both.plan,
        };
        let place = span.place(column, length, problems);
        let help = match &problem.help {
            Some(help) => format!("in the variant {whose}; {help}"),
            None => format!("in the variant {whose}"),
        };
        if !problems.has(place, &problem.found) {
            problems.add_help(place, problem.found.clone(), problem.expected.clone(), Some(help));
        }
    }
}

impl Span {
    /// The place in the origin of some columns of this span.
    fn place(&self, column: usize, length: usize, problems: &Problems<'_>) -> Place {
        let (Some((start, text)), Some(offset)) = (&self.text, self.origin.offset) else { return self.origin.place };
        if column <= *start || column == self.columns.start {
            return self.origin.place;
        }
        let bytes = |characters: usize| text.chars().take(characters).map(char::len_utf8).sum::<usize>();
        let (from, to) = (bytes(column - start), bytes(column - start + length));
        Place::of_bytes(problems.source.text, offset + from, to.saturating_sub(from))
    }
}

struct Writer {
    text: String,
    line: usize,
    column: usize,
    spans: Vec<Span>,
}

impl Writer {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.chars().count();
    }

    fn end_line(&mut self) {
        self.text.push('\n');
        self.line += 1;
        self.column = 1;
    }

    /// Entries on lines of their own.
    fn block(&mut self, node: &Document, level: usize) {
        let indent = "  ".repeat(level);
        match &node.kind {
            Part::Map(entries) if !entries.is_empty() && level < BLOCK => {
                for (key, value) in entries {
                    self.push(&indent);
                    self.flow(key);
                    self.push(":");
                    self.below(value, level);
                }
            }
            Part::List(items) if !items.is_empty() && level < BLOCK => {
                for item in items {
                    self.push(&indent);
                    self.push("- ");
                    self.flow(item);
                    self.end_line();
                }
            }
            Part::Scalar(_) | Part::Null | Part::List(_) | Part::Map(_) => {
                self.push(&indent);
                self.flow(node);
                self.end_line();
            }
        }
    }

    /// A value behind its key.
    fn below(&mut self, value: &Document, level: usize) {
        let nested = match &value.kind {
            Part::Map(entries) => !entries.is_empty() && level + 1 < BLOCK,
            Part::List(items) => !items.is_empty() && level + 1 < BLOCK,
            Part::Scalar(_) | Part::Null => false,
        };
        if nested {
            self.end_line();
            self.block(value, level + 1);
        } else {
            self.push(" ");
            self.flow(value);
            self.end_line();
        }
    }

    /// On one line.
    fn flow(&mut self, node: &Document) {
        let start = self.column;
        let mut text = None;
        match &node.kind {
            Part::Scalar(value) if is_plain(value) => {
                text = Some((start, value.clone()));
                self.push(value);
            }
            Part::Scalar(value) => {
                let quoted = quoted(value);
                text = (quoted.chars().count() == value.chars().count() + 2).then(|| (start + 1, value.clone()));
                self.push(&quoted);
            }
            Part::Null => self.push("~"),
            Part::List(items) => self.several("[", items, "]", |writer, item| writer.flow(item)),
            Part::Map(entries) => self.several("{", entries, "}", |writer, (key, value)| {
                writer.flow(key);
                writer.push(": ");
                writer.flow(value);
            }),
        }
        // Of a container only its first character is its own.
        let end = if matches!(node.kind, Part::List(_) | Part::Map(_)) { start + 1 } else { self.column };
        self.spans.push(Span { line: self.line, columns: start..end, text, origin: node.origin });
    }

    fn several<T>(&mut self, open: &str, items: &[T], close: &str, mut write: impl FnMut(&mut Self, &T)) {
        self.push(open);
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.push(", ");
            }
            write(self, item);
        }
        self.push(close);
    }
}

/// Whether YAML reads these characters as themselves anywhere.
fn is_plain(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '%' | '+' | '/' | '-');
    let nothing = ["null", "Null", "NULL"].contains(&text);
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(inner) && !nothing
}

/// In double quotes, with escapes where YAML wants them (YAML 1.2, section 5.7).
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                quoted.push_str(&format!("\\u{:04X}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;
    use crate::tree::{self, Kind, Node};

    fn parse(text: &str) -> Node {
        let mut problems = Problems::new(Source { file: "test.yaml", text });
        tree::parse(&mut problems).unwrap_or_else(|| panic!("{text}\n{:?}", problems.finish()))
    }

    /// The values of a tree without their places.
    fn values(node: &Node) -> String {
        match &node.kind {
            Kind::Scalar { text, .. } => format!("{text:?}"),
            Kind::Null => "~".into(),
            Kind::List(items) => format!("[{}]", items.iter().map(values).collect::<Vec<_>>().join(",")),
            Kind::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| format!("{}:{}", values(key), values(value)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
            }
        }
    }

    fn round_trip(text: &str) {
        let node = parse(text);
        let written = write(&Document::of(&node));
        assert_eq!(values(&parse(&written.text)), values(&node), "{text}\n{}", written.text);
    }

    #[test]
    fn what_is_written_is_read_as_the_same_values() {
        round_trip(include_str!("../../tests/full.yaml"));
        round_trip(
            "a: |\n  two\n  lines\nb: \"say \\\"hi\\\" \\\\ \\u0001 \u{e9}\"\nc: ~\nd: []\ne: {}\nf: ''\ng: 'null'\n",
        );
        round_trip("a: {b: {c: [1, [2, {d: -3}]]}}\n'- x': '*'\nt: true\nn: 0x1F\ne: 1e3\nr: 1..4\n");
        round_trip("just text");
        round_trip("[]");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_as_it_was_written(text in "\\PC{0,30}", inner in "[ -~]{0,20}") {
            let origin = Origin { file: File::Base, place: Place::START, offset: None };
            let scalar = |text: &str| Document { origin, kind: Part::Scalar(text.into()) };
            let list = Document { origin, kind: Part::List(vec![scalar(&inner), scalar(&text)]) };
            let document = Document { origin, kind: Part::Map(vec![(scalar("a"), scalar(&text)), (scalar("b"), list)]) };
            let written = write(&document);
            let expected = format!("{{\"a\":{text:?},\"b\":[{inner:?},{text:?}]}}");
            proptest::prop_assert_eq!(values(&parse(&written.text)), expected);
        }
    }
}
