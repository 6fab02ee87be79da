//! The chain of a test: started, used, broken and ended.

use std::path::PathBuf;

use bitcoin::{Amount, OutPoint, TxOut};
use darkswap_regtest::{Key, TestEnv};
use electrum_client::ElectrumApi as _;

const COIN: Amount = Amount::from_sat(100_000);

fn start() -> TestEnv {
    TestEnv::start().expect("a chain starts")
}

/// A confirmed coin of `key`.
fn coin(env: &TestEnv, key: &Key) -> (OutPoint, TxOut) {
    let outpoint = env.fund(key.script(), COIN).expect("the faucet pays");
    env.mine(1).expect("a block");
    (outpoint, key.output(COIN))
}

fn less(fee: u64) -> Amount {
    COIN - Amount::from_sat(fee)
}

#[test]
fn three_chains_run_side_by_side() {
    let chains: Vec<_> = (0..3).map(|_| std::thread::spawn(start)).collect();
    let chains: Vec<TestEnv> = chains.into_iter().map(|chain| chain.join().expect("no panic")).collect();
    let mut tips: Vec<_> = chains.iter().map(|chain| chain.tip().expect("a tip")).collect();
    let mut addresses: Vec<_> = chains.iter().map(TestEnv::electrs_address).collect();
    tips.sort_unstable();
    tips.dedup();
    addresses.sort_unstable();
    addresses.dedup();
    assert_eq!((tips.len(), addresses.len()), (3, 3), "chains and servers are their own");
    let height = chains[0].height().expect("a height");
    chains[0].mine(2).expect("blocks");
    chains[0].wait_electrs_height(height + 2).expect("electrs follows");
    assert_eq!(chains[1].height().expect("a height"), height);
}

#[test]
fn nothing_is_left_of_a_chain_that_ended() {
    let env = start();
    let (folder, address) = (env.folder().to_owned(), env.electrs_address());
    let ord = env.ord().expect("ord starts");
    drop(ord);
    drop(env);
    assert!(!folder.exists());
    assert!(electrum_client::raw_client::RawClient::new(address, None, None).is_err());
}

#[test]
fn a_panic_ends_the_chain_and_keeps_its_logs() {
    let (sender, receiver) = std::sync::mpsc::sync_channel::<(PathBuf, PathBuf)>(1);
    let test = std::thread::spawn(move || {
        let env = start();
        sender.send((env.folder().to_owned(), env.kept_logs())).expect("somebody listens");
        panic!("a test that fails, on purpose");
    });
    let (folder, logs) = receiver.recv().expect("it starts");
    test.join().expect_err("it panics");
    assert!(!folder.exists());
    for log in ["bitcoind.log", "electrs.log"] {
        let text = std::fs::read_to_string(logs.join(log)).unwrap_or_else(|error| panic!("{log}: {error}"));
        assert!(!text.is_empty(), "{log}");
    }
    std::fs::remove_dir_all(logs).expect("it is ours");
}

#[test]
fn money_is_received_and_spent_through_electrs() {
    let env = start();
    let (alice, bob) = (Key::numbered(1), Key::numbered(2));
    let coin = coin(&env, &alice);
    let electrum = env.electrum().expect("electrs answers");
    assert_eq!(electrum.script_get_balance(alice.script()).expect("a balance").confirmed, COIN.to_sat());
    let payment = alice.spend(&[coin], vec![bob.output(less(500))]).expect("signed");
    let txid = electrum.transaction_broadcast(&payment).expect("electrs passes it on");
    env.wait_electrs_transaction(bob.script(), txid).expect("electrs sees it unconfirmed");
    assert_eq!(env.mempool().expect("a mempool"), [txid]);
    env.mine(1).expect("a block");
    let history = electrum.script_get_history(bob.script()).expect("a history");
    assert_eq!(history.len(), 1);
    assert_eq!(u32::try_from(history[0].height).expect("confirmed"), env.height().expect("a height"));
    assert_eq!(electrum.script_get_balance(alice.script()).expect("a balance").confirmed, 0);
}

#[test]
fn a_reorganisation_takes_a_confirmation_back() {
    let env = start();
    let key = Key::numbered(1);
    let (outpoint, _) = coin(&env, &key);
    env.mine(1).expect("a block");
    let (height, tip) = (env.height().expect("a height"), env.tip().expect("a tip"));
    env.reorg(2).expect("two blocks give way");
    assert_eq!(env.height().expect("a height"), height + 1);
    assert_ne!(env.tip().expect("a tip"), tip);
    assert_eq!(env.mempool().expect("a mempool"), [outpoint.txid]);
    env.wait_electrs_transaction(key.script(), outpoint.txid).expect("electrs sees it unconfirmed");
    let electrum = env.electrum().expect("electrs answers");
    assert!(electrum.script_get_history(key.script()).expect("a history")[0].height <= 0);
    env.mine(1).expect("a block");
    assert_eq!(
        electrum.script_get_history(key.script()).expect("a history")[0].height,
        i32::try_from(height + 2).expect("small")
    );
}

#[test]
fn a_reorganisation_can_confirm_the_other_spend_of_a_coin() {
    let env = start();
    let (alice, bob, carol) = (Key::numbered(1), Key::numbered(2), Key::numbered(3));
    let coin = coin(&env, &alice);
    let to_bob = alice.spend(std::slice::from_ref(&coin), vec![bob.output(less(500))]).expect("signed");
    let to_carol = alice.spend(std::slice::from_ref(&coin), vec![carol.output(less(500))]).expect("signed");
    env.send(&to_bob).expect("bitcoind takes it");
    env.mine(1).expect("a block");
    env.reorg_with(1, std::slice::from_ref(&to_carol)).expect("one block gives way");
    assert!(!env.is_unspent(OutPoint::new(to_bob.compute_txid(), 0)).expect("an answer"));
    assert!(env.is_unspent(OutPoint::new(to_carol.compute_txid(), 0)).expect("an answer"));
    assert!(env.mempool().expect("a mempool").is_empty());
    let electrum = env.electrum().expect("electrs answers");
    assert!(electrum.script_get_history(bob.script()).expect("a history").is_empty());
    assert_eq!(electrum.script_get_history(carol.script()).expect("a history").len(), 1);
}

#[test]
fn electrs_goes_down_and_comes_back_at_its_address() {
    let env = start();
    let key = Key::numbered(1);
    let connection = env.electrum().expect("electrs answers");
    let address = env.electrs_address();
    let stopped = env.stop_electrs().expect("it ends");
    assert_eq!(stopped.address(), address);
    assert!(connection.ping().is_err(), "the connection is broken");
    assert!(env.electrum().is_err());
    env.fund(key.script(), COIN).expect("the faucet pays");
    env.mine(3).expect("blocks that electrs does not see");
    env.restart_electrs(stopped).expect("it comes back");
    assert_eq!(env.electrs_address(), address);
    let electrum = env.electrum().expect("electrs answers");
    assert_eq!(electrum.script_get_history(key.script()).expect("a history").len(), 1);
}

#[test]
fn a_double_spend_is_refused_unless_it_pays_more() {
    let env = start();
    let (alice, bob, carol) = (Key::numbered(1), Key::numbered(2), Key::numbered(3));
    let coin = coin(&env, &alice);
    let to_bob = alice.spend(std::slice::from_ref(&coin), vec![bob.output(less(500))]).expect("signed");
    let cheaper = alice.spend(std::slice::from_ref(&coin), vec![carol.output(less(400))]).expect("signed");
    let dearer = alice.spend(std::slice::from_ref(&coin), vec![carol.output(less(2_000))]).expect("signed");
    env.send(&to_bob).expect("bitcoind takes it");
    let electrum = env.electrum().expect("electrs answers");
    let refusal = electrum.transaction_broadcast(&cheaper).expect_err("it pays less").to_string();
    assert!(refusal.contains("insufficient fee"), "{refusal}");
    let replacement = electrum.transaction_broadcast(&dearer).expect("it pays more");
    assert_eq!(env.mempool().expect("a mempool"), [replacement]);
    env.wait_electrs_transaction(carol.script(), replacement).expect("electrs sees the replacement");
    assert!(electrum.script_get_history(bob.script()).expect("a history").is_empty());
    env.mine(1).expect("a block");
    let again = env.send(&to_bob).expect_err("its coin is spent");
    assert!(format!("{again:#}").contains("missing"), "{again:#}");
}
