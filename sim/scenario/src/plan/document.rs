//! A YAML document put together from two files, in which every node knows its origin.

use crate::names;
use crate::problem::{Problems, quote};
use crate::source::Place;
use crate::tree::{Kind, Node};

use super::path::{EVERY, Path, Step};

/// Which file something was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum File {
    /// The scenario that variants change.
    Base,
    /// The plan.
    Plan,
}

/// Where something was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) file: File,
    pub(super) place: Place,
    /// Byte offset of a scalar's text, when it stands there literally.
    pub(super) offset: Option<usize>,
}

/// A node and where it was written.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub(super) origin: Origin,
    pub(super) kind: Part,
}

#[derive(Debug, Clone)]
pub(super) enum Part {
    Scalar(String),
    Null,
    List(Vec<Document>),
    Map(Vec<(Document, Document)>),
}

impl Document {
    /// The base scenario.
    pub(super) fn of(base: &Node) -> Self {
        Self::from(base, File::Base)
    }

    fn from(node: &Node, file: File) -> Self {
        let offset = match &node.kind {
            Kind::Scalar { offset, .. } => *offset,
            Kind::Null | Kind::List(_) | Kind::Map(_) => None,
        };
        let of = |node: &Node| Self::from(node, file);
        let kind = match &node.kind {
            Kind::Scalar { text, .. } => Part::Scalar(text.clone()),
            Kind::Null => Part::Null,
            Kind::List(items) => Part::List(items.iter().map(of).collect()),
            Kind::Map(entries) => Part::Map(entries.iter().map(|(key, value)| (of(key), of(value))).collect()),
        };
        Self { origin: Origin { file, place: node.place, offset }, kind }
    }

    /// Removes a field, when it is there.
    pub(super) fn remove(&mut self, name: &str) {
        if let Part::Map(entries) = &mut self.kind {
            entries.retain(|(key, _)| !key.is(name));
        }
    }

    /// Sets what is at a path, or removes it when the value is nothing. Only the last field of a path may be new.
    pub(super) fn set(&mut self, path: &Path, value: &Node, problems: &mut Problems<'_>) {
        self.walk(&path.steps, value, problems);
    }

    fn walk(&mut self, steps: &[Step], value: &Node, problems: &mut Problems<'_>) {
        let Some((step, rest)) = steps.split_first() else { return };
        match &mut self.kind {
            Part::Map(entries) => Self::walk_map(entries, step, rest, value, problems),
            Part::List(items) => Self::walk_list(items, step, rest, value, problems),
            Part::Scalar(text) => {
                let expected = "the end of the path: what stands before it is a value";
                let found = format!("{} of {}", quote(&step.name), quote(text));
                problems.add(step.place, found, expected);
            }
            Part::Null => problems.add(step.place, format!("{} of nothing", quote(&step.name)), "the end of the path"),
        }
    }

    fn walk_map(
        entries: &mut Vec<(Self, Self)>,
        step: &Step,
        rest: &[Step],
        value: &Node,
        problems: &mut Problems<'_>,
    ) {
        if step.name == EVERY {
            if entries.is_empty() {
                problems.add(step.place, "`*` of an empty map", "one with entries");
            }
            if rest.is_empty() && matches!(value.kind, Kind::Null) {
                return entries.clear();
            }
            // With more steps to go, `*` means the entries that have the next one: not every host chooses relays, say.
            let goes_on = |node: &Self| rest.len() < 2 || node.has(&rest[0].name);
            let some = entries.iter().any(|(_, node)| goes_on(node));
            for (_, node) in entries.iter_mut().filter(|(_, node)| !some || goes_on(node)) {
                node.meet(rest, value, problems);
            }
            return;
        }
        let at = entries.iter().position(|(key, _)| key.is(&step.name));
        match at {
            Some(at) if rest.is_empty() && matches!(value.kind, Kind::Null) => {
                entries.remove(at);
            }
            Some(at) => entries[at].1.meet(rest, value, problems),
            None if rest.is_empty() && !matches!(value.kind, Kind::Null) => {
                let origin = Origin { file: File::Plan, place: step.place, offset: None };
                let key = Self { origin, kind: Part::Scalar(step.name.clone()) };
                entries.push((key, Self::from(value, File::Plan)));
            }
            None => {
                let known: Vec<&str> = entries.iter().filter_map(|(key, _)| key.scalar()).collect();
                let expected = names::expected("what the scenario has there", &known);
                problems.add_unknown(step.place, &step.name, expected, known.iter().copied());
            }
        }
    }

    fn walk_list(items: &mut Vec<Self>, step: &Step, rest: &[Step], value: &Node, problems: &mut Problems<'_>) {
        let removes = rest.is_empty() && matches!(value.kind, Kind::Null);
        if step.name == EVERY && !items.is_empty() {
            if removes {
                return items.clear();
            }
            for item in items {
                item.meet(rest, value, problems);
            }
            return;
        }
        let digits = step.name.bytes().all(|byte| byte.is_ascii_digit());
        let number = if digits { step.name.parse::<usize>().unwrap_or(0) } else { 0 };
        if number == 0 || number > items.len() {
            let expected = match items.len() {
                0 => "no number: the list is empty".to_string(),
                count => format!("the number of an item, from 1 to {count}, or `*` for all of them"),
            };
            return problems.add(step.place, quote(&step.name), expected);
        }
        match removes {
            true => drop(items.remove(number - 1)),
            false => items[number - 1].meet(rest, value, problems),
        }
    }

    /// Replaces this node, or goes on below it.
    fn meet(&mut self, rest: &[Step], value: &Node, problems: &mut Problems<'_>) {
        match rest {
            [] => *self = Self::from(value, File::Plan),
            _ => self.walk(rest, value, problems),
        }
    }

    /// Whether this is a map with a field of this name, or something of which every item is meant.
    fn has(&self, name: &str) -> bool {
        match &self.kind {
            Part::Map(entries) => name == EVERY || entries.iter().any(|(key, _)| key.is(name)),
            Part::List(_) => true,
            Part::Scalar(_) | Part::Null => false,
        }
    }

    fn scalar(&self) -> Option<&str> {
        match &self.kind {
            Part::Scalar(text) => Some(text),
            Part::Null | Part::List(_) | Part::Map(_) => None,
        }
    }

    fn is(&self, name: &str) -> bool {
        self.scalar() == Some(name)
    }
}
