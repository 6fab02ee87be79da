//! What is valid.

use bitcoin::hashes::Hash;
use bitcoin::key::{Keypair, Secp256k1, TapTweak};
use bitcoin::secp256k1::{Message, SecretKey};
use bitcoin::sighash::{EcdsaSighashType, Prevouts, SighashCache, TapSighashType};
use bitcoin::{
    Amount, Block, CompressedPublicKey, OutPoint, ScriptBuf, Sequence, Target, Transaction, TxOut, Witness, absolute,
    opcodes, script,
};
use darkswap_chain::{BlockRefusal, COINBASE_MATURITY, FullNode, Refusal};

use crate::common::{ALICE, BOB, NOW, funded, input, node, output, pay, reason, transaction};

struct Key {
    keypair: Keypair,
}

impl Key {
    fn new(byte: u8) -> Self {
        let secret = SecretKey::from_slice(&[byte; 32]).expect("it is below the order of the curve");
        Self { keypair: secret.keypair(&Secp256k1::new()) }
    }

    fn public(&self) -> CompressedPublicKey {
        CompressedPublicKey(self.keypair.public_key())
    }

    fn taproot_script(&self) -> ScriptBuf {
        ScriptBuf::new_p2tr(&Secp256k1::new(), self.keypair.x_only_public_key().0, None)
    }

    fn segwit_script(&self) -> ScriptBuf {
        ScriptBuf::new_p2wpkh(&self.public().wpubkey_hash())
    }

    fn sign_taproot(&self, transaction: &mut Transaction, spent: &[TxOut], kind: TapSighashType) {
        let secp = Secp256k1::new();
        let all: Vec<&TxOut> = spent.iter().collect();
        for index in 0..spent.len() {
            let one = Prevouts::One(index, all[index]);
            let prevouts = if kind == TapSighashType::SinglePlusAnyoneCanPay { one } else { Prevouts::All(&all) };
            let hash = SighashCache::new(&*transaction).taproot_key_spend_signature_hash(index, &prevouts, kind);
            let message = Message::from_digest(hash.expect("the input exists").to_byte_array());
            let tweaked = self.keypair.tap_tweak(&secp, None).to_keypair();
            let signature = secp.sign_schnorr_no_aux_rand(&message, &tweaked);
            let signature = bitcoin::taproot::Signature { signature, sighash_type: kind };
            transaction.input[index].witness = Witness::p2tr_key_spend(&signature);
        }
    }

    fn sign_segwit(&self, transaction: &mut Transaction, value: Amount) {
        let kind = EcdsaSighashType::All;
        let hash = SighashCache::new(&*transaction)
            .p2wpkh_signature_hash(0, &self.segwit_script(), value, kind)
            .expect("the input exists");
        let message = Message::from_digest(hash.to_byte_array());
        let signature = Secp256k1::new().sign_ecdsa(&message, &self.keypair.secret_key());
        let signature = bitcoin::ecdsa::Signature { signature, sighash_type: kind };
        transaction.input[0].witness = Witness::p2wpkh(&signature, &self.keypair.public_key());
    }
}

fn unsigned(coins: &[OutPoint], sats: u64) -> Transaction {
    let mut transaction = transaction(coins.iter().map(|coin| input(*coin, ALICE)).collect(), vec![output(BOB, sats)]);
    transaction.input.iter_mut().for_each(|input| input.witness.clear());
    transaction
}

#[test]
fn taproot_key_spends_are_valid_with_both_sighash_styles_of_a_swap() {
    for kind in [TapSighashType::Default, TapSighashType::SinglePlusAnyoneCanPay] {
        let (mut node, key) = (node(), Key::new(3));
        let coins = node.fund(NOW, &key.taproot_script(), Amount::from_sat(50_000), 1).unwrap();
        let spent = vec![TxOut { value: Amount::from_sat(50_000), script_pubkey: key.taproot_script() }];
        let mut payment = unsigned(&coins, 40_000);
        key.sign_taproot(&mut payment, &spent, kind);
        let txid = node.broadcast(NOW, payment).unwrap();
        node.mine(NOW, 1);
        assert!(node.chain().transaction(&txid).is_some());
    }
}

#[test]
fn a_taproot_signature_over_other_spent_amounts_is_invalid() {
    let (mut node, key) = (node(), Key::new(3));
    let coins = node.fund(NOW, &key.taproot_script(), Amount::from_sat(50_000), 2).unwrap();
    let claimed = |sats| TxOut { value: Amount::from_sat(sats), script_pubkey: key.taproot_script() };
    let mut payment = unsigned(&coins, 80_000);
    // The first signature is over the truth for its own input, and over a lie for the other one.
    key.sign_taproot(&mut payment, &[claimed(50_000), claimed(50_001)], TapSighashType::Default);
    assert_eq!(node.broadcast(NOW, payment), Err(Refusal::Script(0)));
}

#[test]
fn a_segwit_signature_is_valid_for_its_key_and_amount_only() {
    let (mut node, key) = (node(), Key::new(3));
    let coins = node.fund(NOW, &key.segwit_script(), Amount::from_sat(50_000), 1).unwrap();
    let mut payment = unsigned(&coins, 40_000);
    key.sign_segwit(&mut payment, Amount::from_sat(49_999));
    assert_eq!(reason(&mut node, payment.clone()), "mempool-script-verify-flag-failed");
    Key::new(4).sign_segwit(&mut payment, Amount::from_sat(50_000));
    assert_eq!(node.broadcast(NOW, payment.clone()), Err(Refusal::Script(0)));
    key.sign_segwit(&mut payment, Amount::from_sat(50_000));
    node.broadcast(NOW, payment).unwrap();
}

#[test]
fn a_coinbase_can_be_spent_in_the_hundredth_block_after_it() {
    let mut node = node();
    node.mine(NOW, COINBASE_MATURITY - 1);
    let coinbase = node.chain().txids(1).unwrap()[0];
    let spend = || transaction(vec![input(OutPoint::new(coinbase, 0), 0)], vec![output(BOB, 5_000_000_000 - 1_000)]);
    assert_eq!(node.broadcast(NOW, spend()), Err(Refusal::ImmatureCoinbase(99)));
    node.mine(NOW, 1);
    node.broadcast(NOW, spend()).unwrap();
}

#[test]
fn a_block_that_spends_a_coin_twice_leaves_no_trace() {
    let (mut node, coins) = funded(1);
    let before = node.chain().coins().clone();
    let refusal = node.mine_exactly(NOW, vec![pay(coins[0], &[90_000]), pay(coins[0], &[80_000])]).unwrap_err();
    assert!(matches!(refusal, BlockRefusal::Transaction { refusal: Refusal::MissingInput(_), .. }), "{refusal}");
    assert_eq!(*node.chain().coins(), before);
}

#[test]
fn a_transaction_cannot_create_money() {
    let (mut node, coins) = funded(1);
    assert_eq!(reason(&mut node, pay(coins[0], &[100_001])), "bad-txns-in-belowout");
    assert_eq!(reason(&mut node, pay(coins[0], &[u64::MAX])), "bad-txns-vout-toolarge");
    let most = Amount::MAX_MONEY.to_sat();
    assert_eq!(reason(&mut node, pay(coins[0], &[most, most])), "bad-txns-txouttotal-toolarge");
}

#[test]
fn inputs_must_exist_and_be_named_once() {
    let (mut node, coins) = funded(1);
    let twice = transaction(vec![input(coins[0], ALICE), input(coins[0], ALICE)], vec![output(BOB, 90_000)]);
    assert_eq!(reason(&mut node, twice), "bad-txns-inputs-duplicate");
    let unknown = OutPoint::new(coins[0].txid, 9);
    assert_eq!(reason(&mut node, pay(unknown, &[90_000])), "bad-txns-inputs-missingorspent");
    assert_eq!(reason(&mut node, transaction(vec![], vec![output(BOB, 1)])), "bad-txns-vin-empty");
}

#[test]
fn lock_times_open_when_the_next_block_may_hold_the_transaction() {
    let (mut node, coins) = funded(1);
    let mut locked = pay(coins[0], &[90_000]);
    locked.lock_time = absolute::LockTime::from_height(node.chain().height() + 1).unwrap();
    assert_eq!(reason(&mut node, locked.clone()), "non-final");
    node.mine(NOW, 1);
    node.broadcast(NOW, locked).unwrap();
}

#[test]
fn relative_locks_count_the_blocks_above_the_coin() {
    let (mut node, coins) = funded(1);
    let mut locked = pay(coins[0], &[90_000]);
    locked.input[0].sequence = Sequence::from_height(3);
    assert_eq!(reason(&mut node, locked.clone()), "non-BIP68-final");
    node.mine(NOW, 2);
    node.broadcast(NOW, locked).unwrap();
}

#[test]
fn a_script_can_demand_a_lock_time() {
    let builder = script::Builder::new().push_int(200).push_opcode(opcodes::all::OP_CLTV);
    let witness_script = builder.push_opcode(opcodes::all::OP_DROP).push_opcode(opcodes::OP_TRUE).into_script();
    let mut node = node();
    let script = ScriptBuf::new_p2wsh(&witness_script.wscript_hash());
    let coins = node.fund(NOW, &script, Amount::from_sat(100_000), 1).unwrap();
    let mut payment = pay(coins[0], &[90_000]);
    payment.input[0].witness = Witness::from_slice(&[witness_script.as_bytes()]);
    assert_eq!(reason(&mut node, payment.clone()), "mempool-script-verify-flag-failed");
    payment.lock_time = absolute::LockTime::from_height(200).unwrap();
    assert_eq!(reason(&mut node, payment.clone()), "non-final");
    node.mine(NOW, 200 - node.chain().height());
    node.broadcast(NOW, payment).unwrap();
}

/// The next valid block, taken from a copy of the node, changed and worked on again.
fn changed(node: &FullNode, change: impl FnOnce(&mut Block)) -> Block {
    let mut copy = node.clone();
    copy.mine(NOW, 1);
    let mut block = copy.chain().block(copy.chain().height()).expect("it was mined").as_ref().clone();
    change(&mut block);
    while block.header.validate_pow(Target::from_compact(block.header.bits)).is_err() {
        block.header.nonce += 1;
    }
    block
}

fn with_merkle_root(block: &mut Block) {
    block.header.merkle_root = block.compute_merkle_root().expect("there is a coinbase");
}

#[test]
fn an_invalid_block_is_refused_with_its_reason() {
    let (mut node, _) = funded(1);
    node.mine(NOW, 1);
    let mut refusal = |change: fn(&mut Block)| node.connect(changed(&node, change)).unwrap_err().to_string();
    assert_eq!(refusal(|block| block.header.prev_blockhash = block.block_hash()), "prev-blk-not-found");
    assert_eq!(refusal(|block| block.header.time = 1), "time-too-old");
    assert_eq!(refusal(|block| block.txdata[0].output[0].value = Amount::ZERO), "bad-txnmrklroot");
    let greedy = |block: &mut Block| {
        block.txdata[0].output[0].value = Amount::from_int_btc(51);
        with_merkle_root(block);
    };
    assert_eq!(refusal(greedy), "bad-cb-amount");
    let headless = |block: &mut Block| {
        block.txdata[0].input[0].script_sig = ScriptBuf::from_bytes(vec![1, 2, 3]);
        with_merkle_root(block);
    };
    assert_eq!(refusal(headless), "bad-cb-height");
    let hard = |block: &mut Block| block.header.bits = bitcoin::CompactTarget::from_consensus(0x207f_fffe);
    assert_eq!(refusal(hard), "bad-diffbits");
    let unworked = {
        let mut block = changed(&node, |_| {});
        while block.header.validate_pow(Target::from_compact(block.header.bits)).is_ok() {
            block.header.nonce += 1;
        }
        block
    };
    assert_eq!(node.connect(unworked), Err(BlockRefusal::ProofOfWork));
    node.connect(changed(&node, |_| {})).unwrap();
}

#[test]
fn the_header_commits_to_the_witnesses() {
    let (mut node, coins) = funded(1);
    node.broadcast(NOW, pay(coins[0], &[90_000])).unwrap();
    let block = changed(&node, |block| block.txdata[1].input[0].witness.push([1]));
    assert_eq!(node.connect(block), Err(BlockRefusal::WitnessCommitment));
}
