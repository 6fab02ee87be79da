//! How each tool is built: pinned versions and flags, and the hash that names the result in the cache.

use bitcoin::hashes::{Hash as _, sha256};

use super::{Tool, Version};

/// Counted up when the same flags would give another result, because this code changed.
const REVISION: u32 = 1;

/// Hexadecimal digits of a recipe's name: enough that two recipes of a user never meet.
const NAME_DIGITS: usize = 16;

/// The crate that carries the sources of Bitcoin Core, in its folder `bitcoin`.
pub(crate) const BITCOIN_SOURCE: (&str, &str) = ("libbitcoinkernel-sys", "0.4.1");

/// What configures Bitcoin Core: only the daemon, without a wallet, optimised enough for tests and quick to compile.
pub(crate) const BITCOIN_FLAGS: &[&str] = &[
    "-GNinja",
    "-DCMAKE_BUILD_TYPE=Release",
    "-DCMAKE_CXX_FLAGS_RELEASE=-O1",
    "-DENABLE_WALLET=OFF",
    "-DENABLE_IPC=OFF",
    "-DBUILD_TESTS=OFF",
    "-DBUILD_TX=OFF",
    "-DBUILD_UTIL=OFF",
    "-DBUILD_CLI=OFF",
    "-DBUILD_BITCOIN_BIN=OFF",
    "-DBUILD_BENCH=OFF",
    "-DBUILD_GUI=OFF",
    "-DWITH_ZMQ=OFF",
    "-DWITH_USDT=OFF",
    "-DWITH_EMBEDDED_ASMAP=OFF",
];

/// The RocksDB that electrs' bindings are written for: major and minor version. Its headers must be of this version.
pub(crate) const ROCKSDB: (u32, u32) = (7, 8);

/// How a tool is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// What is built.
    pub tool: Tool,
    /// Which version comes out.
    pub version: Version,
    /// Source and flags, as text.
    pub text: String,
}

impl Recipe {
    /// The recipe of `tool`.
    pub fn of(tool: Tool) -> Self {
        let (version, text) = match tool {
            Tool::Bitcoind => {
                let (source, version) = BITCOIN_SOURCE;
                (Version(31, 99, 0), format!("{source} {version} {}", BITCOIN_FLAGS.join(" ")))
            }
            Tool::Electrs => (Version(0, 10, 10), format!("electrs --locked rocksdb {}.{}", ROCKSDB.0, ROCKSDB.1)),
            Tool::Ord => (Version(0, 29, 1), "ord --locked".to_owned()),
        };
        Self { tool, version, text }
    }

    /// The name of the folder in the cache: a hash of everything above and of the kind of machine.
    pub fn name(&self) -> String {
        let Self { tool, version, text } = self;
        let (system, machine) = (std::env::consts::OS, std::env::consts::ARCH);
        let whole = format!("{REVISION} {tool} {version} {text} {system} {machine}");
        let mut name = sha256::Hash::hash(whole.as_bytes()).to_string();
        name.truncate(NAME_DIGITS);
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_or_flag_is_another_name() {
        let recipe = Recipe::of(Tool::Ord);
        let newer = Recipe { version: Version(0, 29, 2), ..recipe.clone() };
        let flagged = Recipe { text: format!("{} -O2", recipe.text), ..recipe.clone() };
        assert_eq!(recipe.name(), Recipe::of(Tool::Ord).name());
        assert_ne!(recipe.name(), newer.name());
        assert_ne!(recipe.name(), flagged.name());
        assert_ne!(recipe.name(), Recipe::of(Tool::Electrs).name());
        assert_eq!(recipe.name().len(), NAME_DIGITS);
    }
}
