//! Shorthand for tests.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use darkswap_fabric::{
    Behaviour, Delivery, Fabric, FabricBuilder, HostConfig, HostIndex, LinkConfig, Nat, NatConfig, NatKind, OnClash,
    Packet, Placement, PortAssignment, Probability, Protocol, RegionIndex, SiteConfig, SiteIndex, TcpFlags,
};

pub(crate) use Behaviour::{AddressAndPortDependent as APD, AddressDependent as AD, EndpointIndependent as EI};

pub(crate) const EXTERNAL: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
pub(crate) const CORE: Duration = Duration::from_millis(20);
pub(crate) const NEXT_FREE: PortAssignment = PortAssignment::Preserve { on_clash: OnClash::NextFree };
pub(crate) const OVERLOAD: PortAssignment = PortAssignment::Preserve { on_clash: OnClash::Overload };
pub(crate) const PORT_ASSIGNMENTS: [PortAssignment; 4] =
    [NEXT_FREE, OVERLOAD, PortAssignment::Sequential, PortAssignment::Random];
pub(crate) const UDP: Protocol = Protocol::Udp;
pub(crate) const DATA: Protocol = Protocol::Tcp(TcpFlags { syn: false, fin: false, rst: false });

pub(crate) fn at(text: &str) -> SocketAddrV4 {
    text.parse().expect("an endpoint")
}

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(crate) fn share(share: f64) -> Probability {
    Probability::new(share).expect("a share")
}

pub(crate) fn config(mapping: Behaviour, filtering: Behaviour) -> NatConfig {
    NatConfig::new(NatKind::new(mapping, filtering))
}

pub(crate) fn nat(config: NatConfig) -> Nat {
    Nat::new(config, EXTERNAL, 7)
}

pub(crate) fn packet(protocol: Protocol, source: SocketAddrV4, destination: SocketAddrV4, body: u32) -> Packet<u32> {
    Packet { source: SocketAddr::V4(source), destination: SocketAddr::V4(destination), protocol, size: 100, body }
}

/// Everything that is delivered until `now`.
pub(crate) fn deliveries(fabric: &mut Fabric<u32>, now: Duration) -> Vec<Delivery<u32>> {
    std::iter::from_fn(|| fabric.pop_due(now)).collect()
}

/// Everything that is delivered from now on if nothing else is sent.
pub(crate) fn drain(fabric: &mut Fabric<u32>) -> Vec<Delivery<u32>> {
    deliveries(fabric, Duration::MAX)
}

pub(crate) fn bodies(deliveries: &[Delivery<u32>]) -> Vec<u32> {
    deliveries.iter().map(|delivery| delivery.packet.body).collect()
}

/// One region and what tests put into it.
pub(crate) struct World {
    pub(crate) builder: FabricBuilder,
    pub(crate) region: RegionIndex,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_path(LinkConfig::with_latency(CORE))
    }

    pub(crate) fn with_path(path: LinkConfig) -> Self {
        let mut builder = FabricBuilder::new(1);
        let region = builder.region("region").expect("a first region");
        builder.every_path(path);
        Self { builder, region }
    }

    pub(crate) fn public(&mut self, address: &str) -> HostIndex {
        self.host(address, Placement::Core(self.region))
    }

    pub(crate) fn inside(&mut self, site: SiteIndex, address: &str) -> HostIndex {
        self.host(address, Placement::Behind(site))
    }

    pub(crate) fn site(&mut self, external: &str, nat: NatConfig) -> SiteIndex {
        self.nested(Placement::Core(self.region), external, nat)
    }

    pub(crate) fn nested(&mut self, placement: Placement, external: &str, nat: NatConfig) -> SiteIndex {
        let config = SiteConfig::behind_nat(placement, external.parse().expect("an address"), nat);
        self.builder.site(external, config).expect("a site")
    }

    pub(crate) fn build(self) -> Fabric<u32> {
        self.builder.build().expect("a fabric")
    }

    fn host(&mut self, address: &str, placement: Placement) -> HostIndex {
        let config = HostConfig::new(address.parse().expect("an address"), placement);
        self.builder.host(address, config).expect("a host")
    }
}
