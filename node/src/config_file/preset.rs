//! Presets: WebRTC settings that suit a kind of network.

use super::ice_servers::ConfiguredServer;
use crate::ice_server::{Host, IceServer};

/// The network that a node is in, as far as it matters for WebRTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preset {
    /// Behind a home router.
    #[default]
    Home,
    /// Behind a firewall that passes few ports.
    Corporate,
    /// Behind a mobile carrier's NAT, on a battery.
    Mobile,
    /// Where nobody may learn this host's addresses through WebRTC.
    RelayOnly,
}

/// The presets by name.
pub(super) const PRESETS: [(&str, Preset); 4] = [
    ("home", Preset::Home),
    ("corporate", Preset::Corporate),
    ("mobile", Preset::Mobile),
    ("relay-only", Preset::RelayOnly),
];

/// Public servers: name, port. Each is run by a company for everybody, without a promise; js-libp2p asks the first two by default.
const GOOGLE: (&str, u16) = ("stun.l.google.com", 19302);
const CLOUDFLARE: (&str, u16) = ("stun.cloudflare.com", 3478);
/// On the port of HTTP/3, which more firewalls pass.
const NEXTCLOUD: (&str, u16) = ("stun.nextcloud.com", 443);

impl Preset {
    /// Its name in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        PRESETS.iter().find(|(_, preset)| *preset == self).map_or("home", |(name, _)| name)
    }

    /// The servers that are asked when `ice_servers` does not say otherwise.
    #[must_use]
    pub fn ice_servers(self) -> Vec<ConfiguredServer> {
        // Two of different owners, so that one may fail and `darkswap ice test` can compare what they see.
        let servers: &[(&str, u16)] = match self {
            Self::Home => &[CLOUDFLARE, GOOGLE],
            Self::Corporate => &[CLOUDFLARE, NEXTCLOUD],
            // Each request wakes the radio.
            Self::Mobile => &[CLOUDFLARE],
            Self::RelayOnly => &[],
        };
        let stun = |(name, port): &(&str, u16)| IceServer::Stun { host: Host::Name((*name).to_owned()), port: *port };
        servers.iter().map(stun).map(ConfiguredServer::Complete).collect()
    }

    /// Whether only relayed candidates are offered when `policy` does not say otherwise.
    #[must_use]
    pub fn relay_only(self) -> bool {
        self == Self::RelayOnly
    }
}
