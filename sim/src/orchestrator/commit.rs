//! Which code runs.
//!
//! A release build has its commit within, wherever it is run: shards of a sweep run on machines without a checkout, and whoever goes on
//! with a sweep may have checked out something else since. Other builds ask the checkout that they were built from each time, since a
//! value within would have everything linked again after every commit.

use std::path::Path;

mod checkout;

/// What a commit is called where there is none.
pub const UNKNOWN: &str = "unknown";

/// The commit of this executable, with `+` behind it when tracked sources were modified since; [`UNKNOWN`] when it was built outside a
/// checkout of this project, or without git, and `DARKSWAP_COMMIT` did not tell it.
pub fn commit() -> String {
    let built = option_env!("DARKSWAP_COMMIT").filter(|told| !told.is_empty()).map(str::to_string);
    built.or_else(|| around(Path::new(env!("CARGO_MANIFEST_DIR")))).unwrap_or_else(|| UNKNOWN.to_string())
}

fn around(folder: &Path) -> Option<String> {
    checkout::commit(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_a_checkout_there_is_no_commit() -> std::io::Result<()> {
        assert_eq!(around(tempfile::tempdir()?.path()), None);
        Ok(())
    }

    #[test]
    fn a_commit_is_twelve_digits_or_unknown() {
        let commit = commit();
        let digits = commit.trim_end_matches('+');
        assert!(commit == UNKNOWN || digits.len() == 12 && digits.chars().all(|it| it.is_ascii_hexdigit()), "{commit}");
    }
}
