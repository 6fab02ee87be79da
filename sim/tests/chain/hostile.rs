//! Servers that lag, lie, babble or keep silent.

use std::sync::Arc;
use std::time::Duration;

use bitcoin::Txid;
use bitcoin::block::Header;
use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::hashes::Hash as _;
use darkswap_chain::{Server, spendable_script};
use darkswap_node::chain::{ChainEvent, ChainSettings, HeaderFault, Misbehaviour, NoAssetIndex};
use darkswap_trade::swap::{Spend, Status};
use darkswap_trader::chain::{ChainInput, ChainRequest};

use crate::world::{ALICE, BOB, Client, NOW, Peer, World, address, pay};

/// Whether it is the misbehaviour that a case is about.
type Expected = fn(&Misbehaviour) -> bool;

/// What the first report of misbehaviour says, and of whom.
async fn misbehaviour(client: &mut Client) -> (Misbehaviour, u16) {
    match client.event(|event| matches!(event, ChainEvent::Misbehaved { .. })).await {
        ChainEvent::Misbehaved { server, misbehaviour, times, .. } => {
            assert_eq!(times, 1);
            let index = (0..4).find(|index| address(*index) == server).expect("it is one of ours");
            (misbehaviour, index)
        }
        _ => unreachable!("only misbehaviour was waited for"),
    }
}

async fn up(client: &mut Client) -> String {
    client
        .until(|input| match input {
            ChainInput::Up { server } => Some(server),
            _ => None,
        })
        .await
}

#[tokio::test(start_paused = true)]
async fn babblers_are_named_and_the_next_server_is_asked() {
    let cases: [(&[u8], Expected); 4] = [
        (&[b'a'; 1 << 16], |found| *found == Misbehaviour::Line),
        (b"nonsense\n", |found| matches!(found, Misbehaviour::Message(_))),
        (b"{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":null}\n", |found| *found == Misbehaviour::Unasked(9)),
        (b"{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":[\"x\",\"2.0\"]}\n", |found| {
            matches!(found, Misbehaviour::Answer { .. } | Misbehaviour::Unasked(0))
        }),
    ];
    for (words, expected) in cases {
        let world = World::with(vec![Peer::Babbler(words.to_vec()), Peer::Server(Server::default())]);
        let mut client = world.client();
        assert_eq!(up(&mut client).await, address(1).to_string());
        let (found, server) = misbehaviour(&mut client).await;
        assert!(expected(&found), "{found:?}");
        assert_eq!(server, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_notifications_is_refused() {
    let script = "ab".repeat(32);
    let words = format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"blockchain.scripthash.subscribe\",\"params\":[\"{script}\",null]}}\n"
    );
    let world = World::with(vec![Peer::Babbler(words.into_bytes()), Peer::Server(Server::default())]);
    let mut client = world.client();
    assert_eq!(up(&mut client).await, address(1).to_string());
    assert_eq!(misbehaviour(&mut client).await, (Misbehaviour::Flood, 0));
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_left_for_the_next_and_asked_again_later() {
    let world = World::new(2);
    world.server(0, |server| server.faults_mut().take_down());
    let mut client = world.client();
    assert_eq!(up(&mut client).await, address(1).to_string());
    world.server(0, |server| server.faults_mut().bring_up());
    world.peer(1, |peer| *peer = Peer::Nobody);
    let event = client.event(|event| matches!(event, ChainEvent::Connected { server } if *server == address(0))).await;
    assert_eq!(event, ChainEvent::Connected { server: address(0) });
}

#[tokio::test(start_paused = true)]
async fn an_invented_confirmation_is_not_believed() {
    let world = World::new(2);
    let coins = world.fund(1);
    let payment = pay(coins[0], spendable_script(BOB), 90_000);
    let txid = world.chain(|node| node.broadcast(NOW, payment)).unwrap();
    let height = world.chain(|node| node.chain().height());
    world.server(0, |server| server.faults_mut().invent_confirmation(txid, height));
    let mut client = world.client();
    let spends = vec![Spend { outpoint: coins[0], script: spendable_script(ALICE) }];
    client.ask(ChainRequest::Watch { txid, spends });
    let status = client.until(|input| match input {
        ChainInput::Seen { status, .. } => Some(status),
        _ => None,
    });
    assert_eq!(status.await, Status::InMempool, "the second server says what is true");
    assert_eq!(misbehaviour(&mut client).await, (Misbehaviour::Proof { txid, height }, 0));
    assert!(world.server(0, |server| server.faults().touched().proofs) > 0);
}

#[tokio::test(start_paused = true)]
async fn a_forged_proof_does_not_reach_the_coins() {
    let world = World::new(1);
    let coins = world.fund(1);
    world.server(0, |server| server.faults_mut().forge_proof(coins[0].txid));
    let mut client = world.client();
    client.ask(ChainRequest::Coins { request: 2, outpoints: coins });
    let reason = client.until(|input| match input {
        ChainInput::CoinsUnknown { request: 2, reason } => Some(reason),
        _ => None,
    });
    let reason = reason.await;
    assert!(reason.contains("does not lead to the block"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_lagging_server_is_left_once_another_one_shows_more_work() {
    let world = World::new(2);
    world.fund(1);
    world.server(0, |server| server.faults_mut().lag(5));
    let settings = ChainSettings { second_opinion: Duration::from_secs(120), ..world.settings() };
    let mut client = world.client_with(settings, Arc::new(NoAssetIndex));
    let height = world.chain(|node| node.chain().height());
    client.tip(height - 5).await;
    client.tip(height).await;
    let lagging = Misbehaviour::Lagging { found: height - 5, known: height };
    assert_eq!(misbehaviour(&mut client).await, (lagging, 0));
}

#[tokio::test(start_paused = true)]
async fn a_server_of_another_chain_is_refused_at_the_checkpoint() {
    let world = World::new(1);
    world.fund(1);
    let hash = "22".repeat(32).parse().unwrap();
    let checkpoint = darkswap_wallet::bdk_chain::BlockId { height: 3, hash };
    let settings = ChainSettings { checkpoint, ..world.settings() };
    let mut client = world.client_with(settings, Arc::new(NoAssetIndex));
    let reason = client.until(|input| match input {
        ChainInput::Down { reason } => Some(reason),
        _ => None,
    });
    assert!(reason.await.contains("another chain"));
    assert_eq!(misbehaviour(&mut client).await, (Misbehaviour::Checkpoint { height: 3, expected: hash }, 0));
}

/// Broadcasts a payment by the first server, which keeps it to itself.
fn swallowed(world: &World) -> (Client, Txid) {
    let coins = world.fund(1);
    world.server(0, |server| server.faults_mut().swallow_broadcasts());
    let payment = pay(coins[0], spendable_script(BOB), 90_000);
    let txid = payment.compute_txid();
    let mut client = world.client();
    // It does not show what is only in the mempool of others, as they share one here.
    world.server(0, |server| server.faults_mut().hide(txid));
    client.ask(ChainRequest::Broadcast(payment));
    (client, txid)
}

#[tokio::test(start_paused = true)]
async fn a_swallowed_broadcast_goes_out_by_another_server_and_is_reported() {
    let world = World::new(2);
    let (mut client, txid) = swallowed(&world);
    assert_eq!(misbehaviour(&mut client).await, (Misbehaviour::Swallowed(txid), 0));
    assert!(world.chain(|node| node.mempool().entry(&txid).is_some()));
}

#[tokio::test(start_paused = true)]
async fn so_is_one_that_a_server_says_to_have_had_before() {
    /// A broadcast's answer is nothing but the transaction's id.
    fn deny(answer: String) -> String {
        let Ok(value) = serde_json::from_str::<serde_json::Value>(&answer) else { return answer };
        if value["result"].as_str().is_none_or(|text| text.len() != 64) {
            return answer;
        }
        let error = serde_json::json!({"code": 1, "message": "txn-already-in-mempool"});
        serde_json::json!({"jsonrpc": "2.0", "id": value["id"], "error": error}).to_string()
    }
    let world = World::with(vec![Peer::Liar(Server::default(), deny), Peer::Server(Server::default())]);
    let (mut client, txid) = swallowed(&world);
    client.until(|input| matches!(input, ChainInput::Broadcast { outcome: Ok(()), .. }).then_some(())).await;
    assert_eq!(misbehaviour(&mut client).await, (Misbehaviour::Swallowed(txid), 0));
    assert!(world.chain(|node| node.mempool().entry(&txid).is_some()));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_tells_of_a_tip_all_the_time_keeps_nothing_waiting() {
    /// Before each answer it says that there is another tip.
    fn insist(answer: String) -> String {
        let header = serialize_hex(&bitcoin::constants::genesis_block(bitcoin::Network::Regtest).header);
        let params = serde_json::json!([{"height": 0, "hex": header}]);
        let notice = serde_json::json!({"jsonrpc": "2.0", "method": "blockchain.headers.subscribe", "params": params});
        format!("{notice}\n{answer}")
    }
    let world = World::with(vec![Peer::Liar(Server::default(), insist), Peer::Server(Server::default())]);
    let (mut client, txid) = swallowed(&world);
    client.until(|input| matches!(input, ChainInput::Broadcast { outcome: Ok(()), .. }).then_some(())).await;
    // And the other server is still asked what it says.
    assert_eq!(misbehaviour(&mut client).await, (Misbehaviour::Swallowed(txid), 0));
}

#[tokio::test(start_paused = true)]
async fn a_second_server_that_takes_long_keeps_the_first_one_waiting_for_a_minute_at_most() {
    let slow = Peer::Slow(Server::default(), Duration::from_secs(29));
    let world = World::with(vec![Peer::Server(Server::default()), slow]);
    let mut payments = world.fund(11).into_iter().map(|coin| pay(coin, spendable_script(BOB), 90_000));
    let mut client = world.client();
    for payment in payments.by_ref().take(10) {
        client.ask(ChainRequest::Broadcast(payment));
        client.until(|input| matches!(input, ChainInput::Broadcast { .. }).then_some(())).await;
    }
    // By now the second one is asked whether it has them.
    tokio::time::sleep(Duration::from_secs(25)).await;
    let asked = tokio::time::Instant::now();
    client.ask(ChainRequest::Broadcast(payments.next().expect("there is one more")));
    client.until(|input| matches!(input, ChainInput::Broadcast { .. }).then_some(())).await;
    assert!(asked.elapsed() <= Duration::from_secs(60), "{:?}", asked.elapsed());
    let left = client.event(|event| matches!(event, ChainEvent::Left { .. })).await;
    assert_eq!(*left.server(), address(1));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_header_is_named_with_its_height() {
    let world = World::with(vec![Peer::Liar(Server::default(), spoil_header), Peer::Server(Server::default())]);
    world.fund(1);
    let mut client = world.client();
    assert_eq!(up(&mut client).await, address(1).to_string());
    let (found, server) = misbehaviour(&mut client).await;
    assert!(matches!(found, Misbehaviour::Header { .. }), "{found:?}");
    assert_eq!(server, 0);
}

/// Changes the merkle root of the tenth header of many: neither its work nor its link to the next one remains.
fn spoil_header(answer: String) -> String {
    let Ok(mut value) = serde_json::from_str::<serde_json::Value>(&answer) else { return answer };
    let headers = value["result"]["hex"].as_str().filter(|hex| hex.len() > 20 * 160).map(str::to_owned);
    let Some(mut headers) = headers else { return answer };
    let place = 10 * 160 + 80;
    let digit = if &headers[place..=place] == "0" { "1" } else { "0" };
    headers.replace_range(place..=place, digit);
    value["result"]["hex"] = headers.into();
    value.to_string()
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_is_another_one_is_not_taken() {
    fn swap(answer: String) -> String {
        // A transaction begins with its version, 2.
        answer.replacen("\"result\":\"0200000000", "\"result\":\"0300000000", 1)
    }
    let world = World::with(vec![Peer::Liar(Server::default(), swap), Peer::Server(Server::default())]);
    let coins = world.fund(1);
    let mut client = world.client();
    client.ask(ChainRequest::Coins { request: 2, outpoints: coins.clone() });
    client.until(|input| matches!(input, ChainInput::CoinsUnknown { .. }).then_some(())).await;
    let (found, server) = misbehaviour(&mut client).await;
    assert!(matches!(found, Misbehaviour::Transaction { asked, .. } if asked == coins[0].txid), "{found:?}");
    assert_eq!(server, 0);
}

/// Changes the last header of an answer, and does again the work that a header of regtest needs.
fn change_last_header(answer: String, change: fn(&mut Header)) -> String {
    let Ok(mut value) = serde_json::from_str::<serde_json::Value>(&answer) else { return answer };
    // In a notification it is a parameter.
    let at = if value.pointer("/result/hex").is_some() { "/result/hex" } else { "/params/0/hex" };
    let Some(place) = value.pointer_mut(at) else { return answer };
    let Some(text) = place.as_str().filter(|text| text.len() >= 160) else { return answer };
    let (before, last) = text.split_at(text.len() - 160);
    let Ok(mut header) = deserialize_hex::<Header>(last) else { return answer };
    change(&mut header);
    while !header.target().is_met_by(header.block_hash()) {
        header.nonce = header.nonce.wrapping_add(1);
    }
    *place = format!("{before}{}", serialize_hex(&header)).into();
    value.to_string()
}

#[tokio::test(start_paused = true)]
async fn a_chain_of_another_difficulty_or_of_the_past_is_named() {
    type Lie = fn(String) -> String;
    let cases: [(Lie, HeaderFault); 3] = [
        (
            |answer| {
                change_last_header(answer, |header| header.bits = bitcoin::CompactTarget::from_consensus(0x2000_ffff))
            },
            HeaderFault::Difficulty,
        ),
        (|answer| change_last_header(answer, |header| header.time = 1), HeaderFault::Time),
        (
            |answer| change_last_header(answer, |header| header.prev_blockhash = bitcoin::BlockHash::all_zeros()),
            HeaderFault::Link,
        ),
    ];
    for (lie, expected) in cases {
        let world = World::with(vec![Peer::Liar(Server::default(), lie), Peer::Server(Server::default())]);
        world.fund(1);
        let height = world.chain(|node| node.chain().height());
        let mut client = world.client();
        assert_eq!(up(&mut client).await, address(1).to_string());
        let found = misbehaviour(&mut client).await;
        assert_eq!(found, (Misbehaviour::Header { height, fault: expected }, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_tip_beside_the_chain_is_left_and_the_chain_stays() {
    let beside = |answer| change_last_header(answer, |header| header.nonce = header.nonce.wrapping_add(1));
    let world = World::with(vec![Peer::Server(Server::default()), Peer::Liar(Server::default(), beside)]);
    world.fund(1);
    let settings = ChainSettings { second_opinion: Duration::from_secs(60), ..world.settings() };
    let mut client = world.client_with(settings, Arc::new(NoAssetIndex));
    let height = world.chain(|node| node.chain().height());
    client.tip(height).await;
    let (found, server) = misbehaviour(&mut client).await;
    assert!(matches!(found, Misbehaviour::OtherChain { height: at, .. } if at == height), "{found:?}");
    assert_eq!(server, 1);
    client.never(|input| matches!(input, ChainInput::Tip { .. } | ChainInput::Down { .. })).await;
}

#[tokio::test(start_paused = true)]
async fn a_history_of_more_than_anybody_has_is_refused() {
    fn endless(answer: String) -> String {
        let Ok(mut value) = serde_json::from_str::<serde_json::Value>(&answer) else { return answer };
        if value["result"][0]["tx_hash"].is_null() {
            return answer;
        }
        let one = serde_json::json!({"tx_hash": "33".repeat(32), "height": 1});
        value["result"] = vec![one; 50_001].into();
        value.to_string()
    }
    let world = World::with(vec![Peer::Liar(Server::default(), endless), Peer::Server(Server::default())]);
    let coins = world.fund(1);
    let payment = pay(coins[0], spendable_script(BOB), 90_000);
    let mut client = world.client();
    let spends = vec![Spend { outpoint: coins[0], script: spendable_script(ALICE) }];
    client.ask(ChainRequest::Watch { txid: payment.compute_txid(), spends });
    client.until(|input| matches!(input, ChainInput::Seen { status: Status::Absent, .. }).then_some(())).await;
    let found = misbehaviour(&mut client).await;
    assert_eq!(found, (Misbehaviour::History { found: 50_001, limit: 50_000 }, 0));
}

#[tokio::test(start_paused = true)]
async fn a_server_of_another_protocol_version_is_named() {
    fn old(answer: String) -> String {
        answer.replace("\"1.4\"", "\"1.2\"")
    }
    let world = World::with(vec![Peer::Liar(Server::default(), old), Peer::Server(Server::default())]);
    let mut client = world.client();
    assert_eq!(up(&mut client).await, address(1).to_string());
    let (found, _) = misbehaviour(&mut client).await;
    assert!(matches!(&found, Misbehaviour::Answer { method, .. } if method == "server.version"), "{found:?}");
    assert!(found.to_string().contains("expected 1.4"), "{found}");
}

#[tokio::test(start_paused = true)]
async fn headers_beyond_what_was_asked_for_are_refused() {
    fn more(answer: String) -> String {
        let Ok(mut value) = serde_json::from_str::<serde_json::Value>(&answer) else { return answer };
        let headers = value["result"]["hex"].as_str().filter(|hex| hex.len() > 160).map(str::to_owned);
        let Some(headers) = headers else { return answer };
        value["result"]["hex"] = format!("{headers}{}", &headers[..160]).into();
        value["result"]["count"] = (headers.len() / 160 + 1).into();
        value.to_string()
    }
    let world = World::with(vec![Peer::Liar(Server::default(), more), Peer::Server(Server::default())]);
    world.fund(1);
    let mut client = world.client();
    assert_eq!(up(&mut client).await, address(1).to_string());
    let (found, _) = misbehaviour(&mut client).await;
    assert!(matches!(&found, Misbehaviour::Answer { method, .. } if method == "blockchain.block.headers"), "{found:?}");
}
