//! Bounds and timings of a connection.

use std::time::Duration;

use crate::certificate::Certificate;

/// What a connection is made with: [`Settings::new`], then change what differs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The certificate shown to the peer.
    pub certificate: Certificate,
    /// The most bytes of one message that are sent and accepted; libp2p sends at most 16 KiB.
    pub max_message: usize,
    /// How many channels there may be at once, from both ends together. Browsers have 1,024 streams.
    pub max_channels: usize,
    /// How many unread bytes of one channel are taken; what arrives beyond them slows the peer down.
    pub channel_receive_buffer: usize,
    /// How many unread bytes of all channels are taken.
    pub receive_buffer: usize,
    /// How long a full channel may stay unread before it is reset, for it slows down all others.
    pub overrun_patience: Duration,
    /// How many bytes that have not been sent one channel may hold before it is full.
    pub channel_send_buffer: usize,
    /// How long the set-up may take from the first connectivity check on.
    pub set_up_timeout: Duration,
    /// How long the selected pair may be silent before ICE is disconnected.
    pub disconnected_timeout: Duration,
    /// How long ICE may be disconnected before it failed; checking fails after both times together.
    pub failed_timeout: Duration,
    /// How often the selected pair is kept alive: well below the 30 s for which NATs keep a mapping (RFC 4787 section 4.3).
    pub keepalive: Duration,
    /// How long better pairs are waited for before a reflexive one is nominated.
    pub reflexive_wait: Duration,
    /// How long better pairs are waited for before relayed ones are checked, by the end that nominates: with 8 % loss in either direction,
    /// 5 % of the pairs that can be direct are relayed without it, hardly any with it.
    pub relayed_wait: Duration,
}

impl Settings {
    /// The usual bounds and timings.
    pub fn new(certificate: Certificate) -> Self {
        Self {
            certificate,
            max_message: 16 * 1024,
            max_channels: 1024,
            channel_receive_buffer: 512 * 1024,
            receive_buffer: 4 * 1024 * 1024,
            overrun_patience: Duration::from_secs(5),
            channel_send_buffer: 256 * 1024,
            set_up_timeout: Duration::from_secs(20),
            disconnected_timeout: Duration::from_secs(5),
            failed_timeout: Duration::from_secs(8),
            keepalive: Duration::from_secs(2),
            reflexive_wait: Duration::from_millis(200),
            relayed_wait: Duration::from_millis(500),
        }
    }
}
