//! A packet under way.

use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;

use crate::fault::FaultId;
use crate::packet::{Delivery, Packet, Protocol};
use crate::topology::{HostIndex, Location, SiteIndex};

/// What happens next to a packet.
///
/// ```text
/// Departing -> Rising(site) -> LeavingSite -> Rising(carrier) -> LeavingSite -> Rising(core)
///                   |                              |                               |
///                   v turned around                v                               v
///                Turned(site)                 Turned(carrier)                 Turned(core)
///                   |                              |                               |
///                   v                              v                               v
/// EnteringHost <- Translating <- EnteringSite <- Translating <- EnteringSite <-----+
///      |
///      v
///   Arrived -> Repaired -> delivered
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Enters the uplink of its host.
    Departing,
    /// Has come up to a place, where it is turned around or sent further out.
    Rising(Location),
    /// Translated; enters the uplink of the site.
    LeavingSite(SiteIndex),
    /// Has crossed a LAN or the core; is about to go down.
    Turned(Location),
    /// Enters the downlink of the site.
    EnteringSite(SiteIndex),
    /// Is at the NAT of the site, from the outside.
    Translating(SiteIndex),
    /// Enters the downlink of the host.
    EnteringHost(HostIndex),
    /// Is at the host; TCP segments wait for what was lost before them.
    Arrived(HostIndex),
    /// Nothing is missing any more.
    Repaired(HostIndex),
}

/// What became of a packet at a stage.
#[derive(Debug)]
pub(super) enum Step {
    /// The next stage begins at this time.
    Proceed(Stage, Duration),
    /// The stage begins again when the fault is lifted.
    Hold(FaultId),
    /// It is gone, and counted.
    Gone,
    /// It has reached the host.
    Deliver(HostIndex),
}

/// A packet under way with what the fabric needs to know about it.
#[derive(Debug, Clone)]
pub(super) struct Flight<P> {
    pub(super) source: SocketAddrV4,
    pub(super) destination: SocketAddrV4,
    pub(super) protocol: Protocol,
    pub(super) size: u32,
    pub(super) body: P,
    pub(super) sender: HostIndex,
    /// When it was sent, later by the time it was held.
    pub(super) sent: Duration,
    /// How often links have lost it (TCP only).
    pub(super) losses: u32,
    pub(super) stage: Stage,
}

impl<P> Flight<P> {
    pub(super) fn into_delivery(self, host: HostIndex, at: Duration) -> Delivery<P> {
        let packet = Packet {
            source: SocketAddr::V4(self.source),
            destination: SocketAddr::V4(self.destination),
            protocol: self.protocol,
            size: self.size,
            body: self.body,
        };
        Delivery { host, sender: self.sender, at, packet }
    }
}
