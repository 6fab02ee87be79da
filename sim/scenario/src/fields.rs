//! A map with fixed field names.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::bound;
use crate::problem::{Problems, quote};
use crate::source::Place;
use crate::tree::{Kind, Node};
use crate::value;

/// A kind of map in a scenario file: what it is called in messages and which fields it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    /// What messages call it, such as `a link`.
    pub name: &'static str,
    /// Its field names, in the order of the documentation.
    pub fields: &'static [&'static str],
}

/// The fields of one map.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'n> {
    section: &'static Section,
    entries: &'n [(Node, Node)],
    pub(crate) place: Place,
}

impl<'n> Fields<'n> {
    /// Opens a map; every field that the section does not have is a problem.
    pub(crate) fn open(node: &'n Node, section: &'static Section, problems: &mut Problems<'_>) -> Option<Self> {
        let Kind::Map(entries) = &node.kind else {
            problems.add(node.place, node.describe(), format!("{} with the fields {}", section.name, list(section)));
            return None;
        };
        for (key, _) in entries {
            match &key.kind {
                Kind::Scalar { text, .. } if section.fields.contains(&text.as_str()) => {}
                Kind::Scalar { text, .. } => {
                    let expected = format!("a field of {}: {}", section.name, list(section));
                    problems.add_unknown(key.place, text, expected, section.fields.iter().copied());
                }
                Kind::Null | Kind::List(_) | Kind::Map(_) => {
                    problems.add(key.place, key.describe(), format!("a field of {}", section.name));
                }
            }
        }
        Some(Self { section, entries, place: node.place })
    }

    /// The key and value of a field, when it is there.
    pub(crate) fn entry(&self, name: &'static str) -> Option<(&'n Node, &'n Node)> {
        debug_assert!(self.section.fields.contains(&name), "{name} is no field of {}", self.section.name);
        let is = |key: &Node| matches!(&key.kind, Kind::Scalar { text, .. } if text == name);
        self.entries.iter().find(|(key, _)| is(key)).map(|(key, value)| (key, value))
    }

    /// Whether there is no field at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of a field, when it is there.
    pub(crate) fn find(&self, name: &'static str) -> Option<&'n Node> {
        self.entry(name).map(|(_, value)| value)
    }

    /// The value of a field that must be there.
    pub(crate) fn require(&self, name: &'static str, problems: &mut Problems<'_>) -> Option<&'n Node> {
        let found = self.find(name);
        if found.is_none() {
            problems.add(
                self.place,
                format!("{} without {}", self.section.name, quote(name)),
                format!("the field {}", quote(name)),
            );
        }
        found
    }

    /// A field that must not be there for this reason.
    pub(crate) fn refuse(&self, name: &'static str, reason: &str, problems: &mut Problems<'_>) {
        if let Some((key, _)) = self.entry(name) {
            problems.add(key.place, quote(name), format!("no such field here: {reason}"));
        }
    }

    /// A duration, or its default when the field is absent.
    pub(crate) fn duration(
        &self,
        name: &'static str,
        range: RangeInclusive<Duration>,
        default: Duration,
        problems: &mut Problems<'_>,
    ) -> Duration {
        self.find(name).and_then(|node| value::duration(node, range, problems)).unwrap_or(default)
    }

    /// A one-way latency or jitter, zero when the field is absent.
    pub(crate) fn latency(&self, name: &'static str, problems: &mut Problems<'_>) -> Duration {
        self.duration(name, bound::LATENCY, Duration::ZERO, problems)
    }

    /// A share, zero when the field is absent.
    pub(crate) fn share(&self, name: &'static str, problems: &mut Problems<'_>) -> f64 {
        self.find(name).and_then(|node| value::share(node, problems)).unwrap_or(0.0)
    }

    /// A switch, or its default when the field is absent.
    pub(crate) fn switch(&self, name: &'static str, default: bool, problems: &mut Problems<'_>) -> bool {
        self.find(name).and_then(|node| value::switch(node, problems)).unwrap_or(default)
    }

    /// One of a few words, or the default when the field is absent.
    pub(crate) fn word<T: Copy>(
        &self,
        name: &'static str,
        words: &[(&str, T)],
        default: T,
        problems: &mut Problems<'_>,
    ) -> T {
        let what = format!("a value of `{name}`");
        self.find(name).and_then(|node| value::word(node, &what, words, problems)).unwrap_or(default)
    }
}

fn list(section: &Section) -> String {
    section.fields.join(", ")
}
