//! Packet captures.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use darkswap_node::Runtime;
use darkswap_sim::Simulation;
use darkswap_sim::clock::WALL_CLOCK_EPOCH;
use etherparse::SlicedPacket;
use pcap_file::pcapng::{Block, PcapNgReader};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{LATENCY, connection, host, on, setup};

/// A file in memory that the test keeps a handle to.
#[derive(Clone, Default)]
struct File(Arc<Mutex<Vec<u8>>>);

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(&mut *self.0.lock().unwrap(), bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_capture_has_every_delivered_packet_with_time_names_and_checksums() {
    let file = File::default();
    let outcome = Simulation::new(1).capture(file.clone()).run(setup, |world| async move {
        let (one, two) = (host(&world, "one"), host(&world, "two"));
        let socket = one.bind_udp(on(&one, 4_001)).unwrap();
        socket.try_send(b"datagram", on(&two, 4_001)).unwrap();
        let (mut client, mut server) = connection(&one, &two).await;
        client.write_all(&[1; 4_000]).await.unwrap();
        drop(client);
        server.read_to_end(&mut Vec::new()).await.unwrap();
    });
    let bytes = file.0.lock().unwrap().clone();

    let mut reader = PcapNgReader::new(bytes.as_slice()).unwrap();
    let mut packets = 0;
    let mut last = Duration::ZERO;
    while let Some(block) = reader.next_block() {
        let Block::EnhancedPacket(packet) = block.unwrap() else { continue };
        let comment = format!("{:?}", packet.options);
        assert!(comment.contains("one -> two") || comment.contains("two -> one"), "{comment}");
        assert!(packet.timestamp >= (WALL_CLOCK_EPOCH + LATENCY).max(last));
        last = packet.timestamp;
        let frame = SlicedPacket::from_ip(&packet.data).unwrap();
        match frame.transport.unwrap() {
            etherparse::TransportSlice::Tcp(_) | etherparse::TransportSlice::Udp(_) => packets += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(packets, outcome.unwrap().packets.delivered);
    assert!(packets >= 8, "{packets}");
}
