//! Kinds of scripts: those that are spent and those that are paid.

use bitcoin::psbt::PsbtSighashType;
use bitcoin::transaction::InputWeightPrediction;
use bitcoin::{EcdsaSighashType, Script, TapSighashType};

use super::{Party, Style};

/// How an input is spent: the kinds whose weight is known before they are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spend {
    /// Taproot by its key (BIP 341).
    KeyPath,
    /// P2WPKH (BIP 143).
    Wpkh,
}

impl Spend {
    /// How an output with this script is spent; none for other kinds.
    pub(super) fn of(script: &Script) -> Option<Self> {
        if script.is_p2tr() {
            Some(Self::KeyPath)
        } else if script.is_p2wpkh() {
            Some(Self::Wpkh)
        } else {
            None
        }
    }

    /// The sighash type that the input of `party` is signed with.
    pub(super) fn sighash(self, style: Style, party: Party) -> PsbtSighashType {
        match (self, presigned(style, party)) {
            (Self::KeyPath, false) => TapSighashType::Default.into(),
            (Self::KeyPath, true) => TapSighashType::SinglePlusAnyoneCanPay.into(),
            (Self::Wpkh, false) => EcdsaSighashType::All.into(),
            (Self::Wpkh, true) => EcdsaSighashType::SinglePlusAnyoneCanPay.into(),
        }
    }

    /// What the signed input weighs. An ECDSA signature may come out a byte or two shorter.
    pub(super) fn weight(self, style: Style, party: Party) -> InputWeightPrediction {
        match (self, presigned(style, party)) {
            (Self::KeyPath, false) => InputWeightPrediction::P2TR_KEY_DEFAULT_SIGHASH,
            (Self::KeyPath, true) => InputWeightPrediction::P2TR_KEY_NON_DEFAULT_SIGHASH,
            (Self::Wpkh, _) => InputWeightPrediction::P2WPKH_MAX,
        }
    }
}

fn presigned(style: Style, party: Party) -> bool {
    style == Style::Presigned && party == Party::Seller
}

/// Whether a side may ask to be paid by this script: witness programs that are standard, small and no OP_RETURN.
pub(super) fn is_payable(script: &Script) -> bool {
    script.is_p2tr() || script.is_p2wpkh() || script.is_p2wsh()
}
