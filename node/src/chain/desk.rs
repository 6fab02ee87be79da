//! The one task: a server at a time, what was asked, what is urgent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bitcoin::{BlockHash, OutPoint, Transaction};
use darkswap_trader::chain::{ChainInput, ChainRequest, RuneQuery};
use electrum_streaming_client::request::{Custom, Ping, ScriptHashSubscribe};
use electrum_streaming_client::{ElectrumScriptHash, ElectrumScriptStatus};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::assets::AssetIndex;
use super::connection::Connection;
use super::header_file::{HeaderFile, HeaderFileError};
use super::headers::Headers;
use super::lines::{Notice, shown};
use super::misbehaviour::{Misbehaviour, Trouble};
use super::second_opinion::SecondOpinion;
use super::servers::{Servers, connect};
use super::transactions::Transactions;
use super::wallet::WalletJob;
use super::watch::Watches;
use super::{ChainEvent, ChainSettings, MAX_REQUESTS};
use crate::runtime::Runtime;

/// How often an idle connection is used: servers close ones that are silent for ten minutes, routers sooner.
const PING: Duration = Duration::from_secs(60);

/// How often in a row the chain may move while one thing is asked: a block takes minutes, an answer seconds.
const MAX_MOVES: u32 = 8;

/// How often coins are asked for before the answer is that nobody knows. A stranger names the outputs, and some scripts have
/// more on them than any server tells.
const COIN_ATTEMPTS: u32 = 3;

/// What does not wait for a wallet.
#[derive(Debug)]
pub(super) enum Urgent {
    /// Broadcast it.
    Broadcast(Arc<Transaction>),
    /// Look outputs up.
    Coins {
        /// Comes back with the answer.
        request: u64,
        /// Which.
        outpoints: Vec<OutPoint>,
        /// How often it was tried.
        attempts: u32,
    },
    /// Look a rune up, for which no server is asked.
    Rune {
        /// Comes back with the answer.
        request: u64,
        /// Which.
        query: RuneQuery,
    },
}

/// The connection in use.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) connection: Connection,
    pub(super) server: usize,
    /// What is subscribed to on this connection.
    pub(super) subscribed: BTreeSet<ElectrumScriptHash>,
    notices: mpsc::Receiver<Notice>,
    /// It said that there is another tip.
    announced: bool,
}

/// The state of the task.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) settings: ChainSettings,
    pub(super) assets: Arc<dyn AssetIndex>,
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) servers: Servers,
    pub(super) headers: Headers,
    /// Where headers are kept, where they are.
    header_file: Option<HeaderFile>,
    pub(super) transactions: Transactions,
    pub(super) watches: Watches,
    /// The wallet's scripts and what their history was last known to be.
    pub(super) scripts: BTreeMap<ElectrumScriptHash, Option<ElectrumScriptStatus>>,
    pub(super) second_opinion: SecondOpinion,
    requests: mpsc::Receiver<ChainRequest>,
    inputs: mpsc::Sender<ChainInput>,
    events: mpsc::Sender<ChainEvent>,
    urgent: VecDeque<Urgent>,
    wallet: VecDeque<WalletJob>,
    /// A wallet's script changed, and nobody was told yet.
    stirred: bool,
    /// What was told last of the tip.
    told: Option<BlockHash>,
    /// What was told last of the servers.
    up: Option<bool>,
}

impl Desk {
    pub(super) fn new(
        settings: ChainSettings,
        assets: Arc<dyn AssetIndex>,
        runtime: Arc<dyn Runtime>,
        requests: mpsc::Receiver<ChainRequest>,
        inputs: mpsc::Sender<ChainInput>,
        events: mpsc::Sender<ChainEvent>,
    ) -> Self {
        let now = Instant::now();
        let seed = || {
            let mut bytes = [0; 8];
            runtime.fill_random(&mut bytes);
            u64::from_le_bytes(bytes)
        };
        Self {
            servers: Servers::new(&settings.servers, now, seed),
            headers: Headers::new(settings.network, settings.checkpoint),
            header_file: None,
            transactions: Transactions::default(),
            watches: Watches::default(),
            scripts: BTreeMap::new(),
            second_opinion: SecondOpinion::new(now + settings.second_opinion),
            urgent: VecDeque::new(),
            wallet: VecDeque::new(),
            stirred: false,
            told: None,
            up: None,
            settings,
            assets,
            runtime,
            requests,
            inputs,
            events,
        }
    }

    /// Serves until whoever asks is gone.
    pub(super) async fn run(mut self) {
        let mut last = "no server is configured".to_owned();
        self.find_headers();
        loop {
            let server = match self.servers.choose(Instant::now()) {
                Some(Ok(server)) => server,
                Some(Err(until)) => {
                    if self.tell_down(&last).await.is_err() || self.pause(until).await.is_err() {
                        return;
                    }
                    continue;
                }
                None => {
                    let _ = self.tell_down(&last).await;
                    while self.refuse_next().await.is_ok() {}
                    return;
                }
            };
            let trouble = match self.open(server).await {
                Ok(mut link) => match self.serve(&mut link).await {
                    Ok(never) => match never {},
                    Err(trouble) => trouble,
                },
                Err(trouble) => trouble,
            };
            if trouble == Trouble::Stopped {
                return;
            }
            last = self.leave(server, &trouble);
        }
    }

    /// Tells a request's answer, or something new.
    pub(super) async fn tell(&self, input: ChainInput) -> Result<(), Trouble> {
        self.inputs.send(input).await.map_err(|_| Trouble::Stopped)
    }

    /// Lets a server rest, and reports why. Returns the reason.
    pub(super) fn leave(&mut self, server: usize, trouble: &Trouble) -> String {
        let times = self.servers.rest(server, trouble, Instant::now());
        let address = self.servers.address(server).clone();
        let (event, reason) = match trouble {
            Trouble::Misbehaved(misbehaviour) => {
                let reason = misbehaviour.to_string();
                (ChainEvent::Misbehaved { server: address.clone(), misbehaviour: misbehaviour.clone(), times }, reason)
            }
            Trouble::Lost(reason) | Trouble::Refused(reason) => {
                (ChainEvent::Left { server: address.clone(), reason: reason.clone() }, reason.clone())
            }
            Trouble::Moved | Trouble::Stopped => {
                let reason = "its chain keeps moving while it is asked about".to_owned();
                (ChainEvent::Left { server: address.clone(), reason: reason.clone() }, reason)
            }
        };
        self.report(event);
        format!("{address}: {reason}")
    }

    /// Opens a connection and negotiates the protocol.
    pub(super) async fn open(&self, server: usize) -> Result<Link, Trouble> {
        let stream = connect(&self.runtime, self.servers.address(server)).await?;
        let (connection, notices) = Connection::start(&*self.runtime, stream);
        let offer = vec![json!(concat!("darkswap/", env!("CARGO_PKG_VERSION"))), json!(["1.4", "1.4.3"])];
        let version = connection.demand(Custom { method: "server.version".into(), params: offer }).await?;
        match version.get(1).and_then(serde_json::Value::as_str) {
            Some(version) if version == "1.4" || version.starts_with("1.4.") => {}
            _ => {
                let found = format!("protocol version {}, expected 1.4", shown(&version.to_string()));
                return Err(Misbehaviour::Answer { method: "server.version".into(), found }.into());
            }
        }
        Ok(Link { connection, server, subscribed: BTreeSet::new(), notices, announced: false })
    }

    /// Does what is urgent: called between the steps of what is not.
    pub(super) async fn attend(&mut self, link: &mut Link) -> Result<(), Trouble> {
        self.collect(link)?;
        while let Some(urgent) = self.urgent.pop_front() {
            match urgent {
                Urgent::Broadcast(transaction) => {
                    if let Err(trouble) = self.broadcast(link, &transaction).await {
                        self.urgent.push_front(Urgent::Broadcast(transaction));
                        return Err(trouble);
                    }
                }
                Urgent::Rune { request, query } => self.answer_rune(request, query).await?,
                Urgent::Coins { request, outpoints, attempts } => {
                    match self.answer_coins(link, request, &outpoints).await {
                        Ok(()) => {}
                        Err(Trouble::Refused(reason)) => {
                            self.tell(ChainInput::CoinsUnknown { request, reason }).await?
                        }
                        Err(trouble) => {
                            self.put_back_coins(request, outpoints, attempts, &trouble).await?;
                            return Err(trouble);
                        }
                    }
                }
            }
        }
        while let Some(txid) = self.watches.next_due() {
            match self.look_after(link, txid).await {
                Ok(()) => {}
                // Another look follows with the next block.
                Err(Trouble::Refused(reason)) => {
                    tracing::warn!(%txid, %reason, "a watched transaction could not be looked up")
                }
                Err(trouble) => {
                    self.watches.failed(txid, &trouble);
                    return Err(trouble);
                }
            }
        }
        Ok(())
    }

    async fn answer_rune(&self, request: u64, query: RuneQuery) -> Result<(), Trouble> {
        let found = self.assets.entry(query).await;
        self.tell(ChainInput::Rune { request, found: found.map(|found| found.map(Box::new)) }).await
    }

    async fn put_back_coins(
        &mut self,
        request: u64,
        outpoints: Vec<OutPoint>,
        attempts: u32,
        trouble: &Trouble,
    ) -> Result<(), Trouble> {
        let reason = match trouble {
            Trouble::Lost(reason) | Trouble::Refused(reason) if attempts + 1 >= COIN_ATTEMPTS => reason.clone(),
            // The next server would have as much to say.
            Trouble::Misbehaved(Misbehaviour::Line) => Misbehaviour::Line.to_string(),
            Trouble::Misbehaved(misbehaviour) if attempts + 1 >= COIN_ATTEMPTS => misbehaviour.to_string(),
            Trouble::Moved | Trouble::Stopped => {
                self.urgent.push_front(Urgent::Coins { request, outpoints, attempts });
                return Ok(());
            }
            Trouble::Lost(_) | Trouble::Refused(_) | Trouble::Misbehaved(_) => {
                self.urgent.push_back(Urgent::Coins { request, outpoints, attempts: attempts + 1 });
                return Ok(());
            }
        };
        self.tell(ChainInput::CoinsUnknown { request, reason }).await
    }

    /// Uses a connection until there is trouble with it.
    async fn serve(&mut self, link: &mut Link) -> Result<std::convert::Infallible, Trouble> {
        self.refresh(link).await?;
        self.servers.succeeded(link.server);
        self.tell_up(link.server).await?;
        self.tell_tip(link).await?;
        self.subscribe_again(link).await?;
        let mut moves = 0;
        loop {
            match self.work(link).await {
                Ok(()) => {
                    moves = 0;
                    self.wait(link).await?;
                }
                Err(Trouble::Moved) if moves < MAX_MOVES => {
                    moves += 1;
                    link.announced = true;
                }
                Err(trouble) => return Err(trouble),
            }
        }
    }

    /// Does everything that there is to do now.
    async fn work(&mut self, link: &mut Link) -> Result<(), Trouble> {
        loop {
            self.collect(link)?;
            if std::mem::take(&mut link.announced) {
                self.refresh(link).await?;
                self.tell_tip(link).await?;
                // Not from the beginning: a server that tells of tips all the time would keep everything else waiting.
            }
            if std::mem::take(&mut self.stirred) {
                self.tell(ChainInput::Stirred).await?;
            }
            self.attend(link).await?;
            let Some(mut job) = self.wallet.pop_front() else { return Ok(()) };
            match self.answer_wallet(link, &mut job).await {
                Ok(update) => self.tell(ChainInput::Wallet(Box::new(update))).await?,
                Err(trouble) => {
                    // What was asked meanwhile asks for more.
                    if !self.wallet.iter().any(|newer| newer.replaces(&job)) {
                        self.wallet.push_front(job);
                    }
                    return Err(trouble);
                }
            }
        }
    }

    /// Waits until there is something to do.
    async fn wait(&mut self, link: &mut Link) -> Result<(), Trouble> {
        let now = Instant::now();
        let check = self.second_opinion.due();
        let second = self.servers.second(link.server, now.max(check));
        let second = second.map(|server| (server, check));
        tokio::select! {
            // Noted while something else was done. In turns with the others, so that no server can keep a second opinion away.
            () = std::future::ready(()), if link.announced || self.stirred => {}
            request = self.requests.recv() => self.file(request.ok_or(Trouble::Stopped)?),
            notice = link.notices.recv() => {
                let notice = notice.ok_or_else(|| link.connection.trouble())?;
                self.note(link, &notice);
            }
            () = sleep_until(now + PING) => link.connection.demand(Ping).await?,
            () = sleep_until(second.map_or(now + PING, |(_, due)| due)), if second.is_some() => {
                if let Some((server, _)) = second {
                    self.ask_second(link, server).await?;
                }
            }
        }
        Ok(())
    }

    /// Takes what arrived meanwhile, without waiting.
    fn collect(&mut self, link: &mut Link) -> Result<(), Trouble> {
        while self.urgent.len() + self.wallet.len() < MAX_REQUESTS {
            match self.requests.try_recv() {
                Ok(request) => self.file(request),
                Err(mpsc::error::TryRecvError::Empty) => break,
                Err(mpsc::error::TryRecvError::Disconnected) => return Err(Trouble::Stopped),
            }
        }
        loop {
            match link.notices.try_recv() {
                Ok(notice) => self.note(link, &notice),
                Err(mpsc::error::TryRecvError::Empty) => return Ok(()),
                Err(mpsc::error::TryRecvError::Disconnected) => return Err(link.connection.trouble()),
            }
        }
    }

    fn file(&mut self, request: ChainRequest) {
        match request {
            ChainRequest::Scan(request) => self.file_wallet(WalletJob::scan(request)),
            ChainRequest::Sync(request) => self.file_wallet(WalletJob::sync(request)),
            ChainRequest::Coins { request, outpoints } => {
                self.urgent.push_back(Urgent::Coins { request, outpoints, attempts: 0 });
            }
            ChainRequest::Rune { request, query } => self.urgent.push_back(Urgent::Rune { request, query }),
            ChainRequest::Watch { txid, spends } => self.watches.watch(txid, spends),
            ChainRequest::Unwatch(txid) => self.watches.unwatch(&txid),
            ChainRequest::Broadcast(transaction) => self.urgent.push_back(Urgent::Broadcast(Arc::new(transaction))),
        }
    }

    /// A wallet that asks again knows more of its scripts than it did before: only its newest question of a kind is answered.
    fn file_wallet(&mut self, job: WalletJob) {
        self.wallet.retain(|older| !job.replaces(older));
        self.wallet.push_back(job);
    }

    fn note(&mut self, link: &mut Link, notice: &Notice) {
        match notice {
            Notice::Tip => link.announced = true,
            Notice::Script(script) => {
                self.stirred |= self.scripts.contains_key(script);
                self.watches.script_changed(script);
            }
        }
    }

    /// Subscribes to the wallet's scripts on a new connection, and finds out whether something happened while there was none.
    async fn subscribe_again(&mut self, link: &mut Link) -> Result<(), Trouble> {
        let scripts: Vec<ElectrumScriptHash> = self.scripts.keys().copied().collect();
        let requests = scripts.iter().map(|script_hash| ScriptHashSubscribe { script_hash: *script_hash }).collect();
        for (script, status) in scripts.into_iter().zip(link.connection.demand_all(requests).await?) {
            link.subscribed.insert(script);
            self.stirred |= self.scripts.insert(script, status) != Some(status);
        }
        Ok(())
    }

    /// Takes requests while no server answers.
    async fn pause(&mut self, until: Instant) -> Result<(), Trouble> {
        let full = self.urgent.len() + self.wallet.len() >= MAX_REQUESTS;
        tokio::select! {
            () = sleep_until(until) => Ok(()),
            request = self.requests.recv(), if !full => {
                self.file(request.ok_or(Trouble::Stopped)?);
                Ok(())
            }
        }
    }

    /// Answers a request where no server ever will.
    async fn refuse_next(&mut self) -> Result<(), Trouble> {
        let reason = "no Electrum server is configured: configure one to trade".to_owned();
        match self.requests.recv().await.ok_or(Trouble::Stopped)? {
            ChainRequest::Coins { request, .. } => self.tell(ChainInput::CoinsUnknown { request, reason }).await,
            ChainRequest::Rune { request, query } => self.answer_rune(request, query).await,
            ChainRequest::Broadcast(transaction) => {
                let txid = transaction.compute_txid();
                self.tell(ChainInput::Broadcast { txid, outcome: Err(reason) }).await
            }
            ChainRequest::Scan(_) | ChainRequest::Sync(_) | ChainRequest::Watch { .. } | ChainRequest::Unwatch(_) => {
                Ok(())
            }
        }
    }

    /// Tells of the tip, if it is another one than last time. Everything that depends on it is due.
    async fn tell_tip(&mut self, link: &Link) -> Result<(), Trouble> {
        let Some(tip) = self.headers.tip().filter(|tip| self.told != Some(tip.hash)) else { return Ok(()) };
        let fee_rate = self.fee_rate(link).await?;
        self.told = Some(tip.hash);
        self.watches.all_due();
        self.tell(ChainInput::Tip { height: tip.height, hash: tip.hash, fee_rate }).await
    }

    async fn tell_up(&mut self, server: usize) -> Result<(), Trouble> {
        let server = self.servers.address(server).clone();
        self.report(ChainEvent::Connected { server: server.clone() });
        if self.up.replace(true) != Some(true) {
            self.tell(ChainInput::Up { server: server.to_string() }).await?;
        }
        // Whatever happened while nobody was asked.
        self.watches.all_due();
        Ok(())
    }

    async fn tell_down(&mut self, reason: &str) -> Result<(), Trouble> {
        if self.up.replace(false) == Some(false) {
            return Ok(());
        }
        self.tell(ChainInput::Down { reason: reason.to_owned() }).await
    }

    pub(super) fn report(&self, event: ChainEvent) {
        if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) {
            tracing::warn!(?event, "nobody reads what happens to the chain's servers");
        }
    }

    /// Takes the headers that were kept. Without a file they are fetched.
    fn find_headers(&mut self) {
        let Some(file) = self.settings.headers.clone() else { return };
        let Self { settings, headers, runtime, .. } = self;
        let mut opened = None;
        runtime.blocking(&mut || {
            let storage = runtime.open_storage(&file).map_err(HeaderFileError::from);
            opened = Some(storage.and_then(|storage| HeaderFile::open(storage, settings.network, headers)));
        });
        match opened {
            Some(Ok(opened)) => self.header_file = Some(opened),
            Some(Err(error)) => tracing::warn!(file = %file.display(), %error, "headers are not kept on the disk"),
            None => {}
        }
    }

    /// Keeps the headers that are new. Without the file they are fetched again after a restart.
    pub(super) fn keep_headers(&mut self) {
        let Self { header_file: Some(file), headers, runtime, .. } = self else { return };
        let mut saved = Ok(());
        runtime.blocking(&mut || saved = file.save(headers));
        if let Err(error) = saved {
            tracing::warn!(%error, "headers are not kept on the disk any more");
            self.header_file = None;
        }
    }
}
