//! The sealed message protocol on a libp2p stream, for the request-response behaviour.
//!
//! What is sealed is opened by the node's loop; here bytes become requests and responses, within bounds.

use std::io;

use bytes::Bytes;
use darkswap_messages::wire::{self, Request, Response, WireError};
use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use libp2p::{StreamProtocol, request_response};
use thiserror::Error;

/// The protocol's name and version.
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol::new("/darkswap/message/2");

/// Why a peer's bytes are not a request.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Refused {
    /// They break the format or a bound.
    #[error(transparent)]
    Malformed(#[from] WireError),
    /// The stream ended before the request did.
    #[error("the request ended early")]
    Truncated,
}

/// Reads and writes requests and responses of at most `limit` bytes.
///
/// A refused request is a request like any other: of requests that cannot be read the behaviour tells nobody.
#[derive(Debug, Clone)]
pub(crate) struct Codec {
    limit: usize,
}

impl Codec {
    /// A codec for parcels whose messages have at most so many bytes together.
    pub(crate) fn new(messages: usize) -> Self {
        Self { limit: wire::longest(messages) }
    }
}

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Result<Request, Refused>;
    type Response = Response;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Self::Request>
    where
        T: AsyncRead + Unpin + Send,
    {
        Ok(match read_body(io, self.limit).await? {
            Ok(body) => Request::decode(&body).map_err(Refused::from),
            Err(refused) => Err(refused),
        })
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Response>
    where
        T: AsyncRead + Unpin + Send,
    {
        match read_body(io, self.limit).await? {
            Ok(body) => Response::decode(&body).map_err(invalid),
            // A peer that closes without a word may have refused, or be stopping.
            Err(Refused::Truncated) => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(refused) => Err(invalid(refused)),
        }
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, request: Self::Request) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        let request = request.map_err(|refused| io::Error::new(io::ErrorKind::InvalidInput, refused))?;
        io.write_all(&wire::framed(&request.encode())).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, response: Response) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&wire::framed(&response.encode())).await
    }
}

/// A body. Memory grows with what arrives, not with what was announced.
async fn read_body<T>(io: &mut T, limit: usize) -> io::Result<Result<Bytes, Refused>>
where
    T: AsyncRead + Unpin + Send,
{
    let mut length = [0; wire::LENGTH];
    match io.read_exact(&mut length).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Err(Refused::Truncated)),
        read => read?,
    }
    let length = match wire::body_length(length, limit) {
        Ok(length) => length,
        Err(malformed) => return Ok(Err(malformed.into())),
    };
    let mut body = Vec::new();
    io.take(length as u64).read_to_end(&mut body).await?;
    Ok(if body.len() == length { Ok(body.into()) } else { Err(Refused::Truncated) })
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use futures::io::Cursor;
    use libp2p::request_response::Codec as _;
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Result<Request, Refused> {
        block_on(Codec::new(1_000).read_request(&PROTOCOL, &mut Cursor::new(bytes))).unwrap()
    }

    #[test]
    fn a_truncated_request_is_refused() {
        let request = Request::Sealed(Bytes::from_static(b"hello"));
        let mut bytes = Cursor::new(Vec::new());
        block_on(Codec::new(1_000).write_request(&PROTOCOL, &mut bytes, Ok(request.clone()))).unwrap();
        let bytes = bytes.into_inner();
        assert_eq!(read(&bytes), Ok(request));
        for end in 0..bytes.len() {
            assert_eq!(read(&bytes[..end]), Err(Refused::Truncated));
        }
    }

    #[test]
    fn an_announced_length_beyond_the_limit_is_refused_unread() {
        assert!(matches!(read(&[255; 8]), Err(Refused::Malformed(WireError::Oversized { .. }))));
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn hostile_bytes_are_refused_without_a_panic(bytes: Vec<u8>) {
            let _ = read(&bytes);
            let _ = block_on(Codec::new(1_000).read_response(&PROTOCOL, &mut Cursor::new(&bytes)));
        }
    }
}
