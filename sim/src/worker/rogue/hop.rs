//! Requests for reservations and circuits, and what a rogue answers (circuit relay v2, "Hop protocol").

use std::io;
use std::time::Duration;

use darkswap_node::Runtime;
use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use libp2p::{Multiaddr, StreamProtocol, request_response};

/// The protocol between a client and its relay.
pub(super) const PROTOCOL: StreamProtocol = StreamProtocol::new("/libp2p/circuit/relay/0.2.0/hop");
/// Status codes.
pub(super) const RESERVATION_REFUSED: u8 = 200;
pub(super) const CONNECTION_FAILED: u8 = 203;
const OK: u8 = 100;
/// A message of three bytes that are no protobuf.
pub(super) const NONSENSE: [u8; 4] = [0x03, 0xff, 0xff, 0xff];
/// The longest request that is read; those of the protocol have some hundred bytes.
const LONGEST: usize = 4 << 10;
/// How long a granted reservation lasts.
const LIFE: Duration = Duration::from_secs(3_600);

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    Reserve,
    Connect,
}

/// Reads questions, writes what it is given.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Codec;

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Question;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Question>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut length = 0_usize;
        for shift in [0, 7] {
            let mut byte = [0];
            io.read_exact(&mut byte).await?;
            length |= usize::from(byte[0] & 0x7f) << shift;
            if byte[0] & 0x80 == 0 {
                break;
            }
        }
        let mut message = vec![0; length.min(LONGEST)];
        io.read_exact(&mut message).await?;
        // Field 1, the type: 0 asks for a reservation, 1 for a circuit.
        Ok(if message.starts_with(&[0x08, 1]) { Question::Connect } else { Question::Reserve })
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, _: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, _: &mut T, _: Question) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, answer: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&answer).await
    }
}

/// A message of the type status with this code.
pub(super) fn refused(status: u8) -> Vec<u8> {
    message(&[], status)
}

/// A granted reservation that can be used at this address.
pub(super) fn granted(runtime: &dyn Runtime, address: &Multiaddr) -> Vec<u8> {
    let now = runtime.wall_clock();
    let mut reservation = vec![0x08];
    varint(&mut reservation, (now + LIFE).as_secs());
    reservation.push(0x12);
    let address = address.to_vec();
    varint(&mut reservation, address.len() as u64);
    reservation.extend(address);
    message(&reservation, OK)
}

/// Field 1: the type, 2 for a status; field 3: a reservation; field 5: the code.
fn message(reservation: &[u8], status: u8) -> Vec<u8> {
    let mut fields = vec![0x08, 2];
    if !reservation.is_empty() {
        fields.push(0x1a);
        varint(&mut fields, reservation.len() as u64);
        fields.extend(reservation);
    }
    fields.push(0x28);
    varint(&mut fields, u64::from(status));
    let mut message = Vec::new();
    varint(&mut message, fields.len() as u64);
    message.extend(fields);
    message
}

fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}
