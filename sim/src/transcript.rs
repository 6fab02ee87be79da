//! A run as text: one line per delivered packet, with the trace hash so far, so that comparing two files with `diff` shows the first
//! packet in which two runs differ.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use turmoil_net::{Packet, Transport};

use crate::trace::TraceHash;

/// A transcript while it grows.
pub(crate) struct Transcript {
    file: Box<dyn Write + Send>,
}

impl Transcript {
    /// Starts a transcript in `file`, which should be buffered.
    pub(crate) fn new(file: Box<dyn Write + Send>) -> Result<Self> {
        let mut transcript = Self { file };
        transcript.line("# seconds sender receiver protocol source destination payload-bytes trace-hash")?;
        Ok(transcript)
    }

    /// Writes down a packet that reached `receiver` at the simulated time `at`.
    pub(crate) fn delivered(
        &mut self,
        at: Duration,
        packet: &Packet,
        (sender, receiver): (&str, &str),
        hash: TraceHash,
    ) -> Result<()> {
        let (protocol, source, destination, length) = match &packet.payload {
            Transport::Udp(datagram) => ("udp", datagram.src_port, datagram.dst_port, datagram.payload.len()),
            Transport::Tcp(segment) => ("tcp", segment.src_port, segment.dst_port, segment.payload.len()),
        };
        let (source, destination) = (SocketAddr::new(packet.src, source), SocketAddr::new(packet.dst, destination));
        let (seconds, nanoseconds) = (at.as_secs(), at.subsec_nanos());
        self.line(&format!(
            "{seconds}.{nanoseconds:09} {sender} {receiver} {protocol} {source} {destination} {length} {hash}"
        ))
    }

    /// Writes out what is still buffered.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.file.flush().context("cannot write the transcript")
    }

    fn line(&mut self, line: &str) -> Result<()> {
        writeln!(self.file, "{line}").context("cannot write the transcript")
    }
}
