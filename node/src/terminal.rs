//! Text from elsewhere on a terminal.

/// The text, such as an error of a peer or the symbol of a rune, without what a terminal would obey; lines stay.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if commands(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Control characters, and those that reorder or hide the text around them (UAX #9).
fn commands(c: char) -> bool {
    let invisible = matches!(
        c,
        '\u{61c}' | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    );
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
