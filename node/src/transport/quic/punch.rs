//! The listening side of a hole punch over QUIC (DCUtR specification, "Sync": the listener sends random bytes).
//!
//! Packets of random content towards the peer's address open this side's NAT for the peer's Initial, which then arrives at the
//! listening socket like any other incoming connection and is handed to whoever waits for that address.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::limits::fixed::quic::{PUNCH, PUNCH_PAUSE_MS};
use crate::{Runtime, UdpSocket};

/// Bytes of a packet: enough that no router treats it as noise, too few to be taken for a QUIC packet by its size.
const LENGTH: usize = 64;

/// Sends packets until the time is up; the caller drops the future when the peer's connection arrives.
pub(super) async fn punch(socket: Arc<dyn UdpSocket>, remote: SocketAddr, runtime: Arc<dyn Runtime>) -> io::Error {
    let end = tokio::time::Instant::now() + PUNCH;
    while tokio::time::Instant::now() < end {
        let mut packet = [0; LENGTH];
        runtime.fill_random(&mut packet);
        // The first bit of a QUIC v1 packet's fixed bit is 1: clear it, so that the peer's endpoint discards the packet unread.
        packet[0] &= 0b1011_1111;
        match socket.try_send(&packet, remote) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return error,
            _ => {}
        }
        let pause = PUNCH_PAUSE_MS.0 + u64::from(packet[1]) * (PUNCH_PAUSE_MS.1 - PUNCH_PAUSE_MS.0) / 255;
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    io::Error::new(io::ErrorKind::TimedOut, format!("no connection from {remote} within {PUNCH:?} of hole punching"))
}
