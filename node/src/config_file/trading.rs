//! The table `[trading]`: what stands in it, what belongs together, and what becomes of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bitcoin::{FeeRate, Network};
use darkswap_trade::swap::Policy;
use darkswap_wallet::Seed;

use super::problem::excerpt;
use super::value::{Fault, Raw, list};
use crate::config::{Bitcoind, ElectrumServer, RpcLogin, ServerAddress, TradingConfig};

/// Electrum servers. One is asked, a second compared; more are in reserve.
const SERVERS: usize = 8;

/// The table `[trading]`. What is read from files is still missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TradingSettings {
    /// Whether the node trades.
    pub enabled: bool,
    /// Which chain.
    pub network: Network,
    /// Electrum servers.
    pub electrum: Vec<ElectrumServer>,
    /// A bitcoind's RPC server.
    pub bitcoind: Option<ServerAddress>,
    /// Its cookie.
    pub bitcoind_cookie_file: Option<PathBuf>,
    /// Or a user and a password.
    pub bitcoind_password_file: Option<PathBuf>,
    /// What swaps are taken part in.
    pub policy: Policy,
    /// The folder of everything durable.
    pub folder: PathBuf,
    /// The file with the sealed seed.
    pub wallet: PathBuf,
    /// What opens it, when a passphrase does.
    pub passphrase_file: Option<PathBuf>,
    /// What opens it, when a key file does.
    pub key_file: Option<PathBuf>,
}

impl Default for TradingSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            network: Network::Bitcoin,
            electrum: Vec::new(),
            bitcoind: None,
            bitcoind_cookie_file: None,
            bitcoind_password_file: None,
            policy: Policy {
                // The number that is commonly taken for final.
                confirmations: 6,
                // Signing takes seconds; a relay and a slow chain server some more.
                window: Duration::from_secs(60),
                fee_rates: (FeeRate::BROADCAST_MIN, FeeRate::from_sat_per_kwu(125_000)),
            },
            folder: "trading".into(),
            wallet: "wallet.age".into(),
            passphrase_file: None,
            key_file: None,
        }
    }
}

impl TradingSettings {
    /// What a node is told, with the seed from the wallet's file.
    #[must_use]
    pub fn complete(&self, seed: Seed) -> TradingConfig {
        let cookie = self.bitcoind_cookie_file.clone().map(RpcLogin::CookieFile);
        let login = cookie.or_else(|| self.bitcoind_password_file.clone().map(RpcLogin::PasswordFile));
        TradingConfig {
            network: self.network,
            electrum: self.electrum.clone(),
            bitcoind: self.bitcoind.clone().zip(login).map(|(address, login)| Bitcoind { address, login }),
            policy: self.policy,
            folder: self.folder.clone(),
            seed,
        }
    }

    /// What does not fit together: a key and why.
    pub(super) fn contradictions(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let mut wrong = |key, message: &str| found.push((key, message.to_owned()));
        if self.passphrase_file.is_some() && self.key_file.is_some() {
            wrong("key_file", "found a passphrase_file as well, expected one of them: a wallet has one lock");
        }
        match (&self.bitcoind, &self.bitcoind_cookie_file, &self.bitcoind_password_file) {
            (_, Some(_), Some(_)) => {
                wrong("bitcoind_password_file", "found a bitcoind_cookie_file as well, expected one of them");
            }
            (Some(_), None, None) => {
                wrong("bitcoind", "needs to log in: set bitcoind_cookie_file or bitcoind_password_file");
            }
            _ => {}
        }
        if self.policy.fee_rates.0 > self.policy.fee_rates.1 {
            wrong("lowest_fee_rate", "expected at most trading.highest_fee_rate");
        }
        if self.enabled && self.electrum.is_empty() {
            wrong("enabled", "trading needs the chain, but trading.electrum names no server: add one");
        }
        found
    }

    pub(super) fn complete_paths(&mut self, folder: &Path) {
        let optional = [
            &mut self.bitcoind_cookie_file,
            &mut self.bitcoind_password_file,
            &mut self.passphrase_file,
            &mut self.key_file,
        ];
        for path in optional.into_iter().flatten().chain([&mut self.folder, &mut self.wallet]) {
            *path = folder.join(&*path);
        }
    }
}

/// Reads the list of Electrum servers.
pub(super) fn read_servers(raw: Raw<'_>) -> Result<Vec<ElectrumServer>, Vec<Fault>> {
    list(raw, SERVERS, |item| {
        let text = item.text().ok_or_else(|| item.unexpected("a string"))?;
        let read = text.parse();
        read.map_err(|error| vec![item.fault(format!("`{}` is not a server: {error}", excerpt(text)))])
    })
}

/// Reads the address of bitcoind's RPC server, `http://host:port`; nothing means none.
pub(super) fn read_bitcoind(raw: Raw<'_>) -> Result<Option<ServerAddress>, Vec<Fault>> {
    const EXAMPLE: &str = "`http://127.0.0.1:8332`";
    let text = raw.text().ok_or_else(|| raw.unexpected(EXAMPLE))?;
    if text.is_empty() {
        return Ok(None);
    }
    let place = text.strip_prefix("http://").ok_or_else(|| raw.unexpected(EXAMPLE))?;
    let read = place.strip_suffix('/').unwrap_or(place).parse();
    read.map(Some).map_err(|error| vec![raw.fault(format!("`{}` is not {EXAMPLE}: {error}", excerpt(text)))])
}

/// As it is written.
pub(super) fn show_bitcoind(server: Option<&ServerAddress>) -> String {
    server.map(|server| format!("http://{server}")).unwrap_or_default()
}
