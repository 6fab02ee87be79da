//! Channels of two ends without ICE and DTLS, so that SCTP packets can be looked at and changed on their way.

use bytes::BytesMut;
use proptest::prelude::*;

use super::*;
use crate::certificate::Certificate;

const HEADER: usize = 12;
const DATA: u8 = 0;
const INIT: u8 = 1;
const INIT_ACK: u8 = 2;
const SACK: u8 = 3;
const RECONFIG: u8 = 130;
const FORWARD_TSN: u8 = 192;

fn settings() -> Settings {
    static CERTIFICATE: std::sync::OnceLock<Certificate> = std::sync::OnceLock::new();
    Settings::new(CERTIFICATE.get_or_init(|| Certificate::generate().unwrap()).clone())
}

struct Pair {
    now: Instant,
    ends: [Channels; 2],
    events: [Vec<Event>; 2],
    lost: [Option<CloseReason>; 2],
    packets: Vec<(Instant, usize, Vec<u8>)>,
}

impl Pair {
    #[expect(clippy::disallowed_methods, reason = "only a start from which virtual time is counted")]
    fn new() -> Self {
        let now = Instant::now();
        let mut ends = [true, true].map(|_| Channels::new(&settings(), false));
        ends[1].start(now, false, usize::MAX);
        ends[0].start(now, true, usize::MAX);
        Self { now, ends, events: Default::default(), lost: Default::default(), packets: Vec::new() }
    }

    /// Lets time pass; `change` sees each packet and for whom it is.
    fn run(&mut self, time: Duration, mut change: impl FnMut(usize, Vec<u8>) -> Vec<Vec<u8>>) {
        let until = self.now + time;
        loop {
            for end in 0..2 {
                let (to, at) = (1 - end, self.now + Duration::from_millis(10));
                let mut out = Vec::new();
                let lost = self.ends[end].flush(self.now, |packet| out.push(packet.to_vec()));
                self.lost[end] = self.lost[end].take().or(lost);
                self.packets
                    .extend(out.into_iter().flat_map(|packet| change(to, packet)).map(|packet| (at, to, packet)));
                self.events[end].extend(std::iter::from_fn(|| self.ends[end].poll_event()));
            }
            let arrival = self.packets.iter().map(|(at, ..)| *at).min();
            let deadlines = self.ends.iter().filter_map(Channels::poll_timeout);
            let Some(next) = deadlines.chain(arrival).min().filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            let now = self.now;
            for (_, to, packet) in self.packets.extract_if(.., |(at, ..)| *at <= now) {
                let lost = self.ends[to].handle_packet(now, packet.into());
                self.lost[to] = self.lost[to].take().or(lost);
            }
            for (end, lost) in self.ends.iter_mut().zip(&mut self.lost) {
                *lost = lost.take().or(end.handle_timeout(now));
            }
        }
        self.now = until;
    }

    fn connected() -> Self {
        let mut pair = Self::new();
        pair.run(Duration::from_secs(1), |_, packet| vec![packet]);
        assert!(pair.events.iter().all(|events| events.contains(&Event::Connected)));
        pair
    }

    /// Whether a channel opens, carries a message of many packets and closes.
    fn works(&mut self, change: impl FnMut(usize, Vec<u8>) -> Vec<Vec<u8>>) -> bool {
        let Ok(id) = self.ends[0].open(self.now, ChannelOptions::default()) else { return false };
        let written = self.ends[0].write(self.now, id, Bytes::from(vec![1; 10_000]));
        self.events[1].clear();
        self.run(Duration::from_secs(20), change);
        let readable = self.events[1].iter().find_map(|event| match event {
            Event::Readable(id) => Some(*id),
            _ => None,
        });
        let read = readable.and_then(|there| self.ends[1].read(self.now, there).0);
        self.ends[0].close(self.now, id);
        written.is_ok() && read.is_some_and(|message| message.len() == 10_000)
    }
}

fn seal(mut packet: Vec<u8>) -> Vec<u8> {
    if packet.len() >= HEADER {
        packet[8..12].fill(0);
        let checksum = crc32c::crc32c(&packet);
        packet[8..12].copy_from_slice(&checksum.to_le_bytes());
    }
    packet
}

/// Moves the TSNs of end 0, so that it seems to begin with another one.
fn shift(to: usize, packet: Vec<u8>, by: u32) -> Vec<u8> {
    let mut packet = packet;
    let mut at = HEADER;
    while at + 4 <= packet.len() {
        let length = usize::from(u16::from_be_bytes([packet[at + 2], packet[at + 3]]));
        let field = match (packet[at], to) {
            (DATA | FORWARD_TSN, 1) => Some((at + 4, by)),
            (INIT | INIT_ACK, 1) => Some((at + 16, by)),
            // The first parameter asks for a reset, or answers one, which names no TSN.
            (RECONFIG, 1) if packet[at + 5] == 13 => Some((at + 16, by)),
            (SACK, 0) => Some((at + 4, by.wrapping_neg())),
            _ => None,
        };
        if let Some((field, by)) = field {
            let bytes: &mut [u8] = &mut packet[field..field + 4];
            let tsn = u32::from_be_bytes((&*bytes).try_into().unwrap()).wrapping_add(by);
            bytes.copy_from_slice(&tsn.to_be_bytes());
        }
        at += length.next_multiple_of(4).max(4);
    }
    seal(packet)
}

fn initial_tsn(packet: &[u8]) -> Option<u32> {
    (packet.get(HEADER) == Some(&INIT))
        .then(|| u32::from_be_bytes(packet[HEADER + 16..HEADER + 20].try_into().unwrap()))
}

#[test]
fn tsns_may_wrap_wherever_the_peer_begins() {
    for begin in [0, 1, u32::MAX, u32::MAX - 30] {
        let mut pair = Pair::new();
        let mut by = 0;
        let mut change = |to: usize, packet: Vec<u8>| {
            if let Some(initial) = initial_tsn(&packet) {
                by = begin.wrapping_sub(initial);
            }
            vec![shift(to, packet, by)]
        };
        pair.run(Duration::from_secs(1), &mut change);
        for round in 0..20 {
            assert!(pair.works(&mut change), "from {begin}, round {round}");
        }
    }
}

#[test]
fn a_peer_that_uses_every_stream_without_opening_channels_is_bounded() {
    let mut pair = Pair::connected();
    let mut template = None;
    pair.works(|to, packet| {
        if to == 1 && packet[HEADER] == DATA {
            template = Some(packet.clone());
        }
        vec![packet]
    });
    let template = template.unwrap();
    let tsn = u32::from_be_bytes(template[HEADER + 4..HEADER + 8].try_into().unwrap());
    for stream in 100..60_000_u16 {
        let mut packet = template.clone();
        packet[HEADER + 1] = 0b10;
        packet[HEADER + 4..HEADER + 8].copy_from_slice(&tsn.wrapping_add(u32::from(stream)).to_be_bytes());
        packet[HEADER + 8..HEADER + 10].copy_from_slice(&stream.to_be_bytes());
        let now = pair.now;
        if pair.ends[1].handle_packet(now, seal(packet).into()).is_some() {
            return;
        }
        assert!(pair.ends[1].unopened.len() <= MAX_UNOPENED);
    }
    panic!("the association goes on");
}

#[test]
fn parts_of_messages_that_never_end_are_bounded() {
    let mut pair = Pair::connected();
    let mut template = None;
    pair.works(|to, packet| {
        if to == 1 && packet[HEADER] == DATA {
            template = Some(packet.clone());
        }
        vec![packet]
    });
    let template = &template.unwrap()[..HEADER + 16];
    let tsn = u32::from_be_bytes(template[HEADER + 4..HEADER + 8].try_into().unwrap());
    for number in 1..200_000_u32 {
        let mut packet = [template, &[0; 4]].concat();
        packet[HEADER + 1] = 0;
        packet[HEADER + 2..HEADER + 4].copy_from_slice(&17_u16.to_be_bytes());
        packet[HEADER + 4..HEADER + 8].copy_from_slice(&tsn.wrapping_add(number).to_be_bytes());
        packet[HEADER + 8..HEADER + 10].copy_from_slice(&((number % 200) as u16 + 9).to_be_bytes());
        let now = pair.now;
        assert_eq!(pair.ends[1].handle_packet(now, seal(packet).into()), None);
        assert!(pair.ends[1].sctp.unread() <= 64 * 1024 + 200);
    }
}

#[test]
fn a_stream_that_begins_with_anything_else_than_an_opening_is_reset() {
    let mut pair = Pair::connected();
    let sctp = &mut pair.ends[0].sctp;
    assert!(sctp.open(40));
    sctp.send_message(pair.now, 40, &Bytes::from_static(b"no opening"));
    pair.run(Duration::from_secs(1), |_, packet| vec![packet]);
    assert!(!pair.ends[0].sctp.knows(40));
    assert!(!pair.ends[1].sctp.knows(40));
    assert!(pair.works(|_, packet| vec![packet]));
}

#[test]
fn an_opening_that_nobody_answers_ends_in_time() {
    let mut pair = Pair::connected();
    let id = pair.ends[0].open(pair.now, ChannelOptions::default()).unwrap();
    pair.run(OPENING + Duration::from_secs(1), |to, packet| if to == 0 { Vec::new() } else { vec![packet] });
    pair.run(CLOSING + Duration::from_secs(30), |_, packet| vec![packet]);
    assert!(pair.events[0].contains(&Event::ChannelClosed { channel: id, reason: ChannelEnd::Unanswered }));
}

#[test]
fn a_long_message_ends_its_channel_alone() {
    let mut pair = Pair::connected();
    pair.ends[1].settings.max_message = 1000;
    let long = pair.ends[0].open(pair.now, ChannelOptions::default()).unwrap();
    pair.ends[0].write(pair.now, long, Bytes::from(vec![0; 1001])).unwrap();
    pair.run(Duration::from_secs(2), |_, packet| vec![packet]);
    assert!(pair.events[0].contains(&Event::ChannelClosed { channel: long, reason: ChannelEnd::Peer }));
    assert!(
        pair.events[1].iter().any(|event| matches!(event, Event::ChannelClosed { reason: ChannelEnd::Misbehaved, .. }))
    );
    pair.ends[1].settings.max_message = 16_384;
    assert!(pair.works(|_, packet| vec![packet]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Packets with valid checksums and wrong contents may end the association, but nothing else.
    #[test]
    fn changed_packets_are_taken_without_panic(changes in proptest::collection::vec((0..40_usize, any::<u16>(), any::<u8>()), 1..12)) {
        let mut pair = Pair::new();
        let mut number = 0;
        let mut change = |_: usize, packet: Vec<u8>| {
            number += 1;
            let mut changed = packet.clone();
            for (_, at, by) in changes.iter().filter(|(which, ..)| *which == number) {
                let at = HEADER.min(packet.len() - 1) + usize::from(*at) % (packet.len().saturating_sub(HEADER)).max(1);
                changed[at] = *by;
            }
            // The peer's own packet follows what somebody forged.
            vec![seal(changed), packet]
        };
        pair.run(Duration::from_secs(2), &mut change);
        for _ in 0..3 {
            pair.works(&mut change);
        }
    }

    #[test]
    fn random_chunks_are_taken_without_panic(
        packets in proptest::collection::vec((any::<bool>(), 0..8_usize, any::<u8>(), proptest::collection::vec(any::<u8>(), 0..80)), 1..40)
    ) {
        let mut pair = Pair::connected();
        let mut tag = [0; 4];
        pair.works(|to, packet| {
            if to == 1 {
                tag.copy_from_slice(&packet[4..8]);
            }
            vec![packet]
        });
        for (known, kind, flags, body) in packets {
            let kinds = [DATA, INIT, INIT_ACK, SACK, RECONFIG, FORWARD_TSN, 14, 7];
            let kind = if known { kinds[kind] } else { flags };
            let mut packet = BytesMut::from(&[19, 136, 19, 136][..]);
            packet.extend_from_slice(&tag);
            packet.extend_from_slice(&[0; 4]);
            packet.extend_from_slice(&[kind, flags]);
            packet.extend_from_slice(&u16::try_from(body.len() + 4).unwrap().to_be_bytes());
            packet.extend_from_slice(&body);
            packet.resize(packet.len().next_multiple_of(4), 0);
            let now = pair.now;
            let _ = pair.ends[1].handle_packet(now, seal(packet.to_vec()).into());
        }
        pair.run(Duration::from_secs(5), |_, packet| vec![packet]);
    }
}
