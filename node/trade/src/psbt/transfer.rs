//! What the transaction does to assets: how it says so, and whether it does it.

use bitcoin::{ScriptBuf, Transaction};
use ordinals::{Artifact, Edict, RuneId, Runestone};

use super::funding::Funding;
use super::plan::Places;
use super::{BuildError, PsbtRefusal, Style, Terms};
use crate::alkane;
use crate::asset::Asset;
use crate::coin::Holdings;
use crate::rune::{self, Allocation};

/// The runestone that moves the units to the buyer and everything else to the pointer.
///
/// With alkanes on the inputs it has a protostone, also when a rune is sold: without one they would be lost.
pub(super) fn script(terms: &Terms, places: Places, style: Style, alkanes: bool) -> Result<ScriptBuf, BuildError> {
    let (pointer, output, outputs) = (index(places.pointer(style)), index(places.asset), index(places.count()));
    let amount = terms.units;
    let (runes, moved) = match terms.asset {
        // 0:0 in an edict is the rune that the transaction etches, and it etches none.
        Asset::Rune(id) if id == RuneId::default() => {
            return Err(BuildError::Runestone { reason: "0:0 is no rune".to_owned() });
        }
        Asset::Rune(id) => (vec![Edict { id, amount, output }], vec![]),
        Asset::Alkane(id) => (vec![], vec![alkane::Edict { id, amount, output }]),
    };
    let script = if alkanes {
        alkane::transfer_script(alkane::Transfer { alkanes: &moved, runes: &runes, pointer, outputs })
            .map_err(|error| error.to_string())
    } else {
        rune::transfer_script(&runes, Some(pointer), outputs).map_err(|error| error.to_string())
    };
    script.map_err(|reason| BuildError::Runestone { reason })
}

fn index(place: usize) -> u32 {
    u32::try_from(place).expect("a swap has at most five outputs")
}

/// Follows the rules of the protocols and refuses every other outcome than the agreed one.
pub(super) fn check(tx: &Transaction, terms: &Terms, funding: &Funding<'_>, places: Places) -> Result<(), PsbtRefusal> {
    runestone(tx)?;
    if funding.alkanes && !alkane::is_protected(tx) {
        return Err(PsbtRefusal::NoProtostone);
    }
    let allocation = allocate(tx, &funding.holdings())?;
    if let Some((&asset, &units)) = allocation.burned.iter().next() {
        return Err(PsbtRefusal::Burned { asset, units });
    }
    let sold = Holdings::from([(terms.asset, terms.units)]);
    for (output, found) in allocation.outputs.into_iter().enumerate() {
        if output == places.asset {
            if found != sold {
                return Err(PsbtRefusal::BuyerGets { found, expected: sold });
            }
        } else if Some(output) == places.remainder {
            if found != funding.remainder {
                return Err(PsbtRefusal::SellerGets { found, expected: funding.remainder.clone() });
            }
        } else if !found.is_empty() {
            return Err(PsbtRefusal::Stray { output, found });
        }
    }
    Ok(())
}

/// There has to be a runestone that does nothing but move runes.
fn runestone(tx: &Transaction) -> Result<(), PsbtRefusal> {
    match Runestone::decipher(tx) {
        None => Err(PsbtRefusal::NoRunestone),
        Some(Artifact::Cenotaph(cenotaph)) => Err(PsbtRefusal::Cenotaph { flaw: cenotaph.flaw }),
        Some(Artifact::Runestone(runestone)) if runestone.etching.is_some() || runestone.mint.is_some() => {
            Err(PsbtRefusal::Purpose)
        }
        Some(Artifact::Runestone(_)) => Ok(()),
    }
}

/// Where every asset on the inputs goes, by the rules of both protocols.
fn allocate(tx: &Transaction, holdings: &[Holdings]) -> Result<Allocation, PsbtRefusal> {
    let runes = rune::allocate(tx, holdings, rune::Context::default()).map_err(|_| BuildError::Overflow)?;
    Ok(runes.merge(alkane::allocate(tx, holdings)?))
}
