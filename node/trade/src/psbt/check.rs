//! The rows of the [table](super): what is checked before anything is signed.

use bitcoin::absolute::LockTime;
use bitcoin::transaction::Version;
use bitcoin::{Amount, Psbt, Script, ScriptBuf, Transaction, TxOut};

use super::funding::Funding;
use super::plan::{self, Places, Plan};
use super::{
    BuildError, CheckedPsbt, POSTAGE, Party, PsbtRefusal, ReceivedPsbt, SEQUENCE, Style, Terms, signed, transfer,
};
use crate::coin::Coins;

impl ReceivedPsbt {
    /// Holds it against the terms and what this side sees on the chain, row by row. `party` is this side.
    ///
    /// `coins` has to answer for all inputs of both sides, with what they hold.
    pub fn check(self, terms: &Terms, party: Party, coins: &impl Coins) -> Result<CheckedPsbt, PsbtRefusal> {
        self.check_style(terms, Style::Interactive, party, coins)
    }

    pub(super) fn check_style(
        self,
        terms: &Terms,
        style: Style,
        party: Party,
        coins: &impl Coins,
    ) -> Result<CheckedPsbt, PsbtRefusal> {
        let plan = Plan::new(terms, style, coins)?;
        let mut own = plan.psbt();
        envelope(&self.psbt.unsigned_tx)?;
        inputs(&self.psbt, &own)?;
        Inspection::new(&self.psbt.unsigned_tx, terms, &plan)?.run()?;
        if self.psbt.unsigned_tx != own.unsigned_tx {
            return Err(PsbtRefusal::Different);
        }
        signed::take_signatures(&mut own, &self.psbt)?;
        let sellers = terms.seller.inputs.len();
        let ours = match party {
            Party::Seller => 0..sellers,
            Party::Buyer => sellers..own.inputs.len(),
        };
        Ok(CheckedPsbt { psbt: own, party, ours, style, fee: plan.fee })
    }
}

/// Version and lock time.
pub(super) fn envelope(tx: &Transaction) -> Result<(), PsbtRefusal> {
    if tx.version != Version::TWO {
        return Err(PsbtRefusal::Version { found: tx.version.0 });
    }
    if tx.lock_time != LockTime::ZERO {
        return Err(PsbtRefusal::LockTime { found: tx.lock_time.to_consensus_u32() });
    }
    Ok(())
}

/// The inputs, what they spend and how they are signed, against those of an own PSBT.
pub(super) fn inputs(received: &Psbt, own: &Psbt) -> Result<(), PsbtRefusal> {
    let (found, expected) = (&received.unsigned_tx.input, &own.unsigned_tx.input);
    for (input, (found, expected)) in found.iter().zip(expected).enumerate() {
        let (found, expected) = (found.previous_output, expected.previous_output);
        if found != expected {
            return Err(PsbtRefusal::Input { input, found, expected });
        }
    }
    if found.len() != expected.len() || received.inputs.len() != expected.len() {
        return Err(PsbtRefusal::InputCount { found: found.len(), expected: expected.len() });
    }
    for (input, found) in found.iter().enumerate() {
        if found.sequence != SEQUENCE {
            return Err(PsbtRefusal::Sequence { input, found: found.sequence.0 });
        }
    }
    for (input, (found, expected)) in received.inputs.iter().zip(&own.inputs).enumerate() {
        if found.witness_utxo != expected.witness_utxo {
            return Err(PsbtRefusal::WitnessUtxo { input });
        }
        if found.sighash_type != expected.sighash_type {
            return Err(PsbtRefusal::Sighash { input });
        }
    }
    Ok(())
}

/// The outputs of a received transaction, whose inputs are the agreed ones. Everything here follows from terms and coins, not from
/// what the own builder made of them.
struct Inspection<'a> {
    tx: &'a Transaction,
    terms: &'a Terms,
    style: Style,
    funding: &'a Funding<'a>,
    places: Places,
}

impl<'a> Inspection<'a> {
    fn new(tx: &'a Transaction, terms: &'a Terms, plan: &'a Plan<'a>) -> Result<Self, PsbtRefusal> {
        let remainder = !plan.funding.remainder.is_empty();
        let least = Places::new(remainder, false).count();
        let found = tx.output.len();
        if found != least && found != least + 1 {
            return Err(PsbtRefusal::OutputCount { found, expected: least });
        }
        let places = Places::new(remainder, found > least);
        Ok(Self { tx, terms, style: plan.style, funding: &plan.funding, places })
    }

    fn run(&self) -> Result<(), PsbtRefusal> {
        self.scripts()?;
        self.dust()?;
        let fee = self.fee()?;
        self.change(&fee)?;
        self.payment(&fee)?;
        self.postage()?;
        transfer::check(self.tx, self.terms, self.funding, self.places)
    }

    fn output(&self, place: usize) -> &TxOut {
        &self.tx.output[place]
    }

    /// Everybody is paid where it wants to be.
    fn scripts(&self) -> Result<(), PsbtRefusal> {
        let Places { payment, asset, remainder, runestone, change } = self.places;
        let Terms { seller, buyer, .. } = self.terms;
        self.script(payment, &seller.receive)?;
        self.script(asset, &buyer.receive)?;
        remainder.map_or(Ok(()), |place| self.script(place, &seller.change))?;
        change.map_or(Ok(()), |place| self.script(place, &buyer.change))?;
        let found = &self.output(runestone).script_pubkey;
        if !found.is_op_return() {
            return Err(different(runestone, found, &ScriptBuf::new_op_return([])));
        }
        Ok(())
    }

    fn script(&self, place: usize, expected: &Script) -> Result<(), PsbtRefusal> {
        let found = &self.output(place).script_pubkey;
        if **found != *expected { Err(different(place, found, expected)) } else { Ok(()) }
    }

    /// Every output can be relayed and spent, except for the runestone, which is worth nothing.
    fn dust(&self) -> Result<(), PsbtRefusal> {
        let found = self.output(self.places.runestone).value;
        if found != Amount::ZERO {
            return Err(PsbtRefusal::RunestoneValue { found });
        }
        for (output, found) in self.tx.output.iter().enumerate() {
            let expected = found.script_pubkey.minimal_non_dust();
            if found.value < expected {
                return Err(PsbtRefusal::Dust { output, found: found.value, expected });
            }
        }
        Ok(())
    }

    /// The fee, at the agreed rate for what this transaction will weigh.
    fn fee(&self) -> Result<Fee, PsbtRefusal> {
        let rate = |outputs: &[TxOut]| {
            let weight = plan::weight(self.funding, self.style, outputs);
            self.terms.fee_rate.fee_wu(weight).ok_or(BuildError::Overflow)
        };
        let required = rate(&self.tx.output)?;
        let mut limit = required;
        if self.places.change.is_none() {
            // The buyer's change may be folded into the fee: less than the dust limit, beside what the output would cost its payer.
            let script_pubkey = self.terms.buyer.change.clone();
            let dust = script_pubkey.minimal_non_dust();
            if self.terms.fee_payer == Party::Buyer {
                let with_change = [&self.tx.output[..], &[TxOut { value: dust, script_pubkey }]].concat();
                limit = rate(&with_change)?;
            }
            limit = limit.checked_add(dust).ok_or(BuildError::Overflow)? - Amount::from_sat(1);
        }
        let paid = self.tx.output.iter().try_fold(Amount::ZERO, |sum, output| sum.checked_add(output.value));
        let total = self.funding.total()?;
        let found = paid.and_then(|paid| total.checked_sub(paid));
        match found {
            Some(fee) if (required..=limit).contains(&fee) => Ok(Fee { required, folded: fee - required }),
            _ => Err(PsbtRefusal::Fee { found, expected: required, limit }),
        }
    }

    /// What is left of the buyer's bitcoin goes to its change, or into the fee.
    fn change(&self, fee: &Fee) -> Result<(), PsbtRefusal> {
        let needs = sum([self.terms.payment, POSTAGE, fee.share(self.terms, Party::Buyer)])?;
        let has = self.funding.buyer_total;
        let expected = has.checked_sub(needs).ok_or(BuildError::NotEnoughBitcoin {
            party: Party::Buyer,
            found: has,
            expected: needs,
        })?;
        let found = self.places.change.map_or(fee.folded, |place| self.output(place).value);
        if found != expected { Err(PsbtRefusal::Change { found, expected }) } else { Ok(()) }
    }

    /// The seller gets the payment and what is left of its own bitcoin.
    fn payment(&self, fee: &Fee) -> Result<(), PsbtRefusal> {
        let postage = self.places.remainder.map_or(Amount::ZERO, |_| POSTAGE);
        let has = sum([self.funding.seller_total, self.terms.payment])?;
        let needs = sum([postage, fee.share(self.terms, Party::Seller)])?;
        let expected = has.checked_sub(needs).ok_or(BuildError::NotEnoughBitcoin {
            party: Party::Seller,
            found: has,
            expected: needs,
        })?;
        let found = self.output(self.places.payment).value;
        if found != expected { Err(PsbtRefusal::Payment { found, expected }) } else { Ok(()) }
    }

    /// Outputs with assets have the agreed value.
    fn postage(&self) -> Result<(), PsbtRefusal> {
        for output in [Some(self.places.asset), self.places.remainder].into_iter().flatten() {
            let found = self.output(output).value;
            if found != POSTAGE {
                return Err(PsbtRefusal::Postage { output, found });
            }
        }
        Ok(())
    }
}

/// The fee of a received transaction.
struct Fee {
    /// What the agreed rate asks for.
    required: Amount,
    /// What there is above it.
    folded: Amount,
}

impl Fee {
    fn share(&self, terms: &Terms, party: Party) -> Amount {
        if terms.fee_payer == party { self.required } else { Amount::ZERO }
    }
}

fn sum(amounts: impl IntoIterator<Item = Amount>) -> Result<Amount, BuildError> {
    amounts.into_iter().try_fold(Amount::ZERO, super::funding::add)
}

pub(super) fn different(output: usize, found: &Script, expected: &Script) -> PsbtRefusal {
    PsbtRefusal::Output { output, found: ScriptBuf::from(found.as_bytes().to_vec()), expected: expected.to_owned() }
}
