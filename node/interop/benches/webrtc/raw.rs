//! Two peers of the crate `webrtc` as it is published, with its own driver.
//!
//! With default settings it offers its peer a window of 1 MiB but leaves its sockets the system's buffers (Linux: 208 KiB): over
//! loopback they overflow, and each loss that is not noticed by later packets costs SCTP's shortest timeout, a second. So there is a
//! second variant with a window that fits: what the crate can do at its best.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use bytes::BytesMut;
use darkswap_node::{Runtime as _, TokioRuntime};
use tokio::sync::mpsc;
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceCandidateInit, RTCPeerConnectionIceEvent,
    SettingEngineBuilder,
};
use webrtc::runtime::default_runtime;

use crate::stack::{MESSAGE, Stack};

/// How much a channel may hold before a sender waits. Without a limit the crate takes whatever it is given.
const UNSENT: usize = 1024 * 1024;
/// Candidates and channels that a peer has not been asked for.
const QUEUE: usize = 64;

/// A window that fits into a socket's buffer, with all that the system counts besides the bytes.
const NARROW_WINDOW: u32 = 64 * 1024;

/// Two peers of the crate `webrtc`, with default settings or with a narrow window.
pub(crate) struct Raw<const NARROW: bool>;

/// A peer, and what it tells.
struct Peer {
    connection: Arc<dyn PeerConnection>,
    candidates: mpsc::Receiver<RTCIceCandidateInit>,
    channels: mpsc::Receiver<Arc<dyn DataChannel>>,
}

struct Teller {
    candidates: mpsc::Sender<RTCIceCandidateInit>,
    channels: mpsc::Sender<Arc<dyn DataChannel>>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Teller {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        if let Ok(candidate) = event.candidate.to_json() {
            let _ = self.candidates.try_send(candidate);
        }
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        let _ = self.channels.try_send(channel);
    }
}

impl Peer {
    async fn new(narrow: bool) -> Result<Self> {
        let mut settings = SettingEngineBuilder::new();
        if narrow {
            settings = settings.with_sctp_max_receive_buffer_size(NARROW_WINDOW);
        }
        let (candidates_in, candidates) = mpsc::channel(QUEUE);
        let (channels_in, channels) = mpsc::channel(QUEUE);
        let connection = PeerConnectionBuilder::new()
            .with_setting_engine(settings.build())
            .with_handler(Arc::new(Teller { candidates: candidates_in, channels: channels_in }))
            .with_runtime(default_runtime().context("the crate is built without a runtime")?)
            .with_udp_addrs(vec!["127.0.0.1:0".to_owned()])
            .with_data_channel_send_buffer_limit(UNSENT)
            .build()
            .await?;
        Ok(Self { connection: Arc::new(connection), candidates, channels })
    }
}

/// Both ends of a connection with one channel.
pub(crate) struct Pair {
    connections: [Arc<dyn PeerConnection>; 2],
    sender: Arc<dyn DataChannel>,
    receiver: Arc<dyn DataChannel>,
}

impl<const NARROW: bool> Stack for Raw<NARROW> {
    const NAME: &'static str = if NARROW { "crate webrtc, narrow" } else { "crate webrtc" };
    type Pair = Pair;

    async fn start() -> Result<Self> {
        Ok(Self)
    }

    async fn connect(&mut self) -> Result<Pair> {
        let (mut offerer, mut answerer) = (Peer::new(NARROW).await?, Peer::new(NARROW).await?);
        let sender = offerer.connection.create_data_channel("bench", None).await?;
        let offer = offerer.connection.create_offer(None).await?;
        offerer.connection.set_local_description(offer.clone()).await?;
        answerer.connection.set_remote_description(offer).await?;
        let answer = answerer.connection.create_answer(None).await?;
        answerer.connection.set_local_description(answer.clone()).await?;
        offerer.connection.set_remote_description(answer).await?;
        let receiver = tokio::select! {
            receiver = first_message(&sender, &mut answerer.channels) => receiver?,
            ended = trickle(&mut offerer.candidates, answerer.connection.as_ref()) => bail!("trickling ended: {ended:?}"),
            ended = trickle(&mut answerer.candidates, offerer.connection.as_ref()) => bail!("trickling ended: {ended:?}"),
        };
        Ok(Pair { connections: [offerer.connection, answerer.connection], sender, receiver })
    }

    async fn transfer(pair: &mut Pair, messages: usize) -> Result<()> {
        let sender = Arc::clone(&pair.sender);
        let sending = async move {
            let message = [7; MESSAGE];
            for _ in 0..messages {
                if sender.send(BytesMut::from(&message[..])).await.is_err() {
                    return;
                }
            }
        };
        TokioRuntime.spawn("sender", Box::pin(sending));
        for _ in 0..messages {
            receive(pair.receiver.as_ref()).await?;
        }
        Ok(())
    }

    async fn close(pair: Pair) -> Result<()> {
        for connection in pair.connections {
            connection.close().await?;
        }
        Ok(())
    }
}

/// Passes candidates on, for as long as the connection exists.
async fn trickle(from: &mut mpsc::Receiver<RTCIceCandidateInit>, to: &dyn PeerConnection) -> Result<()> {
    while let Some(candidate) = from.recv().await {
        // The last one says that there are no more.
        if !candidate.candidate.is_empty() {
            to.add_ice_candidate(candidate).await?;
        }
    }
    Ok(())
}

/// Sends a message as soon as the channel is open, and returns the other end when it has arrived.
async fn first_message(
    sender: &Arc<dyn DataChannel>,
    accepted: &mut mpsc::Receiver<Arc<dyn DataChannel>>,
) -> Result<Arc<dyn DataChannel>> {
    while !matches!(sender.poll().await.context("the channel ended")?, DataChannelEvent::OnOpen) {}
    sender.send(BytesMut::from(&[7; MESSAGE][..])).await?;
    let receiver = accepted.recv().await.context("the peer ended")?;
    receive(receiver.as_ref()).await?;
    Ok(receiver)
}

async fn receive(channel: &dyn DataChannel) -> Result<()> {
    while !matches!(channel.poll().await.context("the channel ended")?, DataChannelEvent::OnMessage(_)) {}
    Ok(())
}
