//! The control endpoint: how programs of the same user talk to a running node.
//!
//! | module | noun |
//! |---|---|
//! | `request`, `reply`, `relay_report` | what is asked and answered |
//! | `wire` | the bytes of a line |
//! | `lines` | bounded reading of lines |
//! | `event_record`, `relay_record`, `trade_record` | an event as JSON, for this endpoint and for logs |
//! | `subscribers` | bounded queues of events, one per listening client |
//! | `endpoint` | the local socket (Unix) or named pipe (Windows) |
//! | `server`, `session`, `client` | the two ends |
//!
//! The protocol is JSON Lines: each line is one JSON object in UTF-8. A client writes requests and gets one answer for each, in order;
//! it may close its writing side and still reads the answers. The `id` is the client's choice and comes back with the answer.
//!
//! ```json
//! {"version":1,"id":1,"request":"status"}
//! {"version":1,"id":2,"request":{"send":{"peer":"12D3KooW...","payload":{"text":"hello"}}}}
//! {"version":1,"id":3,"request":"subscribe"}
//! ```
//! ```json
//! {"version":1,"id":2,"reply":{"sent":{"id":"0f31c0de9a7b4c55-7","path":"direct","elapsed_seconds":0.004}}}
//! {"version":1,"id":2,"error":{"kind":"not_acknowledged","message":"..."}}
//! {"version":1,"id":3,"event":{"event":"ping","peer":"12D3KooW...","path":"direct","round_trip_seconds":0.02}}
//! ```
//!
//! Invariants: only the node's own user can connect; lines, clients, waiting events and write times are bounded, so that no client slows
//! the node down; whatever a client writes is answered with an error at worst. After a line that is too long the connection is closed.
//! Deliberately absent: authentication beyond the file mode, and any remote use.

mod chain_record;
mod client;
mod endpoint;
mod event_record;
mod lines;
mod record;
mod relay_record;
mod relay_report;
mod relay_service_report;
mod reply;
mod request;
mod server;
mod session;
mod subscribers;
mod trade_record;
mod wire;

pub use client::{Client, ClientError, EventStream};
pub use event_record::event_record;
pub use relay_report::RelayReport;
pub use relay_service_report::{AccountReport, RelayServiceReport};
pub use reply::{ErrorKind, Path, PeerReport, QualityReport, ReceiptReport, Refusal, Reply, StatusReport};
pub use request::{Payload, PayloadError, Request};
pub use server::{BindError, Server};
pub use subscribers::Subscribers;

/// Version of the protocol. A node answers another version with an error of kind `unsupported_version`.
pub const VERSION: u32 = 1;

/// Values that are written as text, the way people read them.
mod text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error| D::Error::custom(format!("found \"{}\": {error}", text.escape_debug())))
    }
}
