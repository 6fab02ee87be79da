//! Figures that are known at the end of a run, or at the end of each interval.

use std::time::Duration;

use darkswap_core::path::PathKind;
use darkswap_fabric::{NatKind, can_be_direct, hole_punch_by_role};
use darkswap_scenario::topology::{HostIndex, Role, SiteIndex};

use super::load::{GOSSIP_SETTLES, path_of};
use super::observer::{MISBEHAVIOUR, With as _, misbehaviour_name, pair_tags, path_name};
use super::recorder::tags;
use super::relay::RelayFigures;
use super::rogue;
use super::scene::Scene;
use super::topology::nat_kind;
use crate::ice_server::Counters;

/// Everything that the closing figures are computed from.
pub(super) struct Figures<'a> {
    pub(super) scene: Scene<'a>,
}

/// Byte totals at the last interval.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Totals {
    direct: u64,
    relayed: u64,
}

impl Figures<'_> {
    /// Records the traffic of the interval that ends now.
    pub(super) fn interval(&self, last: &mut Totals) {
        let now = self.totals();
        self.scene.recorder.value("bytes_direct", now.direct.saturating_sub(last.direct) as f64, tags([]));
        self.scene.recorder.value("bytes_relayed", now.relayed.saturating_sub(last.relayed) as f64, tags([]));
        self.scene.recorder.value("delivered_bytes", self.scene.ledger.take_delivered_bytes() as f64, tags([]));
        RelayFigures { scene: self.scene }.interval();
        *last = now;
    }

    /// Bytes that reached their host: to or from a relay, and between other hosts.
    fn totals(&self) -> Totals {
        let is_relay = |index: &usize| self.scene.topology.hosts[*index].role == Role::Relay;
        let relays: Vec<_> =
            (0..self.scene.topology.hosts.len()).filter(is_relay).map(|index| self.scene.places.hosts[index]).collect();
        self.scene.world.fabric(|fabric| {
            let counters = |host| fabric.host_counters(host).copied().unwrap_or_default();
            let relayed: u64 =
                relays.iter().map(|host| counters(*host)).map(|relay| relay.bytes_in + relay.bytes_out).sum();
            Totals { direct: fabric.counters().delivered_bytes.saturating_sub(relayed), relayed }
        })
    }

    /// Records everything that only the end of the run tells.
    pub(super) async fn close(&self) {
        for (from, to) in self.scene.ledger.wanted() {
            self.close_pair(from, to).await;
        }
        for (from, to, path) in self.scene.ledger.lost() {
            let names = tags([("from", self.name(from)), ("to", self.name(to)), ("path", path_name(path))]);
            self.scene.recorder.category("message", "lost", names);
        }
        for names in self.scene.ledger.channels() {
            self.scene.recorder.category("channel", "failed", names);
        }
        self.close_gossip();
        self.close_servers();
        RelayFigures { scene: self.scene }.close();
        self.close_totals();
    }

    async fn close_pair(&self, from: usize, to: usize) {
        let found = path_of(self.scene.cast, from, to).await;
        let pair = pair_tags(self.scene.cast, from, to);
        let tags = pair.clone().with("transport", found.map_or("", |found| found.transport));
        self.scene.recorder.category("path", found.map_or("failed", |found| path_name(found.path)), tags);
        let (Some(from_chain), Some(to_chain)) = (self.chain(from, to), self.chain(to, from)) else { return };
        // A path through a TURN server is direct for the node, but not for the NATs.
        let is_turned = found.is_some_and(|found| found.negotiated) && self.scene.ledger.is_turned(from, to);
        let direct = found.is_some_and(|found| found.path == PathKind::Direct) && !is_turned;
        // What came of the pair in the end, against what is possible at all; and what came of its first hole punch, in which the
        // dialer of the relayed connection is the QUIC client, against what these roles allow.
        let first = self.scene.ledger.first_punch(from, to);
        let predictions = [
            ("table", Some(direct), can_be_direct(&from_chain, &to_chain)),
            ("roles", first, hole_punch_by_role(&from_chain, &to_chain)),
        ];
        for (predicate, observed, predicted) in predictions {
            let category = match (observed, predicted) {
                (None, _) => continue,
                (Some(true), false) => "better",
                (Some(false), true) => "worse",
                (Some(true), true) | (Some(false), false) => "as_predicted",
            };
            self.scene.recorder.category("direct_possible", category, pair.clone().with("predicate", predicate));
        }
    }

    /// The NATs in front of a host from the inside out; nothing when the other one is behind one of them too.
    fn chain(&self, host: usize, other: usize) -> Option<Vec<NatKind>> {
        let sites = |index: usize| {
            let site = |at: SiteIndex| self.scene.topology.sites.get(at.0).map(|site| (at, site));
            let first = self.scene.topology.hosts[index].site.and_then(site);
            std::iter::successors(first, move |(_, inner)| inner.behind.and_then(site))
        };
        let shared = sites(host).any(|(at, _)| sites(other).any(|(others, _)| others == at));
        (!shared).then(|| self.scene.topology.sites_of(HostIndex(host)).map(|site| nat_kind(&site.nat)).collect())
    }

    fn close_gossip(&self) {
        let end = self.scene.recorder.now();
        for publication in self.scene.ledger.publications() {
            if publication.at + GOSSIP_SETTLES > end {
                continue;
            }
            let Some(topic) = self.scene.topology.topics.get(publication.topic) else { continue };
            let subscribers: Vec<_> =
                topic.subscribers.iter().map(|host| host.0).filter(|host| *host != publication.from).collect();
            if subscribers.is_empty() {
                continue;
            }
            let names = tags([("from", self.name(publication.from)), ("topic", &topic.name)]);
            let mut reached = 0;
            for host in &subscribers {
                let (category, at) = match publication.reached.get(host) {
                    Some(at) => ("delivered", *at),
                    None => ("missed", publication.at),
                };
                reached += usize::from(category == "delivered");
                self.scene.recorder.sample(
                    at,
                    "gossip",
                    1.0,
                    Some(category),
                    names.clone().with("to", self.name(*host)),
                );
            }
            let coverage = reached as f64 / subscribers.len() as f64;
            self.scene.recorder.sample(publication.at, "gossip_coverage", coverage, None, names);
        }
    }

    fn close_servers(&self) {
        for (index, member) in self.scene.cast.members().iter().enumerate() {
            for kind in member.conduct.into_iter().flat_map(rogue::kinds) {
                let count = self.scene.cast.rogue(index).of(kind) as f64;
                self.scene.recorder.value("relay_lie", count, tags([("host", &*member.name), ("kind", kind)]));
            }
            let lives = self.scene.cast.served(index);
            if member.server.is_none() {
                continue;
            }
            let total = |of: fn(&Counters) -> u64| lives.iter().map(of).sum::<u64>() as f64;
            for (kind, count) in [
                ("bindings", total(|it| it.bindings)),
                ("allocations", total(|it| it.allocations)),
                ("releases", total(|it| it.releases)),
                ("expiries", total(|it| it.expiries)),
                ("refusals", total(|it| it.refusals)),
            ] {
                self.scene.recorder.value("ice_server", count, tags([("host", &*member.name), ("kind", kind)]));
            }
            for (direction, bytes) in
                [("to_peers", total(|it| it.relayed_to_peers)), ("to_clients", total(|it| it.relayed_to_clients))]
            {
                let names = tags([("host", &*member.name), ("direction", direction)]);
                self.scene.recorder.value("ice_server_bytes", bytes, names);
            }
        }
    }

    fn close_totals(&self) {
        let counted = self.scene.ledger.misbehaviour();
        for host in 0..self.scene.cast.members().len() {
            self.scene.recorder.value("crash", 0.0, tags([("host", self.name(host))]));
            let sent = self.scene.ledger.message_bytes(host);
            for (figure, form, count) in [
                ("sealed_bytes", "plain", sent.plain),
                ("sealed_bytes", "wire", sent.wire),
                ("message_parcels", "messages", sent.messages),
                ("message_parcels", "parcels", sent.parcels),
            ] {
                self.scene.recorder.value(figure, count as f64, tags([("host", self.name(host)), ("form", form)]));
            }
            for kind in MISBEHAVIOUR.map(misbehaviour_name) {
                let count = counted.get(&(host, kind)).copied().unwrap_or_default();
                self.scene.recorder.value(
                    "misbehaviour",
                    count as f64,
                    tags([("host", self.name(host)), ("kind", kind)]),
                );
            }
        }
        self.scene.recorder.value("event_lag", self.scene.recorder.dropped() as f64, tags([]));
        let packets = self.scene.world.fabric(|fabric| *fabric.counters());
        for (figure, value) in [
            ("packets_sent", packets.sent),
            ("packets_delivered", packets.delivered),
            ("packets_lost", packets.lost + packets.lost_burst),
            ("packets_filtered", packets.filtered),
            ("packets_queue_dropped", packets.queue_dropped),
        ] {
            self.scene.recorder.value(figure, value as f64, tags([]));
        }
    }

    fn name(&self, host: usize) -> &str {
        &self.scene.cast.members()[host].name
    }
}

/// The first time that lies a whole number of intervals after the start and not before `now`.
pub(super) fn next_interval(now: Duration, interval: Duration) -> Duration {
    let count = now.as_nanos() / interval.as_nanos().max(1) + 1;
    interval.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX))
}
