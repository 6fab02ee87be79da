//! A made-up chain for the wallet's tests.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(unreachable_pub, reason = "a module of several test programs")]

use std::{sync::Arc, time::Duration};

use bitcoin::{
    Amount, BlockHash, FeeRate, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness,
    absolute::LockTime,
    constants::genesis_block,
    hashes::Hash,
    key::Secp256k1,
    secp256k1::{Message, XOnlyPublicKey, schnorr::Signature},
    sighash::{Prevouts, SighashCache, TapSighashType},
    transaction::Version,
};
use darkswap_trade::{
    asset::{AlkaneId, Asset},
    coin::Holdings,
};
use darkswap_wallet::{
    Keychain, Seed, Update, Wallet, WalletEvent,
    bdk_chain::{BlockId, CheckPoint, ConfirmationBlockTime},
    wallet::UpdateError,
};

/// A moment, in seconds.
pub fn at(seconds: u64) -> Duration {
    Duration::from_secs(1_700_000_000 + seconds)
}

pub fn seed(number: u8) -> Seed {
    Seed::from_entropy(&[number; 16]).unwrap()
}

pub fn rate(sat_per_vb: u64) -> FeeRate {
    FeeRate::from_sat_per_vb(sat_per_vb).unwrap()
}

pub fn sat(amount: u64) -> Amount {
    Amount::from_sat(amount)
}

pub fn alkane(number: u128) -> Asset {
    Asset::Alkane(AlkaneId { block: 2, tx: number })
}

pub fn rune() -> Asset {
    Asset::Rune("840000:1".parse().unwrap())
}

pub fn holdings(asset: Asset, units: u128) -> Holdings {
    [(asset, units)].into()
}

/// A script of somebody else.
pub fn stranger() -> ScriptBuf {
    ScriptBuf::from_bytes([vec![0, 20], vec![9; 20]].concat())
}

/// Something that starts as a runestone does.
pub fn runestone() -> ScriptBuf {
    ScriptBuf::from_bytes(vec![0x6a, 0x5d, 2, 1, 2])
}

/// The wallet, the chain that it follows, and the time.
pub struct World {
    pub wallet: Wallet,
    pub blocks: Vec<BlockId>,
    pub seconds: u64,
    pub made: u32,
    pub forks: u8,
}

impl World {
    pub fn new() -> Self {
        Self::over(Wallet::create(&seed(1), Network::Regtest).unwrap())
    }

    pub fn over(wallet: Wallet) -> Self {
        let genesis = BlockId { height: 0, hash: genesis_block(Network::Regtest).block_hash() };
        let mut world = Self { wallet, blocks: vec![genesis], seconds: 0, made: 0, forks: 0 };
        world.confirm([]);
        world
    }

    pub fn now(&mut self) -> Duration {
        self.seconds += 1;
        at(self.seconds)
    }

    /// A transaction from nowhere that pays outputs.
    pub fn payment_of(&mut self, outputs: impl IntoIterator<Item = (ScriptBuf, u64)>) -> Transaction {
        self.made += 1;
        let mut txid = [0xee; 32];
        txid[..4].copy_from_slice(&self.made.to_le_bytes());
        transaction([OutPoint::new(Txid::from_byte_array(txid), 0)], outputs)
    }

    pub fn script(&mut self) -> ScriptBuf {
        self.wallet.address(Keychain::External).script_pubkey()
    }

    /// A coin in a new block; nobody said what is on it.
    pub fn receive(&mut self, value: u64) -> OutPoint {
        let script = self.script();
        let payment = self.payment_of([(script, value)]);
        self.confirm([payment.clone()]);
        OutPoint::new(payment.compute_txid(), 0)
    }

    /// A clean coin in a new block.
    pub fn clean(&mut self, value: u64) -> OutPoint {
        self.carrying(value, Holdings::new())
    }

    /// A coin in a new block with assets on it.
    pub fn carrying(&mut self, value: u64, holdings: Holdings) -> OutPoint {
        let outpoint = self.receive(value);
        self.wallet.set_holdings(outpoint, holdings).unwrap();
        outpoint
    }

    /// A new block with transactions.
    pub fn confirm(&mut self, transactions: impl IntoIterator<Item = Transaction>) -> Vec<WalletEvent> {
        let height = u32::try_from(self.blocks.len()).unwrap();
        let mut hash = [self.forks; 32];
        hash[..4].copy_from_slice(&height.to_le_bytes());
        self.blocks.push(BlockId { height, hash: BlockHash::from_byte_array(hash) });
        let update = self.update(transactions);
        self.apply(update).unwrap()
    }

    /// The newest blocks are replaced by as many empty ones, and one more.
    pub fn reorganise(&mut self, depth: usize) -> Vec<WalletEvent> {
        self.forks += 1;
        let common = self.blocks.len() - depth;
        self.blocks.truncate(common);
        for height in common..=common + depth {
            let height = u32::try_from(height).unwrap();
            let mut hash = [self.forks; 32];
            hash[..4].copy_from_slice(&height.to_le_bytes());
            self.blocks.push(BlockId { height, hash: BlockHash::from_byte_array(hash) });
        }
        let update = self.update([]);
        self.apply(update).unwrap()
    }

    pub fn apply(&mut self, update: Update) -> Result<Vec<WalletEvent>, UpdateError> {
        self.wallet.apply(update)
    }

    /// The chain, and transactions in its newest block.
    pub fn update(&self, transactions: impl IntoIterator<Item = Transaction>) -> Update {
        let mut update =
            Update { chain: CheckPoint::from_block_ids(self.blocks.iter().copied()).ok(), ..Default::default() };
        let anchor = ConfirmationBlockTime {
            block_id: *self.blocks.last().unwrap(),
            confirmation_time: at(self.seconds).as_secs(),
        };
        for transaction in transactions {
            update.tx_update.anchors.insert((anchor, transaction.compute_txid()));
            update.tx_update.txs.push(Arc::new(transaction));
        }
        update
    }

    /// A transaction was seen waiting.
    pub fn see(&mut self, transaction: &Transaction) -> Vec<WalletEvent> {
        let now = self.now();
        self.wallet.apply_unconfirmed(transaction.clone(), now).unwrap()
    }

    /// What own outputs that a transaction spends pay.
    pub fn spent(&self, transaction: &Transaction) -> Vec<TxOut> {
        let known = self.wallet.transactions();
        let inputs = transaction.input.iter();
        inputs
            .map(|input| {
                let from = input.previous_output;
                let parent = known.iter().find(|tx| tx.transaction.compute_txid() == from.txid).unwrap();
                parent.transaction.output[usize::try_from(from.vout).unwrap()].clone()
            })
            .collect()
    }
}

pub fn transaction(
    inputs: impl IntoIterator<Item = OutPoint>,
    outputs: impl IntoIterator<Item = (ScriptBuf, u64)>,
) -> Transaction {
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: inputs
            .into_iter()
            .map(|previous_output| TxIn {
                previous_output,
                script_sig: ScriptBuf::new(),
                sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
                witness: Witness::new(),
            })
            .collect(),
        output: outputs
            .into_iter()
            .map(|(script_pubkey, value)| TxOut { script_pubkey, value: Amount::from_sat(value) })
            .collect(),
    }
}

/// Checks every signature as a node would (BIP 341, key path, SIGHASH_DEFAULT).
pub fn assert_signed(transaction: &Transaction, spent: &[TxOut]) {
    let secp = Secp256k1::verification_only();
    let mut cache = SighashCache::new(transaction);
    for (at, (input, output)) in transaction.input.iter().zip(spent).enumerate() {
        let hash = cache.taproot_key_spend_signature_hash(at, &Prevouts::All(spent), TapSighashType::Default).unwrap();
        let key = XOnlyPublicKey::from_slice(&output.script_pubkey.as_bytes()[2..]).unwrap();
        let signature = Signature::from_slice(input.witness.nth(0).unwrap()).unwrap();
        secp.verify_schnorr(&signature, &Message::from(hash), &key).unwrap();
    }
}
