//! The commitment to the name of a rune, and the transaction that spends it.
//!
//! The runes protocol gives a name to whoever committed to it in a taproot output at least six blocks before, and reveals that in a
//! tapscript. The output's script follows from the seed and the name alone, so a commitment is found again by whoever has both.
//!
//! | part | what |
//! |---|---|
//! | internal key | `m/86'/coin'/0'/2/n` with the name's number modulo 2^31 as n |
//! | the one leaf | `<key> OP_CHECKSIG OP_FALSE OP_IF <name> OP_ENDIF` |

use bitcoin::{
    Amount, FeeRate, OutPoint, Script, ScriptBuf, Sequence, TapLeafHash, TapSighashType, Transaction, TxIn, TxOut,
    Weight, Witness,
    absolute::LockTime,
    key::{Keypair, Secp256k1},
    opcodes::{
        OP_FALSE,
        all::{OP_CHECKSIG, OP_ENDIF, OP_IF},
    },
    script::{Builder, PushBytesBuf},
    secp256k1::{All, Message},
    sighash::{Prevouts, SighashCache},
    taproot::{LeafVersion, TaprootBuilder},
    transaction::Version,
};
use ordinals::{Rune, Runestone};

use super::{POSTAGE, Payment, PaymentError, check_fee_rate, check_runestone, replacement::RELAY_FEE_RATE};
use crate::wallet::Wallet;

/// How many times the fee of the spending transaction a commitment holds: six blocks later fees may be others. What is left comes
/// back as change.
const RESERVE: u64 = 4;

/// The relative lock of the transaction that reveals (BIP 68). In the block that it may be in at the earliest, the commitment has as
/// many confirmations as the protocol asks for: so consensus itself refuses to reveal too early, also after a reorganisation.
pub const REVEAL_LOCK: u16 = Runestone::COMMIT_CONFIRMATIONS - 1;

/// What spends a commitment.
///
/// | output | with a runestone | without: the bitcoin comes back |
/// |---|---|---|
/// | 0 | [`POSTAGE`] to `receive` | everything to `change` |
/// | 1 | the runestone | |
/// | 2 | the rest to `change`, if any | |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reveal {
    /// The name that it commits to.
    pub rune: Rune,
    /// The commitment.
    pub commitment: OutPoint,
    /// What it holds.
    pub value: Amount,
    /// The runestone that etches.
    pub runestone: Option<ScriptBuf>,
    /// Who gets the premine.
    pub receive: ScriptBuf,
    /// Who gets the rest.
    pub change: ScriptBuf,
    /// The fee rate.
    pub fee_rate: FeeRate,
    /// The fee of what it replaces in the mempool (BIP 125 rules 3 and 4); zero if there is nothing.
    pub replaced: Amount,
}

/// The output script of a commitment, and what a witness shows of it.
struct Commitment {
    key: Keypair,
    leaf: ScriptBuf,
    control: Vec<u8>,
    script: ScriptBuf,
}

impl Commitment {
    fn new(key: Keypair, rune: Rune, secp: &Secp256k1<All>) -> Self {
        let internal = key.x_only_public_key().0;
        let name = PushBytesBuf::try_from(rune.commitment()).expect("a name has 16 bytes at most");
        let leaf = Builder::new()
            .push_x_only_key(&internal)
            .push_opcode(OP_CHECKSIG)
            .push_opcode(OP_FALSE)
            .push_opcode(OP_IF)
            .push_slice(name)
            .push_opcode(OP_ENDIF)
            .into_script();
        let tree = TaprootBuilder::new().add_leaf(0, leaf.clone()).expect("one leaf at the root");
        let tree = tree.finalize(secp, internal).expect("a tree of one leaf is complete");
        let control = tree.control_block(&(leaf.clone(), LeafVersion::TapScript)).expect("the leaf is in the tree");
        let script = ScriptBuf::new_p2tr_tweaked(tree.output_key());
        Self { key, leaf, control: control.serialize(), script }
    }

    fn witness(&self, signature: &[u8]) -> Witness {
        Witness::from_slice(&[signature, self.leaf.as_bytes(), &self.control])
    }
}

impl Wallet {
    /// The output script that commits to a name.
    #[must_use]
    pub fn commitment(&self, rune: Rune) -> ScriptBuf {
        self.commitment_to(rune).script
    }

    /// What a commitment should hold, so that the transaction that etches with this runestone can be paid.
    pub fn commitment_value(&self, rune: Rune, runestone: &Script, fee_rate: FeeRate) -> Result<Amount, PaymentError> {
        check_fee_rate(fee_rate)?;
        check_runestone(runestone)?;
        let commitment = self.commitment_to(rune);
        let outputs = [
            TxOut { value: POSTAGE, script_pubkey: commitment.script.clone() },
            TxOut { value: Amount::ZERO, script_pubkey: runestone.to_owned() },
            TxOut { value: POSTAGE, script_pubkey: commitment.script.clone() },
        ];
        let fee = fee_rate.fee_wu(weight(&commitment, outputs.to_vec())).and_then(|fee| fee.checked_mul(RESERVE));
        fee.and_then(|fee| fee.checked_add(POSTAGE)).filter(|it| *it <= Amount::MAX_MONEY).ok_or(PaymentError::Overflow)
    }

    /// Spends a commitment: to etch, or to have its bitcoin back.
    pub fn reveal(&self, reveal: &Reveal) -> Result<Payment, PaymentError> {
        check_fee_rate(reveal.fee_rate)?;
        reveal.runestone.as_deref().map_or(Ok(()), check_runestone)?;
        let commitment = self.commitment_to(reveal.rune);
        let (transaction, fee) = unsigned(&commitment, reveal)?;
        let (weight, transaction) = (transaction.weight(), self.signed(&commitment, reveal.value, transaction));
        assert_eq!(transaction.weight(), weight, "the fee was computed for another size");
        Ok(Payment { transaction, fee })
    }

    fn commitment_to(&self, rune: Rune) -> Commitment {
        let number = u32::try_from(rune.n() % (1 << 31)).expect("less than 2^31");
        let secp = self.inner.secp_ctx();
        Commitment::new(self.keys.commitment_key(number, secp), rune, secp)
    }

    fn signed(&self, commitment: &Commitment, value: Amount, mut transaction: Transaction) -> Transaction {
        let spent = [TxOut { value, script_pubkey: commitment.script.clone() }];
        let leaf = TapLeafHash::from_script(&commitment.leaf, LeafVersion::TapScript);
        let hash = SighashCache::new(&transaction)
            .taproot_script_spend_signature_hash(0, &Prevouts::All(&spent), leaf, TapSighashType::Default)
            .expect("there is one input, and what it spends is given");
        let (secp, message) = (self.inner.secp_ctx(), Message::from(hash));
        let signature = secp.sign_schnorr_no_aux_rand(&message, &commitment.key);
        secp.verify_schnorr(&signature, &message, &commitment.key.x_only_public_key().0)
            .expect("a signature that was just made verifies, unless the computer miscalculates");
        for input in &mut transaction.input {
            input.witness = commitment.witness(signature.as_ref());
        }
        transaction
    }
}

/// The transaction, with a witness of the right size, and its fee.
fn unsigned(commitment: &Commitment, reveal: &Reveal) -> Result<(Transaction, Amount), PaymentError> {
    let runestone = reveal.runestone.as_ref();
    let mut outputs: Vec<TxOut> = runestone
        .map(|runestone| {
            let receive = TxOut { value: POSTAGE, script_pubkey: reveal.receive.clone() };
            [receive, TxOut { value: Amount::ZERO, script_pubkey: runestone.clone() }]
        })
        .into_iter()
        .flatten()
        .collect();
    let fixed = if runestone.is_some() { POSTAGE } else { Amount::ZERO };
    let dust = reveal.change.minimal_non_dust();
    let without = skeleton(commitment, reveal, outputs.clone());
    outputs.push(TxOut { value: dust, script_pubkey: reveal.change.clone() });
    let mut with = skeleton(commitment, reveal, outputs);

    let fee = least_fee(&with, reveal)?;
    let rest = fixed.checked_add(fee).and_then(|spent| reveal.value.checked_sub(spent));
    if let Some(rest) = rest.filter(|rest| *rest >= dust) {
        if let Some(change) = with.output.last_mut() {
            change.value = rest;
        }
        return Ok((with, fee));
    }
    let (floor, least) = match runestone {
        Some(_) => (fixed, least_fee(&without, reveal)?),
        None => (dust, fee),
    };
    let needed = floor.checked_add(least).ok_or(PaymentError::Overflow)?;
    match reveal.value.checked_sub(fixed) {
        Some(fee) if runestone.is_some() && fee >= least => Ok((without, fee)),
        Some(_) | None => Err(PaymentError::Commitment { found: reveal.value, needed }),
    }
}

/// What it must pay by its rate and by BIP 125.
fn least_fee(transaction: &Transaction, reveal: &Reveal) -> Result<Amount, PaymentError> {
    let weight = transaction.weight();
    let by_rate = reveal.fee_rate.fee_wu(weight).ok_or(PaymentError::Overflow)?;
    if reveal.replaced == Amount::ZERO {
        return Ok(by_rate);
    }
    let relay = RELAY_FEE_RATE.fee_vb(weight.to_vbytes_ceil()).ok_or(PaymentError::Overflow)?;
    Ok(by_rate.max(reveal.replaced.checked_add(relay).ok_or(PaymentError::Overflow)?))
}

fn skeleton(commitment: &Commitment, reveal: &Reveal, output: Vec<TxOut>) -> Transaction {
    let sequence = match reveal.runestone {
        Some(_) => Sequence::from_height(REVEAL_LOCK),
        None => Sequence::ENABLE_RBF_NO_LOCKTIME,
    };
    let witness = commitment.witness(&[0; 64]);
    let input = TxIn { previous_output: reveal.commitment, script_sig: ScriptBuf::new(), sequence, witness };
    Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input: vec![input], output }
}

/// The weight of what spends a commitment.
fn weight(commitment: &Commitment, output: Vec<TxOut>) -> Weight {
    let input = TxIn { witness: commitment.witness(&[0; 64]), ..TxIn::default() };
    Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input: vec![input], output }.weight()
}
