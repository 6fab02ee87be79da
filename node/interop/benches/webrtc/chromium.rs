//! Two pages of Chromium that talk to each other: the yardstick that a user of browsers knows.
//!
//! Signalled over a `BroadcastChannel`, without noise. Times are the page's own, so they do not contain the way to it.

use std::io::{BufRead as _, BufReader, Lines, Write as _, stdout};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::stack::MESSAGE;

/// As it appears in the results.
pub(crate) const NAME: &str = "Chromium to Chromium";
/// The size of a message is the page's own.
const _: () = assert!(MESSAGE == 16 * 1024, "browser-tests/pages/speed sends messages of 16 KiB");

/// A program that drives both pages, one line for each measurement.
pub(crate) struct Chromium {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Chromium {
    /// Starts it, or says what is missing.
    pub(crate) fn start() -> Option<Self> {
        Self::try_start()
            .inspect_err(|error| {
                let _ = writeln!(
                    stdout(),
                    "without Chromium: {error:#}. browser-tests/setup.sh and npm run build make it ready."
                );
            })
            .ok()
    }

    fn try_start() -> Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../browser-tests");
        let program = folder.join("dist/harness/speed.mjs");
        ensure!(program.is_file(), "there is no {}", program.display());
        let mut child = Command::new("node")
            .arg(&program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .context("node does not start")?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("there is no output")?).lines();
        let mut this = Self { child, input, output };
        this.set_up()?;
        this.transfer(1)?;
        Ok(this)
    }

    /// A connection from nothing to the answer to its first message.
    pub(crate) fn set_up(&mut self) -> Result<Duration> {
        self.ask("set-up")
    }

    /// So many messages over a connection that is kept, until all have arrived.
    pub(crate) fn transfer(&mut self, messages: usize) -> Result<Duration> {
        self.ask(&format!("transfer {messages}"))
    }

    fn ask(&mut self, line: &str) -> Result<Duration> {
        writeln!(self.input.as_mut().context("it was ended")?, "{line}")?;
        let answer = self.output.next().context("the browser has gone")??;
        let milliseconds: f64 = answer.parse().with_context(|| format!("found '{answer}', expected milliseconds"))?;
        Ok(Duration::try_from_secs_f64(milliseconds / 1e3)?)
    }
}

impl Drop for Chromium {
    /// The program ends with its input.
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.wait();
    }
}
