//! Payments, transfers, fee bumps, reclaims.

use std::collections::BTreeMap;
use std::str::FromStr as _;
use std::time::Duration;

use bitcoin::address::NetworkUnchecked;
use bitcoin::{Address, Amount, FeeRate, OutPoint, ScriptBuf, Transaction, Txid};
use darkswap_trade::asset::Asset;
use darkswap_trade::coin::Holdings;
use darkswap_trade::psbt::MAX_FEE_RATE;
use darkswap_trade::{alkane, rune};
use darkswap_wallet::coin::CoinState;
use darkswap_wallet::payment::{PaymentError, Transfer};
use ordinals::Edict;

use super::Trader;
use crate::Time;
use crate::chain::ChainRequest;
use crate::command::{CommandError, Reply};
use crate::output::Output;

/// How long the operator waits to hear whether a transaction was taken. It may have been, when no answer comes.
pub(super) const ANSWER: Duration = Duration::from_secs(60);
/// Own transactions whose answer is waited for, at most.
const MAX_SENDS: usize = 64;
/// Where a transfer's edict leads, as [`Transfer`] says.
const RECIPIENT: u32 = 1;
/// Where everything else goes.
const BACK: u32 = 0;
/// Outputs that a transfer has at least: those two and the runestone.
const OUTPUTS: u32 = 3;
/// How often a reclaim that pays too little to replace something is made with twice the fee rate.
const RAISES: u32 = 8;

/// Own transactions that were broadcast for the operator.
#[derive(Debug, Default)]
pub(super) struct Sends {
    open: BTreeMap<Txid, Send>,
}

#[derive(Debug)]
struct Send {
    /// Who waits for the answer; nobody where a coin of a presigned order is taken back.
    token: Option<u64>,
    until: Time,
}

impl Sends {
    pub(super) fn deadline(&self) -> Option<Time> {
        self.open.values().map(|send| send.until).min()
    }

    fn is_full(&self) -> bool {
        self.open.len() >= MAX_SENDS
    }
}

impl Trader {
    pub(super) fn pay(
        &mut self,
        now: Time,
        token: u64,
        address: &str,
        amount: Amount,
        fee_rate: FeeRate,
    ) -> Result<(), CommandError> {
        self.check_sends()?;
        let recipient = self.recipient(address)?;
        let payment = self.wallet.pay(recipient, amount, fee_rate).map_err(refusal)?;
        self.send_own(now, payment.transaction, Some(token));
        Ok(())
    }

    pub(super) fn transfer(
        &mut self,
        now: Time,
        token: u64,
        address: &str,
        (asset, units): (Asset, u128),
        fee_rate: FeeRate,
    ) -> Result<(), CommandError> {
        self.check_sends()?;
        let recipient = self.recipient(address)?;
        let runestone = runestone_of(asset, units)?;
        let found = self.wallet.assets().get(&asset).copied().unwrap_or_default().confirmed;
        if found < units {
            return Err(self.too_few(asset, found, units));
        }
        let holdings = self.holdings();
        let transfer = Transfer { asset, units, recipient, runestone, fee_rate };
        let payment = self.wallet.transfer(transfer).map_err(refusal)?;
        check_transfer(&payment.transaction, &holdings, asset, units).map_err(CommandError::Invalid)?;
        self.send_own(now, payment.transaction, Some(token));
        Ok(())
    }

    pub(super) fn bump(&mut self, now: Time, token: u64, txid: Txid, fee_rate: FeeRate) -> Result<(), CommandError> {
        self.check_sends()?;
        let payment = self.wallet.bump(txid, fee_rate).map_err(refusal)?;
        self.send_own(now, payment.transaction, Some(token));
        Ok(())
    }

    /// Broadcasts a transaction of ours; the wallet knows it first.
    pub(super) fn send_own(&mut self, now: Time, transaction: Transaction, token: Option<u64>) {
        let txid = transaction.compute_txid();
        if let Err(error) = self.wallet.apply_unconfirmed(transaction.clone(), now) {
            self.failed(format!("the wallet refused its own transaction {txid}: {error}"));
        }
        // Whoever waits for it already goes on waiting when it is sent again.
        let token = token.or_else(|| self.sends.open.get(&txid)?.token);
        if token.is_some() || !self.sends.is_full() {
            self.sends.open.insert(txid, Send { token, until: now.saturating_add(ANSWER) });
        }
        self.ask_chain(ChainRequest::Broadcast(transaction));
    }

    /// The chain's node took a transaction, or not.
    pub(super) fn broadcast_answered(&mut self, now: Time, txid: Txid, outcome: Result<(), String>) {
        self.swap_broadcast_answered(now, txid, &outcome);
        let Some(send) = self.sends.open.remove(&txid) else { return };
        if outcome.is_err() {
            self.wallet.apply_evicted([txid], now);
            self.want_sync();
        }
        // A commitment for which nobody waits was sent before: it may be in a mempool of others, so it is not forgotten.
        let etching = send.token.and_then(|_| self.commitment_answered(txid, outcome.is_ok()));
        let outcome = outcome.map(|()| etching.unwrap_or(Reply::Sent(txid)));
        match (send.token, outcome) {
            (Some(token), outcome) => {
                let outcome = outcome.map_err(|reason| {
                    CommandError::Chain(format!("the chain refused transaction {txid}: {reason}; nothing was sent"))
                });
                self.emit(Output::Answer { token, outcome });
            }
            (None, Err(reason)) => {
                self.failed(format!(
                    "the chain refused transaction {txid}: {reason}; it is tried again with the next block"
                ));
            }
            (None, Ok(_)) => {}
        }
    }

    pub(super) fn advance_sends(&mut self, now: Time) {
        let late = self.sends.open.iter().filter(|(_, send)| send.until <= now);
        let late: Vec<Txid> = late.map(|(txid, _)| *txid).collect();
        for txid in late {
            let Some(Send { token: Some(token), .. }) = self.sends.open.remove(&txid) else { continue };
            let text = format!(
                "no server answered within {ANSWER:?}; transaction {txid} may be sent or not: look at `transactions` later"
            );
            self.emit(Output::Answer { token, outcome: Err(CommandError::Chain(text)) });
        }
    }

    /// A transaction that spends this coin to ourselves, whatever waits in the mempool.
    pub(super) fn make_reclaim(
        &mut self,
        outpoint: OutPoint,
        fee_rate: FeeRate,
        attempt: u32,
    ) -> Result<Transaction, PaymentError> {
        let carries_alkanes =
            self.wallet.coins().iter().any(|coin| coin.outpoint == outpoint && coin.carries_alkanes());
        let runestone = carries_alkanes.then(protostone);
        let mut rate = raised(fee_rate, attempt);
        for _ in 0..RAISES {
            match self.wallet.reclaim(&[outpoint].into(), runestone.clone(), rate) {
                Ok(payment) => return Ok(payment.transaction),
                Err(PaymentError::PaysTooLittle { .. }) if rate < MAX_FEE_RATE => {
                    rate = FeeRate::from_sat_per_kwu(rate.to_sat_per_kwu().saturating_mul(2)).min(MAX_FEE_RATE);
                }
                // A coin that something spends is not among the unspent ones, so alkanes on it show only here.
                Err(PaymentError::NeedsProtostone(_)) => {
                    return Ok(self.wallet.reclaim(&[outpoint].into(), Some(protostone()), rate)?.transaction);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(self.wallet.reclaim(&[outpoint].into(), runestone, rate)?.transaction)
    }

    /// Coins that pay their own fee first: reclaiming an asset takes two.
    pub(super) fn cheapest_first(&self, outpoints: &[OutPoint]) -> Vec<OutPoint> {
        let clean: Vec<OutPoint> = self
            .wallet
            .coins()
            .into_iter()
            .filter(|coin| coin.state == CoinState::Clean)
            .map(|coin| coin.outpoint)
            .collect();
        let mut sorted = outpoints.to_vec();
        sorted.sort_by_key(|outpoint| !clean.contains(outpoint));
        sorted
    }

    pub(super) fn check_sends(&self) -> Result<(), CommandError> {
        if self.sends.is_full() {
            let text = format!(
                "{MAX_SENDS} transactions wait for an answer of the chain, which is the limit; try again later"
            );
            return Err(CommandError::Limit(text));
        }
        if let Some(reason) = &self.purse.down {
            return Err(CommandError::Chain(format!("no server of the chain answers: {reason}; try again later")));
        }
        Ok(())
    }

    fn recipient(&self, address: &str) -> Result<ScriptBuf, CommandError> {
        let network = self.wallet.network();
        let address = Address::<NetworkUnchecked>::from_str(address).map_err(|error| {
            CommandError::Invalid(format!("found `{address}`, expected an address of {network}: {error}"))
        })?;
        let checked = address.require_network(network).map_err(|error| {
            CommandError::Invalid(format!("found an address of another network, expected one of {network}: {error}"))
        })?;
        Ok(checked.script_pubkey())
    }

    /// What is on the inputs of a transaction, in their order.
    pub(super) fn holdings_of(&self, transaction: &Transaction) -> Vec<Holdings> {
        let holdings = self.holdings();
        let inputs = transaction.input.iter().map(|input| &input.previous_output);
        inputs.map(|outpoint| holdings.get(outpoint).cloned().unwrap_or_default()).collect()
    }

    fn holdings(&self) -> BTreeMap<OutPoint, Holdings> {
        let coins = self.wallet.coins().into_iter();
        coins.filter_map(|coin| Some((coin.outpoint, coin.checked()?.holdings))).collect()
    }
}

/// The runestone that keeps alkanes, and everything else, on the first output of a reclaim.
fn protostone() -> ScriptBuf {
    let transfer = alkane::Transfer { alkanes: &[], runes: &[], pointer: BACK, outputs: 2 };
    alkane::transfer_script(transfer).expect("a pointer to an output that exists can be written")
}

/// The runestone of a transfer.
fn runestone_of(asset: Asset, units: u128) -> Result<ScriptBuf, CommandError> {
    let invalid = |error: String| CommandError::Invalid(error);
    match asset {
        Asset::Rune(id) => {
            let edict = Edict { id, amount: units, output: RECIPIENT };
            rune::transfer_script(&[edict], Some(BACK), OUTPUTS).map_err(|error| invalid(error.to_string()))
        }
        Asset::Alkane(id) => {
            let edict = alkane::Edict { id, amount: units, output: RECIPIENT };
            let transfer = alkane::Transfer { alkanes: &[edict], runes: &[], pointer: BACK, outputs: OUTPUTS };
            alkane::transfer_script(transfer).map_err(|error| invalid(error.to_string()))
        }
    }
}

/// Follows a transfer by the rules of the protocols before it leaves: the recipient gets the units and nothing else, and
/// nothing burns.
fn check_transfer(
    transaction: &Transaction,
    holdings: &BTreeMap<OutPoint, Holdings>,
    asset: Asset,
    units: u128,
) -> Result<(), String> {
    let inputs = transaction.input.iter().map(|input| &input.previous_output);
    let held: Vec<Holdings> = inputs.map(|outpoint| holdings.get(outpoint).cloned().unwrap_or_default()).collect();
    let runes = rune::allocate(transaction, &held, rune::Context::default()).map_err(|error| error.to_string())?;
    let has_alkanes = held.iter().flat_map(Holdings::keys).any(|asset| matches!(asset, Asset::Alkane(_)));
    let mut moved = vec![runes];
    if has_alkanes {
        moved.push(alkane::allocate(transaction, &held).map_err(|error| error.to_string())?);
    }
    if let Some((asset, units)) = moved.iter().flat_map(|it| &it.burned).next() {
        return Err(format!("found that {units} units of {asset} would burn; nothing was sent"));
    }
    let received: Holdings =
        moved.iter().filter_map(|it| it.outputs.get(RECIPIENT as usize)).flatten().map(|(it, of)| (*it, *of)).collect();
    if received == Holdings::from([(asset, units)]) {
        Ok(())
    } else {
        Err(format!("found {received:?} for the recipient, expected {units} units of {asset}; nothing was sent"))
    }
}

/// A quarter more with each try.
fn raised(fee_rate: FeeRate, attempt: u32) -> FeeRate {
    let quarters = u64::from(attempt.clamp(1, 60)).saturating_add(3);
    FeeRate::from_sat_per_kwu(fee_rate.to_sat_per_kwu().saturating_mul(quarters) / 4).min(MAX_FEE_RATE)
}

pub(super) fn refusal(error: PaymentError) -> CommandError {
    match error {
        PaymentError::Selection(_) => CommandError::Funds(error.to_string()),
        PaymentError::UnknownTransaction(_) => CommandError::NotFound(error.to_string()),
        _ => CommandError::Invalid(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::absolute::LockTime;
    use bitcoin::transaction::Version;
    use bitcoin::{Sequence, TxIn, TxOut, Witness};
    use darkswap_trade::asset::AlkaneId;
    use ordinals::RuneId;

    use super::*;

    const ALKANE: Asset = Asset::Alkane(AlkaneId { block: 2, tx: 7 });
    const RUNE: Asset = Asset::Rune(RuneId { block: 840_000, tx: 3 });

    /// A transfer of what is on one coin, with the runestone last.
    fn transaction(runestone: ScriptBuf, outputs: usize) -> Transaction {
        let input = TxIn {
            previous_output: OutPoint::null(),
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        };
        let own = TxOut {
            value: Amount::from_sat(546),
            script_pubkey: ScriptBuf::from_bytes([&[0x51, 32][..], &[7; 32]].concat()),
        };
        let mut output = vec![own; outputs - 1];
        output.push(TxOut { value: Amount::ZERO, script_pubkey: runestone });
        Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input: vec![input], output }
    }

    fn on_the_coin(holdings: Holdings) -> BTreeMap<OutPoint, Holdings> {
        BTreeMap::from([(OutPoint::null(), holdings)])
    }

    #[test]
    fn a_transfer_gives_the_recipient_the_units_and_nothing_else() {
        for asset in [ALKANE, RUNE] {
            let transfer = transaction(runestone_of(asset, 60).unwrap(), 3);
            assert_eq!(check_transfer(&transfer, &on_the_coin([(asset, 100)].into()), asset, 60), Ok(()));
            assert_eq!(check_transfer(&transfer, &on_the_coin([(asset, 60)].into()), asset, 60), Ok(()));
            let found = check_transfer(&transfer, &on_the_coin([(asset, 100)].into()), asset, 61).unwrap_err();
            assert!(found.contains("expected 61 units"), "{found}");
            assert!(runestone_of(asset, 0).is_err());
        }
        let both = on_the_coin([(ALKANE, 5), (RUNE, 9)].into());
        let alkanes = transaction(runestone_of(ALKANE, 5).unwrap(), 3);
        assert_eq!(check_transfer(&alkanes, &both, ALKANE, 5), Ok(()));
        let runes = transaction(runestone_of(RUNE, 9).unwrap(), 3);
        let found = check_transfer(&runes, &both, RUNE, 9).unwrap_err();
        assert!(found.contains("would burn"), "{found}");
    }

    #[test]
    fn a_reclaim_with_a_protostone_burns_nothing() {
        let reclaim = transaction(protostone(), 2);
        let held = [Holdings::from([(ALKANE, 5), (RUNE, 9)])];
        let alkanes = alkane::allocate(&reclaim, &held).unwrap();
        let runes = rune::allocate(&reclaim, &held, rune::Context::default()).unwrap();
        assert_eq!((alkanes.outputs[0].get(&ALKANE), runes.outputs[0].get(&RUNE)), (Some(&5), Some(&9)));
        assert!(alkanes.burned.is_empty() && runes.burned.is_empty());
    }

    #[test]
    fn each_try_of_a_reclaim_pays_more_up_to_the_limit() {
        let rates: Vec<FeeRate> = (1..70).map(|attempt| raised(FeeRate::from_sat_per_kwu(1_000), attempt)).collect();
        assert_eq!(rates[..3].iter().map(|rate| rate.to_sat_per_kwu()).collect::<Vec<_>>(), [1_000, 1_250, 1_500]);
        assert!(rates.is_sorted());
        assert_eq!(raised(FeeRate::MAX, 60), MAX_FEE_RATE);
    }
}
