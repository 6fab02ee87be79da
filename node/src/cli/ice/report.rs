//! What a test of ICE servers found, for people and for scripts.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use serde_json::{Value, json};

use super::probe::Finding;
use crate::cli::table::table;

/// All findings, and what follows from them about the NAT.
#[derive(Debug)]
pub(super) struct Report {
    findings: Vec<Finding>,
    mappings: Vec<(SocketAddr, Mapping)>,
}

/// How a NAT maps one socket of this host (RFC 4787 section 4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mapping {
    /// There is no NAT on the way, or one that changes nothing.
    None,
    /// Every server sees this address.
    EndpointIndependent(SocketAddr),
    /// Servers see different addresses. Two servers cannot tell whether the port of the destination matters besides its address.
    AddressAndPortDependent(BTreeSet<SocketAddr>),
    /// One server is not enough to tell; it sees this address.
    Unknown(SocketAddr),
}

impl Report {
    pub(super) fn new(findings: Vec<Finding>) -> Self {
        let mut seen: BTreeMap<SocketAddr, BTreeMap<SocketAddr, SocketAddr>> = BTreeMap::new();
        for finding in &findings {
            if let (Some(local), Some(server), Ok(answer)) = (finding.local, finding.address, &finding.answer) {
                seen.entry(local).or_default().insert(server, answer.reflexive);
            }
        }
        let mappings = seen.into_iter().filter_map(|(local, seen)| Some((local, mapping(local, &seen)?))).collect();
        Self { findings, mappings }
    }

    pub(super) fn has_working_server(&self) -> bool {
        self.findings.iter().any(|finding| finding.answer.is_ok())
    }

    /// A table, and a sentence about each local socket.
    pub(super) fn to_text(&self) -> String {
        let names = ["SERVER", "KIND", "FROM", "REACHABLE", "REFLEXIVE", "RELAYED", "ROUND TRIP", "ERROR"];
        let rows: Vec<_> = self.findings.iter().map(row).collect();
        let sentences = self.mappings.iter().map(|(local, mapping)| format!("\n{}", sentence(*local, mapping)));
        format!("{}\n{}", table(names, &rows), sentences.collect::<String>())
    }

    pub(super) fn to_json(&self) -> Value {
        let servers: Vec<Value> = self.findings.iter().map(finding).collect();
        let mappings = self.mappings.iter().map(|(local, mapping)| {
            let (name, reflexive) = match mapping {
                Mapping::None => ("none", vec![*local]),
                Mapping::EndpointIndependent(address) => ("endpoint_independent", vec![*address]),
                Mapping::AddressAndPortDependent(addresses) => {
                    ("address_and_port_dependent", addresses.iter().copied().collect())
                }
                Mapping::Unknown(address) => ("unknown", vec![*address]),
            };
            json!({"local": local, "mapping": name, "reflexive": reflexive})
        });
        json!({"servers": servers, "mappings": mappings.collect::<Vec<_>>()})
    }
}

/// What follows from the address that each server sees.
fn mapping(local: SocketAddr, seen: &BTreeMap<SocketAddr, SocketAddr>) -> Option<Mapping> {
    let addresses: BTreeSet<SocketAddr> = seen.values().copied().collect();
    let first = *addresses.first()?;
    Some(match (addresses.len(), seen.len()) {
        (1, _) if first == local => Mapping::None,
        (1, 1) => Mapping::Unknown(first),
        (1, _) => Mapping::EndpointIndependent(first),
        _ => Mapping::AddressAndPortDependent(addresses),
    })
}

fn sentence(local: SocketAddr, mapping: &Mapping) -> String {
    let ip = local.ip();
    match mapping {
        Mapping::None => format!("From {ip}: no mapping is seen, the servers see this host's own address."),
        Mapping::EndpointIndependent(address) => {
            format!(
                "From {ip}: endpoint-independent mapping, every server sees {address}; most peers can be reached directly."
            )
        }
        Mapping::AddressAndPortDependent(addresses) => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            format!(
                "From {ip}: address-and-port-dependent mapping, servers see {}; peers behind such a NAT, or one that filters by \
                 port, are reached through a relay only.",
                addresses.join(" and ")
            )
        }
        Mapping::Unknown(address) => {
            format!(
                "From {ip}: one server sees {address}; the kind of mapping is unknown until a second server answers."
            )
        }
    }
}

fn row(finding: &Finding) -> [String; 8] {
    let nothing = || "-".to_owned();
    let server = match finding.address {
        Some(address) if !finding.server.ends_with(&address.to_string()) => {
            format!("{} ({})", finding.server, address.ip())
        }
        _ => finding.server.clone(),
    };
    let from = finding.local.map_or_else(nothing, |local| local.to_string());
    let (reachable, reflexive, relayed, round_trip, error) = match &finding.answer {
        Ok(answer) => (
            "yes",
            answer.reflexive.to_string(),
            answer.relayed.map_or_else(nothing, |address| address.to_string()),
            answer.round_trip.map_or_else(nothing, |time| format!("{:.1} ms", time.as_secs_f64() * 1_000.0)),
            nothing(),
        ),
        Err(error) => ("no", nothing(), nothing(), nothing(), error.clone()),
    };
    [server, finding.scheme.name().to_owned(), from, reachable.to_owned(), reflexive, relayed, round_trip, error]
}

fn finding(finding: &Finding) -> Value {
    let answer = finding.answer.as_ref().ok();
    json!({
        "server": finding.server,
        "kind": finding.scheme.name(),
        "address": finding.address,
        "local": finding.local,
        "reachable": answer.is_some(),
        "reflexive": answer.map(|answer| answer.reflexive),
        "relayed": answer.and_then(|answer| answer.relayed),
        "round_trip_seconds": answer.and_then(|answer| answer.round_trip).map(|time| time.as_secs_f64()),
        "error": finding.answer.as_ref().err(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use darkswap_node::ice_server::Scheme;

    use super::super::probe::Answer;
    use super::*;

    fn answered(server: &str, reflexive: &str) -> Finding {
        let (reflexive, round_trip) = (reflexive.parse().unwrap(), Some(Duration::from_micros(12_345)));
        Finding {
            server: format!("stun:{server}"),
            scheme: Scheme::Stun,
            address: Some(server.parse().unwrap()),
            local: Some("192.168.1.5:50000".parse().unwrap()),
            answer: Ok(Answer { reflexive, relayed: None, round_trip }),
        }
    }

    fn failed() -> Finding {
        let answer = Err("no answer within 5 s".to_owned());
        Finding { answer, ..answered("192.0.2.9:3478", "192.0.2.9:1") }
    }

    fn mapping_of(findings: Vec<Finding>) -> String {
        Report::new(findings).to_json()["mappings"][0]["mapping"].as_str().unwrap_or_default().to_owned()
    }

    #[test]
    fn two_servers_that_see_one_address_mean_endpoint_independent_mapping() {
        let (one, two) = ("192.0.2.1:3478", "192.0.2.2:3478");
        let same = "198.51.100.7:40000";
        assert_eq!(mapping_of(vec![answered(one, same), answered(two, same)]), "endpoint_independent");
        assert_eq!(
            mapping_of(vec![answered(one, same), answered(two, "198.51.100.7:40001")]),
            "address_and_port_dependent"
        );
        assert_eq!(mapping_of(vec![answered(one, same), failed()]), "unknown");
        assert_eq!(mapping_of(vec![answered(one, same), answered(one, same)]), "unknown");
        assert_eq!(mapping_of(vec![answered(one, "192.168.1.5:50000")]), "none");
        assert_eq!(mapping_of(vec![failed()]), "");
    }

    #[test]
    fn the_table_is_aligned_and_closes_with_a_sentence() {
        let report = Report::new(vec![answered("192.0.2.1:3478", "198.51.100.7:40000"), failed()]);
        assert!(report.has_working_server());
        assert_eq!(
            report.to_text(),
            "SERVER               KIND  FROM               REACHABLE  REFLEXIVE           RELAYED  ROUND TRIP  ERROR\n\
             stun:192.0.2.1:3478  stun  192.168.1.5:50000  yes        198.51.100.7:40000  -        12.3 ms     -\n\
             stun:192.0.2.9:3478  stun  192.168.1.5:50000  no         -                   -        -           no answer within 5 s\n\
             \n\
             From 192.168.1.5: one server sees 198.51.100.7:40000; the kind of mapping is unknown until a second server answers."
        );
    }
}
