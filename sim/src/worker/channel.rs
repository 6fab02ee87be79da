//! Data channels between hosts: the side that opens and sends, and the side that receives and confirms.
//!
//! A channel's label is its number in the ledger. The first byte of a message says what it is: data, or the question how many of them
//! arrived. The answer is the question followed by that number.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use darkswap_node::handle::{ChannelOptions, DataChannel, DataChannelError, Priority, Reliability};
use darkswap_node::{Handle, Runtime};
use darkswap_scenario::topology::{self, Channels};
use libp2p::PeerId;
use thiserror::Error;
use tokio::time::timeout;

use super::ledger::Ledger;
use super::observer::With as _;
use super::recorder::{Recorder, tags};
use crate::runtime::SimRuntime;

const DATA: u8 = 0;
const QUESTION: u8 = 1;
/// How long a channel may take from its opening to its confirmation.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long an answer is awaited before the question is asked again: a lossy channel may lose either.
const ANSWER: Duration = Duration::from_secs(2);
/// The pause before the question is asked again because messages are still missing: it may have overtaken them.
const PAUSE: Duration = Duration::from_millis(250);
/// After how many answers in a row with the same number no more messages are expected on a lossy channel: 4 s without any, which is
/// longer than a retransmission takes.
const SETTLED: u32 = 16;

/// Where channels are written down.
#[derive(Clone)]
pub(super) struct Books {
    pub(super) recorder: Recorder,
    pub(super) ledger: Ledger,
}

/// Why a channel was not confirmed.
#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Channel(#[from] DataChannelError),
    #[error("the channel ended before its receiver confirmed it")]
    Ended,
    #[error("found {arrived} messages at the receiver, expected {sent}")]
    Missing { arrived: u64, sent: u64 },
    #[error("not confirmed within {PATIENCE:?}")]
    TimedOut,
}

/// Takes every channel that a peer opens, until the node ends.
pub(super) async fn accept(handle: Handle, runtime: Arc<SimRuntime>, books: Books) {
    while let Ok(inbound) = handle.accept_channel().await {
        if let Ok(number) = inbound.channel.options().label.parse()
            && let Some((opened, names)) = books.ledger.channel(number)
        {
            let elapsed = books.recorder.now().saturating_sub(opened);
            books.recorder.time("channel_open_time", elapsed, names);
        }
        runtime.spawn("inbound channel", Box::pin(confirm(inbound.channel)));
    }
}

/// Counts data and answers questions, until the channel ends.
async fn confirm(channel: DataChannel) {
    let mut arrived = 0_u64;
    while let Some(message) = channel.receive().await {
        match message.first() {
            Some(&DATA) => arrived += 1,
            Some(&QUESTION) => {
                let answer = [&[QUESTION], arrived.to_be_bytes().as_slice()].concat();
                if channel.send(answer.into()).await.is_err() {
                    return;
                }
            }
            Some(_) | None => {}
        }
    }
}

/// A channel to be opened by one host to another.
pub(super) struct Outbound {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) peer: PeerId,
    pub(super) priority: topology::Priority,
    pub(super) channels: Channels,
}

impl Outbound {
    /// Opens the channel, sends over it, has it confirmed, and records what came of it.
    pub(super) async fn perform(self, handle: Handle, books: Books) {
        let names = tags([("from", &*self.from), ("to", &*self.to), ("priority", self.priority.name())]);
        let opened = books.recorder.now();
        let number = books.ledger.open_channel(opened, names.clone());
        let arrived = match timeout(PATIENCE, self.exchange(&handle, number)).await {
            Ok(arrived) => arrived,
            Err(_) => Err(Failure::TimedOut),
        };
        books.ledger.close_channel(number);
        match arrived {
            Ok(arrived) => {
                let elapsed = books.recorder.now().saturating_sub(opened);
                books.ledger.relays.carry(&self.from, arrived * self.channels.size);
                books.recorder.category("channel", "completed", names.clone());
                books.recorder.time("channel_time", elapsed, names.clone());
                books.recorder.value("channel_bytes", (arrived * self.channels.size) as f64, names.clone());
                let share = arrived as f64 / self.channels.messages as f64;
                books.recorder.value("channel_delivered", share, names);
            }
            Err(failure) => {
                books.recorder.category("channel", "failed", names.clone());
                let fields = names.with("number", &number.to_string()).with("error", &failure.to_string());
                books.recorder.event(&self.from, "channel_failed", fields);
            }
        }
    }

    /// Sends everything and answers with how many messages arrived.
    async fn exchange(&self, handle: &Handle, number: u64) -> Result<u64, Failure> {
        let channel = handle.open_channel(self.peer, self.options(number))?;
        let mut payload = vec![0; usize::try_from(self.channels.size).unwrap_or(usize::MAX)];
        payload[0] = DATA;
        let payload = Bytes::from(payload);
        for _ in 0..self.channels.messages {
            channel.send(payload.clone()).await?;
        }
        let sent = self.channels.messages;
        let (mut last, mut same) = (None, 0);
        loop {
            let arrived = self.ask(&channel).await?;
            if arrived == sent {
                return Ok(arrived);
            }
            same = if last == Some(arrived) { same + 1 } else { 0 };
            last = Some(arrived);
            let is_final = self.channels.ordered || same >= SETTLED;
            match self.channels.reliability {
                topology::Reliability::Reliable if self.channels.ordered => {
                    return Err(Failure::Missing { arrived, sent });
                }
                topology::Reliability::Retransmits(_) | topology::Reliability::Lifetime(_) if is_final => {
                    return Ok(arrived);
                }
                topology::Reliability::Reliable
                | topology::Reliability::Retransmits(_)
                | topology::Reliability::Lifetime(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Asks the receiver how many messages arrived, over a lossy channel until it answers.
    async fn ask(&self, channel: &DataChannel) -> Result<u64, Failure> {
        loop {
            channel.send(Bytes::from_static(&[QUESTION])).await?;
            let answer = match self.channels.reliability {
                topology::Reliability::Reliable => channel.receive().await,
                topology::Reliability::Retransmits(_) | topology::Reliability::Lifetime(_) => {
                    let Ok(answer) = timeout(ANSWER, channel.receive()).await else { continue };
                    answer
                }
            };
            let answer = answer.ok_or(Failure::Ended)?;
            if let [QUESTION, arrived @ ..] = answer.as_ref()
                && let Ok(arrived) = arrived.try_into()
            {
                return Ok(u64::from_be_bytes(arrived));
            }
        }
    }

    fn options(&self, number: u64) -> ChannelOptions {
        ChannelOptions {
            label: number.to_string(),
            ordered: self.channels.ordered,
            reliability: match self.channels.reliability {
                topology::Reliability::Reliable => Reliability::Reliable,
                topology::Reliability::Retransmits(count) => Reliability::Retransmits(count),
                topology::Reliability::Lifetime(lifetime) => Reliability::Lifetime(lifetime),
            },
            priority: match self.priority {
                topology::Priority::VeryLow => Priority::VeryLow,
                topology::Priority::Low => Priority::Low,
                topology::Priority::Medium => Priority::Medium,
                topology::Priority::High => Priority::High,
            },
            negotiated: None,
        }
    }
}
