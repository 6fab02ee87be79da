//! Where the alkanes on the inputs of one transaction go.
//!
//! | what the transaction has | what happens to alkanes on its inputs |
//! |---|---|
//! | protostones, one at least with tag 1 | they all come to the virtual output of the first of those; its edicts move them, the rest goes to its pointer, or to the first output that is not OP_RETURN |
//! | no runestone, a cenotaph, no protocol field, or only other protocols | **lost**: indexers strand them on the spent output or erase them. Newer versions of the reference indexer give them to the first output that is not OP_RETURN from some height on; that is not relied on, and they count as burned |
//! | what lands on OP_RETURN, on an output that does not exist, or on a protostone whose turn is over | lost |
//! | a message to a contract | whatever the contract decides: refused |
//! | a protoburn (fields 83 and 95) | differs between versions: refused |
//! | an edict that gives a fixed amount to every output | differs from what runes do, in an accident of the reference indexer: refused |
//! | malformed protostones | the reference indexer voids some and reads parts of others: refused |

use std::collections::BTreeMap;

use bitcoin::Transaction;

use crate::alkane::PROTOCOL;
use crate::alkane::protostone::{Edict, Protostone, ProtostoneError, protostones};
use crate::asset::{AlkaneId, Asset};
use crate::coin::Holdings;
use crate::rune::transfer::{Allocation, add, first_spendable, spendable};

/// Why nobody can say where alkanes go. A transaction that gets this must not be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlkaneRefusal {
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
    /// The inputs hold more units of an alkane than can exist.
    #[error("the inputs hold more than 2^128 - 1 units of alkane {id}: what was told about them is wrong")]
    Overflow {
        /// Which alkane.
        id: AlkaneId,
    },
    /// The protostones are malformed.
    #[error("the protostones cannot be read: {0}")]
    Malformed(ProtostoneError),
    /// A contract decides.
    #[error(
        "found a message to a contract in protostone {index}, expected a plain transfer: what it does is not known here"
    )]
    Message {
        /// Which protostone.
        index: usize,
    },
    /// Runes are converted.
    #[error("found a protoburn in protostone {index}, expected a plain transfer: indexers differ about it")]
    Protoburn {
        /// Which protostone.
        index: usize,
    },
    /// Alkanes come to another protocol's protostone.
    #[error(
        "found alkanes sent to protostone {index} of another protocol, expected an output: what it does with them is not known here"
    )]
    Foreign {
        /// Which protostone.
        index: usize,
    },
    /// A fixed amount for every output.
    #[error(
        "found an edict that gives {amount} units to every output, expected one edict per output: indexers differ about it"
    )]
    Split {
        /// How much each was to get.
        amount: u128,
    },
}

type Sheet = BTreeMap<AlkaneId, u128>;

/// Whether alkanes on the inputs survive this transaction at all: it has a sound runestone with a protostone for alkanes. Without one they
/// are burned. Where they go, [`allocate`] says.
pub fn is_protected(tx: &Transaction) -> bool {
    protostones(tx).is_ok_and(|stones| stones.iter().any(|stone| stone.protocol_tag == PROTOCOL))
}

/// Moves the alkanes on the inputs of a transaction, as the table above says. Other assets in `holdings`, which has one entry per input, are
/// left out.
pub fn allocate(tx: &Transaction, holdings: &[Holdings]) -> Result<Allocation, AlkaneRefusal> {
    if holdings.len() != tx.input.len() {
        return Err(AlkaneRefusal::Inputs { found: holdings.len(), expected: tx.input.len() });
    }
    let mut incoming = Sheet::new();
    for (asset, units) in holdings.iter().flatten() {
        if let Asset::Alkane(id) = *asset {
            credit(&mut incoming, id, *units)?;
        }
    }
    let stones = match protostones(tx) {
        Ok(stones) => stones,
        // Every reader sees a cenotaph, and none looks for protostones in it.
        Err(ProtostoneError::Cenotaph { .. }) => Vec::new(),
        Err(error) => return Err(AlkaneRefusal::Malformed(error)),
    };
    let mut ledger = Ledger { tx, sheets: vec![Sheet::new(); tx.output.len() + 1 + stones.len()], lost: Sheet::new() };
    match stones.iter().position(|stone| stone.protocol_tag == PROTOCOL) {
        Some(first) => ledger.sheets[tx.output.len() + 1 + first] = incoming,
        None => ledger.lost = incoming,
    }
    for (index, stone) in stones.iter().enumerate() {
        ledger.follow(index, stone)?;
    }
    ledger.close()
}

/// Who holds what while the protostones are followed.
struct Ledger<'a> {
    tx: &'a Transaction,
    /// By output: the real ones, one place that no output has, and a virtual one per protostone.
    sheets: Vec<Sheet>,
    lost: Sheet,
}

impl Ledger<'_> {
    /// Follows one protostone.
    fn follow(&mut self, index: usize, stone: &Protostone) -> Result<(), AlkaneRefusal> {
        if stone.burn.is_some() || !stone.from.is_empty() {
            return Err(AlkaneRefusal::Protoburn { index });
        }
        // Whatever its protocol: indexers of the first years took every message for one to them.
        if !stone.message.is_empty() {
            return Err(AlkaneRefusal::Message { index });
        }
        let mut own = std::mem::take(&mut self.sheets[self.tx.output.len() + 1 + index]);
        if stone.protocol_tag != PROTOCOL {
            return if own.is_empty() { Ok(()) } else { Err(AlkaneRefusal::Foreign { index }) };
        }
        for edict in &stone.edicts {
            self.edict(*edict, &mut own)?;
        }
        let pointer = stone.pointer.map_or_else(|| first_spendable(self.tx).unwrap_or_default(), output_index);
        for (id, units) in own {
            credit(self.place(pointer), id, units)?;
        }
        Ok(())
    }

    fn edict(&mut self, Edict { id, amount, output }: Edict, own: &mut Sheet) -> Result<(), AlkaneRefusal> {
        let Some(balance) = own.get_mut(&id) else { return Ok(()) };
        let output = output_index(output);
        if output != self.tx.output.len() {
            let units = if amount == 0 { *balance } else { amount.min(*balance) };
            *balance -= units;
            return credit(self.place(output), id, units);
        }
        if amount != 0 {
            return Err(AlkaneRefusal::Split { amount });
        }
        let targets: Vec<usize> = spendable(self.tx).collect();
        let count = targets.len() as u128;
        if count == 0 {
            return Ok(());
        }
        let (share, extra) = (*balance / count, *balance % count);
        *balance = 0;
        for (target, position) in targets.into_iter().zip(0_u128..) {
            credit(self.place(target), id, share + u128::from(position < extra))?;
        }
        Ok(())
    }

    /// The sheet of an output; that of what is lost where there is none.
    fn place(&mut self, output: usize) -> &mut Sheet {
        self.sheets.get_mut(output).unwrap_or(&mut self.lost)
    }

    /// What real outputs hold in the end; all else is lost.
    fn close(self) -> Result<Allocation, AlkaneRefusal> {
        let Self { tx, mut sheets, mut lost } = self;
        let beyond = sheets.split_off(tx.output.len());
        let op_return = |(sheet, output): (&mut Sheet, &bitcoin::TxOut)| {
            output.script_pubkey.is_op_return().then(|| std::mem::take(sheet))
        };
        let dead: Vec<Sheet> = sheets.iter_mut().zip(&tx.output).filter_map(op_return).chain(beyond).collect();
        for (id, units) in dead.into_iter().flatten() {
            credit(&mut lost, id, units)?;
        }
        Ok(Allocation { outputs: sheets.into_iter().map(named).collect(), burned: named(lost) })
    }
}

fn output_index(output: u32) -> usize {
    usize::try_from(output).unwrap_or(usize::MAX)
}

fn credit(sheet: &mut Sheet, id: AlkaneId, units: u128) -> Result<(), AlkaneRefusal> {
    add(sheet, id, units).ok_or(AlkaneRefusal::Overflow { id })
}

fn named(sheet: Sheet) -> Holdings {
    sheet.into_iter().map(|(id, units)| (Asset::Alkane(id), units)).collect()
}

#[cfg(test)]
mod tests;
