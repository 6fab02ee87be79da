//! Which code ran.

use std::path::Path;
use std::process::{Command, Stdio};

/// What a commit is called where there is none.
pub const UNKNOWN: &str = "unknown";

/// A file that tells a checkout of this project from any other.
const LANDMARK: &str = "sim/scenario/Cargo.toml";

/// The commit that is checked out around `folder`, with `+` behind it when tracked files were modified since; [`UNKNOWN`] outside a
/// checkout of this project and where there is no git.
pub fn commit(folder: &Path) -> String {
    read(folder).unwrap_or_else(|| UNKNOWN.to_string())
}

fn read(folder: &Path) -> Option<String> {
    let root = git(folder, &["rev-parse", "--show-toplevel"])?;
    if !Path::new(&root).join(LANDMARK).is_file() {
        return None;
    }
    let commit = git(folder, &["rev-parse", "--short=12", "HEAD"]).filter(|commit| !commit.is_empty())?;
    let changes = git(folder, &["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changes.is_empty() { commit } else { format!("{commit}+") })
}

fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output =
        Command::new("git").arg("-C").arg(folder).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let output = output.ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_a_checkout_the_commit_is_unknown() -> std::io::Result<()> {
        assert_eq!(commit(tempfile::tempdir()?.path()), UNKNOWN);
        Ok(())
    }
}
