use std::collections::VecDeque;

/// Most descriptions of an exchange whose ufrags are remembered, of both sides together: four exchanges back.
const MAX_REMEMBERED: usize = 8;

/// The ICE username fragments of an exchange: which the peer's candidates may name, and which must not come again.
#[derive(Debug, Default)]
pub(super) struct Ufrags {
    /// Those of the peer's description in force.
    current: Vec<String>,
    /// Those of all descriptions of both sides, oldest first.
    used: VecDeque<Vec<String>>,
}

impl Ufrags {
    /// Remembers those of a description of ours.
    pub(super) fn ours(&mut self, sdp: &str) {
        self.remember(ufrags(sdp));
    }

    /// The first ufrag of a description that was used before.
    pub(super) fn used_before(&self, sdp: &str) -> Option<String> {
        ufrags(sdp).into_iter().find(|ufrag| self.used.iter().flatten().any(|used| used == ufrag))
    }

    /// Puts a description of the peer in force; whether it has ufrags at all.
    pub(super) fn theirs(&mut self, sdp: &str) -> bool {
        self.current = ufrags(sdp);
        self.remember(self.current.clone());
        !self.current.is_empty()
    }

    /// Whether a description of the peer is in force.
    pub(super) fn has_theirs(&self) -> bool {
        !self.current.is_empty()
    }

    /// Whether a candidate with this ufrag belongs to the peer's description in force.
    pub(super) fn is_current(&self, ufrag: &str) -> bool {
        self.current.iter().any(|current| current == ufrag)
    }

    /// Whether a candidate with this ufrag belongs to an earlier description, and comes late.
    pub(super) fn is_stale(&self, ufrag: &str) -> bool {
        self.used.iter().flatten().any(|used| used == ufrag)
    }

    fn remember(&mut self, ufrags: Vec<String>) {
        if self.used.len() == MAX_REMEMBERED {
            self.used.pop_front();
        }
        self.used.push_back(ufrags);
    }
}

/// The distinct values of `a=ice-ufrag` (RFC 8839, section 5.4) in a description.
fn ufrags(sdp: &str) -> Vec<String> {
    let mut found: Vec<String> =
        sdp.lines().filter_map(|line| line.strip_prefix("a=ice-ufrag:")).map(|ufrag| ufrag.trim().to_owned()).collect();
    found.sort();
    found.dedup();
    found
}
