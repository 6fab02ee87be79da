//! The chain before the run: everything that a scenario gives to its hosts is mined, etched and confirmed a day before it begins.
//!
//! It follows from scenario and seed alone and draws nothing from the entropy of hosts.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::key::{Keypair, Secp256k1, UntweakedPublicKey};
use bitcoin::opcodes::OP_TRUE;
use bitcoin::opcodes::all::OP_DROP;
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::taproot::{LeafVersion, TaprootBuilder};
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness, absolute, transaction};
use darkswap_chain::{FullNode, NodeConfig, Policy, spend_witness, spendable_script};
use darkswap_scenario::Topology;
use darkswap_scenario::topology::{Chain, JobAction};
use darkswap_trade::psbt::POSTAGE;
use darkswap_wallet::Seed;
use ordinals::{Edict, Etching, Rune, RuneId, Runestone};

use super::purse::{Purse, rune_balances};
use crate::clock::WALL_CLOCK_EPOCH;
use crate::entropy::Entropy;

/// How long before the run everything is founded: longer than the times of its blocks, which go one second ahead per six blocks.
const BEFORE: Duration = Duration::from_secs(24 * 60 * 60);
/// Blocks of a chain on which nothing was founded: deeper than any reorg of a scenario.
const FIRST_BLOCKS: u32 = 110;
/// Blocks on everything that was founded.
const DEPTH: u32 = 6;
/// Numbers of scripts that anybody can spend. Each payment has one of its own.
const FOUNDATION: u32 = 1;
const PAYERS: u32 = 2;
const FIRST_PAYMENT: u32 = 1_000;
/// Outputs of one founding transaction: after a deep reorg it must be light enough to be relayed.
const OUTPUTS: usize = 1_000;
/// What each payment spends, and what it pays for its 100 virtual bytes at the lowest fee rate, twice over.
const PAYMENT: u64 = 100_000;
const PAYMENT_VSIZE: u64 = 200;
/// Letters that the names of runes are filled up to: those that a chain allows from its first block.
const NAME: usize = 13;
const FILLING: &str = "DARKSWAPDARKSWAP";

/// A chain with everything on it, and who has what.
pub(super) struct Founded {
    pub(super) node: FullNode,
    /// By host.
    pub(super) purses: Vec<Option<Purse>>,
    pub(super) payments: Vec<Payment>,
}

/// A transaction that can be broadcast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Payment {
    pub(super) txid: Txid,
    pub(super) hex: String,
    /// What it pays to.
    pub(super) script: ScriptBuf,
}

/// A rune of the scenario and who gets it: scripts with units.
struct Allotment {
    name: String,
    outputs: Vec<(ScriptBuf, u64)>,
}

/// Founds the chain of a topology.
pub(super) fn found(topology: &Topology, plan: Chain, seed: u64) -> Result<Founded> {
    let relay_fee = plan.relay_fee.saturating_mul(1_000);
    let policy = Policy { min_relay_fee_rate: relay_fee, ..Policy::default() };
    let mut bytes = [0; 8];
    Entropy::new(seed, "chain").fill(&mut bytes);
    let node = FullNode::new(NodeConfig { policy, ..NodeConfig::default() }, u64::from_le_bytes(bytes));
    let mut founder = Founder { node, now: WALL_CLOCK_EPOCH.saturating_sub(BEFORE) };
    founder.node.mine(founder.now, FIRST_BLOCKS);

    let mut outputs = Vec::new();
    let mut allotments: Vec<Allotment> = Vec::new();
    let mut purses = Vec::new();
    for host in &topology.hosts {
        let Some(trader) = &host.trader else {
            purses.push(None);
            continue;
        };
        let mut entropy = [0; 16];
        Entropy::new(seed, &format!("wallet of host {}", host.name)).fill(&mut entropy);
        let (mut purse, scripts) = Purse::new(&host.name, Seed::from_entropy(&entropy)?, trader.coins)?;
        for (number, script) in (0..).zip(&scripts) {
            outputs.push(TxOut {
                value: Amount::from_sat(share(trader.bitcoin, trader.coins, number)),
                script_pubkey: script.clone(),
            });
        }
        for (name, units) in &trader.runes {
            let pieces = trader.coins.min(*units);
            let known = allotments.iter().position(|allotment| allotment.name == *name);
            let at = known.unwrap_or_else(|| {
                allotments.push(Allotment { name: name.clone(), outputs: Vec::new() });
                allotments.len() - 1
            });
            let pieces =
                (0..pieces).zip(&scripts).map(|(number, script)| (script.clone(), share(*units, pieces, number)));
            allotments[at].outputs.extend(pieces);
        }
        purse.lies.clone_from(&trader.lies);
        purses.push(Some(purse));
    }
    founder.pay(&outputs)?;
    let runes = founder.etch(&allotments)?;
    let payments = founder.payments(payments_of(topology), plan.relay_fee)?;
    founder.node.mine(founder.now, DEPTH);

    let balances = rune_balances(&founder.node);
    for purse in purses.iter_mut().flatten() {
        purse.founded = purse.wealth(&founder.node, &balances);
        purse.runes.clone_from(&runes);
    }
    Ok(Founded { node: founder.node, purses, payments })
}

/// How often hosts pay.
fn payments_of(topology: &Topology) -> u64 {
    let pays = topology.jobs.iter().filter(|job| matches!(job.action, JobAction::Pay { .. }));
    pays.map(|job| job.times().count() as u64).sum()
}

/// The part of so many that has this number; the first one gets what does not divide.
fn share(whole: u64, parts: u64, number: u64) -> u64 {
    let even = whole / parts;
    if number == 0 { whole - even * (parts - 1) } else { even }
}

struct Founder {
    node: FullNode,
    now: Duration,
}

impl Founder {
    /// Pays confirmed coins from the treasury, in order.
    fn pay(&mut self, outputs: &[TxOut]) -> Result<Vec<OutPoint>> {
        let mut paid = Vec::new();
        for outputs in outputs.chunks(OUTPUTS) {
            let sum: Amount = outputs.iter().map(|output| output.value).sum();
            let coins = self.node.fund(self.now, &spendable_script(FOUNDATION), sum, 1)?;
            let coin = *coins.first().context("one coin was asked for")?;
            let transaction = spend(coin, spend_witness(FOUNDATION), outputs.to_vec());
            let txid = transaction.compute_txid();
            self.node.mine_exactly(self.now, vec![transaction])?;
            paid.extend((0..).zip(outputs).map(|(vout, _)| OutPoint { txid, vout }));
        }
        Ok(paid)
    }

    /// Etches every rune, with all of its units on the outputs of those who get them.
    fn etch(&mut self, allotments: &[Allotment]) -> Result<BTreeMap<RuneId, String>> {
        if allotments.is_empty() {
            return Ok(BTreeMap::new());
        }
        let names = allotments.iter().map(|allotment| rune(&allotment.name)).collect::<Result<Vec<_>>>()?;
        let commitments = names.iter().map(|name| Commitment::to(*name)).collect::<Result<Vec<_>>>()?;
        let outputs = commitments.iter().zip(allotments).map(|(commitment, allotment)| TxOut {
            value: POSTAGE * allotment.outputs.len() as u64,
            script_pubkey: commitment.script.clone(),
        });
        let committed = self.pay(&outputs.collect::<Vec<_>>())?;
        // The commitment's own block is the first of its confirmations; the etching's may be the last.
        self.node.mine(self.now, u32::from(Runestone::COMMIT_CONFIRMATIONS));
        let mut etchings = Vec::new();
        for (((allotment, name), commitment), outpoint) in allotments.iter().zip(names).zip(commitments).zip(committed)
        {
            let mut outputs = vec![TxOut { value: Amount::ZERO, script_pubkey: runestone(allotment, name)? }];
            outputs.extend(
                allotment.outputs.iter().map(|(script, _)| TxOut { value: POSTAGE, script_pubkey: script.clone() }),
            );
            etchings.push(spend(outpoint, commitment.witness, outputs));
        }
        self.node.mine_exactly(self.now, etchings)?;
        let block = u64::from(self.node.chain().height());
        let named = (1..).zip(allotments).map(|(tx, allotment)| (RuneId { block, tx }, allotment.name.clone()));
        Ok(named.collect())
    }

    /// Makes coins for payments, and the payments.
    fn payments(&mut self, count: u64, relay_fee: u64) -> Result<Vec<Payment>> {
        let coin = TxOut { value: Amount::from_sat(PAYMENT), script_pubkey: spendable_script(PAYERS) };
        let coins = self.pay(&vec![coin; usize::try_from(count)?])?;
        let value = Amount::from_sat(PAYMENT.saturating_sub(PAYMENT_VSIZE.saturating_mul(relay_fee)));
        let payment = |(number, coin)| {
            let script = spendable_script(number);
            let output = TxOut { value, script_pubkey: script.clone() };
            let transaction = spend(coin, spend_witness(PAYERS), vec![output]);
            Payment { txid: transaction.compute_txid(), hex: serialize_hex(&transaction), script }
        };
        Ok((FIRST_PAYMENT..).zip(coins).map(payment).collect())
    }
}

/// An output that commits to a name, and what spends it and shows the name. Anybody may.
struct Commitment {
    script: ScriptBuf,
    witness: Witness,
}

impl Commitment {
    fn to(rune: Rune) -> Result<Self> {
        let name = PushBytesBuf::try_from(rune.commitment())?;
        let leaf = Builder::new().push_slice(name).push_opcode(OP_DROP).push_opcode(OP_TRUE).into_script();
        let secp = Secp256k1::new();
        let internal: UntweakedPublicKey = Keypair::from_seckey_slice(&secp, &[1; 32])?.x_only_public_key().0;
        let spend = TaprootBuilder::new().add_leaf(0, leaf.clone())?.finalize(&secp, internal);
        let spend = spend.ok().context("a tree of one leaf is complete")?;
        let control =
            spend.control_block(&(leaf.clone(), LeafVersion::TapScript)).context("the leaf is in the tree")?;
        let mut witness = Witness::new();
        witness.push(leaf.as_bytes());
        witness.push(control.serialize());
        Ok(Self { script: ScriptBuf::new_p2tr_tweaked(spend.output_key()), witness })
    }
}

/// The full name of a rune: the scenario's, filled up.
fn rune(name: &str) -> Result<Rune> {
    let filling = NAME.checked_sub(name.len()).and_then(|missing| FILLING.get(..missing));
    let filling = filling.with_context(|| format!("found the rune name `{name}`, expected at most 12 letters"))?;
    Ok(format!("{name}{filling}").parse()?)
}

/// The script that etches a rune and gives its units to the outputs behind it, in order.
fn runestone(allotment: &Allotment, rune: Rune) -> Result<ScriptBuf> {
    let premine: u128 = allotment.outputs.iter().map(|(_, units)| u128::from(*units)).sum();
    ensure!(premine > 0, "a rune without units");
    // In a runestone that etches, this id means the rune that it etches.
    let id = RuneId { block: 0, tx: 0 };
    let edict = |(output, (_, units)): (u32, &(ScriptBuf, u64))| Edict { id, amount: u128::from(*units), output };
    let etching = Etching {
        premine: Some(premine),
        rune: Some(rune),
        spacers: Some(1 << (allotment.name.len() - 1)),
        symbol: allotment.name.chars().next(),
        ..Etching::default()
    };
    let edicts = (1..).zip(&allotment.outputs).map(edict).collect();
    Ok(Runestone { edicts, etching: Some(etching), ..Runestone::default() }.encipher())
}

fn spend(previous_output: OutPoint, witness: Witness, output: Vec<TxOut>) -> Transaction {
    let (script_sig, sequence) = (ScriptBuf::new(), Sequence::ENABLE_RBF_NO_LOCKTIME);
    Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn { previous_output, script_sig, sequence, witness }],
        output,
    }
}

#[cfg(test)]
mod tests {
    use darkswap_scenario::check_bytes;

    use super::*;

    const SCENARIO: &str = "\
title: Founding
duration: 30s
hosts:
  indexer: {serves: [indexer]}
  alice: {trader: {bitcoin: 0.5btc, coins: 3, runes: {GOLD: 100000, OIL: 2}}}
  bob: {trader: {bitcoin: 100001sat, coins: 2, runes: {GOLD: 7}}}
  carol: {}
load:
  - {pay: {from: carol, to: indexer}, at: 1s, every: 10s}
expect:
  - count(path) == 0
";

    fn founded(seed: u64) -> Founded {
        let topology = check_bytes("founding", "founding.yaml", SCENARIO.as_bytes()).unwrap().topology(seed);
        found(&topology, topology.chain.unwrap(), seed).unwrap()
    }

    #[test]
    fn traders_have_what_the_scenario_says_by_the_rules_of_bitcoin_and_runes() {
        let founded = founded(1);
        assert_eq!(founded.purses.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, true, false]);
        let of = |host: usize| {
            let purse = founded.purses[host].as_ref().unwrap();
            let runes: Vec<_> =
                purse.founded.runes.iter().map(|(id, units)| (purse.runes[id].as_str(), *units)).collect();
            (purse.founded.bitcoin.to_sat(), runes)
        };
        // Five coins with runes on them.
        assert_eq!(of(1), (50_000_000 + 5 * POSTAGE.to_sat(), vec![("GOLD", 100_000), ("OIL", 2)]));
        assert_eq!(of(2), (100_001 + 2 * POSTAGE.to_sat(), vec![("GOLD", 7)]));
    }

    #[test]
    fn payments_can_be_broadcast_and_everything_is_deep_in_the_chain() {
        let mut founded = founded(2);
        assert_eq!(founded.payments.len(), 3);
        for payment in &founded.payments {
            let transaction = bitcoin::consensus::encode::deserialize_hex(&payment.hex).unwrap();
            assert_eq!(founded.node.broadcast(WALL_CLOCK_EPOCH, transaction), Ok(payment.txid));
        }
        let header = *founded.node.chain().header(founded.node.chain().height()).unwrap();
        assert!(u64::from(header.time) < WALL_CLOCK_EPOCH.as_secs());
    }

    #[test]
    fn the_same_seed_founds_the_same_chain() {
        let tip = |seed| founded(seed).node.chain().tip();
        assert_eq!(tip(3), tip(3));
        assert_ne!(tip(3), tip(4));
    }
}
