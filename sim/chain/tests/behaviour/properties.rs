//! What holds whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bitcoin::{Amount, OutPoint, Transaction};
use darkswap_chain::{
    Chain, FullNode, NodeConfig, Policy, Reorg, Returned, Rpc, ScriptHash, Server, Session, spendable_script, subsidy,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value, json};

use crate::common::{NOW, input, output, transaction};

/// Scripts that take part.
const SCRIPTS: u32 = 4;

/// What can happen.
#[derive(Debug, Clone)]
enum Step {
    /// Spend one of the coins that exist or wait, to some scripts, for a fee.
    Pay {
        coin: prop::sample::Index,
        second: Option<prop::sample::Index>,
        outputs: u8,
        fee: u64,
    },
    /// Mine a payment that the mempool may know nothing of, or be in conflict with.
    Steal {
        coin: prop::sample::Index,
    },
    Mine {
        blocks: u32,
    },
    Reorg {
        depth: u32,
        extra: u32,
        forget: bool,
        include: bool,
    },
    Evict {
        which: prop::sample::Index,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        8 => (index(), prop::option::of(index()), 1..4_u8, 0..9_000_u64)
            .prop_map(|(coin, second, outputs, fee)| Step::Pay { coin, second, outputs, fee }),
        1 => index().prop_map(|coin| Step::Steal { coin }),
        2 => (1..3_u32).prop_map(|blocks| Step::Mine { blocks }),
        1 => (1..5_u32, 1..3_u32, any::<bool>(), any::<bool>())
            .prop_map(|(depth, extra, forget, include)| Step::Reorg { depth, extra, forget, include }),
        1 => index().prop_map(|which| Step::Evict { which }),
    ]
}

fn founded() -> FullNode {
    let policy = Policy { max_vsize: 5_000, ..Policy::default() };
    let mut node = FullNode::new(NodeConfig { policy, halving_interval: 120 }, 3);
    for number in 1..=SCRIPTS {
        node.fund(NOW, &spendable_script(number), Amount::from_sat(100_000), 3).expect("there is enough");
    }
    // Below what reorgs here reach, so that the money stays.
    node.mine(NOW, 5);
    node
}

fn number_of(script: &bitcoin::Script) -> Option<u32> {
    (1..=SCRIPTS).find(|number| spendable_script(*number).as_script() == script)
}

/// Coins that take part, whether somebody spends them already or not.
fn coins(node: &FullNode) -> Vec<(OutPoint, u32, u64)> {
    let confirmed = node.chain().coins().iter().map(|(outpoint, coin)| (*outpoint, coin.output.clone()));
    let waiting = node.mempool().iter().flat_map(|entry| {
        let outputs = (0..).zip(entry.transaction.output.clone());
        outputs.map(|(vout, output)| (OutPoint::new(entry.txid, vout), output))
    });
    let all = confirmed.chain(waiting);
    all.filter_map(|(outpoint, output)| Some((outpoint, number_of(&output.script_pubkey)?, output.value.to_sat())))
        .collect()
}

fn payment(
    node: &FullNode,
    coin: prop::sample::Index,
    second: Option<prop::sample::Index>,
    outputs: u8,
    fee: u64,
) -> Transaction {
    let coins = coins(node);
    let chosen: BTreeSet<usize> =
        [Some(coin), second].into_iter().flatten().map(|index| index.index(coins.len())).collect();
    let held: u64 = chosen.iter().map(|index| coins[*index].2).sum();
    let each = held.saturating_sub(fee) / u64::from(outputs);
    let inputs = chosen.iter().map(|index| input(coins[*index].0, coins[*index].1)).collect();
    transaction(inputs, (0..outputs).map(|number| output(u32::from(number) % SCRIPTS + 1, each)).collect())
}

fn apply(node: &mut FullNode, now: Duration, step: &Step) {
    match step {
        Step::Pay { coin, second, outputs, fee } => {
            // Refusals are part of it: many of these spend what is spent.
            let _ = node.broadcast(now, payment(node, *coin, *second, *outputs, *fee));
        }
        Step::Steal { coin } => {
            let _ = node.mine_exactly(now, vec![payment(node, *coin, None, 1, 700)]);
        }
        Step::Mine { blocks } => {
            node.mine(now, *blocks);
        }
        Step::Reorg { depth, extra, forget, include } => {
            let waiting = node.mempool().iter().next().map(|entry| entry.transaction.as_ref().clone());
            let returned = if *forget { Returned::Forgotten } else { Returned::ToMempool };
            let include = if *include { waiting.into_iter().collect() } else { vec![] };
            let _ = node.reorg(now, Reorg { depth: *depth, length: depth + extra, include, returned });
        }
        Step::Evict { which } => {
            let waiting: Vec<_> = node.mempool().iter().map(|entry| entry.txid).collect();
            if !waiting.is_empty() {
                node.evict(&[waiting[which.index(waiting.len())]]);
            }
        }
    }
}

/// The same blocks, connected one by one to a new chain.
fn replayed(node: &FullNode) -> Chain {
    let mut chain = Chain::new(node.chain().halving_interval());
    for height in 1..=node.chain().height() {
        let block = node.chain().block(height).expect("it is below the tip");
        chain.connect(block.as_ref().clone()).expect("it was valid before");
    }
    chain
}

fn check_chain(node: &FullNode) {
    let (chain, replay) = (node.chain(), replayed(node));
    assert_eq!(chain.coins(), replay.coins());
    for number in 0..=SCRIPTS {
        let script = ScriptHash::of(&spendable_script(number));
        let places =
            |chain: &Chain| chain.history(&script).map(|found| (found.height, found.position)).collect::<Vec<_>>();
        assert_eq!(places(chain), places(&replay));
    }
    let created: Amount = (1..=chain.height()).map(|height| subsidy(height, chain.halving_interval())).sum();
    assert_eq!(chain.coins().total(), created, "fees go to miners, and nothing is burned here");
}

fn check_mempool(node: &FullNode) {
    let mut spent = BTreeMap::new();
    let mut vsize = 0;
    for entry in node.mempool().iter() {
        vsize += entry.vsize;
        for input in &entry.transaction.input {
            let outpoint = input.previous_output;
            assert_eq!(spent.insert(outpoint, entry.txid), None, "two transactions spend {outpoint}");
            let waiting = node.mempool().entry(&outpoint.txid);
            let created = waiting.is_some_and(|parent| (outpoint.vout as usize) < parent.transaction.output.len());
            assert!(created || node.chain().coins().coin(&outpoint).is_some(), "{outpoint} does not exist");
            assert_eq!(node.mempool().spender(&outpoint).map(|entry| entry.txid), Some(entry.txid));
        }
    }
    assert_eq!(vsize, node.mempool().vsize());
    let mut copy = node.clone();
    copy.mine(NOW, 1);
    assert!(copy.mempool().is_empty(), "all that waits fits into the next block");
}

/// The same cases in every run.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(4), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn undo_and_redo_end_where_a_replay_ends(steps in prop::collection::vec(step(), 1..40)) {
        let mut node = founded();
        for (second, step) in (0..).zip(&steps) {
            apply(&mut node, NOW + Duration::from_secs(second), step);
            check_mempool(&node);
        }
        check_chain(&node);
    }

    #[test]
    fn subscribers_always_know_the_true_status(steps in prop::collection::vec(step(), 1..40)) {
        let mut node = founded();
        let (mut server, mut session) = (Server::default(), Session::default());
        let subscribe = |number: u32| {
            let script = ScriptHash::of(&spendable_script(number)).to_string();
            json!({"id": number, "method": "blockchain.scripthash.subscribe", "params": [script]}).to_string()
        };
        let mut known: BTreeMap<String, Value> = BTreeMap::new();
        for number in 1..=SCRIPTS {
            let answer = server.answer(&mut session, &mut node, NOW, &subscribe(number)).expect("it is up");
            let answer: Value = serde_json::from_str(&answer).expect("answers are JSON");
            known.insert(ScriptHash::of(&spendable_script(number)).to_string(), answer["result"].clone());
        }
        for step in &steps {
            apply(&mut node, NOW, step);
            for line in server.notifications(&mut session, &node) {
                let told: Value = serde_json::from_str(&line).expect("notifications are JSON");
                let script = told["params"][0].as_str().expect("only scripts are subscribed").to_owned();
                let old = known.insert(script, told["params"][1].clone());
                prop_assert_ne!(old, Some(told["params"][1].clone()));
            }
            // A new client asks without any memory.
            let mut fresh = Session::default();
            for number in 1..=SCRIPTS {
                let answer = server.answer(&mut fresh, &mut node, NOW, &subscribe(number)).expect("it is up");
                let answer: Value = serde_json::from_str(&answer).expect("answers are JSON");
                prop_assert_eq!(&known[&ScriptHash::of(&spendable_script(number)).to_string()], &answer["result"]);
            }
        }
    }

    #[test]
    fn the_same_steps_give_the_same_blocks(steps in prop::collection::vec(step(), 1..15)) {
        let run = || {
            let mut node = founded();
            steps.iter().for_each(|step| apply(&mut node, NOW, step));
            (node.chain().tip(), node.counters(), node.mempool().iter().map(|entry| entry.txid).collect::<Vec<_>>())
        };
        prop_assert_eq!(run(), run());
    }
}

/// Values that look like requests and are not quite.
fn nearly_json() -> impl Strategy<Value = Value> {
    let methods = [
        "server.version",
        "server.features",
        "blockchain.block.header",
        "blockchain.block.headers",
        "blockchain.estimatefee",
        "blockchain.scripthash.get_history",
        "blockchain.scripthash.subscribe",
        "blockchain.transaction.get",
        "blockchain.transaction.get_merkle",
        "blockchain.transaction.id_from_pos",
        "blockchain.transaction.broadcast",
        "mempool.get_fee_histogram",
        "getblock",
        "getblockhash",
        "getrawtransaction",
        "sendrawtransaction",
        "getblockheader",
    ];
    let leaf = prop_oneof![
        any::<u64>().prop_map(|number| json!(number)),
        any::<i64>().prop_map(|number| json!(number)),
        (0..6_u64).prop_map(|number| json!(number)),
        any::<bool>().prop_map(|truth| json!(truth)),
        Just(Value::Null),
        "[0-9a-f]{0,80}".prop_map(|text| json!(text)),
        "[0-9a-f]{64}".prop_map(|text| json!(text)),
        any::<f64>().prop_map(|number| json!(number)),
    ];
    let params = prop_oneof![prop::collection::vec(leaf.clone(), 0..5).prop_map(|items| json!(items)), leaf];
    (prop::sample::select(methods.to_vec()), params, any::<u8>())
        .prop_map(|(method, params, id)| json!({"id": id, "method": method, "params": params}))
}

proptest! {
    #![proptest_config(config(128))]

    #[test]
    fn random_bytes_do_not_harm_a_server(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..8)) {
        let (mut server, mut session) = (Server::default(), Session::default());
        let (mut rpc, mut node) = (Rpc::default(), FullNode::new(NodeConfig::default(), 1));
        for piece in pieces {
            session.receive(&piece).expect("it is short");
            while let Some(answer) = server.next_answer(&mut session, &mut node, NOW) {
                serde_json::from_str::<Value>(&answer).expect("answers are JSON");
            }
            rpc.answer(&mut node, NOW, &piece).expect("it is up");
        }
    }

    #[test]
    fn nearly_valid_requests_are_always_answered(requests in prop::collection::vec(nearly_json(), 1..20), lag in 0..8_u32) {
        let (mut server, mut session) = (Server::default(), Session::default());
        let (mut rpc, mut node) = (Rpc::default(), FullNode::new(NodeConfig::default(), 1));
        node.mine(NOW, 3);
        server.faults_mut().lag(lag);
        rpc.faults_mut().lag(lag);
        for request in requests {
            let answer = server.answer(&mut session, &mut node, NOW, &request.to_string()).expect("it is up");
            let answer: Value = serde_json::from_str(&answer).expect("answers are JSON");
            prop_assert_eq!(&answer["id"], &request["id"]);
            rpc.answer(&mut node, NOW, request.to_string().as_bytes()).expect("it is up");
        }
    }
}
