//! ord's server: an independent account of runes, which tests compare the node's own with.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bitcoin::OutPoint;
use ordinals::{Rune, RuneId, SpacedRune};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::daemon::{Daemon, start_at};
use crate::env::{READY, TestEnv, free_port};
use crate::wait;

/// How long one request may take.
const ANSWER: Duration = Duration::from_secs(20);

/// ord's server over the chain of a [`TestEnv`].
///
/// It does not follow reorganisations reliably on so short a chain: start another one after a reorganisation.
#[derive(Debug)]
pub struct OrdServer<'a> {
    env: &'a TestEnv,
    _daemon: Daemon,
    url: String,
}

/// What ord says about an output.
#[derive(Debug, Deserialize)]
struct Output {
    outpoint: OutPoint,
    runes: BTreeMap<SpacedRune, Pile>,
}

#[derive(Debug, Deserialize)]
struct Pile {
    amount: u128,
}

/// What ord says about a rune.
#[derive(Debug, Deserialize)]
struct Etched {
    id: RuneId,
    entry: Entry,
}

#[derive(Debug, Deserialize)]
struct Entry {
    spaced_rune: SpacedRune,
    premine: u128,
    mints: u128,
    burned: u128,
}

/// ord's account of one rune.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Where it was etched.
    pub id: RuneId,
    /// Its name.
    pub name: SpacedRune,
    /// Units that its etching made.
    pub premine: u128,
    /// How often it was minted.
    pub mints: u128,
    /// Units that are gone.
    pub burned: u128,
}

/// What an output holds: amounts in the smallest unit, by name.
pub type Balances = BTreeMap<SpacedRune, u128>;

impl<'a> OrdServer<'a> {
    pub(crate) fn start(env: &'a TestEnv) -> Result<Self> {
        start_at(free_port, |port| Self::try_start(env, port))
    }

    fn try_start(env: &'a TestEnv, port: u16) -> Result<Self> {
        // An index of its own: ord locks it, and the next server may need another chain.
        let index = tempfile::Builder::new().prefix("ord-").tempdir_in(env.folder())?.keep();
        let mut command = env.ord_command();
        command.arg("--regtest").arg("--index-runes").arg("--data-dir").arg(index);
        command.arg("--bitcoin-rpc-url").arg(env.rpc_address().to_string());
        command.arg("--cookie-file").arg(env.cookie_file());
        command.args(["server", "--http", "--address", "127.0.0.1", "--polling-interval", "50ms"]);
        command.arg("--http-port").arg(port.to_string());
        let mut daemon = Daemon::start("ord", &mut command, &env.folder().join("ord.log"))?;
        let url = format!("http://127.0.0.1:{port}");
        // Its tip tells this server from another one that got the port first.
        let tip = env.tip()?.to_string();
        daemon.wait_ready(READY, || text(&url, "/blockhash").ok().filter(|hash| *hash == tip))?;
        Ok(Self { env, _daemon: daemon, url })
    }

    /// The runes on an output, after ord has seen the best block.
    ///
    /// # Errors
    ///
    /// When ord does not follow, or does not know the output.
    pub fn balances(&self, outpoint: OutPoint) -> Result<Balances> {
        let mut all = self.balances_of(&[outpoint])?;
        all.remove(&outpoint).context("ord answered for another output")
    }

    /// The runes on each of `outpoints`, after ord has seen the best block.
    ///
    /// # Errors
    ///
    /// When ord does not follow, or does not know one of them.
    pub fn balances_of(&self, outpoints: &[OutPoint]) -> Result<BTreeMap<OutPoint, Balances>> {
        self.wait()?;
        let request = bitreq::post(format!("{}/outputs", self.url)).with_json(&outpoints)?;
        let outputs: Vec<Output> = json(request).context("ord's account of outputs")?;
        let balances = |output: Output| {
            let amounts = output.runes.into_iter().map(|(rune, pile)| (rune, pile.amount)).collect();
            (output.outpoint, amounts)
        };
        Ok(outputs.into_iter().map(balances).collect())
    }

    /// The rune of that name, if it was etched.
    ///
    /// # Errors
    ///
    /// When ord does not follow or does not answer.
    pub fn rune(&self, rune: Rune) -> Result<Option<Account>> {
        self.wait()?;
        let response = bitreq::get(format!("{}/rune/{rune}", self.url))
            .with_header("Accept", "application/json")
            .with_timeout(ANSWER)
            .send()?;
        if response.status_code == 404 {
            return Ok(None);
        }
        let body = response.as_str()?;
        ensure!(response.status_code == 200, "ord answers with {}: {body}", response.status_code);
        let Etched { id, entry } = serde_json::from_str(body).context("ord's account of a rune")?;
        let Entry { spaced_rune: name, premine, mints, burned } = entry;
        Ok(Some(Account { id, name, premine, mints, burned }))
    }

    /// Waits until ord has indexed the best block.
    fn wait(&self) -> Result<()> {
        let tip = self.env.tip()?.to_string();
        let reached = wait::until(READY, || text(&self.url, "/blockhash").ok().filter(|hash| *hash == tip));
        reached.map(drop).with_context(|| format!("ord does not have the block {tip} after {} s", READY.as_secs()))
    }
}

fn text(url: &str, path: &str) -> Result<String> {
    let response = bitreq::get(format!("{url}{path}")).with_timeout(ANSWER).send()?;
    ensure!(response.status_code == 200, "ord answers {path} with {}", response.status_code);
    Ok(response.as_str()?.trim().to_owned())
}

fn json<T: DeserializeOwned>(request: bitreq::Request) -> Result<T> {
    let response = request.with_header("Accept", "application/json").with_timeout(ANSWER).send()?;
    let body = response.as_str()?;
    ensure!(response.status_code == 200, "ord answers with {}: {body}", response.status_code);
    serde_json::from_str(body).with_context(|| format!("ord answers with something else than expected: {body}"))
}
