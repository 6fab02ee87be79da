//! What a relay says of itself, for clients of the endpoint.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::handle::RelayService;

/// What a node does as a relay for others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RelayServiceReport {
    /// Reservations now.
    pub reservations: usize,
    /// Reservations that it grants.
    pub reservations_limit: usize,
    /// Circuits now.
    pub circuits: usize,
    /// Circuits that it carries at once.
    pub circuits_limit: usize,
    /// Bytes on circuits since it started.
    pub bytes: u64,
    /// Bytes per second on circuits.
    pub bytes_per_second: u64,
    /// Bytes per second that it carries.
    pub bytes_per_second_limit: u64,
    /// The scarcest of reservations, circuits and bytes per second, from 0.0, idle, to 1.0, full.
    pub load: f64,
    /// After how many seconds it serves nobody any more; `null` unless it drains.
    pub drains_in_seconds: Option<u32>,
    /// Requests and connections that were refused, and circuits that were closed, by reason.
    pub denied: BTreeMap<String, u64>,
    /// What peers used: at most 16 of them, those with most bytes first.
    pub accounts: Vec<AccountReport>,
}

/// What one peer used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountReport {
    /// Who.
    pub peer: String,
    /// Reservations that it was granted, renewals included.
    pub granted: u64,
    /// Circuits that it opened.
    pub opened: u64,
    /// Circuits that were opened to it.
    pub reached: u64,
    /// Bytes on circuits that it opened.
    pub bytes: u64,
    /// Requests that were refused.
    pub denied: u64,
}

impl From<RelayService> for RelayServiceReport {
    fn from(service: RelayService) -> Self {
        let accounts = service.accounts.iter().map(|(peer, account)| AccountReport {
            peer: peer.to_string(),
            granted: account.granted,
            opened: account.opened,
            reached: account.reached,
            bytes: account.bytes,
            denied: account.denied,
        });
        Self {
            reservations: service.reservations.0,
            reservations_limit: service.reservations.1,
            circuits: service.circuits.0,
            circuits_limit: service.circuits.1,
            bytes: service.bytes,
            bytes_per_second: service.rate.0,
            bytes_per_second_limit: service.rate.1,
            load: service.load.load(),
            drains_in_seconds: service.load.drains_in,
            denied: service.denied.iter().map(|(reason, count)| ((*reason).to_owned(), *count)).collect(),
            accounts: accounts.collect(),
        }
    }
}
