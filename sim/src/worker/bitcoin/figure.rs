//! What the chain says at the end of a run.

use std::collections::BTreeMap;

use bitcoin::{BlockHash, Txid};
use darkswap_chain::{Counters, FullNode};

use super::payment::Fate;
use super::purse::Wealth;
use super::{Bitcoin, Books};
use crate::worker::recorder::{Recorder, tags};

impl Bitcoin {
    /// Records everything that only the end of the run tells.
    pub(crate) fn close(&self, recorder: &Recorder) {
        self.inner.chain.look(|node| {
            self.close_chain(recorder, node);
            let books = self.books();
            self.close_watchers(recorder, node, &books);
            self.close_payments(recorder, node, &books);
            drop(books);
            self.close_traders(recorder, node);
        });
        self.close_indexers(recorder);
    }

    fn close_chain(&self, recorder: &Recorder, node: &FullNode) {
        let (now, before) = (node.counters(), self.inner.before);
        let since = |of: fn(&Counters) -> u64| of(&now).saturating_sub(of(&before));
        for (kind, count) in [
            ("accepted", since(|it| it.accepted)),
            ("refused", since(|it| it.refused)),
            ("replaced", since(|it| it.replaced)),
            ("evicted", since(|it| it.evicted)),
            ("conflicted", since(|it| it.conflicted)),
            ("connected", since(|it| it.connected)),
            ("disconnected", since(|it| it.disconnected)),
            ("returned", since(|it| it.returned)),
            ("lost", since(|it| it.lost)),
        ] {
            recorder.value("chain", count as f64, tags([("kind", kind)]));
        }
    }

    fn close_watchers(&self, recorder: &Recorder, node: &FullNode, books: &Books) {
        for (pair, heard) in &books.heard {
            let names = self.names(*pair);
            let found = heard.map_or("unknown", |hash| standing(node, hash));
            recorder.category("tip", found, tags([("from", names.0), ("to", names.1)]));
        }
    }

    fn close_payments(&self, recorder: &Recorder, node: &FullNode, books: &Books) {
        for (txid, (from, to, told)) in &books.made {
            let names = self.names((*from, *to));
            recorder.category("payment", fate(node, txid, *told), tags([("from", names.0), ("to", names.1)]));
        }
    }

    fn close_traders(&self, recorder: &Recorder, node: &FullNode) {
        let purses: Vec<_> = self.inner.purses.iter().flatten().collect();
        if purses.is_empty() {
            return;
        }
        let balances = super::purse::rune_balances(node);
        for purse in purses {
            let end = purse.wealth(node, &balances);
            for (moment, wealth) in [("founded", &purse.founded), ("end", &end)] {
                record(recorder, &purse.host, moment, wealth, &purse.runes);
            }
        }
    }

    fn close_indexers(&self, recorder: &Recorder) {
        for (index, indexer) in self.inner.indexers.iter().enumerate() {
            let Some(counters) = indexer.as_ref().map(crate::indexer::Indexer::counters) else { continue };
            let host = self.name(index);
            for (kind, count) in [
                ("served", counters.served),
                ("refused", counters.refused),
                ("answers", counters.answers),
                ("notifications", counters.notifications),
                ("calls", counters.calls),
            ] {
                recorder.value("indexer", count as f64, tags([("host", host), ("kind", kind)]));
            }
            for (direction, bytes) in [("in", counters.bytes_in), ("out", counters.bytes_out)] {
                recorder.value("indexer_bytes", bytes as f64, tags([("host", host), ("direction", direction)]));
            }
        }
    }
}

/// Where a block is, seen from the tip.
fn standing(node: &FullNode, block: BlockHash) -> &'static str {
    let chain = node.chain();
    let active = (0..=chain.height()).rev().any(|height| chain.block_hash(height) == Some(block));
    match active {
        true if chain.tip() == block => "agreed",
        true => "behind",
        false => "stale",
    }
}

fn fate(node: &FullNode, txid: &Txid, told: Fate) -> &'static str {
    if node.chain().transaction(txid).is_some() {
        return "confirmed";
    }
    if node.mempool().entry(txid).is_some() {
        return "waiting";
    }
    match told {
        Fate::Failed => "failed",
        Fate::Refused => "refused",
        Fate::Taken => "lost",
    }
}

fn record(recorder: &Recorder, host: &str, moment: &str, wealth: &Wealth, runes: &BTreeMap<ordinals::RuneId, String>) {
    let names = tags([("host", host), ("moment", moment)]);
    recorder.value("trader_bitcoin", wealth.bitcoin.to_sat() as f64, names);
    for (id, name) in runes {
        let units = wealth.runes.get(id).copied().unwrap_or_default();
        let names = tags([("host", host), ("rune", name), ("moment", moment)]);
        recorder.value("trader_runes", units as f64, names);
    }
}
