//! One circuit: two streams, each copied to the other, as fast as the server allows.
//!
//! A direction holds one chunk at most and reads the next one when that is written: a slow reader slows its writer down. The end of one
//! direction is passed on, and the other one goes on. An error of either ends both.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;

use darkswap_connectivity::relay::server::{Circuit, Denied};
use futures::future::try_join;
use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::shared::Shared;
use crate::event::CircuitEnd;
use crate::limits::fixed::relay_server::CHUNK;

/// Carries a circuit to its end.
pub(super) async fn carry<A, B>(shared: Shared, circuit: Circuit, opener: A, other: B) -> CircuitEnd
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let (from_opener, to_opener) = opener.split();
    let (from_other, to_other) = other.split();
    let there = copy(&shared, circuit, from_opener, to_other);
    let back = copy(&shared, circuit, from_other, to_opener);
    match try_join(there, back).await {
        Ok(_) => CircuitEnd::Finished,
        Err(Broken::Denied(denied)) => CircuitEnd::Denied(denied),
        Err(Broken::Io(error)) => CircuitEnd::Broken(error.to_string()),
    }
}

/// Why a circuit did not end by itself.
enum Broken {
    Denied(Denied),
    Io(io::Error),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

async fn copy(
    shared: &Shared,
    circuit: Circuit,
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
) -> Result<(), Broken> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let length = read_or_flush(&mut from, &mut to, &mut buffer).await?;
        if length == 0 {
            return Ok(to.close().await?);
        }
        let mut left = &buffer[..length];
        while !left.is_empty() {
            let passed = shared.pass(circuit, left.len()).await.map_err(Broken::Denied)?;
            let (now, later) = left.split_at(passed);
            to.write_all(now).await?;
            left = later;
        }
    }
}

/// Reads; what was written is flushed while there is nothing to read.
async fn read_or_flush(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    buffer: &mut [u8],
) -> io::Result<usize> {
    poll_fn(|cx| match Pin::new(&mut *from).poll_read(cx, buffer) {
        Poll::Pending => match Pin::new(&mut *to).poll_flush(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        },
        read @ Poll::Ready(_) => read,
    })
    .await
}
