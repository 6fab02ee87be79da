//! How a server misbehaves, and what that touched.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::Txid;

use crate::script_hash::ScriptHash;

/// How often each fault changed an answer. A fault that touched nothing showed nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Touched {
    /// Looks at an older chain than there is, for an answer or a notification.
    pub lagging: u64,
    /// Times that a hidden transaction was left out.
    pub hidden: u64,
    /// Times that a waiting transaction was shown as confirmed.
    pub invented: u64,
    /// Balances that were wrong.
    pub balances: u64,
    /// Merkle proofs that prove nothing.
    pub proofs: u64,
    /// Lines that were dropped without an answer.
    pub dropped: u64,
    /// Transactions that were accepted and never broadcast.
    pub swallowed: u64,
}

/// The faults of one server; none at first. Setters add to each other until [`Faults::heal`].
#[derive(Debug, Clone, Default)]
pub struct Faults {
    pub(crate) lag: u32,
    pub(crate) down: bool,
    pub(crate) swallow: bool,
    pub(crate) hidden: BTreeSet<Txid>,
    pub(crate) invented: BTreeMap<Txid, u32>,
    pub(crate) balances: BTreeMap<ScriptHash, i64>,
    pub(crate) forged: BTreeSet<Txid>,
    pub(crate) touched: Touched,
    revision: u64,
}

impl Faults {
    /// Shows the chain as it was this many blocks ago; what later blocks confirmed seems to wait.
    pub fn lag(&mut self, blocks: u32) {
        self.lag = blocks;
        self.revision += 1;
    }

    /// Answers nothing and notifies nobody, until [`Faults::bring_up`].
    pub fn take_down(&mut self) {
        self.down = true;
        self.revision += 1;
    }

    /// Ends [`Faults::take_down`].
    pub fn bring_up(&mut self) {
        self.down = false;
        self.revision += 1;
    }

    /// Denies a transaction: it is in no history and cannot be had.
    pub fn hide(&mut self, txid: Txid) {
        self.hidden.insert(txid);
        self.revision += 1;
    }

    /// Shows a waiting transaction as confirmed at this height.
    pub fn invent_confirmation(&mut self, txid: Txid, height: u32) {
        self.invented.insert(txid, height);
        self.revision += 1;
    }

    /// Adds this many satoshis, which may be negative, to the confirmed balance of a script.
    pub fn distort_balance(&mut self, script: ScriptHash, difference: i64) {
        self.balances.insert(script, difference);
        self.revision += 1;
    }

    /// Gives wrong merkle proofs for a transaction.
    pub fn forge_proof(&mut self, txid: Txid) {
        self.forged.insert(txid);
        self.revision += 1;
    }

    /// Says that broadcasts succeed, and does not broadcast.
    pub fn swallow_broadcasts(&mut self) {
        self.swallow = true;
        self.revision += 1;
    }

    /// Ends all faults. What they touched stays counted.
    pub fn heal(&mut self) {
        *self = Self { touched: self.touched, revision: self.revision + 1, ..Self::default() };
    }

    /// Whether the server is down.
    pub fn is_down(&self) -> bool {
        self.down
    }

    /// What the faults touched so far.
    pub fn touched(&self) -> Touched {
        self.touched
    }

    /// Whether what is shown follows the node change by change.
    pub(crate) fn shows_the_present(&self) -> bool {
        self.lag == 0
    }

    /// A number that grows with every setter.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }
}
