//! What the wallet's transactions show of an etching.

use bitcoin::{Amount, FeeRate, OutPoint, Transaction, Txid};
use darkswap_wallet::wallet::WalletTransaction;
use ordinals::Rune;

use crate::trader::Trader;

/// A commitment that the wallet knows of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) outpoint: OutPoint,
    pub(super) value: Amount,
    pub(super) height: Option<u32>,
}

impl Trader {
    /// The commitment to a name, in a block if one is, that no block has spent.
    pub(super) fn seen(&self, rune: Rune, all: &[WalletTransaction]) -> Option<Seen> {
        let script = self.wallet.commitment(rune);
        let outputs = all
            .iter()
            .flat_map(|it| (0_u32..).zip(&it.transaction.output).map(move |(vout, output)| (it, vout, output)));
        let found = outputs.filter(|(_, _, output)| output.script_pubkey == script).map(|(it, vout, output)| {
            let outpoint = OutPoint { txid: it.transaction.compute_txid(), vout };
            Seen { outpoint, value: output.value, height: it.height }
        });
        found
            .filter(|seen| spender(seen.outpoint, all).is_none())
            .max_by_key(|seen| (seen.height.is_some(), seen.outpoint))
    }
}

/// What spends an output in a block.
pub(super) fn spender(outpoint: OutPoint, all: &[WalletTransaction]) -> Option<(Txid, u32)> {
    let spends = |it: &&WalletTransaction| it.transaction.input.iter().any(|input| input.previous_output == outpoint);
    let found = all.iter().filter(|it| it.height.is_some()).find(spends)?;
    Some((found.transaction.compute_txid(), found.height?))
}

/// The commitment that it spends.
pub(super) fn input_of(transaction: &Transaction) -> OutPoint {
    transaction.input.first().map_or_else(OutPoint::null, |input| input.previous_output)
}

pub(super) fn fee_of(transaction: &Transaction, value: Amount) -> Amount {
    let spent = transaction.output.iter().try_fold(Amount::ZERO, |sum, output| sum.checked_add(output.value));
    spent.and_then(|spent| value.checked_sub(spent)).unwrap_or_default()
}

/// Whether a fee rate is so much higher than what a transaction pays that it is worth to be replaced.
pub(super) fn is_a_quarter_more(rate: FeeRate, fee: Amount, transaction: &Transaction) -> bool {
    let usual = rate.fee_wu(transaction.weight()).unwrap_or(Amount::MAX_MONEY);
    fee.checked_mul(5).and_then(|fee| usual.checked_mul(4).map(|usual| usual > fee)).unwrap_or(true)
}
