//! What a rogue says of its load, see [`darkswap_connectivity::relay::load_report`].

use std::io;

use darkswap_connectivity::relay::load_report::{LENGTH, LoadReport, Share};
use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use libp2p::{StreamProtocol, request_response};

/// The protocol in which relays tell their load.
pub(super) const PROTOCOL: StreamProtocol = StreamProtocol::new("/darkswap/relay/load/1");

/// Reads any question, writes what it is given.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Codec;

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = ();
    type Response = [u8; LENGTH];

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<()>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut bytes = [0; LENGTH];
        while io.read(&mut bytes).await? > 0 {}
        Ok(())
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, _: &mut T) -> io::Result<[u8; LENGTH]>
    where
        T: AsyncRead + Unpin + Send,
    {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, _: &mut T, (): ()) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, said: [u8; LENGTH]) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&said).await
    }
}

/// A report of this load, from 0.0 to 1.0, in every respect.
pub(super) fn bytes(load: f64) -> [u8; LENGTH] {
    let share = Share::of((load * 1_000.0).round() as u64, 1_000);
    LoadReport { reservations: share, circuits: share, bandwidth: share, drains_in: None }.encode()
}
