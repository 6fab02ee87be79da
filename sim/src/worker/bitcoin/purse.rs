//! What a trader holds on the chain, by the chain's word and not by that of the trader's node.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use bitcoin::bip32::{ChildNumber, Xpub};
use bitcoin::key::Secp256k1;
use bitcoin::{Amount, Network, OutPoint, ScriptBuf};
use darkswap_chain::FullNode;
use darkswap_node::config::{ServerAddress, TradingConfig};
use darkswap_node::config_file::TradingSettings;
use darkswap_node::ice_server::Host;
use darkswap_trade::rune::{Balances, Index, MemoryState, PreviousOutput};
use darkswap_trade::swap::Policy;
use darkswap_wallet::{Keychain, Seed, Wallet};
use ordinals::RuneId;

use crate::indexer::{ELECTRUM_PORT, RPC_PORT};

/// Addresses of each keychain that are looked at: a trade takes two or three.
const ADDRESSES: u32 = 250;
/// Confirmations that end a swap. The chains of scenarios grow slowly beside a run's minutes.
const CONFIRMATIONS: u32 = 2;
/// The folder of a trader on its simulated disk.
const FOLDER: &str = "trading";
/// The file from which a trader reads how to log in to `bitcoind`.
pub(crate) const PASSWORD_FILE: &str = "bitcoind.password";

/// A trader's wallet as the scenario founded it.
#[derive(Debug, Clone)]
pub(crate) struct Purse {
    /// The host's name.
    pub(super) host: String,
    seed: Seed,
    scripts: BTreeSet<ScriptBuf>,
    /// What it began with.
    pub(super) founded: Wealth,
    /// Every rune of the scenario.
    pub(super) runes: BTreeMap<RuneId, String>,
}

/// What somebody holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wealth {
    /// All coins, those with runes and waiting ones included.
    pub(super) bitcoin: Amount,
    /// Units on confirmed coins that nobody has spent in a block.
    pub(super) runes: BTreeMap<RuneId, u128>,
}

impl Purse {
    /// A purse and the first addresses of its wallet.
    pub(super) fn new(host: &str, seed: Seed, addresses: u64) -> Result<(Self, Vec<ScriptBuf>)> {
        let mut wallet = Wallet::create(&seed, Network::Regtest)?;
        let scripts = [Keychain::External, Keychain::Internal]
            .into_iter()
            .map(|keychain| scripts(&wallet.descriptor(keychain)))
            .collect::<Result<Vec<_>>>()?;
        let addresses = (0..addresses).map(|_| wallet.address(Keychain::External).script_pubkey()).collect();
        let scripts = scripts.into_iter().flatten().collect();
        let (founded, runes) = (Wealth::default(), BTreeMap::new());
        Ok((Self { host: host.to_owned(), seed, scripts, founded, runes }, addresses))
    }

    /// What the chain says that the trader holds. `balances` are those of [`rune_balances`].
    pub(super) fn wealth(&self, node: &FullNode, balances: &BTreeMap<OutPoint, Balances>) -> Wealth {
        let mut wealth = Wealth::default();
        let mempool = node.mempool();
        for (outpoint, coin) in node.chain().coins().iter() {
            if !self.scripts.contains(&coin.output.script_pubkey) {
                continue;
            }
            if mempool.spender(outpoint).is_none() {
                wealth.bitcoin += coin.output.value;
            }
            for (id, units) in balances.get(outpoint).into_iter().flatten() {
                *wealth.runes.entry(*id).or_default() += units;
            }
        }
        for entry in mempool.iter() {
            for (vout, output) in (0..).zip(&entry.transaction.output) {
                let outpoint = OutPoint { txid: entry.txid, vout };
                if self.scripts.contains(&output.script_pubkey) && mempool.spender(&outpoint).is_none() {
                    wealth.bitcoin += output.value;
                }
            }
        }
        wealth
    }

    /// What the trader's node is told, given the addresses of its indexers. It logs in to the first one's `bitcoind`.
    pub(crate) fn trading_config(&self, indexers: &[Ipv4Addr]) -> TradingConfig {
        let at = |ip: Ipv4Addr, port| ServerAddress { host: Host::Ip(IpAddr::V4(ip)), port };
        let plain = TradingSettings::default();
        let settings = TradingSettings {
            enabled: true,
            network: Network::Regtest,
            electrum: indexers.iter().map(|ip| at(*ip, ELECTRUM_PORT)).collect(),
            bitcoind: indexers.first().map(|ip| at(*ip, RPC_PORT)),
            bitcoind_password_file: Some(PathBuf::from(PASSWORD_FILE)),
            policy: Policy { confirmations: CONFIRMATIONS, ..plain.policy },
            folder: FOLDER.into(),
            ..plain
        };
        settings.complete(self.seed.clone())
    }
}

/// The first scripts of a keychain, from its public descriptor `tr([..]xpub/keychain/*)` (BIP 86).
fn scripts(descriptor: &str) -> Result<Vec<ScriptBuf>> {
    let (_, key) = descriptor.split_once(']').context("a descriptor with an origin")?;
    let (key, path) = key.split_once('/').context("a descriptor with a path")?;
    let (branch, _) = path.split_once('/').context("a descriptor with a keychain")?;
    let secp = Secp256k1::verification_only();
    let keychain = key.parse::<Xpub>()?.ckd_pub(&secp, ChildNumber::from_normal_idx(branch.parse()?)?)?;
    let script = |index| {
        let child = keychain.ckd_pub(&secp, ChildNumber::from_normal_idx(index)?)?;
        Ok(ScriptBuf::new_p2tr(&secp, child.to_x_only_pub(), None))
    };
    (0..ADDRESSES).map(script).collect()
}

/// What every unspent output of the chain holds, by the rules of runes.
pub(super) fn rune_balances(node: &FullNode) -> BTreeMap<OutPoint, Balances> {
    let (index, chain) = (Index::new(Network::Regtest), node.chain());
    let mut state = MemoryState::default();
    for height in index.first_height()..=chain.height() {
        let Some(block) = chain.block(height) else { break };
        let previous = |outpoint: OutPoint| {
            let found = chain.transaction(&outpoint.txid)?;
            let output = found.transaction.output.get(usize::try_from(outpoint.vout).ok()?)?;
            Some((outpoint, PreviousOutput { script_pubkey: output.script_pubkey.clone(), height: found.height }))
        };
        let wanted = index.wanted(block).into_iter().filter_map(previous).collect();
        index.apply_block(block, height, &wanted, &mut state).expect("the blocks of a chain follow each other");
    }
    state.all_balances().clone()
}
