//! Which coins go into a swap.

use bitcoin::{Amount, FeeRate, OutPoint};
use darkswap_trade::asset::Asset;
use darkswap_trade::psbt::{MAX_STAKE_INPUTS, POSTAGE, Party, Stake, fee_at_most};
use darkswap_trade::swap::Funding;
use darkswap_wallet::{Keychain, SelectionError};
use thiserror::Error;

use super::Trader;
use crate::Time;

/// The time of a reservation without an end: the year 2106.
pub(super) const FOREVER: Time = Time::from_secs(u32::MAX as u64);

/// Inputs of the maker for which a taker brings the fee, and that it puts up with. More than two are rare; a maker that
/// brings more makes the taker pay for tidying its wallet.
pub(super) const MAX_MAKER_INPUTS: usize = 6;

/// What the output of the seller must have at least: the dust limit of the longest script that is paid.
const SELLER_DUST: Amount = Amount::from_sat(330);

/// How often the coins are chosen anew because their number raised the fee. Each time there are more of them.
const MAX_ROUNDS: usize = 8;

/// Why there is no stake.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum StakeError {
    /// The wallet lacks something.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// The coins are too small.
    #[error("{found} coins would be needed, at most {most} fit into a swap; pay some of them to yourself first")]
    TooMany {
        /// How many.
        found: usize,
        /// The most.
        most: usize,
    },
    /// Amounts beyond all bitcoin.
    #[error("the amounts add up to more bitcoin than there is; check price, units and fee rate")]
    Overflow,
}

impl Trader {
    /// What a maker brings; the taker pays the fee.
    pub(super) fn stake_of_maker(&mut self, funding: &Funding) -> Result<Stake, StakeError> {
        let inputs = match funding.party {
            Party::Seller => self.wallet.select_asset(funding.asset, funding.units)?.outpoints,
            Party::Buyer => {
                let needed = sum(&[funding.payment, POSTAGE])?;
                self.wallet.select_bitcoin(needed, FeeRate::ZERO)?.outpoints
            }
        };
        // More than that no taker puts up with.
        self.stake(inputs, MAX_MAKER_INPUTS)
    }

    /// What a taker brings: its part and the fee of everything.
    pub(super) fn stake_of_taker(
        &mut self,
        party: Party,
        asset: Asset,
        units: u128,
        payment: Amount,
        fee_rate: FeeRate,
    ) -> Result<Stake, StakeError> {
        let inputs = match party {
            Party::Buyer => self.paying(&[payment, POSTAGE], Amount::ZERO, 0, fee_rate)?,
            Party::Seller => {
                let sold = self.wallet.select_asset(asset, units)?;
                // The payment and the bitcoin on the sold coins pay the fee; other coins only where these do not suffice.
                let has = sum(&[payment, sold.value])?;
                let mut inputs = sold.outpoints;
                let more = self.paying(&[POSTAGE, SELLER_DUST], has, inputs.len(), fee_rate)?;
                inputs.extend(more);
                inputs
            }
        };
        self.stake(inputs, MAX_STAKE_INPUTS)
    }

    /// Coins that bring these amounts and the fee, less what is there already on `others` inputs.
    fn paying(
        &self,
        amounts: &[Amount],
        has: Amount,
        others: usize,
        fee_rate: FeeRate,
    ) -> Result<Vec<OutPoint>, StakeError> {
        let mut chosen = Vec::new();
        for _ in 0..MAX_ROUNDS {
            let inputs = chosen.len().max(1).saturating_add(others).saturating_add(MAX_MAKER_INPUTS);
            let fee = fee_at_most(inputs, fee_rate).ok_or(StakeError::Overflow)?;
            let needed = sum(amounts)?.checked_add(fee).ok_or(StakeError::Overflow)?;
            let Some(missing) = needed.checked_sub(has).filter(|missing| *missing > Amount::ZERO) else { break };
            let before = chosen.len();
            chosen = self.wallet.select_bitcoin(missing, FeeRate::ZERO)?.outpoints;
            if chosen.len() <= before.max(1) {
                break;
            }
        }
        Ok(chosen)
    }

    fn stake(&mut self, inputs: Vec<OutPoint>, most: usize) -> Result<Stake, StakeError> {
        if inputs.len() > most {
            return Err(StakeError::TooMany { found: inputs.len(), most });
        }
        let receive = self.wallet.address(Keychain::External).script_pubkey();
        let change = self.wallet.address(Keychain::Internal).script_pubkey();
        Ok(Stake { inputs, receive, change })
    }
}

fn sum(amounts: &[Amount]) -> Result<Amount, StakeError> {
    amounts.iter().try_fold(Amount::ZERO, |sum, amount| sum.checked_add(*amount)).ok_or(StakeError::Overflow)
}
