//! The direct way between two hosts as the scenario has it: what a relayed one is compared with.

use std::time::Duration;

use darkswap_scenario::Core;
use darkswap_scenario::topology::{SiteIndex, Topology};

/// One-way latencies of access links and regions, without jitter, queues and faults.
#[derive(Debug, Clone, Default)]
pub(crate) struct Latencies {
    /// By host.
    hosts: Vec<Place>,
    /// By the regions of both ends.
    core: Vec<Vec<Duration>>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    /// Of its access link.
    access: Duration,
    region: usize,
    /// The outermost NAT in front of it.
    outermost: Option<SiteIndex>,
}

impl Latencies {
    pub(crate) fn of(topology: &Topology, core: &Core) -> Self {
        let outermost = |site: SiteIndex| {
            std::iter::successors(Some(site), |at| topology.sites.get(at.0).and_then(|site| site.behind)).last()
        };
        let place = |host: &darkswap_scenario::topology::Host| {
            let uplink = topology.uplinks.get(host.uplink.0);
            Place {
                access: uplink.map(|uplink| uplink.link.latency).unwrap_or_default(),
                region: uplink.map(|uplink| uplink.region).unwrap_or_default(),
                outermost: host.site.and_then(outermost),
            }
        };
        Self { hosts: topology.hosts.iter().map(place).collect(), core: core.latency.clone() }
    }

    /// The round trip of the direct way between two hosts; none when they share a NAT, where packets turn around before the regions.
    pub(crate) fn round_trip(&self, one: usize, other: usize) -> Option<Duration> {
        let [one, other] = [*self.hosts.get(one)?, *self.hosts.get(other)?];
        if one.outermost.is_some() && one.outermost == other.outermost {
            return None;
        }
        let core = self.core.get(one.region)?.get(other.region)?;
        Some((one.access + *core + other.access) * 2)
    }

    /// How many times as long the round trip over a relay is as the direct one.
    pub(super) fn detour(&self, one: usize, relay: usize, other: usize) -> Option<f64> {
        let over = self.round_trip(one, relay)? + self.round_trip(relay, other)?;
        self.stretch(one, other, over)
    }

    /// How many times as long a round trip is as the direct one.
    pub(super) fn stretch(&self, one: usize, other: usize, round_trip: Duration) -> Option<f64> {
        let direct = self.round_trip(one, other).filter(|direct| !direct.is_zero())?;
        // Whole numbers, so that the ratio is rounded once.
        Some(round_trip.as_nanos() as f64 / direct.as_nanos() as f64)
    }
}

#[cfg(test)]
mod tests {
    use darkswap_scenario::check_bytes;

    use super::*;

    const WORLD: &str = "
title: two regions
duration: 10s
regions: {latency: {eu-eu: 5ms, us-us: 5ms, eu-us: 40ms}}
links: {line: {latency: 10ms}, fast: {latency: 1ms}}
sites: {home: {nat: ei_apd, link: line, region: eu}}
hosts:
  relay: {role: relay, region: us, link: fast}
  one: {site: home}
  two: {site: home}
  far: {region: us, nat: ei_ei, link: fast}
load: [{connect: {from: one, to: far}, at: 1s}]
expect: [max(crash) == 0]
";

    #[test]
    fn the_direct_way_is_both_access_links_and_the_regions_between() {
        let scenario = check_bytes("world", "world.yaml", WORLD.as_bytes()).unwrap_or_else(|problems| {
            panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        });
        let topology = scenario.topology(1);
        let latencies = Latencies::of(&topology, &scenario.core);
        let host = |name: &str| topology.hosts.iter().position(|host| host.name == name).unwrap();
        let [relay, one, two, far] = ["relay", "one", "two", "far"].map(host);
        let milliseconds = |a, b| latencies.round_trip(a, b).map(|it| it.as_millis());
        assert_eq!(milliseconds(one, far), Some(2 * (10 + 40 + 1)));
        assert_eq!(milliseconds(relay, far), Some(2 * (1 + 5 + 1)));
        assert_eq!(milliseconds(one, two), None, "the way over the LAN is none through the regions");
        assert_eq!(latencies.stretch(one, far, Duration::from_millis(153)), Some(1.5));
        assert_eq!(milliseconds(one, 99), None);
        assert_eq!(
            latencies.detour(one, relay, far),
            Some(116.0 / 102.0),
            "a relay beside the far end costs its access link"
        );
    }
}
