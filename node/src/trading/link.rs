//! The queues between the node's loop and the task.

use std::collections::BTreeSet;

use bytes::Bytes;
use darkswap_trade::order::TraderKey;
use darkswap_trader::command::TradeEvent;
use darkswap_trader::input::Input;
use darkswap_trader::output::Verdict;
use libp2p::PeerId;
use tokio::sync::{mpsc, oneshot, watch};

use super::limits;
use crate::chain::ChainEvent;

/// What the task asks of the node's loop.
#[derive(Debug)]
pub(crate) enum Act {
    Publish(Bytes),
    Verdict { token: u64, verdict: Verdict },
    Connect(PeerId),
    Release(PeerId),
    Send { to: PeerId, bytes: Bytes },
    SyncAsk { token: u64, to: PeerId, bytes: Bytes },
    SyncAnswer { token: u64, bytes: Option<Bytes> },
    Event(TradeEvent),
    ChainEvent(ChainEvent),
}

/// The loop's end.
#[derive(Debug)]
pub(crate) struct Link {
    inputs: mpsc::Sender<Input>,
    connected: watch::Sender<BTreeSet<TraderKey>>,
    ended: oneshot::Receiver<()>,
}

/// The task's end.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) inputs: mpsc::Receiver<Input>,
    /// Who is connected: a set and not a queue, so that nothing is lost however fast peers come and go.
    pub(crate) connected: watch::Receiver<BTreeSet<TraderKey>>,
    /// Dropped when the task has ended.
    pub(crate) _end: oneshot::Sender<()>,
}

/// The input was not taken: there are too many, or the trader has stopped.
#[derive(Debug)]
pub(crate) struct NotTaken;

pub(crate) fn link() -> (Link, Feed) {
    let (inputs, fed) = mpsc::channel(limits::INPUTS);
    let (connected, connections) = watch::channel(BTreeSet::new());
    let (end, ended) = oneshot::channel();
    (Link { inputs, connected, ended }, Feed { inputs: fed, connected: connections, _end: end })
}

impl Link {
    /// Gives the trader what a peer began by itself, and may repeat.
    pub(crate) fn offer(&self, input: Input) -> Result<(), NotTaken> {
        if self.inputs.capacity() <= limits::RESERVED {
            return Err(NotTaken);
        }
        self.answer(input)
    }

    /// Gives the trader what it waits for.
    pub(crate) fn answer(&self, input: Input) -> Result<(), NotTaken> {
        self.inputs.try_send(input).map_err(|_| NotTaken)
    }

    /// Tells whether there is a path to a trader.
    pub(crate) fn connected(&self, trader: TraderKey, is_connected: bool) {
        self.connected.send_if_modified(|all| if is_connected { all.insert(trader) } else { all.remove(&trader) });
    }

    /// Ends the task and waits for it, so that its disk is free afterwards.
    pub(crate) async fn close(self) {
        let Self { inputs, connected, ended } = self;
        drop((inputs, connected));
        // An error is what it waits for: the task dropped its end.
        let _ = ended.await;
    }
}
