//! Random transactions with runes: etchings with and without names, mints, edicts, pointers, malformed runestones, plain payments.

use std::collections::BTreeMap;

use bitcoin::opcodes::all::{OP_PUSHNUM_13, OP_RETURN, OP_VERIFY};
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::{Amount, OutPoint, ScriptBuf, Transaction, TxOut};
use darkswap_regtest::{Commitment, Key, TestEnv};
use ordinals::{Edict, Etching, Rune, RuneId, Runestone, Terms, varint};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// Coins that a seed begins with.
const COINS: u32 = 8;
const COIN: Amount = Amount::from_sat(200_000);
/// Names that a seed commits to.
const NAMES: u32 = 4;
/// The first name of 13 letters, which every height allows.
const FREE: u128 = 99_246_114_928_149_462;
/// Transactions of one block.
const TRANSACTIONS: u32 = 8;
/// Outputs of one transaction, without the runestone.
const OUTPUTS: u32 = 4;
/// Every output can be split again.
const SMALLEST: Amount = Amount::from_sat(1_000);

/// What one seed owns and draws from.
pub(crate) struct World {
    random: ChaCha8Rng,
    key: Key,
    coins: BTreeMap<OutPoint, TxOut>,
    names: Vec<(Rune, OutPoint, Commitment)>,
}

impl World {
    /// Funds the coins and commitments of `seed` and mines them.
    pub(crate) fn new(seed: u64, env: &TestEnv) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let key = Key::from_seed(&[&b"world"[..], &seed.to_be_bytes()].concat());
        let mut outputs: Vec<TxOut> = (0..COINS).map(|_| key.output(COIN)).collect();
        let name = |random: &mut ChaCha8Rng| {
            let rune = Rune(FREE + u128::from(random.next_u64()));
            (rune, Commitment::to(rune))
        };
        let names: Vec<(Rune, Commitment)> = (0..NAMES).map(|_| name(&mut random)).collect();
        outputs.extend(names.iter().map(|(_, it)| TxOut { value: COIN, script_pubkey: it.script.clone() }));
        let outpoints = env.fund_all(&outputs).expect("the faucet pays");
        env.mine(1).expect("a block");
        let (owned, committed) = outpoints.split_at(COINS as usize);
        let coins = owned.iter().copied().zip(outputs).collect();
        let names = names.into_iter().zip(committed).map(|((rune, it), outpoint)| (rune, *outpoint, it)).collect();
        Self { random, key, coins, names }
    }

    /// Mines a block of random transactions, which may build on each other, and perhaps a few empty ones. `known` are runes that exist.
    pub(crate) fn round(&mut self, env: &TestEnv, known: &[RuneId]) {
        let height = env.height().expect("a height");
        let mut transactions = Vec::new();
        for _ in 0..TRANSACTIONS {
            let transaction = self.transaction(height, known);
            let txid = transaction.compute_txid();
            for (output, vout) in transaction.output.iter().zip(0..) {
                if output.script_pubkey == *self.key.script() {
                    self.coins.insert(OutPoint::new(txid, vout), output.clone());
                }
            }
            transactions.push(transaction);
        }
        env.mine_exactly(&transactions).expect("a valid block");
        // So that some commitments are ripe and others are not.
        for _ in 0..self.below(3) {
            env.mine_exactly(&[]).expect("a block");
        }
    }

    /// The outputs that nobody spent.
    pub(crate) fn unspent(&self) -> impl Iterator<Item = OutPoint> {
        self.coins.keys().copied()
    }

    fn below(&mut self, bound: u32) -> u32 {
        self.random.next_u32() % bound
    }

    fn one_in(&mut self, chance: u32) -> bool {
        self.below(chance) == 0
    }

    fn transaction(&mut self, height: u32, known: &[RuneId]) -> Transaction {
        let mut coins = Vec::new();
        let name = if self.one_in(5) { self.names.pop() } else { None };
        if let Some((_, outpoint, commitment)) = &name {
            coins.push((*outpoint, TxOut { value: COIN, script_pubkey: commitment.script.clone() }));
        }
        for _ in 0..=self.below(2) {
            let position = self.below(u32::try_from(self.coins.len().max(1)).expect("few")) as usize;
            let outpoint = self.coins.keys().nth(position).copied();
            coins.extend(outpoint.and_then(|outpoint| self.coins.remove_entry(&outpoint)));
        }
        let mut outputs = self.split(coins.iter().map(|(_, output)| output.value).sum());
        let count = u32::try_from(outputs.len()).expect("few") + 1;
        let stone = self.stone(height, known, count, name.as_ref().map(|(rune, _, _)| *rune));
        let position = self.below(count) as usize;
        outputs.insert(position, TxOut { value: Amount::ZERO, script_pubkey: stone });
        let mut transaction = self.key.spend(&coins, outputs).expect("built");
        if let Some((_, _, commitment)) = name {
            transaction.input[0].witness = commitment.witness;
        }
        transaction
    }

    /// Own outputs that together have what the inputs have: no fee is paid.
    fn split(&mut self, sum: Amount) -> Vec<TxOut> {
        let mut left = sum;
        let mut outputs = Vec::new();
        for _ in 0..self.below(OUTPUTS) {
            let part = left / 3;
            if part < SMALLEST {
                break;
            }
            outputs.push(self.key.output(part));
            left -= part;
        }
        outputs.push(self.key.output(left));
        outputs
    }

    fn stone(&mut self, height: u32, known: &[RuneId], outputs: u32, name: Option<Rune>) -> ScriptBuf {
        if name.is_none() && self.one_in(10) {
            return self.malformed(known);
        }
        if name.is_none() && self.one_in(8) {
            return Builder::new().push_opcode(OP_RETURN).push_slice(b"no runestone").into_script();
        }
        let edicts = (0..self.below(5)).map(|_| self.edict(known, outputs)).collect();
        let etches = name.is_some() || self.one_in(4);
        let etching = etches.then(|| self.etching(height, name));
        let mint = self.one_in(2).then(|| self.id(known));
        // One more than there are outputs makes a cenotaph.
        let pointer = self.one_in(2).then(|| if self.one_in(12) { outputs } else { self.below(outputs) });
        Runestone { edicts, etching, mint, pointer }.encipher()
    }

    fn edict(&mut self, known: &[RuneId], outputs: u32) -> Edict {
        let id = if self.one_in(4) { RuneId::default() } else { self.id(known) };
        let amount = match self.below(6) {
            0 => 0,
            1 => u128::MAX,
            _ => u128::from(self.below(200)),
        };
        // The number of outputs stands for all of them.
        Edict { id, amount, output: self.below(outputs + 1) }
    }

    fn etching(&mut self, height: u32, rune: Option<Rune>) -> Etching {
        let maybe = |this: &mut Self, bound: u32| this.one_in(2).then(|| u64::from(this.below(bound)));
        let near = |this: &mut Self| this.one_in(6).then(|| u64::from(height + this.below(8)));
        let terms = self.one_in(2).then(|| Terms {
            amount: maybe(self, 100).map(u128::from),
            cap: maybe(self, 6).map(u128::from),
            height: (near(self), near(self).map(|end| end + 4)),
            offset: (None, self.one_in(6).then_some(3)),
        });
        // Supply that does not fit into its number makes a cenotaph.
        let premine = if self.one_in(20) { u128::MAX } else { u128::from(self.below(1_000)) };
        Etching {
            divisibility: maybe(self, 39).and_then(|it| u8::try_from(it).ok()),
            premine: self.one_in(2).then_some(premine),
            rune,
            spacers: maybe(self, 16).and_then(|it| u32::try_from(it).ok()),
            symbol: self.one_in(2).then_some('¢'),
            terms,
            turbo: self.one_in(4),
        }
    }

    /// A rune that exists, or one that most likely does not.
    fn id(&mut self, known: &[RuneId]) -> RuneId {
        if known.is_empty() || self.one_in(8) {
            return RuneId { block: u64::from(1 + self.below(200)), tx: self.below(3) };
        }
        known[self.below(u32::try_from(known.len()).expect("few")) as usize]
    }

    /// A runestone that a reader takes for a cenotaph, most likely.
    fn malformed(&mut self, known: &[RuneId]) -> ScriptBuf {
        let builder = Builder::new().push_opcode(OP_RETURN).push_opcode(OP_PUSHNUM_13);
        if self.one_in(4) {
            return builder.push_opcode(OP_VERIFY).into_script();
        }
        let mut payload = Vec::new();
        for _ in 0..self.below(10) {
            varint::encode_to_vec(u128::from(self.below(30)), &mut payload);
        }
        if self.one_in(3) {
            // A mint in a cenotaph counts, and what it mints burns. Tag 20 is `mint`.
            let id = self.id(known);
            for integer in [20, u128::from(id.block), 20, u128::from(id.tx)] {
                varint::encode_to_vec(integer, &mut payload);
            }
        }
        if self.one_in(3) {
            // A number that does not end.
            payload.push(0x80);
        }
        builder.push_slice(PushBytesBuf::try_from(payload).expect("short")).into_script()
    }
}
