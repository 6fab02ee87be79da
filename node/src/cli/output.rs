//! What a command prints.

use std::io::{self, Write as _};

use anyhow::Context as _;
pub(crate) use darkswap_node::terminal::printable;
use serde::Serialize;

use super::failure::Failure;

/// Writes lines to standard output.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{}", text.trim_end_matches('\n')).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::OutputClosed),
        written => Ok(written.context("cannot write to standard output")?),
    }
}

/// Writes one line of JSON to standard output.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    print(&serde_json::to_string(value).context("cannot write JSON")?)
}

/// Writes an error to standard error.
pub(crate) fn complain(message: &str) {
    // Nobody is left to be told when this fails.
    let _ = writeln!(io::stderr().lock(), "error: {}", printable(message));
}
