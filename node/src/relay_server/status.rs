//! What a relay says of itself.

use std::collections::BTreeMap;

use darkswap_connectivity::relay::load_report::LoadReport;
use darkswap_connectivity::relay::server::Account;
use libp2p::PeerId;

/// A relay's service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RelayService {
    /// Reservations now, and how many it grants.
    pub reservations: (usize, usize),
    /// Circuits now, and how many it carries.
    pub circuits: (usize, usize),
    /// Bytes on circuits since it started.
    pub bytes: u64,
    /// Bytes per second now, and at most.
    pub rate: (u64, u64),
    /// What it tells clients of its load, and whether it is about to stop.
    pub load: LoadReport,
    /// Requests and connections that were refused, and circuits that were closed, by reason.
    pub denied: BTreeMap<&'static str, u64>,
    /// What peers used, those with most bytes first.
    pub accounts: Vec<(PeerId, Account)>,
}
