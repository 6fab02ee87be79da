//! References by name.

use crate::problem::Problems;
use crate::source::Place;

/// Names that a reference may mean.
#[derive(Debug)]
pub(crate) struct Names<'a> {
    what: &'a str,
    known: Vec<&'a str>,
}

impl<'a> Names<'a> {
    pub(crate) fn new(what: &'a str, known: impl IntoIterator<Item = &'a String>) -> Self {
        Self { what, known: known.into_iter().map(String::as_str).collect() }
    }

    /// The index of a name, or a problem that lists what there is.
    pub(crate) fn find(&self, name: &str, place: Place, problems: &mut Problems<'_>) -> Option<usize> {
        let found = self.known.iter().position(|known| *known == name);
        if found.is_none() {
            problems.add_unknown(place, name, expected(self.what, &self.known), self.known.iter().copied());
        }
        found
    }
}

/// What was expected, with the first few names that there are.
pub(crate) fn expected(what: &str, known: &[&str]) -> String {
    const LISTED: usize = 12;
    match known {
        [] => format!("{what}, but there is none"),
        _ if known.len() <= LISTED => format!("{what}: {}", known.join(", ")),
        _ => format!("{what}: {}, … ({} in all)", known[..LISTED].join(", "), known.len()),
    }
}
