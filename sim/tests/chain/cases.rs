//! Honest servers, which come and go: wallets, watches, coins, broadcasts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::{Amount, Network, OutPoint, ScriptBuf, Transaction, Txid};
use darkswap_chain::{Reorg, Returned, spendable_script};
use darkswap_node::chain::{ChainEvent, ChainSettings, MAX_REQUESTS, Refused};
use darkswap_trade::asset::Asset;
use darkswap_trade::swap::{Spend, Status};
use darkswap_trader::chain::{ChainInput, ChainRequest};
use darkswap_wallet::bdk_chain::BlockId;
use darkswap_wallet::{Keychain, Seed, Wallet};

use crate::world::{ALICE, BOB, Client, NOW, Peer, SameAssets, World, address, pay};

fn wallet() -> Wallet {
    let seed = Seed::from_entropy(&[5; 16]).expect("16 bytes make 12 words");
    Wallet::create(&seed, Network::Regtest).expect("regtest is supported")
}

fn script_of(wallet: &mut Wallet) -> ScriptBuf {
    wallet.address(Keychain::External).script_pubkey()
}

async fn sync(client: &mut Client, wallet: &mut Wallet, now: Duration) {
    client.ask(ChainRequest::Sync(wallet.sync_request(now)));
    let update = client.until(wallet_update).await;
    wallet.apply(update).expect("the update fits");
}

fn wallet_update(input: ChainInput) -> Option<darkswap_wallet::Update> {
    match input {
        ChainInput::Wallet(update) => Some(*update),
        _ => None,
    }
}

fn watch(transaction: &Transaction) -> ChainRequest {
    let spends = transaction
        .input
        .iter()
        .map(|input| Spend { outpoint: input.previous_output, script: spendable_script(ALICE) });
    ChainRequest::Watch { txid: transaction.compute_txid(), spends: spends.collect() }
}

async fn status(client: &mut Client, of: &Transaction) -> Status {
    let wanted = of.compute_txid();
    client
        .until(|input| match input {
            ChainInput::Seen { txid, status } if txid == wanted => Some(status),
            _ => None,
        })
        .await
}

async fn outcome(client: &mut Client, of: Txid) -> Result<(), String> {
    client
        .until(|input| match input {
            ChainInput::Broadcast { txid, outcome } if txid == of => Some(outcome),
            _ => None,
        })
        .await
}

fn height_in(wallet: &Wallet, txid: Txid) -> Option<Option<u32>> {
    wallet.transaction(txid).map(|transaction| transaction.height)
}

#[tokio::test(start_paused = true)]
async fn a_wallet_sees_a_payment_wait_confirm_and_move_to_another_block() {
    let (world, mut wallet) = (World::new(1), wallet());
    let coins = world.fund(1);
    let mut client = world.client();
    let payment = pay(coins[0], script_of(&mut wallet), 90_000);
    let txid = payment.compute_txid();
    sync(&mut client, &mut wallet, NOW).await;
    assert_eq!(height_in(&wallet, txid), None);

    world.chain(|node| node.broadcast(NOW, payment)).unwrap();
    client.until(|input| matches!(input, ChainInput::Stirred).then_some(())).await;
    sync(&mut client, &mut wallet, NOW).await;
    assert_eq!(height_in(&wallet, txid), Some(None));
    assert_eq!(wallet.transaction(txid).unwrap().fee, Some(Amount::from_sat(10_000)), "its parent came along");

    let mined = world.chain(|node| (node.mine(NOW, 3), node.chain().height())).1;
    client.tip(mined).await;
    sync(&mut client, &mut wallet, NOW).await;
    assert_eq!((height_in(&wallet, txid), wallet.height()), (Some(Some(mined - 2)), mined));

    world.chain(|node| node.reorg(NOW, Reorg { depth: 3, length: 4, ..Reorg::default() })).unwrap();
    client.tip(mined + 1).await;
    sync(&mut client, &mut wallet, NOW).await;
    assert_eq!(height_in(&wallet, txid), Some(None), "it waits again");
    world.chain(|node| node.mine(NOW, 1));
    client.tip(mined + 2).await;
    sync(&mut client, &mut wallet, NOW).await;
    assert_eq!(height_in(&wallet, txid), Some(Some(mined + 2)));
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_left_the_mempool_leaves_the_wallet() {
    let (world, mut wallet) = (World::new(1), wallet());
    let coins = world.fund(1);
    let mut client = world.client();
    let payment = pay(coins[0], script_of(&mut wallet), 90_000);
    let txid = world.chain(|node| node.broadcast(NOW, payment)).unwrap();
    sync(&mut client, &mut wallet, NOW).await;
    assert_eq!(height_in(&wallet, txid), Some(None));
    assert_eq!(world.chain(|node| node.evict(&[txid])), [txid]);
    client.until(|input| matches!(input, ChainInput::Stirred).then_some(())).await;
    sync(&mut client, &mut wallet, NOW + Duration::from_secs(1)).await;
    assert_eq!(height_in(&wallet, txid), None);
}

#[tokio::test(start_paused = true)]
async fn a_restored_wallet_finds_its_coins_behind_gaps() {
    let (world, mut before) = (World::new(1), wallet());
    let coins = world.fund(3);
    let scripts: Vec<ScriptBuf> = (0..18).map(|_| script_of(&mut before)).collect();
    for (coin, script) in coins.iter().zip([&scripts[0], &scripts[17]]) {
        world.chain(|node| node.broadcast(NOW, pay(*coin, script.clone(), 90_000))).unwrap();
    }
    world.chain(|node| node.mine(NOW, 1));
    let (mut client, mut restored) = (world.client(), wallet());
    client.ask(ChainRequest::Scan(restored.scan_request(NOW)));
    let update = client.until(wallet_update).await;
    assert_eq!(update.last_active_indices.get(&Keychain::External), Some(&17));
    restored.apply(update).unwrap();
    assert_eq!(restored.transactions().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_scan_begun_on_a_server_that_dies_is_answered_by_the_next() {
    let (world, mut wallet) = (World::new(2), wallet());
    let coins = world.fund(1);
    let payment = pay(coins[0], script_of(&mut wallet), 90_000);
    world.chain(|node| node.broadcast(NOW, payment)).unwrap();
    let mut client = world.client();
    client.until(|input| matches!(input, ChainInput::Up { .. }).then_some(())).await;
    world.server(0, |server| server.faults_mut().take_down());
    client.ask(ChainRequest::Scan(wallet.scan_request(NOW)));
    let update = client.until(wallet_update).await;
    wallet.apply(update).unwrap();
    assert_eq!(wallet.transactions().len(), 1);
    let left = client.event(|event| matches!(event, ChainEvent::Left { .. })).await;
    assert!(matches!(left, ChainEvent::Left { server, .. } if server == address(0)));
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_does_not_wait_for_a_scan_that_was_asked_for_before() {
    let (world, wallet) = (World::new(1), wallet());
    let coins = world.fund(1);
    let payment = pay(coins[0], spendable_script(BOB), 90_000);
    let mut client = world.client();
    client.ask(ChainRequest::Scan(wallet.scan_request(NOW)));
    client.ask(ChainRequest::Broadcast(payment));
    let first = client.until(|input| match input {
        ChainInput::Wallet(_) => Some("scan"),
        ChainInput::Broadcast { .. } => Some("broadcast"),
        _ => None,
    });
    assert_eq!(first.await, "broadcast");
    client.until(wallet_update).await;
}

#[tokio::test(start_paused = true)]
async fn what_happened_to_a_wallet_while_no_server_answered_is_told_afterwards() {
    let (world, mut wallet) = (World::new(1), wallet());
    let coins = world.fund(1);
    let payment = pay(coins[0], script_of(&mut wallet), 90_000);
    let mut client = world.client();
    sync(&mut client, &mut wallet, NOW).await;
    let server = world.peer(0, |peer| std::mem::replace(peer, Peer::Nobody));
    client.until(|input| matches!(input, ChainInput::Down { .. }).then_some(())).await;
    world.chain(|node| node.broadcast(NOW, payment)).unwrap();
    world.peer(0, |peer| *peer = server);
    client.until(|input| matches!(input, ChainInput::Stirred).then_some(())).await;
    sync(&mut client, &mut wallet, NOW).await;
    assert_eq!(wallet.transactions().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_watched_transaction_is_followed_from_absence_to_depth_and_through_a_reorganisation() {
    let world = World::new(1);
    let coins = world.fund(1);
    let payment = pay(coins[0], spendable_script(BOB), 90_000);
    let mut client = world.client();
    client.ask(watch(&payment));
    assert_eq!(status(&mut client, &payment).await, Status::Absent);
    client.ask(ChainRequest::Broadcast(payment.clone()));
    assert_eq!(outcome(&mut client, payment.compute_txid()).await, Ok(()));
    assert_eq!(status(&mut client, &payment).await, Status::InMempool);
    world.chain(|node| node.mine(NOW, 1));
    assert_eq!(status(&mut client, &payment).await, Status::Confirmed { depth: 1 });
    world.chain(|node| node.mine(NOW, 2));
    assert_eq!(status(&mut client, &payment).await, Status::Confirmed { depth: 3 });

    let rival = pay(coins[0], spendable_script(BOB), 80_000);
    let include = vec![rival.clone()];
    world.chain(|node| node.reorg(NOW, Reorg { depth: 3, length: 4, include, returned: Returned::Forgotten })).unwrap();
    let conflicted = Status::Conflicted { outpoint: coins[0], by: rival.compute_txid(), depth: 4 };
    assert_eq!(status(&mut client, &payment).await, conflicted);
    client.ask(ChainRequest::Unwatch(payment.compute_txid()));
    world.chain(|node| node.mine(NOW, 1));
    client.never(|input| matches!(input, ChainInput::Seen { .. })).await;
}

#[tokio::test(start_paused = true)]
async fn a_conflict_that_waits_is_told_and_so_is_its_end() {
    let world = World::new(1);
    let coins = world.fund(1);
    let payment = pay(coins[0], spendable_script(BOB), 90_000);
    let rival = pay(coins[0], spendable_script(BOB), 80_000);
    let by = rival.compute_txid();
    let mut client = world.client();
    client.ask(watch(&payment));
    assert_eq!(status(&mut client, &payment).await, Status::Absent);
    world.chain(|node| node.broadcast(NOW, rival)).unwrap();
    assert_eq!(status(&mut client, &payment).await, Status::Conflicted { outpoint: coins[0], by, depth: 0 });
    world.chain(|node| node.evict(&[by]));
    assert_eq!(status(&mut client, &payment).await, Status::Absent);
}

#[tokio::test(start_paused = true)]
async fn a_watch_outlives_every_server_and_is_told_what_happened_meanwhile() {
    let world = World::new(1);
    let coins = world.fund(1);
    let payment = pay(coins[0], spendable_script(BOB), 90_000);
    let mut client = world.client();
    client.ask(watch(&payment));
    assert_eq!(status(&mut client, &payment).await, Status::Absent);
    let server = world.peer(0, |peer| std::mem::replace(peer, Peer::Nobody));
    client.until(|input| matches!(input, ChainInput::Down { .. }).then_some(())).await;
    client.ask(ChainRequest::Broadcast(payment.clone()));
    world.chain(|node| node.mine(NOW, 2));
    tokio::time::sleep(Duration::from_secs(300)).await;
    world.peer(0, |peer| *peer = server);
    client.until(|input| matches!(input, ChainInput::Up { .. }).then_some(())).await;
    assert_eq!(outcome(&mut client, payment.compute_txid()).await, Ok(()), "what was asked meanwhile is not lost");
    assert_eq!(status(&mut client, &payment).await, Status::InMempool);
    assert!(world.connections() < 20, "{} connections in five minutes", world.connections());
}

#[tokio::test(start_paused = true)]
async fn coins_are_those_that_nothing_spends_with_what_the_index_says_of_them() {
    let world = World::new(1);
    let coins = world.fund(3);
    let waiting = pay(coins[0], spendable_script(ALICE), 90_000);
    let txid = world.chain(|node| node.broadcast(NOW, waiting)).unwrap();
    let holdings = std::collections::BTreeMap::from([("rune:840000:1".parse::<Asset>().unwrap(), 5)]);
    let mut client = world.client_with(world.settings(), Arc::new(SameAssets(holdings.clone())));
    let new = OutPoint { txid, vout: 0 };
    let never = OutPoint { txid, vout: 9 };
    let strange = OutPoint { txid: "11".repeat(32).parse().unwrap(), vout: 0 };
    let outpoints = vec![coins[0], coins[1], new, never, strange];
    client.ask(ChainRequest::Coins { request: 4, outpoints });
    let found = client
        .until(|input| match input {
            ChainInput::Coins { request: 4, coins } => Some(coins),
            _ => None,
        })
        .await;
    assert_eq!(found.keys().copied().collect::<BTreeSet<_>>(), BTreeSet::from([coins[1], new]));
    assert_eq!(found[&new].height, None);
    assert!(found[&coins[1]].height.is_some());
    assert_eq!(found[&coins[1]].holdings, holdings);
    assert_eq!(found[&coins[1]].output.value, Amount::from_sat(100_000));
}

#[tokio::test(start_paused = true)]
async fn without_an_index_of_assets_coins_are_unknown_and_the_reason_is_told() {
    let world = World::new(1);
    let coins = world.fund(1);
    let mut client = world.client();
    client.ask(ChainRequest::Coins { request: 1, outpoints: coins });
    let reason = client
        .until(|input| match input {
            ChainInput::CoinsUnknown { request: 1, reason } => Some(reason),
            _ => None,
        })
        .await;
    assert!(reason.contains("no index of assets is configured"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn without_servers_coins_and_broadcasts_are_refused() {
    let world = World::new(0);
    let coins = world.fund(1);
    let mut client = world.client();
    client.until(|input| matches!(input, ChainInput::Down { .. }).then_some(())).await;
    let payment = pay(coins[0], spendable_script(BOB), 90_000);
    client.ask(ChainRequest::Broadcast(payment.clone()));
    let word = outcome(&mut client, payment.compute_txid()).await.unwrap_err();
    assert!(word.contains("no Electrum server is configured"), "{word}");
    client.ask(ChainRequest::Coins { request: 3, outpoints: coins });
    client.until(|input| matches!(input, ChainInput::CoinsUnknown { request: 3, .. }).then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_broadcast_tells_why_and_a_repeated_one_succeeds() {
    let world = World::new(1);
    let coins = world.fund(1);
    let mut client = world.client();
    let greedy = pay(coins[0], spendable_script(BOB), 100_000);
    client.ask(ChainRequest::Broadcast(greedy.clone()));
    let word = outcome(&mut client, greedy.compute_txid()).await.unwrap_err();
    assert!(word.contains("min relay fee not met"), "{word}");
    let payment = pay(coins[0], spendable_script(BOB), 90_000);
    for _ in 0..2 {
        client.ask(ChainRequest::Broadcast(payment.clone()));
        assert_eq!(outcome(&mut client, payment.compute_txid()).await, Ok(()));
    }
    world.chain(|node| node.mine(NOW, 1));
    client.ask(ChainRequest::Broadcast(payment.clone()));
    assert_eq!(outcome(&mut client, payment.compute_txid()).await, Ok(()), "it is in a block");
}

#[tokio::test(start_paused = true)]
async fn a_later_checkpoint_saves_headers_and_older_blocks_are_still_proven() {
    let (world, mut wallet) = (World::new(1), wallet());
    let coins = world.fund(1);
    let payment = pay(coins[0], script_of(&mut wallet), 90_000);
    let txid = world.chain(|node| node.broadcast(NOW, payment)).unwrap();
    let (height, checkpoint) = world.chain(|node| {
        node.mine(NOW, 40);
        let height = node.chain().height();
        (height, BlockId { height: height - 5, hash: node.chain().block_hash(height - 5).unwrap() })
    });
    let settings = ChainSettings { checkpoint, ..world.settings() };
    let mut client = world.client_with(settings, Arc::new(darkswap_node::chain::NoAssetIndex));
    sync(&mut client, &mut wallet, NOW).await;
    assert_eq!((height_in(&wallet, txid), wallet.height()), (Some(Some(height - 39)), height));
}

#[tokio::test(start_paused = true)]
async fn a_restarted_client_goes_on_from_the_blocks_of_the_wallet() {
    let (world, mut wallet) = (World::new(1), wallet());
    let coins = world.fund(1);
    let payment = pay(coins[0], script_of(&mut wallet), 90_000);
    world.chain(|node| node.broadcast(NOW, payment)).unwrap();
    world.chain(|node| node.mine(NOW, 4));
    let mut client = world.client();
    sync(&mut client, &mut wallet, NOW).await;
    drop(client);
    world.chain(|node| node.reorg(NOW, Reorg { depth: 3, length: 5, ..Reorg::default() })).unwrap();
    let mut client = world.client();
    sync(&mut client, &mut wallet, NOW).await;
    assert_eq!(wallet.height(), world.chain(|node| node.chain().height()));
    assert!(wallet.transactions()[0].height.is_some());
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_while_no_server_answers_is_answered_once_one_is_back() {
    let (world, mut wallet) = (World::with(vec![Peer::Nobody]), wallet());
    let coins = world.fund(1);
    let payment = pay(coins[0], script_of(&mut wallet), 90_000);
    let txid = world.chain(|node| node.broadcast(NOW, payment.clone())).unwrap();
    let mut client = world.client();
    client.until(|input| matches!(input, ChainInput::Down { .. }).then_some(())).await;
    client.ask(ChainRequest::Scan(wallet.scan_request(NOW)));
    for later in 0..3 {
        client.ask(ChainRequest::Sync(wallet.sync_request(NOW + Duration::from_secs(900 * later))));
    }
    client.ask(watch(&payment));
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    world.peer(0, |peer| *peer = Peer::Server(darkswap_chain::Server::default()));
    assert_eq!(status(&mut client, &payment).await, Status::InMempool);
    let scanned = client.until(wallet_update).await;
    assert!(scanned.tx_update.txs.iter().any(|transaction| transaction.compute_txid() == txid));
    // Of the three questions the last one knows most.
    let synchronised = client.until(wallet_update).await;
    let seen = |update: &darkswap_wallet::Update| update.tx_update.seen_ats.iter().map(|(_, at)| *at).max();
    assert_eq!(seen(&synchronised), Some((NOW + Duration::from_secs(1_800)).as_secs()));
    client.never(|input| matches!(input, ChainInput::Wallet(_))).await;
}

#[tokio::test(start_paused = true)]
async fn servers_that_go_down_and_come_back_lose_nothing_of_a_wallet_and_its_watches() {
    let (world, mut wallet) = (World::new(1), wallet());
    let coins = world.fund(2);
    let [first, second] = [0, 1].map(|coin| pay(coins[coin], script_of(&mut wallet), 90_000));
    let mut client = world.client();
    sync(&mut client, &mut wallet, NOW).await;
    client.ask(watch(&first));
    assert_eq!(status(&mut client, &first).await, Status::Absent);
    for payment in [first.clone(), second] {
        let server = world.peer(0, |peer| std::mem::replace(peer, Peer::Nobody));
        client.until(|input| matches!(input, ChainInput::Down { .. }).then_some(())).await;
        client.ask(ChainRequest::Sync(wallet.sync_request(NOW)));
        world.chain(|node| node.broadcast(NOW, payment)).unwrap();
        tokio::time::sleep(Duration::from_secs(600)).await;
        world.peer(0, |peer| *peer = server);
        let update = client.until(wallet_update).await;
        wallet.apply(update).expect("the update fits");
    }
    assert_eq!(wallet.transactions().len(), 2);
    world.chain(|node| node.mine(NOW, 1));
    assert_eq!(status(&mut client, &first).await, Status::Confirmed { depth: 1 });
}

#[tokio::test(start_paused = true)]
async fn a_restarted_client_fetches_only_new_headers() {
    let world = World::new(1);
    world.fund(1);
    let settings = ChainSettings { headers: Some("headers".into()), ..world.settings() };
    let start = || world.client_with(settings.clone(), Arc::new(darkswap_node::chain::NoAssetIndex));
    let height = world.chain(|node| node.chain().height());
    let mut client = start();
    client.tip(height).await;
    let asked = world.header_questions();
    assert!(asked > 0);
    drop(client);
    let mut client = start();
    client.tip(height).await;
    assert_eq!(world.header_questions(), asked, "the tip was known");
    drop(client);
    world.chain(|node| node.mine(NOW, 3));
    let mut client = start();
    client.tip(height + 3).await;
    assert_eq!(world.header_questions(), asked + 1);
    drop(client);
    world.chain(|node| node.reorg(NOW, Reorg { depth: 3, length: 5, ..Reorg::default() })).unwrap();
    let mut client = start();
    client.tip(height + 5).await;
}

#[tokio::test(start_paused = true)]
async fn a_reorganisation_is_reported_with_the_blocks_before_and_after() {
    let world = World::new(1);
    world.fund(1);
    let mut client = world.client();
    let tip = || {
        world.chain(|node| BlockId {
            height: node.chain().height(),
            hash: node.chain().block_hash(node.chain().height()).unwrap(),
        })
    };
    let from = tip();
    client.tip(from.height).await;
    world.chain(|node| node.reorg(NOW, Reorg { depth: 2, length: 3, ..Reorg::default() })).unwrap();
    let to = tip();
    let event = client.event(|event| matches!(event, ChainEvent::Reorganised { .. })).await;
    assert_eq!(event, ChainEvent::Reorganised { server: address(0), fork: from.height - 2, from, to });
}

#[tokio::test(start_paused = true)]
async fn requests_beyond_the_bound_are_refused_and_none_of_the_others_is_lost() {
    let world = World::with(vec![Peer::Nobody]);
    let coins = world.fund(1);
    let mut client = world.client();
    client.until(|input| matches!(input, ChainInput::Down { .. }).then_some(())).await;
    let mut taken = 0;
    loop {
        match client.handle.requests.send(ChainRequest::Coins { request: taken, outpoints: coins.clone() }) {
            Ok(()) => taken += 1,
            Err(Refused::Full(request)) => {
                assert!(matches!(*request, ChainRequest::Coins { request, .. } if request == taken));
                break;
            }
            Err(other) => panic!("{other}"),
        }
        assert!(taken <= 2 * MAX_REQUESTS as u64);
    }
    world.peer(0, |peer| *peer = Peer::Server(darkswap_chain::Server::default()));
    let mut answered = BTreeSet::new();
    while answered.len() < taken as usize {
        let request = client.until(|input| match input {
            ChainInput::CoinsUnknown { request, .. } => Some(request),
            _ => None,
        });
        assert!(answered.insert(request.await), "each is answered once");
    }
}
