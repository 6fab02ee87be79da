//! The text of a scenario file, and places in it.

/// A file's text with its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) file: &'a str,
    pub(crate) text: &'a str,
}

/// Where something stands: line and column start at 1 and count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column of the first character.
    pub column: usize,
    /// Characters, at least 1.
    pub length: usize,
}

impl Place {
    /// The first character of a file.
    pub(crate) const START: Self = Self { line: 1, column: 1, length: 1 };

    /// The place of the bytes from `offset`, `length` of them; what lies on further lines is left out.
    pub(crate) fn of_bytes(text: &str, offset: usize, length: usize) -> Self {
        let offset = floor(text, offset);
        let end = floor(text, offset.saturating_add(length));
        let start_of_line = text[..offset].rfind('\n').map_or(0, |at| at + 1);
        let line = text[..offset].matches('\n').count() + 1;
        let column = text[start_of_line..offset].chars().count() + 1;
        let part = text[offset..end].lines().next().unwrap_or("").trim_end();
        Self { line, column, length: part.chars().count().max(1) }
    }
}

impl Source<'_> {
    /// A line of the text; empty when there is none.
    pub(crate) fn line(&self, number: usize) -> &str {
        self.text.lines().nth(number.saturating_sub(1)).unwrap_or("")
    }
}

/// The nearest character boundary at or below `offset`.
fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}
