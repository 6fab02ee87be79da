//! A whole connection of webrtc-direct with a lying peer: ICE, DTLS and what is within, before, during and after the set-up.
//!
//! Two ends talk honestly while the input, a list of steps, changes, drops and adds datagrams and the packets within: one byte of kind
//! and time, one of length, then what the kind needs. The first byte says which end is lied to and after how many rounds.
#![no_main]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use darkswap_fuzz::entropy::repeatable;
use darkswap_fuzz::sctp::Liar;
use darkswap_fuzz::{byte, certificate, dtls, mutate, steps, stun};
use darkswap_webrtc::connection::{ChannelId, ChannelOptions, Connection, Event, Settings, Transmit};
use libfuzzer_sys::fuzz_target;

const UFRAG: &str = "libp2p+webrtc+v1/0123456789abcdef";
/// Datagrams and events of one step at most.
const WAITING: usize = 20_000;
/// How often a deadline that is due may be due again at once.
const RESTLESS: usize = 50;
/// Rounds of datagrams for a whole set-up, and after each step.
const SET_UP: usize = 40;
const ROUNDS: usize = 2;

struct End {
    connection: Connection,
    address: SocketAddr,
    channels: Vec<ChannelId>,
    sent: VecDeque<Vec<u8>>,
    closed: bool,
}

struct Scene {
    now: Instant,
    here: End,
    peer: End,
    liar: Liar,
    transaction: [u8; 12],
}

fuzz_target!(|bytes: &[u8]| repeatable(|| run(bytes)));

fn run(bytes: &[u8]) {
    let Some((role, rest)) = bytes.split_first() else { return };
    let now = Instant::now();
    let [server, client] = ends(now);
    let (here, peer) = if role & 1 == 0 { (server, client) } else { (client, server) };
    let mut scene = Scene { now, here, peer, liar: Liar::default(), transaction: [0; 12] };
    let rounds = if role & 2 == 0 { SET_UP } else { usize::from(role >> 2) };
    for _ in 0..rounds {
        scene.pass(Duration::from_millis(30));
        scene.talk();
    }
    assert!(rounds < SET_UP || scene.here.connection.remote_fingerprint().is_some(), "an honest set-up failed");
    for (kind, bytes) in steps(rest) {
        scene.pass(Duration::from_millis(u64::from(kind >> 4) * u64::from(kind >> 4) * 20));
        scene.step(kind & 15, bytes);
        scene.talk();
    }
    scene.here.connection.close(scene.now);
    scene.talk();
    assert!(scene.here.closed && scene.here.connection.poll_timeout().is_none());
}

fn ends(now: Instant) -> [End; 2] {
    let addresses = [SocketAddr::from(([192, 0, 2, 1], 4_001)), SocketAddr::from(([192, 0, 2, 2], 4_002))];
    let settings = |end| Settings { max_channels: 8, ..Settings::new(certificate(end).clone()) };
    let fingerprint = certificate(0).fingerprint();
    let server = Connection::direct_server(&settings(0), now, addresses[0], addresses[1], UFRAG);
    let client = Connection::direct_client(&settings(1), now, addresses[1], addresses[0], UFRAG, &fingerprint);
    [(server, addresses[0]), (client, addresses[1])].map(|(connection, address)| End {
        connection: connection.expect("one can be made"),
        address,
        channels: Vec::new(),
        sent: VecDeque::new(),
        closed: false,
    })
}

impl Scene {
    fn step(&mut self, kind: u8, bytes: &[u8]) {
        let (first, content) = bytes.split_first().unwrap_or((&0, bytes));
        let now = self.now;
        match kind {
            0 => self.arrive(*first, content),
            1 => self.arrive(*first & 1, &dtls::plain(20 + first / 2 % 5, u16::from(first / 16), 100, content)),
            2 => self.arrive_stun(*first, content),
            3 => self.peer.sent.iter_mut().for_each(|datagram| mutate(datagram, bytes)),
            4 => self.peer.sent.clear(),
            5 => self.peer.sent.extend(self.peer.sent.clone().into_iter().rev()),
            // What the peer's SCTP has to say is changed before it is encrypted.
            6 => {
                let liar = &mut self.liar;
                self.peer.connection.flush_changed(|packet| {
                    liar.note_own(packet);
                    let mut packet = packet.to_vec();
                    mutate(&mut packet, bytes);
                    darkswap_fuzz::sctp::seal(&mut packet);
                    vec![packet]
                });
            }
            7 => {
                let forged = match first % 5 {
                    0 => self.liar.packet(content),
                    1 => self.liar.data(content),
                    2 => self.liar.sack(content),
                    3 => self.liar.forward_tsn(content),
                    _ => self.liar.reset(content),
                };
                self.peer.connection.send_packet(&forged);
            }
            8 => self.peer.connection.send_packet(bytes),
            9 => self.peer.open(now, *first),
            10 => self.peer.write(now, bytes),
            11 => self.peer.close_channel(now, *first),
            12 => self.here.open(now, *first),
            13 => self.here.write(now, bytes),
            14 => self.here.close_channel(now, *first),
            _ if *first == 255 => self.peer.connection.close(now),
            _ => self.here.read(),
        }
    }

    /// From the peer or from somebody else.
    fn arrive(&mut self, from: u8, datagram: &[u8]) {
        let mut remote = self.peer.address;
        remote.set_port(remote.port() + u16::from(from % 4));
        let local = self.here.address;
        self.here.connection.handle_datagram(self.now, local, remote, datagram);
        self.here.collect(|_| {});
    }

    fn arrive_stun(&mut self, first: u8, content: &[u8]) {
        let username = format!("{UFRAG}:{UFRAG}");
        // Requests, indications, answers and errors to a binding, or anything.
        let kind = [0x0001, 0x0011, 0x0101, 0x0111, u16::from_be_bytes([byte(content, 0), byte(content, 1)])];
        let username = if first & 8 == 0 { &username[..] } else { "" };
        let password = (first & 16 == 0).then_some(UFRAG);
        // An answer to our own last request, or to none.
        let transaction = if first & 32 == 0 { self.transaction } else { [first; 12] };
        let kind = kind[usize::from(first & 7).min(4)];
        self.arrive(first >> 6, &stun::message(kind, transaction, username, password, content));
    }

    /// Whoever waits for deadlines must not spin.
    fn pass(&mut self, time: Duration) {
        self.now += time;
        for end in [&mut self.here, &mut self.peer] {
            let mut restless = 0;
            while end.connection.poll_timeout().is_some_and(|deadline| deadline <= self.now) {
                end.connection.handle_timeout(self.now);
                end.collect(|_| {});
                restless += 1;
                assert!(restless < RESTLESS, "the deadline stays in the past");
            }
        }
    }

    fn talk(&mut self) {
        for _ in 0..ROUNDS {
            let liar = &mut self.liar;
            self.peer.connection.flush_changed(|packet| {
                liar.note_own(packet);
                vec![packet.to_vec()]
            });
            self.peer.collect(|_| {});
            for datagram in std::mem::take(&mut self.peer.sent) {
                self.arrive(0, &datagram);
            }
            let liar = &mut self.liar;
            self.here.connection.flush_changed(|packet| {
                liar.note_heard(packet);
                vec![packet.to_vec()]
            });
            let transaction = &mut self.transaction;
            self.here.collect(|transmit| {
                if let Some(id) = transmit.payload.get(8..20).filter(|_| transmit.payload.starts_with(&[0, 1])) {
                    transaction.copy_from_slice(id);
                }
            });
            for datagram in std::mem::take(&mut self.here.sent) {
                let (local, remote) = (self.peer.address, self.here.address);
                self.peer.connection.handle_datagram(self.now, local, remote, &datagram);
            }
        }
    }
}

impl End {
    fn collect(&mut self, mut see: impl FnMut(&Transmit)) {
        let mut taken = 0;
        while let Some(transmit) = self.connection.poll_transmit() {
            see(&transmit);
            // What goes to nobody is lost.
            if [4_001, 4_002].contains(&transmit.remote.port()) {
                self.sent.push_back(transmit.payload.to_vec());
            }
            taken += 1;
        }
        while let Some(event) = self.connection.poll_event() {
            assert!(!self.closed, "{event:?} after the last event");
            match event {
                Event::ChannelOpened { channel, by_peer: true, .. } => self.channels.push(channel),
                Event::ChannelClosed { channel, .. } => self.channels.retain(|known| *known != channel),
                Event::Closed(_) => self.closed = true,
                _ => {}
            }
            taken += 1;
        }
        assert!(taken <= WAITING, "{taken} events and datagrams waited");
    }

    fn open(&mut self, now: Instant, kind: u8) {
        let negotiated = (kind & 1 != 0).then_some(u16::from(kind >> 1));
        let options = ChannelOptions { ordered: kind & 2 == 0, negotiated, ..ChannelOptions::default() };
        self.channels.extend(self.connection.open_channel(now, options));
    }

    fn write(&mut self, now: Instant, bytes: &[u8]) {
        let Some(channel) = self.channels.get(usize::from(byte(bytes, 0)) % self.channels.len().max(1)) else { return };
        let message = Bytes::from(vec![7; 64 * usize::from(byte(bytes, 1))]);
        let _ = self.connection.write(now, *channel, message);
    }

    fn read(&mut self) {
        for channel in &self.channels {
            while self.connection.read(*channel).is_some() {}
        }
    }

    fn close_channel(&mut self, now: Instant, number: u8) {
        if !self.channels.is_empty() {
            let channel = self.channels.swap_remove(usize::from(number) % self.channels.len());
            self.connection.close_channel(now, channel);
        }
    }
}
