//! The tip: which chain has the most work, and what it costs to be in its next blocks.

use bitcoin::FeeRate;
use bitcoin::block::Header;
use darkswap_wallet::bdk_chain::BlockId;
use electrum_streaming_client::request::{EstimateFee, Headers as HeadersRequest, HeadersSubscribe};
use electrum_streaming_client::response::HeadersSubscribeResp;

use super::ChainEvent;
use super::connection::Connection;
use super::desk::{Desk, Link};
use super::headers::{HeaderFault, Offer};
use super::misbehaviour::{Misbehaviour, Trouble};

/// Headers asked for at once: a period of difficulty, which every server gives.
const CHUNK: u32 = 2_016;

/// How long a branch may be before it has to have more work than what is known. Four periods of difficulty.
const MAX_BRANCH: usize = 4 * 2_016;

/// How far a server may be behind: blocks do not reach all servers at once.
const LAG_ALLOWED: u32 = 1;

/// How far the first step back from a tip that does not fit goes; each further one is four times as far.
const STEP: u32 = 8;

impl Desk {
    /// Asks the server for its tip, and follows it there.
    pub(super) async fn refresh(&mut self, link: &Link) -> Result<(), Trouble> {
        let tip = link.connection.demand(HeadersSubscribe).await?;
        let followed = self.follow(link, &tip).await;
        self.keep_headers();
        followed
    }

    /// Takes the headers up to a server's tip, if its chain has the most work. A server whose chain has less is at fault, be
    /// it by bad luck.
    pub(super) async fn follow(&mut self, link: &Link, tip: &HeadersSubscribeResp) -> Result<(), Trouble> {
        let connection = &link.connection;
        let (height, hash) = (tip.height, tip.header.block_hash());
        let known = self.headers.tip();
        let lowest = known.map_or(self.headers.checkpoint().height, |known| known.height);
        if self.headers.block(height) == Some(BlockId { height, hash }) || height < self.headers.checkpoint().height {
            let allowed = height.saturating_add(LAG_ALLOWED) >= lowest;
            return if allowed { Ok(()) } else { Err(Misbehaviour::Lagging { found: height, known: lowest }.into()) };
        }
        self.anchor(connection).await?;
        let next = known.is_some_and(|known| known.hash == tip.header.prev_blockhash && known.height + 1 == height);
        let (mut start, mut branch) =
            if next { (height, vec![tip.header]) } else { self.meeting(connection, height).await? };
        loop {
            let offer =
                self.headers.offer(start, &branch).map_err(|(height, fault)| Misbehaviour::Header { height, fault })?;
            let after = start.saturating_add(u32::try_from(branch.len()).unwrap_or(u32::MAX));
            let weaker = offer == Offer::Weaker;
            if let (Offer::Reorganised { fork }, Some(from), Some(to)) = (offer, known, self.headers.tip()) {
                let server = self.servers.address(link.server).clone();
                self.report(ChainEvent::Reorganised { server, fork, from, to });
            }
            if weaker && (after > height || branch.len() >= MAX_BRANCH) {
                return Err(Misbehaviour::OtherChain { height, found: hash }.into());
            }
            if after > height {
                return Ok(());
            }
            let more = self.fetch_headers(connection, after, height).await?;
            if more.is_empty() {
                return Err(Trouble::Moved);
            }
            if weaker {
                branch.extend(more);
            } else {
                (start, branch) = (after, more);
            }
        }
    }

    /// The header at a height up to the tip. Those below the checkpoint are fetched, and have to lead to it.
    pub(super) async fn header(&mut self, connection: &Connection, height: u32) -> Result<Header, Trouble> {
        loop {
            if let Some(header) = self.headers.header(height) {
                return Ok(*header);
            }
            let base = self.headers.base();
            if height >= base {
                return Err(Trouble::Moved);
            }
            let start = base.saturating_sub(CHUNK);
            let older = self.fetch_headers(connection, start, base - 1).await?;
            if older.len() != (base - start) as usize || !self.headers.prepend(&older) {
                return Err(Misbehaviour::Header { height: start, fault: HeaderFault::Link }.into());
            }
            if start <= height {
                self.keep_headers();
            }
        }
    }

    /// Gets what has to be known to check the difficulty of what follows the checkpoint.
    async fn anchor(&mut self, connection: &Connection) -> Result<(), Trouble> {
        let (BlockId { height, hash: expected }, needed) = (self.headers.checkpoint(), self.headers.needed());
        if self.headers.base() <= needed {
            return Ok(());
        }
        if self.headers.tip().is_none() {
            let found = self.fetch_headers(connection, height, height).await?;
            let found = found.first().ok_or(Trouble::Moved)?;
            if !self.headers.meets(height, found) {
                return Err(Misbehaviour::Checkpoint { height, expected }.into());
            }
            self.headers.offer(height, &[*found]).map_err(|(height, fault)| Misbehaviour::Header { height, fault })?;
        }
        self.header(connection, needed).await.map(drop)
    }

    /// What a transaction should pay to confirm within a few blocks.
    pub(super) async fn fee_rate(&self, link: &Link) -> Result<FeeRate, Trouble> {
        let number = usize::from(self.settings.fee_target);
        // A server that cannot say says -1; one that refuses knows no better.
        let estimate = link.connection.ask(EstimateFee { number }).await?.ok().and_then(|estimate| estimate.fee_rate);
        let (lowest, highest) = self.settings.fee_rates;
        Ok(estimate.unwrap_or(lowest).min(highest).max(lowest))
    }

    /// Headers of a server that meet the known ones, with the height of the first.
    async fn meeting(&self, connection: &Connection, height: u32) -> Result<(u32, Vec<Header>), Trouble> {
        let BlockId { height: base, hash: expected } = self.headers.checkpoint();
        let mut start = self.headers.tip().map_or(base, |known| known.height.saturating_add(1).min(height));
        let mut step = STEP;
        loop {
            let branch = self.fetch_headers(connection, start, height).await?;
            let first = branch.first().ok_or(Trouble::Moved)?;
            if self.headers.meets(start, first) {
                return Ok((start, branch));
            }
            if start == base {
                return Err(Misbehaviour::Checkpoint { height: base, expected }.into());
            }
            start = start.saturating_sub(step).max(base);
            step = step.saturating_mul(4);
        }
    }

    /// Headers from one height to another, or fewer of them.
    async fn fetch_headers(&self, connection: &Connection, start: u32, last: u32) -> Result<Vec<Header>, Trouble> {
        let count = last.saturating_sub(start).saturating_add(1).min(CHUNK) as usize;
        let found = connection.demand(HeadersRequest { start_height: start, count }).await?.headers;
        if found.len() > count {
            let found = format!("{} headers, expected at most {count}", found.len());
            return Err(Misbehaviour::Answer { method: "blockchain.block.headers".into(), found }.into());
        }
        Ok(found)
    }
}
