//! What SCTP packets are looked through for before and behind the stack (RFC 9260 section 3), to shield it and to know what it hides.

use std::collections::BTreeSet;

use bytes::{Bytes, BytesMut};

const COMMON_HEADER: usize = 12;
const CHUNK_HEADER: usize = 4;
const DATA_HEADER: usize = 16;

const DATA: u8 = 0;
const INIT: u8 = 1;
const INIT_ACK: u8 = 2;
const SACK: u8 = 3;
const HEARTBEAT: u8 = 4;
const ABORT: u8 = 6;
const SHUTDOWN: u8 = 7;
const SHUTDOWN_ACK: u8 = 8;
const ERROR: u8 = 9;
const COOKIE_ECHO: u8 = 10;
const COOKIE_ACK: u8 = 11;
const SHUTDOWN_COMPLETE: u8 = 14;
const RECONFIG: u8 = 130;
const FORWARD_TSN: u8 = 192;
/// A parameter of INIT without a value (RFC 3758 section 3.1), and one with numbers of 16 bits (RFC 4895 section 3.3).
const FORWARD_TSN_SUPPORTED: u16 = 0xC000;
const HMAC_ALGORITHMS: u16 = 0x8004;
/// The parameter of RECONFIG that asks for a reset of streams (RFC 6525 section 4.1).
const OUTGOING_RESET: u16 = 13;
/// The flags of DATA that say that a message begins and ends here, and that it may arrive in any order.
const WHOLE: u8 = 0b011;
const UNORDERED: u8 = 0b100;
/// Where DATA goes that is for nobody. No channel has this stream (RFC 8832 section 6).
pub(super) const SINK: u16 = u16::MAX;
/// The payload protocol of DCEP, and its opening (RFC 8832 section 8).
const DCEP: u32 = 50;
const OPEN: u8 = 3;

/// The parameter of RECONFIG that answers such a request (RFC 6525 section 4.4), and the answer that nothing has happened yet.
const RESPONSE: u16 = 16;
const IN_PROGRESS: u32 = 6;

/// How far ahead of what has arrived in order a peer may be: more than fits into any window.
const MAX_JUMP: u32 = 1 << 16;
/// How many requests for resets may wait for data; the peer repeats what is dropped.
const MAX_HELD: usize = 64;

/// A chunk and where it stands.
#[derive(Clone, Copy)]
struct Chunk<'a> {
    kind: u8,
    body: &'a [u8],
    /// With its header and its padding.
    bytes: &'a [u8],
}

fn chunks(packet: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    let mut rest = packet.get(COMMON_HEADER..).unwrap_or_default();
    std::iter::from_fn(move || {
        let header = rest.get(..CHUNK_HEADER)?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let body = rest.get(CHUNK_HEADER..length)?;
        let (bytes, next) = rest.split_at(length.next_multiple_of(4).min(rest.len()));
        rest = next;
        Some(Chunk { kind: bytes[0], body, bytes })
    })
}

impl Chunk<'_> {
    /// Whether the stack takes it for what it is: `None` of a kind that it does not know.
    ///
    /// It reads some lengths without looking whether so many bytes are there, and where a chunk ends from what it made of it, so that
    /// a crooked one could hide others.
    fn is_well_formed(&self) -> Option<bool> {
        let body = self.body;
        Some(match self.kind {
            DATA => body.len() > DATA_HEADER - CHUNK_HEADER,
            INIT | INIT_ACK => {
                body.len() >= 16 && parameters(&body[16..]).is_some_and(|all| all.iter().all(is_init_parameter))
            }
            SACK => u16_at(body, 8)
                .zip(u16_at(body, 10))
                .is_some_and(|(gaps, duplicates)| body.len() == 12 + 4 * (usize::from(gaps) + usize::from(duplicates))),
            HEARTBEAT => parameters(body).is_some_and(|all| all.len() == 1),
            ABORT | ERROR => are_causes(body),
            SHUTDOWN => body.len() == 4,
            SHUTDOWN_ACK | COOKIE_ACK | SHUTDOWN_COMPLETE => body.is_empty(),
            COOKIE_ECHO => true,
            RECONFIG => {
                parameters(body).is_some_and(|all| matches!(all.len(), 1 | 2) && all.iter().all(is_reconfig_parameter))
            }
            FORWARD_TSN => body.len() >= 4 && body.len().is_multiple_of(4),
            _ => return None,
        })
    }
}

/// A parameter's kind and value.
type Parameter<'a> = (u16, &'a [u8]);

/// The parameters of a chunk (RFC 9260 section 3.2.1); `None` if they do not fill it.
fn parameters(mut rest: &[u8]) -> Option<Vec<Parameter<'_>>> {
    let mut all = Vec::new();
    while !rest.is_empty() {
        let (kind, length) = (u16_at(rest, 0)?, usize::from(u16_at(rest, 2)?));
        all.push((kind, rest.get(CHUNK_HEADER..length)?));
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(all)
}

fn is_init_parameter((kind, value): &Parameter<'_>) -> bool {
    match *kind {
        FORWARD_TSN_SUPPORTED => value.is_empty(),
        HMAC_ALGORITHMS => value.len().is_multiple_of(2),
        _ => true,
    }
}

fn is_reconfig_parameter((kind, value): &Parameter<'_>) -> bool {
    match *kind {
        OUTGOING_RESET => value.len() >= 12 && value.len().is_multiple_of(2),
        RESPONSE => value.len() == 8,
        _ => false,
    }
}

/// Whether error causes fill a chunk (RFC 9260 section 3.3.10), without padding as the stack wants them.
fn are_causes(mut rest: &[u8]) -> bool {
    while !rest.is_empty() {
        let length = u16_at(rest, 2).map_or(0, usize::from);
        match rest.get(length..) {
            Some(next) if length >= CHUNK_HEADER => rest = next,
            _ => return false,
        }
    }
    true
}

/// Judges what the peer sends.
#[derive(Default)]
pub(super) struct Inspector {
    arrived: Option<Arrived>,
    held: Vec<Held>,
    answered: Vec<u32>,
}

/// A request for a reset that waits for the data before it.
struct Held {
    request: u32,
    last: u32,
    packet: Bytes,
}

/// What a chunk of data does to a stream.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Nothing yet: it asks for the stream's standing.
    Asks,
    /// It brings new data.
    Brings,
    /// It opens a stream that was gone.
    Reopens,
}

/// What a stream is to us.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is open, or was never used.
    Live,
    /// We have closed it and the peer has not.
    Closing,
    /// Both ends have closed it; the peer may open it again.
    Gone,
}

/// What becomes of a chunk.
enum Verdict {
    Keep,
    /// It goes where nobody reads.
    Sink,
    Drop,
    Hold {
        request: u32,
        last: u32,
    },
}

impl Inspector {
    /// What of a packet the stack may see. `arrives` hears of the stream of each chunk of data, and what happens on it.
    pub(super) fn inspect(&mut self, packet: Bytes, mut arrives: impl FnMut(u16, Arrival) -> Standing) -> Vec<Bytes> {
        let mut verdicts = Vec::new();
        let mut length = COMMON_HEADER;
        for chunk in chunks(&packet) {
            length += chunk.bytes.len();
            let verdict = match chunk.is_well_formed() {
                Some(true) => self.judge(chunk, &mut arrives),
                Some(false) => None,
                None => Some(Verdict::Drop),
            };
            let Some(verdict) = verdict else {
                tracing::debug!(
                    kind = chunk.kind,
                    "an SCTP packet is dropped for a chunk that is malformed or that no window allows"
                );
                return Vec::new();
            };
            verdicts.push((chunk, verdict));
        }
        if length != packet.len() || verdicts.is_empty() {
            return Vec::new();
        }
        let untouched = verdicts.iter().all(|(_, verdict)| matches!(verdict, Verdict::Keep));
        let mut passed = if untouched { vec![packet.clone()] } else { self.rebuild(&packet, verdicts) };
        passed.extend(self.release());
        passed
    }

    /// The requests for resets that the peer has answered.
    pub(super) fn take_answered(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.answered)
    }

    /// `None` if the whole packet must not reach the stack.
    fn judge(&mut self, chunk: Chunk<'_>, arrives: impl FnMut(u16, Arrival) -> Standing) -> Option<Verdict> {
        match chunk.kind {
            INIT | INIT_ACK => {
                let initial = u32_at(chunk.body, 12)?;
                // The stack counts from the first one: another start would part what is judged from what it does.
                if self.arrived.get_or_insert_with(|| Arrived::new(initial)).initial != initial {
                    return None;
                }
            }
            DATA => return self.judge_data(chunk, arrives),
            FORWARD_TSN => self.arrived.as_mut()?.forward(u32_at(chunk.body, 0)?)?,
            RECONFIG => return self.judge_reconfig(chunk.body),
            _ => {}
        }
        Some(Verdict::Keep)
    }

    /// Keeps what is for nobody away from the streams.
    ///
    /// The stack still sends what it had queued for a stream after the stream's reset, and would take that for a new stream. And it
    /// does not let go of a closed stream that has a message to read, which nobody can read any more: it would count it against the
    /// window for ever. On a stream that may be opened again, data tells only in its order to which opening it belongs, so what comes
    /// out of order counts as lost.
    fn judge_data(&mut self, chunk: Chunk<'_>, mut arrives: impl FnMut(u16, Arrival) -> Standing) -> Option<Verdict> {
        let arrived = self.arrived.as_mut()?;
        let (tsn, stream) = (u32_at(chunk.body, 0)?, u16_at(chunk.body, 4)?);
        let distance = arrived.distance(tsn)?;
        let standing = if stream == SINK { Standing::Closing } else { arrives(stream, Arrival::Asks) };
        if standing == Standing::Gone && distance > 1 {
            return Some(Verdict::Drop);
        }
        let is_new = arrived.data(tsn)?;
        let opens = chunk.bytes[1] & (WHOLE | UNORDERED) == WHOLE
            && u32_at(chunk.body, 8) == Some(DCEP)
            && chunk.body.get(12) == Some(&OPEN);
        match standing {
            _ if !is_new => {}
            Standing::Live => _ = arrives(stream, Arrival::Brings),
            Standing::Gone if opens => _ = arrives(stream, Arrival::Reopens),
            Standing::Closing | Standing::Gone => return Some(Verdict::Sink),
        }
        // What was counted but not taken, because the window was full, comes again.
        Some(if standing == Standing::Closing { Verdict::Sink } else { Verdict::Keep })
    }

    fn judge_reconfig(&mut self, body: &[u8]) -> Option<Verdict> {
        for (kind, value) in parameters(body)? {
            match kind {
                // The stack takes every answer for a success, and would not ask again.
                RESPONSE if u32_at(value, 4)? == IN_PROGRESS => return Some(Verdict::Drop),
                RESPONSE if self.answered.len() < MAX_HELD => self.answered.push(u32_at(value, 0)?),
                OUTGOING_RESET => {
                    let (request, last) = (u32_at(value, 0)?, u32_at(value, 8)?);
                    if !self.arrived.as_ref()?.holds(last)? {
                        return Some(Verdict::Hold { request, last });
                    }
                }
                _ => {}
            }
        }
        Some(Verdict::Keep)
    }

    /// The packet without what is dropped or held.
    fn rebuild(&mut self, packet: &[u8], verdicts: Vec<(Chunk<'_>, Verdict)>) -> Vec<Bytes> {
        let mut kept = BytesMut::from(&packet[..COMMON_HEADER]);
        for (chunk, verdict) in verdicts {
            let at = kept.len();
            match verdict {
                Verdict::Keep => kept.extend_from_slice(chunk.bytes),
                Verdict::Sink => {
                    kept.extend_from_slice(chunk.bytes);
                    kept[at + 1] |= WHOLE | UNORDERED;
                    kept[at + 8..at + 10].copy_from_slice(&SINK.to_be_bytes());
                }
                Verdict::Drop => {}
                Verdict::Hold { request, last } => {
                    let known = self.held.iter().any(|held| held.request == request);
                    if !known && self.held.len() < MAX_HELD {
                        let mut alone = BytesMut::from(&packet[..COMMON_HEADER]);
                        alone.extend_from_slice(chunk.bytes);
                        self.held.push(Held { request, last, packet: seal(alone) });
                    }
                }
            }
        }
        if kept.len() > COMMON_HEADER { vec![seal(kept)] } else { Vec::new() }
    }

    /// The requests whose data has arrived.
    ///
    /// The stack answers a request with a reset of our side, but not one that had to wait: the peer's stream would stay half open.
    fn release(&mut self) -> Vec<Bytes> {
        let Some(arrived) = &self.arrived else { return Vec::new() };
        let ready = |held: &mut Held| arrived.holds(held.last).unwrap_or(true);
        self.held.extract_if(.., ready).map(|held| held.packet).collect()
    }
}

/// What data has arrived. TSNs wrap; here they are distances from the last one in order.
struct Arrived {
    /// The first TSN.
    initial: u32,
    /// Everything up to here.
    cumulative: u32,
    /// What arrived beyond it.
    ahead: BTreeSet<u32>,
}

impl Arrived {
    fn new(initial: u32) -> Self {
        Self { initial, cumulative: initial.wrapping_sub(1), ahead: BTreeSet::new() }
    }

    /// How far ahead of what arrived in order, or 0; `None` if too far, for the stack walks from TSN to TSN.
    fn distance(&self, tsn: u32) -> Option<u32> {
        match tsn.wrapping_sub(self.cumulative) {
            ahead @ 0..=MAX_JUMP => Some(ahead),
            ahead => (ahead > u32::MAX / 2).then_some(0),
        }
    }

    /// Whether it is new.
    fn data(&mut self, tsn: u32) -> Option<bool> {
        match self.distance(tsn)? {
            0 => return Some(false),
            1 => self.advance(1),
            _ => return Some(self.ahead.insert(tsn)),
        }
        Some(true)
    }

    fn forward(&mut self, tsn: u32) -> Option<()> {
        let distance = self.distance(tsn)?;
        if distance > 0 {
            self.advance(distance);
        }
        Some(())
    }

    fn advance(&mut self, distance: u32) {
        let before = self.cumulative;
        self.cumulative = before.wrapping_add(distance);
        while self.ahead.remove(&self.cumulative.wrapping_add(1)) {
            self.cumulative = self.cumulative.wrapping_add(1);
        }
        let passed = self.cumulative.wrapping_sub(before);
        if distance > 1 {
            self.ahead.retain(|tsn| tsn.wrapping_sub(before) > passed);
        }
    }

    /// Whether everything up to there has arrived.
    fn holds(&self, tsn: u32) -> Option<bool> {
        self.distance(tsn).map(|ahead| ahead == 0)
    }
}

/// Writes the checksum.
fn seal(mut packet: BytesMut) -> Bytes {
    packet[8..12].fill(0);
    let checksum = crc32c::crc32c(&packet);
    packet[8..12].copy_from_slice(&checksum.to_le_bytes());
    packet.freeze()
}

/// The requests for resets that a packet of ours makes.
pub(super) fn requests(packet: &[u8]) -> Vec<u32> {
    let parameters =
        chunks(packet).filter(|chunk| chunk.kind == RECONFIG).filter_map(|chunk| parameters(chunk.body)).flatten();
    parameters.filter(|(kind, _)| *kind == OUTGOING_RESET).filter_map(|(_, value)| u32_at(value, 0)).collect()
}

/// Counts what leaves: which bytes of messages are sent for the first time.
#[derive(Default)]
pub(super) struct Sent {
    highest: Option<u32>,
}

impl Sent {
    /// How many bytes of messages this packet holds that were never sent before.
    pub(super) fn count(&mut self, packet: &[u8]) -> usize {
        let mut bytes = 0;
        for chunk in chunks(packet).filter(|chunk| chunk.kind == DATA) {
            let Some(tsn) = u32_at(chunk.body, 0) else { continue };
            if self.highest.is_none_or(|highest| tsn.wrapping_sub(highest).wrapping_sub(1) < u32::MAX / 2) {
                self.highest = Some(tsn);
                bytes += chunk.body.len().saturating_sub(DATA_HEADER - CHUNK_HEADER);
            }
        }
        bytes
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests;
