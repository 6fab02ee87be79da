//! Random chains: nothing is lost, and every block can be taken back.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

use super::*;

/// Draws transactions.
struct Draw {
    random: ChaCha8Rng,
    /// Outputs that nothing spends yet.
    unspent: Vec<OutPoint>,
}

impl Draw {
    fn below(&mut self, bound: u32) -> u32 {
        self.random.next_u32() % bound
    }

    fn one_in(&mut self, chance: u32) -> bool {
        self.below(chance) == 0
    }

    /// The rune etched in the transaction itself, one that was etched, or one that may be.
    fn id(&mut self, chain: &Chain) -> RuneId {
        if self.one_in(6) {
            return RuneId::default();
        }
        let count = u32::try_from(chain.state.entries().len()).unwrap();
        if count > 0 && !self.one_in(4) {
            let position = usize::try_from(self.below(count)).unwrap();
            return *chain.state.entries().keys().nth(position).unwrap();
        }
        RuneId { block: u64::from(self.below(chain.height + 1)).max(1), tx: self.below(4) }
    }

    fn runestone(&mut self, chain: &Chain, outputs: u32) -> ScriptBuf {
        if self.one_in(10) {
            let count = self.below(12);
            let integers: Vec<u128> = (0..count).map(|_| u128::from(self.below(30))).collect();
            return raw(&integers);
        }
        let edicts = (0..self.below(5))
            .map(|_| Edict { id: self.id(chain), amount: u128::from(self.below(40)), output: self.below(outputs + 1) })
            .collect();
        let etching = self.one_in(3).then(|| Etching {
            premine: Some(u128::from(self.below(500))),
            rune: None,
            terms: self.one_in(2).then(|| open(u128::from(self.below(20)), u128::from(self.below(4)))),
            ..Etching::default()
        });
        let mint = self.one_in(2).then(|| self.id(chain)).filter(|id| *id != RuneId::default());
        let pointer = self.one_in(3).then(|| self.below(outputs));
        Runestone { edicts, etching, mint, pointer }.encipher()
    }

    fn transaction(&mut self, chain: &mut Chain) -> Transaction {
        let mut inputs = Vec::new();
        for _ in 0..self.below(4).min(u32::try_from(self.unspent.len()).unwrap()) {
            let position = self.below(u32::try_from(self.unspent.len()).unwrap());
            inputs.push(self.unspent.swap_remove(usize::try_from(position).unwrap()));
        }
        let count = 1 + self.below(4);
        let mut outputs: Vec<TxOut> = (0..count)
            .map(|_| if self.one_in(5) { output(ScriptBuf::new_op_return([])) } else { output(taproot()) })
            .collect();
        if !self.one_in(5) {
            let position = usize::try_from(self.below(count)).unwrap();
            outputs[position] = output(self.runestone(chain, count));
        }
        let mut tx = chain.transaction(&inputs, outputs);
        if !inputs.is_empty() && self.one_in(4) {
            // Etch a name; often too early, or one that is taken.
            let rune = Rune(FREE.0 + u128::from(self.below(6)));
            let etching = Etching { premine: Some(77), terms: Some(open(3, 3)), ..named(rune) };
            tx.output[0] = output(Runestone { etching: Some(etching), ..Runestone::default() }.encipher());
            tx.input[0].witness = reveal(rune);
            tx.input[0].sequence = Sequence::ZERO;
        }
        let txid = tx.compute_txid();
        self.unspent.extend((0..count).map(|vout| OutPoint { txid, vout }));
        tx
    }

    fn block(&mut self, chain: &mut Chain) -> Block {
        let txs = (0..self.below(6)).map(|_| self.transaction(chain)).collect();
        chain.block(txs)
    }
}

fn assert_conserved(state: &MemoryState) {
    let mut held = Balances::new();
    for (id, units) in state.all_balances().values().flatten() {
        assert!(*units > 0, "an empty balance of {id}");
        add(&mut held, *id, *units).unwrap();
    }
    for (id, entry) in state.entries() {
        let held = held.remove(id).unwrap_or_default();
        assert_eq!(Some(held + entry.burned), entry.supply(), "rune {id}: {entry:?}");
        assert_eq!(state.id(entry.rune).unwrap(), Some(*id));
    }
    assert!(held.is_empty(), "balances without a rune: {held:?}");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn units_are_conserved_and_every_block_can_be_taken_back(seed: u64, length in 1..40_usize, depth in 0..40_usize) {
        let mut draw = Draw { random: ChaCha8Rng::seed_from_u64(seed), unspent: Vec::new() };
        let mut chain = Chain::regtest();
        let mut history = vec![(chain.state.clone(), None)];
        for _ in 0..length {
            let block = draw.block(&mut chain);
            chain.apply(&block).unwrap();
            assert_conserved(&chain.state);
            history.push((chain.state.clone(), Some(block)));
        }
        let depth = depth.min(length);
        for (undo, (before, _)) in chain.undo.iter().rev().zip(history.iter().rev().skip(1)).take(depth) {
            chain.index.undo_block(undo, &mut chain.state).unwrap();
            prop_assert_eq!(&chain.state, before);
        }
        // The same blocks lead to the same state and the same records.
        for height in length - depth..length {
            let (after, block) = &history[height + 1];
            let height32 = u32::try_from(height).unwrap();
            let undo = chain.index.apply_block(block.as_ref().unwrap(), height32, &chain.previous, &mut chain.state).unwrap();
            prop_assert_eq!(&undo, &chain.undo[height]);
            prop_assert_eq!(&chain.state, after);
        }
    }
}

#[test]
fn random_chains_reach_what_they_are_meant_to_reach() {
    let (mut names, mut reserved, mut burned, mut mints) = (0, 0, 0, 0);
    for seed in 0..8 {
        let mut draw = Draw { random: ChaCha8Rng::seed_from_u64(seed), unspent: Vec::new() };
        let mut chain = Chain::regtest();
        for _ in 0..60 {
            let block = draw.block(&mut chain);
            chain.apply(&block).unwrap();
        }
        for entry in chain.state.entries().values() {
            *if entry.rune.is_reserved() { &mut reserved } else { &mut names } += 1;
            burned += u32::from(entry.burned > 0);
            mints += u32::from(entry.mints > 0);
        }
    }
    assert!(names > 8 && reserved > 100 && burned > 50 && mints > 20, "{names} {reserved} {burned} {mints}");
}
