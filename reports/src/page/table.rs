//! Rows and columns as HTML.

use crate::escape::Escaped;

/// How a column is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    /// Text, to the left.
    Text,
    /// Numbers, to the right with figures of one width.
    Number,
}

/// A column's heading, the explanation behind it, and its setting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column<'a> {
    pub(super) heading: &'a str,
    pub(super) about: &'a str,
    pub(super) align: Align,
}

/// A column of text.
pub(super) fn text(heading: &str) -> Column<'_> {
    Column { heading, about: "", align: Align::Text }
}

/// A column of numbers.
pub(super) fn number(heading: &str) -> Column<'_> {
    Column { heading, about: "", align: Align::Number }
}

/// A table; `rows` hold HTML, so escape what comes from outside. Wide tables scroll on their own.
pub(super) fn table(columns: &[Column<'_>], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let head: String = columns.iter().map(heading).collect();
    let body: String = rows.into_iter().map(|row| format!("<tr>{}</tr>\n", cells(columns, &row))).collect();
    format!("<div class=\"scroll\"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>\n")
}

fn heading(column: &Column<'_>) -> String {
    let about = if column.about.is_empty() { String::new() } else { format!(" title=\"{}\"", Escaped(column.about)) };
    format!("<th scope=\"col\"{}{about}>{}</th>", class(column.align), Escaped(column.heading))
}

fn cells(columns: &[Column<'_>], row: &[String]) -> String {
    columns.iter().zip(row).map(|(column, cell)| format!("<td{}>{cell}</td>", class(column.align))).collect()
}

fn class(align: Align) -> &'static str {
    match align {
        Align::Text => "",
        Align::Number => " class=\"number\"",
    }
}
