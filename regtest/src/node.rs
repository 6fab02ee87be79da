//! A node in a process of its own: the built program, told what to do by its command line alone.

mod watch;

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use rustix::process::Signal;
use serde_json::Value;

pub use self::watch::{Moved, Watch};
use crate::daemon::Daemon;
use crate::env::{READY, TestEnv};
use crate::program::program;
use crate::wait;

/// Blocks after which a swap counts as settled: more than one, so that there is something between a block and the end.
pub const CONFIRMATIONS: u32 = 2;

/// How long a taker has: the shortest that there is, for tests that wait for its end.
pub const WINDOW: Duration = Duration::from_secs(30);

/// What it logs: every step of a swap, which [`Watch`] reads, and more for those who look into a failure.
const LOG: &str = "info,darkswap=debug,darkswap_node=debug,darkswap_trader=debug";

/// How long a command may take.
const ANSWER: Duration = Duration::from_secs(60);

/// How long a test waits for something that should come soon, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// A node with a wallet, a folder and perhaps a process. The process ends when the value is dropped; the folder belongs to the chain.
#[derive(Debug)]
pub struct NodeProcess {
    process: Option<Daemon>,
    name: String,
    folder: PathBuf,
    log: PathBuf,
    words: String,
}

/// What a command left.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Its exit code.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl NodeProcess {
    /// Makes a node with a new wallet, and does not start it.
    ///
    /// # Errors
    ///
    /// When the program refuses.
    pub fn create(env: &TestEnv, name: &str) -> Result<Self> {
        Self::make(env, name, None)
    }

    /// Makes a node whose wallet comes from these words.
    ///
    /// # Errors
    ///
    /// When the program refuses.
    pub fn restore(env: &TestEnv, name: &str, words: &str) -> Result<Self> {
        Self::make(env, name, Some(words))
    }

    fn make(env: &TestEnv, name: &str, words: Option<&str>) -> Result<Self> {
        let folder = env.folder().join(name);
        let log = env.folder().join(format!("{name}.log"));
        let mut node = Self { process: None, name: name.to_owned(), folder, log, words: String::new() };
        node.succeed(&["init"])?;
        fs::write(node.file("darkswap.toml"), configuration(env))?;
        let key = node.file("wallet.key").display().to_string();
        match words {
            None => {
                let made = node.ask(&["wallet", "create", "--new-key-file", &key])?;
                node.words = made["words"].as_str().context("a new wallet shows its words")?.to_owned();
            }
            Some(words) => {
                let file = node.file("words");
                write_private(&file, words)?;
                let file = file.display().to_string();
                node.succeed(&["wallet", "import", "--words-file", &file, "--new-key-file", &key])?;
                node.words = words.to_owned();
            }
        }
        Ok(node)
    }

    /// The words from which its wallet can be restored.
    pub fn words(&self) -> &str {
        &self.words
    }

    /// A file of its folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Starts its process, and waits until it answers.
    ///
    /// # Errors
    ///
    /// When it does not become ready.
    pub fn start(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "{} runs already: a bug of the test", self.name);
        let mut command = self.command(&["run", "--log-format", "json"]);
        command.env("DARKSWAP_LOG", LOG);
        let mut process = Daemon::start("darkswap", &mut command, &self.log)?;
        process.wait_ready(READY, || self.address().ok())?;
        self.process = Some(process);
        Ok(())
    }

    /// Ends its process as a crash would.
    pub fn kill(&mut self) {
        // Dropping is what kills.
        self.process = None;
    }

    /// Ends its process in good order.
    ///
    /// # Errors
    ///
    /// When it does not run, or does not end.
    pub fn stop(&mut self) -> Result<()> {
        self.process.take().with_context(|| format!("{} does not run", self.name))?.stop()
    }

    /// Holds its process where it is, until [`Self::thaw`].
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn freeze(&self) -> Result<()> {
        self.running()?.signal(Signal::STOP)
    }

    /// Lets its process go on.
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn thaw(&self) -> Result<()> {
        self.running()?.signal(Signal::CONT)
    }

    fn running(&self) -> Result<&Daemon> {
        self.process.as_ref().with_context(|| format!("{} does not run", self.name))
    }

    /// Where it listens until it ends, with its peer id.
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn address(&self) -> Result<String> {
        let status = self.ask(&["status"])?;
        let (peer, address) = (status["peer_id"].as_str(), status["listening"][0].as_str());
        let (Some(peer), Some(address)) = (peer, address) else {
            bail!("{} does not say where it listens: {status}", self.name);
        };
        Ok(format!("{address}/p2p/{peer}"))
    }

    /// Connects it to another node, until one of them ends.
    ///
    /// # Errors
    ///
    /// When one of them does not run.
    pub fn connect(&self, other: &Self) -> Result<()> {
        self.ask(&["connect", &other.address()?]).map(drop)
    }

    /// The steps of its swaps from now on.
    ///
    /// # Errors
    ///
    /// When it was never started.
    pub fn watch(&self) -> Result<Watch> {
        Watch::begin(&self.log)
    }

    /// Waits until `probe` finds something.
    ///
    /// # Errors
    ///
    /// After a minute and a half, with what the node logged last.
    pub fn wait<T>(&self, what: &str, probe: impl FnMut() -> Option<T>) -> Result<T> {
        self.wait_long(PATIENCE, what, probe)
    }

    /// The same for what takes its time.
    ///
    /// # Errors
    ///
    /// After `limit`, with what the node logged last.
    pub fn wait_long<T>(&self, limit: Duration, what: &str, probe: impl FnMut() -> Option<T>) -> Result<T> {
        wait::until(limit, probe).ok_or_else(|| {
            let log = crate::daemon::tail(&self.log);
            anyhow!("{}: no {what} within {} s; its log ends with:\n{log}", self.name, limit.as_secs())
        })
    }

    /// The JSON that a command prints.
    ///
    /// # Errors
    ///
    /// When it fails.
    pub fn ask(&self, arguments: &[&str]) -> Result<Value> {
        let finished = self.succeed(&[arguments, &["--json"]].concat())?;
        serde_json::from_str(&finished.stdout).with_context(|| format!("{arguments:?} printed {finished:?}"))
    }

    /// What a command complains of that has to fail.
    ///
    /// # Errors
    ///
    /// When it succeeds.
    pub fn refusal(&self, arguments: &[&str]) -> Result<String> {
        let finished = self.run(arguments)?;
        ensure!(finished.code != Some(0), "{arguments:?} of {} succeeded: {finished:?}", self.name);
        Ok(finished.stderr)
    }

    fn succeed(&self, arguments: &[&str]) -> Result<Finished> {
        let finished = self.run(arguments)?;
        ensure!(finished.code == Some(0), "{arguments:?} of {} failed: {}", self.name, finished.stderr.trim());
        Ok(finished)
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    ///
    /// When it does not start or does not end.
    pub fn run(&self, arguments: &[&str]) -> Result<Finished> {
        let mut child = self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        if wait::exit_within(&mut child, ANSWER)?.is_none() {
            child.kill()?;
            child.wait()?;
            bail!("{arguments:?} of {} gave no answer within {} s", self.name, ANSWER.as_secs());
        }
        let output = child.wait_with_output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Finished { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) })
    }

    /// A command line for its folder, free from the caller's settings.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("DARKSWAP_")) {
            command.env_remove(name);
        }
        command.arg("--dir").arg(&self.folder).args(arguments).stdin(Stdio::null());
        command
    }
}

/// Of a node that trades on this chain, and knows nobody yet.
fn configuration(env: &TestEnv) -> String {
    let (electrs, bitcoind, cookie) = (env.electrs_address(), env.rpc_address(), env.cookie_file().display());
    let window = WINDOW.as_secs();
    format!(
        "[node]
listen = [\"/ip4/127.0.0.1/tcp/0\"]
[discovery]
enabled = false
[trading]
enabled = true
network = \"regtest\"
electrum = [\"{electrs}\"]
bitcoind = \"http://{bitcoind}\"
bitcoind_cookie_file = \"{cookie}\"
confirmations = {CONFIRMATIONS}
swap_window = \"{window}s\"
key_file = \"wallet.key\"
"
    )
}

/// A file that only its owner may read.
fn write_private(path: &Path, content: &str) -> Result<()> {
    use std::io::Write as _;
    let mut file = fs::File::options().create_new(true).write(true).mode(0o600).open(path)?;
    Ok(file.write_all(content.as_bytes())?)
}
