//! Whether what was built works with the others, before anybody relies on it.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use bitcoin::Amount;
use electrum_client::ElectrumApi as _;

use super::step::Steps;
use crate::env::TestEnv;
use crate::key::Key;
use crate::tool::Tool;
use crate::tool::find::{self, Found, Tools};

/// Starts the tool that was built over a chain and lets it answer. Without a bitcoind (only another tool was asked for) the version
/// that was read must do.
pub(super) fn test(built: &Found, steps: &mut Steps) -> Result<()> {
    let place = |tool: Tool| -> Result<Option<PathBuf>> {
        Ok(if built.tool == tool {
            Some(built.path.clone())
        } else {
            find::search(tool)?.found.map(|found| found.path)
        })
    };
    let Some(bitcoind) = place(Tool::Bitcoind)? else {
        steps.note(&format!("{}: no bitcoind to try it with, so only its version was checked", built.tool));
        return Ok(());
    };
    // The third is not started.
    let unused = PathBuf::new;
    let tools = Tools {
        bitcoind,
        electrs: place(Tool::Electrs)?.unwrap_or_else(unused),
        ord: place(Tool::Ord)?.unwrap_or_else(unused),
    };
    steps.call(&format!("{}: smoke test", built.tool), || match built.tool {
        Tool::Bitcoind => chain(&tools).map(drop),
        Tool::Electrs => electrs(&tools),
        Tool::Ord => ord(&tools),
    })
}

fn chain(tools: &Tools) -> Result<TestEnv> {
    let env = TestEnv::start_chain(tools)?;
    let coin = env.fund(Key::numbered(1).script(), Amount::from_sat(10_000))?;
    let waiting = env.mempool()?;
    ensure!(waiting == [coin.txid], "bitcoind's mempool holds {waiting:?}; expected {}", coin.txid);
    env.mine(1)?;
    Ok(env)
}

fn electrs(tools: &Tools) -> Result<()> {
    let env = TestEnv::start_with(tools)?;
    let key = Key::numbered(1);
    let coin = env.fund(key.script(), Amount::from_sat(10_000))?;
    // An electrs whose mempool stays empty is what a wrong pair of versions looks like.
    env.wait_electrs_transaction(key.script(), coin.txid)?;
    env.mine(1)?;
    let history = env.electrum()?.script_get_history(key.script()).context("electrs")?;
    ensure!(history.len() == 1, "electrs knows {} transactions of a script that has one", history.len());
    Ok(())
}

fn ord(tools: &Tools) -> Result<()> {
    let env = chain(tools)?;
    let tip = env.block(env.height()?)?;
    let coinbase = tip.txdata.first().context("a block has a coinbase transaction")?.compute_txid();
    let balances = env.ord()?.balances(bitcoin::OutPoint::new(coinbase, 0))?;
    ensure!(balances.is_empty(), "ord sees runes where there are none: {balances:?}");
    Ok(())
}
