//! A substream whose bytes are counted, and wait their turn where rates are limited.

use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{AsyncRead, AsyncWrite};
use libp2p::StreamProtocol;

use super::SharedMeter;
use super::opening::Opening;
use super::throttle::Gate;

/// A substream whose bytes are counted, and wait their turn.
#[derive(Debug)]
pub(in crate::transport) struct Substream<S> {
    inner: S,
    meter: SharedMeter,
    /// None: nothing is limited.
    gate: Option<Gate>,
    opening: Opening<StreamProtocol>,
}

impl<S> Substream<S> {
    pub(super) fn new(inner: S, meter: SharedMeter, gate: Option<Gate>, opening: Opening<StreamProtocol>) -> Self {
        Self { inner, meter, gate, opening }
    }

    /// Notes what was read into these buffers, one after the other.
    fn note_read<'a>(&mut self, read: &Poll<io::Result<usize>>, buffers: impl IntoIterator<Item = &'a [u8]>) {
        if let Poll::Ready(Ok(bytes)) = read {
            self.meter.received(*bytes);
            let mut left = *bytes;
            let mut is_use = false;
            for buffer in buffers {
                let filled = &buffer[..left.min(buffer.len())];
                left -= filled.len();
                is_use |= self.opening.is_use(filled);
            }
            if is_use {
                self.meter.used();
            }
            if let Some(gate) = &mut self.gate {
                gate.read(*bytes);
            }
        }
    }

    fn note_written(&mut self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = written {
            self.meter.sent(*bytes);
            if let Some(gate) = &mut self.gate {
                gate.wrote(*bytes);
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Substream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let allowed = match &mut self.gate {
            Some(gate) => ready!(gate.poll_read(cx, buffer.len())),
            None => buffer.len(),
        };
        let read = Pin::new(&mut self.inner).poll_read(cx, &mut buffer[..allowed]);
        self.note_read(&read, [&*buffer]);
        read
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.gate.is_some() {
            let first = buffers.iter_mut().find(|buffer| !buffer.is_empty());
            return self.poll_read(cx, first.map_or(&mut [][..], |buffer| &mut **buffer));
        }
        let read = Pin::new(&mut self.inner).poll_read_vectored(cx, buffers);
        self.note_read(&read, buffers.iter().map(|buffer| &**buffer));
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Substream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let allowed = match &mut self.gate {
            Some(gate) => ready!(gate.poll_write(cx, buffer.len())),
            None => buffer.len(),
        };
        let written = Pin::new(&mut self.inner).poll_write(cx, &buffer[..allowed]);
        self.note_written(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.gate.is_some() {
            let first = buffers.iter().find(|buffer| !buffer.is_empty());
            return self.poll_write(cx, first.map_or(&[][..], |buffer| &**buffer));
        }
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, buffers);
        self.note_written(&written);
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::io::Cursor;
    use futures::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::Instant;

    use super::*;
    use crate::config::{Bandwidth, DayRate, Direction, RateSpan};
    use crate::transport::metered::{Meters, Throttle};

    const RATE: u64 = 100 << 10;
    const HOUR: Duration = Duration::from_secs(3_600);

    fn counts(meter: &SharedMeter) -> (u64, u64) {
        let measured = meter.measure();
        (measured.sent, measured.received)
    }

    /// What carries and gives bytes without end.
    struct Endless;

    impl AsyncRead for Endless {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buffer.len()))
        }
    }

    impl AsyncWrite for Endless {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buffer.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Substreams of a node with these rates, each of its own connection, at eight in the morning.
    struct Throttled {
        meters: Meters,
        throttle: Throttle,
    }

    impl Throttled {
        fn new(bandwidth: &Bandwidth) -> Self {
            let started = Instant::now();
            let throttle = Throttle::new(started, bandwidth, move || HOUR * 8 + started.elapsed());
            Self { meters: Meters::new(started), throttle: throttle.unwrap() }
        }

        fn stream(&self) -> (Substream<Endless>, SharedMeter) {
            let meter = self.meters.test_meter();
            (
                Substream::new(Endless, meter.clone(), Some(Gate::new(self.throttle.connection())), Opening::new(&[])),
                meter,
            )
        }
    }

    fn limited(node: Option<u64>, connection: Option<u64>) -> Direction {
        let rate = |rate: Option<u64>| rate.map_or_else(DayRate::default, |rate| DayRate::always(rate).unwrap());
        Direction { node: rate(node), connection: rate(connection) }
    }

    async fn write_for(stream: &mut Substream<Endless>, time: Duration) {
        let data = vec![7; 1 << 20];
        let _ = tokio::time::timeout(time, async {
            loop {
                stream.write_all(&data).await.unwrap();
            }
        })
        .await;
    }

    async fn read_for(stream: &mut Substream<Endless>, time: Duration) {
        let mut data = vec![7; 1 << 20];
        let _ = tokio::time::timeout(time, async {
            loop {
                stream.read_exact(&mut data).await.unwrap();
            }
        })
        .await;
    }

    /// Within five hundredths of the rate.
    fn is_near(bytes: u64, time: Duration, rate: u64) -> bool {
        let expected = rate * time.as_secs();
        bytes.abs_diff(expected) * 20 <= expected
    }

    #[tokio::test(start_paused = true)]
    async fn every_byte_is_counted_once_and_the_end_is_none() {
        let meter = Meters::new(Instant::now()).test_meter();
        let mut stream = Substream::new(Cursor::new(b"0123456789".to_vec()), meter.clone(), None, Opening::new(&[]));
        let mut read = Vec::new();
        stream.read_to_end(&mut read).await.unwrap();
        assert_eq!((read.len(), counts(&meter)), (10, (0, 10)));
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
        stream.write_all(&[7; 1_000]).await.unwrap();
        stream.flush().await.unwrap();
        stream.close().await.unwrap();
        assert_eq!(counts(&meter), (1_000, 10));
    }

    #[tokio::test(start_paused = true)]
    async fn vectored_bytes_are_counted_as_well() {
        let meter = Meters::new(Instant::now()).test_meter();
        let mut stream = Substream::new(Cursor::new(vec![1; 100]), meter.clone(), None, Opening::new(&[]));
        let (mut left, mut right) = ([0; 30], [0; 30]);
        let mut buffers = [IoSliceMut::new(&mut left), IoSliceMut::new(&mut right)];
        let read = stream.read_vectored(&mut buffers).await.unwrap();
        let written = stream.write_vectored(&[IoSlice::new(&[2; 5]), IoSlice::new(&[3; 6])]).await.unwrap();
        assert_eq!(counts(&meter), (written as u64, read as u64));
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_connection_sends_and_receives_keeps_to_its_rates() {
        let bandwidth = Bandwidth { sending: limited(None, Some(RATE)), receiving: limited(None, Some(RATE * 3)) };
        let throttled = Throttled::new(&bandwidth);
        let (mut stream, meter) = throttled.stream();
        let time = Duration::from_secs(60);
        write_for(&mut stream, time).await;
        read_for(&mut stream, time).await;
        let (sent, received) = counts(&meter);
        assert!(is_near(sent, time, RATE), "sent {sent}");
        assert!(is_near(received, time, RATE * 3), "received {received}");
    }

    #[tokio::test(start_paused = true)]
    async fn connections_share_the_rate_of_the_node_evenly() {
        let throttled = Throttled::new(&Bandwidth { sending: limited(Some(RATE), None), ..Bandwidth::default() });
        let ((mut one, first), (mut other, second)) = (throttled.stream(), throttled.stream());
        let time = Duration::from_secs(60);
        tokio::join!(write_for(&mut one, time), write_for(&mut other, time));
        let (first, second) = (counts(&first).0, counts(&second).0);
        assert!(is_near(first + second, time, RATE), "sent {first} and {second}");
        assert!(is_near(first, time, RATE / 2), "sent {first} and {second}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_ping_waits_for_one_slice_of_a_long_message_only() {
        let throttled = Throttled::new(&Bandwidth { sending: limited(None, Some(RATE)), ..Bandwidth::default() });
        let meter = throttled.meters.test_meter();
        let connection = throttled.throttle.connection();
        let [mut long, mut ping] = [(); 2]
            .map(|()| Substream::new(Endless, meter.clone(), Some(Gate::new(connection.clone())), Opening::new(&[])));
        let pings = async {
            let mut longest = Duration::ZERO;
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_millis(1_700)).await;
                let begun = Instant::now();
                ping.write_all(&[7; 32]).await.unwrap();
                longest = longest.max(begun.elapsed());
            }
            longest
        };
        let (longest, ()) = tokio::join!(pings, write_for(&mut long, Duration::from_secs(60)));
        assert!(longest <= Duration::from_millis(120), "{longest:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_follows_the_time_of_day() {
        // It is eight o'clock.
        let spans = vec![
            RateSpan { from: 8 * 60, to: 8 * 60 + 1, rate: RATE },
            RateSpan { from: 8 * 60 + 1, to: 9 * 60, rate: RATE * 4 },
        ];
        let connection = DayRate::new(spans).unwrap();
        let sending = Direction { connection, node: DayRate::default() };
        let throttled = Throttled::new(&Bandwidth { sending, ..Bandwidth::default() });
        let (mut stream, meter) = throttled.stream();
        let minute = Duration::from_secs(60);
        write_for(&mut stream, minute).await;
        let first = counts(&meter).0;
        assert!(is_near(first, minute, RATE), "sent {first}");
        write_for(&mut stream, minute).await;
        let second = counts(&meter).0 - first;
        assert!(is_near(second, minute, RATE * 4), "sent {second}");
    }

    #[test]
    fn without_a_rate_nothing_is_throttled() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let _inside = runtime.enter();
        assert!(Throttle::new(Instant::now(), &Bandwidth::default(), Duration::default).is_none());
    }
}
