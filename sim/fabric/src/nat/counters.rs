//! What a NAT refused, and why.

use thiserror::Error;

/// Why a NAT dropped a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum NatDrop {
    /// From the outside to an external port without a mapping.
    #[error("no mapping for the external port")]
    Unmapped,
    /// From the outside to a mapping whose filter does not admit the source.
    #[error("source not admitted by the filter of the mapping")]
    Filtered,
    /// From the inside to the external address of a NAT without hairpinning.
    #[error("hairpinning is off")]
    HairpinningOff,
    /// A new mapping was needed and [`NatLimits::mappings`](super::NatLimits::mappings) was reached.
    #[error("limit of mappings reached")]
    MappingsExhausted,
    /// A new mapping was needed and [`NatLimits::mappings_per_host`](super::NatLimits::mappings_per_host) was reached.
    #[error("limit of mappings of the internal host reached")]
    HostMappingsExhausted,
    /// A new mapping was needed and every external port was in use.
    #[error("no external port is free")]
    PortsExhausted,
}

/// What a NAT did since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NatCounters {
    /// Packets translated from the inside to the outside.
    pub outbound: u64,
    /// Packets translated from the outside to the inside.
    pub inbound: u64,
    /// Packets turned around, which are in `outbound` and `inbound` too.
    pub hairpinned: u64,
    /// Mappings created.
    pub mappings_created: u64,
    /// Mappings that ended by their idle life. An expired mapping is found when it is next looked at.
    pub mappings_expired: u64,
    /// Mappings forgotten by resets.
    pub mappings_reset: u64,
    /// Flows moved to another port because of a tracked unsolicited packet.
    pub remapped: u64,
    /// Unsolicited packets that left a tracked entry.
    pub tracked: u64,
    /// Remote endpoints that were forgotten to make room in the filter state of a mapping.
    pub sessions_evicted: u64,
    /// Packets dropped: see [`NatDrop::Unmapped`].
    pub unmapped: u64,
    /// Packets dropped: see [`NatDrop::Filtered`].
    pub filtered: u64,
    /// Packets dropped: see [`NatDrop::HairpinningOff`].
    pub hairpinning_off: u64,
    /// Packets dropped: see [`NatDrop::MappingsExhausted`].
    pub mappings_exhausted: u64,
    /// Packets dropped: see [`NatDrop::HostMappingsExhausted`].
    pub host_mappings_exhausted: u64,
    /// Packets dropped: see [`NatDrop::PortsExhausted`].
    pub ports_exhausted: u64,
}

impl NatCounters {
    /// Packets dropped for any reason.
    pub const fn dropped(&self) -> u64 {
        self.unmapped
            + self.filtered
            + self.hairpinning_off
            + self.mappings_exhausted
            + self.host_mappings_exhausted
            + self.ports_exhausted
    }

    pub(crate) const fn count(&mut self, reason: NatDrop) {
        let counter = match reason {
            NatDrop::Unmapped => &mut self.unmapped,
            NatDrop::Filtered => &mut self.filtered,
            NatDrop::HairpinningOff => &mut self.hairpinning_off,
            NatDrop::MappingsExhausted => &mut self.mappings_exhausted,
            NatDrop::HostMappingsExhausted => &mut self.host_mappings_exhausted,
            NatDrop::PortsExhausted => &mut self.ports_exhausted,
        };
        *counter += 1;
    }
}
