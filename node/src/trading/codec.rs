//! The protocols of traders on a libp2p stream: a request and an answer, each four bytes of length (big endian) and as many bytes.

use std::io;

use bytes::Bytes;
use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use libp2p::{StreamProtocol, request_response};
use thiserror::Error;

/// A step of reconciliation, and the answer to it.
pub(crate) const SYNC: StreamProtocol = StreamProtocol::new("/darkswap/orders/sync/1");
/// A message of a swap, and [`TAKEN`].
pub(crate) const TRADE: StreamProtocol = StreamProtocol::new("/darkswap/trade/1");
/// The answer to a message of a swap that was taken. What comes of it is said by another message.
pub(crate) const TAKEN: &[u8] = &[1];

/// Bytes of the length.
const LENGTH: usize = 4;

/// Why a peer's bytes are not a request.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Refused {
    /// Longer than such a request can be.
    #[error("found {found} bytes, expected at most {limit}")]
    Oversized {
        /// The announced length.
        found: usize,
        /// The most there can be.
        limit: usize,
    },
    /// The stream ended before the request did.
    #[error("the request ended early")]
    Truncated,
}

/// Reads and writes requests and answers of at most so many bytes.
///
/// A refused request is a request like any other: of those that cannot be read the behaviour tells nobody.
#[derive(Debug, Clone)]
pub(crate) struct Codec {
    request: usize,
    answer: usize,
}

impl Codec {
    pub(crate) fn new(request: usize, answer: usize) -> Self {
        Self { request, answer }
    }
}

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Result<Bytes, Refused>;
    type Response = Bytes;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Self::Request>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io, self.request).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Bytes>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io, self.answer).await?.map_err(|refused| match refused {
            Refused::Oversized { .. } => io::Error::new(io::ErrorKind::InvalidData, refused),
            Refused::Truncated => io::ErrorKind::UnexpectedEof.into(),
        })
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, request: Self::Request) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        let bytes = request.map_err(|refused| io::Error::new(io::ErrorKind::InvalidInput, refused))?;
        write(io, &bytes).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, answer: Bytes) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &answer).await
    }
}

/// Memory is taken as bytes arrive, not as they are announced.
async fn read<T>(io: &mut T, limit: usize) -> io::Result<Result<Bytes, Refused>>
where
    T: AsyncRead + Unpin + Send,
{
    let mut length = [0; LENGTH];
    match io.read_exact(&mut length).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Err(Refused::Truncated)),
        read => read?,
    }
    let found = u32::from_be_bytes(length);
    let length = usize::try_from(found).unwrap_or(usize::MAX);
    if length > limit {
        return Ok(Err(Refused::Oversized { found: length, limit }));
    }
    let mut bytes = Vec::new();
    io.take(u64::from(found)).read_to_end(&mut bytes).await?;
    Ok(if bytes.len() == length { Ok(bytes.into()) } else { Err(Refused::Truncated) })
}

async fn write<T>(io: &mut T, bytes: &[u8]) -> io::Result<()>
where
    T: AsyncWrite + Unpin + Send,
{
    let length = u32::try_from(bytes.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    io.write_all(&length.to_be_bytes()).await?;
    io.write_all(bytes).await
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use futures::io::Cursor;
    use libp2p::request_response::Codec as _;
    use proptest::prelude::*;

    use super::*;

    const LIMIT: usize = 1_000;

    fn read_request(bytes: &[u8]) -> Result<Bytes, Refused> {
        block_on(Codec::new(LIMIT, 1).read_request(&SYNC, &mut Cursor::new(bytes))).unwrap()
    }

    #[test]
    fn a_request_reads_back_and_every_truncation_is_refused() {
        let mut bytes = Cursor::new(Vec::new());
        block_on(Codec::new(LIMIT, 1).write_request(&SYNC, &mut bytes, Ok(Bytes::from_static(b"hello")))).unwrap();
        let bytes = bytes.into_inner();
        assert_eq!(read_request(&bytes), Ok(Bytes::from_static(b"hello")));
        for end in 0..bytes.len() {
            assert_eq!(read_request(&bytes[..end]), Err(Refused::Truncated));
        }
    }

    #[test]
    fn an_announced_length_beyond_the_limit_is_refused_before_it_is_read() {
        let refused = read_request(&[0xff; 8]);
        assert_eq!(refused, Err(Refused::Oversized { found: 0xffff_ffff, limit: LIMIT }));
        let answer = block_on(Codec::new(LIMIT, 1).read_response(&SYNC, &mut Cursor::new([0, 0, 0, 2, 1, 1])));
        assert_eq!(answer.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn hostile_bytes_are_refused_without_a_panic(bytes: Vec<u8>) {
            if let Ok(request) = read_request(&bytes) {
                prop_assert!(request.len() <= LIMIT);
            }
        }
    }
}
