//! What is asked of the running node's trader.
//!
//! | module | noun |
//! |---|---|
//! | `arguments` | what can be typed |
//! | `quantity` | amounts, fee rates, prices and times, as people write them |
//! | `desk` | questions to the trader, and to the person at the terminal |
//! | `measure` | how much of an asset, as it is typed |
//! | `label` | how assets and their units are shown and typed |
//! | `rune` | what is known of a rune, for people |
//! | `wallet`, `orders`, `swaps`, `assets` | the commands |

mod arguments;
mod assets;
mod desk;
mod label;
mod measure;
mod orders;
mod quantity;
mod rune;
mod swaps;
#[cfg(test)]
mod tests;
mod wallet;

pub(crate) use arguments::{Asset, Order, Trade, Wallet};
pub(crate) use assets::asset;
pub(crate) use orders::order;
pub(crate) use swaps::trade;
pub(crate) use wallet::wallet;
