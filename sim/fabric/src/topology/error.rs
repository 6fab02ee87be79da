//! What is wrong with a topology.

use std::net::Ipv4Addr;

use thiserror::Error;

use super::config::{MAX_NESTING, RegionIndex, SiteIndex};

/// A topology that cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TopologyError {
    /// Addresses are unique in the whole fabric, also private ones.
    #[error("address {address} of `{name}` is in use by `{other}`")]
    DuplicateAddress {
        /// The address.
        address: Ipv4Addr,
        /// Who wants it.
        name: String,
        /// Who has it.
        other: String,
    },
    /// Names are unique among hosts, among sites and among regions.
    #[error("there are two of the name `{0}`")]
    DuplicateName(String),
    /// A placement inside a site that does not exist.
    #[error("`{name}` is placed behind site {site:?}, which does not exist")]
    UnknownSite {
        /// Who is placed there.
        name: String,
        /// The site.
        site: SiteIndex,
    },
    /// A region that does not exist.
    #[error("region {0:?} does not exist")]
    UnknownRegion(RegionIndex),
    /// More than [`MAX_NESTING`] sites inside each other.
    #[error("site `{0}` is nested more than {MAX_NESTING} deep")]
    TooDeep(String),
    /// A pair of regions without a path.
    #[error("there is no path from region `{from}` to region `{to}`")]
    MissingPath {
        /// Where the path starts.
        from: String,
        /// Where it ends.
        to: String,
    },
}
