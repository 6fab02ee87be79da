//! What a failing run leaves to be run again.
//!
//! The folder of the run itself is the bundle: `order.json` says what ran, `scenarios/<name>.yaml` is the scenario as it was, beside
//! the records and what the worker wrote to standard error. It can be moved and sent as it is.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use darkswap_records::summary::{RunSummary, Status};
use serde::{Deserialize, Serialize};

use super::folder::keep_scenario;

/// The name of the file that makes a folder a bundle.
pub const ORDER: &str = "order.json";

/// Version of the file. A reader refuses another one.
const VERSION: u32 = 1;
/// Longest file in bytes: it holds a name, two numbers and two hashes.
const LONGEST: u64 = 64 << 10;

/// What ran, and with which result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// Format version.
    version: u32,
    /// The scenario's name; its file is `scenarios/<name>.yaml`.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// Commit of the code that ran.
    pub commit: String,
    /// How the run ended.
    pub status: Status,
    /// The trace hash; empty when the run did not end.
    pub trace_hash: String,
}

impl Bundle {
    /// Makes the folder of a run a bundle.
    ///
    /// # Errors
    /// Something cannot be written.
    pub fn write(folder: &Path, run: &RunSummary, commit: &str, scenario: &[u8]) -> anyhow::Result<()> {
        keep_scenario(folder, &run.scenario, scenario)?;
        let bundle = Self {
            version: VERSION,
            scenario: run.scenario.clone(),
            seed: run.seed,
            commit: commit.to_string(),
            status: run.status,
            trace_hash: run.trace_hash.clone(),
        };
        let path = folder.join(ORDER);
        let json = serde_json::to_string_pretty(&bundle)? + "\n";
        fs::write(&path, json).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Reads the bundle in a folder.
    ///
    /// # Errors
    /// The folder is no bundle, or one of another version.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        struct Head {
            version: u64,
        }
        let path = folder.join(ORDER);
        let mut json = Vec::new();
        File::open(&path)
            .and_then(|file| file.take(LONGEST).read_to_end(&mut json))
            .with_context(|| format!("cannot read {}: is this the folder of a failed run?", path.display()))?;
        let named = || path.display().to_string();
        let found = serde_json::from_slice::<Head>(&json).with_context(named)?.version;
        ensure!(found == u64::from(VERSION), "{}: found version {found}, expected {VERSION}", path.display());
        serde_json::from_slice(&json).with_context(named)
    }

    /// The scenario's file in the bundle's folder.
    pub fn scenario_file(&self, folder: &Path) -> PathBuf {
        folder.join("scenarios").join(format!("{}.yaml", self.scenario))
    }
}

/// The command that runs a bundle again.
pub fn replay_command(folder: &Path) -> String {
    format!("darkswap-sim replay {}", quoted(&folder.display().to_string()))
}

/// A word for a shell.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::orchestrator::process::Ending;
    use crate::orchestrator::result::summarise;

    #[test]
    fn a_bundle_is_read_as_it_was_written() -> anyhow::Result<()> {
        let dir = tempfile::tempdir()?;
        let run = summarise("nat/matrix", u64::MAX, Ending::Crashed("why".into()), Duration::ZERO).context("a run")?;
        Bundle::write(dir.path(), &run, "abc+", b"title: x\n")?;
        let bundle = Bundle::read(dir.path())?;
        assert_eq!((bundle.scenario.as_str(), bundle.seed, bundle.commit.as_str()), ("nat/matrix", u64::MAX, "abc+"));
        assert_eq!(fs::read(bundle.scenario_file(dir.path()))?, b"title: x\n");
        Ok(())
    }

    #[test]
    fn what_is_no_bundle_is_refused() -> anyhow::Result<()> {
        let dir = tempfile::tempdir()?;
        let error = |text: Option<&str>| {
            if let Some(text) = text {
                let _ = fs::write(dir.path().join(ORDER), text);
            }
            format!("{:#}", Bundle::read(dir.path()).err().unwrap_or_else(|| anyhow::anyhow!("no error")))
        };
        assert!(error(None).contains("is this the folder of a failed run?"));
        assert!(error(Some("{}")).contains("missing field `version`"));
        assert!(error(Some(r#"{"version":2,"new":1}"#)).contains("found version 2, expected 1"));
        Ok(())
    }

    #[test]
    fn a_path_with_spaces_is_quoted() {
        assert_eq!(replay_command(Path::new("runs/latest/nat/seed-1")), "darkswap-sim replay runs/latest/nat/seed-1");
        assert_eq!(replay_command(Path::new("my runs/it's")), r"darkswap-sim replay 'my runs/it'\''s'");
    }
}
