//! The node's index of runes behind a simulated bitcoind, over simulated TCP, on a simulated disk.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "rune_index/answers.rs"]
mod answers;
#[path = "rune_index/crashes.rs"]
mod crashes;
#[path = "rune_index/follows.rs"]
mod follows;
#[path = "rune_index/runes.rs"]
mod runes;
#[path = "rune_index/scene.rs"]
mod scene;
mod server_and_client;
#[path = "rune_index/weak_disk.rs"]
mod weak_disk;
