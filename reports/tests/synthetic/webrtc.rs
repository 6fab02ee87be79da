//! Runs in which WebRTC took part.

use std::collections::BTreeMap;

use darkswap_records::record::{Event, Record};

use super::{Dice, Draft, KINDS};

/// One pair in the making.
struct Pair<'a> {
    from: String,
    to: String,
    nats: [&'a str; 2],
    start: f64,
}

impl Pair<'_> {
    fn tags(&self) -> [(&str, &str); 4] {
        [("from", &self.from), ("to", &self.to), ("from_nat", self.nats[0]), ("to_nat", self.nats[1])]
    }

    fn turned(&self) -> Self {
        Self { from: self.to.clone(), to: self.from.clone(), nats: [self.nats[1], self.nats[0]], start: self.start }
    }
}

impl Draft {
    /// ICE of both ends goes through these states, each with the time since the start.
    fn ice(&mut self, pair: &Pair<'_>, states: &[(f64, &str)]) {
        for (host, peer, late) in [(&pair.from, &pair.to, 0.0), (&pair.to, &pair.from, 0.06)] {
            for (after, state) in states {
                let fields =
                    BTreeMap::from([("peer".to_string(), peer.clone()), ("state".to_string(), (*state).to_string())]);
                let at_us = ((pair.start + after + late) * 1e6) as u64;
                let event = Event { at_us, host: host.clone(), kind: "ice_state".into(), fields };
                self.records.push(Record::Event(event));
            }
        }
    }

    fn candidates(&mut self, pair: &Pair<'_>, at: f64, own: &str, remote: &str) {
        let turned = pair.turned();
        for (pair, own, remote) in [(pair, own, remote), (&turned, remote, own)] {
            self.category(at, "candidate_pair", own, &[pair.tags().as_slice(), &[("remote_kind", remote)]].concat());
        }
    }
}

/// DCUtR over QUIC and ICE over WebRTC race for every pair of NAT kinds; a router forgets its mappings later.
pub(crate) fn race(seed: u64) -> Draft {
    let about = "Every pair of NAT kinds connects through a relay first; then a direct dial, DCUtR over QUIC and ICE over WebRTC race.";
    let mut draft = Draft::new("webrtc/race", "Who wins the race for a direct path", about, seed);
    let mut dice = Dice::new(seed);
    draft.fault("nat_reset", "left-ei_apd", 40.0, None, 12);
    draft.fault("partition", "left | right", 46.0, Some(50.0), 300);
    for side in ["left", "right"] {
        for kind in KINDS {
            draft.host(&format!("{side}-{}", kind.replace('/', "_").to_lowercase()), kind);
        }
    }
    for (row, from_nat) in KINDS.iter().enumerate() {
        for (column, to_nat) in KINDS.iter().enumerate() {
            let name = |side: &str, kind: &str| format!("{side}-{}", kind.replace('/', "_").to_lowercase());
            let start = 5.0 + (row * 5 + column) as f64 * 0.2;
            let pair =
                Pair { from: name("left", from_nat), to: name("right", to_nat), nats: [from_nat, to_nat], start };
            compete(&mut draft, &mut dice, &pair, [row, column]);
        }
    }
    draft.expect("share(path == direct) >= 80%", 0.88, "88 %", true);
    draft
}

/// What becomes of one pair; `kinds` grow with the trouble that their NATs make.
fn compete(draft: &mut Draft, dice: &mut Dice, pair: &Pair<'_>, [row, column]: [usize; 2]) {
    let with = |transport: &'static str| [pair.tags().as_slice(), &[("transport", transport)]].concat();
    if row.min(column) == 0 {
        let transport = if dice.roll() < 0.8 { "quic" } else { "webrtc" };
        let time = dice.tail(0.12);
        draft.value(pair.start + time, "connect_time", time, &[with(transport), vec![("path", "direct")]].concat());
        draft.category(60.0, "path", "direct", &with(transport));
        if transport == "webrtc" {
            draft.ice(pair, &[(0.0, "new"), (0.01, "checking"), (time, "connected"), (time + 0.1, "completed")]);
            draft.candidates(pair, pair.start + time, "host", "peer_reflexive");
        }
        return;
    }
    let time = dice.tail(0.3);
    draft.value(pair.start + time, "connect_time", time, &[with("circuit"), vec![("path", "relayed")]].concat());
    let role = |role| [pair.tags().as_slice(), &[("role", role)]].concat();
    let possible = row + column < 7;
    let outcome = if possible { "succeeded" } else { "failed" };
    draft.category(pair.start + 3.0, "negotiation", outcome, &role("offerer"));
    draft.category(pair.start + 3.0, "negotiation", outcome, &role("answerer"));
    if !possible {
        draft.ice(pair, &[(0.4, "new"), (0.5, "checking"), (15.5, "failed"), (15.6, "closed")]);
        draft.category(60.0, "path", "relayed", &with("circuit"));
        return;
    }
    let webrtc = dice.roll() < 0.2 + 0.15 * row.max(column) as f64;
    let transport = if webrtc { "webrtc" } else { "quic" };
    let upgrade = dice.tail(if webrtc { 0.9 } else { 0.6 });
    draft.value(pair.start + time + upgrade, "upgrade_time", upgrade, &with(transport));
    draft.category(60.0, "path", "direct", &with(transport));
    let mut states = vec![(0.4, "new"), (0.45, "checking"), (0.4 + upgrade, "connected")];
    if webrtc {
        states.push((0.6 + upgrade, "completed"));
        if row == 3 {
            // The mapping is forgotten; ICE restarts.
            let reset = 40.0 - pair.start;
            states.extend([(reset + 1.0, "disconnected"), (reset + 2.0, "checking"), (reset + 2.6, "connected")]);
        }
    } else {
        states.push((0.9 + upgrade, "closed"));
    }
    draft.ice(pair, &states);
    let kind = |trouble: usize| if trouble == 4 { "peer_reflexive" } else { "server_reflexive" };
    draft.candidates(pair, pair.start + 0.1, "host", "host");
    draft.candidates(pair, pair.start + time + upgrade, kind(row), kind(column));
}

/// With TURN only relayed candidates are left to the worst pair.
pub(crate) fn relayed_by_turn(seed: u64) -> Draft {
    let mut draft = Draft::new("webrtc/turn", "The worst NATs with a TURN server", "", seed);
    draft.host("left", "APD/APD");
    draft.host("right", "APD/APD");
    let pair = Pair { from: "left".into(), to: "right".into(), nats: ["APD/APD"; 2], start: 2.0 };
    draft.candidates(&pair, 3.0, "relayed", if seed.is_multiple_of(2) { "relayed" } else { "server_reflexive" });
    draft.ice(&pair, &[(0.0, "new"), (0.1, "checking"), (1.0 + seed as f64 / 4.0, "connected")]);
    draft
}

/// A hundred channels of four priorities on one connection.
pub(crate) fn channels(seed: u64) -> Draft {
    let about = "One pair opens a hundred data channels at once, a quarter of them at each priority, over a slow link.";
    let mut draft = Draft::new("webrtc/priorities", "A hundred channels compete for one link", about, seed);
    let mut dice = Dice::new(seed);
    draft.host("alice", "EI/APD");
    draft.host("bob", "public");
    for channel in 0..100 {
        let (priority, median) = [("high", 4.0), ("medium", 7.0), ("low", 12.0), ("very_low", 20.0)][channel % 4];
        let tags = [("from", "alice"), ("to", "bob"), ("priority", priority)];
        if channel == 99 {
            draft.category(58.0, "channel", "failed", &tags);
            continue;
        }
        let (open, whole) = (dice.tail(0.09), dice.tail(median));
        draft.category(10.0 + whole, "channel", "completed", &tags);
        draft.value(10.0 + open, "channel_open_time", open, &tags);
        draft.value(10.0 + whole, "channel_time", whole, &tags);
        draft.value(10.0 + whole, "channel_bytes", f64::from(1 << 20), &tags);
    }
    draft
}

/// All of the above.
pub(crate) fn webrtc() -> Vec<Draft> {
    let seeds = |count: u64, draft: fn(u64) -> Draft| (1..=count).map(draft).collect::<Vec<_>>();
    [seeds(8, race), seeds(2, relayed_by_turn), seeds(2, channels)].into_iter().flatten().collect()
}
