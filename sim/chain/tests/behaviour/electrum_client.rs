//! The answers of the server, read by the client that nodes use.

use std::io::BufReader;

use bitcoin::{Amount, FeeRate, Txid};
use darkswap_chain::{FullNode, spendable_script};
use electrum_streaming_client::io::ReadStreamer;
use electrum_streaming_client::notification::Notification;
use electrum_streaming_client::request as ask;
use electrum_streaming_client::response::Tx;
use electrum_streaming_client::{
    ElectrumScriptHash, ElectrumScriptStatus, RawNotificationOrResponse, RawRequest, Request,
};

use crate::common::{ALICE, BOB, NOW, funded, pass_on, pay};
use crate::electrum::Client;

/// Sends a request as the client writes it, and reads the answer as the client reads it.
fn send<R: Request>(client: &mut Client, node: &mut FullNode, request: R) -> Result<R::Response, serde_json::Value> {
    let line = serde_json::to_string(&RawRequest::from_request(3, request)).expect("requests are JSON");
    client.session.receive(format!("{line}\n").as_bytes()).expect("the line is short");
    let answer = client.server.next_answer(&mut client.session, node, NOW).expect("the server is up") + "\n";
    let mut messages = ReadStreamer::new(BufReader::new(answer.as_bytes()));
    match messages.next().expect("there is a message").expect("the client can read it") {
        RawNotificationOrResponse::Response(response) => {
            assert_eq!(response.id, 3);
            response.result.map(|value| serde_json::from_value(value).expect("the answer has the client's shape"))
        }
        RawNotificationOrResponse::Notification(notification) => panic!("not an answer: {notification:?}"),
    }
}

fn get<R: Request>(client: &mut Client, node: &mut FullNode, request: R) -> R::Response {
    send(client, node, request).expect("the server can answer")
}

/// A node where Bob got one confirmed and two waiting payments.
fn scene() -> (Client, FullNode, [Txid; 3]) {
    let (mut node, coins) = funded(2);
    let confirmed = node.broadcast(NOW, pay(coins[0], &[60_000])).expect("it is valid");
    node.mine(NOW, 1);
    let parent = node.broadcast(NOW, pay(coins[1], &[90_000])).expect("it is valid");
    let child = node.broadcast(NOW, pass_on(parent, 0, 80_000)).expect("it is valid");
    (Client::new(), node, [confirmed, parent, child])
}

#[test]
fn the_client_reads_histories_and_computes_the_same_status() {
    let (mut client, mut node, [confirmed, parent, child]) = scene();
    let script = spendable_script(BOB);
    let history = get(&mut client, &mut node, ask::GetHistory::from_script(&script));
    assert_eq!(history.iter().map(Tx::txid).collect::<Vec<_>>(), [confirmed, parent, child]);
    let heights: Vec<i64> = history.iter().map(Tx::electrum_height).collect();
    assert_eq!(heights, [i64::from(node.chain().height()), 0, -1]);
    let status = get(&mut client, &mut node, ask::ScriptHashSubscribe::from_script(&script));
    assert!(status.is_some());
    assert_eq!(status, ElectrumScriptStatus::from_history(&history));
    assert!(get(&mut client, &mut node, ask::ScriptHashUnsubscribe::from_script(&script)));
    let waiting = get(&mut client, &mut node, ask::GetMempool::from_script(&script));
    assert_eq!(
        waiting.iter().map(|tx| (tx.txid, tx.confirmed_inputs)).collect::<Vec<_>>(),
        [(parent, true), (child, false)]
    );
}

#[test]
fn the_client_reads_balances_and_unspent_outputs() {
    let (mut client, mut node, [confirmed, _, child]) = scene();
    let script = spendable_script(BOB);
    let balance = get(&mut client, &mut node, ask::GetBalance::from_script(&script));
    assert_eq!((balance.confirmed, balance.unconfirmed), (Amount::from_sat(60_000), Amount::from_sat(80_000)));
    let unspent = get(&mut client, &mut node, ask::ListUnspent::from_script(&script));
    let seen: Vec<_> = unspent.iter().map(|utxo| (utxo.txid, utxo.height.to_consensus_u32())).collect();
    assert_eq!(seen, [(confirmed, node.chain().height()), (child, 0)]);
}

#[test]
fn the_client_reads_transactions_and_verifies_their_proofs() {
    let (mut client, mut node, [confirmed, ..]) = scene();
    let height = node.chain().height();
    assert_eq!(get(&mut client, &mut node, ask::GetTx { txid: confirmed }).tx.compute_txid(), confirmed);
    let proof = get(&mut client, &mut node, ask::GetTxMerkle { txid: confirmed, height });
    let header = get(&mut client, &mut node, ask::Header { height }).header;
    assert_eq!(proof.expected_merkle_root(confirmed), header.merkle_root);
    let from_position = get(&mut client, &mut node, ask::GetTxidFromPos { height, tx_pos: proof.pos });
    assert_eq!(from_position.txid, confirmed);
    assert!(send(&mut client, &mut node, ask::GetTxMerkle { txid: confirmed, height: height - 1 }).is_err());
}

#[test]
fn the_client_reads_headers() {
    let (mut client, mut node, _) = scene();
    let height = node.chain().height();
    let tip = get(&mut client, &mut node, ask::HeadersSubscribe);
    assert_eq!((tip.height, tip.header.block_hash()), (height, node.chain().tip()));
    let headers = get(&mut client, &mut node, ask::Headers { start_height: 0, count: 10_000 });
    assert_eq!((headers.count, headers.max), (height as usize + 1, 2_016));
    for pair in headers.headers.windows(2) {
        assert_eq!(pair[1].prev_blockhash, pair[0].block_hash());
        pair[1].validate_pow(pair[1].target()).expect("each header has its work");
    }
    let proven = get(&mut client, &mut node, ask::HeaderWithProof { height: 1, cp_height: 9 });
    let many = get(&mut client, &mut node, ask::HeadersWithCheckpoint { start_height: 0, count: 2, cp_height: 9 });
    assert_eq!((proven.root, proven.branch), (many.root, many.branch));
}

#[test]
fn the_client_broadcasts_and_reads_the_refusal() {
    let (mut client, (mut node, coins)) = (Client::new(), funded(1));
    let payment = pay(coins[0], &[90_000]);
    assert_eq!(get(&mut client, &mut node, ask::BroadcastTx(payment.clone())), payment.compute_txid());
    let refused = send(&mut client, &mut node, ask::BroadcastTx(pay(coins[0], &[90_001]))).unwrap_err();
    assert!(refused["message"].as_str().unwrap().starts_with("insufficient fee"), "{refused}");
}

#[test]
fn the_client_reads_notifications() {
    let (mut client, (mut node, coins)) = (Client::new(), funded(1));
    get(&mut client, &mut node, ask::HeadersSubscribe);
    get(&mut client, &mut node, ask::ScriptHashSubscribe::from_script(spendable_script(ALICE)));
    node.broadcast(NOW, pay(coins[0], &[90_000])).unwrap();
    node.mine(NOW, 1);
    let lines = client.server.notifications(&mut client.session, &node).join("\n") + "\n";
    let told: Vec<Notification> = ReadStreamer::new(BufReader::new(lines.as_bytes()))
        .map(|message| match message.expect("the client can read it") {
            RawNotificationOrResponse::Notification(raw) => Notification::new(&raw).expect("it is known"),
            RawNotificationOrResponse::Response(response) => panic!("not a notification: {response:?}"),
        })
        .collect();
    let [Notification::ScriptHash(script), Notification::Header(header)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(script.script_hash(), ElectrumScriptHash::new(spendable_script(ALICE)));
    assert!(script.script_status().is_some());
    assert_eq!((header.height(), header.header().block_hash()), (node.chain().height(), node.chain().tip()));
}

#[test]
fn the_client_reads_what_the_server_says_of_itself_and_of_fees() {
    let (mut client, mut node, _) = scene();
    let features = get(&mut client, &mut node, ask::Features);
    assert_eq!(features.genesis_hash, node.chain().block_hash(0).unwrap());
    assert_eq!(features.protocol_max, "1.4");
    assert!(!get(&mut client, &mut node, ask::Banner).is_empty());
    get(&mut client, &mut node, ask::Ping);
    assert_eq!(get(&mut client, &mut node, ask::RelayFee).fee, Amount::from_sat(100));
    let estimate = get(&mut client, &mut node, ask::EstimateFee { number: 2 }).fee_rate;
    assert_eq!(estimate, Some(FeeRate::from_sat_per_kwu(25)));
    assert!(!get(&mut client, &mut node, ask::GetFeeHistogram).is_empty());
    node.mine(NOW, 1);
    assert_eq!(get(&mut client, &mut node, ask::EstimateFee { number: 2 }).fee_rate, None);
}
