//! SCTP packets of a lying peer: what an input cannot know (checksum, tag, where the TSNs stand) is filled in.

const COMMON_HEADER: usize = 12;
const DATA: u8 = 0;
const INIT: u8 = 1;
const INIT_ACK: u8 = 2;
const SACK: u8 = 3;
const RECONFIG: u8 = 130;
const FORWARD_TSN: u8 = 192;

/// What the peer's honest packets told.
#[derive(Default)]
pub struct Liar {
    header: [u8; 8],
    /// The TSN of its next new data.
    next: u32,
    /// Its next request for a reset, as far as is known.
    request: u32,
    /// The last TSN that the other end sent.
    heard: u32,
}

impl Liar {
    /// A packet of the peer's own.
    pub fn note_own(&mut self, packet: &[u8]) {
        let Some((kind, body)) = first_chunk(packet) else { return };
        if kind != INIT {
            self.header.copy_from_slice(&packet[..8]);
        }
        match kind {
            INIT | INIT_ACK => (self.next, self.request) = (u32_at(body, 12), u32_at(body, 12)),
            DATA => self.next = u32_at(body, 0).wrapping_add(1),
            RECONFIG => self.request = u32_at(body, 4).wrapping_add(1),
            _ => {}
        }
    }

    /// A packet that the peer got.
    pub fn note_heard(&mut self, packet: &[u8]) {
        match first_chunk(packet) {
            Some((DATA, body)) => self.heard = u32_at(body, 0),
            Some((INIT | INIT_ACK, body)) => self.heard = u32_at(body, 12).wrapping_sub(1),
            _ => {}
        }
    }

    /// These bytes as chunks.
    pub fn packet(&self, chunks: &[u8]) -> Vec<u8> {
        let mut packet = self.header.to_vec();
        packet.extend([0; 4]);
        packet.extend(chunks);
        seal(&mut packet);
        packet
    }

    /// Data: stream, flags, payload protocol, how far the TSN is off, then the message.
    pub fn data(&mut self, bytes: &[u8]) -> Vec<u8> {
        let ([stream, flags, protocol, off], message) = bytes.split_first_chunk().unwrap_or((&[0, 3, 53, 0], bytes));
        let tsn = moved(self.next, *off);
        if *off == 0 {
            self.next = self.next.wrapping_add(1);
        }
        let mut body = tsn.to_be_bytes().to_vec();
        // The uppermost stream, too.
        body.extend(if *stream == 255 { [255, 255] } else { [0, *stream] });
        body.extend([0, flags >> 4, 0, 0, 0, *protocol]);
        body.extend(message);
        self.packet(&chunk(DATA, flags & 15, &body))
    }

    /// An acknowledgement: how far it is off, its window's upper byte, then gaps of two bytes, then duplicates.
    pub fn sack(&self, bytes: &[u8]) -> Vec<u8> {
        let mut body = moved(self.heard, super::byte(bytes, 0)).to_be_bytes().to_vec();
        body.extend([0, super::byte(bytes, 1), 0, 0]);
        let gaps = bytes.get(2..).unwrap_or_default().chunks_exact(2);
        body.extend(u16::try_from(gaps.len()).unwrap_or(0).to_be_bytes());
        body.extend([0, 0]);
        gaps.for_each(|gap| body.extend([0, gap[0], 0, gap[1]]));
        self.packet(&chunk(SACK, 0, &body))
    }

    /// The peer gives up: how far, 256 times, then streams with the number of the last message.
    pub fn forward_tsn(&mut self, bytes: &[u8]) -> Vec<u8> {
        let far = u32::from(super::byte(bytes, 0)) + (u32::from(super::byte(bytes, 1)) << 8);
        self.next = self.next.wrapping_add(far);
        let mut body = self.next.wrapping_sub(1).to_be_bytes().to_vec();
        let streams = bytes.get(2..).unwrap_or_default().chunks_exact(2);
        streams.for_each(|skipped| body.extend([0, skipped[0], 0, skipped[1]]));
        self.packet(&chunk(FORWARD_TSN, 0, &body))
    }

    /// A request for a reset: how far its number is off, how far its last TSN is off, then the streams.
    pub fn reset(&mut self, bytes: &[u8]) -> Vec<u8> {
        let (off, last) = (super::byte(bytes, 0), super::byte(bytes, 1));
        let mut value = moved(self.request, off).to_be_bytes().to_vec();
        if off == 0 {
            self.request = self.request.wrapping_add(1);
        }
        value.extend([0; 4]);
        value.extend(moved(self.next.wrapping_sub(1), last).to_be_bytes());
        bytes.get(2..).unwrap_or_default().iter().for_each(|stream| value.extend([0, *stream]));
        self.packet(&chunk(RECONFIG, 0, &parameter(13, &value)))
    }
}

/// A chunk or parameter with its length, padded.
fn chunk(kind: u8, flags: u8, body: &[u8]) -> Vec<u8> {
    framed([kind, flags], body)
}

fn parameter(kind: u16, value: &[u8]) -> Vec<u8> {
    framed(kind.to_be_bytes(), value)
}

fn framed(kind: [u8; 2], body: &[u8]) -> Vec<u8> {
    let mut bytes = kind.to_vec();
    bytes.extend(u16::try_from(body.len() + 4).unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// Writes the checksum, if there is room for one.
pub fn seal(packet: &mut [u8]) {
    if packet.len() >= COMMON_HEADER {
        packet[8..12].fill(0);
        let checksum = crc32c::crc32c(packet);
        packet[8..12].copy_from_slice(&checksum.to_le_bytes());
    }
}

fn first_chunk(packet: &[u8]) -> Option<(u8, &[u8])> {
    Some((*packet.get(COMMON_HEADER)?, packet.get(COMMON_HEADER + 4..)?))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |bytes| bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

/// A little ahead or, as a signed byte, behind.
fn moved(number: u32, off: u8) -> u32 {
    number.wrapping_add_signed(i32::from(off.cast_signed()))
}
