//! `darkswap config`: the resolved configuration.

use super::arguments::{Config, Place};
use super::failure::Failure;
use super::{output, settings};

pub(crate) fn config(place: &Place, options: &Config) -> Result<(), Failure> {
    let resolved = settings::resolve(place, Some(&options.overrides))?;
    if options.shown.json { output::print_json(&resolved.to_table()) } else { output::print(&resolved.to_toml()) }
}
