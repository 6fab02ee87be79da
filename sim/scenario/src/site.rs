//! LANs behind NATs, and carriers behind which such LANs lie.

use crate::bound;
use crate::fields::{Fields, Section};
use crate::link::{self, Link};
use crate::names::Names;
use crate::nat::{self, Nat};
use crate::problem::{Problems, quote};
use crate::region::Core;
use crate::source::Place;
use crate::tree::Node;
use crate::value;

/// A site as the file describes it; the outer ones come first.
#[derive(Debug, Clone)]
pub(crate) struct SiteSpec {
    pub(crate) name: String,
    /// Where the file names it.
    pub(crate) place: Place,
    pub(crate) nat: Nat,
    /// The access link that its hosts share.
    pub(crate) link: Link,
    pub(crate) region: usize,
    pub(crate) behind: Option<usize>,
}

pub(crate) const SITE: Section = Section { name: "a site", fields: &["nat", "link", "region", "behind"] };

/// What a site may refer to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kinds<'a> {
    pub(crate) links: &'a [Link],
    pub(crate) nats: &'a [Nat],
    pub(crate) core: &'a Core,
}

impl Kinds<'_> {
    /// The link of a name.
    pub(crate) fn link(&self, name: &str, place: Place, problems: &mut Problems<'_>) -> Option<Link> {
        let names = Names::new("a link", self.links.iter().map(|link| &link.name));
        names.find(name, place, problems).map(|index| self.links[index].clone())
    }

    /// The link of hosts and sites that do not say.
    pub(crate) fn default_link(&self) -> Link {
        let find = |name: &str| self.links.iter().find(|link| link.name == name);
        find(link::DEFAULT).or(self.links.first()).cloned().unwrap_or_else(|| link::built_in().swap_remove(0))
    }
}

/// Reads the section `sites`.
pub(crate) fn read(node: &Node, kinds: Kinds<'_>, problems: &mut Problems<'_>) -> Vec<SiteSpec> {
    let Some(entries) = value::map(node, "sites", bound::ENTRIES, problems) else { return Vec::new() };
    let names: Vec<String> = entries.iter().map(|(key, _)| value::name(key, problems).unwrap_or_default()).collect();
    let sites: Vec<_> = entries
        .iter()
        .zip(&names)
        .map(|((key, node), name)| (node, SiteSpec { place: key.place, ..site(name, node, &names, kinds, problems) }))
        .collect();
    order(sites, problems)
}

/// Reads one site. What is wrong gets a stand-in, so that the rest of the file can still be checked.
fn site(name: &str, node: &Node, names: &[String], kinds: Kinds<'_>, problems: &mut Problems<'_>) -> SiteSpec {
    let mut site = SiteSpec {
        name: name.to_string(),
        place: node.place,
        nat: kinds.nats.first().cloned().unwrap_or_else(|| nat::built_in().swap_remove(0)),
        link: kinds.default_link(),
        region: 0,
        behind: None,
    };
    let Some(fields) = Fields::open(node, &SITE, problems) else { return site };
    if let Some(node) = fields.require("nat", problems)
        && let Some(name) = value::text(node, "a NAT", problems)
        && let Some(index) =
            Names::new("a NAT", kinds.nats.iter().map(|nat| &nat.name)).find(name, node.place, problems)
    {
        site.nat = kinds.nats[index].clone();
    }
    if let Some(node) = fields.find("link")
        && let Some(name) = value::text(node, "a link", problems)
        && let Some(link) = kinds.link(name, node.place, problems)
    {
        site.link = link;
    }
    if let Some(node) = fields.find("behind") {
        fields.refuse("region", "a site behind another is where that one is", problems);
        if let Some(outer) = value::text(node, "a site", problems) {
            site.behind = Names::new("a site", names).find(outer, node.place, problems);
        }
    } else if let Some(node) = fields.find("region")
        && let Some(name) = value::text(node, "a region", problems)
        && let Some(region) = kinds.core.find(name, node.place, problems)
    {
        site.region = region;
    }
    site
}

/// Puts outer sites in front of inner ones and gives these the region of their outermost.
fn order(mut sites: Vec<(&Node, SiteSpec)>, problems: &mut Problems<'_>) -> Vec<SiteSpec> {
    let mut depths = Vec::new();
    let mut wrong = false;
    for (node, site) in &sites {
        let mut depth = 0;
        let mut at = site.behind;
        while let Some(outer) = at
            && depth <= bound::NESTING
        {
            depth += 1;
            at = sites[outer].1.behind;
        }
        if depth >= bound::NESTING {
            let expected = format!("at most {} sites in a row, and no circle", bound::NESTING);
            problems.add(node.place, format!("{} behind too many sites", quote(&site.name)), expected);
            wrong = true;
        }
        depths.push(depth);
    }
    if wrong {
        // A circle has no order.
        sites.iter_mut().for_each(|(_, site)| site.behind = None);
    }
    let mut sorted: Vec<usize> = (0..sites.len()).collect();
    sorted.sort_by_key(|index| depths[*index]);
    let mut ordered: Vec<SiteSpec> = Vec::new();
    for index in &sorted {
        let site = &sites[*index].1;
        let behind = site.behind.and_then(|outer| sorted.iter().position(|index| *index == outer));
        let region = behind.map_or(site.region, |outer| ordered[outer].region);
        ordered.push(SiteSpec { behind, region, ..site.clone() });
    }
    ordered
}
