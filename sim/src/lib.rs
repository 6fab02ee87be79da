//! The deterministic simulator that runs the shipped node.
//!
//! # Map
//! - [`Simulation`]: one run of one seed, on a thread of its own; [`World`]: what the run's main future holds; [`SimRuntime`]: what a
//!   node gets, the [`darkswap_node::Runtime`] of one host.
//! - [`harness`]: the packet pump, and how time and TCP are modelled. Sockets are turmoil-net's, the network is `darkswap-fabric`.
//! - [`disk`]: what a host keeps over a crash.
//! - [`simulated_thread`], [`clock`], [`entropy`]: what replaces the operating system's clock and entropy. The replacements themselves
//!   (`src/interpose.rs`) are part of the binary only.
//! - [`trace`]: the hash by which two runs are compared. `capture`: a run as pcapng, `transcript`: as text. [`cost`]: what a run costs in the real world.
//! - [`platform`]: where the simulator runs.
//! - [`ice_server`]: the STUN and TURN servers of a scenario. [`indexer`]: servers that tell about its Bitcoin chain.
//! - [`worker`]: one run in a process of its own. [`orchestrator`]: which runs there are, and the processes that run them.
//!
//! # Invariants
//! - The same seed, setup and main future give the same trace, in a process of its own each.
//! - Nothing that a simulation decides depends on real time, real entropy, or the order of a hash map.
//! - A socket only ever acts on its own host.

pub mod clock;
pub mod cost;
pub mod disk;
pub mod entropy;
pub mod harness;
pub mod ice_server;
pub mod indexer;
pub mod orchestrator;
pub mod platform;
pub mod runtime;
pub mod simulated_thread;
pub mod trace;
pub mod worker;

mod capture;
mod socket;
mod tasks;
mod transcript;

pub use harness::{Outcome, Setup, SimFabric, Simulation, World};
pub use runtime::SimRuntime;
