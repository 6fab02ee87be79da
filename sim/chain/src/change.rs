//! What changed lately, so that a server need not look at every subscription after every block.

use std::collections::{BTreeSet, VecDeque};

use crate::script_hash::ScriptHash;

/// Changes that are remembered: those of some hundred full blocks of a scenario. Who is further behind looks at everything.
const MAX_CHANGES: usize = 100_000;

/// A log of scripts whose history may have changed.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChangeLog {
    changes: VecDeque<ScriptHash>,
    /// How many changes were dropped from the front.
    dropped: u64,
}

impl ChangeLog {
    /// The number of changes so far: a place to come back to.
    pub(crate) fn revision(&self) -> u64 {
        self.dropped + self.changes.len() as u64
    }

    /// The scripts since a revision, or `None` if that is too long ago.
    pub(crate) fn since(&self, revision: u64) -> Option<BTreeSet<ScriptHash>> {
        let skipped = usize::try_from(revision.checked_sub(self.dropped)?).ok()?;
        Some(self.changes.iter().skip(skipped).copied().collect())
    }

    pub(crate) fn extend(&mut self, scripts: impl IntoIterator<Item = ScriptHash>) {
        self.changes.extend(scripts);
        while self.changes.len() > MAX_CHANGES {
            self.changes.pop_front();
            self.dropped += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::ScriptBuf;

    fn script(number: u32) -> ScriptHash {
        ScriptHash::of(&ScriptBuf::from_bytes(number.to_le_bytes().to_vec()))
    }

    #[test]
    fn changes_are_told_from_a_revision_on() {
        let mut log = ChangeLog::default();
        log.extend([script(1)]);
        let revision = log.revision();
        log.extend([script(2), script(3), script(2)]);
        assert_eq!(log.since(revision), Some(BTreeSet::from([script(2), script(3)])));
        assert_eq!(log.since(log.revision()), Some(BTreeSet::new()));
    }

    #[test]
    fn a_reader_that_is_too_far_behind_is_told_so() {
        let mut log = ChangeLog::default();
        log.extend((0..=MAX_CHANGES as u32).map(script));
        assert_eq!(log.since(0), None);
        assert!(log.since(1).is_some());
    }
}
