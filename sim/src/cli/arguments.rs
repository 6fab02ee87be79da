//! Values of arguments.

use std::time::Duration;

use darkswap_records::unit::parse_duration;
use darkswap_scenario::seeds;

/// Seeds as the command line has them: `7` or `1..4`.
#[derive(Debug, Clone)]
pub(super) struct Seeds(pub(super) Vec<u64>);

/// Reads `7` or `1..4`, both ends included.
pub(super) fn seeds(text: &str) -> Result<Seeds, String> {
    seeds::parse(text).map(Seeds).map_err(|expected| format!("expected {expected}"))
}

/// Reads how long a worker may be silent.
pub(super) fn patience(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Ok(Duration::ZERO) => Err("expected more than nothing".into()),
        Ok(duration) => Ok(duration),
        Err(error) => Err(error.to_string()),
    }
}
