//! A Bitcoin chain for scenarios: a full node without a network, and the servers before it, as pure state.
//!
//! Blocks and transactions are real ones of the `bitcoin` crate, scripts are verified by Bitcoin Core's own library, and
//! proof of work is done at the trivial difficulty of regtest. So whoever talks to the servers here cannot tell them
//! from `bitcoind` and an Electrum server, and a transaction that passes here is valid there.
//!
//! # Map
//! - [`FullNode`]: what a scenario holds. It joins the two below and keeps them consistent: broadcast, mine, reorg,
//!   evict, fund.
//! - [`Chain`]: the active chain, its [`UtxoSet`], undo, and an index by script hash. [`Mempool`]: transactions that wait,
//!   under a [`Policy`].
//! - [`Miner`]: when the next block comes.
//! - [`Server`] and [`Session`]: the Electrum protocol 1.4 as lines in and lines out. [`Rpc`]: a part of the JSON-RPC of
//!   `bitcoind`. [`Faults`]: how a server lags, lies or is down.
//! - [`Refusal`], [`BlockRefusal`]: why something was not accepted, in Bitcoin Core's reject strings.
//!
//! # Invariants
//! - Pure: no clock, no I/O, no entropy but the seed. `now` is the time since the Unix epoch.
//! - Disconnecting a block restores the UTXO set and the index exactly.
//! - No two transactions of the mempool spend the same output; each one's inputs are unspent in the chain or created in
//!   the mempool; each could be in the next block.
//! - A server answers every line, whatever is in it, unless it is down; it closes a session whose line is too long.
//!
//! # Absent on purpose
//! Peers and relay (there is one mempool), difficulty adjustment, limits on signature operations, the two-hour rule for
//! block times, package relay, the standardness of witnesses, and Core's policy script flags (`LOW_S`, `CLEANSTACK`, ..),
//! which the consensus library does not offer.
//!
//! # Example
//! ```
//! use std::time::Duration;
//! use bitcoin::Amount;
//! use darkswap_chain::{FullNode, NodeConfig, Server, Session, spendable_script};
//!
//! let now = Duration::from_secs(1_700_000_000);
//! let mut node = FullNode::new(NodeConfig::default(), 42);
//! let script = spendable_script(7);
//! let coins = node.fund(now, &script, Amount::from_sat(50_000), 3)?;
//! assert_eq!(coins.len(), 3);
//!
//! let (mut server, mut session) = (Server::default(), Session::default());
//! let request = r#"{"jsonrpc":"2.0","id":1,"method":"blockchain.headers.subscribe","params":[]}"#;
//! let answer = server.answer(&mut session, &mut node, now, request).expect("the server is up");
//! assert!(answer.contains(&format!("\"height\":{}", node.chain().height())));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod block;
mod chain;
mod change;
mod coin;
mod electrum;
mod fault;
mod full_node;
mod json_rpc;
mod mempool;
mod merkle;
mod miner;
mod refusal;
mod rpc;
mod script_hash;
mod verify;

pub use block::{BLOCK_BITS, MAX_BLOCK_WEIGHT, subsidy};
pub use chain::{COINBASE_MATURITY, Chain, ConfirmedTransaction};
pub use coin::{Coin, UtxoSet};
pub use electrum::{
    Closed, MAX_BATCH, MAX_LINE, MAX_RESPONSE, MAX_SUBSCRIPTIONS, PROTOCOL_VERSION, Server, ServerConfig, Session,
};
pub use fault::{Faults, Touched};
pub use full_node::{Counters, FullNode, FundError, NodeConfig, Reorg, ReorgError, Reorganised, Returned};
pub use full_node::{spend_witness, spendable_script, spendable_witness_script};
pub use mempool::{Entry, Mempool, Policy, required_fee};
pub use merkle::{branch, root_from_branch};
pub use miner::{Interval, Miner};
pub use refusal::{BlockRefusal, Refusal};
pub use rpc::{MAX_BODY, Rpc};
pub use script_hash::ScriptHash;
