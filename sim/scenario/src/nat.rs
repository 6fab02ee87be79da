//! NATs in the words of RFC 4787.

use std::fmt;
use std::time::Duration;

use crate::bound;
use crate::fields::{Fields, Section};
use crate::problem::Problems;
use crate::tree::Node;

/// How a NAT behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nat {
    /// Name in the scenario, or of a built-in NAT.
    pub name: String,
    /// Whether the mapping of an internal address and port depends on the destination (RFC 4787, section 4.1).
    pub mapping: Dependence,
    /// From whom packets to a mapping are let in (section 5). The state is kept per mapping.
    pub filtering: Dependence,
    /// Which external port a new mapping gets (section 4.2.1).
    pub ports: PortAssignment,
    /// Whether a preserved port is used even when another host's mapping has it (port overloading, section 4.2.1).
    pub overload: bool,
    /// Whether an even port is mapped to an even one and an odd to an odd one (section 4.2.2).
    pub parity: bool,
    /// How long a mapping lives without packets (section 4.3).
    pub life: Duration,
    /// Which packets renew it (section 4.3).
    pub refresh: Refresh,
    /// Whether hosts behind the NAT reach each other through its external address (section 6).
    pub hairpinning: bool,
    /// What happens to a packet from outside for which there is no mapping.
    pub unsolicited: Unsolicited,
}

/// On what mapping or filtering depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dependence {
    /// On nothing outside.
    EndpointIndependent,
    /// On the external address.
    AddressDependent,
    /// On the external address and port.
    AddressAndPortDependent,
}

/// Which external port a new mapping gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortAssignment {
    /// The internal port; another when that is taken and may not be overloaded.
    Preserve,
    /// The next one in order.
    Sequential,
    /// Any.
    Random,
}

/// Which packets renew a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// Those from inside.
    Outbound,
    /// Those from outside.
    Inbound,
    /// Both.
    Both,
}

/// What happens to a packet from outside for which there is no mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsolicited {
    /// It is dropped and forgotten.
    Drop,
    /// It is not delivered, but its flow is tracked, as routers do that reject late: a later mapping towards its sender gets another
    /// port, and a hole punched at that moment fails.
    Track,
}

/// The name for no NAT at all.
pub const PUBLIC: &str = "public";

/// The name of a mix of NATs as measured among peers, and its shares in millionths. Sources and arithmetic: `docs/scenarios.md`.
pub const INTERNET: (&str, [(&str, u32); 4]) =
    ("internet", [(PUBLIC, 220_000), ("home", 540_000), ("carrier_grade", 100_000), ("symmetric", 140_000)]);

pub(crate) const NAT: Section = Section {
    name: "a NAT",
    fields: &["mapping", "filtering", "ports", "overload", "parity", "life", "refresh", "hairpinning", "unsolicited"],
};

const DEPENDENCES: [(&str, Dependence); 3] = [
    ("endpoint_independent", Dependence::EndpointIndependent),
    ("address_dependent", Dependence::AddressDependent),
    ("address_and_port_dependent", Dependence::AddressAndPortDependent),
];

/// The built-in NATs: the nine kinds under their abbreviations, and some under the names that people know.
pub fn built_in() -> Vec<Nat> {
    let kinds = [Dependence::EndpointIndependent, Dependence::AddressDependent, Dependence::AddressAndPortDependent];
    let mut nats: Vec<Nat> = kinds
        .into_iter()
        .flat_map(|mapping| kinds.into_iter().map(move |filtering| Nat::of_kind(mapping, filtering)))
        .collect();
    let [ei_ei, ei_apd, apd_apd] = [(0, 0), (0, 2), (2, 2)].map(|(m, f)| Nat::of_kind(kinds[m], kinds[f]));
    let named = |name: &str, nat: &Nat| Nat { name: name.to_string(), ..nat.clone() };
    nats.extend([
        Nat { hairpinning: true, ..named("home", &ei_apd) },
        named("symmetric", &apd_apd),
        Nat { refresh: Refresh::Both, unsolicited: Unsolicited::Track, ..named("linux_masquerade", &ei_apd) },
        Nat { refresh: Refresh::Both, unsolicited: Unsolicited::Track, ..named("linux_random", &apd_apd) },
        // RFC 6888 asks for endpoint-independent behaviour and hairpinning; many subscribers share ports, so none is preserved.
        Nat {
            ports: PortAssignment::Random,
            hairpinning: true,
            life: Duration::from_secs(300),
            ..named("carrier_grade", &ei_ei)
        },
    ]);
    nats
}

impl Nat {
    /// The plainest NAT of a kind: preserves ports when one mapping per host suffices.
    fn of_kind(mapping: Dependence, filtering: Dependence) -> Self {
        let ports = match mapping {
            Dependence::EndpointIndependent => PortAssignment::Preserve,
            Dependence::AddressDependent | Dependence::AddressAndPortDependent => PortAssignment::Random,
        };
        Self {
            name: format!("{mapping}_{filtering}").to_lowercase(),
            mapping,
            filtering,
            ports,
            overload: false,
            parity: false,
            life: Duration::from_secs(120),
            refresh: Refresh::Outbound,
            hairpinning: false,
            unsolicited: Unsolicited::Drop,
        }
    }

    /// Mapping and filtering in short, such as `EI/APD`: how records and reports call this NAT.
    pub fn kind(&self) -> String {
        format!("{}/{}", self.mapping, self.filtering)
    }

    pub(crate) fn read(name: String, node: &Node, problems: &mut Problems<'_>) -> Self {
        let plain = Self::of_kind(Dependence::EndpointIndependent, Dependence::AddressAndPortDependent);
        let Some(fields) = Fields::open(node, &NAT, problems) else { return Self { name, ..plain } };
        let mapping = fields.word("mapping", &DEPENDENCES, plain.mapping, problems);
        let filtering = fields.word("filtering", &DEPENDENCES, plain.filtering, problems);
        let plain = Self::of_kind(mapping, filtering);
        let ports = [
            ("preserve", PortAssignment::Preserve),
            ("sequential", PortAssignment::Sequential),
            ("random", PortAssignment::Random),
        ];
        let refresh = [("outbound", Refresh::Outbound), ("inbound", Refresh::Inbound), ("both", Refresh::Both)];
        let unsolicited = [("drop", Unsolicited::Drop), ("track", Unsolicited::Track)];
        let nat = Self {
            name,
            mapping,
            filtering,
            ports: fields.word("ports", &ports, plain.ports, problems),
            overload: fields.switch("overload", plain.overload, problems),
            parity: fields.switch("parity", plain.parity, problems),
            life: fields.duration("life", bound::LIFE, plain.life, problems),
            refresh: fields.word("refresh", &refresh, plain.refresh, problems),
            hairpinning: fields.switch("hairpinning", plain.hairpinning, problems),
            unsolicited: fields.word("unsolicited", &unsolicited, plain.unsolicited, problems),
        };
        if let Some((key, _)) = fields.entry("overload")
            && nat.overload
            && nat.ports != PortAssignment::Preserve
        {
            problems.add(
                key.place,
                "`overload` without preserved ports",
                "`ports: preserve` beside it, or no `overload`",
            );
        }
        nat
    }
}

impl fmt::Display for Dependence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EndpointIndependent => "EI",
            Self::AddressDependent => "AD",
            Self::AddressAndPortDependent => "APD",
        })
    }
}
