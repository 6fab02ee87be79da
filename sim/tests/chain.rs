//! The node's chain client against Electrum servers over a simulated chain, in virtual time.

#[path = "chain/cases.rs"]
mod cases;
#[path = "chain/hostile.rs"]
mod hostile;
#[path = "chain/world.rs"]
mod world;
