//! Every bound of trading in the node, with its reason.

use std::time::Duration;

use darkswap_trade::reconcile;
use darkswap_trade::swap::message;

/// Inputs that wait for the task. At the largest statement each they are some 5 MiB.
pub(crate) const INPUTS: usize = 1_024;
/// How many of them are kept for what nobody repeats: answers to our own questions, of which there are few.
pub(crate) const RESERVED: usize = 256;
/// Statements whose verdict is awaited. Beyond it gossip is ignored; reconciliation brings what was missed.
pub(crate) const VERDICTS: usize = INPUTS;
/// Peers' steps of reconciliation whose answer is awaited, of all peers.
pub(crate) const SYNC_ANSWERS: usize = 128;
/// Commands that wait for the task; an operator of more waits itself.
pub(crate) const ASKS: usize = 16;
/// Commands whose answer is awaited. Some wait for the chain.
pub(crate) const ANSWERS: usize = 256;
/// Requests that the chain does not take yet. A trader bounds what it has under way far below that.
pub(crate) const UNASKED: usize = 16_384;
/// When they are tried again.
pub(crate) const RETRY: Duration = Duration::from_millis(50);
/// The longest sleep: the calendar, by which a trader's deadlines are, can be set meanwhile.
pub(crate) const SLEEP: Duration = Duration::from_secs(30);
/// The shortest time between two ticks, so that a deadline that does not move cannot take all of a core.
pub(crate) const TICK: Duration = Duration::from_millis(1);
/// Bytes of a step of reconciliation in either direction: the largest frame, and as much for the statements that go with it.
pub(crate) const SYNC: usize = 2 * reconcile::MAX_MESSAGE;
/// Bytes of a swap's message.
pub(crate) const TRADE: usize = message::MAX_MESSAGE;
/// How long a step or a message may take; a slow relay moves the largest step in this time.
pub(crate) const EXCHANGE: Duration = Duration::from_secs(15);
/// Steps, and messages, of one connection that are handled at once.
pub(crate) const STREAMS: usize = 16;

/// Scores of gossip peers (gossipsub v1.1, "Peer scoring"): only what is wrong counts.
pub(crate) mod score {
    use std::time::Duration;

    /// A forged statement costs this times the square of how many there were: the third within [`FORGIVEN`] passes the
    /// threshold below which a peer is not listened to (-80). A correct node forwards none.
    pub(crate) const INVALID: f64 = -10.0;
    /// When an invalid statement is forgotten.
    pub(crate) const FORGIVEN: Duration = Duration::from_secs(600);
    /// Broken promises of the router (IWANT that is not answered) that cost nothing: connections break.
    pub(crate) const PROMISES: f64 = 6.0;
    /// How long a peer that left is remembered, so that reconnecting forgives nothing.
    pub(crate) const REMEMBERED: Duration = Duration::from_secs(1_800);
}
