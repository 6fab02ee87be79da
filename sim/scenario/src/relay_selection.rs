//! How the hosts of a population choose their relays.

use std::time::Duration;

use darkswap_connectivity::relay::policy::{PARAMETERS, POLICIES, Parameter, Parameters};
use darkswap_connectivity::relay::reservation::STANDBYS;

use crate::bound;
use crate::fields::{Fields, Section};
use crate::problem::{Problems, quote};
use crate::topology::{Hints, RelaySelection};
use crate::tree::Node;
use crate::value;

pub(crate) const RELAY_SELECTION: Section = Section {
    name: "`relay_selection`",
    fields: &["policy", "standbys", "parameters", "probe_in_use", "probe_idle", "discovery", "hints"],
};

/// What hosts may be told of where relays are.
const HINTS: [(&str, Hints); 2] = [("none", Hints::None), ("regions", Hints::Regions)];

/// The names of the table of parameters.
const NAMES: [&str; PARAMETERS.len()] = {
    let mut names = [""; PARAMETERS.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = PARAMETERS[at].name;
        at += 1;
    }
    names
};

pub(crate) const SELECTION_PARAMETERS: Section = Section { name: "`parameters` of `relay_selection`", fields: &NAMES };

impl RelaySelection {
    /// Reads the field of a host. What is not said is as in a node that is told nothing.
    pub(crate) fn read(node: &Node, problems: &mut Problems<'_>) -> Option<Self> {
        let plain = Self::default();
        let fields = Fields::open(node, &RELAY_SELECTION, problems)?;
        let policies: Vec<(&str, &'static str)> =
            POLICIES.iter().map(|policy| (policy.name(), policy.name())).collect();
        let standbys = match fields.find("standbys") {
            Some(node) => value::number(node, 0..=STANDBYS as u64, problems).map(|count| count as usize),
            None => Some(plain.standbys),
        };
        let parameters = fields.find("parameters").map_or(Some(plain.parameters), |node| parameters(node, problems));
        Some(Self {
            policy: fields.word("policy", &policies, plain.policy, problems),
            standbys: standbys?,
            parameters: parameters?,
            probe_in_use: fields.duration("probe_in_use", bound::PROBE, plain.probe_in_use, problems),
            probe_idle: fields.duration("probe_idle", bound::PROBE, plain.probe_idle, problems),
            discovery: fields.switch("discovery", plain.discovery, problems),
            hints: fields.word("hints", &HINTS, plain.hints, problems),
        })
    }
}

/// The parameters of all policies: those that the file sets, and the defaults of the others.
fn parameters(node: &Node, problems: &mut Problems<'_>) -> Option<Parameters> {
    let fields = Fields::open(node, &SELECTION_PARAMETERS, problems)?;
    let mut parameters = Parameters::default();
    let mut complete = true;
    for parameter in PARAMETERS {
        let Some(node) = fields.find(parameter.name) else { continue };
        let set = parameter_value(parameter, node, problems).is_some_and(|value| {
            let set = parameters.set(parameter.name, value);
            if let Err(error) = &set {
                // Its range was checked, in the words of the file.
                problems.add(node.place, quote(&value.to_string()), error.to_string());
            }
            set.is_ok()
        });
        complete &= set;
    }
    complete.then_some(parameters)
}

/// The value of one parameter in its unit, as the file writes it: a duration, a whole number or a number.
fn parameter_value(parameter: &Parameter, node: &Node, problems: &mut Problems<'_>) -> Option<f64> {
    let (low, high) = parameter.range;
    match parameter.unit {
        "s" => {
            let range = Duration::from_secs_f64(low)..=Duration::from_secs_f64(high);
            value::duration(node, range, problems).map(|value| value.as_secs_f64())
        }
        "" => value::decimal(node, low..=high, problems),
        _ => value::number(node, low as u64..=high as u64, problems).map(|value| value as f64),
    }
}
