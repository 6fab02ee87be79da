//! A YAML document as a tree in which every node knows its place.
//!
//! The first of two stages: syntax only. Anchors, aliases, merge keys and tags are refused, since a scenario is data that a
//! person reads from top to bottom.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::MergeKeyPolicy;
use serde_saphyr::{Error, Location, MessageFormatter as _, Spanned, UserMessageFormatter};

use crate::bound;
use crate::problem::{Problems, quote};
use crate::source::Place;

/// A value and its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// Anything that is no list and no map, as written (`5ms`, `1.50`, `true`), or the text inside quotes.
    Scalar {
        text: String,
        /// Byte offset of `text` in the file, when it stands there literally.
        offset: Option<usize>,
    },
    /// `~` or nothing at all.
    Null,
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// Words for the kind of node, for messages.
    pub(crate) fn describe(&self) -> String {
        match &self.kind {
            Kind::Scalar { text, .. } => crate::problem::quote(text),
            Kind::Null => "nothing".into(),
            Kind::List(_) => "a list".into(),
            Kind::Map(_) => "a map".into(),
        }
    }
}

/// Parses the text of a file.
pub(crate) fn parse(problems: &mut Problems<'_>) -> Option<Node> {
    let text = problems.source.text;
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: bound::DEPTH,
            max_nodes: bound::NODES,
            max_documents: 1,
            max_anchors: 0,
            max_aliases: 0,
        },
        merge_keys: MergeKeyPolicy::Error,
        reject_unsupported_tags: true,
        non_finite_float_policy: serde_saphyr::options::NonFiniteFloatPolicy::AsString,
        strict_booleans: true,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<Raw>(text, options) {
        Ok(raw) => Some(raw.place(text)),
        Err(error) => {
            let place = error.location().map_or(Place::START, |location| place(text, location));
            let (found, expected) = explain(&error);
            problems.add(place, found, expected);
            None
        }
    }
}

/// What the parser found, and what was expected.
fn explain(error: &Error) -> (String, String) {
    let plain = "a plain YAML document without anchors, aliases, merge keys and tags";
    match error {
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_ref().map_or_else(|| "the same field".to_string(), |key| quote(key));
            (format!("{key} again"), "each field once".into())
        }
        Error::Budget { breach: BudgetBreach::Anchors { .. }, .. } => ("an anchor".into(), plain.into()),
        Error::Budget { breach: BudgetBreach::Aliases { .. }, .. } => ("an alias".into(), plain.into()),
        Error::Budget { breach: BudgetBreach::Documents { .. }, .. } => ("a second document".into(), "one".into()),
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            ("deeper nesting".into(), format!("at most {} levels", bound::DEPTH))
        }
        Error::Budget { breach: BudgetBreach::Nodes { .. }, .. } => {
            ("more values".into(), format!("at most {}", bound::NODES))
        }
        Error::MergeKeyNotAllowed { .. } => ("a merge key".into(), plain.into()),
        other => {
            let message = UserMessageFormatter.format_message(other);
            let message: String = message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            (format!("malformed YAML ({message})"), plain.into())
        }
    }
}

fn place(text: &str, location: Location) -> Place {
    let span = location.span();
    match (span.byte_offset(), span.byte_len()) {
        (Some(offset), Some(length)) => Place::of_bytes(text, offset as usize, length as usize),
        _ if location.line() == 0 => Place::START,
        _ => Place { line: location.line() as usize, column: (location.column() as usize).max(1), length: 1 },
    }
}

/// A node as serde delivers it.
#[derive(Debug)]
struct Raw(Spanned<RawKind>);

#[derive(Debug)]
enum RawKind {
    /// A scalar that is a number or a boolean to YAML; its text is in the file.
    Plain,
    Text(String),
    Null,
    List(Vec<Raw>),
    Map(Vec<(Raw, Raw)>),
}

impl Raw {
    fn place(self, text: &str) -> Node {
        let location = self.0.referenced;
        let place = place(text, location);
        let span = location.span();
        let offset = span.byte_offset().map_or(0, |offset| offset as usize);
        let literal = text.get(offset..offset.saturating_add(span.byte_len().map_or(0, |length| length as usize)));
        let literal = literal.unwrap_or("").trim_end();
        let kind = match self.0.value {
            RawKind::Plain => Kind::Scalar { text: literal.to_string(), offset: Some(offset) },
            RawKind::Text(text) => {
                let within = literal.find(text.as_str());
                Kind::Scalar { offset: within.map(|within| offset + within), text }
            }
            RawKind::Null => Kind::Null,
            RawKind::List(items) => Kind::List(items.into_iter().map(|item| item.place(text)).collect()),
            RawKind::Map(entries) => {
                Kind::Map(entries.into_iter().map(|(key, value)| (key.place(text), value.place(text))).collect())
            }
        };
        Node { place, kind }
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for RawKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = RawKind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<RawKind, E> {
        Ok(RawKind::Plain)
    }

    fn visit_i64<E>(self, _: i64) -> Result<RawKind, E> {
        Ok(RawKind::Plain)
    }

    fn visit_u64<E>(self, _: u64) -> Result<RawKind, E> {
        Ok(RawKind::Plain)
    }

    fn visit_i128<E>(self, _: i128) -> Result<RawKind, E> {
        Ok(RawKind::Plain)
    }

    fn visit_u128<E>(self, _: u128) -> Result<RawKind, E> {
        Ok(RawKind::Plain)
    }

    fn visit_f64<E>(self, _: f64) -> Result<RawKind, E> {
        Ok(RawKind::Plain)
    }

    fn visit_str<E>(self, text: &str) -> Result<RawKind, E> {
        Ok(RawKind::Text(text.to_string()))
    }

    fn visit_unit<E>(self) -> Result<RawKind, E> {
        Ok(RawKind::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<RawKind, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            if items.len() == bound::NODES {
                return Err(A::Error::custom("too many entries"));
            }
            items.push(item);
        }
        Ok(RawKind::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawKind, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            if entries.len() == bound::NODES {
                return Err(A::Error::custom("too many entries"));
            }
            entries.push(entry);
        }
        Ok(RawKind::Map(entries))
    }
}
