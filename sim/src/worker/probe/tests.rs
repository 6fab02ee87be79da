//! Probes through NATs that are as configured, and through NATs that are not.

use std::time::Duration;

use darkswap_fabric::{FabricBuilder, HostConfig, LinkConfig, Placement, SiteConfig};
use darkswap_scenario::nat::{Dependence, Nat, PortAssignment, Refresh, Unsolicited, built_in};

use super::super::topology::nat_config;
use super::*;
use crate::harness::{Setup, Simulation};

/// A NAT as it is and as the probe believes that it is configured.
type Case = (Nat, Nat);

/// What a host finds behind each NAT, with a second host beside it.
fn probe(cases: Vec<Case>) -> Vec<Vec<Finding>> {
    let nats: Vec<Nat> = cases.iter().map(|(real, _)| real.clone()).collect();
    let build = move || {
        let mut builder = FabricBuilder::new(1);
        let core = builder.region("core")?;
        builder.every_path(LinkConfig::with_latency(Duration::from_millis(20)));
        for (index, nat) in (0_u8..).zip(&nats) {
            let external = [198, 18, 1, index].into();
            let site = SiteConfig::behind_nat(Placement::Core(core), external, nat_config(nat));
            let site = builder.site(&format!("site-{index}"), site)?;
            for (name, address) in [("host", [10, 0, 0, index]), ("neighbour", [10, 0, 1, index])] {
                let host = HostConfig::new(address.into(), Placement::Behind(site));
                builder.host(&format!("{name}-{index}"), host)?;
            }
        }
        for number in [1, 2] {
            let host = HostConfig::new([198, 18, 0, number].into(), Placement::Core(core));
            builder.host(&format!("observer-{number}"), host)?;
        }
        Ok(Setup { fabric: builder.build()?, names: BTreeMap::new() })
    };
    let run = Simulation::new(1).run(build, move |world| async move {
        let host = |name: String| world.host(&name).unwrap();
        let observers = [1, 2].map(|number| (host(format!("observer-{number}")), [198, 18, 0, number].into()));
        let server = Server::start(&world, observers).unwrap();
        let probes = cases.into_iter().enumerate().map(|(index, (_, told))| {
            let [host, neighbour] =
                ["host", "neighbour"].map(|name| world.runtime(host(format!("{name}-{index}"))).unwrap());
            async move { Examination::new(host, Some(neighbour), server, told, 0).findings().await }
        });
        futures::future::join_all(probes).await
    });
    run.unwrap().value
}

fn nat(name: &str) -> Nat {
    built_in().into_iter().find(|nat| nat.name == name).unwrap()
}

/// The nine kinds in all variants of one property.
fn variants(change: impl Fn(&Nat) -> Vec<Nat>) -> Vec<Case> {
    built_in().iter().flat_map(change).map(|nat| (nat.clone(), nat)).collect()
}

#[track_caller]
fn assert_as_configured(cases: Vec<Case>, always: &[&str]) {
    for ((nat, _), findings) in cases.clone().into_iter().zip(probe(cases)) {
        assert!(findings.iter().all(Finding::as_configured), "{nat:?}: {findings:#?}");
        for property in always {
            assert!(findings.iter().any(|finding| finding.property == *property), "{nat:?}: no {property}");
        }
    }
}

#[test]
fn ports_of_every_kind_are_found_as_configured() {
    let cases = variants(|nat| {
        let assignments = [PortAssignment::Preserve, PortAssignment::Sequential, PortAssignment::Random];
        let with = |ports, parity| Nat { ports, parity, ..nat.clone() };
        assignments.into_iter().flat_map(|ports| [with(ports, false), with(ports, true)]).collect()
    });
    assert_as_configured(cases, &["mapping", "filtering", "ports", "parity", "life", "refresh"]);
}

#[test]
fn other_properties_of_every_kind_are_found_as_configured() {
    let cases = variants(|nat| {
        let nat = Nat { ports: PortAssignment::Preserve, life: Duration::from_secs(2), ..nat.clone() };
        [Refresh::Outbound, Refresh::Inbound, Refresh::Both]
            .into_iter()
            .flat_map(|refresh| {
                [
                    Nat { refresh, overload: true, unsolicited: Unsolicited::Track, ..nat.clone() },
                    Nat { refresh, hairpinning: !nat.hairpinning, ..nat.clone() },
                ]
            })
            .collect()
    });
    assert_as_configured(cases, &["mapping", "filtering", "ports", "overload", "unsolicited", "life", "refresh"]);
}

#[test]
fn what_is_not_as_configured_is_found() {
    let plain = nat("ei_apd");
    let others = [
        ("mapping", Nat { mapping: Dependence::AddressDependent, ..plain.clone() }),
        ("filtering", Nat { filtering: Dependence::AddressDependent, ..plain.clone() }),
        ("ports", Nat { ports: PortAssignment::Sequential, ..plain.clone() }),
        ("parity", Nat { parity: true, ..plain.clone() }),
        ("overload", Nat { overload: true, ..plain.clone() }),
        ("life", Nat { life: plain.life * 3 / 2, ..plain.clone() }),
        ("life", Nat { life: plain.life / 2, ..plain.clone() }),
        ("refresh", Nat { refresh: Refresh::Both, ..plain.clone() }),
        ("refresh", Nat { refresh: Refresh::Inbound, ..plain.clone() }),
        ("hairpinning", Nat { hairpinning: true, ..plain.clone() }),
        ("unsolicited", Nat { unsolicited: Unsolicited::Track, ..plain.clone() }),
    ];
    let found = probe(others.iter().map(|(_, other)| (other.clone(), plain.clone())).collect());
    for ((property, other), findings) in others.iter().zip(found) {
        let different = findings.iter().filter(|finding| !finding.as_configured());
        let different: Vec<&str> = different.map(|finding| finding.property).collect();
        assert!(different.contains(property), "{other:?}: {findings:#?}");
        // The wrong life makes the refresh direction unclear as well.
        let unclear = |found: &str| *property == "life" && found == "refresh";
        assert!(different.iter().all(|found| found == property || unclear(found)), "{other:?}: {findings:#?}");
    }
}
