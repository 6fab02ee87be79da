//! One chain of its own for one test: bitcoind and electrs, and ord when it is asked for.

mod electrs;
mod faucet;
mod logs;
mod reorg;

use std::net::SocketAddrV4;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::{Address, Block, BlockHash, OutPoint, Transaction, Txid};
use bitcoind::{BitcoinD, P2P};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;

use self::electrs::Electrs;
pub use self::electrs::Electrum;
use self::faucet::Faucet;
use crate::ord::OrdServer;
use crate::tool::find::{Tools, tools};

/// What bitcoind is started with: electrs reads the replaceability of mempool entries and ord every transaction by its id.
const ARGUMENTS: &[&str] =
    &["-regtest", "-rest=1", "-txindex=1", "-deprecatedrpc=bip125", "-listenonion=0", "-datacarriersize=100000"];

/// Blocks that are mined before a test begins: the reward of the first may be spent after a hundred more.
pub const FIRST_BLOCKS: u32 = 101;

/// A chain of its own: nothing is shared with another one, so that tests run side by side.
///
/// Its processes end and its folder goes when it is dropped. When the thread panics, the logs stay and the message on standard error
/// says where.
#[derive(Debug)]
pub struct TestEnv {
    // Dropped in this order: first who asks, then who answers, then the folder.
    electrs: Mutex<Option<Electrs>>,
    bitcoind: BitcoinD,
    faucet: Mutex<Faucet>,
    tools: Tools,
    folder: TempDir,
}

impl TestEnv {
    /// Starts a chain of [`FIRST_BLOCKS`] blocks, whose rewards [`Self::fund`] spends.
    ///
    /// # Panics
    ///
    /// With the command that provides them, when tools are missing.
    ///
    /// # Errors
    ///
    /// When a process does not become ready.
    pub fn start() -> Result<Self> {
        Self::start_with(tools())
    }

    /// The same with given executables.
    ///
    /// # Errors
    ///
    /// When a process does not become ready.
    pub fn start_with(tools: &Tools) -> Result<Self> {
        let env = Self::start_chain(tools)?;
        env.start_electrs()?;
        Ok(env)
    }

    /// The chain alone, without electrs.
    pub(crate) fn start_chain(tools: &Tools) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("darkswap-regtest-").tempdir()?;
        // The folder's name is nobody else's, so the chain is nobody else's either, and no server can be taken for another.
        let faucet = Faucet::new(folder.path().as_os_str().as_encoded_bytes());
        let mut conf = bitcoind::Conf::default();
        conf.args = ARGUMENTS.to_vec();
        conf.wallet = None;
        conf.p2p = P2P::Yes;
        conf.tmpdir = Some(folder.path().to_owned());
        let bitcoind = BitcoinD::with_conf(&tools.bitcoind, &conf).context("cannot start bitcoind")?;
        let env =
            Self { electrs: Mutex::new(None), bitcoind, faucet: Mutex::new(faucet), tools: tools.clone(), folder };
        // electrs waits for a first block: without one bitcoind takes itself for one that still downloads the chain.
        env.mine(FIRST_BLOCKS)?;
        Ok(env)
    }

    /// Calls bitcoind.
    ///
    /// # Errors
    ///
    /// When bitcoind refuses, or answers with another type.
    pub fn rpc<T: DeserializeOwned>(&self, method: &str, arguments: &[Value]) -> Result<T> {
        self.bitcoind.client.call(method, arguments).with_context(|| format!("bitcoind refuses {method}"))
    }

    /// Where bitcoind answers.
    pub fn rpc_address(&self) -> SocketAddrV4 {
        self.bitcoind.params.rpc_socket
    }

    /// The file with name and password for it.
    pub fn cookie_file(&self) -> &Path {
        &self.bitcoind.params.cookie_file
    }

    /// The height of the best block.
    ///
    /// # Errors
    ///
    /// When bitcoind does not answer.
    pub fn height(&self) -> Result<u32> {
        self.rpc("getblockcount", &[])
    }

    /// The hash of the best block.
    ///
    /// # Errors
    ///
    /// When bitcoind does not answer.
    pub fn tip(&self) -> Result<BlockHash> {
        self.rpc("getbestblockhash", &[])
    }

    /// The block at `height`.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn block(&self, height: u32) -> Result<Block> {
        let hash: BlockHash = self.rpc("getblockhash", &[json!(height)])?;
        let text: String = self.rpc("getblock", &[json!(hash), json!(0)])?;
        bitcoin::consensus::encode::deserialize_hex(&text).context("bitcoind sent a block that cannot be read")
    }

    /// Mines `blocks` blocks of what is in the mempool, and waits until electrs has them, if it runs.
    ///
    /// # Errors
    ///
    /// When bitcoind refuses, or electrs does not follow.
    pub fn mine(&self, blocks: u32) -> Result<BlockHash> {
        let address = self.lock_faucet().address();
        let mined: Vec<BlockHash> = self.rpc("generatetoaddress", &[json!(blocks), json!(address)])?;
        ensure!(mined.len() == blocks as usize, "bitcoind mined {} blocks; expected {blocks}", mined.len());
        self.wait_electrs()?;
        self.tip()
    }

    /// Mines one block with exactly `transactions`, and waits until electrs has it, if it runs. Only consensus counts: they need not be
    /// ones that bitcoind would relay, and pay no fee.
    ///
    /// # Errors
    ///
    /// When the block would be invalid, or electrs does not follow.
    pub fn mine_exactly(&self, transactions: &[Transaction]) -> Result<BlockHash> {
        let address = self.lock_faucet().address();
        self.generate_block(&address, transactions)?;
        self.wait_electrs()?;
        self.tip()
    }

    fn generate_block(&self, address: &Address, transactions: &[Transaction]) -> Result<()> {
        let raw: Vec<String> = transactions.iter().map(serialize_hex).collect();
        let _: Value = self.rpc("generateblock", &[json!(address), json!(raw)])?;
        Ok(())
    }

    /// Sends a transaction to bitcoind.
    ///
    /// # Errors
    ///
    /// With bitcoind's reason, when it refuses.
    pub fn send(&self, transaction: &Transaction) -> Result<Txid> {
        // Any fee rate: what a test pays is its own affair.
        self.rpc("sendrawtransaction", &[json!(serialize_hex(transaction)), json!(0)])
    }

    /// What waits to be mined, in order of txid.
    ///
    /// # Errors
    ///
    /// When bitcoind does not answer.
    pub fn mempool(&self) -> Result<Vec<Txid>> {
        let mut mempool: Vec<Txid> = self.rpc("getrawmempool", &[])?;
        mempool.sort_unstable();
        Ok(mempool)
    }

    /// Whether the output is in the chain or the mempool and not spent in either.
    ///
    /// # Errors
    ///
    /// When bitcoind does not answer.
    pub fn is_unspent(&self, output: OutPoint) -> Result<bool> {
        let answer: Value = self.rpc("gettxout", &[json!(output.txid), json!(output.vout), json!(true)])?;
        Ok(!answer.is_null())
    }

    /// Starts ord's server over this chain. It runs as long as the value lives.
    ///
    /// # Errors
    ///
    /// When it does not become ready.
    pub fn ord(&self) -> Result<OrdServer<'_>> {
        OrdServer::start(self)
    }

    /// The command that starts ord.
    pub(crate) fn ord_command(&self) -> Command {
        Command::new(&self.tools.ord)
    }

    /// Where everything of this chain lies.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn lock_faucet(&self) -> std::sync::MutexGuard<'_, Faucet> {
        self.faucet.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_electrs(&self) -> std::sync::MutexGuard<'_, Option<Electrs>> {
        self.electrs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for TestEnv {
    fn drop(&mut self) {
        if std::thread::panicking() {
            logs::keep_and_say(self);
        }
    }
}

/// A free port of this host. It may be taken before it is used, so whoever uses it must be able to try another.
pub(crate) fn free_port() -> Result<u16> {
    bitcoind::get_available_port().context("no port is free")
}

/// How long a server may take to become ready or to follow the chain. Half a second is usual; a loaded machine takes longer.
pub(crate) const READY: Duration = Duration::from_secs(60);
