//! Access links: latency, loss, bandwidth.

use std::time::Duration;

use crate::bound;
use crate::fields::{Fields, Section};
use crate::problem::Problems;
use crate::tree::Node;
use crate::value;

/// A kind of access link. Latency, jitter, loss, reordering and duplication apply in each direction.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// Name in the scenario, or of a built-in link.
    pub name: String,
    /// One-way latency.
    pub latency: Duration,
    /// Added to the latency of each packet: uniform from zero to this.
    pub jitter: Duration,
    /// Share of packets lost, each by itself.
    pub loss: f64,
    /// Loss in bursts, besides `loss`.
    pub burst: Option<Burst>,
    /// Packets that are held back.
    pub reorder: Option<Reorder>,
    /// Share of packets that arrive twice.
    pub duplicate: f64,
    /// Bits per second from the host; unlimited when absent.
    pub up: Option<u64>,
    /// Bits per second to the host; unlimited when absent.
    pub down: Option<u64>,
    /// Bytes that wait in each direction before packets are dropped.
    pub queue: u64,
}

/// Loss in bursts after Gilbert and Elliott: a good state without and a bad state with much loss; the state may change with each packet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Burst {
    /// Probability per packet to go from good to bad.
    pub to_bad: f64,
    /// Probability per packet to go from bad to good.
    pub to_good: f64,
    /// Share of packets lost in the bad state.
    pub loss_bad: f64,
    /// Share of packets lost in the good state.
    pub loss_good: f64,
}

/// Packets that are held back so that later ones overtake them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reorder {
    /// Share of packets held back.
    pub share: f64,
    /// For how long.
    pub delay: Duration,
}

/// What an `impair` fault changes about a link; absent values stay as they are.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "the fields of a link")]
pub struct LinkChange {
    pub latency: Option<Duration>,
    pub jitter: Option<Duration>,
    pub loss: Option<f64>,
    pub burst: Option<Burst>,
    pub reorder: Option<Reorder>,
    pub duplicate: Option<f64>,
    pub up: Option<u64>,
    pub down: Option<u64>,
    pub queue: Option<u64>,
}

/// Queue of a link that does not say: some 200 ms at 10 Mbit/s, as home routers have.
const QUEUE: u64 = 256 << 10;
/// The link of a host or site that does not say.
pub(crate) const DEFAULT: &str = "fibre";

pub(crate) const LINK: Section = Section {
    name: "a link",
    fields: &["latency", "jitter", "loss", "burst", "reorder", "duplicate", "up", "down", "queue"],
};
pub(crate) const BURST: Section = Section { name: "`burst`", fields: &["to_bad", "to_good", "loss_bad", "loss_good"] };
pub(crate) const REORDER: Section = Section { name: "`reorder`", fields: &["share", "delay"] };

/// The built-in links. Latencies are those of the access line alone; the way between regions comes on top.
pub fn built_in() -> Vec<Link> {
    let link = |name: &str, latency: u64, jitter: u64, loss: f64, up: Option<u64>, down: Option<u64>| Link {
        latency: Duration::from_millis(latency),
        jitter: Duration::from_millis(jitter),
        loss,
        up: up.map(|megabits| megabits * 1_000_000),
        down: down.map(|megabits| megabits * 1_000_000),
        ..Link::ideal(name)
    };
    vec![
        Link::ideal("ideal"),
        link("datacentre", 1, 0, 0.0, Some(1_000), Some(1_000)),
        link("fibre", 3, 1, 0.0, Some(100), Some(300)),
        link("cable", 8, 3, 0.0, Some(20), Some(200)),
        link("dsl", 15, 3, 0.0, Some(10), Some(50)),
        link("mobile", 35, 15, 0.005, Some(10), Some(40)),
    ]
}

impl Link {
    /// A link without latency, loss and limits.
    fn ideal(name: &str) -> Self {
        Self {
            name: name.to_string(),
            latency: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: 0.0,
            burst: None,
            reorder: None,
            duplicate: 0.0,
            up: None,
            down: None,
            queue: QUEUE,
        }
    }

    pub(crate) fn read(name: String, node: &Node, problems: &mut Problems<'_>) -> Self {
        LinkChange::read(node, problems).unwrap_or_default().apply(&Self::ideal(&name))
    }
}

impl LinkChange {
    /// The link with these values changed.
    pub fn apply(&self, link: &Link) -> Link {
        Link {
            name: link.name.clone(),
            latency: self.latency.unwrap_or(link.latency),
            jitter: self.jitter.unwrap_or(link.jitter),
            loss: self.loss.unwrap_or(link.loss),
            burst: self.burst.or(link.burst),
            reorder: self.reorder.or(link.reorder),
            duplicate: self.duplicate.unwrap_or(link.duplicate),
            up: self.up.or(link.up),
            down: self.down.or(link.down),
            queue: self.queue.unwrap_or(link.queue),
        }
    }

    pub(crate) fn read(node: &Node, problems: &mut Problems<'_>) -> Option<Self> {
        let fields = Fields::open(node, &LINK, problems)?;
        let latency = |name, problems: &mut Problems<'_>| {
            fields.find(name).and_then(|node| value::duration(node, bound::LATENCY, problems))
        };
        let share = |name, problems: &mut Problems<'_>| fields.find(name).and_then(|node| value::share(node, problems));
        let rate = |name, problems: &mut Problems<'_>| {
            fields.find(name).and_then(|node| value::rate(node, bound::RATE, problems))
        };
        Some(Self {
            latency: latency("latency", problems),
            jitter: latency("jitter", problems),
            loss: share("loss", problems),
            burst: fields.find("burst").and_then(|node| Burst::read(node, problems)),
            reorder: fields.find("reorder").and_then(|node| Reorder::read(node, problems)),
            duplicate: share("duplicate", problems),
            up: rate("up", problems),
            down: rate("down", problems),
            queue: fields.find("queue").and_then(|node| value::size(node, bound::QUEUE, problems)),
        })
    }
}

impl Burst {
    fn read(node: &Node, problems: &mut Problems<'_>) -> Option<Self> {
        let fields = Fields::open(node, &BURST, problems)?;
        let required = ["to_bad", "to_good", "loss_bad"]
            .map(|name| fields.require(name, problems).and_then(|node| value::share(node, problems)));
        let loss_good = fields.share("loss_good", problems);
        let [Some(to_bad), Some(to_good), Some(loss_bad)] = required else { return None };
        Some(Self { to_bad, to_good, loss_bad, loss_good })
    }
}

impl Reorder {
    fn read(node: &Node, problems: &mut Problems<'_>) -> Option<Self> {
        let fields = Fields::open(node, &REORDER, problems)?;
        let share = fields.require("share", problems).and_then(|node| value::share(node, problems));
        let delay = fields.require("delay", problems).and_then(|node| value::duration(node, bound::LATENCY, problems));
        Some(Self { share: share?, delay: delay? })
    }
}
