//! The Electrum server of a test: started, stopped, waited for.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use bitcoin::{BlockHash, Script, Txid};
use electrum_client::ElectrumApi as _;
use electrum_client::raw_client::{ElectrumPlaintextStream, RawClient};
use rustix::process::Signal;

use super::{READY, TestEnv, free_port};
use crate::daemon::{Daemon, start_at};
use crate::wait;

/// A connection to electrs.
pub type Electrum = RawClient<ElectrumPlaintextStream>;

/// How long one request may take.
const ANSWER: Duration = Duration::from_secs(10);

/// The metric that counts how often electrs looked at bitcoind.
const ROUNDS: &str = "electrs_server_loop_duration_count{step=\"sync\"}";

/// A running electrs.
#[derive(Debug)]
pub(super) struct Electrs {
    daemon: Daemon,
    port: u16,
    /// Where it tells its metrics.
    monitoring: u16,
}

impl TestEnv {
    /// Where electrs answers, or did before it was stopped.
    ///
    /// # Panics
    ///
    /// After [`Self::stop_electrs`]: ask before.
    pub fn electrs_address(&self) -> SocketAddrV4 {
        let port = self.lock_electrs().as_ref().map(|electrs| electrs.port);
        address(port.expect("electrs runs"))
    }

    /// A new connection to electrs.
    ///
    /// # Errors
    ///
    /// When it does not run or does not answer.
    pub fn electrum(&self) -> Result<Electrum> {
        let port = self.lock_electrs().as_ref().map(|electrs| electrs.port).context("electrs was stopped")?;
        connect(port).with_context(|| format!("electrs does not answer at {}", address(port)))
    }

    /// Ends electrs; its index stays. The address answers no more until [`Self::restart_electrs`].
    ///
    /// # Errors
    ///
    /// When it does not run, or does not end.
    pub fn stop_electrs(&self) -> Result<StoppedElectrs> {
        let Electrs { daemon, port, .. } = self.lock_electrs().take().context("electrs was stopped already")?;
        daemon.stop()?;
        Ok(StoppedElectrs { port })
    }

    /// Starts electrs again at the address that it had, and waits until it has caught up.
    ///
    /// # Errors
    ///
    /// When it does not become ready.
    pub fn restart_electrs(&self, stopped: StoppedElectrs) -> Result<()> {
        ensure!(self.lock_electrs().is_none(), "electrs runs already: a bug of the test");
        self.run_electrs(|| Ok(stopped.port))
    }

    pub(super) fn start_electrs(&self) -> Result<()> {
        self.run_electrs(free_port)
    }

    /// Waits until electrs has the best block and the mempool as bitcoind has them now, if it runs.
    ///
    /// # Errors
    ///
    /// When it does not follow in time.
    pub fn wait_electrs(&self) -> Result<()> {
        if self.lock_electrs().is_none() {
            return Ok(());
        }
        let tip = self.tip()?;
        let electrum = self.electrum()?;
        self.await_electrs(&format!("the block {tip}"), || has_block(&electrum, tip))?;
        // Between a new block and the mempool without its transactions electrs answers requests, and shows those twice. Its rounds
        // and its answers are one thread's, so a round that ends after this answer has read the mempool too.
        let before = self.rounds().context("electrs tells no metrics: it has to be built with them, as by default")?;
        self.await_electrs("the mempool", || self.rounds().is_some_and(|rounds| rounds > before))
    }

    /// How often electrs has looked at bitcoind.
    fn rounds(&self) -> Option<u64> {
        let port = self.lock_electrs().as_ref()?.monitoring;
        let response = bitreq::get(format!("http://{}/", address(port))).with_timeout(ANSWER).send().ok()?;
        response.as_str().ok()?.lines().find_map(|line| line.strip_prefix(ROUNDS)?.trim().parse().ok())
    }

    /// Waits until electrs has all blocks up to `height`.
    ///
    /// # Errors
    ///
    /// When it does not follow in time.
    pub fn wait_electrs_height(&self, height: u32) -> Result<()> {
        let electrum = self.electrum()?;
        let reached = || electrum.block_headers_subscribe().is_ok_and(|header| header.height >= height as usize);
        self.await_electrs(&format!("height {height}"), reached)
    }

    /// Waits until electrs shows `transaction` in the history of `script`, confirmed or not.
    ///
    /// # Errors
    ///
    /// When it does not in time.
    pub fn wait_electrs_transaction(&self, script: &Script, transaction: Txid) -> Result<()> {
        let electrum = self.electrum()?;
        let seen = || {
            let history = electrum.script_get_history(script);
            history.is_ok_and(|history| history.iter().any(|entry| entry.tx_hash == transaction))
        };
        self.await_electrs(&format!("the transaction {transaction}"), seen)
    }

    /// Lets electrs look at bitcoind again and again until `reached`. By itself it would look once a second.
    fn await_electrs(&self, what: &str, mut reached: impl FnMut() -> bool) -> Result<()> {
        let found = wait::until(READY, || {
            if reached() {
                return Some(Ok(()));
            }
            match self.lock_electrs().as_ref() {
                Some(electrs) => electrs.daemon.signal(Signal::USR1).err().map(Err),
                None => Some(Err(anyhow!("electrs was stopped meanwhile"))),
            }
        });
        found.unwrap_or_else(|| Err(anyhow!("electrs does not have {what} after {} s", READY.as_secs())))
    }

    fn run_electrs(&self, choose: impl Fn() -> Result<u16>) -> Result<()> {
        let tip = self.tip()?;
        let electrs = start_at(choose, |port| self.try_electrs(port, tip))?;
        *self.lock_electrs() = Some(electrs);
        self.wait_electrs()
    }

    fn try_electrs(&self, port: u16, tip: BlockHash) -> Result<Electrs> {
        let parameters = &self.bitcoind.params;
        let p2p = parameters.p2p_socket.context("bitcoind was started with a port for peers")?;
        let mut command = Command::new(&self.tools.electrs);
        command.args(["--skip-default-conf-files", "--network", "regtest", "--wait-duration-secs", "1"]);
        command.args(["--log-filters", "INFO"]);
        command.arg("--db-dir").arg(self.folder().join("electrs"));
        command.arg("--cookie-file").arg(&parameters.cookie_file);
        command.arg("--daemon-rpc-addr").arg(parameters.rpc_socket.to_string());
        command.arg("--daemon-p2p-addr").arg(p2p.to_string());
        command.arg("--electrum-rpc-addr").arg(address(port).to_string());
        let monitoring = free_port()?;
        command.arg("--monitoring-addr").arg(address(monitoring).to_string());
        let mut daemon = Daemon::start("electrs", &mut command, &self.folder().join("electrs.log"))?;
        // Its tip tells this electrs from another one that got the port first.
        daemon.wait_ready(READY, || connect(port).ok().filter(|electrum| has_block(electrum, tip)).map(drop))?;
        Ok(Electrs { daemon, port, monitoring })
    }
}

/// An electrs that was stopped, with the address at which it will be again.
#[derive(Debug)]
#[must_use = "restart_electrs takes it"]
pub struct StoppedElectrs {
    port: u16,
}

impl StoppedElectrs {
    /// Where it was and will be.
    pub fn address(&self) -> SocketAddrV4 {
        address(self.port)
    }
}

fn address(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}

fn connect(port: u16) -> Result<Electrum, electrum_client::Error> {
    RawClient::new(address(port), Some(ANSWER), None)
}

fn has_block(electrum: &Electrum, hash: BlockHash) -> bool {
    electrum.block_headers_subscribe().is_ok_and(|tip| tip.header.block_hash() == hash)
}
