//! The judgement: the same one that scenarios have.

use std::collections::BTreeMap;

use bitcoin::{Amount, FeeRate, Txid, Weight};
use darkswap_trade::order::{Side, TraderKey};
use darkswap_trade::settlement::{Account, Claim, Settlement, Verdict, Wealth, highest_fee, judge};
use darkswap_trade::swap::{Phase, Role};
use darkswap_wallet::Wallet;
use serde_json::{Value, json};

use crate::market::{MAKER, Market, RATE, TAKER, number, word};

impl Market {
    /// Nobody has lost anything, every swap is over, and the wallets of both nodes count what the chain has.
    #[track_caller]
    pub(crate) fn judge(&mut self) -> Verdict {
        self.judge_after([Wealth::default(), Wealth::default()])
    }

    /// The same after each gave something away on purpose, to whom it got lost.
    #[track_caller]
    pub(crate) fn judge_after(&mut self, given: [Wealth; 2]) -> Verdict {
        let claims = [MAKER, TAKER].map(|who| self.claims(who));
        // Each is named by the other one. Who is not named has no swap by the word of anybody.
        let named = |who: usize| claims[1 - who].first().map(|claim| claim.peer);
        let keys = [named(MAKER).unwrap_or(TraderKey([1; 32])), named(TAKER).unwrap_or(TraderKey([2; 32]))];
        let mut claims = claims
            .into_iter()
            .zip(keys)
            .flat_map(|(claims, trader)| claims.into_iter().map(move |claim| Claim { trader, ..claim }));
        let claims: Vec<Claim> = claims.by_ref().collect();
        let txids = claims.iter().filter_map(|claim| claim.txid);
        let chain: BTreeMap<Txid, Settlement> = txids.filter_map(|txid| Some((txid, self.settlement(txid)?))).collect();
        let mut accounts = BTreeMap::new();
        for (who, mut spent) in [MAKER, TAKER].into_iter().zip(given) {
            spent.bitcoin += own_fees(&self.wallet(who), &chain);
            let (before, after) = (self.before[who].clone(), self.wealth(who));
            accounts.insert(keys[who], Account { before, received: Wealth::default(), spent, after });
        }
        let verdict = judge(&accounts, &claims, &chain).expect("amounts of a chain");
        assert!(verdict.is_exact(), "{verdict}\n{claims:#?}\n{accounts:#?}");
        for who in [MAKER, TAKER] {
            let counted = || (self.counted(who) == accounts[&keys[who]].after).then_some(());
            let waited = self.nodes[who].wait("balance as the chain has it", counted);
            let found = self.ask(who, &["wallet", "balance"]);
            waited.unwrap_or_else(|error| panic!("{error}\n{found}\n{:?}", accounts[&keys[who]].after));
        }
        verdict
    }

    /// What a node says that it has.
    fn counted(&self, who: usize) -> Wealth {
        let balance = self.ask(who, &["wallet", "balance"]);
        let parts =
            ["spendable", "pending", "reserved", "locked"].map(|part| balance[part].as_u64().expect("satoshis"));
        let units = self.units(who);
        let assets = (units > 0).then_some((self.asset, units));
        Wealth { bitcoin: Amount::from_sat(parts.iter().sum()), assets: assets.into_iter().collect() }
    }

    /// What a node says about its swaps; by whom is still missing.
    fn claims(&self, who: usize) -> Vec<Claim> {
        let list = self.ask(who, &["trade", "list"]);
        // A trader says what it does itself, a claim what the maker of the order does.
        let sells = |swap: &Value| (word(&swap["side"]) == "sell") == (word(&swap["role"]) == "maker");
        let claim = |swap: &Value| Claim {
            trader: TraderKey([0; 32]),
            peer: text(&swap["peer"]).parse().expect("a trader"),
            swap: text(&swap["swap"]).parse().expect("a swap"),
            role: if word(&swap["role"]) == "maker" { Role::Maker } else { Role::Taker },
            side: if sells(swap) { Side::Sell } else { Side::Buy },
            asset: self.asset,
            units: number(&swap["units"]),
            payment: Amount::from_sat(swap["payment"].as_u64().expect("satoshis")),
            phase: phase(&word(&swap["phase"])),
            txid: swap["txid"].as_str().map(|txid| txid.parse().expect("a transaction")),
        };
        list.as_array().expect("a list").iter().map(claim).collect()
    }

    /// What the chain has of a transaction, if a block has it.
    fn settlement(&self, txid: Txid) -> Option<Settlement> {
        let found: Value = self.world.env.rpc("getrawtransaction", &[json!(txid), json!(2)]).ok()?;
        found["confirmations"].as_u64().filter(|confirmations| *confirmations > 0)?;
        let fee = Amount::from_btc(found["fee"].as_f64().expect("a fee")).expect("an amount");
        let weight = Weight::from_wu(found["weight"].as_u64().expect("a weight"));
        let highest = highest_fee(weight, FeeRate::from_sat_per_vb_u32(RATE)).expect("a small fee");
        Some(Settlement { fee, highest })
    }
}

/// The fees of what a wallet did by itself: reclaims, payments.
fn own_fees(wallet: &Wallet, swaps: &BTreeMap<Txid, Settlement>) -> Amount {
    let is_own = |input: &bitcoin::TxIn| {
        let before = wallet.transaction(input.previous_output.txid);
        before.is_some_and(|before| {
            let output = before.transaction.output.get(input.previous_output.vout as usize);
            output.is_some_and(|output| wallet.is_mine(&output.script_pubkey))
        })
    };
    let own = wallet
        .transactions()
        .into_iter()
        .filter(|it| !swaps.contains_key(&it.transaction.compute_txid()) && it.transaction.input.iter().all(is_own));
    own.map(|it| it.fee.expect("all its inputs are known")).sum()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

fn phase(word: &str) -> Phase {
    match word {
        "requested" => Phase::Requested,
        "accepted" => Phase::Accepted,
        "proposed" => Phase::Proposed,
        "broadcast" => Phase::Broadcast,
        "confirming" => Phase::Confirming,
        "reclaiming" => Phase::Reclaiming,
        "done" => Phase::Done,
        "aborted" => Phase::Aborted,
        other => panic!("found the phase {other}"),
    }
}
