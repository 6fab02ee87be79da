//! WebRTC on real sockets of this machine: webrtc-direct between nodes, transports and muxers.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

#[path = "../common/mod.rs"]
mod common;
mod data_channels;
mod flood;
mod nodes;
mod peers;
mod refusals;
mod substreams;
