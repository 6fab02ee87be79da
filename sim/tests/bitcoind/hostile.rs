//! What is made of anything else that listens at the port.

use std::collections::BTreeSet;
use std::time::Duration;

use bitcoin::consensus::encode::serialize_hex;
use darkswap_node::bitcoind::{Client, MAX_SHORT, REQUEST, RpcError, Tip};
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::scene::{Scene, Then, response, run};

/// The first answer of an impostor to the question for the tip.
fn tip(words: Vec<u8>, then: Then) -> Result<Tip, RpcError> {
    run(move |scene| async move {
        // An old connection is not to blame, so a question is asked once.
        let client = scene.client_of_impostor(vec![(words, then)]);
        let start = Instant::now();
        let answer = client.tip().await;
        assert!(start.elapsed() <= REQUEST);
        answer
    })
}

#[test]
fn what_is_no_answer_is_named() {
    let refusal = |code: i64, message: &str| json!({"result": null, "error": {"code": code, "message": message}});
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"220 mail.example ESMTP\r\n".to_vec(), "HTTP"),
        (b"\0\xff\x16\x03\x01".to_vec(), "HTTP"),
        (response("200 OK", "<html>"), "JSON-RPC"),
        (response("200 OK", ""), "JSON-RPC"),
        (response("200 OK", "{}"), "neither result nor error"),
        (response("200 OK", &"[".repeat(10_000)), "JSON-RPC"),
        (response("200 OK", "{\"result\":{\"chain\":\"regtest\",\"blocks\":-1}}"), "-1"),
        (response("500 Internal Server Error", ""), "an error of HTTP"),
        (response("302 Found", ""), "status 302"),
        (response("403 Forbidden", ""), "rpcallowip"),
        (response("401 Unauthorized", ""), "the password of darkswap"),
        (response("503 Service Unavailable", "Work queue depth exceeded"), "rpcworkqueue"),
        (response("500 Internal Server Error", &refusal(-28, "Loading block index").to_string()), "starting (Loading"),
        (response("200 OK", &refusal(-32, "Broken").to_string()), "refused getblockchaininfo with code -32: Broken"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{".to_vec(), "cannot be reached"),
        (b"HTTP/1.1 200 OK\r\nContent-Le".to_vec(), "cannot be reached"),
        (Vec::new(), "cannot be reached"),
    ];
    for (words, expected) in cases {
        let case = String::from_utf8_lossy(&words[..words.len().min(60)]).into_owned();
        let error = tip(words, Then::Close).unwrap_err().to_string();
        assert!(error.contains(expected), "{case:?}: found `{error}`, expected `{expected}`");
        assert!(error.len() < 1_000, "{error}");
    }
}

#[test]
fn answers_beyond_their_bound_are_not_read() {
    let announced = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", MAX_SHORT + 1).into_bytes();
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", " ".repeat(MAX_SHORT + 1)).into_bytes();
    let chunk = format!("8000\r\n{}\r\n", "x".repeat(0x8000));
    let chunked = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}", chunk.repeat(3)).into_bytes();
    for words in [announced, endless, chunked] {
        let expected = Err(RpcError::TooLarge { method: "getblockchaininfo", limit: MAX_SHORT });
        assert_eq!(tip(words, Then::Hold), expected);
    }
    let heads = format!("HTTP/1.1 200 OK\r\n{}", "a: b\r\n".repeat(200_000)).into_bytes();
    let error = tip(heads, Then::Hold).unwrap_err();
    assert!(matches!(error, RpcError::Malformed { .. }), "{error:?}");
}

#[test]
fn whoever_is_slow_or_silent_is_not_waited_for_beyond_the_limit() {
    let begun = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n".to_vec();
    let cases = [
        (Vec::new(), Then::Hold),
        (b"HTTP/1.1 ".to_vec(), Then::Hold),
        (begun.clone(), Then::Hold),
        (begun, Then::Trickle),
        (b"HTTP/1.1 200 OK\r\na: ".to_vec(), Then::Trickle),
    ];
    for (words, then) in cases {
        let expected = Err(RpcError::Timeout { method: "getblockchaininfo", after: REQUEST });
        assert_eq!(tip(words, then), expected);
    }
}

#[test]
fn after_a_bad_answer_the_next_question_is_asked_over_a_new_connection() {
    run(|scene| async move {
        let good = response("200 OK", &json!({"result": "00".repeat(32), "error": null, "id": 0}).to_string());
        let client = scene.client_of_impostor(vec![
            (b"nonsense\r\n\r\n".to_vec(), Then::Hold),
            (Vec::new(), Then::Hold),
            (Vec::new(), Then::Hold),
            (good, Then::Repeat),
        ]);
        assert!(matches!(client.tip().await, Err(RpcError::Malformed { .. })));
        assert!(matches!(client.tip().await, Err(RpcError::Timeout { .. })));
        let given_up = timeout(Duration::from_secs(1), client.block_hash(1)).await;
        assert!(given_up.is_err(), "whoever asked gives up");
        for _ in 0..3 {
            assert!(client.block_hash(1).await.unwrap().is_some());
        }
    });
}

#[test]
fn a_block_that_is_another_one_is_not_taken() {
    run(|scene| async move {
        let (asked, other) = scene.chain(|node, _| {
            let block = |height| node.chain().block(height).cloned().unwrap();
            (block(node.chain().height()), block(1))
        });
        let mut poorer = (*asked).clone();
        poorer.txdata.pop();
        let mut unwitnessed = (*asked).clone();
        let input = unwitnessed.txdata.iter_mut().flat_map(|transaction| &mut transaction.input).last().unwrap();
        input.witness.push([1]);
        let hash = asked.block_hash();
        let cases = [
            (serialize_hex(&*other), "the block that was asked for"),
            (serialize_hex(&poorer), "merkle root"),
            (serialize_hex(&unwitnessed), "BIP 141"),
            (serialize_hex(&*asked)[..200].to_owned(), "a block in hexadecimal"),
            (format!("{}00", serialize_hex(&*asked)), "a block in hexadecimal"),
            ("zz".to_owned(), "a block in hexadecimal"),
        ];
        let answers = cases.iter().map(|(hex, _)| response("200 OK", &json!({"result": hex}).to_string()));
        let client = scene.client_of_impostor(answers.map(|words| (words, Then::Close)).collect());
        for (_, expected) in cases {
            let error = client.block(hash).await.unwrap_err();
            let RpcError::Malformed { expected: found, .. } = error else { panic!("{error:?}") };
            assert!(found.contains(expected), "{found}");
        }
    });
}

#[test]
fn a_deleted_block_is_told_apart_from_other_refusals() {
    run(|scene| async move {
        let hash = scene.chain(|node, _| node.chain().tip());
        let refusal = |message: &str| {
            let body = json!({"result": null, "error": {"code": -1, "message": message}, "id": 0});
            (response("500 Internal Server Error", &body.to_string()), Then::Close)
        };
        let client: Client = scene.client_of_impostor(vec![
            refusal("Block not available (pruned data)"),
            refusal("Block not available (pruned data)"),
            refusal("Block not available (not fully downloaded)"),
        ]);
        assert_eq!(client.block(hash).await, Err(RpcError::Pruned { hash }));
        let wanted = BTreeSet::from([scene.coin]);
        assert_eq!(client.previous_outputs(hash, &wanted).await, Err(RpcError::Pruned { hash }));
        assert!(matches!(client.block(hash).await, Err(RpcError::Refused { code: -1, .. })));
    });
}

#[test]
fn an_outputs_story_has_to_be_complete() {
    run(|scene: Scene| async move {
        let hash = scene.chain(|node, _| node.chain().tip());
        let coin = scene.coin;
        let told = |hash: String, input: serde_json::Value| {
            let body = json!({"result": {"hash": hash, "tx": [{"vin": [{"coinbase": "00"}]}, {"vin": [input]}]}});
            (response("200 OK", &body.to_string()), Then::Close)
        };
        let prevout = json!({"height": 3, "scriptPubKey": {"hex": "51", "asm": "1"}, "value": 0.1});
        let input = |prevout: serde_json::Value| json!({"txid": coin.txid, "vout": coin.vout, "prevout": prevout});
        let client = scene.client_of_impostor(vec![
            told(hash.to_string(), input(prevout.clone())),
            told("00".repeat(32), input(prevout)),
            // As bitcoind before version 23.
            told(hash.to_string(), json!({"txid": coin.txid, "vout": coin.vout})),
            told(hash.to_string(), input(json!({"height": -1, "scriptPubKey": {"hex": "51"}}))),
            told(hash.to_string(), input(json!({"height": 3, "scriptPubKey": {"hex": "5"}}))),
            told(hash.to_string(), json!([])),
        ]);
        let wanted = BTreeSet::from([coin]);
        let spent = client.previous_outputs(hash, &wanted).await.unwrap();
        assert_eq!((spent[&coin].height, spent[&coin].script_pubkey.to_bytes()), (3, vec![0x51]));
        for _ in 0..5 {
            let error = client.previous_outputs(hash, &wanted).await.unwrap_err();
            assert!(matches!(error, RpcError::Malformed { .. }), "{error:?}");
        }
    });
}
