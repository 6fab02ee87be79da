//! The simulated chain against bitcoind: the same blocks, the same transactions, the same words.

use std::time::Duration;

use bitcoin::absolute::LockTime;
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxOut, Txid};
use darkswap_chain::{FullNode, NodeConfig, Policy, Rpc};
use darkswap_regtest::{Key, TestEnv};
use serde_json::{Value, json};

const COIN: Amount = Amount::from_sat(100_000);
/// The least that an output of a key may hold to be relayed.
const DUST: Amount = Amount::from_sat(330);

/// bitcoind, and a simulated node that was given its blocks.
struct Pair {
    env: TestEnv,
    node: FullNode,
}

impl Pair {
    fn start() -> Self {
        let env = TestEnv::start().expect("a chain starts");
        let _stopped = env.stop_electrs().expect("it ends");
        let node = FullNode::new(NodeConfig { policy: policy(&env), ..NodeConfig::default() }, 1);
        let mut pair = Self { env, node };
        pair.follow();
        pair
    }

    /// Gives the simulated node the blocks that it does not have.
    fn follow(&mut self) {
        for height in self.node.chain().height() + 1..=self.env.height().expect("a height") {
            let block = self.env.block(height).expect("a block");
            self.node.connect(block).expect("bitcoind's blocks are valid");
        }
    }

    fn now(&self) -> Duration {
        let time = self.node.chain().header(self.node.chain().height()).expect("the tip").time;
        Duration::from_secs(time.into())
    }

    /// Confirmed coins of a key.
    fn coins(&mut self, key: &Key, count: usize) -> Vec<(OutPoint, TxOut)> {
        let outputs = vec![key.output(COIN); count];
        let outpoints = self.env.fund_all(&outputs).expect("the faucet pays");
        self.env.mine(1).expect("a block");
        self.follow();
        outpoints.into_iter().zip(outputs).collect()
    }

    /// What bitcoind says to a transaction and the simulated node says as well: nothing, or why not.
    fn offer(&mut self, what: &str, transaction: &Transaction) -> Option<String> {
        let raw = bitcoin::consensus::encode::serialize_hex(transaction);
        let sent = self.env.rpc::<Value>("sendrawtransaction", &[json!(raw)]);
        let real = sent.err().map(|error| said(&format!("{error:#}")));
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "sendrawtransaction", "params": [raw]});
        let now = self.now();
        let answer = Rpc::default().answer(&mut self.node, now, call.to_string().as_bytes()).expect("it is up");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        let error = answer.get("error").filter(|error| !error.is_null());
        let simulated = error.map(|error| (error["code"].as_i64(), error["message"].as_str().map(str::to_owned)));
        let simulated = simulated.map(|(code, text)| (code.expect("a code"), comparable(text.expect("a text"))));
        let real = real.map(|(code, text)| (code, comparable(text)));
        assert_eq!(simulated, real, "{what}: simulated, then bitcoind");
        real.map(|(_, text)| text)
    }

    fn refused(&mut self, what: &str, transaction: &Transaction, expected: &str) {
        let found = self.offer(what, transaction).unwrap_or_else(|| panic!("{what}: both accept it"));
        assert!(found.starts_with(expected), "{what}: {found}");
    }

    fn accepted(&mut self, what: &str, transaction: &Transaction) -> Txid {
        assert_eq!(self.offer(what, transaction), None, "{what}");
        transaction.compute_txid()
    }
}

/// The fee rates that bitcoind was started with: their defaults change between versions.
fn policy(env: &TestEnv) -> Policy {
    let info: Value = env.rpc("getmempoolinfo", &[]).expect("bitcoind answers");
    let rate = |field: &str| {
        let rate = Amount::from_btc(info[field].as_f64().expect("a number")).expect("an amount");
        rate.to_sat()
    };
    let (min_relay_fee_rate, incremental_fee_rate) = (rate("minrelaytxfee"), rate("incrementalrelayfee"));
    Policy { min_relay_fee_rate, incremental_fee_rate, ..Policy::default() }
}

/// Code and text of bitcoind's answer, from the error of its client.
fn said(error: &str) -> (i64, String) {
    let read = || {
        let (_, rest) = error.split_once("code: ")?;
        let (code, rest) = rest.split_once(", message: \"")?;
        let (text, _) = rest.split_once("\", data: ")?;
        Some((code.parse().ok()?, text.replace("\\\"", "\"")))
    };
    read().unwrap_or_else(|| panic!("no refusal of bitcoind: {error}"))
}

/// Refusals whose details differ: which rule of replacement comes first, how amounts are written, when dust would pass, what the
/// script interpreter says.
const DETAILED: [&str; 4] = ["insufficient fee", "bad-txns-in-belowout", "dust", "mempool-script-verify-flag-failed"];

/// The text as far as it is the same on both sides.
fn comparable(text: String) -> String {
    let reason = DETAILED.into_iter().find(|reason| text.starts_with(reason));
    reason.map_or(text, str::to_owned)
}

fn less(fee: u64) -> Amount {
    COIN - Amount::from_sat(fee)
}

#[test]
fn double_spends_low_fees_dust_and_missing_inputs_are_refused_in_the_same_words() {
    let mut pair = Pair::start();
    let (alice, bob) = (Key::numbered(1), Key::numbered(2));
    let coins = pair.coins(&alice, 2);
    let pay = |coin: usize, outputs: &[Amount]| {
        let outputs = outputs.iter().map(|value| bob.output(*value)).collect();
        alice.spend(&coins[coin..=coin], outputs).expect("signed")
    };
    let first = pay(0, &[less(500)]);
    pair.accepted("a payment", &first);
    pair.accepted("the same again", &first);
    pair.refused("a double spend that pays less", &pay(0, &[less(400)]), "insufficient fee");
    pair.refused("a double spend that pays as much", &pay(0, &[less(500) - DUST, DUST]), "insufficient fee");
    pair.refused("a double spend that does not pay for its relay", &pay(0, &[less(501)]), "insufficient fee");
    let dearer = pay(0, &[less(2_000)]);
    pair.accepted("a replacement", &dearer);
    pair.refused("what was replaced", &first, "insufficient fee");
    pair.refused("no fee", &pay(1, &[COIN]), "min relay fee not met");
    pair.refused("more than there is", &pay(1, &[COIN + Amount::ONE_SAT]), "bad-txns-in-belowout");
    pair.refused("dust", &pay(1, &[less(2_000), DUST - Amount::ONE_SAT]), "dust");
    pair.accepted("no dust", &pay(1, &[less(2_000), DUST]));
    pair.env.mine(1).expect("a block");
    pair.follow();
    pair.refused("a coin that a block spent", &first, "bad-txns-inputs-missingorspent");
    pair.refused("what is confirmed", &dearer, "Transaction outputs already in utxo set");
}

#[test]
fn what_breaks_other_rules_is_refused_in_the_same_words() {
    let mut pair = Pair::start();
    let (alice, bob) = (Key::numbered(1), Key::numbered(2));
    let coins = pair.coins(&alice, 2);
    let good = alice.spend(&coins[..1], vec![bob.output(less(1_000))]).expect("signed");
    let changed = |change: &dyn Fn(&mut Transaction)| {
        let mut transaction = good.clone();
        change(&mut transaction);
        alice.sign(&mut transaction, &[coins[0].1.clone()]).expect("signed");
        transaction
    };
    let late = changed(&|it| it.lock_time = LockTime::from_consensus(10_000));
    pair.refused("a lock time to come", &late, "non-final");
    let young = changed(&|it| it.input[0].sequence = Sequence::from_height(10));
    pair.refused("a relative lock time to come", &young, "non-BIP68-final");
    let version = changed(&|it| it.version = Version::non_standard(9));
    pair.refused("a version of the future", &version, "version");
    let bare = changed(&|it| it.output[0].script_pubkey = ScriptBuf::from_bytes(vec![0x51]));
    pair.refused("an output of no standard kind", &bare, "scriptpubkey");
    let reward = pair.env.block(pair.env.height().expect("a height")).expect("a block").txdata[0].clone();
    let reward = (OutPoint::new(reward.compute_txid(), 0), reward.output[0].clone());
    let early = alice.spend(&[reward], vec![bob.output(COIN)]).expect("unsigned");
    pair.refused("a reward of the last block", &early, "bad-txns-premature-spend-of-coinbase");
    let nowhere = (OutPoint::new(good.compute_txid(), 7), coins[0].1.clone());
    let missing = alice.spend(&[nowhere], vec![bob.output(less(1_000))]).expect("signed");
    pair.refused("a coin that never was", &missing, "bad-txns-inputs-missingorspent");
    let twice = alice.spend(&[coins[0].clone(), coins[0].clone()], vec![bob.output(COIN)]).expect("signed");
    pair.refused("a coin twice", &twice, "bad-txns-inputs-duplicate");
    let mut forged = good.clone();
    forged.output[0].value = less(2_000);
    pair.refused("a signature for something else", &forged, "mempool-script-verify-flag-failed");
    pair.accepted("the good one", &good);
}
