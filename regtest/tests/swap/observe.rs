//! What a machine asks the chain: coins from bitcoind, what became of a transaction from electrs.

use std::collections::BTreeMap;

use bitcoin::{Amount, OutPoint, Txid};
use darkswap_trade::coin::Coin;
use darkswap_trade::swap::{Spend, Status};
use electrum_client::ElectrumApi as _;
use serde_json::{Value, json};

use crate::market::Market;

impl Market {
    /// Those of the outputs that are unspent, with what they hold.
    pub(crate) fn coins(&mut self, outpoints: &[OutPoint]) -> BTreeMap<OutPoint, Coin> {
        self.world.ledger.follow(&self.world.env);
        outpoints.iter().filter_map(|outpoint| Some((*outpoint, self.coin(*outpoint)?))).collect()
    }

    fn coin(&self, outpoint: OutPoint) -> Option<Coin> {
        let arguments = [json!(outpoint.txid), json!(outpoint.vout), json!(true)];
        let answer: Value = self.world.env.rpc("gettxout", &arguments).expect("bitcoind answers");
        let confirmations = u32::try_from(answer.get("confirmations")?.as_u64()?).expect("a short chain");
        let height = (confirmations > 0).then(|| self.height() + 1 - confirmations);
        let transaction = self.world.electrum.transaction_get(&outpoint.txid).expect("electrs has it as well");
        let output = transaction.output.get(outpoint.vout as usize)?.clone();
        Some(Coin { outpoint, output, height, holdings: self.world.ledger.holdings(outpoint) })
    }

    /// What became of a transaction that spends these outputs, from the histories of their scripts.
    pub(crate) fn status(&self, txid: Txid, spends: &[Spend]) -> Status {
        let mut conflict = None;
        for Spend { outpoint, script } in spends {
            for entry in self.world.electrum.script_get_history(script).expect("electrs answers") {
                let depth = u32::try_from(entry.height).ok().filter(|height| *height > 0);
                let depth = depth.map_or(0, |height| self.height() + 1 - height);
                if entry.tx_hash == txid {
                    return if depth == 0 { Status::InMempool } else { Status::Confirmed { depth } };
                }
                let other = self.world.electrum.transaction_get(&entry.tx_hash).expect("electrs has it");
                if other.input.iter().any(|input| input.previous_output == *outpoint) {
                    conflict = Some(Status::Conflicted { outpoint: *outpoint, by: entry.tx_hash, depth });
                }
            }
        }
        conflict.unwrap_or(Status::Absent)
    }

    /// The fee of a waiting transaction, as bitcoind says.
    pub(crate) fn fee(&self, txid: Txid) -> Amount {
        let entry: Value = self.world.env.rpc("getmempoolentry", &[json!(txid)]).expect("it waits");
        Amount::from_btc(entry["fees"]["base"].as_f64().expect("a number")).expect("an amount")
    }

    fn height(&self) -> u32 {
        self.world.env.height().expect("a height")
    }
}
