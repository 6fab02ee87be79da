//! Faults: what can be broken, and what each one touched.

use std::net::Ipv4Addr;

use thiserror::Error;

use crate::link::LinkConfig;
use crate::nat::AfterReset;
use crate::topology::{HostIndex, RegionIndex, SiteIndex};

/// A fault that was applied, numbered from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FaultId(pub u32);

/// One end of an access link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AccessPoint {
    /// The access link of a host.
    Host(HostIndex),
    /// The access link of a site.
    Site(SiteIndex),
}

/// One direction of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LinkRef {
    /// Away from a host or a site.
    Up(AccessPoint),
    /// Towards a host or a site.
    Down(AccessPoint),
    /// The LAN of a site.
    Lan(SiteIndex),
    /// The path in the core from one region to another.
    Core {
        /// Where the path starts.
        from: RegionIndex,
        /// Where it ends.
        to: RegionIndex,
    },
}

/// What can be broken.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// Hosts in different groups cannot reach each other: datagrams are dropped, TCP segments held. Hosts in no group
    /// are not affected. Packets are cut where they would start on their way down to the receiver. Touches packets.
    Partition {
        /// The groups; a host that is in several counts as a member of the last.
        groups: Vec<Vec<HostIndex>>,
    },
    /// A crash: everything under way from and to the host is dropped, TCP segments included, and everything until the
    /// fault is lifted. Touches the host, which counts as 1, and packets.
    HostDown {
        /// The host.
        host: HostIndex,
    },
    /// The access link is down in both directions: datagrams that would enter it are dropped, TCP segments held.
    /// Touches packets.
    LinkDown {
        /// Whose access link.
        at: AccessPoint,
    },
    /// The NAT of a site forgets everything, at once; there is nothing to lift. Touches mappings.
    NatReset {
        /// The site.
        site: SiteIndex,
        /// Which ports the flows get afterwards.
        after: AfterReset,
    },
    /// The NAT of a site gets another external address, at once, and forgets everything; the old address belongs to nobody any more.
    /// Touches the NAT, which counts as 1, and mappings.
    Readdress {
        /// The site.
        site: SiteIndex,
        /// The new address, which nobody else has.
        external: Ipv4Addr,
    },
    /// A link gets other parameters. Of several on the same link the last one holds; when all are lifted the original
    /// parameters hold. Touches the packets that enter the link while it holds.
    Impairment {
        /// The link.
        link: LinkRef,
        /// The parameters.
        config: LinkConfig,
    },
}

/// A fault that cannot be applied or lifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FaultError {
    /// The fault names a host that does not exist.
    #[error("host {0:?} does not exist")]
    UnknownHost(HostIndex),
    /// The fault names a site that does not exist.
    #[error("site {0:?} does not exist")]
    UnknownSite(SiteIndex),
    /// The fault names a region that does not exist.
    #[error("region {0:?} does not exist")]
    UnknownRegion(RegionIndex),
    /// The site of a NAT reset has no NAT.
    #[error("site {0:?} has no NAT")]
    NoNat(SiteIndex),
    /// The new address of a NAT belongs to somebody.
    #[error("the address {0} is taken, expected a free one")]
    AddressTaken(Ipv4Addr),
    /// No fault of this id was applied.
    #[error("fault {0:?} does not exist")]
    UnknownFault(FaultId),
    /// The fault was lifted before, or there is nothing to lift.
    #[error("fault {0:?} is not active")]
    NotActive(FaultId),
}
