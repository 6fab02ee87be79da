//! Why a transaction or a block was not accepted, in Bitcoin Core's reject strings.

use std::fmt;

use bitcoin::{OutPoint, Txid};
use thiserror::Error;

/// Why a transaction was refused. Shown as Bitcoin Core shows it: the reject string, then details after a comma.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No inputs.
    NoInputs,
    /// No outputs.
    NoOutputs,
    /// Larger than a block.
    Oversize,
    /// An output above 21 million bitcoin.
    OutputTooLarge,
    /// Outputs that sum to more than 21 million bitcoin.
    OutputsTooLarge,
    /// The same input twice.
    DuplicateInputs,
    /// An input that refers to nothing, outside a coinbase.
    NullPrevout,
    /// A coinbase outside a block.
    Coinbase,
    /// An input that does not exist or is spent.
    MissingInput(OutPoint),
    /// A coinbase's output spent too early, at this depth.
    ImmatureCoinbase(u32),
    /// Inputs that sum to more than 21 million bitcoin.
    InputsTooLarge,
    /// Less in the inputs than in the outputs, both in satoshis.
    InputsBelowOutputs(u64, u64),
    /// The lock time has not come (BIP 113).
    NotFinal,
    /// A relative lock time has not passed (BIP 68).
    SequenceLocked,
    /// The script of this input failed.
    Script(usize),
    /// A version that is not relayed.
    Version,
    /// Too heavy to be relayed.
    Weight,
    /// So small that it could be mistaken for a node of the merkle tree (CVE-2017-12842).
    TooSmall,
    /// A long input script.
    ScriptSigSize,
    /// An input script that does more than push.
    ScriptSigNotPushOnly,
    /// An output script of no standard kind.
    NonstandardOutput(usize),
    /// More bytes in `OP_RETURN` outputs than are relayed.
    DataCarrier(usize),
    /// An output below the dust limit.
    Dust(usize),
    /// An input that spends a script of no standard kind.
    NonstandardInput(usize),
    /// This transaction waits already.
    AlreadyInMempool,
    /// The same transaction with another witness waits already.
    SameWithOtherWitness,
    /// The chain has this transaction.
    AlreadyConfirmed,
    /// A conflict with a waiting transaction that did not signal replaceability.
    Conflict(Txid),
    /// A replacement that pays too little, with the reason.
    InsufficientFee(String),
    /// A replacement that would evict more transactions than this limit.
    TooManyReplacements(usize),
    /// A replacement that spends a waiting transaction which the replaced one did not.
    ReplacementAddsUnconfirmed(Txid),
    /// A transaction that spends what it would replace.
    SpendsConflicting(Txid),
    /// A fee below the relay fee: found and required, in satoshis.
    MinRelayFee(u64, u64),
    /// A fee below what the full mempool asks: found and required, in satoshis.
    MempoolMinFee(u64, u64),
    /// Too many or too large unconfirmed ancestors or descendants.
    TooLongChain(String),
    /// Accepted, but evicted at once, because the mempool is full of better paid transactions.
    MempoolFull,
    /// A fee rate so high that it must be a mistake.
    MaxFeeExceeded,
}

impl Refusal {
    /// Bitcoin Core's reject string without details.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoInputs => "bad-txns-vin-empty",
            Self::NoOutputs => "bad-txns-vout-empty",
            Self::Oversize => "bad-txns-oversize",
            Self::OutputTooLarge => "bad-txns-vout-toolarge",
            Self::OutputsTooLarge => "bad-txns-txouttotal-toolarge",
            Self::DuplicateInputs => "bad-txns-inputs-duplicate",
            Self::NullPrevout => "bad-txns-prevout-null",
            Self::Coinbase => "coinbase",
            Self::MissingInput(_) => "bad-txns-inputs-missingorspent",
            Self::ImmatureCoinbase(_) => "bad-txns-premature-spend-of-coinbase",
            Self::InputsTooLarge => "bad-txns-inputvalues-outofrange",
            Self::InputsBelowOutputs(..) => "bad-txns-in-belowout",
            Self::NotFinal => "non-final",
            Self::SequenceLocked => "non-BIP68-final",
            Self::Script(_) => "mempool-script-verify-flag-failed",
            Self::Version => "version",
            Self::Weight => "tx-size",
            Self::TooSmall => "tx-size-small",
            Self::ScriptSigSize => "scriptsig-size",
            Self::ScriptSigNotPushOnly => "scriptsig-not-pushonly",
            Self::NonstandardOutput(_) => "scriptpubkey",
            Self::DataCarrier(_) => "datacarrier",
            Self::Dust(_) => "dust",
            Self::NonstandardInput(_) => "bad-txns-nonstandard-inputs",
            Self::AlreadyInMempool => "txn-already-in-mempool",
            Self::SameWithOtherWitness => "txn-same-nonwitness-data-in-mempool",
            Self::AlreadyConfirmed => "txn-already-known",
            Self::Conflict(_) => "txn-mempool-conflict",
            Self::InsufficientFee(_) => "insufficient fee",
            Self::TooManyReplacements(_) => "too many potential replacements",
            Self::ReplacementAddsUnconfirmed(_) => "replacement-adds-unconfirmed",
            Self::SpendsConflicting(_) => "bad-txns-spends-conflicting-tx",
            Self::MinRelayFee(..) => "min relay fee not met",
            Self::MempoolMinFee(..) => "mempool min fee not met",
            Self::TooLongChain(_) => "too-long-mempool-chain",
            Self::MempoolFull => "mempool full",
            Self::MaxFeeExceeded => "max-fee-exceeded",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())?;
        match self {
            Self::ImmatureCoinbase(depth) => write!(f, ", tried to spend coinbase at depth {depth}"),
            Self::InputsBelowOutputs(found, needed) => write!(f, ", value in ({found}) < value out ({needed})"),
            Self::Script(input) => write!(f, " (input {input})"),
            Self::InsufficientFee(detail) | Self::TooLongChain(detail) => write!(f, ", {detail}"),
            Self::MinRelayFee(found, needed) | Self::MempoolMinFee(found, needed) => write!(f, ", {found} < {needed}"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}

/// Why a block was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BlockRefusal {
    /// It does not follow the tip.
    #[error("prev-blk-not-found")]
    NotOnTip,
    /// The target is another one than that of this chain.
    #[error("bad-diffbits")]
    Bits,
    /// The proof of work is missing.
    #[error("high-hash")]
    ProofOfWork,
    /// The time is not above the median of the last eleven blocks.
    #[error("time-too-old")]
    TimeTooOld,
    /// The header commits to other transactions.
    #[error("bad-txnmrklroot")]
    MerkleRoot,
    /// The coinbase commits to other witnesses.
    #[error("bad-witness-merkle-match")]
    WitnessCommitment,
    /// The first transaction is no coinbase.
    #[error("bad-cb-missing")]
    CoinbaseMissing,
    /// There is a second coinbase.
    #[error("bad-cb-multiple")]
    CoinbaseMultiple,
    /// The coinbase does not begin with the height (BIP 34).
    #[error("bad-cb-height")]
    CoinbaseHeight,
    /// The coinbase takes more than subsidy and fees.
    #[error("bad-cb-amount")]
    CoinbaseAmount,
    /// Too heavy.
    #[error("bad-blk-weight")]
    Weight,
    /// It creates an output that exists (BIP 30).
    #[error("bad-txns-BIP30")]
    DuplicateTransaction,
    /// A transaction in it is invalid.
    #[error("{refusal} (transaction {txid})")]
    Transaction {
        /// Which one.
        txid: Txid,
        /// Why.
        refusal: Refusal,
    },
}
