//! Relays: what is known of them, which are used, and how one of ours serves.

pub mod estimate;
pub mod load_report;
pub mod message;
pub mod policy;
pub mod reservation;
pub mod server;
