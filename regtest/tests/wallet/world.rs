//! A real chain with the node's own account of its runes, and wallets that follow it.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::time::Duration;

use bitcoin::absolute::LockTime;
use bitcoin::transaction::Version;
use bitcoin::{Amount, FeeRate, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid};
use darkswap_regtest::env::Electrum;
use darkswap_regtest::{Commitment, TestEnv};
use darkswap_trade::asset::Asset;
use darkswap_trade::psbt::POSTAGE;
use darkswap_trade::rune::etching_script;
use darkswap_wallet::coin::Standing;
use darkswap_wallet::{Keychain, Seed, Wallet, WalletEvent};
use electrum_client::ElectrumApi as _;
use ordinals::{Etching, RuneId, SpacedRune, Terms};

use crate::ledger::Ledger;
use crate::sync;

/// The rune of all tests.
pub(crate) const NAME: &str = "DARKSWAP•REGTEST";
/// What its etching makes.
pub(crate) const PREMINE: u128 = 100;
/// What a mint makes.
pub(crate) const MINT: u128 = 7;

pub(crate) fn sat(amount: u64) -> Amount {
    Amount::from_sat(amount)
}

pub(crate) fn rate(sat_per_vb: u32) -> FeeRate {
    FeeRate::from_sat_per_vb_u32(sat_per_vb)
}

pub(crate) fn name() -> SpacedRune {
    NAME.parse().expect("a name")
}

/// An empty wallet.
pub(crate) fn wallet(number: u8) -> Wallet {
    let seed = Seed::from_entropy(&[number; 16]).expect("16 bytes");
    Wallet::create(&seed, Network::Regtest).expect("a known network")
}

/// All bitcoin of a wallet, whatever it may be used for.
pub(crate) fn bitcoin_of(wallet: &Wallet) -> Amount {
    wallet.coins().iter().map(|coin| coin.output.value).sum()
}

/// All units of an asset in a wallet.
pub(crate) fn units_of(wallet: &Wallet, asset: Asset) -> u128 {
    let balance = wallet.assets().get(&asset).copied().unwrap_or_default();
    balance.confirmed + balance.pending + balance.reserved
}

/// A chain, what observes it, and the time by which wallets and swaps go. Real time plays no part.
pub(crate) struct World {
    pub(crate) env: TestEnv,
    pub(crate) electrum: Electrum,
    pub(crate) ledger: Ledger,
    pub(crate) now: Duration,
}

impl World {
    pub(crate) fn start() -> Self {
        let env = TestEnv::start().expect("a chain starts");
        let electrum = env.electrum().expect("electrs answers");
        Self { env, electrum, ledger: Ledger::new(), now: Duration::from_secs(1_800_000_000) }
    }

    /// Brings a wallet up to what electrs says now, and tells it what its confirmed coins hold.
    pub(crate) fn refresh(&mut self, wallet: &mut Wallet) -> Vec<WalletEvent> {
        self.now += Duration::from_secs(1);
        self.env.wait_electrs().expect("electrs follows");
        let update = sync::sync(&self.electrum, wallet.sync_request(self.now));
        let events = wallet.apply(update).expect("an honest answer");
        self.tell_holdings(wallet);
        events
    }

    /// The same with all addresses of the seed.
    pub(crate) fn scan(&mut self, wallet: &mut Wallet) {
        self.now += Duration::from_secs(1);
        self.env.wait_electrs().expect("electrs follows");
        let update = sync::scan(&self.electrum, wallet.scan_request(self.now));
        wallet.apply(update).expect("an honest answer");
        self.tell_holdings(wallet);
    }

    /// Tells a wallet what its confirmed coins hold.
    pub(crate) fn tell_holdings(&mut self, wallet: &mut Wallet) {
        self.ledger.follow(&self.env);
        // Only blocks say what an output holds.
        let is_confirmed = |standing| matches!(standing, Standing::Confirmed(_));
        let coins = wallet.coins().into_iter().filter(|coin| is_confirmed(coin.standing));
        for outpoint in coins.map(|coin| coin.outpoint) {
            wallet.set_holdings(outpoint, self.ledger.holdings(outpoint)).expect("its own coin");
        }
    }

    /// Confirmed coins of these amounts.
    pub(crate) fn fund(&mut self, wallet: &mut Wallet, amounts: &[u64]) -> Vec<OutPoint> {
        let output = |amount: &u64| {
            let script_pubkey = wallet.address(Keychain::External).script_pubkey();
            TxOut { value: sat(*amount), script_pubkey }
        };
        let outputs: Vec<TxOut> = amounts.iter().map(output).collect();
        let outpoints = self.env.fund_all(&outputs).expect("the faucet pays");
        self.env.mine(1).expect("a block");
        self.refresh(wallet);
        outpoints
    }

    /// Broadcasts through electrs. The error is bitcoind's.
    pub(crate) fn broadcast(&self, transaction: &Transaction) -> Result<Txid, String> {
        self.electrum.transaction_broadcast(transaction).map_err(|error| error.to_string())
    }

    /// Etches [`NAME`]: [`PREMINE`] units for the wallet, and two mints of [`MINT`]. The wallet pays for the commitment.
    pub(crate) fn etch(&mut self, wallet: &mut Wallet) -> RuneId {
        let receive = wallet.address(Keychain::External).script_pubkey();
        self.etch_for(wallet, receive)
    }

    /// The same with the units for somebody else.
    pub(crate) fn etch_for(&mut self, wallet: &mut Wallet, receive: ScriptBuf) -> RuneId {
        let commitment = Commitment::to(name().rune);
        let value = sat(10_000);
        let payment = wallet.pay(commitment.script.clone(), value, rate(5)).expect("it has a coin").transaction;
        let txid = self.broadcast(&payment).expect("bitcoind takes it");
        // The commitment's block, and those between it and the etching's.
        let depth = u32::try_from(Commitment::DEPTH).expect("small");
        self.env.mine(depth - 1).expect("blocks");

        let runestone = etching_script(etching(), Some(0), 3).expect("a runestone");
        let change = wallet.address(Keychain::Internal).script_pubkey();
        let output = vec![
            TxOut { value: POSTAGE, script_pubkey: receive },
            TxOut { value: Amount::ZERO, script_pubkey: runestone },
            TxOut { value: value - POSTAGE - sat(1_000), script_pubkey: change },
        ];
        let vout = payment.output.iter().position(|output| output.script_pubkey == commitment.script);
        let vout = u32::try_from(vout.expect("it was paid")).expect("few outputs");
        let input = TxIn {
            previous_output: OutPoint { txid, vout },
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness: commitment.witness,
            ..TxIn::default()
        };
        let etching = Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input: vec![input], output };
        self.broadcast(&etching).expect("bitcoind takes it");
        self.env.mine(1).expect("a block");
        self.refresh(wallet);
        RuneId { block: self.env.height().expect("a height").into(), tx: 1 }
    }
}

/// What is etched: [`PREMINE`] units, and two mints of [`MINT`].
pub(crate) fn etching() -> Etching {
    Etching {
        rune: Some(name().rune),
        spacers: Some(name().spacers),
        premine: Some(PREMINE),
        terms: Some(Terms { amount: Some(MINT), cap: Some(2), ..Terms::default() }),
        ..Etching::default()
    }
}
