//! One swap, from request to confirmation, for maker and taker.
//!
//! | module | noun |
//! |---|---|
//! | [`message`] | what the two sides say to each other |
//! | [`record`] | what must survive a crash |
//! | [`fills`] | what a maker has promised and sold of its orders |
//!
//! A [`Swap`] follows the law of all machines here: after any [`handle`](Swap::handle) drain [`poll`](Swap::poll), carry out the
//! outputs **in their order**, and call again at the [`deadline`](Swap::deadline). An [`Output::Persist`] must be durable before the
//! next output is carried out: it precedes what it promises.
//!
//! # Course
//!
//! ```text
//! taker                                   maker
//!   Requested  -- Request ------------->    Requested: wallet funds, chain knows the inputs
//!              <------------- Accept --     Accepted (inputs reserved until the deadline)
//!   checks, signs, persists
//!   Proposed   -- Proposal ------------>    checks, verifies the signatures, signs, persists
//!              <------------ Settled --     Broadcast
//!   Broadcast (seen on the chain)
//!   Confirming                              Confirming
//!   Done                                    Done
//! ```
//!
//! Both derive the same [`Terms`](crate::psbt::Terms) and from them the same unsigned transaction, so a proposal carries nothing new
//! but signatures, and the txid is known before anybody signs. A taker that completes a presigned ask enters at Broadcast and
//! talks to nobody.
//!
//! **The taker signs first.** Whoever signs first gives the other side a free option until the deadline. A maker waits for
//! strangers, who could make it pay for reclaiming at no cost to themselves. A taker chose its maker, who has an order to lose.
//!
//! **The chain is the only judge.** No message ends a swap once a signature is given away: [`Body::Settled`]
//! only brings a transaction to broadcast, and a rejection only makes the taker reclaim sooner. A swap ends when the transaction, or
//! one that conflicts with it, is [confirmed](Policy::confirmations).
//!
//! # What the other side can do, and what it costs at most
//!
//! | phase | what the other side has | what it can do | lost at most | until |
//! |---|---|---|---|---|
//! | taker, Requested | our outpoints and addresses | not answer; name inputs that do not exist | time; our inputs are reserved | [`ANSWER`], or the maker's deadline less [`MARGIN`] |
//! | maker, Requested | an order | ask for much | time | [`ANSWER`] |
//! | maker, Accepted | our outpoints and addresses | not propose; propose rubbish | time; our inputs and units are reserved | the deadline |
//! | taker, Proposed | our signatures: it alone can settle | settle late or never; spend its own inputs elsewhere; claim to refuse | the fee of a reclaim | the deadline and [`GRACE`] (and [`SETTLE`] while a spend of its own waits) |
//! | maker, Broadcast | our signatures | spend its own inputs elsewhere, at least for the time | the fee of a reclaim | the deadline and [`SETTLE`], while not in the mempool |
//! | taker, Broadcast | our signatures | as above; let the transaction be evicted | the fee of a reclaim | as above |
//! | Reclaiming | our signatures | still settle, as agreed | the fee of a reclaim, or the agreed fee | the chain confirms either |
//! | Confirming, Done | | nothing, but for a reorganisation deeper than [`Policy::confirmations`] | | |
//!
//! The agreed fee is paid by the taker, and only if the swap settles. Reclaiming spends one own input in another transaction, all
//! tries spend the [same](record::Stage::Reclaiming), so one at most is paid for. A transaction that waits in the mempool is not
//! reclaimed: it settles as agreed when its fee rate is reached. [`Input::Cancel`] overrules that.

pub mod fills;
mod machine;
pub mod message;
pub mod record;
mod settlement;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bitcoin::{Amount, FeeRate, OutPoint, Transaction, Txid};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Time;
use crate::asset::Asset;
use crate::coin::Coin;
use crate::hex::{self, NotHex};
use crate::psbt::{CheckedPsbt, Party, Stake};

pub use fills::{Fills, PromiseRefusal};
pub use machine::{Incoming, Swap, Taking};
pub use message::{Accept, Body, Message, MessageRefusal, Rejection, Request};
pub use record::{Agreement, Cause, Reason, Record, Spend, Stage};

/// How long a taker waits for an answer, and a maker for its own wallet and chain: a few look-ups over a slow relay.
pub const ANSWER: Duration = Duration::from_secs(30);

/// The windows between acceptance and deadline that a maker may choose. Less cannot be met; more reserves the taker's inputs for too
/// long.
pub const WINDOW: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(600));

/// How far beyond [`WINDOW`] a deadline may be when the taker reads it: the acceptance takes its time, and clocks differ.
pub const DRIFT: Duration = Duration::from_secs(15);

/// How long before the deadline a taker no longer gives its signatures away: they would arrive too late, and reclaiming costs.
pub const MARGIN: Duration = Duration::from_secs(5);

/// How long after the deadline a taker waits to see the transaction, which may have been broadcast at the last moment, before it
/// reclaims. Clocks may differ by as much; where they differ by more, the race costs a reclaim and nothing else.
pub const GRACE: Duration = Duration::from_secs(60);

/// How long after the deadline a transaction that left the mempool, or is kept out by a conflict, is given time to come back.
/// Longer than [`GRACE`]: both sides want it. A few blocks, so that the conflict may confirm and spare a reclaim.
pub const SETTLE: Duration = Duration::from_secs(3_600);

/// How often a taker repeats what was not answered. The transport repeats what gets lost; this is for a maker that restarted.
pub const RESEND: Duration = Duration::from_secs(10);

/// How often a transaction that is not in the mempool is broadcast again.
pub const REBROADCAST: Duration = Duration::from_secs(30);

/// How often a reclaim that does not confirm is made anew, with a higher fee: about a block.
pub const RECLAIM_RETRY: Duration = Duration::from_secs(600);

/// Finished transactions taken from a maker in one life of the machine. One is enough; each failed one may be replaced.
pub const MAX_CANDIDATES: u32 = 4;

/// Which swap of two peers. The taker chooses it at random; it means something only together with the taker's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SwapId(#[serde(with = "crate::hex")] pub [u8; 16]);

impl fmt::Display for SwapId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(&self.0, f)
    }
}

impl FromStr for SwapId {
    type Err = NotHex;

    fn from_str(text: &str) -> Result<Self, NotHex> {
        hex::parse(text).map(Self)
    }
}

/// Which side of a swap made the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// Made the order, waits for requests, signs last.
    Maker,
    /// Took the order, asks, pays the fee, signs first.
    Taker,
}

/// What an operator decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Confirmations, at least 1, after which nothing is expected to change.
    pub confirmations: u32,
    /// As maker: the time between acceptance and deadline, within [`WINDOW`].
    pub window: Duration,
    /// Fee rates of swaps that are taken part in. Below the first a swap may never confirm.
    pub fee_rates: (FeeRate, FeeRate),
}

/// Where a swap is, for people and records. [`Stage`] says it for disks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// Asked for.
    Requested,
    /// The maker agreed.
    Accepted,
    /// The taker's signatures are given away.
    Proposed,
    /// The transaction is out, not in a block.
    Broadcast,
    /// The transaction is in a block, not deep enough.
    Confirming,
    /// An input is being spent elsewhere, so that the swap cannot settle any more.
    Reclaiming,
    /// Settled.
    Done,
    /// Nothing changed hands.
    Aborted,
}

/// What the chain knows of a swap's transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Neither it nor a conflict is known.
    Absent,
    /// It waits in the mempool.
    InMempool,
    /// It is in a block.
    Confirmed {
        /// Blocks from its own to the tip, both counted.
        depth: u32,
    },
    /// One of its inputs is spent by another transaction.
    Conflicted {
        /// Which input.
        outpoint: OutPoint,
        /// By which transaction.
        by: Txid,
        /// Blocks from the other transaction's to the tip, both counted; 0 while it waits in the mempool.
        depth: u32,
    },
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// The peer said something in this swap.
    Message(Body),
    /// The peer is connected (again).
    Connected,
    /// The peer is not connected any more.
    Lost,
    /// The answer to [`Output::Fund`]: what we bring.
    Funded(Stake),
    /// The answer to [`Output::Fund`]: no.
    Declined(Rejection),
    /// The answer to [`Output::Ask`]: those of the outputs that are unspent, in the mempool as well.
    Coins(BTreeMap<OutPoint, Coin>),
    /// The answer to [`Output::Sign`].
    Signed(bitcoin::Psbt),
    /// The answer to [`Output::Sign`]: the wallet did not.
    NotSigned(String),
    /// A [`Output::Broadcast`] was refused. Success shows in [`Input::Seen`].
    BroadcastFailed {
        /// Which transaction.
        txid: Txid,
        /// What the chain's node said.
        reason: String,
    },
    /// The answer to [`Output::Watch`]: the status now, and again whenever it changes.
    Seen(Status),
    /// The answer to [`Output::Reclaim`]. None where the wallet could not; it is asked again later.
    Reclaimed(Option<Transaction>),
    /// Stop. Before a signature is given away that ends the swap; afterwards it reclaims, also while the transaction waits in the
    /// mempool. A confirmed transaction stays.
    Cancel,
    /// Time passed; nothing else happened.
    Tick,
}

/// What to do, or what to report.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Write the record. Durable before anything after it is carried out.
    Persist(Box<Record>),
    /// Send to the peer.
    Send(Body),
    /// Maker: decide whether to go on, and choose what to bring. Answer with `Funded` or `Declined`.
    Fund(Funding),
    /// Look these outputs up on the chain. Answer with `Coins`.
    Ask(Vec<OutPoint>),
    /// Keep these own outputs for this swap. Repeated, it replaces the time.
    Reserve {
        /// Which.
        outpoints: Vec<OutPoint>,
        /// Until when; none: until `Release`.
        until: Option<Time>,
    },
    /// This swap needs its reserved outputs no more.
    Release,
    /// Sign the inputs that this side brings, and no others. Answer with `Signed` or `NotSigned`.
    Sign(Box<CheckedPsbt>),
    /// Broadcast a transaction of the swap, or a reclaim.
    Broadcast(Transaction),
    /// Follow the transaction and what else spends these outputs. Answer with `Seen`.
    Watch {
        /// The swap's transaction.
        txid: Txid,
        /// What it spends.
        spends: Vec<Spend>,
    },
    /// No longer follow this transaction.
    Unwatch(Txid),
    /// Spend one of these own outputs to ourselves, at a fee rate that replaces what may wait in the mempool, without burning
    /// assets on it. Answer with `Reclaimed`.
    Reclaim {
        /// Any one of them does.
        outpoints: Vec<OutPoint>,
        /// Which try this is, from 1. A later one must replace the earlier one.
        attempt: u32,
    },
    /// Report: the swap is somewhere else now.
    Moved {
        /// Before.
        from: Phase,
        /// Now.
        to: Phase,
        /// Why, where the phase itself does not say.
        reason: Option<String>,
    },
    /// Report: the peer did what no correct node does.
    Misbehaved(Misbehaviour),
    /// Report: something outside failed; the machine tries again.
    Failed(String),
}

/// What a maker has to decide on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Funding {
    /// What is traded.
    pub asset: Asset,
    /// Its units.
    pub units: u128,
    /// The bitcoin for them.
    pub payment: Amount,
    /// Which of both we bring.
    pub party: Party,
    /// How long the chosen outputs must not be chosen again.
    pub until: Time,
}

/// What no correct peer does. The evidence is the message that was handled.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Misbehaviour {
    /// A message of the other role, or one that comes before what it answers.
    #[error("found {0} at a point of the swap where none can be")]
    OutOfPlace(&'static str),
    /// A known swap id with other content.
    #[error("found another {0} under the same swap id, expected a repetition")]
    Changed(&'static str),
    /// The maker's deadline is out of bounds.
    #[error("found a deadline {found:?} from now, expected {:?} to {:?}, {DRIFT:?} more or less", WINDOW.0, WINDOW.1)]
    Deadline {
        /// How far it is.
        found: Duration,
    },
    /// The maker names inputs of ours as its own.
    #[error("found our input {0} among the peer's")]
    Stake(OutPoint),
    /// A proposal that does not check, or whose signatures are wrong.
    #[error("found a proposal that does not check: {0}")]
    Proposal(String),
    /// A finished transaction that is another one.
    #[error("found transaction {found}, expected {expected}")]
    Settled {
        /// What was found.
        found: Txid,
        /// What was agreed on.
        expected: Txid,
    },
}

/// Why a swap does not begin.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{rejection}: {detail}")]
pub struct Refused {
    /// What the peer is told.
    pub rejection: Rejection,
    /// What was found, and what was expected.
    pub detail: String,
}
