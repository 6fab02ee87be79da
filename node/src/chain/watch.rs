//! Where a transaction is, and what spends the same outputs: told once, and again on every change, through reorganisations.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bitcoin::{OutPoint, Txid};
use darkswap_trade::swap::{Spend, Status};
use darkswap_trader::chain::ChainInput;
use darkswap_wallet::bdk_chain::BlockId;
use electrum_streaming_client::ElectrumScriptHash;

use super::connection::Connection;
use super::desk::{Desk, Link};
use super::evidence::script_hash;
use super::misbehaviour::{Misbehaviour, Trouble};
use super::proof::Seen;

/// Transactions of a script's history that are searched for a conflict, newest first. A script with more traffic than that
/// between two looks belongs to nobody who trades with it.
const MAX_SEARCHED: usize = 500;

/// How often the history of what a transaction spends may be too long for an answer, before it is not asked for any more:
/// servers would be left one after the other because of it. To have such a history costs 60,000 transactions.
const MAX_TOO_LONG: u32 = 3;

/// A watched transaction.
#[derive(Debug)]
struct Watch {
    spends: Vec<Spend>,
    /// What was told last.
    told: Option<Status>,
    /// The block that it was proven to be in.
    found: Option<BlockId>,
    /// How often looking after it ended the connection.
    failures: u32,
    /// How often because an answer was too long.
    too_long: u32,
}

/// All watched transactions.
#[derive(Debug, Default)]
pub(super) struct Watches {
    watches: BTreeMap<Txid, Watch>,
    by_script: BTreeMap<ElectrumScriptHash, BTreeSet<Txid>>,
    due: VecDeque<Txid>,
}

impl Watches {
    /// Follows a transaction; if it is followed already, its status is told again.
    pub(super) fn watch(&mut self, txid: Txid, spends: Vec<Spend>) {
        self.unwatch(&txid);
        for spend in &spends {
            self.by_script.entry(script_hash(&spend.script)).or_default().insert(txid);
        }
        self.watches.insert(txid, Watch { spends, told: None, found: None, failures: 0, too_long: 0 });
        self.due_later(txid);
    }

    /// No longer follows it.
    pub(super) fn unwatch(&mut self, txid: &Txid) {
        let Some(watch) = self.watches.remove(txid) else { return };
        for spend in &watch.spends {
            let script = script_hash(&spend.script);
            if let Some(txids) = self.by_script.get_mut(&script) {
                txids.remove(txid);
                if txids.is_empty() {
                    self.by_script.remove(&script);
                }
            }
        }
        self.due.retain(|due| due != txid);
    }

    /// What spends from this script is worth another look.
    pub(super) fn script_changed(&mut self, script: &ElectrumScriptHash) {
        for txid in self.by_script.get(script).into_iter().flatten().copied().collect::<Vec<_>>() {
            self.due_later(txid);
        }
    }

    /// Everything is worth another look; what failed comes last, so that it keeps nothing else waiting.
    pub(super) fn all_due(&mut self) {
        let answerable = self.watches.iter().filter(|(_, watch)| watch.too_long < MAX_TOO_LONG);
        let mut due: Vec<(u32, Txid)> = answerable.map(|(txid, watch)| (watch.failures, *txid)).collect();
        due.sort_unstable();
        self.due = due.into_iter().map(|(_, txid)| txid).collect();
    }

    /// Looking after it ended the connection.
    pub(super) fn failed(&mut self, txid: Txid, trouble: &Trouble) {
        let Some(watch) = self.watches.get_mut(&txid) else { return };
        if *trouble == Trouble::Misbehaved(Misbehaviour::Line) {
            watch.too_long += 1;
        }
        if *trouble != Trouble::Moved {
            watch.failures = watch.failures.saturating_add(1);
        }
        if watch.too_long < MAX_TOO_LONG {
            self.due_later(txid);
        } else {
            tracing::error!(%txid, "a watched transaction is given up: what it spends has a history that no server tells");
        }
    }

    /// The next one to look after.
    pub(super) fn next_due(&mut self) -> Option<Txid> {
        self.due.pop_front()
    }

    /// It is to be looked after when all others were.
    pub(super) fn due_later(&mut self, txid: Txid) {
        if self.watches.contains_key(&txid) && !self.due.contains(&txid) {
            self.due.push_back(txid);
        }
    }
}

impl Desk {
    /// Finds out where a watched transaction is, and tells if that changed.
    pub(super) async fn look_after(&mut self, link: &mut Link, txid: Txid) -> Result<(), Trouble> {
        let Some(watch) = self.watches.watches.get(&txid) else { return Ok(()) };
        let held = watch.found.filter(|found| self.headers.block(found.height) == Some(*found));
        let (status, found) = match held {
            Some(block) => (Status::Confirmed { depth: self.depth(block)? }, Some(block)),
            None => {
                let spends = watch.spends.clone();
                self.locate(link, txid, &spends).await?
            }
        };
        let Some(watch) = self.watches.watches.get_mut(&txid) else { return Ok(()) };
        watch.found = found;
        watch.failures = 0;
        if watch.told.replace(status) == Some(status) {
            return Ok(());
        }
        self.tell(ChainInput::Seen { txid, status }).await
    }

    /// Where it is, by the histories of what it spends.
    async fn locate(
        &mut self,
        link: &mut Link,
        txid: Txid,
        spends: &[Spend],
    ) -> Result<(Status, Option<BlockId>), Trouble> {
        let scripts: BTreeSet<ElectrumScriptHash> = spends.iter().map(|spend| script_hash(&spend.script)).collect();
        let scripts: Vec<ElectrumScriptHash> = scripts.into_iter().collect();
        let histories = self.histories(link, &scripts, false).await?;
        let connection = link.connection.clone();
        // A server may show both for a moment: what is in a block counts.
        let own = histories.iter().flatten().filter(|seen| seen.txid == txid);
        match own.max_by_key(|seen| seen.height) {
            Some(Seen { height: Some(height), .. }) => {
                let block = self.prove_one(&connection, txid, *height).await?;
                Ok((Status::Confirmed { depth: self.depth(block)? }, Some(block)))
            }
            Some(_) => Ok((Status::InMempool, None)),
            None => Ok((self.conflict(&connection, &histories, spends).await?, None)),
        }
    }

    /// What else spends the same, if anything does. What is in a block counts more than what waits.
    async fn conflict(
        &mut self,
        connection: &Connection,
        histories: &[Vec<Seen>],
        spends: &[Spend],
    ) -> Result<Status, Trouble> {
        let spent: BTreeSet<OutPoint> = spends.iter().map(|spend| spend.outpoint).collect();
        let makers: BTreeSet<Txid> = spent.iter().map(|outpoint| outpoint.txid).collect();
        let newest = histories.iter().flat_map(|history| history.iter().rev().take(MAX_SEARCHED));
        let places: BTreeMap<Txid, Option<u32>> =
            newest.filter(|seen| !makers.contains(&seen.txid)).map(|seen| (seen.txid, seen.height)).collect();
        let candidates = self.fetch(connection, places.keys().copied()).await?;
        let mut best: Option<(Option<u32>, OutPoint, Txid)> = None;
        for (by, transaction) in &candidates {
            let taken = transaction.input.iter().map(|input| input.previous_output).find(|taken| spent.contains(taken));
            let Some(outpoint) = taken else { continue };
            let height = places.get(by).copied().flatten();
            if best.is_none_or(|(known, ..)| known.is_none() && height.is_some()) {
                best = Some((height, outpoint, *by));
            }
        }
        match best {
            None => Ok(Status::Absent),
            Some((None, outpoint, by)) => Ok(Status::Conflicted { outpoint, by, depth: 0 }),
            Some((Some(height), outpoint, by)) => {
                let block = self.prove_one(connection, by, height).await?;
                Ok(Status::Conflicted { outpoint, by, depth: self.depth(block)? })
            }
        }
    }

    async fn prove_one(&mut self, connection: &Connection, txid: Txid, height: u32) -> Result<BlockId, Trouble> {
        let transaction = self.fetch(connection, [txid]).await?.remove(&txid);
        let transaction =
            transaction.ok_or_else(|| Trouble::Lost(format!("it shows transaction {txid} and does not have it")))?;
        let blocks = self.prove(connection, &[(transaction, height)]).await?;
        blocks.first().copied().ok_or(Trouble::Moved)
    }

    /// Blocks from this one to the tip, both counted.
    fn depth(&self, block: BlockId) -> Result<u32, Trouble> {
        let tip = self.headers.tip().ok_or(Trouble::Moved)?;
        Ok(tip.height.checked_sub(block.height).ok_or(Trouble::Moved)?.saturating_add(1))
    }
}
