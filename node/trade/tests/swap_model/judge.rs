//! What must hold when everything is over.

use std::collections::BTreeSet;

use bitcoin::Txid;
use darkswap_trade::psbt::{Party, fee_at_most};
use darkswap_trade::swap::{Reason, Role, Stage};

use super::World;
use crate::trader::{MAKER, Trader};

impl World {
    /// Whatever is still hidden comes out, everything confirms, and then everybody counts.
    pub(super) fn judge(&mut self) {
        for who in 0..2 {
            for tx in std::mem::take(&mut self.traders[who].hidden) {
                let _ = self.chain.submit(&tx);
            }
        }
        for _ in 0..3 {
            self.chain.mine(&mut self.dice, 100);
        }
        assert!(self.chain.mempool.is_empty());
        for who in 0..2 {
            let is_absent = self.case.presigned && who == MAKER;
            if !self.traders[who].is_evil && !is_absent {
                self.judge_trader(who);
            }
        }
        let settled = |trader: &Trader| matches!(trader.durable().map(|it| it.stage), Some(Stage::Done { .. }));
        if self.case.evil.is_none() && !self.case.presigned {
            let [maker, taker] = &self.traders;
            assert_eq!(settled(maker), settled(taker), "{:?} and {:?}", maker.moves, taker.moves);
        }
        if self.traders.iter().any(settled) { self.tally.settled += 1 } else { self.tally.aborted += 1 }
    }

    fn judge_trader(&mut self, who: usize) {
        let trader = &self.traders[who];
        let record = trader.durable();
        if let Some(swap) = &trader.swap {
            assert!(swap.is_terminal(), "{who} has not ended: {:?} {:?}", swap.record().stage, trader.moves);
        }
        let (sats, units) = self.chain.wealth(&trader.script, self.asset);
        let (sats_before, units_before) = trader.wealth_before;
        let reclaims: BTreeSet<Txid> =
            trader.reclaims.iter().copied().filter(|txid| self.chain.confirmed(*txid).is_some()).collect();
        let settled = match record.as_ref().map(|it| &it.stage) {
            Some(Stage::Done { txid, .. }) => {
                Some(self.chain.confirmed(*txid).expect("what is done is confirmed").clone())
            }
            _ => None,
        };
        let Some(tx) = settled else {
            let paid: u64 = reclaims.iter().map(|it| self.chain.fee(self.chain.confirmed(*it).unwrap())).sum();
            assert!(reclaims.len() <= 1, "{who} paid for {} reclaims", reclaims.len());
            assert_eq!((sats, units), (sats_before - paid, units_before), "{who} lost: {:?}", trader.moves);
            self.tally.reclaimed += u32::try_from(reclaims.len()).unwrap();
            if let Some(Stage::Aborted { reason: Reason::DoubleSpent { .. } }) = record.map(|it| it.stage) {
                self.tally.double_spent += 1;
            }
            return;
        };
        let record = record.unwrap();
        assert!(reclaims.is_empty(), "{who} settled and reclaimed");
        let (payment, traded) = (record.payment.to_sat(), record.request.units);
        let fee = if record.role == Role::Taker { self.chain.fee(&tx) } else { 0 };
        assert!(fee <= fee_at_most(tx.input.len(), record.request.fee_rate).unwrap().to_sat());
        let expected = match record.party() {
            Party::Seller => (sats_before + payment - fee, units_before - traded),
            Party::Buyer => (sats_before - payment - fee, units_before + traded),
        };
        assert_eq!((sats, units), expected, "{who} got something else");
        if who == MAKER {
            assert_eq!(trader.fills.filled(self.order.id), traded);
        }
    }
}
