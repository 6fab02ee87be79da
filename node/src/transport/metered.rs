//! Counts what every connection carries, whatever its transport, and slows it down to what is configured.
//!
//! | part | noun |
//! |---|---|
//! | [`Meters`] | the meters of open connections, until the node's loop claims them |
//! | [`SharedMeter`] | what was measured of one connection |
//! | [`Metered`] | a connection whose substreams are counted and wait their turn |
//! | [`Throttle`] | the rates of the node |
//! | [`Opening`] | what the first bytes of a substream say: whether it is a probe's |
//!
//! Counted are the bytes of substreams: what protocols read and write, with their own framing, without that of yamux, noise, TLS and
//! QUIC. So the two ends of a connection count the same, and a relay counts what it passes on once on each of its two connections.
//! Data channels with a label are not substreams and are not counted.
//!
//! A connection is *inactive* while nothing is received on it but on substreams of probes, and what opens substreams.

mod opening;
mod registry;
mod substream;
mod throttle;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use libp2p::core::muxing::{StreamMuxer, StreamMuxerBox, StreamMuxerEvent, SubstreamBox};
use libp2p::core::transport::Boxed;

use libp2p::{PeerId, StreamProtocol, Transport as _};
use opening::Opening;
pub(crate) use registry::{Meters, SharedMeter};
use substream::Substream;
pub(crate) use throttle::Throttle;
use throttle::{Connection, Gate};

/// The same transport with its connections counted by `meters` and kept to the rates of `throttle`. Of `probes`, no use is counted.
pub(crate) fn transport(
    inner: Boxed<(PeerId, StreamMuxerBox)>,
    meters: Meters,
    throttle: Option<Throttle>,
    probes: &'static [StreamProtocol],
) -> Boxed<(PeerId, StreamMuxerBox)> {
    let metered = move |(peer, muxer), point| {
        (peer, StreamMuxerBox::new(Metered::new(muxer, meters.register(peer, point), throttle.as_ref(), probes)))
    };
    inner.map(metered).boxed()
}

/// A connection whose substreams are counted and wait their turn.
#[derive(Debug)]
struct Metered {
    inner: StreamMuxerBox,
    meter: SharedMeter,
    /// None: nothing is limited.
    rates: Option<Connection>,
    probes: &'static [StreamProtocol],
}

impl Metered {
    fn new(
        inner: StreamMuxerBox,
        meter: SharedMeter,
        throttle: Option<&Throttle>,
        probes: &'static [StreamProtocol],
    ) -> Self {
        Self { inner, meter, rates: throttle.map(Throttle::connection), probes }
    }

    fn substream(&self, inner: SubstreamBox) -> Substream<SubstreamBox> {
        Substream::new(inner, self.meter.clone(), self.rates.clone().map(Gate::new), Opening::new(self.probes))
    }
}

impl StreamMuxer for Metered {
    type Substream = Substream<SubstreamBox>;
    type Error = io::Error;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Self::Substream>> {
        Pin::new(&mut self.inner).poll_inbound(cx).map_ok(|stream| self.substream(stream))
    }

    fn poll_outbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Self::Substream>> {
        Pin::new(&mut self.inner).poll_outbound(cx).map_ok(|stream| self.substream(stream))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        Pin::new(&mut self.inner).poll(cx)
    }
}
