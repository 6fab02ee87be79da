//! Terms turned into outputs and a fee.

use bitcoin::absolute::LockTime;
use bitcoin::transaction::{Version, predict_weight};
use bitcoin::{Amount, Psbt, ScriptBuf, Transaction, TxIn, TxOut, Weight, Witness};

use super::funding::{self, Funding};
use super::{BuildError, POSTAGE, Party, SEQUENCE, Style, Terms, transfer};
use crate::coin::Coins;

/// Which output is what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) payment: usize,
    pub(super) asset: usize,
    pub(super) remainder: Option<usize>,
    pub(super) runestone: usize,
    pub(super) change: Option<usize>,
}

impl Places {
    pub(super) fn new(remainder: bool, change: bool) -> Self {
        let runestone = 2 + usize::from(remainder);
        Self {
            payment: 0,
            asset: 1,
            remainder: remainder.then_some(2),
            runestone,
            change: change.then_some(runestone + 1),
        }
    }

    pub(super) fn count(&self) -> usize {
        self.runestone + 1 + usize::from(self.change.is_some())
    }

    /// Where everything goes that no edict names. A presigned ask sells all of its input.
    pub(super) fn pointer(&self, style: Style) -> usize {
        match style {
            Style::Interactive => self.remainder.unwrap_or(self.payment),
            Style::Presigned => self.asset,
        }
    }
}

/// The transaction of some terms.
pub(super) struct Plan<'a> {
    pub(super) funding: Funding<'a>,
    pub(super) style: Style,
    pub(super) outputs: Vec<TxOut>,
    pub(super) fee: Amount,
}

impl<'a> Plan<'a> {
    pub(super) fn new(terms: &Terms, style: Style, coins: &'a impl Coins) -> Result<Self, BuildError> {
        let funding = Funding::new(terms, style, coins)?;
        let with_change = Draft::new(terms, style, &funding, true)?;
        if let Some(change) = with_change.buyer_rest(terms, &funding)?
            && change >= terms.buyer.change.minimal_non_dust()
        {
            let fee = with_change.fee;
            let outputs = with_change.finish(terms, &funding, change)?;
            return Ok(Self { funding, style, outputs, fee });
        }
        let draft = Draft::new(terms, style, &funding, false)?;
        let Some(folded) = draft.buyer_rest(terms, &funding)? else {
            let expected = draft.buyer_needs(terms)?;
            return Err(BuildError::NotEnoughBitcoin { party: Party::Buyer, found: funding.buyer_total, expected });
        };
        let fee = funding::add(draft.fee, folded)?;
        let outputs = draft.finish(terms, &funding, Amount::ZERO)?;
        Ok(Self { funding, style, outputs, fee })
    }

    /// The transaction with what a signer needs to know about its inputs.
    pub(super) fn psbt(&self) -> Psbt {
        unsigned(&self.funding, self.style, self.funding.sources.len(), self.outputs.clone())
    }
}

/// The first `inputs` inputs and these outputs.
pub(super) fn unsigned(funding: &Funding<'_>, style: Style, inputs: usize, outputs: Vec<TxOut>) -> Psbt {
    let sources = &funding.sources[..inputs];
    let input = sources.iter().map(|source| TxIn {
        previous_output: source.coin.outpoint,
        script_sig: ScriptBuf::new(),
        sequence: SEQUENCE,
        witness: Witness::new(),
    });
    let tx = Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input: input.collect(), output: outputs };
    let mut psbt = Psbt::from_unsigned_tx(tx).expect("inputs without signatures");
    for (input, source) in psbt.inputs.iter_mut().zip(sources) {
        input.witness_utxo = Some(source.coin.output.clone());
        input.sighash_type = Some(source.spend.sighash(style, source.party));
    }
    psbt
}

/// What the signed transaction will weigh.
pub(super) fn weight(funding: &Funding<'_>, style: Style, outputs: &[TxOut]) -> Weight {
    let inputs = funding.sources.iter().map(|source| source.spend.weight(style, source.party));
    predict_weight(inputs, outputs.iter().map(|output| output.script_pubkey.len()))
}

/// The outputs, before it is known what is left for two of them.
struct Draft {
    places: Places,
    outputs: Vec<TxOut>,
    fee: Amount,
}

impl Draft {
    fn new(terms: &Terms, style: Style, funding: &Funding<'_>, change: bool) -> Result<Self, BuildError> {
        let places = Places::new(!funding.remainder.is_empty(), change);
        let runestone = transfer::script(terms, places, style, funding.alkanes)?;
        let empty = TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::new() };
        let mut outputs = vec![empty; places.count()];
        outputs[places.payment].script_pubkey = terms.seller.receive.clone();
        outputs[places.asset] = TxOut { value: POSTAGE, script_pubkey: terms.buyer.receive.clone() };
        if let Some(remainder) = places.remainder {
            outputs[remainder] = TxOut { value: POSTAGE, script_pubkey: terms.seller.change.clone() };
        }
        outputs[places.runestone].script_pubkey = runestone;
        if let Some(change) = places.change {
            outputs[change].script_pubkey = terms.buyer.change.clone();
        }
        let fee = terms.fee_rate.fee_wu(weight(funding, style, &outputs)).ok_or(BuildError::Overflow)?;
        Ok(Self { places, outputs, fee })
    }

    /// What the buyer has to bring at least.
    fn buyer_needs(&self, terms: &Terms) -> Result<Amount, BuildError> {
        funding::add(funding::add(terms.payment, POSTAGE)?, self.share(terms, Party::Buyer))
    }

    /// What is left of the buyer's bitcoin; none if it is too little.
    fn buyer_rest(&self, terms: &Terms, funding: &Funding<'_>) -> Result<Option<Amount>, BuildError> {
        Ok(funding.buyer_total.checked_sub(self.buyer_needs(terms)?))
    }

    /// What `party` pays of the fee.
    fn share(&self, terms: &Terms, party: Party) -> Amount {
        if terms.fee_payer == party { self.fee } else { Amount::ZERO }
    }

    /// The outputs with the payment and the change.
    fn finish(mut self, terms: &Terms, funding: &Funding<'_>, change: Amount) -> Result<Vec<TxOut>, BuildError> {
        let postage = self.places.remainder.map_or(Amount::ZERO, |_| POSTAGE);
        let has = funding::add(funding.seller_total, terms.payment)?;
        let needs = funding::add(postage, self.share(terms, Party::Seller))?;
        let gets = has.checked_sub(needs).ok_or(BuildError::NotEnoughBitcoin {
            party: Party::Seller,
            found: has,
            expected: needs,
        })?;
        let limit = terms.seller.receive.minimal_non_dust();
        if gets < limit {
            return Err(BuildError::Dust { found: gets, expected: limit });
        }
        self.outputs[self.places.payment].value = gets;
        if let Some(place) = self.places.change {
            self.outputs[place].value = change;
        }
        Ok(self.outputs)
    }
}
