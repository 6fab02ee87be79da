//! Stock libp2p and the node understand each other.

mod circuits;
mod messages;
