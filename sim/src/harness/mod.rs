//! The harness: it carries packets between the simulated hosts, in simulated time.
//!
//! ```text
//! SimRuntime -> socket -> turmoil-net stack of the host --pump--> Fabric --pump--> stack of another host -> wakes its task
//!                  \----------- Signal: "may have sent" ----------^
//! ```
//! [`Simulation`] runs one run on a thread of its own; [`World`] is what its main future holds. Inside, the pump moves packets, the
//! network is what it moves them through, and `connections` repairs what turmoil-net's TCP gets wrong.
//!
//! # Time
//! tokio's paused clock advances when every task waits, to the next timer, in steps of one millisecond. The pump sleeps until the
//! fabric's next event, delivers everything that is due by then, lets the woken tasks run until none is ready, and collects what they
//! sent in one pass over all hosts. Nothing happens while nothing is due and nobody sends, so idle hosts cost nothing. A packet is
//! delivered in the first whole millisecond at or after its arrival; the trace has the exact time.
//!
//! # TCP
//! Segments are never lost, reordered or retransmitted: the fabric turns loss into delay. The window is at most 65,535 bytes, so one
//! connection moves at most 64 KiB per round trip. There is no congestion control and no simultaneous open, so TCP hole punching cannot
//! be simulated. A segment that a NAT refuses is not repeated: its connection stalls until the application gives up. A connection
//! attempt that finds nobody ends after 127 s. A crash cuts all connections of its host silently; when it restarts, the remote ends are told by a reset, as a real kernel
//! would answer their retransmissions. What a host sends to itself arrives at once, outside of the fabric and the trace. Loopback connections close with FIN where others are reset for unread data.

mod connections;
mod failure;
mod network;
mod pump;
mod signal;
mod simulation;
mod socket_pair;
mod world;

pub use simulation::{DEFAULT_LIMIT, Outcome, Setup, Simulation};
pub use world::World;

pub(crate) use signal::Signal;
pub(crate) use socket_pair::SocketPair;

/// The fabric between simulated hosts: its packets carry what turmoil-net's packets carry.
pub type SimFabric = darkswap_fabric::Fabric<turmoil_net::Transport>;
