//! Packet capture of a run, in the pcapng format (draft-ietf-opsawg-pcapng).
//!
//! One interface of raw IP packets with nanosecond time stamps on the simulated calendar. Headers are made up from what the simulated
//! stack carries, with correct checksums. Each packet is recorded when it is delivered, as the receiving host sees it, with the names
//! of the two hosts as its comment: addresses alone say little behind a NAT.

use std::borrow::Cow;
use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use etherparse::{PacketBuilder, TcpHeader};
use pcap_file::DataLink;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use turmoil_net::{Packet, TcpSegment, Transport};

use crate::clock::WALL_CLOCK_EPOCH;

/// Time stamps count in powers of ten: 10^-9 s.
const NANOSECONDS: u8 = 9;
/// No packet is cut.
const UNLIMITED: u32 = 0;

/// A capture file while it grows.
pub(crate) struct Capture {
    writer: PcapNgWriter<Box<dyn Write + Send>>,
    frame: Vec<u8>,
}

impl Capture {
    /// Starts a capture in `file`, which should be buffered.
    pub(crate) fn new(file: Box<dyn Write + Send>) -> Result<Self> {
        let mut writer = PcapNgWriter::new(file).context("cannot write the packet capture")?;
        let interface = InterfaceDescriptionBlock {
            linktype: DataLink::RAW,
            snaplen: UNLIMITED,
            options: vec![
                InterfaceDescriptionOption::IfName(Cow::Borrowed("simulation")),
                InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
            ],
        };
        writer.write_pcapng_block(interface).context("cannot write the packet capture")?;
        Ok(Self { writer, frame: Vec::new() })
    }

    /// Records a packet that reached `receiver` at the simulated time `at`.
    pub(crate) fn delivered(&mut self, at: Duration, packet: &Packet, sender: &str, receiver: &str) -> Result<()> {
        self.frame.clear();
        encode(packet, &mut self.frame)?;
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: WALL_CLOCK_EPOCH + at,
            original_len: u32::try_from(self.frame.len())?,
            data: Cow::Borrowed(&self.frame),
            options: vec![EnhancedPacketOption::Comment(Cow::Owned(format!("{sender} -> {receiver}")))],
        };
        self.writer.write_pcapng_block(block).context("cannot write the packet capture")?;
        Ok(())
    }

    /// Writes out what is still buffered.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.writer.get_mut().flush().context("cannot write the packet capture")
    }
}

/// Appends the packet as it would look on a wire.
fn encode(packet: &Packet, frame: &mut Vec<u8>) -> Result<()> {
    let builder = match (packet.src, packet.dst) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            PacketBuilder::ipv4(source.octets(), destination.octets(), packet.ttl)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            PacketBuilder::ipv6(source.octets(), destination.octets(), packet.ttl)
        }
        (source, destination) => bail!("a packet from {source} to {destination} mixes address families"),
    };
    let encoded = match &packet.payload {
        Transport::Udp(datagram) => {
            builder.udp(datagram.src_port, datagram.dst_port).write_to_vec(frame, &datagram.payload)
        }
        Transport::Tcp(segment) => builder.tcp_header(tcp_header(segment)).write_to_vec(frame, &segment.payload),
    };
    encoded.context("a packet does not fit its headers")
}

fn tcp_header(segment: &TcpSegment) -> TcpHeader {
    let mut header = TcpHeader::new(segment.src_port, segment.dst_port, segment.seq, segment.window);
    header.acknowledgment_number = segment.ack;
    header.syn = segment.flags.syn;
    header.ack = segment.flags.ack;
    header.fin = segment.flags.fin;
    header.rst = segment.flags.rst;
    header.psh = segment.flags.psh;
    header.urg = segment.flags.urg;
    header
}
