//! What a probe found about one property, against what is configured.

use anyhow::Result;
use darkswap_scenario::nat::{PortAssignment, Refresh, Unsolicited};

use super::super::recorder::{Recorder, tags};

/// A property of a NAT as found and as configured, in the words of the scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) property: &'static str,
    pub(super) found: String,
    pub(super) expected: String,
}

impl Finding {
    /// What was found; when that failed, why.
    pub(super) fn new(property: &'static str, found: Result<impl ToString>, expected: impl ToString) -> Self {
        let found = found.map_or_else(|error| format!("{error:#}"), |found| found.to_string());
        Self { property, found, expected: expected.to_string() }
    }

    /// A probe of which nothing came.
    pub(super) fn unfinished(why: &str) -> Self {
        Self { property: "probe", found: why.to_owned(), expected: "a complete probe".to_owned() }
    }

    pub(super) fn as_configured(&self) -> bool {
        self.found == self.expected
    }

    /// Records the finding of a host about the NAT of this name.
    pub(super) fn record(&self, recorder: &Recorder, host: &str, nat: &str) {
        let category = if self.as_configured() { "as_configured" } else { "different" };
        recorder.category("nat_probe", category, tags([("nat", nat), ("property", self.property)]));
        if !self.as_configured() {
            let fields = [
                ("nat", nat),
                ("property", self.property),
                ("found", self.found.as_str()),
                ("expected", self.expected.as_str()),
            ];
            recorder.event(host, "nat_probe", tags(fields));
        }
    }
}

pub(super) const fn assignment_name(assignment: PortAssignment) -> &'static str {
    match assignment {
        PortAssignment::Preserve => "preserve",
        PortAssignment::Sequential => "sequential",
        PortAssignment::Random => "random",
    }
}

pub(super) const fn refresh_name(refresh: Refresh) -> &'static str {
    match refresh {
        Refresh::Outbound => "outbound",
        Refresh::Inbound => "inbound",
        Refresh::Both => "both",
    }
}

pub(super) const fn unsolicited_name(unsolicited: Unsolicited) -> &'static str {
    match unsolicited {
        Unsolicited::Drop => "drop",
        Unsolicited::Track => "track",
    }
}
