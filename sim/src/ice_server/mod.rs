//! STUN and TURN servers for simulated hosts.
//!
//! | module | what it is |
//! |---|---|
//! | [`server`] | the server as a state machine: datagrams in, datagrams and relay ports out |
//! | `allocation` | what the server holds for one client |
//! | `message` | its answers as bytes |
//! | [`run`](fn@run) | the server on a host's sockets |
//!
//! Binding is RFC 8489, relaying over UDP with long-term credentials is RFC 8656. Absent on purpose: TCP, EVEN-PORT and reservation
//! tokens, DONT-FRAGMENT, ALTERNATE-SERVER, and RFC 5780's second address. Nothing of it is shared with the client under test but the
//! codec of `rtc`.

mod allocation;
mod message;
mod run;
pub mod server;
mod settings;

pub use run::run;
pub use server::{Output, Server};
pub use settings::{Counters, Settings, TurnSettings};
