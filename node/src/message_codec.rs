//! The message protocol on a libp2p stream, for the request-response behaviour.

use std::io;

use bytes::Bytes;
use darkswap_core::message::MessageId;
use darkswap_core::wire::{Acknowledgement, Header, Malformed, REQUEST_HEADER, RESPONSE};
use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use libp2p::{StreamProtocol, request_response};
use thiserror::Error;

/// The protocol's name and version.
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol::new("/darkswap/message/1");

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: MessageId,
    pub(crate) payload: Bytes,
}

/// Why a peer's bytes are not a message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Refused {
    /// They break the format or a bound.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The stream ended before the message did.
    #[error("the message ended early")]
    Truncated,
}

/// Reads and writes messages of at most `limit` bytes.
///
/// A refused message is a request like any other: of requests that cannot be read the behaviour tells nobody.
#[derive(Debug, Clone)]
pub(crate) struct Codec {
    limit: usize,
}

impl Codec {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit }
    }
}

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Result<Message, Refused>;
    type Response = Acknowledgement;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Self::Request>
    where
        T: AsyncRead + Unpin + Send,
    {
        match read_message(io, self.limit).await {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Err(Refused::Truncated)),
            read => read,
        }
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Acknowledgement>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut bytes = [0; RESPONSE];
        io.read_exact(&mut bytes).await?;
        Acknowledgement::decode(&bytes).map_err(invalid)
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, message: Self::Request) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        let message = message.map_err(|refused| io::Error::new(io::ErrorKind::InvalidInput, refused))?;
        let header = Header { id: message.id, length: message.payload.len() };
        io.write_all(&header.encode()).await?;
        io.write_all(&message.payload).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, answer: Acknowledgement) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&answer.encode()).await
    }
}

/// A message. Memory grows with what arrives, not with what was announced.
async fn read_message<T>(io: &mut T, limit: usize) -> io::Result<Result<Message, Refused>>
where
    T: AsyncRead + Unpin + Send,
{
    let mut header = [0; REQUEST_HEADER];
    io.read_exact(&mut header).await?;
    let header = match Header::decode(&header, limit) {
        Ok(header) => header,
        Err(malformed) => return Ok(Err(malformed.into())),
    };
    let mut payload = Vec::new();
    io.take(header.length as u64).read_to_end(&mut payload).await?;
    if payload.len() < header.length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Ok(Message { id: header.id, payload: payload.into() }))
}

fn invalid(malformed: Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, malformed)
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use futures::executor::block_on;
    use futures::io::Cursor;
    use libp2p::request_response::Codec as _;
    use proptest::prelude::*;

    use super::*;

    const LIMIT: usize = 1_000;

    fn read(bytes: &[u8]) -> Result<Message, Refused> {
        block_on(Codec::new(LIMIT).read_request(&PROTOCOL, &mut Cursor::new(bytes))).unwrap()
    }

    #[test]
    fn a_truncated_message_is_refused() {
        let mut bytes = Cursor::new(Vec::new());
        let message = Message { id: MessageId { session: 1, sequence: 2 }, payload: Bytes::from_static(b"hello") };
        block_on(Codec::new(LIMIT).write_request(&PROTOCOL, &mut bytes, Ok(message.clone()))).unwrap();
        let bytes = bytes.into_inner();
        assert_eq!(read(&bytes), Ok(message));
        for end in 0..bytes.len() {
            assert_eq!(read(&bytes[..end]), Err(Refused::Truncated));
        }
    }

    /// Brings a header, and counts the room that it is given for the payload.
    struct Meter {
        header: Cursor<Vec<u8>>,
        room: usize,
    }

    impl AsyncRead for Meter {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
            let read = Pin::new(&mut self.header).poll_read(cx, buffer);
            if matches!(read, Poll::Ready(Ok(0))) {
                self.room = self.room.max(buffer.len());
            }
            read
        }
    }

    #[test]
    fn a_payload_that_was_announced_and_does_not_come_takes_no_memory() {
        let header = [&[1][..], &[0; 16], &(1_u32 << 20).to_be_bytes()].concat();
        let mut meter = Meter { header: Cursor::new(header), room: 0 };
        let refused = block_on(Codec::new(1 << 20).read_request(&PROTOCOL, &mut meter)).unwrap();
        assert_eq!(refused, Err(Refused::Truncated));
        assert!(meter.room <= 8 << 10, "room for {} bytes", meter.room);
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn hostile_bytes_are_refused_without_a_panic_and_without_allocating_more_than_the_limit(bytes: Vec<u8>) {
            if let Ok(message) = read(&bytes) {
                prop_assert!(message.payload.len() <= LIMIT);
            }
        }
    }
}
