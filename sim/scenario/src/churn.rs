//! Hosts that leave and come back.

use std::time::Duration;

use crate::bound;
use crate::draw::{Distribution, Draw};
use crate::fields::{Fields, Section};
use crate::problem::Problems;
use crate::topology::{Absence, Host, HostIndex};
use crate::tree::Node;
use crate::value;

/// The fields of `churn`.
pub(crate) const CHURN: Section = Section { name: "`churn`", fields: &["hosts", "session", "absence", "distribution"] };

const DISTRIBUTIONS: [(&str, Distribution); 2] =
    [("weibull", Distribution::Weibull), ("exponential", Distribution::Exponential)];

/// Who comes and goes, and how long it takes on average.
#[derive(Debug, Clone)]
pub(crate) struct Churn {
    pub(crate) hosts: Vec<HostIndex>,
    session: Duration,
    absence: Duration,
    distribution: Distribution,
}

impl Churn {
    /// Reads the value of `churn`; `select` finds hosts.
    pub(crate) fn read(
        node: &Node,
        select: impl Fn(&Node, &mut Problems<'_>) -> Option<Vec<HostIndex>>,
        problems: &mut Problems<'_>,
    ) -> Option<Self> {
        let fields = Fields::open(node, &CHURN, problems)?;
        let hosts = fields.require("hosts", problems).and_then(|node| select(node, problems));
        let session =
            fields.require("session", problems).and_then(|node| value::duration(node, bound::SESSION, problems));
        let absence =
            fields.require("absence", problems).and_then(|node| value::duration(node, bound::SESSION, problems));
        let distribution = fields.word("distribution", &DISTRIBUTIONS, Distribution::Weibull, problems);
        Some(Self { hosts: hosts?, session: session?, absence: absence?, distribution })
    }

    /// The absences between `from` and `until`, in the order of time. Whoever is away at the end comes back then.
    pub(crate) fn absences(&self, hosts: &[Host], from: Duration, until: Duration, draw: &mut Draw) -> Vec<Absence> {
        let mut absences = Vec::new();
        for host in &self.hosts {
            let mut at = from.max(hosts[host.0].start);
            loop {
                let leaves = at + draw.distributed(self.session, self.distribution);
                if leaves >= until || absences.len() == bound::ABSENCES {
                    break;
                }
                let back = (leaves + draw.distributed(self.absence, self.distribution)).min(until);
                absences.push(Absence { from: leaves, until: Some(back), host: *host });
                at = back;
            }
        }
        absences.sort_unstable();
        absences
    }
}
