//! Where the runes on the inputs of one transaction go.

use std::collections::BTreeMap;

use bitcoin::Transaction;
use ordinals::{Artifact, Edict, RuneId, Runestone};

use crate::asset::Asset;
use crate::coin::Holdings;
use crate::rune::Balances;

/// Why a transaction cannot be evaluated. Neither can happen to what an index that follows the chain says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// There is not one entry per input.
    #[error(
        "found holdings of {found} inputs, expected {expected}: give one entry per input, empty where it holds nothing"
    )]
    Inputs {
        /// Entries given.
        found: usize,
        /// Inputs of the transaction.
        expected: usize,
    },
    /// The inputs hold more units of an asset than can exist.
    #[error("the inputs hold more than 2^128 - 1 units of {asset}: what was told about them is wrong")]
    Overflow {
        /// Which asset.
        asset: Asset,
    },
}

/// What the chain makes of a runestone's etching and mint. It takes an [index](crate::rune::index) to know, so the default is: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// The id of the rune that this transaction etches, if its etching is valid.
    pub etched: Option<RuneId>,
    /// What its mint gives; zero if it gives nothing.
    pub minted: u128,
}

/// Where assets went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allocation {
    /// What every output holds afterwards, by index.
    pub outputs: Vec<Holdings>,
    /// What no output holds any more.
    pub burned: Holdings,
}

impl Allocation {
    /// Adds what another protocol did in the same transaction: runes and alkanes never name the same asset.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        if self.outputs.len() < other.outputs.len() {
            self.outputs.resize(other.outputs.len(), Holdings::new());
        }
        for (holdings, more) in self.outputs.iter_mut().zip(other.outputs) {
            holdings.extend(more);
        }
        self.burned.extend(other.burned);
        self
    }
}

/// Moves the runes on the inputs of a transaction. Other assets in `holdings`, which has one entry per input, are left out.
///
/// Rules, in this order: mint and premine join the runes of the inputs; a cenotaph burns them all; each edict takes what it says, or what
/// is left if that is less (amount 0: all; output = number of outputs: split over those that are not OP_RETURN; id 0:0: the rune
/// etched here); the rest goes to the pointer, or else to the first output that is not OP_RETURN, or is burned where there is none. What
/// lands on OP_RETURN is burned.
pub fn allocate(tx: &Transaction, holdings: &[Holdings], context: Context) -> Result<Allocation, TransferError> {
    if holdings.len() != tx.input.len() {
        return Err(TransferError::Inputs { found: holdings.len(), expected: tx.input.len() });
    }
    let mut unallocated = Balances::new();
    for (asset, units) in holdings.iter().flatten() {
        if let Asset::Rune(id) = *asset {
            credit(&mut unallocated, id, *units)?;
        }
    }
    let artifact = Runestone::decipher(tx);
    let moved = distribute(tx, artifact.as_ref(), unallocated, context)?;
    Ok(Allocation { outputs: moved.outputs.into_iter().map(named).collect(), burned: named(moved.burned) })
}

/// The same with runes only.
pub(crate) struct Distribution {
    pub(crate) outputs: Vec<Balances>,
    pub(crate) burned: Balances,
}

/// Moves `unallocated`, the sum of the inputs, as the artifact of the transaction says.
pub(crate) fn distribute(
    tx: &Transaction,
    artifact: Option<&Artifact>,
    mut unallocated: Balances,
    context: Context,
) -> Result<Distribution, TransferError> {
    if let Some(id) = artifact.and_then(Artifact::mint) {
        credit(&mut unallocated, id, context.minted)?;
    }
    let mut outputs = vec![Balances::new(); tx.output.len()];
    let mut burned = Balances::new();
    let mut rest = first_spendable(tx);
    match artifact {
        Some(Artifact::Cenotaph(_)) => rest = None,
        Some(Artifact::Runestone(runestone)) => {
            if let (Some(id), Some(etching)) = (context.etched, &runestone.etching) {
                credit(&mut unallocated, id, etching.premine.unwrap_or_default())?;
            }
            for edict in &runestone.edicts {
                follow(tx, *edict, context.etched, &mut unallocated, &mut outputs)?;
            }
            rest = runestone.pointer.and_then(|pointer| usize::try_from(pointer).ok()).or(rest);
        }
        None => {}
    }
    for (id, units) in unallocated {
        let target = rest.and_then(|output| outputs.get_mut(output)).unwrap_or(&mut burned);
        credit(target, id, units)?;
    }
    for (output, balances) in tx.output.iter().zip(&mut outputs) {
        if output.script_pubkey.is_op_return() {
            for (id, units) in std::mem::take(balances) {
                credit(&mut burned, id, units)?;
            }
        }
    }
    Ok(Distribution { outputs, burned })
}

/// Moves what one edict says.
fn follow(
    tx: &Transaction,
    edict: Edict,
    etched: Option<RuneId>,
    unallocated: &mut Balances,
    outputs: &mut [Balances],
) -> Result<(), TransferError> {
    let id = if edict.id == RuneId::default() {
        let Some(id) = etched else { return Ok(()) };
        id
    } else {
        edict.id
    };
    let Some(balance) = unallocated.get_mut(&id) else { return Ok(()) };
    for (output, units) in shares(tx, edict.output, edict.amount, *balance) {
        let Some(target) = outputs.get_mut(output) else { continue };
        let units = units.min(*balance);
        *balance -= units;
        credit(target, id, units)?;
    }
    Ok(())
}

/// What an edict wants for each output, in order; more than there is means what is left.
fn shares(tx: &Transaction, output: u32, amount: u128, balance: u128) -> Vec<(usize, u128)> {
    let output = usize::try_from(output).unwrap_or(usize::MAX);
    if output != tx.output.len() {
        return vec![(output, if amount == 0 { balance } else { amount })];
    }
    let targets: Vec<usize> = spendable(tx).collect();
    let count = targets.len() as u128;
    let share = |position: usize| match amount {
        // Only called with at least one target. Those in front get the remainder, one unit each.
        0 => balance / count + u128::from((position as u128) < balance % count),
        amount => amount,
    };
    targets.iter().enumerate().map(|(position, output)| (*output, share(position))).collect()
}

/// The indices of outputs that are not OP_RETURN.
pub(crate) fn spendable(tx: &Transaction) -> impl Iterator<Item = usize> + '_ {
    tx.output.iter().enumerate().filter(|(_, output)| !output.script_pubkey.is_op_return()).map(|(index, _)| index)
}

/// The output that gets what nobody allocates and no pointer names.
pub(crate) fn first_spendable(tx: &Transaction) -> Option<usize> {
    spendable(tx).next()
}

/// Adds units to a balance and never makes an entry of zero.
pub(crate) fn credit(balances: &mut Balances, id: RuneId, units: u128) -> Result<(), TransferError> {
    add(balances, id, units).ok_or(TransferError::Overflow { asset: Asset::Rune(id) })
}

/// Adds units to an entry of any map; none if they do not fit. Makes no entry of zero.
pub(crate) fn add<K: Ord>(balances: &mut BTreeMap<K, u128>, key: K, units: u128) -> Option<()> {
    if units > 0 {
        let balance = balances.entry(key).or_default();
        *balance = balance.checked_add(units)?;
    }
    Some(())
}

fn named(balances: Balances) -> Holdings {
    balances.into_iter().map(|(id, units)| (Asset::Rune(id), units)).collect()
}

#[cfg(test)]
mod tests;
