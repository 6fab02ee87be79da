//! What the operator asks.

use bitcoin::FeeRate;
use darkswap_trade::order::Offer;
use darkswap_trade::psbt::{MAX_FEE_RATE, MIN_FEE_RATE};
use darkswap_wallet::Keychain;

use super::Trader;
use super::orders::Placing;
use crate::Time;
use crate::command::{Command, CommandError, Reply};
use crate::output::Output;

/// What is known at once, or none where the chain has to answer first.
type Outcome = Result<Option<Reply>, CommandError>;

impl Trader {
    pub(super) fn obey(&mut self, now: Time, token: u64, command: Command) {
        let outcome = match self.carry_out_command(now, token, command) {
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => return,
            Err(error) => Err(error),
        };
        self.emit(Output::Answer { token, outcome });
    }

    fn carry_out_command(&mut self, now: Time, token: u64, command: Command) -> Outcome {
        let reply = match command {
            Command::Address => {
                let address = self.wallet.address(Keychain::External);
                self.want_sync();
                Reply::Address(address.to_string())
            }
            Command::Balance => Reply::Balance(self.balance_report()),
            Command::Coins => Reply::Coins(self.coin_reports()),
            Command::Transactions => Reply::Transactions(self.transaction_reports()),
            Command::Pay { address, amount, fee_rate } => {
                let fee_rate = self.fee_rate_or(fee_rate)?;
                return self.pay(now, token, &address, amount, fee_rate).map(|()| None);
            }
            Command::Transfer { address, asset, units, fee_rate } => {
                let fee_rate = self.fee_rate_or(fee_rate)?;
                return self.transfer(now, token, &address, (asset, units), fee_rate).map(|()| None);
            }
            Command::Asset { asset } => return self.describe(now, token, asset),
            Command::Mint { rune, fee_rate } => {
                let fee_rate = self.fee_rate_or(fee_rate)?;
                return self.ask_mint(now, token, rune, fee_rate).map(|()| None);
            }
            Command::Etch { rune, fee_rate } => {
                let fee_rate = self.fee_rate_or(fee_rate)?;
                return self.etch(now, token, &rune, fee_rate).map(|()| None);
            }
            Command::Etchings => Reply::Etchings(self.etching_reports()),
            Command::CancelEtching { name } => {
                self.cancel_etching(now, &name)?;
                Reply::Done
            }
            Command::Bump { txid, fee_rate } => {
                let fee_rate = self.fee_rate_or(Some(fee_rate))?;
                return self.bump(now, token, txid, fee_rate).map(|()| None);
            }
            Command::Place { side, asset, units, minimum, price, lifetime_seconds, presigned } => {
                let offer = Offer { asset, side, units, minimum: minimum.unwrap_or(units), price };
                let lifetime = Time::from_secs(lifetime_seconds);
                Reply::Placed(self.place(now, Placing { offer, lifetime, is_presigned: presigned })?)
            }
            Command::CancelOrder { order } => {
                self.cancel_order(now, order)?;
                Reply::Done
            }
            Command::Book { asset } => Reply::Orders(self.book_reports(asset)),
            Command::Orders => Reply::Orders(self.own_order_reports(now)),
            Command::Take { order, units, fee_rate } => {
                let fee_rate = self.fee_rate_or(fee_rate)?;
                Reply::Taken(self.take(now, order, units, fee_rate)?)
            }
            Command::Swaps => Reply::Swaps(self.swap_reports()),
            Command::CancelSwap { swap, peer } => {
                self.cancel_swap(now, swap, peer)?;
                Reply::Done
            }
            Command::Status => Reply::Status(self.status_report()),
        };
        Ok(Some(reply))
    }

    /// The fee rate that was asked for, or the server's estimate.
    fn fee_rate_or(&self, asked: Option<FeeRate>) -> Result<FeeRate, CommandError> {
        let Some(rate) = asked.or(self.purse.fee_rate()) else {
            let text =
                "no server of the chain has said what fee rate is usual; give one, or try again later".to_owned();
            return Err(CommandError::Chain(text));
        };
        if (MIN_FEE_RATE..=MAX_FEE_RATE).contains(&rate) {
            return Ok(rate);
        }
        let text = format!("found a fee rate of {rate:#}, expected {MIN_FEE_RATE:#} to {MAX_FEE_RATE:#}");
        Err(CommandError::Invalid(text))
    }
}
