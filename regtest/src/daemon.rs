//! A process that runs beside a test and never outlives it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::wait;

/// A process that was asked to end and did not by then is ended.
const GRACE: Duration = Duration::from_secs(10);

/// Starts of a process before its failure counts. Ports are free when they are chosen and may be taken when they are used.
const ATTEMPTS: usize = 5;

/// Bytes at the end of a log that an error shows.
const TAIL: u64 = 2000;

/// A process that ended before it was ready: worth another try, at another port.
#[derive(Debug, thiserror::Error)]
#[error("{name} ended at once ({status}); its last words:\n{tail}")]
pub(crate) struct EndedAtOnce {
    name: &'static str,
    status: ExitStatus,
    tail: String,
}

/// Starts something at a port that `choose` gives, and again, at most [`ATTEMPTS`] times, when somebody else had that port.
pub(crate) fn start_at<T>(choose: impl Fn() -> Result<u16>, mut start: impl FnMut(u16) -> Result<T>) -> Result<T> {
    let mut attempt = 1;
    loop {
        match start(choose()?) {
            Err(error) if attempt < ATTEMPTS && error.is::<EndedAtOnce>() => attempt += 1,
            result => return result,
        }
    }
}

/// A running process with its log.
#[derive(Debug)]
pub(crate) struct Daemon {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts `command`, whose output is added to `log`. Only what the command says counts: other variables that would configure it are
    /// hidden.
    pub(crate) fn start(name: &'static str, command: &mut Command, log: &Path) -> Result<Self> {
        let prefix = format!("{}_", name.to_uppercase());
        let given: BTreeSet<OsString> = command.get_envs().map(|(variable, _)| variable.to_owned()).collect();
        let variables = std::env::vars_os().map(|(variable, _)| variable);
        for variable in variables.filter(|it| it.to_string_lossy().starts_with(&prefix) && !given.contains(it)) {
            command.env_remove(variable);
        }
        let file = File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name, child, log: log.to_owned() })
    }

    /// Waits until `probe` finds it ready.
    pub(crate) fn wait_ready<T>(&mut self, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Result<T> {
        enum Seen<T> {
            Ready(T),
            Ended(ExitStatus),
        }
        let seen = wait::until(limit, || match self.child.try_wait() {
            Ok(Some(status)) => Some(Seen::Ended(status)),
            Ok(None) | Err(_) => probe().map(Seen::Ready),
        });
        match seen {
            Some(Seen::Ready(value)) => Ok(value),
            Some(Seen::Ended(status)) => Err(EndedAtOnce { name: self.name, status, tail: self.tail() }.into()),
            None => bail!("{} is not ready after {} s\n{}", self.name, limit.as_secs(), self.tail()),
        }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_child(&self.child), signal).with_context(|| format!("cannot signal {}", self.name))
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        if wait::exit_within(&mut self.child, GRACE)?.is_none() {
            bail!("{} was asked to end and still runs after {} s\n{}", self.name, GRACE.as_secs(), self.tail());
        }
        Ok(())
    }

    fn tail(&self) -> String {
        tail(&self.log)
    }
}

/// The last words of a log.
pub(crate) fn tail(log: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It fails when the process has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
