//! Own presigned orders, and how their coins are taken back.
//!
//! The signature in such an order has no end: whoever has seen it can buy at its price until the coin is spent. So the coin is
//! reserved from before the order is published, and when the order is cancelled or over, the coin is spent to ourselves. The
//! reservation is the memory of that: it ends when a block has spent the coin.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::hashes::{Hash as _, sha256};
use bitcoin::{Amount, OutPoint};
use bytes::Bytes;
use darkswap_trade::coin::Coin;
use darkswap_trade::order::{Listing, Offer, OrderId, Settlement, Side};
use darkswap_trade::psbt::presigned::{Ask, build_ask};
use darkswap_wallet::{Holder, Keychain};

use super::Trader;
use super::backing::ask_of;
use super::stakes::FOREVER;
use crate::Time;
use crate::command::CommandError;

impl Trader {
    /// Signs the sale of one whole coin, and keeps the coin.
    pub(super) fn presign(&mut self, offer: &Offer) -> Result<(Bytes, OutPoint), CommandError> {
        let invalid = |text: String| CommandError::Invalid(text);
        if offer.side != Side::Sell || offer.minimum != offer.units {
            return Err(invalid(
                "found a purchase or a partial fill, expected a sale as a whole; leave `presigned` out".to_owned(),
            ));
        }
        let payment: Amount = offer
            .price
            .payment(offer.units)
            .ok_or_else(|| invalid("found a price of more bitcoin than there is; check price and units".to_owned()))?;
        let coins = self.wallet.coins();
        let whole = coins.iter().filter(|coin| coin.moves() && coin.carries_only(&offer.asset));
        let coin = whole.clone().find(|coin| coin.units(&offer.asset) == Some(offer.units)).ok_or_else(|| {
            let sizes: Vec<String> =
                whole.filter_map(|coin| coin.units(&offer.asset)).take(9).map(|units| units.to_string()).collect();
            let wanted = self.pile(offer.asset, offer.units);
            CommandError::Funds(format!(
                "found coins of {} units, expected one with exactly {wanted} and nothing else; transfer as many to yourself first",
                if sizes.is_empty() { "no".to_owned() } else { sizes.join(", ") }
            ))
        })?;
        let (outpoint, checked) = (coin.outpoint, coin.checked());
        let checked: BTreeMap<OutPoint, Coin> = checked.map(|coin| (outpoint, coin)).into_iter().collect();
        let receive = self.wallet.address(Keychain::External).script_pubkey();
        let ask = Ask { asset: offer.asset, units: offer.units, payment, outpoint, receive };
        let draft = build_ask(&ask, &checked).map_err(|error| invalid(error.to_string()))?;
        let signed = draft.sign(|draft| self.wallet.sign(draft)).map_err(|error| invalid(error.to_string()))?;
        self.wallet
            .reserve(holder(outpoint), &[outpoint].into(), FOREVER)
            .map_err(|error| CommandError::Funds(error.to_string()))?;
        Ok((signed.encode().into(), outpoint))
    }

    /// Follows the coins of presigned orders: those that are sold end their order, and those without an order are spent to
    /// ourselves.
    pub(super) fn look_after_asks(&mut self, now: Time) {
        let reservations = self.wallet.reservations().iter();
        let kept: BTreeSet<OutPoint> = reservations
            .filter_map(|(found, reservation)| Some((found, reservation.outpoints.first()?)))
            .filter(|(found, outpoint)| **found == holder(**outpoint))
            .map(|(_, outpoint)| *outpoint)
            .collect();
        if kept.is_empty() {
            return;
        }
        let spent = self.spent_among(&kept);
        let offered: BTreeMap<OutPoint, (u16, OrderId)> =
            self.orders.live(now).filter_map(|it| Some((coin_of(it)?, (it.order.slot, it.order.id)))).collect();
        let unspent: BTreeSet<OutPoint> = self.wallet.coins().into_iter().map(|coin| coin.outpoint).collect();
        for outpoint in kept {
            match (spent.get(&outpoint), offered.get(&outpoint)) {
                (Some(_), Some((slot, order))) => self.take_back(now, *slot, *order, "filled"),
                (Some(Some(_)), None) => drop(self.wallet.release(holder(outpoint))),
                (None, None) if unspent.contains(&outpoint) => self.withdraw(now, outpoint),
                (Some(None) | None, _) => {}
            }
        }
    }

    /// Which of these coins are spent, and in which block, if it is in one.
    fn spent_among(&self, outpoints: &BTreeSet<OutPoint>) -> BTreeMap<OutPoint, Option<u32>> {
        let transactions = self.wallet.transactions();
        let inputs = transactions.iter().flat_map(|it| it.transaction.input.iter().map(|input| (input, it.height)));
        inputs
            .filter(|(input, _)| outpoints.contains(&input.previous_output))
            .map(|(input, height)| (input.previous_output, height))
            .collect()
    }

    fn withdraw(&mut self, now: Time, outpoint: OutPoint) {
        // Without a fee rate it is tried again with the next block.
        let Some(fee_rate) = self.purse.fee_rate() else { return };
        match self.make_reclaim(outpoint, fee_rate, 1) {
            Ok(transaction) => self.send_own(now, transaction, None),
            Err(error) => self.failed(format!(
                "the coin {outpoint} of a presigned order that is over could not be taken back: {error}; whoever saw the order can still buy it"
            )),
        }
    }
}

/// The coin that a presigned order sells.
fn coin_of(listing: &Listing) -> Option<OutPoint> {
    match &listing.settlement {
        Settlement::Presigned(bytes) => ask_of(listing, bytes).map(|(ask, _)| ask.outpoint),
        Settlement::Interactive => None,
    }
}

/// Who has the coin of a presigned order reserved: the coin itself names it, so nothing else has to be remembered.
fn holder(outpoint: OutPoint) -> Holder {
    let mut bytes = b"darkswap presigned order ".to_vec();
    bytes.extend_from_slice(&outpoint.txid.to_byte_array());
    bytes.extend_from_slice(&outpoint.vout.to_be_bytes());
    Holder(sha256::Hash::hash(&bytes).to_byte_array())
}
