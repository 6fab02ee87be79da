//! What the runestone of an etching says, checked.

use bitcoin::ScriptBuf;
use darkswap_trade::rune::{self, Index};
use darkswap_wallet::payment::etching::REVEAL_LOCK;
use ordinals::{Etching as Terms, Rune};

use crate::command::{CommandError, NewRune};
use crate::trader::Trader;

impl Trader {
    /// Shorter names are given away later: by the time of the reveal this one has to be.
    pub(super) fn check_unlocked(&self, rune: Rune) -> Result<(), CommandError> {
        let Some((tip, _)) = self.purse.tip else {
            return Err(CommandError::Chain("no server has told the chain's height yet; try again later".to_owned()));
        };
        let height = tip.saturating_add(1).saturating_add(u32::from(REVEAL_LOCK));
        let minimum = Index::new(self.wallet.network()).minimum(height);
        if rune >= minimum {
            return Ok(());
        }
        let letters = minimum.to_string().len();
        Err(CommandError::Invalid(format!(
            "found the name {rune}, expected one of at least {letters} letters (or one from {minimum} on): shorter ones are not given away yet"
        )))
    }
}

/// What the runestone says, checked.
pub(super) fn terms_of(new: &NewRune) -> Result<Terms, CommandError> {
    let invalid = |text: String| CommandError::Invalid(text);
    let name = rune::name::parse(&new.name.to_ascii_uppercase()).map_err(|error| invalid(error.to_string()))?;
    if new.divisibility > Terms::MAX_DIVISIBILITY {
        let (found, most) = (new.divisibility, Terms::MAX_DIVISIBILITY);
        return Err(invalid(format!("found divisibility {found}, expected at most {most}")));
    }
    let terms = new.terms.map(|terms| ordinals::Terms {
        amount: Some(terms.amount),
        cap: Some(terms.cap),
        height: (terms.from_height, terms.until_height),
        offset: (terms.from_offset, terms.until_offset),
    });
    if new.terms.is_some_and(|terms| terms.amount == 0 || terms.cap == 0) {
        return Err(invalid(
            "found mints of nothing, expected units and a number of mints; leave the terms out".to_owned(),
        ));
    }
    if new.premine == 0 && terms.is_none() {
        let text = "found neither a premine nor mint terms, so that no unit could ever exist; give one of them";
        return Err(invalid(text.to_owned()));
    }
    let is_empty =
        |(from, until): (Option<u64>, Option<u64>)| matches!((from, until), (Some(from), Some(until)) if until <= from);
    if terms.is_some_and(|terms| is_empty(terms.height) || is_empty(terms.offset)) {
        return Err(invalid("found mint terms that end before they begin; check the heights and offsets".to_owned()));
    }
    let etching = Terms {
        divisibility: (new.divisibility > 0).then_some(new.divisibility),
        premine: (new.premine > 0).then_some(new.premine),
        rune: Some(name.rune),
        spacers: (name.spacers > 0).then_some(name.spacers),
        symbol: new.symbol,
        terms,
        turbo: new.turbo,
    };
    if etching.supply().is_none() {
        return Err(invalid("found more than 2^128 - 1 units of premine and mints, expected less".to_owned()));
    }
    Ok(etching)
}

/// The premine goes to the first output.
pub(super) fn runestone(terms: &Terms) -> Result<ScriptBuf, CommandError> {
    rune::etching_script(*terms, Some(0), 2).map_err(|error| CommandError::Invalid(error.to_string()))
}
