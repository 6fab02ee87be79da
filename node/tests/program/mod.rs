//! The built program, in a folder of its own.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// How long a test waits for what should happen at once, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A node's folder.
pub(crate) struct Folder(TempDir);

/// A running node. It is killed when it is dropped.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    log: PathBuf,
}

impl Folder {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder with an identity and this configuration.
    pub(crate) fn with_config(config: &str) -> Self {
        let folder = Self::new();
        assert_eq!(folder.run(&["init"]).code, 0);
        std::fs::write(folder.file("darkswap.toml"), config).unwrap();
        folder
    }

    /// A file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join("node").join(name)
    }

    /// A command line for this folder, free from the caller's settings.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_darkswap"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("DARKSWAP_")) {
            command.env_remove(name);
        }
        command.arg("--dir").arg(self.0.path().join("node")).args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        Finished::new(self.command(arguments).output().unwrap())
    }

    /// Starts the node and waits until it is ready: its ready line.
    pub(crate) fn start(&self, arguments: &[&str]) -> (Running, Value) {
        let log = self.0.path().join("log");
        let mut child = self
            .command(&[&["run", "--ready-json"], arguments].concat())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = sync_channel(16);
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let running = Running { child, lines, log };
        let ready = running.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("not ready: {}", running.log()));
        (running, serde_json::from_str(&ready).unwrap())
    }
}

impl Running {
    /// What the node has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the node's end: its exit code, if it was not killed.
    pub(crate) fn ended(mut self) -> Option<i32> {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(_) => {}
                // Its output is closed: nothing of the process is left but its exit code.
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().unwrap().code(),
                Err(RecvTimeoutError::Timeout) => panic!("still running: {}", self.log()),
            }
        }
    }

    /// Ends the node as a crash would.
    pub(crate) fn crash(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a command left.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    fn new(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The JSON that a successful command printed.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap()
    }
}
