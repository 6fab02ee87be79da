//! Servers that lag, lie or are down.

use darkswap_chain::ScriptHash;
use serde_json::{Value, json};

use crate::common::{ALICE, BOB, NOW, funded, node, pass_on, pay};
use crate::electrum::{Client, branch_of, hash};

#[test]
fn a_lagging_server_shows_an_older_tip_and_confirmed_transactions_as_waiting() {
    let (mut client, (mut node, coins)) = (Client::new(), funded(1));
    node.broadcast(NOW, pay(coins[0], &[90_000])).unwrap();
    client.ask(&mut node, "blockchain.headers.subscribe", json!([]));
    client.ask(&mut node, "blockchain.scripthash.subscribe", json!([hash(BOB)]));
    let old = node.chain().height();
    client.server.faults_mut().lag(2);
    node.mine(NOW, 2);
    assert!(client.told(&node).is_empty(), "to it nothing happened");
    assert_eq!(client.ask(&mut node, "blockchain.headers.subscribe", json!([]))["height"], old);
    assert_eq!(client.response(&mut node, "blockchain.block.header", json!([old + 1]))["error"]["code"], 1);
    assert_eq!(client.ask(&mut node, "blockchain.scripthash.get_history", json!([hash(BOB)]))[0]["height"], 0);
    let balance = client.ask(&mut node, "blockchain.scripthash.get_balance", json!([hash(BOB)]));
    assert_eq!(balance, json!({"confirmed": 0, "unconfirmed": 90_000}));
    node.mine(NOW, 1);
    assert_eq!(client.told(&node).len(), 2, "it gets the block of the payment two blocks late");
    client.server.faults_mut().heal();
    assert_eq!(client.told(&node).len(), 1, "and sees the true tip when it is healed");
    assert!(client.server.faults().touched().lagging > 0);
}

#[test]
fn a_child_of_a_transaction_that_a_lagging_server_does_not_see_confirmed_waits_for_it() {
    let (mut client, (mut node, coins)) = (Client::new(), funded(1));
    let parent = node.broadcast(NOW, pay(coins[0], &[90_000])).unwrap();
    node.mine(NOW, 1);
    node.broadcast(NOW, pass_on(parent, 0, 80_000)).unwrap();
    client.server.faults_mut().lag(1);
    let history = client.ask(&mut node, "blockchain.scripthash.get_history", json!([hash(BOB)]));
    assert_eq!((&history[0]["height"], &history[1]["height"]), (&json!(0), &json!(-1)));
}

#[test]
fn a_lagging_server_does_not_know_the_rewards_of_later_blocks() {
    let (mut client, mut node) = (Client::new(), node());
    node.mine(NOW, 5);
    client.server.faults_mut().lag(2);
    // The miner's script is the one with the number 0.
    let history = client.ask(&mut node, "blockchain.scripthash.get_history", json!([hash(0)]));
    let heights: Vec<&Value> = history.as_array().unwrap().iter().map(|entry| &entry["height"]).collect();
    assert_eq!(heights, [1, 2, 3]);
}

#[test]
fn a_hidden_transaction_is_in_no_answer_but_in_its_block() {
    let (mut client, (mut node, coins)) = (Client::new(), funded(1));
    let txid = node.broadcast(NOW, pay(coins[0], &[90_000])).unwrap();
    client.ask(&mut node, "blockchain.scripthash.subscribe", json!([hash(BOB)]));
    client.server.faults_mut().hide(txid);
    assert_eq!(client.told(&node)[0]["params"][1], Value::Null);
    assert_eq!(client.ask(&mut node, "blockchain.scripthash.get_history", json!([hash(BOB)])), json!([]));
    assert_eq!(client.ask(&mut node, "blockchain.scripthash.get_balance", json!([hash(ALICE)]))["confirmed"], 100_000);
    assert_eq!(client.response(&mut node, "blockchain.transaction.get", json!([txid.to_string()]))["error"]["code"], 2);
    assert_eq!(client.server.faults().touched().hidden, 4);
}

#[test]
fn an_invented_confirmation_comes_with_a_proof_that_proves_nothing() {
    let (mut client, (mut node, coins)) = (Client::new(), funded(1));
    let txid = node.broadcast(NOW, pay(coins[0], &[90_000])).unwrap();
    let height = node.chain().height();
    client.server.faults_mut().invent_confirmation(txid, height);
    let history = client.ask(&mut node, "blockchain.scripthash.get_history", json!([hash(BOB)]));
    assert_eq!(history, json!([{"tx_hash": txid.to_string(), "height": height}]));
    assert_eq!(client.ask(&mut node, "blockchain.scripthash.get_balance", json!([hash(BOB)]))["confirmed"], 90_000);
    assert!(!proof_holds(&mut client, &mut node, txid, height));
    let touched = client.server.faults().touched();
    assert_eq!((touched.invented, touched.proofs), (2, 1));
}

#[test]
fn a_forged_proof_leads_to_another_root() {
    let (mut client, (mut node, coins)) = (Client::new(), funded(1));
    let txid = node.broadcast(NOW, pay(coins[0], &[90_000])).unwrap();
    node.mine(NOW, 1);
    let height = node.chain().height();
    assert!(proof_holds(&mut client, &mut node, txid, height));
    client.server.faults_mut().forge_proof(txid);
    assert!(!proof_holds(&mut client, &mut node, txid, height));
    assert_eq!(client.server.faults().touched().proofs, 1);
}

fn proof_holds(client: &mut Client, node: &mut darkswap_chain::FullNode, txid: bitcoin::Txid, height: u32) -> bool {
    let proof = client.ask(node, "blockchain.transaction.get_merkle", json!([txid.to_string(), height]));
    let branch = branch_of(&proof["merkle"]);
    let position = serde_json::from_value(proof["pos"].clone()).expect("positions are numbers");
    let root = darkswap_chain::root_from_branch(txid.to_raw_hash(), position, &branch);
    node.chain().header(height).expect("it is shown").merkle_root.to_raw_hash() == root
}

#[test]
fn a_wrong_balance_stays_plausible() {
    let (mut client, (mut node, _)) = (Client::new(), funded(1));
    let script = ScriptHash::of(&darkswap_chain::spendable_script(ALICE));
    client.server.faults_mut().distort_balance(script, 5);
    let mut confirmed =
        || client.ask(&mut node, "blockchain.scripthash.get_balance", json!([hash(ALICE)]))["confirmed"].clone();
    assert_eq!(confirmed(), 100_005);
    client.server.faults_mut().distort_balance(script, i64::MIN);
    let mut confirmed =
        || client.ask(&mut node, "blockchain.scripthash.get_balance", json!([hash(ALICE)]))["confirmed"].clone();
    assert_eq!(confirmed(), 0);
    assert_eq!(client.server.faults().touched().balances, 2);
}

#[test]
fn a_server_that_is_down_drops_lines_and_catches_up_later() {
    let (mut client, (mut node, coins)) = (Client::new(), funded(1));
    client.ask(&mut node, "blockchain.scripthash.subscribe", json!([hash(BOB)]));
    client.server.faults_mut().take_down();
    let ping = "{\"id\":1,\"method\":\"server.ping\",\"params\":[]}\n".repeat(2);
    client.session.receive(ping.as_bytes()).unwrap();
    assert_eq!(client.server.next_answer(&mut client.session, &mut node, NOW), None);
    assert_eq!(client.server.faults().touched().dropped, 2);
    node.broadcast(NOW, pay(coins[0], &[90_000])).unwrap();
    assert!(client.told(&node).is_empty());
    client.server.faults_mut().bring_up();
    assert_eq!(client.told(&node).len(), 1);
}

#[test]
fn a_swallowed_broadcast_looks_like_a_success() {
    let (mut client, (mut node, coins)) = (Client::new(), funded(1));
    client.server.faults_mut().swallow_broadcasts();
    let payment = pay(coins[0], &[90_000]);
    let hex = bitcoin::consensus::encode::serialize_hex(&payment);
    let txid = client.ask(&mut node, "blockchain.transaction.broadcast", json!([hex]));
    assert_eq!(txid, payment.compute_txid().to_string());
    assert!(node.mempool().is_empty());
    assert_eq!(client.server.faults().touched().swallowed, 1);
}
