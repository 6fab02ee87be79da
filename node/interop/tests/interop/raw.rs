//! A connection of stock libp2p without a swarm on top: its streams are opened, written and left hanging by hand.

use std::future::{Ready, poll_fn, ready};
use std::iter;
use std::pin::Pin;
use std::task::{Context, Poll};

use darkswap_node::{Runtime as _, TokioRuntime};
use libp2p::core::Endpoint;
use libp2p::core::muxing::{StreamMuxer, StreamMuxerBox, StreamMuxerEvent, StreamMuxerExt as _, SubstreamBox};
use libp2p::core::transport::{Boxed, DialOpts, PortUse};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo, Version};
use libp2p::futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId, Transport as _, noise, relay};
use multistream_select::Negotiated;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::carrier;
use crate::common::PATIENCE;

/// An open connection.
#[derive(Clone)]
pub(crate) struct Raw {
    wanted: mpsc::Sender<oneshot::Sender<SubstreamBox>>,
    closed: watch::Receiver<bool>,
}

/// One stream of it, after its protocol was agreed on.
pub(crate) struct RawStream(Negotiated<SubstreamBox>);

impl Raw {
    pub(crate) async fn dial(address: &Multiaddr, identity: &Keypair) -> Self {
        let (circuits, _) = relay::client::new(identity.public().to_peer_id());
        Self::over(carrier::stock(identity, circuits), address).await
    }

    /// Dials `/ip4/../tcp/..` with a yamux that sends frames as large as the receiver's window, as js-libp2p does, and opens as
    /// many streams as it is asked to.
    pub(crate) async fn dial_without_restraint(address: &Multiaddr) -> Self {
        let transport = libp2p_tcp::tokio::Transport::new(libp2p_tcp::Config::default())
            .upgrade(Version::V1)
            .authenticate(noise::Config::new(&Keypair::generate_ed25519()).unwrap())
            .multiplex(Unrestrained)
            .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
            .boxed();
        Self::over(transport, address).await
    }

    async fn over(mut transport: Boxed<(PeerId, StreamMuxerBox)>, address: &Multiaddr) -> Self {
        let options = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
        let dial = transport.dial(address.clone(), options).unwrap();
        let (_, muxer) = timeout(PATIENCE, dial).await.expect("a connection in time").unwrap();
        let ((wanted, wishes), (closing, closed)) = (mpsc::channel(1), watch::channel(false));
        TokioRuntime.spawn(
            "raw connection",
            Box::pin(async move {
                drive(muxer, wishes).await;
                closing.send_replace(true);
                drop(transport);
            }),
        );
        Self { wanted, closed }
    }

    pub(crate) fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    pub(crate) async fn closed(&mut self) {
        let closed = self.closed.wait_for(|closed| *closed);
        timeout(PATIENCE, closed).await.expect("the end of the connection in time").unwrap();
    }

    pub(crate) async fn open(&self, protocol: &'static str) -> RawStream {
        let stream = timeout(PATIENCE, self.try_open(protocol)).await.expect("a stream in time");
        stream.expect("the peer takes the stream")
    }

    /// Opens a stream; `None` when the peer refuses it.
    pub(crate) async fn try_open(&self, protocol: &'static str) -> Option<RawStream> {
        let (answer, answered) = oneshot::channel();
        self.wanted.send(answer).await.ok()?;
        let stream = answered.await.ok()?;
        let (_, stream) =
            multistream_select::dialer_select_proto(stream, [protocol], multistream_select::Version::V1).await.ok()?;
        Some(RawStream(stream))
    }
}

impl RawStream {
    /// Sends bytes; a peer that has had enough may stop taking them.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let sent = async {
            self.0.write_all(bytes).await?;
            self.0.flush().await
        };
        let _ = timeout(PATIENCE, sent).await.expect("the bytes leave in time");
    }

    /// Says that nothing follows, and reads what comes until the peer ends the stream, in good order or not.
    pub(crate) async fn rest(mut self) -> Vec<u8> {
        let _ = timeout(PATIENCE, self.0.close()).await.expect("the end leaves in time");
        self.end().await
    }

    /// Reads what comes until the peer ends the stream, in good order or not.
    pub(crate) async fn end(mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut bytes)).await.expect("the end of the stream in time");
        bytes
    }
}

/// Keeps a connection going, opens what is wished for and refuses what the peer opens.
async fn drive(mut muxer: StreamMuxerBox, mut wishes: mpsc::Receiver<oneshot::Sender<SubstreamBox>>) {
    let mut wish = None;
    poll_fn(|cx| {
        loop {
            match muxer.poll_inbound_unpin(cx) {
                Poll::Ready(Ok(refused)) => drop(refused),
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        match muxer.poll_unpin(cx) {
            Poll::Ready(Err(_)) => return Poll::Ready(()),
            Poll::Ready(Ok(_)) | Poll::Pending => {}
        }
        loop {
            if wish.is_none() {
                match wishes.poll_recv(cx) {
                    Poll::Ready(Some(next)) => wish = Some(next),
                    Poll::Ready(None) | Poll::Pending => return Poll::Pending,
                }
            }
            match muxer.poll_outbound_unpin(cx) {
                Poll::Ready(Ok(stream)) => {
                    let _ = wish.take().expect("it was there or has just come").send(stream);
                }
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
}

/// yamux without the bounds that it sets itself: it never splits what it sends and opens as many streams as ours accepts.
#[derive(Clone)]
struct Unrestrained;

struct Yamux<C>(yamux::Connection<C>);

impl Unrestrained {
    fn muxer<C: AsyncRead + AsyncWrite + Unpin>(io: C, mode: yamux::Mode) -> Ready<Result<Yamux<C>, std::io::Error>> {
        let mut config = yamux::Config::default();
        config.set_split_send_size(usize::MAX).set_max_num_streams(4_093);
        ready(Ok(Yamux(yamux::Connection::new(io, config, mode))))
    }
}

impl UpgradeInfo for Unrestrained {
    type Info = &'static str;
    type InfoIter = iter::Once<&'static str>;

    fn protocol_info(&self) -> Self::InfoIter {
        iter::once("/yamux/1.0.0")
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> InboundConnectionUpgrade<C> for Unrestrained {
    type Output = Yamux<C>;
    type Error = std::io::Error;
    type Future = Ready<Result<Yamux<C>, std::io::Error>>;

    fn upgrade_inbound(self, io: C, _: &'static str) -> Self::Future {
        Self::muxer(io, yamux::Mode::Server)
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> OutboundConnectionUpgrade<C> for Unrestrained {
    type Output = Yamux<C>;
    type Error = std::io::Error;
    type Future = Ready<Result<Yamux<C>, std::io::Error>>;

    fn upgrade_outbound(self, io: C, _: &'static str) -> Self::Future {
        Self::muxer(io, yamux::Mode::Client)
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin + 'static> StreamMuxer for Yamux<C> {
    type Substream = yamux::Stream;
    type Error = yamux::ConnectionError;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<yamux::Stream, Self::Error>> {
        self.0.poll_next_inbound(cx).map(|stream| stream.unwrap_or(Err(yamux::ConnectionError::Closed)))
    }

    fn poll_outbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<yamux::Stream, Self::Error>> {
        self.0.poll_new_outbound(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_close(cx)
    }

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, Self::Error>> {
        // `poll_inbound` drives the connection.
        Poll::Pending
    }
}
