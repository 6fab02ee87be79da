//! A connection and its gatherer between lying servers and a lying peer: whoever sends whatever, the agent goes on or ends.
//!
//! The input is a list of steps: one byte of kind and time, one of length, then what the kind needs. Most answers get the id of the
//! request that they pretend to answer.
#![no_main]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use darkswap_fuzz::entropy::repeatable;
use darkswap_fuzz::{certificate, steps, stun};
use darkswap_webrtc::agent::{Agent, AgentEvent};
use darkswap_webrtc::connection::{Connection, Event, Settings};
use darkswap_webrtc::gather::{GatherSettings, Gatherer, IceServer};
use darkswap_webrtc::sdp::Description;
use libfuzzer_sys::fuzz_target;

/// Datagrams and events of one step at most.
const WAITING: usize = 10_000;
/// How often a deadline that is due may be due again at once.
const RESTLESS: usize = 50;
/// Where the id of a STUN message is (RFC 8489, section 5).
const TRANSACTION_ID: std::ops::Range<usize> = 8..20;

struct Scene {
    now: Instant,
    agent: Agent,
    peer: Connection,
    /// The descriptions in force.
    ours: Description,
    theirs: Description,
    /// The last request to the STUN server, the TURN server and anybody else.
    requests: [[u8; 12]; 3],
    closed: bool,
}

fuzz_target!(|bytes: &[u8]| repeatable(|| run(bytes)));

fn run(bytes: &[u8]) {
    let now = Instant::now();
    let mut connection = signalled(now, 0);
    let mut peer = signalled(now, 1);
    let offer = peer.create_offer(now).expect("the first offer can be made");
    let answer = connection.accept_offer(now, &offer).expect("an honest offer is taken");
    peer.accept_answer(now, &answer).expect("an honest answer is taken");
    let agent = Agent::new(connection, Some(gatherer(now, 1)));
    let (ours, theirs) = (read(&answer), read(&offer));
    let mut scene = Scene { now, agent, peer, ours, theirs, requests: [[0; 12]; 3], closed: false };
    scene.drain();
    for (kind, bytes) in steps(bytes) {
        scene.pass(Duration::from_millis(u64::from(kind >> 4) * u64::from(kind >> 4) * 50));
        scene.step(kind & 15, bytes);
        scene.drain();
    }
    scene.agent.close(scene.now);
    scene.drain();
    assert!(scene.closed);
}

impl Scene {
    fn step(&mut self, kind: u8, bytes: &[u8]) {
        let (first, content) = bytes.split_first().unwrap_or((&0, bytes));
        let from = usize::from(kind % 3);
        match kind {
            // As it is, and as an answer to a request.
            0..3 => self.arrive(from, bytes.to_vec()),
            3..6 => {
                let mut datagram = bytes.to_vec();
                if let Some(id) = datagram.get_mut(TRANSACTION_ID) {
                    id.copy_from_slice(&self.requests[from]);
                }
                self.arrive(from, datagram);
            }
            6..9 => self.arrive_stun(from, *first, content),
            9 | 10 => {
                if let Ok(candidate) = str::from_utf8(bytes) {
                    let _ = self.agent.connection_mut().add_remote_candidate(candidate);
                }
            }
            11 => self.agent.gather_anew(self.now, gatherer(self.now, u64::from(*first))),
            12 => self.restart(),
            13 if *first == 255 => self.agent.close(self.now),
            // The TURN server relays what the peer could have sent (RFC 8656 section 12.4).
            14 => {
                let length = u16::try_from(content.len()).expect("steps have 255 bytes at most");
                let header = [0x40, *first, length.to_be_bytes()[0], length.to_be_bytes()[1]];
                self.arrive(1, [&header[..], content].concat());
            }
            _ => {
                let channel = self.agent.connection_mut().open_channel(self.now, Default::default());
                if let Ok(channel) = channel {
                    let _ = self.agent.connection_mut().write(self.now, channel, bytes.to_vec().into());
                }
            }
        }
    }

    /// From the STUN server, the TURN server or the peer.
    fn arrive(&mut self, from: usize, datagram: Vec<u8>) {
        self.agent.handle_datagram(self.now, local(), addresses()[from], &datagram);
    }

    fn arrive_stun(&mut self, from: usize, first: u8, content: &[u8]) {
        let kind = [0x0001, 0x0101, 0x0111, 0x0103, 0x0113, 0x0108, 0x0109, 0x0017][usize::from(first & 7)];
        let Self { ours, theirs, .. } = self;
        // A check of the peer's, or its answer to ours; else without proof.
        let (username, password) = match (first & 8 == 0, kind) {
            (true, 1) => (format!("{}:{}", ours.ufrag, theirs.ufrag), Some(&ours.password)),
            (true, _) => (String::new(), Some(&theirs.password)),
            (false, _) => (String::new(), None),
        };
        let transaction = self.requests[from];
        let datagram = stun::message(kind, transaction, &username, password.map(String::as_str), content);
        self.arrive(from, datagram);
    }

    /// An honest restart of ICE by the peer.
    fn restart(&mut self) {
        let now = self.now;
        if self.peer.restart_ice(now).is_ok()
            && let Ok(offer) = self.peer.create_offer(now)
            && let Ok(answer) = self.agent.connection_mut().accept_offer(now, &offer)
        {
            (self.ours, self.theirs) = (read(&answer), read(&offer));
            let _ = self.peer.accept_answer(now, &answer);
        }
    }

    /// Whoever waits for deadlines must not spin.
    fn pass(&mut self, time: Duration) {
        self.now += time;
        let mut restless = 0;
        while self.agent.poll_timeout().is_some_and(|deadline| deadline <= self.now) {
            self.agent.handle_timeout(self.now);
            self.drain();
            restless += 1;
            assert!(restless < RESTLESS, "the deadline stays in the past");
        }
    }

    fn drain(&mut self) {
        let [stun, turn, _] = addresses();
        let mut taken = 0;
        while let Some(transmit) = self.agent.poll_transmit() {
            assert_eq!(transmit.local, local(), "nothing leaves from an address that is not ours");
            let to = if transmit.remote == stun {
                0
            } else if transmit.remote == turn {
                1
            } else {
                2
            };
            if let Some(id) = transmit.payload.get(TRANSACTION_ID) {
                self.requests[to].copy_from_slice(id);
            }
            taken += 1;
        }
        while let Some(event) = self.agent.poll_event() {
            self.closed |= matches!(event, AgentEvent::Connection(Event::Closed(_)));
            taken += 1;
        }
        assert!(taken <= WAITING, "{taken} events and datagrams waited");
    }
}

fn local() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 1_000))
}

/// Of the STUN server, the TURN server and the peer.
fn addresses() -> [SocketAddr; 3] {
    [([203, 0, 113, 1], 3_478), ([203, 0, 113, 2], 3_478), ([10, 0, 0, 9], 9)].map(SocketAddr::from)
}

fn read(description: &str) -> Description {
    Description::parse(description).expect("our own descriptions can be read")
}

fn signalled(now: Instant, end: usize) -> Connection {
    Connection::signalled(&Settings::new(certificate(end).clone()), now).expect("one can be made")
}

fn gatherer(now: Instant, seed: u64) -> Gatherer {
    let [stun, turn, _] = addresses();
    let settings = GatherSettings {
        locals: vec![local()],
        servers: vec![
            IceServer::Stun { address: stun },
            IceServer::Turn { address: turn, username: "user".to_owned(), credential: "secret".to_owned() },
        ],
        relay_only: false,
        seed,
    };
    Gatherer::new(settings, now).expect("the settings are within their bounds")
}
