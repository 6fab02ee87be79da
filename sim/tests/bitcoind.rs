//! The node's client of bitcoind against simulated servers, honest and not, over simulated TCP.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "bitcoind/honest.rs"]
mod honest;
#[path = "bitcoind/hostile.rs"]
mod hostile;
#[path = "bitcoind/scene.rs"]
mod scene;
mod server_and_client;
