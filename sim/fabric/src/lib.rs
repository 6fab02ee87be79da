//! The simulated network fabric: NATs, links, regions and faults as pure state.
//!
//! A harness takes packets out of the hosts' kernels, hands them to [`Fabric::send`], and delivers what
//! [`Fabric::pop_due`] says has arrived. The path of a packet:
//!
//! ```text
//! host -> uplink -> (NAT, uplink) per site outwards -> core -> (downlink, NAT) per site inwards -> downlink -> host
//! ```
//!
//! Packets between neighbours are turned around inside the innermost site that they share and cross its LAN instead of
//! the core; so do hairpinned ones.
//!
//! # Map
//! - [`FabricBuilder`], [`HostConfig`], [`SiteConfig`]: the topology, and [`TopologyError`] for what is wrong with it.
//! - [`Fabric`]: packets in, deliveries out; faults; [`Counters`].
//! - [`nat`]: the NAT box in the words of RFC 4787. [`predicate`]: who can reach whom directly.
//! - [`link`]: bandwidth, queue, loss, latency, jitter, reordering, duplication. [`tcp`]: how loss becomes delay.
//! - [`fault`]: what can be broken, and what that touched.
//!
//! # Invariants
//! - Pure: no clock, no I/O, no entropy but the seed. The same calls give the same results.
//! - Every packet is delivered, counted as dropped for one reason, or still in flight.
//! - TCP segments of a flow arrive complete and in order unless a NAT, a missing route or a crash drops them.
//! - Translation outwards happens when the packet leaves, inwards when it arrives at the NAT; filter state at that time
//!   decides.
//!
//! # Absent on purpose
//! ICMP, IPv6, fragmentation and MTU (the sockets check it), several external addresses per NAT, port guessing, UPnP
//! and PCP, congestion control.
//!
//! # Example
//! ```
//! use std::time::Duration;
//! use darkswap_fabric::{
//!     Behaviour, FabricBuilder, HostConfig, LinkConfig, NatConfig, NatKind, Packet, Placement, Protocol, SiteConfig,
//! };
//!
//! let mut builder = FabricBuilder::new(42);
//! let europe = builder.region("europe")?;
//! builder.path(europe, europe, LinkConfig::with_latency(Duration::from_millis(20)))?;
//! let kind = NatKind::new(Behaviour::EndpointIndependent, Behaviour::AddressAndPortDependent);
//! let home = builder.site(
//!     "home",
//!     SiteConfig::behind_nat(Placement::Core(europe), "203.0.113.1".parse()?, NatConfig::new(kind)),
//! )?;
//! let alice = builder.host("alice", HostConfig::new("192.168.0.2".parse()?, Placement::Behind(home)))?;
//! let relay = builder.host("relay", HostConfig::new("198.51.100.1".parse()?, Placement::Core(europe)))?;
//! let mut fabric = builder.build::<&'static str>()?;
//!
//! fabric.send(
//!     Duration::ZERO,
//!     Packet {
//!         source: "192.168.0.2:4001".parse()?,
//!         destination: "198.51.100.1:4001".parse()?,
//!         protocol: Protocol::Udp,
//!         size: 33,
//!         body: "hello",
//!     },
//! );
//! let now = fabric.next_due().expect("the packet is under way");
//! assert_eq!(now, Duration::from_millis(20));
//! let delivery = fabric.pop_due(now).expect("it has arrived");
//! assert_eq!((delivery.sender, delivery.host, delivery.packet.body), (alice, relay, "hello"));
//! assert_eq!(delivery.packet.source, "203.0.113.1:4001".parse()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod fault;
pub mod link;
pub mod nat;
pub mod predicate;
pub mod tcp;

mod bandwidth;
mod counters;
mod fabric;
mod hash;
mod packet;
mod probability;
mod topology;

pub use self::bandwidth::Bandwidth;
pub use self::counters::{Counters, HostCounters};
pub use self::fabric::{Fabric, MAX_IN_FLIGHT};
pub use self::fault::{AccessPoint, Fault, FaultError, FaultId, LinkRef};
pub use self::link::{AccessConfig, GilbertElliott, Link, LinkConfig, LinkDrop, Passage, QueueLimit, Reordering};
pub use self::nat::{
    AfterReset, Behaviour, Hairpinning, MappingLife, Nat, NatConfig, NatCounters, NatDrop, NatKind, NatLimits, OnClash,
    PortAssignment, Refresh, Unsolicited,
};
pub use self::packet::{Delivery, Packet, Protocol, TcpFlags, Transport};
pub use self::predicate::{can_be_direct, hole_punch_by_role, reaches};
pub use self::probability::{NotAProbability, Probability};
pub use self::topology::{
    FabricBuilder, Gateway, HostConfig, HostIndex, Location, MAX_NESTING, Placement, RegionIndex, SiteConfig,
    SiteIndex, TopologyError,
};
