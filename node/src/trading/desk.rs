//! The operator's end of trading.

use std::sync::{Arc, OnceLock};

use darkswap_trade::order::TraderKey;
use darkswap_trader::command::{Command, CommandError, Reply};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use super::limits;

/// A cheap, cloneable way to give a running node's trader commands.
#[derive(Debug, Clone)]
pub struct Trading {
    key: TraderKey,
    asks: mpsc::Sender<Ask>,
    end: End,
}

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TradingError {
    /// The trader's word.
    #[error(transparent)]
    Refused(#[from] CommandError),
    /// There is no trader any more.
    #[error("{0}")]
    Stopped(String),
}

/// A command with the way back for its answer.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) command: Command,
    pub(crate) answer: oneshot::Sender<Result<Reply, CommandError>>,
}

/// Why a trader has ended, once it has.
#[derive(Debug, Clone, Default)]
pub(crate) struct End(Arc<OnceLock<String>>);

impl End {
    pub(crate) fn set(&self, reason: String) {
        // The first reason is the cause.
        let _ = self.0.set(reason);
    }

    fn stopped(&self) -> TradingError {
        TradingError::Stopped(self.0.get().cloned().unwrap_or_else(|| "the node has stopped".to_owned()))
    }
}

impl Trading {
    /// The handle, what it asks, and where the end is told.
    pub(crate) fn new(key: TraderKey) -> (Self, mpsc::Receiver<Ask>, End) {
        let (asks, asked) = mpsc::channel(limits::ASKS);
        let end = End::default();
        (Self { key, asks, end: end.clone() }, asked, end)
    }

    /// The key under which this node trades: that of its peer id.
    #[must_use]
    pub fn key(&self) -> TraderKey {
        self.key
    }

    /// Asks the trader and waits for its answer, which may need the chain. A command whose answer is not waited for is carried out
    /// nevertheless.
    ///
    /// # Errors
    /// [`TradingError::Refused`] with the trader's word, [`TradingError::Stopped`].
    pub async fn ask(&self, command: Command) -> Result<Reply, TradingError> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask { command, answer }).await.map_err(|_| self.end.stopped())?;
        Ok(answered.await.map_err(|_| self.end.stopped())??)
    }
}
