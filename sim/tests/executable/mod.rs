//! The executable, called in a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder of its own in which the executable runs.
pub(crate) struct Place {
    dir: tempfile::TempDir,
}

/// What an invocation came to.
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    /// With these files, by their paths.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        for (name, text) in files {
            place.write(name, text);
        }
        place
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn call(&self, arguments: &[&str]) -> Done {
        let output = Command::new(env!("CARGO_BIN_EXE_darkswap-sim"))
            .args(arguments)
            .current_dir(self.dir.path())
            .env_remove("NO_COLOR")
            .output()
            .unwrap();
        let Output { status, stdout, stderr } = output;
        Done { code: status.code(), out: String::from_utf8(stdout).unwrap(), err: String::from_utf8(stderr).unwrap() }
    }
}

/// Whether runs can start here; where not, every run says so and there is nothing to test.
pub(crate) fn supported() -> bool {
    darkswap_sim::platform::supported().is_ok()
}
