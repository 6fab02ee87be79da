//! What came of trades by the chain's word: what settled, and who has less than that explains.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::{Amount, FeeRate, OutPoint, Txid};
use darkswap_chain::FullNode;
use darkswap_trade::asset::Asset;
use darkswap_trade::order::TraderKey;
use darkswap_trade::psbt::MAX_STAKE_INPUTS;
use darkswap_trade::rune::Balances;
use darkswap_trade::settlement::{Account, Claim, Settlement, Verdict, Wealth, highest_fee, judge};

use super::Bitcoin;
use super::purse::Purse;

/// How many times the lowest fee rate a trader's own transaction may pay. A reclaim that replaces a swap pays the fee of all of its inputs
/// with the bytes of one (BIP 125, rule 3), and a little more.
const RECLAIM: u64 = 2 * MAX_STAKE_INPUTS as u64;

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
        // The blocks have room for everybody, so this is what traders agree on.
        let agreed = FeeRate::from_sat_per_vb(self.inner.plan.relay_fee)?;
        let own = agreed.checked_mul(RECLAIM)?;
        self.inner.chain.look(|node| {
            let balances = super::purse::rune_balances(node);
            let swaps: BTreeSet<Txid> = claims.iter().filter_map(|claim| claim.txid).collect();
            let chain: BTreeMap<Txid, Settlement> =
                swaps.iter().filter_map(|txid| Some((*txid, settlement(node, txid, agreed)?))).collect();
            let account = |judged: &Judged| {
                let purse = self.purse(judged.host)?;
                Some((judged.trader, account(purse, node, &balances, (&chain, own))))
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

/// What a block says about a swap's transaction.
fn settlement(node: &FullNode, txid: &Txid, agreed: FeeRate) -> Option<Settlement> {
    let confirmed = node.chain().transaction(txid)?;
    let highest = highest_fee(confirmed.transaction.weight(), agreed)?;
    Some(Settlement { fee: node.chain().fee(&confirmed), highest })
}

/// What a trader had and has. Transactions of its own that are no swaps go to itself (reclaims) and cost their fee, up to the given rate.
fn account(
    purse: &Purse,
    node: &FullNode,
    balances: &BTreeMap<OutPoint, Balances>,
    (swaps, highest): (&BTreeMap<Txid, Settlement>, FeeRate),
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
            let most = highest_fee(confirmed.transaction.weight(), highest).unwrap_or(Amount::ZERO);
            node.chain().fee(&confirmed).min(most)
        })
        .sum();
    Account { before, received: Wealth::default(), spent: Wealth::of(spent), after: purse.confirmed(node, balances) }
}

#[cfg(test)]
mod tests {
    use bitcoin::{Transaction, TxIn, absolute, transaction};
    use darkswap_scenario::check_bytes;

    use super::*;
    use crate::clock::WALL_CLOCK_EPOCH;

    const SCENARIO: &str = "\
title: Judging
duration: 30s
hosts:
  indexer: {serves: [indexer]}
  alice: {trader: {bitcoin: 0.5btc}}
expect:
  - count(path) == 0
";

    #[test]
    fn a_fee_that_no_reclaim_needs_is_a_loss() {
        let topology = check_bytes("judging", "judging.yaml", SCENARIO.as_bytes()).unwrap().topology(1);
        let bitcoin = Bitcoin::found(&topology, 1).unwrap().unwrap();
        let alice = Judged { host: 1, trader: TraderKey([1; 32]) };
        let lost = |bitcoin: &Bitcoin| {
            let verdict = bitcoin.judge(std::slice::from_ref(&alice), &[]).unwrap();
            verdict.lost.get(&alice.trader).map(|wealth| wealth.bitcoin)
        };
        assert_eq!(lost(&bitcoin), None);
        let purse = bitcoin.purse(1).unwrap();
        let own = bitcoin.inner.chain.look(|node| {
            let coins = node.chain().coins();
            coins.iter().find(|(_, coin)| purse.owns(&coin.output.script_pubkey)).map(|(outpoint, _)| *outpoint)
        });
        // It goes back to her, at more than 300 satoshis per virtual byte where the lowest rate is one.
        let promised = Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: vec![TxIn { previous_output: own.unwrap(), ..TxIn::default() }],
            output: Vec::new(),
        };
        bitcoin.double_spend(1, &promised, WALL_CLOCK_EPOCH).unwrap();
        bitcoin.inner.chain.change(WALL_CLOCK_EPOCH, |node| node.mine(WALL_CLOCK_EPOCH, 1));
        assert!(lost(&bitcoin).is_some_and(|lost| lost > Amount::from_sat(40_000)), "{:?}", lost(&bitcoin));
    }
}
