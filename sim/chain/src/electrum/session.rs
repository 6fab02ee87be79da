//! One client's connection: its unfinished line and its subscriptions.

use std::collections::{BTreeMap, VecDeque};

use bitcoin::BlockHash;
use bitcoin::hashes::sha256;
use thiserror::Error;

use crate::fault::Faults;
use crate::full_node::FullNode;
use crate::script_hash::ScriptHash;

/// The longest line in bytes: a standard transaction in hexadecimal is 800 kB, and a batch of a wallet less than 2 MB.
pub const MAX_LINE: usize = 2 * 1024 * 1024;
/// Scripts that a session can subscribe to (ElectrumX's default).
pub const MAX_SUBSCRIPTIONS: usize = 50_000;

/// The session is over: its line was too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a line is longer than {MAX_LINE} bytes: close the connection")]
pub struct Closed;

/// The state of one connection to a [`super::Server`].
#[derive(Debug, Clone, Default)]
pub struct Session {
    lines: VecDeque<Vec<u8>>,
    unfinished: Vec<u8>,
    closed: bool,
    /// The tip that was shown last, if the client subscribed to headers.
    pub(super) tip: Option<BlockHash>,
    scripts: BTreeMap<ScriptHash, Option<sha256::Hash>>,
    /// The revisions of node and faults that the subscriptions know.
    seen: (u64, u64),
}

impl Session {
    /// Takes bytes from the connection. Lines are then answered by [`super::Server::next_answer`].
    ///
    /// # Errors
    /// [`Closed`] if a line is too long, now or before; close the connection then.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), Closed> {
        let mut pieces = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            if self.closed || self.unfinished.len() + piece.len() > MAX_LINE {
                self.closed = true;
                self.unfinished.clear();
                return Err(Closed);
            }
            self.unfinished.extend_from_slice(piece);
            if pieces.peek().is_some() {
                self.lines.push_back(std::mem::take(&mut self.unfinished));
            }
        }
        Ok(())
    }

    /// How many scripts it subscribed to.
    pub fn subscriptions(&self) -> usize {
        self.scripts.len()
    }

    /// The next complete line without its newline.
    pub(super) fn next_line(&mut self) -> Option<Vec<u8>> {
        self.lines.pop_front()
    }

    /// Remembers a subscription and the status that was told; `false` if there are too many.
    pub(super) fn subscribe(&mut self, script: ScriptHash, status: Option<sha256::Hash>) -> bool {
        let room = self.scripts.len() < MAX_SUBSCRIPTIONS || self.scripts.contains_key(&script);
        if room {
            self.scripts.insert(script, status);
        }
        room
    }

    pub(super) fn unsubscribe(&mut self, script: &ScriptHash) -> bool {
        self.scripts.remove(script).is_some()
    }

    /// The subscribed scripts whose status may have changed since the last call.
    pub(super) fn stale_scripts(&mut self, node: &FullNode, faults: &Faults) -> Vec<ScriptHash> {
        let now = (node.revision(), faults.revision());
        let seen = std::mem::replace(&mut self.seen, now);
        if seen == now {
            return Vec::new();
        }
        let changed = (seen.1 == now.1 && faults.shows_the_present()).then(|| node.changed_since(seen.0)).flatten();
        match changed {
            Some(changed) => changed.into_iter().filter(|script| self.scripts.contains_key(script)).collect(),
            None => self.scripts.keys().copied().collect(),
        }
    }

    /// Notes the status of a subscribed script; whether it is another one than the client knows.
    pub(super) fn status_changed(&mut self, script: &ScriptHash, status: Option<sha256::Hash>) -> bool {
        match self.scripts.get_mut(script) {
            Some(known) if *known != status => {
                *known = status;
                true
            }
            _ => false,
        }
    }
}
