//! The records of one run, reduced to what a page needs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::rc::Rc;

use darkswap_records::figure;
use darkswap_records::read::read;
use darkswap_records::record::{self, Event, Fault, Record, Tags};
use darkswap_records::summary::RunSummary;

/// Tags by which plots group; the others are in the CSV only.
const KEPT: &[&str] = &["path", "from_nat", "to_nat", "fault", "predicate", "transport", "remote_kind", "priority"];
/// Figures that keep more of them: of a candidate pair only the last sample of each host and peer counts, the others have a row for each.
const NAMED: &[(&str, &[&str])] = &[
    ("candidate_pair", &["from", "to"]),
    ("tip_time", &["to"]),
    ("payment_time", &["to"]),
    ("order_time", &["to"]),
    ("broadcast_time", &["from"]),
    ("swap_time", &["role"]),
    ("trade", &["to"]),
    ("trade_lie", &["how"]),
    ("convergence_time", &["after"]),
    ("order_bytes", &["to"]),
    ("value_lost", &["asset"]),
    ("value_gained", &["asset"]),
    ("circuit_stretch", &["relay"]),
    ("home_change", &["from", "relay"]),
    ("relay_load", &["relay", "of"]),
    ("relay_bytes", &["relay"]),
    ("relay_reservations", &["relay"]),
    ("relay_probe", &["relay"]),
    ("reservation", &["relay"]),
];

/// One run.
#[derive(Debug)]
pub(crate) struct Run {
    /// What the summary says of it.
    pub(crate) summary: RunSummary,
    /// What its records say it was; none when they are missing.
    pub(crate) head: Option<record::Run>,
    /// How much of the records there is.
    pub(crate) evidence: Evidence,
    /// Faults that were applied.
    pub(crate) faults: Vec<Fault>,
    /// Names of figures that this version does not know.
    pub(crate) unknown: BTreeSet<String>,
    /// How long it ran, in simulated seconds.
    pub(crate) end_s: f64,
    /// Changes of the state of ICE, in the order in which they were reported.
    pub(crate) ice: Vec<IceChange>,
    samples: BTreeMap<&'static str, Vec<Sample>>,
}

/// How much of a run's records there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// Everything to the end of the run.
    Complete,
    /// They stop before the end.
    CutShort,
    /// There is no file.
    Missing,
    /// There is a file that is not this run's records.
    Unreadable(String),
}

/// A host's ICE agent (RFC 8445) for a peer went into a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IceChange {
    /// Simulated microseconds since the start of the run.
    pub(crate) at_us: u64,
    /// Whose agent.
    pub(crate) host: Rc<str>,
    /// For a connection with whom.
    pub(crate) peer: Rc<str>,
    /// The state as the records name it.
    pub(crate) state: Rc<str>,
}

/// One measured value with the tags that plots use.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// Seconds since the start of the run.
    pub(crate) at: f64,
    /// In the figure's unit.
    pub(crate) value: f64,
    /// The category of a category figure; empty otherwise.
    pub(crate) category: Rc<str>,
    tags: Rc<Tags>,
}

impl Sample {
    /// A tag's value; empty when the sample does not carry it.
    pub(crate) fn tag(&self, name: &str) -> &str {
        self.tags.get(name).map_or("", String::as_str)
    }
}

impl Run {
    /// Reads a run's records and shows all of them to `visit` on the way.
    pub(crate) fn load<E>(
        summary: &RunSummary,
        path: &Path,
        visit: impl FnOnce(&[Record]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let (records, evidence) = match open(summary, path) {
            Ok(records) => {
                let ended = matches!(records.last(), Some(Record::End(_)));
                (records, if ended { Evidence::Complete } else { Evidence::CutShort })
            }
            Err(evidence) => (Vec::new(), evidence),
        };
        visit(&records)?;
        Ok(Self::new(summary.clone(), evidence, records))
    }

    fn new(summary: RunSummary, evidence: Evidence, records: Vec<Record>) -> Self {
        let mut run = Self {
            end_s: summary.simulated_s,
            faults: summary.faults.clone(),
            summary,
            head: None,
            evidence,
            ice: Vec::new(),
            unknown: BTreeSet::new(),
            samples: BTreeMap::new(),
        };
        let mut names = Names::default();
        let mut faults = Vec::new();
        for record in records {
            match record {
                Record::Run(head) => run.head = Some(head),
                Record::Sample(sample) => run.push(sample, &mut names),
                Record::Fault(fault) => faults.push(fault),
                Record::End(end) => run.end_s = run.end_s.max(seconds(end.at_us)),
                Record::Event(event) => run.ice.extend(ice_change(&event, &mut names)),
                Record::Expectation(_) => {}
            }
        }
        if !faults.is_empty() {
            run.faults = faults;
        }
        run
    }

    fn push(&mut self, sample: record::Sample, names: &mut Names) {
        let Some(figure) = figure::find(&sample.figure) else {
            self.unknown.insert(sample.figure);
            return;
        };
        let at = seconds(sample.at_us);
        self.end_s = self.end_s.max(at);
        let category = names.word(sample.category.as_deref().unwrap_or_default());
        let tags = names.tags(figure.name, sample.tags);
        self.samples.entry(figure.name).or_default().push(Sample { at, value: sample.value, category, tags });
    }

    /// The samples of a figure; empty when there are none.
    pub(crate) fn samples(&self, figure: &str) -> &[Sample] {
        self.samples.get(figure).map_or(&[], Vec::as_slice)
    }
}

fn open(summary: &RunSummary, path: &Path) -> Result<Vec<Record>, Evidence> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(Evidence::Missing),
        Err(error) => return Err(Evidence::Unreadable(error.to_string())),
    };
    let records = read(BufReader::new(file)).map_err(|error| Evidence::Unreadable(error.to_string()))?;
    match records.first() {
        Some(Record::Run(head)) if head.scenario == summary.scenario && head.seed == summary.seed => Ok(records),
        Some(Record::Run(head)) => {
            Err(Evidence::Unreadable(format!("these are the records of {} seed {}", head.scenario, head.seed)))
        }
        _ => Err(Evidence::Unreadable("the first record is not a run".into())),
    }
}

fn ice_change(event: &Event, names: &mut Names) -> Option<IceChange> {
    if event.kind != "ice_state" {
        return None;
    }
    let mut word = |text: &str| names.word(text);
    Some(IceChange {
        at_us: event.at_us,
        peer: word(event.fields.get("peer")?),
        state: word(event.fields.get("state")?),
        host: word(&event.host),
    })
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// Texts that many samples share, kept once.
#[derive(Default)]
struct Names {
    words: BTreeSet<Rc<str>>,
    tags: BTreeSet<Rc<Tags>>,
}

impl Names {
    fn word(&mut self, name: &str) -> Rc<str> {
        if let Some(known) = self.words.get(name) {
            return Rc::clone(known);
        }
        let name: Rc<str> = name.into();
        self.words.insert(Rc::clone(&name));
        name
    }

    fn tags(&mut self, figure: &str, mut tags: Tags) -> Rc<Tags> {
        let named = |name: &str| NAMED.iter().any(|(of, names)| figure == *of && names.contains(&name));
        tags.retain(|name, _| KEPT.contains(&name.as_str()) || named(name));
        if let Some(known) = self.tags.get(&tags) {
            return Rc::clone(known);
        }
        let tags = Rc::new(tags);
        self.tags.insert(Rc::clone(&tags));
        tags
    }
}
