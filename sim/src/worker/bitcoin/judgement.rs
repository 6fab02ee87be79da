//! What came of trades by the chain's word: what settled, and who has less than that explains.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::{Amount, OutPoint, Txid};
use darkswap_chain::FullNode;
use darkswap_trade::asset::Asset;
use darkswap_trade::order::TraderKey;
use darkswap_trade::psbt::MAX_FEE_RATE;
use darkswap_trade::rune::Balances;
use darkswap_trade::settlement::{Account, Claim, Settlement, Verdict, Wealth, highest_fee, judge};

use super::Bitcoin;
use super::purse::Purse;

/// A trader that is judged: its host, and the key under which it trades.
pub(crate) struct Judged {
    pub(crate) host: usize,
    pub(crate) trader: TraderKey,
}

impl Bitcoin {
    /// Which of these transactions a block has.
    pub(crate) fn confirmed(&self, txids: &BTreeSet<Txid>) -> BTreeSet<Txid> {
        self.inner
            .chain
            .look(|node| txids.iter().copied().filter(|txid| node.chain().transaction(txid).is_some()).collect())
    }

    /// Judges traders by what they say about their swaps. Nothing when their amounts cannot be added.
    pub(crate) fn judge(&self, traders: &[Judged], claims: &[Claim]) -> Option<Verdict> {
        self.inner.chain.look(|node| {
            let balances = super::purse::rune_balances(node);
            let swaps: BTreeSet<Txid> = claims.iter().filter_map(|claim| claim.txid).collect();
            let chain: BTreeMap<Txid, Settlement> =
                swaps.iter().filter_map(|txid| Some((*txid, settlement(node, txid)?))).collect();
            let account = |judged: &Judged| {
                let purse = self.purse(judged.host)?;
                Some((judged.trader, account(purse, node, &balances, &chain)))
            };
            judge(&traders.iter().filter_map(account).collect(), claims, &chain)
                .inspect_err(|error| tracing::error!(%error, "traders cannot be judged"))
                .ok()
        })
    }

    /// A rune's name in the scenario.
    pub(crate) fn asset_name(&self, asset: &Asset) -> String {
        let name = self.inner.purses.iter().flatten().next().and_then(|purse| match asset {
            Asset::Rune(id) => purse.runes.get(id).cloned(),
            Asset::Alkane(_) => None,
        });
        name.unwrap_or_else(|| asset.to_string())
    }
}

/// What a block says about a swap's transaction. What was agreed on its fee is between the two sides, so the bound is that of all.
fn settlement(node: &FullNode, txid: &Txid) -> Option<Settlement> {
    let confirmed = node.chain().transaction(txid)?;
    let highest = highest_fee(confirmed.transaction.weight(), MAX_FEE_RATE)?;
    Some(Settlement { fee: node.chain().fee(&confirmed), highest })
}

/// What a trader had and has. Transactions of its own that are no swaps go to itself (reclaims) and cost their fee.
fn account(
    purse: &Purse,
    node: &FullNode,
    balances: &BTreeMap<OutPoint, Balances>,
    swaps: &BTreeMap<Txid, Settlement>,
) -> Account {
    let runes = purse.founded.runes.iter().map(|(id, units)| (Asset::Rune(*id), *units));
    let before = Wealth { bitcoin: purse.founded.bitcoin, assets: runes.collect() };
    let spent: Amount = purse
        .transactions(node)
        .into_iter()
        .filter(|confirmed| !swaps.contains_key(&confirmed.txid))
        .filter(|confirmed| {
            confirmed
                .transaction
                .output
                .iter()
                .all(|output| output.script_pubkey.is_op_return() || purse.owns(&output.script_pubkey))
        })
        .map(|confirmed| {
            let most = highest_fee(confirmed.transaction.weight(), MAX_FEE_RATE).unwrap_or(Amount::ZERO);
            node.chain().fee(&confirmed).min(most)
        })
        .sum();
    Account { before, received: Wealth::default(), spent: Wealth::of(spent), after: purse.confirmed(node, balances) }
}
