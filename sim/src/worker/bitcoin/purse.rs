//! What a trader holds on the chain, by the chain's word and not by that of the trader's node.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::{Context as _, Result};
use bdk_wallet::keys::bip39::Mnemonic;
use bitcoin::bip32::{ChildNumber, Xpriv, Xpub};
use bitcoin::key::{Keypair, Secp256k1, TapTweak as _, TweakedKeypair};
use bitcoin::{Amount, Network, OutPoint, Script, ScriptBuf};
use darkswap_chain::{ConfirmedTransaction, FullNode, ScriptHash};
use darkswap_node::config::{Bitcoind, RpcLogin, ServerAddress, TradingConfig};
use darkswap_node::config_file::TradingSettings;
use darkswap_node::ice_server::Host;
use darkswap_scenario::topology::TradeLie;
use darkswap_trade::asset::Asset;
use darkswap_trade::rune::{Balances, Index, MemoryState, PreviousOutput};
use darkswap_trade::settlement;
use darkswap_trade::swap::Policy;
use darkswap_wallet::{Keychain, Seed, Wallet};
use ordinals::RuneId;

use crate::indexer::{ELECTRUM_PORT, RPC_PASSWORD, RPC_PORT, RPC_USER};

/// Addresses of each keychain that are looked at: a trade takes two or three.
const ADDRESSES: u32 = 250;
/// Confirmations that end a swap. The chains of scenarios grow slowly beside a run's minutes.
const CONFIRMATIONS: u32 = 2;
/// The folder of a trader on its simulated disk.
const FOLDER: &str = "trading";

/// A trader's wallet as the scenario founded it.
#[derive(Debug, Clone)]
pub(crate) struct Purse {
    /// The host's name.
    pub(super) host: String,
    seed: Seed,
    /// With the keychain and the number of its key.
    scripts: BTreeMap<ScriptBuf, (u32, u32)>,
    /// What it began with.
    pub(super) founded: Wealth,
    /// Every rune of the scenario.
    pub(super) runes: BTreeMap<RuneId, String>,
    /// How it breaks the rules of swaps.
    pub(crate) lies: Vec<TradeLie>,
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
        let (founded, runes, lies) = (Wealth::default(), BTreeMap::new(), Vec::new());
        Ok((Self { host: host.to_owned(), seed, scripts, founded, runes, lies }, addresses))
    }

    /// What the chain says that the trader holds. `balances` are those of [`rune_balances`].
    pub(super) fn wealth(&self, node: &FullNode, balances: &BTreeMap<OutPoint, Balances>) -> Wealth {
        let mut wealth = Wealth::default();
        let mempool = node.mempool();
        for (outpoint, coin) in node.chain().coins().iter() {
            if !self.owns(&coin.output.script_pubkey) {
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
                if self.owns(&output.script_pubkey) && mempool.spender(&outpoint).is_none() {
                    wealth.bitcoin += output.value;
                }
            }
        }
        wealth
    }

    /// What the blocks say that the trader holds, as if nothing waited.
    pub(super) fn confirmed(&self, node: &FullNode, balances: &BTreeMap<OutPoint, Balances>) -> settlement::Wealth {
        let mut wealth = settlement::Wealth::default();
        for (outpoint, coin) in node.chain().coins().iter() {
            if self.owns(&coin.output.script_pubkey) {
                wealth.bitcoin += coin.output.value;
                for (id, units) in balances.get(outpoint).into_iter().flatten() {
                    *wealth.assets.entry(Asset::Rune(*id)).or_default() += units;
                }
            }
        }
        wealth
    }

    /// The transactions of the run's blocks that spend coins of the trader.
    pub(super) fn transactions<'n>(&self, node: &'n FullNode) -> Vec<ConfirmedTransaction<'n>> {
        let mut spending = BTreeMap::new();
        for script in self.scripts.keys() {
            for confirmed in node.chain().history(&ScriptHash::of(script)) {
                if confirmed.spent.iter().any(|coin| self.owns(&coin.output.script_pubkey)) {
                    spending.insert(confirmed.txid, confirmed);
                }
            }
        }
        spending.into_values().collect()
    }

    /// How long after its acceptance a swap must be proposed.
    pub(crate) fn window(&self) -> Duration {
        TradingSettings::default().policy.window
    }

    /// Whether the trader can spend what is on a script.
    pub(super) fn owns(&self, script: &Script) -> bool {
        self.scripts.contains_key(script)
    }

    /// An address of its own.
    pub(super) fn script(&self) -> Result<&ScriptBuf> {
        self.scripts.keys().next().context("a wallet has addresses")
    }

    /// The key of one of its scripts (BIP 86).
    pub(super) fn key(&self, script: &Script) -> Result<TweakedKeypair> {
        let (branch, index) = self.scripts.get(script).context("a script of the wallet")?;
        let secp = Secp256k1::new();
        let mnemonic = Mnemonic::parse_normalized(&self.seed.words())?;
        let hardened = |index| ChildNumber::from_hardened_idx(index);
        let normal = |index| ChildNumber::from_normal_idx(index);
        let path = [hardened(86)?, hardened(1)?, hardened(0)?, normal(*branch)?, normal(*index)?];
        let key = Xpriv::new_master(Network::Regtest, &mnemonic.to_seed_normalized(""))?.derive_priv(&secp, &path)?;
        Ok(Keypair::from_secret_key(&secp, &key.private_key).tap_tweak(&secp, None))
    }

    /// What the trader's node is told, given the addresses of its indexers. It logs in to the first one's `bitcoind`.
    pub(crate) fn trading_config(&self, indexers: &[Ipv4Addr]) -> TradingConfig {
        let at = |ip: Ipv4Addr, port| ServerAddress { host: Host::Ip(IpAddr::V4(ip)), port };
        let plain = TradingSettings::default();
        let settings = TradingSettings {
            enabled: true,
            network: Network::Regtest,
            electrum: indexers.iter().map(|ip| at(*ip, ELECTRUM_PORT).into()).collect(),
            policy: Policy { confirmations: CONFIRMATIONS, ..plain.policy },
            folder: FOLDER.into(),
            ..plain
        };
        let password = RPC_PASSWORD.to_owned().into();
        let login = RpcLogin::Password { user: RPC_USER.to_owned(), password };
        let bitcoind = indexers.first().map(|ip| Bitcoind { address: at(*ip, RPC_PORT), login });
        TradingConfig { bitcoind, ..settings.complete(self.seed.clone()) }
    }
}

/// The first scripts of a keychain, from its public descriptor `tr([..]xpub/keychain/*)` (BIP 86).
fn scripts(descriptor: &str) -> Result<Vec<(ScriptBuf, (u32, u32))>> {
    let (_, key) = descriptor.split_once(']').context("a descriptor with an origin")?;
    let (key, path) = key.split_once('/').context("a descriptor with a path")?;
    let (branch, _) = path.split_once('/').context("a descriptor with a keychain")?;
    let secp = Secp256k1::verification_only();
    let branch = branch.parse()?;
    let keychain = key.parse::<Xpub>()?.ckd_pub(&secp, ChildNumber::from_normal_idx(branch)?)?;
    let script = |index| {
        let child = keychain.ckd_pub(&secp, ChildNumber::from_normal_idx(index)?)?;
        Ok((ScriptBuf::new_p2tr(&secp, child.to_x_only_pub(), None), (branch, index)))
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
