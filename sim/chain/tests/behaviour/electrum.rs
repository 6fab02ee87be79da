//! The Electrum protocol, line by line.

use darkswap_chain::{
    Closed, FullNode, MAX_BATCH, MAX_LINE, MAX_RESPONSE, MAX_SUBSCRIPTIONS, Reorg, ScriptHash, Server, Session,
    spendable_script,
};
use serde_json::{Value, json};

use crate::common::{ALICE, BOB, NOW, funded, node, pass_on, pay};

/// A client of one server.
pub(crate) struct Client {
    pub(crate) server: Server,
    pub(crate) session: Session,
}

impl Client {
    pub(crate) fn new() -> Self {
        Self { server: Server::default(), session: Session::default() }
    }

    pub(crate) fn line(&mut self, node: &mut FullNode, line: &str) -> Option<Value> {
        let answer = self.server.answer(&mut self.session, node, NOW, line)?;
        assert!(!answer.contains('\n'));
        Some(serde_json::from_str(&answer).expect("answers are JSON"))
    }

    pub(crate) fn response(&mut self, node: &mut FullNode, method: &str, params: Value) -> Value {
        let request = json!({"jsonrpc": "2.0", "id": 5, "method": method, "params": params}).to_string();
        let answer = self.line(node, &request).expect("the server is up");
        assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!(5)));
        answer
    }

    pub(crate) fn ask(&mut self, node: &mut FullNode, method: &str, params: Value) -> Value {
        let mut answer = self.response(node, method, params);
        assert!(answer.get("error").is_none(), "{answer}");
        answer["result"].take()
    }

    pub(crate) fn told(&mut self, node: &FullNode) -> Vec<Value> {
        let lines = self.server.notifications(&mut self.session, node);
        lines.iter().map(|line| serde_json::from_str(line).expect("notifications are JSON")).collect()
    }
}

/// Reads a merkle branch from an answer.
pub(crate) fn branch_of(branch: &Value) -> Vec<bitcoin::hashes::sha256d::Hash> {
    serde_json::from_value(branch.clone()).expect("branches are lists of hashes")
}

pub(crate) fn hash(number: u32) -> String {
    ScriptHash::of(&spendable_script(number)).to_string()
}

#[test]
fn versions_are_negotiated_as_electrs_does_it() {
    let (mut client, mut node) = (Client::new(), node());
    for offer in [json!("1.4"), json!(["1.4", "1.4.2"]), json!(["1.1", "1.6"]), json!("1.4.0")] {
        assert_eq!(client.ask(&mut node, "server.version", json!(["wallet", offer]))[1], "1.4");
    }
    for offer in [json!("1.5"), json!(["1.5", "1.6"]), json!(["x", "2"]), json!("")] {
        assert_eq!(client.response(&mut node, "server.version", json!(["wallet", offer]))["error"]["code"], 1);
    }
}

#[test]
fn errors_carry_the_codes_of_electrs() {
    let (mut client, mut node) = (Client::new(), node());
    for (line, code) in [
        ("{", -32700),
        ("[1]", -32600),
        ("{\"method\":\"server.ping\",\"params\":[]}", -32600),
        ("7", -32600),
        ("", -32700),
    ] {
        let answer = client.line(&mut node, line).unwrap();
        assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(code), &Value::Null), "{line}");
    }
    let mut code = |method, params| client.response(&mut node, method, params)["error"]["code"].clone();
    assert_eq!(code("no.such.method", json!([])), -32601);
    assert_eq!(code("blockchain.scripthash.nothing", json!([])), -32601);
    assert_eq!(code("blockchain.scripthash.get_balance", json!([])), -32602);
    assert_eq!(code("blockchain.scripthash.get_balance", json!(["abc"])), -32602);
    assert_eq!(code("blockchain.block.header", json!([7])), 1);
    assert_eq!(code("blockchain.transaction.broadcast", json!(["xyz"])), 1);
    assert_eq!(code("blockchain.transaction.get", json!(["00".repeat(32)])), 2);
}

#[test]
fn a_refused_broadcast_tells_the_reject_string() {
    let (mut client, (mut node, coins)) = (Client::new(), funded(1));
    let hex = bitcoin::consensus::encode::serialize_hex(&pay(coins[0], &[100_000]));
    let answer = client.response(&mut node, "blockchain.transaction.broadcast", json!([hex]));
    assert_eq!(answer["error"]["code"], 2);
    assert!(answer["error"]["message"].as_str().unwrap().starts_with("min relay fee not met, 0 < "), "{answer}");
}

#[test]
fn a_transaction_is_followed_from_broadcast_to_confirmation() {
    let (mut client, (mut node, coins)) = (Client::new(), funded(1));
    assert_eq!(client.ask(&mut node, "blockchain.scripthash.subscribe", json!([hash(BOB)])), Value::Null);
    client.ask(&mut node, "blockchain.headers.subscribe", json!([]));
    assert!(client.told(&node).is_empty());

    let payment = pay(coins[0], &[60_000, 39_000]);
    let hex = bitcoin::consensus::encode::serialize_hex(&payment);
    let txid = client.ask(&mut node, "blockchain.transaction.broadcast", json!([hex.clone()]));
    assert_eq!(txid, payment.compute_txid().to_string());
    let told = client.told(&node);
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0]["method"], &told[0]["params"][0]),
        (&json!("blockchain.scripthash.subscribe"), &json!(hash(BOB)))
    );
    assert!(client.told(&node).is_empty(), "nothing is told twice");
    assert_eq!(
        client.ask(&mut node, "blockchain.scripthash.get_history", json!([hash(BOB)])),
        json!([{"tx_hash": txid, "height": 0, "fee": 1_000}])
    );
    assert_eq!(
        client.ask(&mut node, "blockchain.scripthash.get_balance", json!([hash(BOB)])),
        json!({"confirmed": 0, "unconfirmed": 99_000})
    );

    node.mine(NOW, 1);
    let told = client.told(&node);
    let methods: Vec<&Value> = told.iter().map(|line| &line["method"]).collect();
    assert_eq!(methods, ["blockchain.scripthash.subscribe", "blockchain.headers.subscribe"]);
    let height = node.chain().height();
    assert_eq!(told[1]["params"][0]["height"], height);
    assert_eq!(
        client.ask(&mut node, "blockchain.scripthash.listunspent", json!([hash(BOB)])),
        json!([
            {"tx_hash": txid, "height": height, "tx_pos": 0, "value": 60_000},
            {"tx_hash": txid, "height": height, "tx_pos": 1, "value": 39_000},
        ])
    );
    assert_eq!(client.ask(&mut node, "blockchain.transaction.get", json!([txid])), hex);
    assert_eq!(client.ask(&mut node, "blockchain.transaction.get", json!([txid, true]))["confirmations"], 1);
}

#[test]
fn spending_an_unconfirmed_coin_shows_in_balance_and_unspent_outputs() {
    let (mut client, (mut node, coins)) = (Client::new(), funded(1));
    let parent = node.broadcast(NOW, pay(coins[0], &[60_000, 39_000])).unwrap();
    let child = node.broadcast(NOW, pass_on(parent, 0, 50_000)).unwrap();
    let history = client.ask(&mut node, "blockchain.scripthash.get_history", json!([hash(BOB)]));
    assert_eq!((&history[0]["height"], &history[1]["height"]), (&json!(0), &json!(-1)));
    assert_eq!(history[1]["tx_hash"], child.to_string());
    let balance = client.ask(&mut node, "blockchain.scripthash.get_balance", json!([hash(ALICE)]));
    assert_eq!(balance, json!({"confirmed": 100_000, "unconfirmed": -100_000}));
    let unspent = client.ask(&mut node, "blockchain.scripthash.listunspent", json!([hash(BOB)]));
    let values: Vec<&Value> = unspent.as_array().unwrap().iter().map(|unspent| &unspent["value"]).collect();
    assert_eq!(values, [39_000, 50_000]);
    let waiting = client.ask(&mut node, "blockchain.scripthash.get_mempool", json!([hash(BOB)]));
    assert_eq!(waiting, history);
}

#[test]
fn a_child_is_told_that_its_parent_was_confirmed() {
    let (mut client, (mut node, coins)) = (Client::new(), funded(1));
    let parent = pay(coins[0], &[60_000]);
    let txid = node.broadcast(NOW, parent.clone()).unwrap();
    let child = crate::common::transaction(
        vec![crate::common::input(bitcoin::OutPoint::new(txid, 0), BOB)],
        vec![crate::common::output(9, 50_000)],
    );
    node.broadcast(NOW, child).unwrap();
    let before = client.ask(&mut node, "blockchain.scripthash.subscribe", json!([hash(9)]));
    client.told(&node);
    node.mine_exactly(NOW, vec![parent]).unwrap();
    let told = client.told(&node);
    assert_eq!(told.len(), 1, "the status changes with the height of -1 to 0");
    assert_ne!(told[0]["params"][1], before);
    assert_eq!(client.ask(&mut node, "blockchain.scripthash.get_history", json!([hash(9)]))[0]["height"], 0);
}

#[test]
fn a_reorg_is_told_as_a_new_tip_and_new_statuses() {
    let (mut client, (mut node, coins)) = (Client::new(), funded(1));
    node.broadcast(NOW, pay(coins[0], &[60_000])).unwrap();
    node.mine(NOW, 1);
    client.ask(&mut node, "blockchain.headers.subscribe", json!([]));
    client.ask(&mut node, "blockchain.scripthash.subscribe", json!([hash(BOB)]));
    node.reorg(NOW, Reorg { depth: 1, length: 2, ..Reorg::default() }).unwrap();
    assert_eq!(client.told(&node).len(), 2);
    assert_eq!(client.ask(&mut node, "blockchain.scripthash.get_history", json!([hash(BOB)]))[0]["height"], 0);
}

#[test]
fn nobody_is_told_after_unsubscribing() {
    let (mut client, (mut node, coins)) = (Client::new(), funded(1));
    client.ask(&mut node, "blockchain.scripthash.subscribe", json!([hash(BOB)]));
    assert_eq!(client.ask(&mut node, "blockchain.scripthash.unsubscribe", json!([hash(BOB)])), json!(true));
    assert_eq!(client.ask(&mut node, "blockchain.scripthash.unsubscribe", json!([hash(BOB)])), json!(false));
    node.broadcast(NOW, pay(coins[0], &[60_000])).unwrap();
    assert!(client.told(&node).is_empty());
}

#[test]
fn a_batch_is_answered_in_one_line_and_in_order() {
    let (mut client, mut node) = (Client::new(), node());
    let call = |id: u32, method: &str| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": []});
    let batch = json!([call(1, "server.ping"), call(2, "no.such.method"), call(3, "server.banner")]).to_string();
    let answer = client.line(&mut node, &batch).unwrap();
    let ids: Vec<&Value> = answer.as_array().unwrap().iter().map(|answer| &answer["id"]).collect();
    assert_eq!(ids, [1, 2, 3]);
    assert_eq!(answer[1]["error"]["code"], -32601);
    assert_eq!(client.line(&mut node, "[]"), Some(json!([])));
    let long = json!(vec![call(1, "server.ping"); MAX_BATCH + 1]).to_string();
    assert_eq!(client.line(&mut node, &long).unwrap()["error"]["code"], -32600);
}

#[test]
fn an_answer_does_not_grow_without_bound() {
    let (mut client, mut node) = (Client::new(), node());
    node.mine(NOW, 2_100);
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "blockchain.block.headers", "params": [0, 5_000]});
    let batch = json!(vec![call; 100]).to_string();
    let answer = client.server.answer(&mut client.session, &mut node, NOW, &batch).unwrap();
    assert!(answer.len() < MAX_RESPONSE + 400_000, "{}", answer.len());
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer[0]["result"]["count"], 2_016);
    assert_eq!(answer[99]["error"]["code"], -101);
}

#[test]
fn a_session_collects_lines_from_pieces_and_ends_with_one_that_is_too_long() {
    let (mut client, mut node) = (Client::new(), node());
    let ping = "{\"id\":1,\"method\":\"server.ping\",\"params\":[]}\n";
    client.session.receive(&ping.as_bytes()[..10]).unwrap();
    assert_eq!(client.server.next_answer(&mut client.session, &mut node, NOW), None);
    client.session.receive(&[&ping.as_bytes()[10..], ping.as_bytes(), b"{"].concat()).unwrap();
    for _ in 0..2 {
        assert!(client.server.next_answer(&mut client.session, &mut node, NOW).is_some());
    }
    assert_eq!(client.server.next_answer(&mut client.session, &mut node, NOW), None);
    assert_eq!(client.session.receive(&vec![b'x'; MAX_LINE]), Err(Closed));
    assert_eq!(client.session.receive(b"\n"), Err(Closed), "it stays closed");
}

#[test]
fn a_session_has_a_bounded_number_of_subscriptions() {
    let (mut client, mut node) = (Client::new(), node());
    for start in (0..MAX_SUBSCRIPTIONS).step_by(MAX_BATCH) {
        let call = |number: usize| {
            let script = format!("{number:064x}");
            json!({"id": number, "method": "blockchain.scripthash.subscribe", "params": [script]})
        };
        let batch: Vec<Value> = (start..start + MAX_BATCH).map(call).collect();
        client.line(&mut node, &json!(batch).to_string()).unwrap();
    }
    assert_eq!(client.session.subscriptions(), MAX_SUBSCRIPTIONS);
    let answer = client.response(&mut node, "blockchain.scripthash.subscribe", json!(["ff".repeat(32)]));
    assert_eq!(answer["error"]["code"], 1);
    client.ask(&mut node, "blockchain.scripthash.subscribe", json!(["00".repeat(32)]));
}

#[test]
fn headers_are_proven_up_to_a_checkpoint() {
    let (mut client, mut node) = (Client::new(), node());
    node.mine(NOW, 9);
    let answer = client.ask(&mut node, "blockchain.block.header", json!([5, 8]));
    let root = client.ask(&mut node, "blockchain.block.headers", json!([3, 3, 8]))["root"].clone();
    assert_eq!(answer["root"], root);
    let branch = branch_of(&answer["branch"]);
    let leaf = *node.chain().block_hash(5).unwrap().as_raw_hash();
    assert_eq!(darkswap_chain::root_from_branch(leaf, 5, &branch).to_string(), root.as_str().unwrap());
    assert_eq!(client.response(&mut node, "blockchain.block.header", json!([5, 10]))["error"]["code"], 1);
}

#[test]
fn fees_are_estimated_from_what_waits() {
    let (mut client, (mut node, coins)) = (Client::new(), funded(2));
    assert_eq!(client.ask(&mut node, "blockchain.estimatefee", json!([2])), json!(-1));
    assert_eq!(client.ask(&mut node, "blockchain.relayfee", json!([])), json!(0.000001));
    node.broadcast(NOW, pay(coins[0], &[99_000])).unwrap();
    node.broadcast(NOW, pay(coins[1], &[90_000])).unwrap();
    assert_eq!(client.ask(&mut node, "blockchain.estimatefee", json!([2])), json!(0.000001));
    let histogram = client.ask(&mut node, "mempool.get_fee_histogram", json!([]));
    let vsize = pay(coins[0], &[99_000]).vsize();
    assert_eq!(histogram, json!([[64, vsize], [8, vsize]]));
}
