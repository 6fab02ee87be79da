//! Swaps on a real chain: two wallets, two machines, real blocks, and ord as the judge of what moved.

#[path = "wallet/ledger.rs"]
mod ledger;
#[path = "swap/market.rs"]
mod market;
#[path = "swap/observe.rs"]
mod observe;
#[path = "swap/reclaim.rs"]
mod reclaim;
#[path = "swap/reorg.rs"]
mod reorg;
#[path = "swap/settle.rs"]
mod settle;
#[path = "wallet/sync.rs"]
mod sync;
#[path = "wallet/world.rs"]
mod world;
