//! The configuration as people write it: a TOML file, the environment and flags become one resolved [`Settings`].
//!
//! | module | noun |
//! |---|---|
//! | `setting` | the table of all settings, which everything else follows |
//! | `value` | one value: reading, checking, showing |
//! | `draft` | settings in the making: each source on top of the one before, then what concerns several settings |
//! | `unit`, `address`, `ice_servers` | durations, sizes, multiaddresses, STUN and TURN servers |
//! | `trading` | the table `[trading]` |
//! | `preset` | WebRTC settings that suit a kind of network |
//! | `origin`, `problem` | where a value came from, and what is wrong with it |
//! | `template` | the commented file, and the resolved one |
//!
//! Precedence: flags, environment (`DARKSWAP_<TABLE>_<KEY>`), file, defaults. Everything that is wrong is reported at once, each with
//! its place. Unknown names are refused. This module reads no file and no environment itself: it is a function of its arguments.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::Config;

mod address;
mod bandwidth;
mod draft;
mod ice_servers;
mod origin;
mod preset;
mod problem;
mod relay_hints;
mod relay_selection;
mod setting;
mod template;
mod trading;
mod unit;
mod value;

pub use address::peer_address;
pub use ice_servers::ConfiguredServer;
pub use origin::{Origin, Place};
pub use preset::Preset;
pub use problem::{Problem, Problems};
pub use template::template;
pub use trading::TradingSettings;
pub use unit::parse_duration;

use draft::Draft;
use setting::SETTINGS;

/// Largest configuration file that is read, in bytes.
pub const FILE_LIMIT: usize = 1 << 20;

/// Everything that an operator can set, resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The node's configuration. ICE servers, certificate and trading are still missing in it: they take files to read.
    pub node: Config,
    /// The file with its private key.
    pub identity: PathBuf,
    /// The file with the certificate of its WebRTC connections.
    pub certificate: PathBuf,
    /// What WebRTC settings follow that nobody set.
    pub preset: Preset,
    /// The ICE servers, some with their credentials still in files.
    pub ice_servers: Vec<ConfiguredServer>,
    /// Trading, with the wallet's seed still in its file.
    pub trading: TradingSettings,
    /// How long a relay that is told to stop drains before.
    pub relay_drain: Duration,
    /// Whether it has a control endpoint.
    pub control: bool,
    /// The control endpoint's socket.
    pub control_socket: PathBuf,
}

impl Default for Settings {
    /// The defaults, with paths relative to the node's folder.
    fn default() -> Self {
        let listen = [
            "/ip4/0.0.0.0/tcp/4001",
            "/ip4/0.0.0.0/udp/4001/quic-v1",
            "/ip4/0.0.0.0/tcp/9002/ws",
            "/ip4/0.0.0.0/udp/9002/webrtc-direct",
        ];
        let listen = listen.map(|address| address.parse().expect("a constant multiaddress"));
        Self {
            node: Config { listen: listen.to_vec(), ..Config::default() },
            identity: "identity".into(),
            certificate: "certificate.pem".into(),
            preset: Preset::default(),
            ice_servers: Preset::default().ice_servers(),
            trading: TradingSettings::default(),
            relay_drain: Duration::from_secs(30),
            control: true,
            control_socket: "control.sock".into(),
        }
    }
}

/// What the settings are resolved from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The node's folder: relative paths start there.
    pub folder: PathBuf,
    /// Name and content of the configuration file.
    pub file: Option<(String, String)>,
    /// Environment variables; those that do not begin with `DARKSWAP_` are ignored.
    pub environment: Vec<(String, String)>,
    /// Flags, the last one of a setting wins.
    pub flags: Vec<Override>,
}

/// A setting that a flag sets.
#[derive(Debug, Clone)]
pub struct Override {
    /// The flag, for messages: `--listen`.
    pub flag: String,
    /// `table.key`.
    pub name: String,
    /// The value; lists are separated by commas.
    pub value: String,
}

/// Resolved settings and where each came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// The settings, with complete paths.
    pub settings: Settings,
    origins: Vec<Origin>,
}

impl Resolved {
    /// The settings as TOML with the origin of each.
    #[must_use]
    pub fn to_toml(&self) -> String {
        template::resolved(self)
    }

    /// The settings as tables of values.
    #[must_use]
    pub fn to_table(&self) -> BTreeMap<&'static str, BTreeMap<&'static str, toml::Value>> {
        let mut tables: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for setting in SETTINGS {
            tables.entry(setting.table).or_default().insert(setting.key, setting.field.show(&self.settings));
        }
        tables
    }
}

/// Resolves the settings: defaults, overridden by the file, by the environment and by flags.
///
/// # Errors
/// Everything that is wrong, at most 50 problems.
pub fn resolve(sources: &Sources) -> Result<Resolved, Problems> {
    let mut draft = Draft::default();
    if let Some((name, text)) = &sources.file {
        draft.read_file(name, text);
    }
    draft.read_environment(&sources.environment);
    draft.read_flags(&sources.flags);
    draft.finish(&sources.folder)
}

#[cfg(test)]
mod tests;
