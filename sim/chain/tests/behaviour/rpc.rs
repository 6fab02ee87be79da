//! The JSON-RPC of `bitcoind`.

use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::{Block, Transaction};
use darkswap_chain::{FullNode, Reorg, Rpc};
use serde_json::{Value, json};

use crate::common::{NOW, funded, node, pay};

fn answer(rpc: &mut Rpc, node: &mut FullNode, request: &Value) -> Value {
    let answer = rpc.answer(node, NOW, request.to_string().as_bytes()).expect("the node is up");
    serde_json::from_str(&answer).expect("answers are JSON")
}

fn ask(node: &mut FullNode, method: &str, params: Value) -> Result<Value, Value> {
    let request = json!({"jsonrpc": "1.0", "id": "a", "method": method, "params": params});
    let mut answer = answer(&mut Rpc::default(), node, &request);
    assert_eq!(answer["id"], "a");
    if answer["error"].is_null() { Ok(answer["result"].take()) } else { Err(answer["error"].take()) }
}

#[test]
fn an_index_can_walk_through_all_blocks() {
    let (mut node, coins) = funded(1);
    node.broadcast(NOW, pay(coins[0], &[90_000])).unwrap();
    node.mine(NOW, 1);
    let count = ask(&mut node, "getblockcount", json!([])).unwrap().as_u64().unwrap();
    let mut previous = None;
    for height in 0..=count {
        let hash = ask(&mut node, "getblockhash", json!([height])).unwrap();
        let block: Block =
            deserialize_hex(ask(&mut node, "getblock", json!([hash, 0])).unwrap().as_str().unwrap()).unwrap();
        assert_eq!(block.block_hash().to_string(), hash.as_str().unwrap());
        assert!(previous.is_none_or(|previous| previous == block.header.prev_blockhash));
        previous = Some(block.block_hash());
    }
    let best = ask(&mut node, "getbestblockhash", json!([])).unwrap();
    assert_eq!(best, previous.unwrap().to_string());
    let chain = ask(&mut node, "getblockchaininfo", json!([])).unwrap();
    assert_eq!((&chain["chain"], &chain["blocks"], &chain["bestblockhash"]), (&json!("regtest"), &json!(count), &best));
}

#[test]
fn transactions_are_sent_and_read() {
    let (mut node, coins) = funded(1);
    let payment = pay(coins[0], &[90_000]);
    let hex = serialize_hex(&payment);
    let txid = ask(&mut node, "sendrawtransaction", json!([hex])).unwrap();
    assert_eq!(ask(&mut node, "getrawmempool", json!([])), Ok(json!([txid])));
    assert_eq!(ask(&mut node, "getrawtransaction", json!([txid])), Ok(json!(hex)));
    assert!(ask(&mut node, "getrawtransaction", json!([txid, true])).unwrap().get("blockhash").is_none());
    node.mine(NOW, 1);
    let verbose = ask(&mut node, "getrawtransaction", json!([txid, 1])).unwrap();
    assert_eq!((&verbose["confirmations"], &verbose["hex"]), (&json!(1), &json!(hex)));
    let read: Transaction = deserialize_hex(verbose["hex"].as_str().unwrap()).unwrap();
    assert_eq!(read, payment);
}

#[test]
fn errors_carry_the_codes_of_bitcoind() {
    let (mut node, coins) = funded(1);
    let zeros = "00".repeat(32);
    let mut code = |method, params| ask(&mut node, method, params).unwrap_err()["code"].clone();
    assert_eq!(code("nothing", json!([])), -32601);
    assert_eq!(code("getblockhash", json!([100_000])), -8);
    assert_eq!(code("getblockhash", json!([-1])), -8);
    assert_eq!(code("getblockhash", json!(["x"])), -1);
    assert_eq!(code("getblock", json!(["xyz"])), -8);
    assert_eq!(code("getblock", json!([zeros])), -5);
    assert_eq!(code("getrawtransaction", json!([zeros])), -5);
    assert_eq!(code("sendrawtransaction", json!(["00"])), -22);
    let send = |transaction: Transaction| json!([serialize_hex(&transaction)]);
    assert_eq!(code("sendrawtransaction", send(pay(coins[0], &[100_000]))), -26);
    let missing = pay(bitcoin::OutPoint::new(coins[0].txid, 77), &[90_000]);
    assert_eq!(code("sendrawtransaction", send(missing)), -25);
    let payment = pay(coins[0], &[90_000]);
    node.mine_exactly(NOW, vec![payment.clone()]).unwrap();
    assert_eq!(ask(&mut node, "sendrawtransaction", send(payment)).unwrap_err()["code"], -27);
}

#[test]
fn both_versions_and_batches_are_answered_in_their_form() {
    let (mut rpc, mut node) = (Rpc::default(), node());
    let call = |version: &str| json!({"jsonrpc": version, "id": 1, "method": "getblockcount"});
    assert_eq!(answer(&mut rpc, &mut node, &call("1.0")), json!({"result": 0, "error": null, "id": 1}));
    assert_eq!(answer(&mut rpc, &mut node, &call("2.0")), json!({"jsonrpc": "2.0", "result": 0, "id": 1}));
    assert_eq!(answer(&mut rpc, &mut node, &json!([call("1.0"), call("2.0")])).as_array().unwrap().len(), 2);
    let broken = rpc.answer(&mut node, NOW, b"{").unwrap();
    assert!(broken.contains("-32700"), "{broken}");
}

#[test]
fn a_block_in_json_tells_what_it_spends_also_after_a_reorg() {
    let (mut node, coins) = funded(1);
    let created = node.chain().transaction(&coins[0].txid).unwrap();
    let (script, height) = (created.transaction.output[coins[0].vout as usize].script_pubkey.clone(), created.height);
    node.broadcast(NOW, pay(coins[0], &[90_000])).unwrap();
    node.mine(NOW, 1);
    let hash = node.chain().tip().to_string();
    let expected = json!({
        "generated": false, "height": height, "value": 0.001, "scriptPubKey": {"hex": script.to_hex_string()},
    });
    let verbose = |node: &mut FullNode, level: u8| ask(node, "getblock", json!([hash, level])).unwrap();
    for reorganised in [false, true] {
        if reorganised {
            node.reorg(NOW, Reorg { depth: 1, length: 2, ..Reorg::default() }).unwrap();
        }
        let transactions = verbose(&mut node, 3)["tx"].take();
        assert!(transactions[0]["vin"][0].get("prevout").is_none(), "a coinbase spends nothing");
        let input = &transactions[1]["vin"][0];
        assert_eq!((&input["txid"], &input["vout"]), (&json!(coins[0].txid), &json!(coins[0].vout)));
        assert_eq!((&input["prevout"], &transactions[1]["fee"]), (&expected, &json!(0.0001)));
        assert!(verbose(&mut node, 2)["tx"][1]["vin"][0].get("prevout").is_none());
    }
}

#[test]
fn a_batch_of_blocks_does_not_grow_without_bound() {
    let (mut node, coins) = funded(10);
    let heavy = |coin: &bitcoin::OutPoint| {
        let mut payment = pay(*coin, &[90_000]);
        let data = bitcoin::script::PushBytesBuf::try_from(vec![7; 90_000]).unwrap();
        payment.output[0].script_pubkey = bitcoin::ScriptBuf::new_op_return(data);
        payment
    };
    node.mine_exactly(NOW, coins.iter().map(heavy).collect()).unwrap();
    let call = json!({"id": 1, "method": "getblock", "params": [node.chain().tip().to_string(), 0]});
    let answers = answer(&mut Rpc::default(), &mut node, &json!(vec![call; 24]));
    assert!(answers[0]["error"].is_null());
    assert_eq!(answers[23]["error"]["message"], "response too large");
}

#[test]
fn a_reorganised_block_can_still_be_read_and_says_so() {
    let mut node = node();
    node.mine(NOW, 2);
    let stale = node.chain().tip().to_string();
    node.reorg(NOW, Reorg { depth: 1, length: 2, ..Reorg::default() }).unwrap();
    assert_eq!(ask(&mut node, "getblock", json!([stale, 1])).unwrap()["confirmations"], -1);
    assert_eq!(ask(&mut node, "getblockheader", json!([stale])).unwrap()["confirmations"], -1);
    let below = node.chain().block_hash(1).unwrap().to_string();
    assert_eq!(ask(&mut node, "getblockheader", json!([below])).unwrap()["confirmations"], 3);
}

#[test]
fn a_lagging_node_has_not_seen_the_last_blocks() {
    let (mut rpc, mut node) = (Rpc::default(), node());
    node.mine(NOW, 5);
    rpc.faults_mut().lag(2);
    let call = |method: &str, params: Value| json!({"id": 1, "method": method, "params": params});
    assert_eq!(answer(&mut rpc, &mut node, &call("getblockcount", json!([])))["result"], 3);
    assert_eq!(answer(&mut rpc, &mut node, &call("getblockhash", json!([4])))["error"]["code"], -8);
    let tip = node.chain().tip().to_string();
    assert_eq!(answer(&mut rpc, &mut node, &call("getblock", json!([tip])))["error"]["code"], -5);
    assert_eq!(rpc.faults().touched().lagging, 3);
    rpc.faults_mut().take_down();
    assert_eq!(rpc.answer(&mut node, NOW, b"{}"), None);
}
