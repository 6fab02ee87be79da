//! The words of an expectation, with where they stand.

use super::Operator;

/// A word and its place in the line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind<'a>,
    /// Byte offset.
    pub(super) offset: usize,
    /// Length in bytes.
    pub(super) length: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind<'a> {
    /// `direct`, `p99.9`, `peer-3`, `EI/APD`.
    Name(&'a str),
    /// `3s`, `70%`, `5`.
    Number(&'a str),
    /// Text between double quotes.
    Text(&'a str),
    Operator(Operator),
    Open,
    Close,
    /// Anything else, one character or an unfinished text.
    Unknown(&'a str),
    End,
}

/// Splits a line; the last token is [`Kind::End`].
pub(super) fn tokens(line: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut offset = 0;
    loop {
        let rest = &line[offset..];
        let gap = rest.len() - rest.trim_start().len();
        offset += gap;
        let (kind, length) = next(&line[offset..]);
        tokens.push(Token { kind, offset, length });
        if kind == Kind::End {
            return tokens;
        }
        offset += length;
    }
}

fn next(rest: &str) -> (Kind<'_>, usize) {
    const OPERATORS: [(&str, Operator); 6] = [
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ];
    if let Some((text, operator)) = OPERATORS.iter().find(|(text, _)| rest.starts_with(text)) {
        return (Kind::Operator(*operator), text.len());
    }
    let Some(first) = rest.chars().next() else { return (Kind::End, 0) };
    let word = |more: fn(char) -> bool| {
        let length = rest.find(|c| !more(c)).unwrap_or(rest.len());
        (&rest[..length], length)
    };
    match first {
        '(' => (Kind::Open, 1),
        ')' => (Kind::Close, 1),
        '"' => match rest[1..].find('"') {
            Some(end) => (Kind::Text(&rest[1..=end]), end + 2),
            None => (Kind::Unknown(rest), rest.len()),
        },
        c if c.is_ascii_digit() => {
            let (text, length) = word(|c| c.is_alphanumeric() || matches!(c, '.' | '%' | '/'));
            (Kind::Number(text), length)
        }
        c if c.is_alphabetic() || c == '_' => {
            let (text, length) = word(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'));
            (Kind::Name(text), length)
        }
        c => (Kind::Unknown(&rest[..c.len_utf8()]), c.len_utf8()),
    }
}
