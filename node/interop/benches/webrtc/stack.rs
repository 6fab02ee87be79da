//! What the stacks under comparison have in common.

use anyhow::Result;

/// Bytes of a message: the most that libp2p sends in one.
pub(crate) const MESSAGE: usize = 16 * 1024;

/// A way to connect two peers of this process over loopback.
pub(crate) trait Stack: Sized {
    /// As it appears in the results.
    const NAME: &'static str;
    /// Both ends of a connection.
    type Pair: Send;

    /// What a process has before its first connection.
    async fn start() -> Result<Self>;

    /// A new connection over which a first message has arrived.
    async fn connect(&mut self) -> Result<Self::Pair>;

    /// Sends as many messages of [`MESSAGE`] bytes, one behind the other, until all have arrived.
    async fn transfer(pair: &mut Self::Pair, messages: usize) -> Result<()>;

    /// Ends the connection.
    async fn close(pair: Self::Pair) -> Result<()>;
}
