//! What load, faults and figures work on.

use darkswap_scenario::Topology;

use super::cast::Cast;
use super::ledger::Ledger;
use super::recorder::Recorder;
use super::topology::Places;
use crate::harness::World;

/// The world of a run with everybody and every book in it.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) world: &'a World,
    pub(super) topology: &'a Topology,
    pub(super) places: &'a Places,
    pub(super) cast: &'a Cast,
    pub(super) recorder: &'a Recorder,
    pub(super) ledger: &'a Ledger,
}
