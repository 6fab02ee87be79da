//! SCTP packets of a lying peer through the inspector, the stack and the channels, as the node has them behind DTLS.
//!
//! Two ends talk honestly while the input, a list of steps, changes, drops and adds packets: one byte of kind and time, one of length,
//! then what the kind needs. The first byte says which end is lied to.
#![no_main]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use darkswap_fuzz::entropy::repeatable;
use darkswap_fuzz::sctp::{Liar, seal};
use darkswap_fuzz::{byte, certificate, mutate, steps};
use darkswap_webrtc::connection::fuzzing::Association;
use darkswap_webrtc::connection::{ChannelId, ChannelOptions, CloseReason, Event, Priority, Reliability, Settings};
use libfuzzer_sys::fuzz_target;

/// Packets and events of one step at most.
const WAITING: usize = 20_000;
/// How often a deadline that is due may be due again at once.
const RESTLESS: usize = 50;
/// Rounds of packets both ways after each step.
const ROUNDS: usize = 3;

struct End {
    association: Association,
    channels: Vec<ChannelId>,
    /// What it sent and the other has not got yet.
    sent: VecDeque<Vec<u8>>,
    ended: Option<CloseReason>,
}

fuzz_target!(|bytes: &[u8]| repeatable(|| run(bytes)));

fn run(bytes: &[u8]) {
    let Some((role, rest)) = bytes.split_first() else { return };
    let mut now = Instant::now();
    let mut here = End::new(now, role & 1 != 0);
    let mut peer = End::new(now, role & 1 == 0);
    let mut liar = Liar::default();
    if role & 2 == 0 {
        talk(now, &mut here, &mut peer, &mut liar);
    }
    for (kind, bytes) in steps(rest) {
        now += Duration::from_millis(u64::from(kind >> 4) * u64::from(kind >> 4) * 10);
        here.handle_timeout(now);
        peer.handle_timeout(now);
        peer.collect(now, |packet| liar.note_own(packet));
        step(now, kind & 15, bytes, &mut here, &mut peer, &mut liar);
        talk(now, &mut here, &mut peer, &mut liar);
        if here.ended.is_some() {
            break;
        }
    }
    here.association.close(now);
    here.collect(now, |_| {});
}

fn step(now: Instant, kind: u8, bytes: &[u8], here: &mut End, peer: &mut End, liar: &mut Liar) {
    let forged = match kind {
        0 => liar.packet(bytes),
        1 => {
            let mut packet = bytes.to_vec();
            seal(&mut packet);
            packet
        }
        2 => liar.data(bytes),
        3 => liar.sack(bytes),
        4 => liar.forward_tsn(bytes),
        5 => liar.reset(bytes),
        6 => {
            return peer.sent.iter_mut().for_each(|packet| {
                mutate(packet, bytes);
                seal(packet);
            });
        }
        7 => return peer.sent.clear(),
        8 => {
            let twice: Vec<_> = peer.sent.iter().rev().cloned().collect();
            return peer.sent.extend(twice);
        }
        9 => return peer.open(now, bytes),
        10 => return peer.write(now, bytes),
        11 => return peer.close(now, bytes),
        12 => return here.open(now, bytes),
        13 => return here.write(now, bytes),
        14 => return here.close(now, bytes),
        _ => return here.read(now, bytes),
    };
    here.take(now, forged);
}

/// Lets both ends hear each other for some rounds.
fn talk(now: Instant, here: &mut End, peer: &mut End, liar: &mut Liar) {
    for _ in 0..ROUNDS {
        peer.collect(now, |packet| liar.note_own(packet));
        for packet in std::mem::take(&mut peer.sent) {
            here.take(now, packet);
        }
        here.collect(now, |packet| liar.note_heard(packet));
        for packet in std::mem::take(&mut here.sent) {
            peer.take(now, packet);
        }
    }
}

impl End {
    fn new(now: Instant, client: bool) -> Self {
        // Bounds so small that a short input reaches them.
        let settings = Settings {
            max_channels: 8,
            max_message: 1_000,
            channel_receive_buffer: 600,
            receive_buffer: 1_000,
            channel_send_buffer: 4_000,
            ..Settings::new(certificate(0).clone())
        };
        let mut association = Association::new(&settings, client);
        association.start(now);
        Self { association, channels: Vec::new(), sent: VecDeque::new(), ended: None }
    }

    fn take(&mut self, now: Instant, packet: Vec<u8>) {
        if self.ended.is_none() {
            self.ended = self.association.handle_packet(now, packet.into());
            self.take_events();
        }
    }

    fn collect(&mut self, now: Instant, mut see: impl FnMut(&[u8])) {
        if self.ended.is_none() {
            let sent = &mut self.sent;
            self.ended = self.association.flush(now, |packet| {
                see(packet);
                sent.push_back(packet.to_vec());
            });
            self.take_events();
        }
        assert!(self.sent.len() <= WAITING, "{} packets waited", self.sent.len());
    }

    /// Whoever waits for deadlines must not spin.
    fn handle_timeout(&mut self, now: Instant) {
        for _ in 0..RESTLESS {
            if self.ended.is_some() || self.association.poll_timeout().is_none_or(|deadline| deadline > now) {
                return;
            }
            self.ended = self.association.handle_timeout(now);
            self.collect(now, |_| {});
        }
        panic!("the deadline stays in the past");
    }

    fn take_events(&mut self) {
        let mut taken = 0;
        while let Some(event) = self.association.poll_event() {
            match event {
                Event::ChannelOpened { channel, by_peer: true, .. } => self.channels.push(channel),
                Event::ChannelClosed { channel, .. } => self.channels.retain(|known| *known != channel),
                _ => {}
            }
            taken += 1;
        }
        assert!(taken <= WAITING, "{taken} events waited");
    }

    fn channel(&self, bytes: &[u8]) -> Option<ChannelId> {
        self.channels.get(usize::from(byte(bytes, 0)) % self.channels.len().max(1)).copied()
    }

    fn open(&mut self, now: Instant, bytes: &[u8]) {
        let [kind, number, stream] = [0, 1, 2].map(|at| byte(bytes, at));
        let options = ChannelOptions {
            label: if kind & 64 == 0 { "channel" } else { "init" }.to_owned(),
            ordered: kind & 1 == 0,
            reliability: match kind >> 1 & 3 {
                1 => Reliability::Retransmits(number.into()),
                2 => Reliability::Lifetime(Duration::from_millis(number.into())),
                _ => Reliability::Reliable,
            },
            priority: [Priority::VeryLow, Priority::Low, Priority::Medium, Priority::High][usize::from(kind >> 3 & 3)],
            negotiated: (kind & 32 != 0).then_some(stream.into()),
        };
        self.channels.extend(self.association.open_channel(now, options));
    }

    fn write(&mut self, now: Instant, bytes: &[u8]) {
        let Some(channel) = self.channel(bytes) else { return };
        for _ in 0..byte(bytes, 2).max(1) {
            let message = Bytes::from(vec![7; 4 * usize::from(byte(bytes, 1))]);
            if self.association.write(now, channel, message).is_err() {
                break;
            }
        }
    }

    fn read(&mut self, now: Instant, bytes: &[u8]) {
        let Some(channel) = self.channel(bytes) else { return };
        loop {
            let (message, ended) = self.association.read(now, channel);
            self.ended = self.ended.take().or(ended);
            if message.is_none() {
                break;
            }
        }
    }

    fn close(&mut self, now: Instant, bytes: &[u8]) {
        if let Some(channel) = self.channel(bytes) {
            self.association.close_channel(now, channel);
            self.channels.retain(|known| *known != channel);
        }
    }
}
