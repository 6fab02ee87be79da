//! Every name that stands for hosts, and what it stands for.

use std::collections::{BTreeMap, BTreeSet};

use crate::bound;
use crate::names;
use crate::population::{Placement, Population};
use crate::problem::{Problems, quote};
use crate::site::SiteSpec;
use crate::source::Place;
use crate::topology::HostIndex;
use crate::tree::{Kind, Node};
use crate::value;

/// The name that stands for every host.
const ALL: &str = "all";

/// Host, population and site names with their hosts. All of it is known without a seed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Directory {
    /// Host names by index.
    pub(crate) hosts: Vec<String>,
    by_name: BTreeMap<String, Vec<HostIndex>>,
    /// Names for messages, in the order of the file.
    known: Vec<String>,
}

impl Directory {
    /// Collects all names; two of the same are a problem.
    pub(crate) fn new(populations: &[(Place, Population)], sites: &[SiteSpec], problems: &mut Problems<'_>) -> Self {
        let mut directory = Self::default();
        directory.by_name.insert(ALL.to_string(), Vec::new());
        let mut inside: Vec<Vec<HostIndex>> = vec![Vec::new(); sites.len()];
        for (place, population) in populations {
            let first = directory.hosts.len();
            let hosts: Vec<HostIndex> = (first..first + population.hosts.len()).map(HostIndex).collect();
            if population.hosts.len() != 1 || population.hosts[0] != population.name {
                directory.enter(&population.name, hosts.clone(), *place, problems);
            }
            for (host, name) in hosts.iter().zip(&population.hosts) {
                directory.enter(name, vec![*host], *place, problems);
                directory.hosts.push(name.clone());
            }
            if let Placement::Site(site) = population.place {
                let mut at = Some(site);
                while let Some(site) = at {
                    inside[site].extend(&hosts);
                    at = sites[site].behind;
                }
            }
        }
        for (site, hosts) in sites.iter().zip(inside) {
            directory.enter(&site.name, hosts, site.place, problems);
        }
        let all = (0..directory.hosts.len()).map(HostIndex).collect();
        directory.by_name.insert(ALL.to_string(), all);
        directory.known.push(ALL.to_string());
        directory
    }

    fn enter(&mut self, name: &str, hosts: Vec<HostIndex>, place: Place, problems: &mut Problems<'_>) {
        if self.by_name.contains_key(name) {
            let found = format!("a second thing called {}", quote(name));
            problems.add(place, found, "a name of its own for every host, population and site; `all` means every host");
        }
        self.known.push(name.to_string());
        self.by_name.insert(name.to_string(), hosts);
    }

    /// The hosts that a name or a list of names stands for, each once, in their order.
    pub(crate) fn select(&self, node: &Node, problems: &mut Problems<'_>) -> Option<Vec<HostIndex>> {
        const EXPECTED: &str = "a host, population or site, or a list of them";
        let mut selected = BTreeSet::new();
        match &node.kind {
            Kind::Scalar { text, .. } => selected.extend(self.find(text, node.place, problems)?),
            Kind::List(_) => {
                for item in value::list(node, "hosts", bound::HOSTS, problems)? {
                    let name = value::text(item, EXPECTED, problems)?;
                    selected.extend(self.find(name, item.place, problems)?);
                }
            }
            Kind::Null | Kind::Map(_) => {
                problems.add(node.place, node.describe(), EXPECTED);
                return None;
            }
        }
        if selected.is_empty() {
            problems.add(node.place, "no hosts", EXPECTED);
            return None;
        }
        Some(selected.into_iter().collect())
    }

    fn find(&self, name: &str, place: Place, problems: &mut Problems<'_>) -> Option<&[HostIndex]> {
        if let Some(hosts) = self.by_name.get(name) {
            return Some(hosts);
        }
        let known: Vec<&str> = self.known.iter().map(String::as_str).collect();
        problems.add_unknown(place, name, names::expected("a host, population or site", &known), known.iter().copied());
        None
    }
}
