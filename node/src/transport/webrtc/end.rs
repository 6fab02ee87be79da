//! Why a connection ended.

use std::io;
use std::sync::Arc;

use darkswap_webrtc::connection::CloseReason;
use thiserror::Error;

/// Why a connection ended.
#[derive(Debug, Clone, Error)]
pub enum End {
    /// This node closed it.
    #[error("this node closed the connection")]
    Closed,
    /// The peer or the network ended it.
    #[error("{0}")]
    Connection(CloseReason),
    /// Its last socket is gone, for this reason.
    #[error("the last socket was lost: {0}")]
    Socket(Arc<io::Error>),
    /// The task that drives it was ended with its host.
    #[error("the connection has no socket any more")]
    NoSocket,
}

impl From<End> for io::Error {
    fn from(end: End) -> Self {
        let kind = match &end {
            End::Closed => io::ErrorKind::BrokenPipe,
            End::Connection(_) => io::ErrorKind::ConnectionReset,
            End::Socket(error) => error.kind(),
            End::NoSocket => io::ErrorKind::NotConnected,
        };
        Self::new(kind, end)
    }
}
