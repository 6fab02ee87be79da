//! Circuits that are opened as they should be, and whose bytes do not arrive as they were sent (circuit relay v2).

use std::sync::Arc;

use darkswap_connectivity::relay::message::{HopMessage, Status, StopMessage};
use darkswap_node::Runtime as _;
use darkswap_scenario::topology::Hop;
use futures::channel::mpsc;
use futures::{AsyncReadExt as _, AsyncWriteExt as _, StreamExt as _};
use libp2p::swarm::Stream;
use libp2p::{Multiaddr, PeerId, StreamProtocol};

use super::{Counts, hop};
use crate::runtime::SimRuntime;
use crate::worker::line::{Line, relay_message};

const STOP: StreamProtocol = StreamProtocol::new("/libp2p/circuit/relay/0.2.0/stop");
/// Bytes of a circuit that are held in each direction.
const CHUNK: usize = 8 << 10;

/// What serves the streams of the hop protocol.
#[derive(Clone)]
pub(super) struct Carrier {
    pub(super) runtime: Arc<SimRuntime>,
    pub(super) line: Line,
    pub(super) address: Multiaddr,
    pub(super) hop: Hop,
    pub(super) counts: Counts,
}

impl Carrier {
    /// Serves each stream in a task of its own, until the host crashes.
    pub(super) async fn run(self, mut streams: mpsc::Receiver<(PeerId, Stream)>) {
        while let Some((peer, stream)) = streams.next().await {
            let carrier = self.clone();
            let serving = async move { carrier.serve(peer, stream).await.unwrap_or_default() };
            self.runtime.spawn("rogue's circuit", Box::pin(serving));
        }
    }

    async fn serve(self, from: PeerId, mut stream: Stream) -> Option<()> {
        let to = match HopMessage::decode(&relay_message(&mut stream).await?).ok()? {
            HopMessage::Reserve => {
                stream.write_all(&hop::granted(self.runtime.as_ref(), &self.address)).await.ok()?;
                return stream.close().await.ok();
            }
            HopMessage::Connect { peer } => PeerId::from_bytes(&peer).ok()?,
            HopMessage::Status { .. } => return None,
        };
        let Some(stop) = self.open(from, to).await else {
            stream.write_all(&hop::refused(hop::CONNECTION_FAILED)).await.ok()?;
            return stream.close().await.ok();
        };
        let opened = HopMessage::Status { status: Status::Ok, reservation: None, limit: None };
        stream.write_all(&opened.encode()).await.ok()?;
        stream.flush().await.ok()?;
        self.counts.count(self.hop.name());
        let ((one, other), (back, forth)) = (stream.split(), stop.split());
        futures::future::join(self.carry(one, forth), self.carry(back, other)).await;
        Some(())
    }

    /// Asks the destination to take the circuit.
    async fn open(&self, from: PeerId, to: PeerId) -> Option<Stream> {
        let mut stop = self.line.open(to, STOP).await?;
        stop.write_all(&StopMessage::Connect { peer: from.to_bytes(), limit: None }.encode()).await.ok()?;
        stop.flush().await.ok()?;
        let answer = StopMessage::decode(&relay_message(&mut stop).await?).ok()?;
        (answer == StopMessage::Status(Status::Ok)).then_some(stop)
    }

    async fn carry(
        &self,
        mut from: futures::io::ReadHalf<Stream>,
        mut to: futures::io::WriteHalf<Stream>,
    ) -> Option<()> {
        let mut chunk = vec![0; CHUNK];
        loop {
            let length = from.read(&mut chunk).await.ok()?;
            if length == 0 {
                return to.close().await.ok();
            }
            if self.hop == Hop::Swallow {
                continue;
            }
            // The last byte of a chunk is part of what is encrypted, as soon as anything is.
            chunk[length - 1] ^= 1;
            to.write_all(&chunk[..length]).await.ok()?;
            to.flush().await.ok()?;
        }
    }
}
