//! A chain of blocks and a mempool, with real signatures and real runestones.

use std::collections::BTreeMap;

use bitcoin::hashes::Hash;
use bitcoin::key::Secp256k1;
use bitcoin::secp256k1::{All, Message, XOnlyPublicKey};
use bitcoin::sighash::{Prevouts, SighashCache};
use bitcoin::taproot::Signature;
use bitcoin::{OutPoint, Script, TapSighashType, Transaction, TxOut, Txid};
use darkswap_trade::asset::Asset;
use darkswap_trade::coin::{Coin, Holdings};
use darkswap_trade::rune;
use darkswap_trade::swap::{Spend, Status};

use crate::dice::Dice;

pub(crate) struct Chain {
    pub(crate) secp: Secp256k1<All>,
    pub(crate) tip: u32,
    blocks: Vec<(u32, Transaction)>,
    pub(crate) mempool: Vec<Transaction>,
    /// Every output that ever was: what it holds follows from its outpoint.
    outputs: BTreeMap<OutPoint, (TxOut, Holdings)>,
    genesis: Vec<OutPoint>,
}

impl Chain {
    pub(crate) fn new() -> Self {
        let (blocks, mempool, outputs, genesis) = (Vec::new(), Vec::new(), BTreeMap::new(), Vec::new());
        Self { secp: Secp256k1::new(), tip: 100, blocks, mempool, outputs, genesis }
    }

    /// An output that was always there.
    pub(crate) fn grant(&mut self, output: TxOut, holdings: Holdings) -> OutPoint {
        let txid = Txid::from_byte_array([u8::try_from(self.genesis.len() + 1).unwrap(); 32]);
        let outpoint = OutPoint { txid, vout: 0 };
        self.outputs.insert(outpoint, (output, holdings));
        self.genesis.push(outpoint);
        outpoint
    }

    fn height(&self, txid: Txid) -> Option<u32> {
        self.blocks.iter().find(|(_, tx)| tx.compute_txid() == txid).map(|(height, _)| *height)
    }

    pub(crate) fn depth(&self, txid: Txid) -> Option<u32> {
        self.height(txid).map(|height| self.tip - height + 1)
    }

    pub(crate) fn confirmed(&self, txid: Txid) -> Option<&Transaction> {
        self.blocks.iter().map(|(_, tx)| tx).find(|tx| tx.compute_txid() == txid)
    }

    fn spender(&self, outpoint: OutPoint) -> Option<&Transaction> {
        let spends = |tx: &&Transaction| tx.input.iter().any(|input| input.previous_output == outpoint);
        self.blocks.iter().map(|(_, tx)| tx).find(spends).or_else(|| self.mempool.iter().find(spends))
    }

    pub(crate) fn coin(&self, outpoint: OutPoint) -> Option<Coin> {
        let (output, holdings) = self.outputs.get(&outpoint)?;
        let height = if self.genesis.contains(&outpoint) { Some(1) } else { self.height(outpoint.txid) };
        let exists = height.is_some() || self.mempool.iter().any(|tx| tx.compute_txid() == outpoint.txid);
        (exists && self.spender(outpoint).is_none()).then(|| Coin {
            outpoint,
            output: output.clone(),
            height,
            holdings: holdings.clone(),
        })
    }

    pub(crate) fn status(&self, txid: Txid, spends: &[Spend]) -> Status {
        if let Some(depth) = self.depth(txid) {
            return Status::Confirmed { depth };
        }
        if self.mempool.iter().any(|tx| tx.compute_txid() == txid) {
            return Status::InMempool;
        }
        for spend in spends {
            if let Some(by) = self.spender(spend.outpoint).map(Transaction::compute_txid) {
                let depth = self.depth(by).unwrap_or(0);
                return Status::Conflicted { outpoint: spend.outpoint, by, depth };
            }
        }
        Status::Absent
    }

    pub(crate) fn fee(&self, tx: &Transaction) -> u64 {
        let paid: u64 = tx.input.iter().map(|input| self.outputs[&input.previous_output].0.value.to_sat()).sum();
        paid - tx.output.iter().map(|output| output.value.to_sat()).sum::<u64>()
    }

    /// Takes a transaction into the mempool, where it replaces what pays less.
    pub(crate) fn submit(&mut self, tx: &Transaction) -> Result<(), String> {
        let txid = tx.compute_txid();
        if self.mempool.iter().any(|it| it.compute_txid() == txid) || self.height(txid).is_some() {
            return Ok(());
        }
        let mut previous = Vec::new();
        for input in &tx.input {
            let (output, _) = self.outputs.get(&input.previous_output).ok_or("missing input")?;
            previous.push(output.clone());
            if self.spender(input.previous_output).is_some_and(|it| self.height(it.compute_txid()).is_some()) {
                return Err("input is spent".to_owned());
            }
        }
        self.verify(tx, &previous)?;
        let paid: u64 = previous.iter().map(|output| output.value.to_sat()).sum();
        let fee =
            paid.checked_sub(tx.output.iter().map(|output| output.value.to_sat()).sum()).ok_or("pays too little")?;
        let conflicts: Vec<Txid> =
            tx.input.iter().filter_map(|it| self.spender(it.previous_output)).map(Transaction::compute_txid).collect();
        let others: u64 =
            self.mempool.iter().filter(|it| conflicts.contains(&it.compute_txid())).map(|it| self.fee(it)).sum();
        if fee <= others {
            return Err(format!("insufficient fee: found {fee}, expected more than {others}"));
        }
        self.mempool.retain(|it| !conflicts.contains(&it.compute_txid()));
        self.record(tx);
        self.mempool.push(tx.clone());
        Ok(())
    }

    fn record(&mut self, tx: &Transaction) {
        let txid = tx.compute_txid();
        let held: Vec<Holdings> = tx.input.iter().map(|input| self.outputs[&input.previous_output].1.clone()).collect();
        let moved = rune::allocate(tx, &held, rune::Context::default()).unwrap();
        for (index, output) in tx.output.iter().enumerate() {
            let outpoint = OutPoint { txid, vout: u32::try_from(index).unwrap() };
            let holdings = moved.outputs.get(index).cloned().unwrap_or_default();
            self.outputs.insert(outpoint, (output.clone(), holdings));
        }
    }

    fn verify(&self, tx: &Transaction, previous: &[TxOut]) -> Result<(), String> {
        let mut cache = SighashCache::new(tx);
        for (index, input) in tx.input.iter().enumerate() {
            let signature = input.witness.nth(0).ok_or("empty witness")?;
            let signature = Signature::from_slice(signature).map_err(|error| error.to_string())?;
            let prevouts = match signature.sighash_type {
                TapSighashType::SinglePlusAnyoneCanPay => Prevouts::One(index, previous[index].clone()),
                _ => Prevouts::All(previous),
            };
            let hash = cache
                .taproot_key_spend_signature_hash(index, &prevouts, signature.sighash_type)
                .map_err(|error| error.to_string())?;
            let key = XOnlyPublicKey::from_slice(&previous[index].script_pubkey.as_bytes()[2..]).unwrap();
            let message = Message::from_digest(hash.to_byte_array());
            self.secp.verify_schnorr(&signature.signature, &message, &key).map_err(|_| "wrong signature")?;
        }
        Ok(())
    }

    /// A block with each waiting transaction at the given chance.
    pub(crate) fn mine(&mut self, dice: &mut Dice, chance: u64) {
        self.tip += 1;
        let waiting = std::mem::take(&mut self.mempool);
        for tx in waiting {
            let is_ready = tx.input.iter().all(|input| {
                self.genesis.contains(&input.previous_output) || self.height(input.previous_output.txid).is_some()
            });
            if is_ready && dice.percent(chance) {
                self.blocks.push((self.tip, tx));
            } else {
                self.mempool.push(tx);
            }
        }
    }

    /// The last `depth` blocks are replaced by one more, which need not have what they had.
    pub(crate) fn reorganise(&mut self, dice: &mut Dice, depth: u32) {
        let fork = self.tip - depth;
        let (kept, undone) = std::mem::take(&mut self.blocks).into_iter().partition(|(height, _)| *height <= fork);
        self.blocks = kept;
        self.tip = fork;
        let waiting = std::mem::take(&mut self.mempool);
        let undone: Vec<(u32, Transaction)> = undone;
        // What waited may come before what was undone: a double spend may win this time.
        let mut all: Vec<Transaction> = undone.into_iter().map(|(_, tx)| tx).chain(waiting).collect();
        if dice.percent(50) {
            all.reverse();
        }
        for tx in all {
            if dice.percent(85) {
                let _ = self.submit(&tx);
            }
        }
        for _ in 0..=depth {
            self.mine(dice, 60);
        }
    }

    pub(crate) fn evict(&mut self, index: usize) {
        if index < self.mempool.len() {
            self.mempool.remove(index);
        }
    }

    /// What the confirmed outputs with this script hold.
    pub(crate) fn wealth(&self, script: &Script, asset: Asset) -> (u64, u128) {
        let mut wealth = (0, 0);
        for (outpoint, (output, holdings)) in &self.outputs {
            let exists = self.genesis.contains(outpoint) || self.height(outpoint.txid).is_some();
            let is_spent = self.spender(*outpoint).is_some_and(|it| self.height(it.compute_txid()).is_some());
            if exists && !is_spent && *output.script_pubkey == *script {
                wealth.0 += output.value.to_sat();
                wealth.1 += holdings.get(&asset).copied().unwrap_or(0);
            }
        }
        wealth
    }
}

impl Chain {
    /// An output, spent or not.
    pub(crate) fn output(&self, outpoint: OutPoint) -> Option<TxOut> {
        self.outputs.get(&outpoint).map(|(output, _)| output.clone())
    }
}
