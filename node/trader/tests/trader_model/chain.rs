//! A chain of blocks and a mempool, with real signatures and real runestones.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bitcoin::absolute::LockTime;
use bitcoin::block::Header;
use bitcoin::constants::genesis_block;
use bitcoin::hashes::Hash;
use bitcoin::key::Secp256k1;
use bitcoin::secp256k1::{Message, XOnlyPublicKey};
use bitcoin::sighash::{Prevouts, SighashCache};
use bitcoin::taproot::{ControlBlock, LeafVersion, Signature};
use bitcoin::transaction::Version;
use bitcoin::{
    Amount, Block, BlockHash, Network, OutPoint, ScriptBuf, Sequence, TapLeafHash, TapSighashType, Transaction, TxIn,
    TxOut, Txid, Witness,
};
use darkswap_trade::asset::Asset;
use darkswap_trade::coin::{Coin, Holdings};
use darkswap_trade::rune::{self, MemoryState, PreviousOutput, State as _};
use darkswap_trade::swap::{Spend, Status};
use darkswap_trader::chain::{KnownRune, RuneQuery};
use darkswap_wallet::bdk_chain::{BlockId, CheckPoint, ConfirmationBlockTime};
use darkswap_wallet::{ScanRequest, SyncRequest, Update};

pub(crate) struct Chain {
    /// From the first one on.
    blocks: Vec<(Header, Vec<Transaction>)>,
    pub(crate) mempool: Vec<Transaction>,
    /// Every output that ever was: what it holds follows from its outpoint.
    outputs: BTreeMap<OutPoint, (TxOut, Holdings)>,
    /// Whether the mempool takes nothing.
    pub(crate) is_full: bool,
    made: u32,
    granted: BTreeSet<Txid>,
    /// Runes that were etched, as of a tip.
    index: RefCell<(Option<BlockHash>, MemoryState)>,
}

impl Chain {
    pub(crate) fn new() -> Self {
        let first = (genesis_block(Network::Regtest).header, Vec::new());
        let (mempool, outputs, granted) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
        Self { blocks: vec![first], mempool, outputs, is_full: false, made: 0, granted, index: RefCell::default() }
    }

    pub(crate) fn tip(&self) -> (u32, BlockHash) {
        (u32::try_from(self.blocks.len() - 1).unwrap(), self.blocks.last().unwrap().0.block_hash())
    }

    /// A transaction from nowhere with one output, for the next block.
    pub(crate) fn grant(&mut self, script: ScriptBuf, sats: u64, holdings: Holdings) -> OutPoint {
        self.made += 1;
        let nowhere =
            Txid::from_byte_array([[0xee; 28].as_slice(), &self.made.to_le_bytes()].concat().try_into().unwrap());
        let input = TxIn {
            previous_output: OutPoint::new(nowhere, 0),
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        };
        let output = TxOut { value: Amount::from_sat(sats), script_pubkey: script };
        let (version, lock_time) = (Version::TWO, LockTime::ZERO);
        let transaction = Transaction { version, lock_time, input: vec![input], output: vec![output.clone()] };
        let outpoint = OutPoint::new(transaction.compute_txid(), 0);
        self.outputs.insert(outpoint, (output, holdings));
        self.granted.insert(outpoint.txid);
        self.mempool.push(transaction);
        outpoint
    }

    pub(crate) fn mine(&mut self) {
        self.made += 1;
        let (last, first) = (self.blocks.last().unwrap().0, self.blocks[0].0);
        let header = Header { prev_blockhash: last.block_hash(), nonce: self.made, ..first };
        let waiting = std::mem::take(&mut self.mempool);
        let (mined, waits) = waiting.into_iter().partition(|it| self.is_final(it));
        self.mempool = waits;
        self.blocks.push((header, mined));
    }

    /// The last blocks are replaced by empty ones and one more; what they had waits again.
    pub(crate) fn reorganise(&mut self, depth: usize) {
        let undone = self.blocks.split_off(self.blocks.len() - depth);
        let waiting = std::mem::take(&mut self.mempool);
        self.mempool = undone.into_iter().flat_map(|(_, transactions)| transactions).chain(waiting).collect();
        let waiting = std::mem::take(&mut self.mempool);
        for _ in 0..=depth {
            self.mine();
        }
        self.mempool = waiting;
    }

    /// Whether the next block may have it (BIP 68).
    fn is_final(&self, transaction: &Transaction) -> bool {
        let next = self.tip().0 + 1;
        transaction.input.iter().all(|input| match input.sequence.to_relative_lock_time() {
            Some(bitcoin::relative::LockTime::Blocks(blocks)) => {
                let height = self.find(input.previous_output.txid).and_then(|(height, _)| height);
                height.is_some_and(|height| next >= height + u32::from(blocks.value()))
            }
            _ => true,
        })
    }

    /// What the index of runes says, once it has seen the tip.
    fn with_index<T>(&self, answer: impl FnOnce(&MemoryState) -> T) -> T {
        let mut index = self.index.borrow_mut();
        if index.0 != Some(self.tip().1) {
            *index = (Some(self.tip().1), self.indexed());
        }
        answer(&index.1)
    }

    fn indexed(&self) -> MemoryState {
        let (index, mut state) = (rune::Index::new(Network::Regtest), MemoryState::default());
        for (height, (header, transactions)) in (0..).zip(&self.blocks) {
            let block = Block { header: *header, txdata: transactions.clone() };
            let wanted = index.wanted(&block).into_iter();
            let previous = wanted.filter_map(|outpoint| {
                let (height, parent) = self.find(outpoint.txid)?;
                let script_pubkey = parent.output[outpoint.vout as usize].script_pubkey.clone();
                Some((outpoint, PreviousOutput { script_pubkey, height: height? }))
            });
            index.apply_block(&block, height, &previous.collect(), &mut state).unwrap();
        }
        state
    }

    pub(crate) fn rune(&self, query: RuneQuery) -> Option<KnownRune> {
        self.with_index(|index| {
            let id = match query {
                RuneQuery::Id(id) => id,
                RuneQuery::Name(rune) => index.id(rune).unwrap()?,
            };
            Some((id, index.entry(id).unwrap()?))
        })
    }

    fn all(&self) -> impl Iterator<Item = (Option<u32>, &Transaction)> {
        let mined = self.blocks.iter().enumerate();
        let mined = mined.flat_map(|(height, (_, of))| of.iter().map(move |it| (u32::try_from(height).ok(), it)));
        mined.chain(self.mempool.iter().map(|it| (None, it)))
    }

    /// A transaction in a block or waiting, with its height.
    pub(crate) fn find(&self, txid: Txid) -> Option<(Option<u32>, &Transaction)> {
        self.all().find(|(_, it)| it.compute_txid() == txid)
    }

    fn spender(&self, outpoint: OutPoint) -> Option<(Option<u32>, &Transaction)> {
        self.all().find(|(_, it)| it.input.iter().any(|input| input.previous_output == outpoint))
    }

    pub(crate) fn coin(&self, outpoint: OutPoint) -> Option<Coin> {
        let (output, holdings) = self.outputs.get(&outpoint)?.clone();
        let (height, _) = self.find(outpoint.txid)?;
        // Only blocks say what an output holds.
        let mut holdings = if height.is_some() { holdings } else { Holdings::new() };
        let etched = self.with_index(|index| index.balances(&outpoint).unwrap());
        holdings.extend(etched.into_iter().flatten().map(|(id, units)| (Asset::Rune(id), units)));
        self.spender(outpoint).is_none().then_some(Coin { outpoint, output, height, holdings })
    }

    fn depth(&self, height: Option<u32>) -> u32 {
        height.map_or(0, |height| self.tip().0 - height + 1)
    }

    pub(crate) fn status(&self, txid: Txid, spends: &[Spend]) -> Status {
        if let Some((height, _)) = self.find(txid) {
            let depth = self.depth(height);
            return if depth == 0 { Status::InMempool } else { Status::Confirmed { depth } };
        }
        for spend in spends {
            if let Some((height, by)) = self.spender(spend.outpoint) {
                let (outpoint, by) = (spend.outpoint, by.compute_txid());
                return Status::Conflicted { outpoint, by, depth: self.depth(height) };
            }
        }
        Status::Absent
    }

    pub(crate) fn fee(&self, transaction: &Transaction) -> u64 {
        let paid: u64 =
            transaction.input.iter().map(|input| self.outputs[&input.previous_output].0.value.to_sat()).sum();
        paid - transaction.output.iter().map(|output| output.value.to_sat()).sum::<u64>()
    }

    /// Takes a transaction into the mempool, where it replaces what pays less.
    pub(crate) fn submit(&mut self, transaction: &Transaction) -> Result<(), String> {
        if self.find(transaction.compute_txid()).is_some() {
            return Ok(());
        }
        if self.is_full {
            return Err("mempool min fee not met".to_owned());
        }
        let mut previous = Vec::new();
        let mut conflicts = BTreeSet::new();
        for input in &transaction.input {
            let outpoint = input.previous_output;
            self.find(outpoint.txid).ok_or("bad-txns-inputs-missingorspent")?;
            previous.push(self.outputs.get(&outpoint).ok_or("missing input")?.0.clone());
            match self.spender(outpoint) {
                Some((Some(_), _)) => return Err("input is spent".to_owned()),
                Some((None, other)) => drop(conflicts.insert(other.compute_txid())),
                None => {}
            }
        }
        verify(transaction, &previous)?;
        if !self.is_final(transaction) {
            return Err("non-BIP68-final".to_owned());
        }
        let paid: u64 = previous.iter().map(|output| output.value.to_sat()).sum();
        let gets: u64 = transaction.output.iter().map(|output| output.value.to_sat()).sum();
        let fee = paid.checked_sub(gets).ok_or("pays more than it has")?;
        let replaced = self.mempool.iter().filter(|it| conflicts.contains(&it.compute_txid()));
        let others: u64 = replaced.map(|it| self.fee(it)).sum();
        if !conflicts.is_empty() && fee < others + transaction.vsize() as u64 {
            return Err(format!("insufficient fee: found {fee}, expected more than {others}"));
        }
        // What hangs on them goes as well; the mempool has parents first.
        self.mempool.retain(|it| {
            let is_gone = |it: &Txid| conflicts.contains(it);
            let goes = is_gone(&it.compute_txid()) || it.input.iter().any(|it| is_gone(&it.previous_output.txid));
            if goes {
                conflicts.insert(it.compute_txid());
            }
            !goes
        });
        self.record(transaction);
        self.mempool.push(transaction.clone());
        Ok(())
    }

    fn record(&mut self, transaction: &Transaction) {
        let txid = transaction.compute_txid();
        let inputs = transaction.input.iter();
        let held: Vec<Holdings> = inputs.map(|input| self.outputs[&input.previous_output].1.clone()).collect();
        let moved = rune::allocate(transaction, &held, rune::Context::default()).unwrap();
        assert!(moved.burned.is_empty(), "{txid} burns {:?}", moved.burned);
        for (index, output) in transaction.output.iter().enumerate() {
            let outpoint = OutPoint { txid, vout: u32::try_from(index).unwrap() };
            let holdings = moved.outputs.get(index).cloned().unwrap_or_default();
            self.outputs.insert(outpoint, (output.clone(), holdings));
        }
    }

    /// What unspent outputs with such scripts hold.
    pub(crate) fn wealth(&self, mut is_mine: impl FnMut(&ScriptBuf) -> bool) -> (u64, u128) {
        let mut wealth = (0, 0);
        for (outpoint, (output, holdings)) in &self.outputs {
            if is_mine(&output.script_pubkey) && self.find(outpoint.txid).is_some() && self.spender(*outpoint).is_none()
            {
                wealth.0 += output.value.to_sat();
                wealth.1 += holdings.values().sum::<u128>();
            }
        }
        wealth
    }

    /// Transactions in blocks, without those from nowhere.
    pub(crate) fn confirmed(&self) -> impl Iterator<Item = &Transaction> {
        let mined = self.blocks.iter().flat_map(|(_, transactions)| transactions);
        mined.filter(|it| !self.granted.contains(&it.compute_txid()))
    }

    pub(crate) fn output(&self, outpoint: OutPoint) -> &TxOut {
        &self.outputs[&outpoint].0
    }

    pub(crate) fn sync(&self, mut request: SyncRequest) -> Update {
        let seconds = request.start_time();
        let (mut scripts, mut expected) = (BTreeSet::new(), BTreeSet::new());
        for asked in request.iter_spks_with_expected_txids() {
            expected.extend(asked.expected_txids.iter().copied());
            scripts.insert(asked.spk);
        }
        let mut update = self.update(&scripts, seconds);
        let gone = expected.into_iter().filter(|txid| self.find(*txid).is_none());
        update.tx_update.evicted_ats.extend(gone.map(|txid| (txid, seconds)));
        update
    }

    pub(crate) fn scan(&self, mut request: ScanRequest) -> Update {
        let (mut scripts, mut last) = (BTreeSet::new(), BTreeMap::new());
        for keychain in request.keychains() {
            let mut unused = 0;
            for (index, script) in request.iter_spks(keychain) {
                if self.outputs.values().any(|(output, _)| output.script_pubkey == script) {
                    unused = 0;
                    last.insert(keychain, index);
                } else {
                    unused += 1;
                }
                scripts.insert(script);
                if unused == 20 {
                    break;
                }
            }
        }
        Update { last_active_indices: last, ..self.update(&scripts, request.start_time()) }
    }

    fn update(&self, scripts: &BTreeSet<ScriptBuf>, seconds: u64) -> Update {
        let ids = self.blocks.iter().enumerate();
        let ids: Vec<BlockId> =
            ids.map(|(height, (header, _))| (u32::try_from(height).unwrap(), header.block_hash()).into()).collect();
        let mut update = Update { chain: CheckPoint::from_block_ids(ids.iter().copied()).ok(), ..Default::default() };
        let is_of = |outpoint: &OutPoint| {
            self.outputs.get(outpoint).is_some_and(|(output, _)| scripts.contains(&output.script_pubkey))
        };
        for (height, transaction) in self.all() {
            let pays = transaction.output.iter().any(|output| scripts.contains(&output.script_pubkey));
            if !pays && !transaction.input.iter().any(|input| is_of(&input.previous_output)) {
                continue;
            }
            let txid = transaction.compute_txid();
            match height {
                Some(height) => {
                    let block_id = ids[height as usize];
                    update
                        .tx_update
                        .anchors
                        .insert((ConfirmationBlockTime { block_id, confirmation_time: seconds }, txid));
                }
                None => drop(update.tx_update.seen_ats.insert((txid, seconds))),
            }
            update.tx_update.txs.push(Arc::new(transaction.clone()));
            // What it spends, so that its fee is known.
            for input in &transaction.input {
                if let Some((_, parent)) = self.find(input.previous_output.txid) {
                    update.tx_update.txs.push(Arc::new(parent.clone()));
                }
            }
        }
        update
    }
}

fn verify(transaction: &Transaction, previous: &[TxOut]) -> Result<(), String> {
    let secp = Secp256k1::verification_only();
    let mut cache = SighashCache::new(transaction);
    for (index, input) in transaction.input.iter().enumerate() {
        if let [signature, leaf, control] = &input.witness.to_vec()[..] {
            verify_leaf(transaction, index, previous, (signature, leaf, control))?;
            continue;
        }
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
        secp.verify_schnorr(&signature.signature, &message, &key).map_err(|_| "wrong signature")?;
    }
    Ok(())
}

/// A script path whose leaf begins with a key and `OP_CHECKSIG`, which is all that commitments need.
fn verify_leaf(
    transaction: &Transaction,
    index: usize,
    previous: &[TxOut],
    (signature, leaf, control): (&[u8], &[u8], &[u8]),
) -> Result<(), String> {
    let secp = Secp256k1::verification_only();
    let script = ScriptBuf::from_bytes(leaf.to_vec());
    let control = ControlBlock::decode(control).map_err(|error| error.to_string())?;
    let output = XOnlyPublicKey::from_slice(&previous[index].script_pubkey.as_bytes()[2..]).unwrap();
    if !control.verify_taproot_commitment(&secp, output, &script) {
        return Err("wrong control block".to_owned());
    }
    assert!(leaf[0] == 32 && leaf[33] == 0xac, "<key> OP_CHECKSIG");
    let key = XOnlyPublicKey::from_slice(&leaf[1..33]).unwrap();
    let hash = SighashCache::new(transaction)
        .taproot_script_spend_signature_hash(
            index,
            &Prevouts::All(previous),
            TapLeafHash::from_script(&script, LeafVersion::TapScript),
            TapSighashType::Default,
        )
        .unwrap();
    let signature = bitcoin::secp256k1::schnorr::Signature::from_slice(signature).map_err(|error| error.to_string())?;
    let message = Message::from_digest(hash.to_byte_array());
    secp.verify_schnorr(&signature, &message, &key).map_err(|_| "wrong signature in the leaf".to_owned())
}
