//! The logs of a test that failed.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Result;

use super::TestEnv;

/// Copies what the processes wrote to a folder that stays, and says where it is.
pub(super) fn keep_and_say(env: &TestEnv) {
    let text = match env.keep_logs() {
        Ok(folder) => format!("the logs of bitcoind, electrs, ord and the nodes are in {}", folder.display()),
        Err(error) => format!("the logs of bitcoind, electrs and ord could not be kept: {error:#}"),
    };
    // Nothing is to be done about a standard error that is closed.
    let _ = writeln!(std::io::stderr(), "{text}");
}

impl TestEnv {
    /// The folder of the logs, should this chain's test fail: beside the chain's own.
    pub fn kept_logs(&self) -> PathBuf {
        let name = self.folder().file_name().unwrap_or_default().to_string_lossy();
        self.folder().with_file_name(format!("failed-{name}"))
    }

    /// Copies the logs to a folder that stays. A panic does so by itself.
    ///
    /// # Errors
    ///
    /// When the folder cannot be written.
    pub fn keep_logs(&self) -> Result<PathBuf> {
        let kept = self.kept_logs();
        fs::create_dir_all(&kept)?;
        let mut logs = vec![("bitcoind.log".into(), self.bitcoind.workdir().join("regtest").join("debug.log"))];
        for entry in fs::read_dir(self.folder())? {
            let entry = entry?;
            if entry.path().extension().is_some_and(|extension| extension == "log") {
                logs.push((entry.file_name(), entry.path()));
            }
        }
        for (name, log) in logs {
            fs::copy(log, kept.join(name))?;
        }
        Ok(kept)
    }
}
