//! The only place that writes to the terminal.

use std::fmt::Display;
use std::io::{self, Write};

use super::paint::Paint;

/// A line of the result.
pub(super) fn line(text: impl Display) {
    // When nobody reads any more, there is nobody to tell.
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// The result as it is, without a line end.
pub(super) fn text(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// A line that is no result.
pub(super) fn note(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Something that does not keep the command from doing its work.
pub(super) fn warning(text: &str) {
    note(format_args!("{} {text}", Paint::stderr().yellow("warning:")));
}

/// Why a command did not do its work.
pub(super) fn error(text: &str) {
    note(format_args!("{} {text}", Paint::stderr().red("error:")));
}

/// Everything that is wrong with the input, and how much it is.
pub(super) fn problems(problems: &[impl Display], consequence: &str) {
    for problem in problems {
        note(format_args!("{} {problem}\n", Paint::stderr().red("error:")));
    }
    let things = if problems.len() == 1 { "problem" } else { "problems" };
    error(&format!("{} {things}{consequence}", problems.len()));
}
