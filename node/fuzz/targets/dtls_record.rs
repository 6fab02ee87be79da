//! DTLS records of a lying peer, which has the keys: plain and encrypted ones, before, within and after the handshake.
//!
//! The input is a list of steps between the honest records of the peer: one byte of kind and time, one of length, then what the kind
//! needs. The first byte says which end is lied to, and after how many records of the peer the lies begin.
#![no_main]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use darkswap_fuzz::dtls::{Liar, plain};
use darkswap_fuzz::entropy::repeatable;
use darkswap_fuzz::{byte, certificate, mutate, steps};
use darkswap_webrtc::connection::fuzzing::{Arrived, Security};
use libfuzzer_sys::fuzz_target;

/// Datagrams of one step at most.
const WAITING: usize = 1_000;
/// How often a deadline that is due may be due again at once.
const RESTLESS: usize = 50;
/// Where the sequence numbers of forged records begin, so that they are new.
const FORGED: u32 = 100;

struct Scene {
    now: Instant,
    here: Security,
    peer: Liar,
    /// Records of the peer on their way.
    sent: VecDeque<Vec<u8>>,
    connected: bool,
    ended: bool,
    forged: u32,
}

fuzz_target!(|bytes: &[u8]| repeatable(|| run(bytes)));

fn run(bytes: &[u8]) {
    let Some((role, rest)) = bytes.split_first() else { return };
    let now = Instant::now();
    let client = role & 1 != 0;
    let here = Security::new(certificate(0), client).expect("one can be made");
    let peer = Liar::new(now, !client);
    let mut scene = Scene { now, here, peer, sent: VecDeque::new(), connected: false, ended: false, forged: FORGED };
    let arrived = scene.here.connect(now);
    scene.note(arrived);
    scene.hear();
    scene.deliver(role >> 1);
    for (kind, bytes) in steps(rest) {
        scene.pass(Duration::from_millis(u64::from(kind >> 4) * 100));
        scene.step(kind & 15, bytes);
        if scene.ended {
            break;
        }
    }
    scene.here.close(scene.now);
    scene.hear();
}

impl Scene {
    fn step(&mut self, kind: u8, bytes: &[u8]) {
        let (first, content) = bytes.split_first().unwrap_or((&0, bytes));
        // Change of cipher, alert, handshake, data, and what is none.
        let record = 20 + first % 5;
        let epoch = u16::from(first / 5 % 4);
        self.forged += 1;
        match kind {
            0 => self.take(bytes),
            1 => self.take(&plain(record, epoch, self.forged, content)),
            2 => {
                if let Some(record) = self.peer.forge(record, epoch, self.forged, content) {
                    self.take(&record);
                }
            }
            // A handshake message, whole: type, sequence, then its body.
            3 | 4 => {
                let whole = handshake(content, 0, content.len().saturating_sub(2), 0);
                self.handshake(kind == 4, &whole);
            }
            // A part of one: how long it says it is and where this part begins come after type and sequence.
            5 | 6 => {
                let (longer, offset) = (usize::from(byte(content, 2)), usize::from(byte(content, 3)));
                let part = handshake(content, offset, offset + content.len().saturating_sub(4) + longer, 2);
                self.handshake(kind == 6, &part);
            }
            7 => {
                let at = usize::from(*first) % self.sent.len().max(1);
                if let Some(record) = self.sent.get_mut(at) {
                    mutate(record, content);
                }
            }
            8 => {
                self.sent.pop_front();
            }
            9 => self.sent.rotate_left(usize::from(*first) % self.sent.len().max(1)),
            10 => self.sent.extend(self.sent.front().cloned()),
            11 => {
                // All that waits in one datagram.
                let datagram = std::mem::take(&mut self.sent).into_iter().flatten().collect::<Vec<u8>>();
                self.take(&datagram);
            }
            12 => self.here.send(self.now, content),
            _ => self.deliver(first % 16 + 1),
        }
        self.hear();
    }

    fn handshake(&mut self, encrypted: bool, message: &[u8]) {
        let forged = if encrypted {
            self.peer.forge(22, 1, self.forged, message)
        } else {
            Some(plain(22, 0, self.forged, message))
        };
        if let Some(record) = forged {
            self.take(&record);
        }
    }

    /// Honest records arrive, each in its datagram.
    fn deliver(&mut self, records: u8) {
        for _ in 0..records {
            let Some(record) = self.sent.pop_front() else { return };
            self.take(&record);
            self.hear();
        }
    }

    fn take(&mut self, datagram: &[u8]) {
        if !self.ended {
            let arrived = self.here.handle_datagram(self.now, datagram);
            self.note(arrived);
        }
    }

    fn note(&mut self, arrived: Arrived) {
        assert!(!(self.connected && arrived.connected), "the handshake was over for the second time");
        self.connected |= arrived.connected;
        assert!(self.connected || arrived.data.is_empty(), "data before the end of the handshake");
        self.ended |= arrived.closed.is_some();
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.peer.handle_timeout(self.now);
        for _ in 0..RESTLESS {
            if self.ended || self.here.poll_timeout().is_none_or(|deadline| deadline > self.now) {
                return self.hear();
            }
            let arrived = self.here.handle_timeout(self.now);
            self.note(arrived);
        }
        panic!("the deadline stays in the past");
    }

    /// The peer hears us at once.
    fn hear(&mut self) {
        let mut taken = 0;
        while let Some(datagram) = self.here.poll_transmit() {
            self.peer.handle_datagram(self.now, &datagram);
            taken += 1;
        }
        assert!(taken <= WAITING, "{taken} datagrams waited");
        self.sent.extend(self.peer.poll_records());
    }
}

/// A handshake message or a part of one (RFC 6347 section 4.2.2).
fn handshake(content: &[u8], offset: usize, length: usize, skipped: usize) -> Vec<u8> {
    let body = content.get(2 + skipped..).unwrap_or_default();
    let u24 = |number: usize| [(number >> 16) as u8, (number >> 8) as u8, number as u8];
    let mut message = vec![byte(content, 0)];
    message.extend(u24(length));
    message.extend([0, byte(content, 1)]);
    message.extend(u24(offset));
    message.extend(u24(body.len()));
    message.extend(body);
    message
}
