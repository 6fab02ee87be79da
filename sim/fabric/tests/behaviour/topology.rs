//! Topologies that cannot be built.

use darkswap_fabric::{
    FabricBuilder, HostConfig, MAX_NESTING, Placement, RegionIndex, SiteConfig, SiteIndex, TopologyError,
};

use crate::support::{EI, EXTERNAL, World, config};

#[test]
fn an_address_belongs_to_one_host_or_gateway_only() {
    let mut world = World::new();
    world.site("203.0.113.1", config(EI, EI));
    let placement = Placement::Core(world.region);
    let error = world.builder.host("late", HostConfig::new(EXTERNAL, placement)).expect_err("a duplicate");
    assert_eq!(error.to_string(), "address 203.0.113.1 of `late` is in use by `203.0.113.1`");
}

#[test]
fn names_are_unique_among_their_kind() {
    let mut builder = FabricBuilder::new(1);
    builder.region("europe").expect("a region");
    assert_eq!(builder.region("europe"), Err(TopologyError::DuplicateName("europe".to_owned())));
}

#[test]
fn placements_must_exist() {
    let mut builder = FabricBuilder::new(1);
    let nowhere = HostConfig::new(EXTERNAL, Placement::Behind(SiteIndex(3)));
    let error = TopologyError::UnknownSite { name: "lost".to_owned(), site: SiteIndex(3) };
    assert_eq!(builder.host("lost", nowhere), Err(error));
    let nowhere = HostConfig::new(EXTERNAL, Placement::Core(RegionIndex(1)));
    assert_eq!(builder.host("lost", nowhere), Err(TopologyError::UnknownRegion(RegionIndex(1))));
}

#[test]
fn sites_nest_up_to_a_bound() {
    let mut world = World::new();
    let mut placement = Placement::Core(world.region);
    for level in 0..MAX_NESTING {
        let site = world.builder.site(&format!("level {level}"), SiteConfig::routed(placement)).expect("a site");
        placement = Placement::Behind(site);
    }
    let error = world.builder.site("too deep", SiteConfig::routed(placement));
    assert_eq!(error, Err(TopologyError::TooDeep("too deep".to_owned())));
}

#[test]
fn every_pair_of_regions_needs_a_path() {
    let mut builder = FabricBuilder::new(1);
    builder.region("europe").expect("a region");
    let error = builder.build::<u32>().expect_err("no path");
    assert_eq!(error.to_string(), "there is no path from region `europe` to region `europe`");
}
