//! Nodes that trade, on real sockets of this machine. Their chain is a server that never answers.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use bitcoin::Network;
use bytes::Bytes;
use common::{PATIENCE, Running, listening};
use darkswap_node::config::{Config, TradingConfig};
use darkswap_node::event::Event;
use darkswap_node::trading::ORDERS;
use darkswap_node::{Node, Runtime as _, TokioRuntime};
use darkswap_trade::asset::{AlkaneId, Asset};
use darkswap_trade::order::{self, Draft, Offer, OrderId, Price, Proposal, Settlement, Side, TraderKey};
use darkswap_trader::command::{Command, Reply, TradeEvent};
use darkswap_trader::settings::Settings;
use darkswap_wallet::Seed;
use ed25519_dalek::{Signer as _, SigningKey};
use libp2p::identity::Keypair;
use tempfile::TempDir;

const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";

fn trading(folder: &TempDir) -> Config {
    let trading = TradingConfig {
        network: Network::Regtest,
        electrum: vec!["127.0.0.1:1".parse().unwrap()],
        bitcoind: None,
        policy: Settings::default().policy,
        folder: folder.path().to_owned(),
        seed: Seed::from_entropy(&[7; 16]).unwrap(),
    };
    Config { trading: Some(trading), ..listening(QUIC) }
}

/// A node that passes orders on, and publishes what it is given.
fn passing() -> Config {
    Config { topics: vec![ORDERS.to_owned()], ..listening(QUIC) }
}

/// An order of the maker with this number.
fn statement(number: u8) -> (OrderId, Bytes) {
    let key = SigningKey::from_bytes(&[number; 32]);
    let created = TokioRuntime.wall_clock();
    let offer = Offer {
        asset: Asset::Alkane(AlkaneId { block: 2, tx: 0 }),
        side: Side::Sell,
        units: 1_000,
        minimum: 100,
        price: Price { sats: 100, units: 1 },
    };
    let proposal = Proposal::Offer {
        offer,
        expires: created + Duration::from_secs(3_600),
        settlement: Settlement::Interactive,
        funding: Vec::new(),
    };
    let draft = Draft { maker: TraderKey(key.verifying_key().to_bytes()), slot: 0, created, proposal };
    let statement = order::sign(draft, |bytes| key.sign(bytes).to_bytes()).unwrap();
    (statement.id(), statement.encoded().clone())
}

fn forged(number: u8) -> Bytes {
    let mut bytes = statement(number).1.to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    bytes.into()
}

/// Publishes as soon as somebody listens.
async fn publish(node: &Running, bytes: &Bytes) {
    let published = async {
        while node.handle.publish(ORDERS, bytes.clone()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, published).await.unwrap();
}

async fn added(node: &mut Running, wanted: OrderId) {
    node.wait("order", |event| {
        matches!(event, Event::Trade(TradeEvent::OrderAdded { order, .. }) if *order == wanted).then_some(())
    })
    .await;
}

async fn connect(from: &Running, to: &mut Running) {
    let address = to.address().await;
    from.handle.connect(to.id(), vec![address]).await.unwrap();
}

#[tokio::test]
async fn an_order_goes_from_node_to_node_and_a_late_joiner_is_given_it() {
    let folders: [TempDir; 3] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
    let maker = Running::start(passing());
    let (mut a, mut b) = (Running::start(trading(&folders[0])), Running::start(trading(&folders[1])));
    connect(&b, &mut a).await;
    let address = {
        connect_known(&maker, &a).await;
        a.handle.status().await.unwrap().listening[0].clone()
    };
    let (id, bytes) = statement(1);
    publish(&maker, &bytes).await;
    added(&mut a, id).await;
    // Only `a` is connected to both: it has passed the order on after its trader accepted it.
    added(&mut b, id).await;

    maker.handle.stop().await.unwrap();
    let mut late = Running::start(trading(&folders[2]));
    late.handle.connect(a.id(), vec![address]).await.unwrap();
    added(&mut late, id).await;
    let reply = late.handle.trading().unwrap().ask(Command::Book { asset: None }).await.unwrap();
    let Reply::Orders(orders) = reply else { panic!("found {reply:?}") };
    assert_eq!(orders.iter().map(|order| order.order).collect::<Vec<_>>(), [id]);
}

async fn connect_known(from: &Running, to: &Running) {
    let address = to.handle.status().await.unwrap().listening[0].clone();
    from.handle.connect(to.id(), vec![address]).await.unwrap();
}

#[tokio::test]
async fn who_passes_forged_orders_on_is_not_listened_to_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut a = Running::start(trading(&folder));
    let (forger, honest) = (Running::start(passing()), Running::start(passing()));
    connect(&forger, &mut a).await;
    connect_known(&honest, &a).await;
    for number in 1..=3 {
        publish(&forger, &forged(number)).await;
        a.wait("refusal", |event| {
            matches!(event, Event::Trade(TradeEvent::StatementRefused { misbehaviour: true, .. })).then_some(())
        })
        .await;
    }
    // The fourth thing that it says is true, and too late.
    let (unheard, bytes) = statement(9);
    publish(&forger, &bytes).await;
    let (heard, bytes) = statement(10);
    publish(&honest, &bytes).await;
    a.wait("the honest order", |event| match event {
        Event::Trade(TradeEvent::OrderAdded { order, .. }) => {
            assert_ne!(*order, unheard, "the forger was listened to");
            (*order == heard).then_some(())
        }
        _ => None,
    })
    .await;
}

#[tokio::test]
async fn a_trader_goes_on_after_a_restart_and_its_store_has_one_user() {
    let folder = tempfile::tempdir().unwrap();
    let address = async |node: &Running| {
        let trading = node.handle.trading().unwrap();
        match trading.ask(Command::Address).await.unwrap() {
            Reply::Address(address) => address,
            other => panic!("found {other:?}"),
        }
    };
    let first = Running::start(trading(&folder));
    let shown = address(&first).await;
    assert!(shown.starts_with("bcrt1"), "{shown}");
    let second = Node::new(trading(&folder), Keypair::generate_ed25519(), Arc::new(TokioRuntime));
    let refused = second.expect_err("two nodes with one store").to_string();
    assert!(refused.contains("darkswap stop"), "{refused}");
    first.handle.stop().await.unwrap();
    // What was shown once is not shown again, which the store remembers.
    let again = Running::start(trading(&folder));
    assert_ne!(address(&again).await, shown);
}

#[tokio::test]
async fn a_node_that_does_not_trade_has_no_trader() {
    assert!(Running::start(passing()).handle.trading().is_none());
}
