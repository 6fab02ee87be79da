//! Text from records as HTML: every name, title and error in a report is untrusted until it has passed here.

use std::fmt::{self, Display, Formatter, Write};

/// Shows a text with everything escaped that HTML gives a meaning, in elements as in quoted attributes.
///
/// Control characters become spaces, because none of them is allowed in a page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c if c.is_control() => f.write_char(' ')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A text of ours as HTML, in which words between backticks are code, as the catalogue writes them.
pub(crate) fn prose(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    // A backtick without its partner is one.
    if parts.len().is_multiple_of(2) {
        return Escaped(text).to_string();
    }
    let part = |(index, part): (usize, &&str)| match index % 2 {
        0 => Escaped(part).to_string(),
        _ => format!("<code>{}</code>", Escaped(part)),
    };
    parts.iter().enumerate().map(part).collect()
}

/// A name as an element id: letters, digits and dashes; anything else is spelled as its code point, so two names never collide.
pub(crate) fn anchor(name: &str) -> String {
    let mut id = String::from("s-");
    for c in name.chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' => id.push(c),
            '/' => id.push_str("--"),
            c => {
                let _ = write!(id, "_{:x}_", u32::from(c));
            }
        }
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_between_backticks_are_code_and_everything_is_escaped() {
        assert_eq!(prose("of `a<b`, `c`."), "of <code>a&lt;b</code>, <code>c</code>.");
        assert_eq!([prose("one ` alone <"), prose("")], ["one ` alone &lt;", ""]);
    }

    #[test]
    fn markup_in_a_name_is_shown_and_not_obeyed() {
        let escape = |text| Escaped(text).to_string();
        assert_eq!(escape(r#"<script>"a"&'b'</script>"#), "&lt;script&gt;&quot;a&quot;&amp;&#39;b&#39;&lt;/script&gt;");
        assert_eq!(escape("a\u{0}b\nc"), "a b c");
    }

    #[test]
    fn an_anchor_is_plain_and_distinct() {
        assert_eq!(anchor("nat/matrix"), "s-nat--matrix");
        assert_eq!(anchor("<a b>"), "s-_3c_a_20_b_3e_");
        assert_ne!(anchor("a b"), anchor("a_b"));
    }
}
