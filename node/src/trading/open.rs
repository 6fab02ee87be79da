//! A trader from its configuration: what is stored, the wallet, the chain.

use std::sync::Arc;

use darkswap_trader::settings::Settings;
use darkswap_trader::store::{Stored, Table};
use darkswap_trader::trader::Trader;
use darkswap_wallet::wallet::Wallet;
use ed25519_dalek::SigningKey;
use libp2p::identity::Keypair;
use zeroize::Zeroizing;

use super::{Chain, Machine, Parts, StartError, key};
use crate::Runtime;
use crate::chain::{self, AssetIndex, ChainHandle, ChainSettings, NoAssetIndex};
use crate::config::TradingConfig;
use crate::rune_index::RuneIndex;
use crate::store::Store;

/// Opens the store, goes on from what is in it, and starts the chain's task. Must be called inside a tokio runtime.
///
/// # Errors
/// [`StartError`] when the store or what is in it cannot be used.
pub(crate) fn open(
    config: &TradingConfig,
    identity: &Keypair,
    runtime: &Arc<dyn Runtime>,
) -> Result<Parts, StartError> {
    let signing = signing_key(identity)?;
    let store = Store::open(runtime.as_ref(), &config.store())?;
    let mut stored = Stored::new();
    let mut is_new = true;
    for table in Table::ALL {
        for (key, value) in store.entries(table)? {
            is_new = false;
            stored.put(table, key, value);
        }
    }
    let mut seed = [0; 32];
    runtime.fill_random(&mut seed);
    // Of a seed whose store is new nobody knows whether it was used before.
    let settings = Settings { policy: config.policy, recovers: true, ..Settings::default() };
    let state = |error: &dyn std::fmt::Display| StartError::State(error.to_string());
    let trader = if is_new {
        let wallet = Wallet::create(&config.seed, config.network).map_err(|error| state(&error))?;
        Trader::new(settings, wallet, signing, seed)
    } else {
        let wallet = Wallet::load(&config.seed, config.network, stored.wallet()).map_err(|error| state(&error))?;
        Trader::restore(runtime.wall_clock(), settings, &stored, wallet, signing, seed)
            .map_err(|error| state(&error))?
    };
    Ok(Parts { machine: Box::new(trader), store, chain: chain(config, runtime)?.into() })
}

fn chain(config: &TradingConfig, runtime: &Arc<dyn Runtime>) -> Result<ChainHandle, StartError> {
    let headers = Some(config.headers());
    let settings = ChainSettings { headers, ..ChainSettings::new(config.network, config.electrum.clone()) };
    let assets: Arc<dyn AssetIndex> = match RuneIndex::open(config, runtime)? {
        Some(index) => Arc::new(index),
        None => Arc::new(NoAssetIndex),
    };
    Ok(chain::spawn(settings, assets, Arc::clone(runtime)))
}

/// The key of the node's identity: orders are signed with it, so that their maker can be found by it.
fn signing_key(identity: &Keypair) -> Result<SigningKey, key::NotEd25519> {
    let not_ed25519 = || key::NotEd25519::Peer(identity.public().to_peer_id());
    let pair = identity.clone().try_into_ed25519().map_err(|_| not_ed25519())?;
    let secret = pair.secret();
    let bytes = Zeroizing::new(<[u8; 32]>::try_from(secret.as_ref()).map_err(|_| not_ed25519())?);
    Ok(SigningKey::from_bytes(&bytes))
}

impl From<ChainHandle> for Chain {
    fn from(ChainHandle { mut requests, inputs, events }: ChainHandle) -> Self {
        Self { ask: Box::new(move |request| requests.send(request)), inputs, events }
    }
}

impl Machine for Trader {
    fn handle(&mut self, now: darkswap_trader::Time, input: darkswap_trader::input::Input) {
        Trader::handle(self, now, input);
    }

    fn poll(&mut self) -> Option<darkswap_trader::output::Output> {
        Trader::poll(self)
    }

    fn deadline(&self) -> Option<darkswap_trader::Time> {
        Trader::deadline(self)
    }
}
