//! What happens to messages above the transport.

use std::time::Duration;

/// Sealing, compression and batches of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessagesConfig {
    /// Whether messages are encrypted end to end above the transport.
    pub sealing: Sealing,
    /// Whether messages are compressed where it pays, and compressed ones are taken.
    pub compression: bool,
    /// The shortest time between two batches to one peer. A message after a pause never waits.
    pub batch_delay: Duration,
}

impl Default for MessagesConfig {
    fn default() -> Self {
        Self { sealing: Sealing::Preferred, compression: true, batch_delay: Duration::from_millis(5) }
    }
}

/// Whether messages are encrypted end to end above the transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sealing {
    /// Only the plain protocol is spoken; the transport encrypts.
    Off,
    /// Sealed to every peer that can, plain to those that never could.
    #[default]
    Preferred,
    /// Sealed or not at all.
    Required,
}
