//! Candidates from local sockets, STUN servers and TURN servers (RFC 8445 section 5.1, RFC 8489, RFC 8656).
//!
//! | module | what it is |
//! |---|---|
//! | `settings` | servers, settings, events and failures |
//! | `gatherer` | all sockets and servers together |
//! | `reflexive` | server-reflexive addresses from STUN servers |
//! | `relay` | which TURN server, and which one after it |
//! | `allocation`, `peers` | one allocation, its permissions and channels |
//! | `transaction`, `message` | requests with their retransmissions, and their bytes |
//!
//! The client of `rtc-turn` is not used: it retransmits and refreshes in the order of hash maps, does not check who answers, and does
//! not say when an allocation is lost. Its codec and that of `rtc-stun` are.

mod allocation;
mod gatherer;
mod message;
mod peers;
mod reflexive;
mod relay;
mod settings;
mod transaction;

pub use gatherer::Gatherer;
pub use settings::{
    GatherError, GatherEvent, GatherSettings, Gathered, IceServer, MAX_LOCALS, MAX_SERVERS, ServerFailure,
};
