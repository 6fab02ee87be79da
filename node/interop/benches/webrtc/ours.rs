//! The node's own WebRTC over webrtc-direct: data channels of applications, and substreams as libp2p uses them.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use darkswap_node::transport::DataChannels;
use darkswap_node::transport::webrtc::data_channel::{ChannelOptions, DataChannel};
use darkswap_node::transport::webrtc::direct::Transport;
use darkswap_node::transport::webrtc::{Muxer, Substream};
use darkswap_node::{Runtime as _, TokioRuntime};
use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use libp2p::core::Endpoint;
use libp2p::core::muxing::StreamMuxerExt as _;
use libp2p::core::transport::{DialOpts, ListenerId, PortUse, Transport as _, TransportEvent};
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId};
use tokio::sync::mpsc;

use crate::stack::{MESSAGE, Stack};

/// Connections that were accepted and not asked for.
const QUEUE: usize = 16;

/// A listener and who dials it.
struct Direct {
    address: Multiaddr,
    dialler: Transport,
    accepted: mpsc::Receiver<(PeerId, Muxer)>,
}

impl Direct {
    async fn start() -> Result<Self> {
        let mut listener = Transport::new(&Keypair::generate_ed25519(), Arc::new(TokioRuntime), None)?;
        listener.listen_on(ListenerId::next(), "/ip4/127.0.0.1/udp/0/webrtc-direct".parse()?)?;
        let event = poll_fn(|cx| Pin::new(&mut listener).poll(cx)).await;
        let TransportEvent::NewAddress { listen_addr: address, .. } = event else {
            bail!("a listener says first where it listens");
        };
        let (sender, accepted) = mpsc::channel(QUEUE);
        let listening = async move {
            loop {
                let event = poll_fn(|cx| Pin::new(&mut listener).poll(cx)).await;
                let TransportEvent::Incoming { upgrade, .. } = event else { continue };
                let sender = sender.clone();
                let upgrading = async move {
                    if let Ok(connection) = upgrade.await {
                        let _ = sender.send(connection).await;
                    }
                };
                TokioRuntime.spawn("upgrade", Box::pin(upgrading));
            }
        };
        TokioRuntime.spawn("listener", Box::pin(listening));
        let dialler = Transport::new(&Keypair::generate_ed25519(), Arc::new(TokioRuntime), None)?;
        Ok(Self { address, dialler, accepted })
    }

    /// Both ends of a new connection, with who each of them sees.
    async fn connect(&mut self) -> Result<[(PeerId, Muxer); 2]> {
        let options = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
        let dialling = self.dialler.dial(self.address.clone(), options)?;
        let (dialled, accepted) = tokio::join!(dialling, self.accepted.recv());
        Ok([dialled?, accepted.context("the listener ended")?])
    }
}

/// Data channels with a label.
pub(crate) struct Channels(Direct);

/// Both ends of a connection with one channel.
pub(crate) struct ChannelPair {
    _muxers: [Muxer; 2],
    sender: Arc<DataChannel>,
    receiver: DataChannel,
}

impl Stack for Channels {
    const NAME: &'static str = "data channel";
    type Pair = ChannelPair;

    async fn start() -> Result<Self> {
        Ok(Self(Direct::start().await?))
    }

    async fn connect(&mut self) -> Result<ChannelPair> {
        let [(server, dialled), (client, accepted)] = self.0.connect().await?;
        let (ours, theirs) = (DataChannels::default(), DataChannels::default());
        ours.add(server, &dialled);
        theirs.add(client, &accepted);
        let sender = ours.open(server, ChannelOptions { label: "bench".to_owned(), ..ChannelOptions::default() })?;
        sender.send(Bytes::from_static(&[7; MESSAGE])).await?;
        let (_, receiver) = theirs.accept().await;
        receiver.receive().await.context("the channel ended")?;
        Ok(ChannelPair { _muxers: [dialled, accepted], sender: Arc::new(sender), receiver })
    }

    async fn transfer(pair: &mut ChannelPair, messages: usize) -> Result<()> {
        let sender = Arc::clone(&pair.sender);
        let sending = async move {
            for _ in 0..messages {
                if sender.send(Bytes::from(vec![7; MESSAGE])).await.is_err() {
                    return;
                }
            }
        };
        TokioRuntime.spawn("sender", Box::pin(sending));
        for _ in 0..messages {
            let message = pair.receiver.receive().await.context("the channel ended")?;
            ensure!(message.len() == MESSAGE, "found a message of {} bytes, expected {MESSAGE}", message.len());
        }
        Ok(())
    }

    async fn close(_pair: ChannelPair) -> Result<()> {
        Ok(())
    }
}

/// Substreams of the muxer.
pub(crate) struct Substreams(Direct);

/// Both ends of a connection with one substream.
pub(crate) struct SubstreamPair {
    _muxers: [Muxer; 2],
    /// `None` while a task sends.
    sender: Option<Substream>,
    receiver: Substream,
}

impl Stack for Substreams {
    const NAME: &'static str = "substream";
    type Pair = SubstreamPair;

    async fn start() -> Result<Self> {
        Ok(Self(Direct::start().await?))
    }

    async fn connect(&mut self) -> Result<SubstreamPair> {
        let [(_, mut dialled), (_, mut accepted)] = self.0.connect().await?;
        let mut sender = poll_fn(|cx| dialled.poll_outbound_unpin(cx)).await?;
        sender.write_all(&[7; MESSAGE]).await?;
        let mut receiver = poll_fn(|cx| accepted.poll_inbound_unpin(cx)).await?;
        receiver.read_exact(&mut [0; MESSAGE]).await?;
        Ok(SubstreamPair { _muxers: [dialled, accepted], sender: Some(sender), receiver })
    }

    async fn transfer(pair: &mut SubstreamPair, messages: usize) -> Result<()> {
        let mut sender = pair.sender.take().context("a transfer before was not finished")?;
        let (back, returned) = tokio::sync::oneshot::channel();
        let sending = async move {
            for _ in 0..messages {
                if sender.write_all(&[7; MESSAGE]).await.is_err() {
                    return;
                }
            }
            let _ = back.send(sender);
        };
        TokioRuntime.spawn("sender", Box::pin(sending));
        let mut buffer = [0; MESSAGE];
        for _ in 0..messages {
            pair.receiver.read_exact(&mut buffer).await?;
        }
        pair.sender = Some(returned.await.context("the substream ended")?);
        Ok(())
    }

    async fn close(_pair: SubstreamPair) -> Result<()> {
        Ok(())
    }
}
