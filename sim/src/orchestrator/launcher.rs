//! How a worker is started.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A command that reads an order from standard input and answers with messages.
#[derive(Debug, Clone)]
pub struct Launcher {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Launcher {
    /// Starts `program` with `arguments`.
    pub fn new(program: impl Into<PathBuf>, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self { program: program.into(), arguments: arguments.into_iter().map(Into::into).collect() }
    }

    /// Starts the running executable again, with `arguments`.
    ///
    /// # Errors
    /// The system does not tell where it is.
    pub fn this_executable(arguments: impl IntoIterator<Item = impl Into<OsString>>) -> io::Result<Self> {
        // The link names the file that is running, even after a build has replaced it: all runs are of the same code.
        let link = Path::new("/proc/self/exe");
        let program = if link.exists() { link.to_path_buf() } else { std::env::current_exe()? };
        Ok(Self::new(program, arguments))
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt as _;
            // An interrupt from the terminal is the orchestrator's to handle; it ends its workers itself.
            command.process_group(0);
        }
        command
    }
}
