//! What a command prints.

use std::io::{self, Write as _};

use anyhow::Context as _;
use serde::Serialize;

use super::failure::Failure;

/// Writes lines to standard output.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{}", text.trim_end_matches('\n')).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::OutputClosed),
        written => Ok(written.context("cannot write to standard output")?),
    }
}

/// Writes one line of JSON to standard output.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    print(&serde_json::to_string(value).context("cannot write JSON")?)
}

/// Writes an error to standard error.
pub(crate) fn complain(message: &str) {
    // Nobody is left to be told when this fails.
    let _ = writeln!(io::stderr().lock(), "error: {}", printable(message));
}

/// Text from elsewhere, such as a rune's symbol, without what a terminal would obey.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if commands(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Control characters, and those that reorder or hide the text around them (UAX #9).
fn commands(c: char) -> bool {
    let invisible = matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    invisible || (c.is_control() && c != '\n')
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn text_from_elsewhere_commands_no_terminal_and_reorders_nothing() {
        assert_eq!(printable("12.5\u{202e}¤\u{1b}[2J"), "12.5\u{fffd}¤\u{fffd}[2J");
        assert_eq!(printable("👩\u{200d}🚀 ಕ\n"), "👩\u{200d}🚀 ಕ\n");
    }
}
