//! Answers to a wallet: all transactions of its scripts, each proven to be in its block, and the blocks that the wallet has
//! to know.
//!
//! | part | noun |
//! |---|---|
//! | `update` | what was found, made an update |
//!
//! What is asked is kept in a form that can be asked again: a job survives the connection it was begun on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use bitcoin::{OutPoint, Script, ScriptBuf, Txid};
use darkswap_wallet::bdk_chain::CheckPoint;
use darkswap_wallet::wallet::{GAP_LIMIT, MAX_ADDRESSES, MAX_TRANSACTIONS_OF_UPDATE};
use darkswap_wallet::{Keychain, ScanRequest, SyncRequest, Update};

use super::desk::{Desk, Link};
use super::evidence::script_hash;
use super::misbehaviour::{Misbehaviour, Trouble};
use super::proof::Seen;

mod update;

/// Scripts, transactions or proofs asked for at once. In between, what is urgent is attended to.
pub(super) const STEP: usize = 64;

/// A wallet's request, so that it can be asked again.
#[derive(Debug)]
pub(super) struct WalletJob {
    start_time: u64,
    tip: Option<CheckPoint>,
    question: Question,
}

enum Question {
    Sync {
        /// With the transactions that are expected in the history of each.
        scripts: Vec<(ScriptBuf, BTreeSet<Txid>)>,
        txids: Vec<Txid>,
        outpoints: Vec<OutPoint>,
    },
    Scan {
        /// Behind a lock that nobody else knows, only because a request cannot be shared and the task is.
        request: Mutex<ScanRequest>,
        /// The scripts taken out of the request so far.
        taken: BTreeMap<Keychain, Vec<(u32, ScriptBuf)>>,
    },
}

impl std::fmt::Debug for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sync { scripts, .. } => write!(f, "Sync({} scripts)", scripts.len()),
            Self::Scan { .. } => f.write_str("Scan"),
        }
    }
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Transactions and where they are.
    seen: BTreeMap<Txid, Option<u32>>,
    /// Transactions that were expected and not found.
    missed: BTreeSet<Txid>,
    /// The last address of each keychain with a history.
    active: BTreeMap<Keychain, u32>,
}

impl Found {
    fn add(&mut self, history: Vec<Seen>) -> Result<(), Misbehaviour> {
        for Seen { txid, height } in history {
            let place = self.seen.entry(txid).or_insert(height);
            *place = (*place).max(height);
        }
        if self.seen.len() > MAX_TRANSACTIONS_OF_UPDATE {
            return Err(Misbehaviour::History { found: self.seen.len(), limit: MAX_TRANSACTIONS_OF_UPDATE });
        }
        Ok(())
    }
}

impl WalletJob {
    /// Whether it is as good an answer to whoever asked the other one.
    pub(super) fn replaces(&self, other: &Self) -> bool {
        std::mem::discriminant(&self.question) == std::mem::discriminant(&other.question)
    }

    pub(super) fn scan(request: ScanRequest) -> Self {
        let (start_time, tip) = (request.start_time(), request.chain_tip());
        Self { start_time, tip, question: Question::Scan { request: Mutex::new(request), taken: BTreeMap::new() } }
    }

    pub(super) fn sync(mut request: SyncRequest) -> Self {
        let (start_time, tip) = (request.start_time(), request.chain_tip());
        let scripts = request
            .iter_spks_with_expected_txids()
            .map(|script| (script.spk, script.expected_txids.into_iter().collect()))
            .collect();
        let txids = request.iter_txids().collect();
        let outpoints = request.iter_outpoints().collect();
        Self { start_time, tip, question: Question::Sync { scripts, txids, outpoints } }
    }
}

impl Desk {
    /// Answers a wallet. On trouble the job can be asked again.
    pub(super) async fn answer_wallet(&mut self, link: &mut Link, job: &mut WalletJob) -> Result<Update, Trouble> {
        let mut found = Found::default();
        match &mut job.question {
            Question::Sync { scripts, txids, outpoints } => {
                self.sync_scripts(link, scripts, &mut found).await?;
                self.sync_places(link, txids, outpoints, &mut found).await?;
            }
            Question::Scan { request, taken } => {
                let request = request.get_mut().unwrap_or_else(PoisonError::into_inner);
                for keychain in request.keychains() {
                    self.scan_keychain(link, request, keychain, taken.entry(keychain).or_default(), &mut found).await?;
                }
            }
        }
        self.update(link, found, job.start_time, job.tip.clone()).await
    }

    async fn sync_scripts(
        &mut self,
        link: &mut Link,
        scripts: &[(ScriptBuf, BTreeSet<Txid>)],
        found: &mut Found,
    ) -> Result<(), Trouble> {
        for step in scripts.chunks(STEP) {
            let asked: Vec<_> = step.iter().map(|(script, _)| script_hash(script)).collect();
            for (history, (_, expected)) in self.histories(link, &asked, true).await?.into_iter().zip(step) {
                let there: BTreeSet<Txid> = history.iter().map(|seen| seen.txid).collect();
                found.missed.extend(expected.difference(&there));
                found.add(history)?;
            }
            self.attend(link).await?;
        }
        Ok(())
    }

    /// Single transactions, and outputs with what spends them: by the histories of their scripts.
    async fn sync_places(
        &mut self,
        link: &mut Link,
        txids: &[Txid],
        outpoints: &[OutPoint],
        found: &mut Found,
    ) -> Result<(), Trouble> {
        let connection = link.connection.clone();
        for txid in txids {
            let fetched = self.fetch(&connection, [*txid]).await?;
            let indexed = |script: &&bitcoin::TxOut| !script.script_pubkey.is_op_return();
            let Some(output) = fetched.get(txid).and_then(|transaction| transaction.output.iter().find(indexed)) else {
                continue;
            };
            let history = self.history_of(link, &output.script_pubkey).await?;
            found.add(history.into_iter().filter(|seen| seen.txid == *txid).collect())?;
        }
        for outpoint in outpoints {
            let fetched = self.fetch(&connection, [outpoint.txid]).await?;
            let output = fetched.get(&outpoint.txid).and_then(|made| made.output.get(outpoint.vout as usize));
            let Some(output) = output else { continue };
            let history = self.history_of(link, &output.script_pubkey).await?;
            let all = self.fetch(&connection, history.iter().map(|seen| seen.txid)).await?;
            let concerns = |seen: &Seen| {
                let spends = |by: &std::sync::Arc<bitcoin::Transaction>| {
                    by.input.iter().any(|input| input.previous_output == *outpoint)
                };
                seen.txid == outpoint.txid || all.get(&seen.txid).is_some_and(spends)
            };
            found.add(history.into_iter().filter(concerns).collect())?;
        }
        Ok(())
    }

    async fn history_of(&mut self, link: &mut Link, script: &Script) -> Result<Vec<Seen>, Trouble> {
        let mut histories = self.histories(link, &[script_hash(script)], true).await?;
        Ok(histories.pop().unwrap_or_default())
    }

    async fn scan_keychain(
        &mut self,
        link: &mut Link,
        request: &mut ScanRequest,
        keychain: Keychain,
        taken: &mut Vec<(u32, ScriptBuf)>,
        found: &mut Found,
    ) -> Result<(), Trouble> {
        let revealed = request.last_revealed(&keychain);
        let mut unused = 0;
        let mut next = 0;
        while unused < GAP_LIMIT || revealed.is_some_and(|revealed| next <= revealed as usize) {
            while taken.len() < next + GAP_LIMIT as usize && taken.len() < MAX_ADDRESSES as usize {
                match request.next_spk(keychain) {
                    Some(script) => taken.push(script),
                    None => break,
                }
            }
            let step = taken.get(next..).unwrap_or_default();
            if step.is_empty() {
                break;
            }
            next += step.len();
            let asked: Vec<_> = step.iter().map(|(_, script)| script_hash(script)).collect();
            let histories = self.histories(link, &asked, true).await?;
            for (history, (index, _)) in histories.into_iter().zip(step) {
                if history.is_empty() {
                    unused += 1;
                } else {
                    unused = 0;
                    found.active.insert(keychain, *index);
                    found.add(history)?;
                }
            }
            self.attend(link).await?;
        }
        Ok(())
    }
}
