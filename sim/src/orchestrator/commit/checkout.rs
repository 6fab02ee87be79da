//! The commit of a checkout, as git has it. The build script reads this file as well, so it uses the standard library only.

use std::path::Path;
use std::process::{Command, Stdio};

/// A file that tells a checkout of this project from any other.
const LANDMARK: &str = "sim/scenario/Cargo.toml";

/// What the executable is made of, relative to the root of the checkout.
pub(crate) const SOURCES: [&str; 6] = ["Cargo.lock", "Cargo.toml", "node", "reports", "rust-toolchain.toml", "sim"];

/// The commit that is checked out around `folder`, with `+` behind it when tracked sources were modified since; nothing outside a
/// checkout of this project and where there is no git.
pub(crate) fn commit(folder: &Path) -> Option<String> {
    let root = git(folder, &["rev-parse", "--show-toplevel"])?;
    let root = Path::new(&root);
    if !root.join(LANDMARK).is_file() {
        return None;
    }
    let commit = git(root, &["rev-parse", "--short=12", "HEAD"]).filter(|commit| !commit.is_empty())?;
    // Without the lock git does not write its index, so that asking changes nothing.
    let status = ["--no-optional-locks", "status", "--porcelain", "--untracked-files=no", "--"];
    let changes = git(root, &[&status[..], &SOURCES[..]].concat())?;
    Some(if changes.is_empty() { commit } else { format!("{commit}+") })
}

/// What git answers in a folder.
pub(crate) fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output =
        Command::new("git").arg("-C").arg(folder).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let output = output.ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_string())
}
