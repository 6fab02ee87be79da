//! What must hold, during a case and at its end.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use bitcoin::{Network, Transaction};
use darkswap_trade::psbt::{Party, Style};
use darkswap_trade::swap::{Body, Message, Record, Role, Stage};
use darkswap_trader::chain::ChainRequest;
use darkswap_trader::command::TradeEvent;
use darkswap_trader::output::Output;
use darkswap_trader::store::Table;
use darkswap_wallet::Wallet;

use crate::world::{Faults, Node, World, key, seed};

impl World {
    /// Nothing may be promised that the disk does not know.
    pub(crate) fn check(&self, who: usize, output: &Output) {
        let node = &self.nodes[who];
        match output {
            Output::Publish(bytes) => {
                let mut written = node.stored.of(Table::Orders);
                assert!(written.any(|(_, value)| value[8..] == bytes[..]), "published before it was written");
            }
            Output::Send { to, bytes } => {
                let message = Message::decode(bytes).unwrap();
                if matches!(message.body, Body::Reject(_)) {
                    return;
                }
                let mut records = self.records(who);
                let record =
                    records.find(|it| it.peer == *to && it.swap == message.swap).expect("said before it was written");
                let is_kept = match (&message.body, &record.stage) {
                    (Body::Request(request), Stage::Requested) => *request == record.request,
                    (Body::Accept(accept), Stage::Accepted { agreement }) => {
                        agreement.deadline == accept.deadline && *agreement.stake(record.party()) == accept.stake
                    }
                    (Body::Proposal(bytes), Stage::Proposed { psbt, .. }) => psbt[..] == bytes[..],
                    (
                        Body::Settled(it),
                        Stage::Broadcast { transaction, .. }
                        | Stage::Reclaiming { transaction, .. }
                        | Stage::Done { transaction, .. },
                    ) => transaction.as_ref() == Some(it),
                    _ => false,
                };
                assert!(is_kept, "{:?} was said while the disk has {:?}", message.body, record.stage);
            }
            Output::Chain(ChainRequest::Broadcast(transaction)) => {
                let of_swap = self.records(who).any(|record| match &record.stage {
                    Stage::Proposed { agreement, .. } => agreement.txid == transaction.compute_txid(),
                    Stage::Broadcast { agreement, .. } => agreement.txid == transaction.compute_txid(),
                    Stage::Reclaiming { reclaim, .. } => reclaim.as_ref() == Some(transaction),
                    _ => false,
                });
                // One that fell out of the mempool is broadcast again, also before the wallet believes in it.
                let of_etching = node.stored.of(Table::Etchings).any(|(_, value)| {
                    let stored: serde_json::Value = serde_json::from_slice(value).unwrap();
                    let stages = stored["stage"].as_object().unwrap().values();
                    stages
                        .filter_map(|stage| stage.get("transaction"))
                        .any(|it| serde_json::from_value::<Transaction>(it.clone()).is_ok_and(|it| it == *transaction))
                });
                let wallet = || {
                    Wallet::load(&seed(node.number), Network::Regtest, node.stored.wallet())
                        .is_ok_and(|wallet| wallet.transaction(transaction.compute_txid()).is_some())
                };
                assert!(of_swap || of_etching || wallet(), "broadcast before it was written");
            }
            _ => {}
        }
    }

    /// Every swap that a trader's disk knows.
    pub(crate) fn records(&self, who: usize) -> impl Iterator<Item = Record> {
        let stored = &self.nodes[who].stored;
        let all = stored.of(Table::Swaps).chain(stored.of(Table::History));
        all.map(|(_, value)| serde_json::from_slice(value).unwrap())
    }

    pub(crate) fn is_quiet(&self) -> bool {
        let ended = |node: &Node| node.trader.is_some() && node.stored.of(Table::Swaps).next().is_none();
        self.nodes.iter().all(ended) && self.chain.mempool.is_empty()
    }

    /// Everything ends, and nobody has lost anything but agreed fees, to the last satoshi and unit.
    pub(crate) fn judge(&mut self) -> Vec<Record> {
        self.faults = Faults::default();
        for node in &mut self.nodes {
            node.crash_after = None;
        }
        self.heal();
        let end = self.now + Duration::from_secs(4 * 3_600);
        let is_over = self.run_until(end, Self::is_quiet);
        assert!(
            is_over,
            "swaps have not ended: {:?}",
            (0..self.nodes.len()).flat_map(|it| self.records(it)).collect::<Vec<_>>()
        );
        // Presigned orders end as well, and their coins are taken back.
        let holds = |node: &Node| node.trader.as_ref().is_some_and(|it| !it.wallet().reservations().is_empty());
        let is_kept = self.nodes.iter().any(holds);
        self.run(Duration::from_secs(if is_kept { 3_000 } else { 600 }));
        let mut done = Vec::new();
        for who in 0..self.nodes.len() {
            let trader = self.nodes[who].trader.as_ref().expect("everybody is up");
            let is_mine = |script: &bitcoin::ScriptBuf| trader.wallet().is_mine(script);
            let found = self.chain.wealth(is_mine);
            let (mut sats, mut units) = self.nodes[who].before;
            for record in self.records(who) {
                let Stage::Done { txid, .. } = &record.stage else { continue };
                let (height, transaction) = self.chain.find(*txid).expect("what is done is there");
                assert!(height.is_some(), "what is done is in a block");
                match record.party() {
                    Party::Seller => {
                        sats += record.payment.to_sat();
                        units -= record.request.units;
                    }
                    Party::Buyer => {
                        sats -= record.payment.to_sat();
                        units += record.request.units;
                    }
                }
                if record.role == Role::Taker {
                    sats -= self.chain.fee(transaction);
                }
                done.push(record);
            }
            // The maker of a presigned order has no record of its own.
            for record in (0..self.nodes.len()).flat_map(|it| self.records(it).collect::<Vec<_>>()) {
                let is_sale = record.style == Style::Presigned && record.peer == key(who);
                if is_sale && matches!(record.stage, Stage::Done { .. }) {
                    sats += record.payment.to_sat();
                    units -= record.request.units;
                }
            }
            // Reclaims and payments to ourselves.
            for transaction in self.chain.confirmed() {
                if transaction.input.iter().all(|it| is_mine(&self.chain.output(it.previous_output).script_pubkey)) {
                    sats -= self.chain.fee(transaction);
                }
            }
            assert_eq!(found, (sats, units), "trader {who} has something else than its records say");
            let balance = trader.wallet().balance();
            let sum = [balance.confirmed, balance.unknown, balance.pending, balance.locked, balance.reserved];
            assert_eq!(sum.iter().map(|it| it.to_sat()).sum::<u64>(), found.0, "trader {who} counts {balance:?}");
            assert!(trader.wallet().reservations().is_empty(), "trader {who} still holds coins back");
            let blamed = self.nodes[who].events.iter().find(|it| matches!(it, TradeEvent::SwapMisbehaviour { .. }));
            assert!(blamed.is_none(), "an honest peer was blamed: {blamed:?}");
        }
        done
    }

    /// Orders that a trader sees, by id.
    pub(crate) fn view(&self, who: usize) -> BTreeSet<[u8; 32]> {
        let trader = self.nodes[who].trader.as_ref().expect("it is up");
        trader.book().statements().map(|it| it.id().0).collect()
    }

    pub(crate) fn log(&self, who: usize) -> VecDeque<String> {
        self.nodes[who].events.iter().map(|event| format!("{event:?}")).collect()
    }
}
