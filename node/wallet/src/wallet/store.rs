//! The wallet as bytes: changes to append, now and then a snapshot that replaces them.

use std::collections::{BTreeMap, BTreeSet};

use bdk_wallet::{
    ChangeSet, KeychainKind, LoadMismatch,
    chain::{DescriptorExt, Merge, keychain_txout, local_chain},
};
use bitcoin::{Network, OutPoint, key::Secp256k1};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{GAP_LIMIT, MAX_ADDRESSES, Wallet};
use crate::{
    coin::Told,
    keys::Keys,
    pairs,
    reservation::{Holder, Reservation},
    seed::Seed,
};

/// After this many changes a snapshot replaces them: a start reads no more than that, and the work of a snapshot is spread over
/// as many.
pub const MAX_APPENDED: u32 = 256;

/// The newest blocks that a snapshot keeps. Reorganisations are far shorter, and a wallet that was away for longer meets the
/// chain at an older block that one of its transactions is in, or at the first.
const KEPT_BLOCKS: usize = 1000;

/// The first byte of everything stored.
const VERSION: u8 = 1;

/// What a store should do, in one transaction of its own, before anything that depends on it is promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Keep these bytes after all that were written before.
    Append(Vec<u8>),
    /// Keep these bytes instead of all that were written before.
    Replace(Vec<u8>),
}

/// Why stored bytes are not this wallet.
#[derive(Debug, Error)]
pub enum LoadError {
    /// Nothing was stored.
    #[error("found no stored wallet; create one")]
    Empty,
    /// Bytes of another version.
    #[error("found a stored wallet of version {found}, expected {VERSION}; use the program that wrote it")]
    Version {
        /// Which.
        found: u8,
    },
    /// Bytes that nobody wrote.
    #[error("change {number} of the stored wallet is damaged: {reason}; restore the wallet from its seed")]
    Damaged {
        /// Which change, counted from 0.
        number: usize,
        /// What is wrong.
        reason: String,
    },
    /// The wallet of another seed.
    #[error("the stored wallet belongs to another seed; give its own seed, or another folder")]
    OtherSeed,
    /// The wallet of another network.
    #[error("the stored wallet is for {found}, expected {expected}; give another folder")]
    OtherNetwork {
        /// What is stored.
        found: Network,
        /// What was asked for.
        expected: Network,
    },
}

/// One stored change.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chain: Option<ChangeSet>,
    /// What was said of coins; none where it was forgotten.
    #[serde(default, with = "pairs", skip_serializing_if = "BTreeMap::is_empty")]
    told: BTreeMap<OutPoint, Option<Told>>,
    /// What holders have; none where it was released.
    #[serde(default, with = "pairs", skip_serializing_if = "BTreeMap::is_empty")]
    reservations: BTreeMap<Holder, Option<Reservation>>,
}

impl Wallet {
    /// The wallet that was stored: the last [`Write::Replace`], if any, and every [`Write::Append`] after it, in order.
    pub fn load<B: AsRef<[u8]>>(
        seed: &Seed,
        network: Network,
        stored: impl IntoIterator<Item = B>,
    ) -> Result<Self, LoadError> {
        let secp = Secp256k1::new();
        let keys = Keys::new(seed, network, &secp);
        let mut chain = ChangeSet::default();
        let mut changes = Vec::new();
        for (number, bytes) in stored.into_iter().enumerate() {
            let mut change = decode(number, bytes.as_ref())?;
            if let Some(next) = change.chain.take() {
                check(number, &chain, &next, network)?;
                chain.merge(next);
            }
            changes.push(change);
        }
        let inner = bdk_wallet::Wallet::load()
            .descriptor(KeychainKind::External, Some(keys.descriptor(KeychainKind::External, &secp)))
            .descriptor(KeychainKind::Internal, Some(keys.descriptor(KeychainKind::Internal, &secp)))
            .check_network(network)
            .lookahead(GAP_LIMIT)
            .load_wallet_no_persist(chain)
            .map_err(refusal)?
            .ok_or(LoadError::Empty)?;
        let mut wallet = Self::over(inner, keys);
        wallet.appended = u32::try_from(changes.len()).unwrap_or(u32::MAX);
        for change in changes {
            for (outpoint, told) in change.told {
                match told {
                    Some(told) => wallet.told.insert(outpoint, told),
                    None => wallet.told.remove(&outpoint),
                };
            }
            wallet.reservations.restore(change.reservations);
        }
        Ok(wallet)
    }

    /// What to store before anything that depends on it is promised; none if nothing changed.
    ///
    /// The wallet does not keep the bytes: whoever cannot store them must stop and load what was stored before.
    pub fn take_changes(&mut self) -> Option<Write> {
        let told = std::mem::take(&mut self.told_changed);
        let change = Change {
            chain: self.inner.take_staged(),
            told: told.into_iter().map(|outpoint| (outpoint, self.told.get(&outpoint).cloned())).collect(),
            reservations: self.reservations.take_changes(),
        };
        if change.chain.is_none() && change.told.is_empty() && change.reservations.is_empty() {
            return None;
        }
        if self.appended >= MAX_APPENDED {
            self.appended = 1;
            return Some(Write::Replace(encode(&self.snapshot())));
        }
        self.appended = self.appended.saturating_add(1);
        Some(Write::Append(encode(&change)))
    }

    /// Everything, as one change.
    fn snapshot(&self) -> Change {
        let inner = &self.inner;
        let index = inner.spk_index();
        let last_revealed = index
            .keychains()
            .filter_map(|(keychain, descriptor)| {
                Some((descriptor.descriptor_id(), index.last_revealed_index(keychain)?))
            })
            .collect();
        let chain = ChangeSet {
            descriptor: Some(inner.public_descriptor(KeychainKind::External).clone()),
            change_descriptor: Some(inner.public_descriptor(KeychainKind::Internal).clone()),
            network: Some(inner.network()),
            local_chain: self.kept_blocks(),
            tx_graph: inner.tx_graph().initial_changeset(),
            indexer: keychain_txout::ChangeSet { last_revealed, ..Default::default() },
            ..Default::default()
        };
        Change {
            chain: Some(chain),
            told: self.told.iter().map(|(outpoint, told)| (*outpoint, Some(told.clone()))).collect(),
            reservations: self.reservations.all().iter().map(|(h, r)| (*h, Some(r.clone()))).collect(),
        }
    }

    /// The first block, those that transactions are in, and the newest.
    fn kept_blocks(&self) -> local_chain::ChangeSet {
        let mut all = self.inner.local_chain().initial_changeset();
        let graph = self.inner.tx_graph();
        let anchors: BTreeSet<_> =
            graph.full_txs().flat_map(|tx| tx.anchors.iter()).map(|anchor| anchor.block_id.height).collect();
        let newest = all.blocks.keys().rev().nth(KEPT_BLOCKS - 1).copied().unwrap_or(0);
        all.blocks.retain(|height, _| *height == 0 || *height >= newest || anchors.contains(height));
        all
    }
}

fn encode(change: &Change) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    serde_json::to_writer(&mut bytes, change).expect("maps have text as keys, and a vector takes every write");
    bytes
}

fn decode(number: usize, bytes: &[u8]) -> Result<Change, LoadError> {
    match bytes.split_first() {
        Some((&VERSION, json)) => {
            serde_json::from_slice(json).map_err(|error| LoadError::Damaged { number, reason: error.to_string() })
        }
        Some((&found, _)) => Err(LoadError::Version { found }),
        None => Err(LoadError::Damaged { number, reason: "it is empty".to_owned() }),
    }
}

/// What the library takes for granted when it merges.
fn check(number: usize, before: &ChangeSet, next: &ChangeSet, network: Network) -> Result<(), LoadError> {
    fn differs<T: PartialEq>(before: &Option<T>, next: &Option<T>) -> bool {
        matches!((before, next), (Some(before), Some(next)) if before != next)
    }
    if let Some(found) = next.network.filter(|found| *found != network) {
        return Err(LoadError::OtherNetwork { found, expected: network });
    }
    if differs(&before.descriptor, &next.descriptor) || differs(&before.change_descriptor, &next.change_descriptor) {
        return Err(LoadError::OtherSeed);
    }
    if let Some(found) = next.indexer.last_revealed.values().find(|index| **index >= MAX_ADDRESSES) {
        let reason = format!("address {found} of at most {MAX_ADDRESSES}");
        return Err(LoadError::Damaged { number, reason });
    }
    Ok(())
}

fn refusal(error: bdk_wallet::LoadError) -> LoadError {
    match error {
        bdk_wallet::LoadError::Mismatch(LoadMismatch::Network { loaded, expected }) => {
            LoadError::OtherNetwork { found: loaded, expected }
        }
        bdk_wallet::LoadError::Mismatch(LoadMismatch::Descriptor { .. }) => LoadError::OtherSeed,
        other => LoadError::Damaged { number: 0, reason: other.to_string() },
    }
}
