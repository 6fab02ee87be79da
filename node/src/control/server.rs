//! The node's end of the control endpoint.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

pub use super::endpoint::BindError;
use super::endpoint::Endpoint;
use super::session::{self, Node, session};
use super::subscribers::Subscribers;
use crate::handle::Handle;

/// Clients at once. Each costs a descriptor, and at most two of the largest lines in memory.
const CLIENTS: usize = 32;

/// Bytes of a request besides its payload.
const REQUEST_OVERHEAD: usize = 16 << 10;

/// How long clients may take to read their last answers when the node ends.
const GRACE: Duration = Duration::from_secs(1);

/// Pause after the host could not accept a client, for example because it has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An open control endpoint.
#[derive(Debug)]
pub struct Server {
    endpoint: Endpoint,
}

impl Server {
    /// Opens the endpoint, so that only this process has it. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`BindError::Taken`] when another node has it, [`BindError`] else.
    pub fn bind(path: &Path) -> Result<Self, BindError> {
        Ok(Self { endpoint: Endpoint::bind(path)? })
    }

    /// Serves clients until `end`, then lets them read what is on its way. `message_size` is the largest payload in bytes.
    pub async fn serve(
        mut self,
        handle: Handle,
        subscribers: Subscribers,
        message_size: usize,
        end: impl Future<Output = ()>,
    ) {
        let (ends, ending) = watch::channel(false);
        // Base64 takes four bytes for three, JSON at most six (`\u0000`) for one byte of text.
        let line_limit = message_size.saturating_mul(6).saturating_add(REQUEST_OVERHEAD);
        let node = Node { handle, subscribers: subscribers.clone(), ending, line_limit };
        let mut sessions = JoinSet::new();
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = &mut end => break,
                Some(_) = sessions.join_next() => {}
                accepted = self.endpoint.accept() => match accepted {
                    Ok(stream) if sessions.len() < CLIENTS => {
                        sessions.spawn(session(stream, node.clone()));
                    }
                    Ok(stream) => {
                        // Not waited for: a few bytes fit into the socket's buffer.
                        let _ = tokio::time::timeout(ACCEPT_PAUSE, session::refuse(stream, CLIENTS)).await;
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a control client");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        subscribers.end();
        let _ = ends.send(true);
        let _ = tokio::time::timeout(GRACE, async { while sessions.join_next().await.is_some() {} }).await;
    }
}

#[cfg(test)]
mod tests;
