//! Trading by the node itself: the built program in processes of its own, a real chain, and one judge for scenarios and for this.

#[path = "node/assets.rs"]
mod assets;
#[path = "node/cheat.rs"]
mod cheat;
#[path = "node/crash.rs"]
mod crash;
#[path = "wallet/ledger.rs"]
mod ledger;
#[path = "node/market.rs"]
mod market;
#[path = "node/payment.rs"]
mod payment;
#[path = "node/reorg.rs"]
mod reorg;
#[path = "node/seat.rs"]
mod seat;
#[path = "node/settle.rs"]
mod settle;
#[path = "wallet/sync.rs"]
mod sync;
#[path = "node/verdict.rs"]
mod verdict;
#[path = "wallet/world.rs"]
mod world;
