//! What the machine does with PSBTs: everything that it signs, and everything that it completes, passes through here.

use bitcoin::{Psbt, Transaction};

use crate::coin::Coins;
use crate::order::Offer;
use crate::psbt::presigned::{Ask, check_ask, complete_ask};
use crate::psbt::{CheckedPsbt, Party, ReceivedPsbt, Stake, Terms, build};

/// The transaction of these terms, unsigned, checked for one side.
pub(super) fn draft(terms: &Terms, party: Party, coins: &impl Coins) -> Result<CheckedPsbt, String> {
    let psbt = build(terms, coins).map_err(|error| error.to_string())?;
    ReceivedPsbt::from(psbt).check(terms, party, coins).map_err(|refusal| refusal.to_string())
}

/// A proposal: the transaction of these terms with all signatures of the other side.
pub(super) fn receive(bytes: &[u8], terms: &Terms, party: Party, coins: &impl Coins) -> Result<CheckedPsbt, String> {
    let received = ReceivedPsbt::decode(bytes).map_err(|error| error.to_string())?;
    let checked = received.check(terms, party, coins).map_err(|refusal| refusal.to_string())?;
    if checked.is_signed_by_other() {
        Ok(checked)
    } else {
        Err("found an input of the other side without a signature, expected all of them signed".to_owned())
    }
}

/// The proposal for the other side: our signatures, whatever else the wallet signed.
pub(super) fn proposal(checked: CheckedPsbt, signed: &Psbt) -> Result<Vec<u8>, String> {
    Ok(checked.signed(signed).map_err(|error| error.to_string())?.encode())
}

/// The finished transaction.
pub(super) fn complete(checked: CheckedPsbt, signed: &Psbt) -> Result<Transaction, String> {
    let partly = checked.signed(signed).map_err(|error| error.to_string())?;
    partly.finalize().map_err(|error| error.to_string())
}

/// What a presigned order sells, as its bytes say. Nothing is checked but that it can be read.
pub(super) fn ask(bytes: &[u8], offer: &Offer) -> Result<Ask, String> {
    ReceivedPsbt::decode(bytes).map_err(|error| error.to_string())?;
    let tx = Psbt::deserialize(bytes).map_err(|error| error.to_string())?.unsigned_tx;
    let ([input], [output]) = (&tx.input[..], &tx.output[..]) else {
        let (inputs, outputs) = (tx.input.len(), tx.output.len());
        return Err(format!("found an ask of {inputs} inputs and {outputs} outputs, expected one of each"));
    };
    let units = offer.units;
    let payment = offer.price.payment(units).ok_or_else(|| format!("{units} units cost more bitcoin than there is"))?;
    let (outpoint, receive) = (input.previous_output, output.script_pubkey.clone());
    Ok(Ask { asset: offer.asset, units, payment, outpoint, receive })
}

/// The transaction of a presigned order, with the maker's signature, checked for its taker.
pub(super) fn completed(bytes: &[u8], ask: &Ask, terms: &Terms, coins: &impl Coins) -> Result<CheckedPsbt, String> {
    let received = ReceivedPsbt::decode(bytes).map_err(|error| error.to_string())?;
    let checked = check_ask(&received, ask, coins).map_err(|refusal| refusal.to_string())?;
    complete_ask(&checked, &terms.buyer, terms.fee_rate, coins).map_err(|refusal| refusal.to_string())
}

/// What the maker of an ask brings.
pub(super) fn ask_stake(ask: &Ask) -> Stake {
    Stake { inputs: vec![ask.outpoint], receive: ask.receive.clone(), change: ask.receive.clone() }
}
