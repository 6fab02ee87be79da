//! Run directories as a simulator would leave them, made up but plausible, and the same every time.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use darkswap_records::record::{self, End, Fault, Host, Outcome, Record, Run, Sample};
use darkswap_records::sample::Samples;
use darkswap_records::summary::{self, FigureSummary, RunSummary, Status, Summary};

pub(crate) mod relay;
pub(crate) mod webrtc;

/// Numbers that look random and are not.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5DEE_CE66)
    }

    /// Uniform between 0 and 1.
    pub(crate) fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Around `median`, with a tail to the right.
    pub(crate) fn tail(&mut self, median: f64) -> f64 {
        let normal = (0..6).map(|_| self.roll()).sum::<f64>() - 3.0;
        median * (normal * 0.7).exp()
    }
}

/// A run under construction.
pub(crate) struct Draft {
    pub(crate) head: Run,
    pub(crate) records: Vec<Record>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) simulated_s: f64,
    pub(crate) status: Status,
    pub(crate) error: Option<String>,
    /// Whether the worker lived to write its closing record.
    pub(crate) ended: bool,
}

impl Draft {
    pub(crate) fn new(scenario: &str, title: &str, about: &str, seed: u64) -> Self {
        let head = Run {
            version: record::VERSION,
            scenario: scenario.into(),
            title: title.into(),
            about: about.into(),
            seed,
            commit: "4f2a9c81d0e7b6533aa1c0de".into(),
            hosts: vec![host("relay", "relay", "public")],
        };
        Self {
            head,
            records: Vec::new(),
            faults: Vec::new(),
            outcomes: Vec::new(),
            simulated_s: 60.0,
            status: Status::Passed,
            error: None,
            ended: true,
        }
    }

    pub(crate) fn host(&mut self, name: &str, nat: &str) {
        self.head.hosts.push(host(name, "peer", nat));
    }

    pub(crate) fn value(&mut self, at: f64, figure: &str, value: f64, tags: &[(&str, &str)]) {
        self.push(at, figure, value, None, tags);
    }

    pub(crate) fn category(&mut self, at: f64, figure: &str, category: &str, tags: &[(&str, &str)]) {
        self.push(at, figure, 1.0, Some(category.into()), tags);
    }

    fn push(&mut self, at: f64, figure: &str, value: f64, category: Option<String>, tags: &[(&str, &str)]) {
        let tags = tags.iter().map(|(name, value)| ((*name).to_string(), (*value).to_string())).collect();
        let at_us = (at * 1e6).round() as u64;
        self.records.push(Record::Sample(Sample { at_us, figure: figure.into(), value, category, tags }));
    }

    pub(crate) fn fault(&mut self, kind: &str, target: &str, from: f64, until: Option<f64>, touched: u64) {
        let micros = |seconds: f64| (seconds * 1e6).round() as u64;
        let fault = Fault {
            at_us: micros(from),
            until_us: until.map(micros),
            kind: kind.into(),
            target: target.into(),
            touched,
        };
        self.faults.push(fault.clone());
        self.records.push(Record::Fault(fault));
    }

    pub(crate) fn expect(&mut self, line: &str, value: f64, shown: &str, held: bool) {
        let outcome = Outcome { line: line.into(), value: Some(value), shown: shown.into(), held, error: None };
        self.outcomes.push(outcome);
        if !held {
            self.status = Status::Failed;
        }
    }

    fn packets(&self) -> BTreeMap<String, u64> {
        let sent = 40_000 + self.head.seed * 17;
        BTreeMap::from([("sent".into(), sent), ("delivered".into(), sent - 1_200), ("lost".into(), 1_200)])
    }

    fn folder(&self) -> String {
        format!("{}/seed-{}", self.head.scenario, self.head.seed)
    }

    /// The run's records as JSON Lines.
    pub(crate) fn lines(&self) -> String {
        let mut records = vec![Record::Run(self.head.clone())];
        records.extend(self.records.iter().cloned());
        if self.ended {
            records.extend(self.outcomes.iter().cloned().map(Record::Expectation));
            records.push(Record::End(End {
                at_us: (self.simulated_s * 1e6) as u64,
                passed: self.status == Status::Passed,
                trace_hash: self.hash(),
                packets: self.packets(),
            }));
        }
        records.iter().map(|record| serde_json::to_string(record).unwrap() + "\n").collect()
    }

    fn hash(&self) -> String {
        format!("{:016x}{:016x}", self.head.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15), self.records.len())
    }

    pub(crate) fn summary(&self) -> RunSummary {
        let ended = self.ended;
        let (scenario, seed) = (self.head.scenario.clone(), self.head.seed);
        RunSummary {
            passed: self.status == Status::Passed,
            status: self.status,
            trace_hash: if ended { self.hash() } else { String::new() },
            simulated_s: if ended { self.simulated_s } else { 0.0 },
            wall_s: 0.7 + seed as f64 * 0.01,
            cpu_s: 0.6,
            peak_memory_bytes: 48 << 20,
            packets: if ended { self.packets() } else { BTreeMap::new() },
            expectations: self.outcomes.clone(),
            faults: self.faults.clone(),
            figures: if ended { FigureSummary::of_all(&Samples::from_records(&self.records)) } else { BTreeMap::new() },
            records: format!("{}/records.jsonl", self.folder()),
            error: self.error.clone(),
            replay: (self.status != Status::Passed)
                .then(|| format!("cargo run --release -- replay scenarios/{scenario}.yaml --seed {seed}")),
            scenario,
            seed,
        }
    }
}

fn host(name: &str, role: &str, nat: &str) -> Host {
    Host {
        name: name.into(),
        role: role.into(),
        group: role.into(),
        nat: nat.into(),
        region: String::new(),
        address: "10.0.0.1".into(),
    }
}

/// Writes a run directory. Drafts that crashed before they wrote anything have no records.
pub(crate) fn write(dir: &Path, drafts: &[Draft]) -> PathBuf {
    fs::create_dir_all(dir).unwrap();
    for draft in drafts.iter().filter(|draft| draft.ended || !draft.records.is_empty()) {
        let folder = dir.join(draft.folder());
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("records.jsonl"), draft.lines()).unwrap();
    }
    let mut runs: Vec<RunSummary> = drafts.iter().map(Draft::summary).collect();
    runs.sort_by(|one, other| (&one.scenario, one.seed).cmp(&(&other.scenario, other.seed)));
    let summary = Summary {
        version: summary::VERSION,
        commit: "4f2a9c81d0e7b6533aa1c0de".into(),
        started: "2026-03-01T12:00:00Z".into(),
        command: "darkswap-sim run scenarios".into(),
        runs,
    };
    fs::write(dir.join("summary.json"), summary.to_json().unwrap()).unwrap();
    dir.to_path_buf()
}

const KINDS: [&str; 5] = ["public", "EI/EI", "EI/AD", "EI/APD", "APD/APD"];

/// Every pair of kinds; one cell comes out worse than predicted.
pub(crate) fn nat_matrix(seed: u64) -> Draft {
    let about = "One pair per combination of NAT kinds, over QUIC with hole punching.\n\nMapping comes first, filtering second: \
                 endpoint-independent, address-dependent, or address-and-port-dependent.";
    let mut draft = Draft::new("nat/matrix", "Which kinds of NAT let two peers talk directly", about, seed);
    let mut dice = Dice::new(seed);
    for (index, kind) in KINDS.iter().enumerate() {
        draft.host(&format!("peer-{index}"), kind);
    }
    for (row, from_nat) in KINDS.iter().enumerate() {
        for (column, to_nat) in KINDS.iter().enumerate() {
            for _ in 0..4 {
                let possible = row + column < 7;
                let direct = possible && !(row == 3 && column == 2 && dice.roll() < 0.5);
                let path = if direct { "direct" } else { "relayed" };
                let pair = [("from_nat", *from_nat), ("to_nat", *to_nat), ("transport", "quic")];
                let connect = if row + column == 0 { dice.tail(0.09) } else { dice.tail(0.35) };
                let tags =
                    [pair.as_slice(), &[("path", if row.min(column) == 0 { "direct" } else { "relayed" })]].concat();
                draft.value(1.0 + connect, "connect_time", connect, &tags);
                draft.category(30.0, "path", path, &pair);
                let verdict = if direct == possible { "as_predicted" } else { "worse" };
                draft.category(30.0, "direct_possible", verdict, &[pair.as_slice(), &[("predicate", "nat")]].concat());
                if direct && row.min(column) > 0 {
                    let upgrade = dice.tail(0.8);
                    draft.value(1.5 + upgrade, "upgrade_time", upgrade, &pair);
                }
            }
        }
    }
    draft.simulated_s = 30.0;
    draft.expect("share(path == direct) >= 70%", 0.86, "86 %", true);
    let held = seed != 3;
    draft.expect(
        "count(direct_possible == worse) == 0",
        if held { 0.0 } else { 2.0 },
        if held { "0" } else { "2" },
        held,
    );
    draft.expect("p95(connect_time) < 3s", 1.2, "1.2 s", true);
    draft
}

/// Messages and gossip through a partition and a forgotten mapping.
pub(crate) fn partition(seed: u64) -> Draft {
    let about = "Two regions are cut off from each other for twenty seconds; later a home router forgets its mappings.";
    let mut draft = Draft::new("faults/partition", "Partition and heal", about, seed);
    draft.simulated_s = 90.0;
    draft.head.hosts.extend((0..12).map(|n| host(&format!("peer-{n}"), "peer", "EI/APD")));
    let mut dice = Dice::new(seed);
    draft.fault("partition", "eu | us", 20.0, Some(40.0), 812 + seed * 3);
    draft.fault("nat_reset", "site-3", 62.0, None, 9);
    draft.fault("link_flap", "peer-7 uplink", 70.0, Some(72.0), 64);
    for second in 1..=90_u32 {
        let at = f64::from(second);
        let cut = at > 20.0 && at <= 40.0;
        let bumpy = at > 62.0 && at <= 65.0;
        for message in 0..24 {
            let relayed = message % 3 == 0 || bumpy;
            let (median, path) = if relayed { (0.11, "relayed") } else { (0.045, "direct") };
            let failed = cut && message % 2 == 0;
            let category = if failed { "failed" } else { "delivered" };
            let time = dice.tail(median);
            let when = at - dice.roll();
            draft.category(when, "message", category, &[("path", path)]);
            if !failed {
                draft.value(when, "message_time", time, &[("path", path)]);
                draft.value(when, "round_trip", time * 0.9, &[("path", path)]);
            }
        }
        for host in 0..6 {
            let name = format!("peer-{host}");
            let factor = if cut { 0.5 } else { 1.0 };
            let shift = if bumpy { 0.3 } else { 1.0 };
            let bytes = (9_000.0 * factor * (0.9 + 0.2 * dice.roll())).round();
            draft.value(at, "bytes_direct", (bytes * shift).round(), &[("host", &name)]);
            draft.value(at, "bytes_relayed", (bytes * (1.3 - shift)).round(), &[("host", &name)]);
            draft.value(at, "delivered_bytes", (bytes * 0.8).round(), &[("host", &name)]);
        }
        if second % 3 == 0 {
            draft.value(at, "gossip_coverage", if cut { 0.55 } else { 1.0 }, &[("topic", "orders")]);
            for _ in 0..8 {
                draft.category(at, "gossip", if cut && dice.roll() < 0.45 { "missed" } else { "delivered" }, &[]);
                draft.value(at, "gossip_time", dice.tail(0.16), &[("topic", "orders")]);
            }
        }
    }
    for (fault, median) in [("partition", 2.4), ("nat_reset", 0.7), ("link_flap", 0.4)] {
        for _ in 0..6 {
            draft.value(80.0, "recovery_time", dice.tail(median), &[("fault", fault)]);
        }
    }
    draft.expect("p95(recovery_time) < 10s", 4.1 + seed as f64 / 10.0, &format!("4.{seed} s"), true);
    draft.expect("count(message == lost) == 0", 0.0, "0", true);
    draft
}

/// The smallest scenario.
pub(crate) fn quickstart(seed: u64) -> Draft {
    let mut draft = Draft::new("quickstart", "A relay and six peers, four of them behind NATs", "", seed);
    let mut dice = Dice::new(seed);
    for (index, nat) in ["public", "EI/APD", "APD/APD"].iter().enumerate() {
        draft.host(&format!("peer-{index}"), nat);
        draft.category(
            60.0,
            "path",
            if index == 2 { "relayed" } else { "direct" },
            &[("from_nat", nat), ("to_nat", "public")],
        );
        draft.value(2.0, "connect_time", dice.tail(0.2), &[("path", "direct")]);
    }
    for second in 1..=60_u32 {
        draft.category(f64::from(second), "message", "delivered", &[("path", "direct")]);
        draft.value(f64::from(second), "round_trip", dice.tail(0.05), &[("path", "direct")]);
    }
    draft.expect("share(path == direct) >= 60%", 0.666, "66.6 %", true);
    draft
}

/// A relay dies; seed 1 crashes at once, seed 2 hangs half-way, seed 3 ends.
pub(crate) fn relay_death(seed: u64) -> Draft {
    let mut draft = Draft::new("relay/death", "The relay dies and comes back", "", seed);
    match seed {
        1 => {
            draft.ended = false;
            draft.status = Status::Crashed;
            draft.error = Some("worker ended with signal 6: panicked at 'circuit without reservation'".into());
        }
        2 => {
            draft.value(3.0, "connect_time", 0.4, &[("path", "relayed")]);
            draft.ended = false;
            draft.status = Status::Hung;
            draft.error = Some("no progress for 60 s at 31.2 s of simulated time".into());
        }
        _ => {
            draft.value(3.0, "connect_time", 0.5, &[("path", "relayed")]);
            draft.fault("crash", "relay", 20.0, Some(30.0), 0);
            draft.status = Status::Failed;
            draft.expect("p95(connect_time) < 3s", 0.5, "500 ms", true);
        }
    }
    draft
}

/// All of the above.
pub(crate) fn suite() -> Vec<Draft> {
    let seeds = |count: u64, draft: fn(u64) -> Draft| (1..=count).map(draft).collect::<Vec<_>>();
    [seeds(5, quickstart), seeds(5, nat_matrix), seeds(3, partition), seeds(3, relay_death)]
        .into_iter()
        .flatten()
        .collect()
}
