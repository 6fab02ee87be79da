//! One step of a setup: a command, its log, its time.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use super::progress::Progress;
use crate::wait;

/// The slowest step takes a few minutes on two cores; a machine that needs this long is stuck.
const LIMIT: Duration = Duration::from_secs(90 * 60);

/// Between two looks at a command.
const LOOK: Duration = Duration::from_millis(200);

/// Bytes at the end of a log that are read.
const TAIL: u64 = 4096;

/// Lines of a failed step that are shown.
const SHOWN_LINES: usize = 25;

/// What a step took.
#[derive(Clone, Debug, Serialize)]
pub struct StepTime {
    /// What was done.
    pub step: String,
    /// How long it took.
    pub seconds: f64,
}

/// The steps of a setup.
#[derive(Debug)]
pub(super) struct Steps<'a> {
    progress: &'a mut Progress,
    times: Vec<StepTime>,
}

impl<'a> Steps<'a> {
    pub(super) fn new(progress: &'a mut Progress) -> Self {
        Self { progress, times: Vec::new() }
    }

    /// What the steps took.
    pub(super) fn finish(self) -> Vec<StepTime> {
        self.times
    }

    /// Says one thing between two steps.
    pub(super) fn note(&self, text: &str) {
        self.progress.note(text);
    }

    /// Runs `command`, which must succeed. Its output goes to `log`, which is shown and kept when it fails.
    pub(super) fn run(&mut self, step: &str, command: &mut Command, log: &Path) -> Result<()> {
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let program = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        self.progress.begin(step);
        let ended = self.watch(command, log).with_context(|| format!("cannot run {program}"));
        let succeeded = matches!(ended, Ok(Some(status)) if status.success());
        self.end(step, if succeeded { "done" } else { "FAILED" });
        let how = match ended? {
            Some(_) if succeeded => return Ok(()),
            Some(status) => status.to_string(),
            None => format!("not done after {} min", LIMIT.as_secs() / 60),
        };
        let kept = keep(log)?;
        bail!("{step} failed ({how}). The end of {}:\n{}", kept.display(), tail(log, SHOWN_LINES));
    }

    /// Does `work`, which must succeed.
    pub(super) fn call<T>(&mut self, step: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.progress.begin(step);
        let result = work();
        self.end(step, if result.is_ok() { "done" } else { "FAILED" });
        result.with_context(|| format!("{step} failed"))
    }

    fn end(&mut self, step: &str, how: &str) {
        let took = self.progress.end(how);
        self.times.push(StepTime { step: step.to_owned(), seconds: took.as_secs_f64() });
    }

    fn watch(&mut self, command: &mut Command, log: &Path) -> std::io::Result<Option<ExitStatus>> {
        let begin = wait::now();
        let mut child = command.spawn()?;
        while begin.elapsed() < LIMIT {
            if let Some(status) = wait::exit_within(&mut child, LOOK)? {
                return Ok(Some(status));
            }
            self.progress.tick(&tail(log, 1));
        }
        child.kill()?;
        child.wait()?;
        Ok(None)
    }
}

/// The folder of the build goes, its log must not.
fn keep(log: &Path) -> Result<PathBuf> {
    let mut kept = tempfile::Builder::new().prefix("darkswap-setup-").suffix(".log").tempfile()?;
    std::io::copy(&mut File::open(log)?, kept.as_file_mut())?;
    kept.flush()?;
    Ok(kept.into_temp_path().keep()?)
}

/// The last `lines` lines of `log` that are not empty.
fn tail(log: &Path, lines: usize) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(log)?;
        let length = fs::metadata(log)?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_shows_the_end_of_its_output_and_keeps_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        let mut progress = Progress::default();
        let mut steps = Steps::new(&mut progress);
        let mut command = Command::new("sh");
        command.args(["-c", "echo first; echo the reason >&2; exit 3"]);
        let error = steps.run("a step", &mut command, &log).expect_err("it exits with 3").to_string();
        assert!(error.contains("the reason") && error.contains("exit status: 3"), "{error}");
        let kept = error.split_whitespace().find(|word| word.ends_with(".log:")).expect("the log is named");
        let kept = Path::new(kept.trim_end_matches(':'));
        assert_eq!(fs::read_to_string(kept).expect("the log is kept"), "first\nthe reason\n");
        fs::remove_file(kept).expect("it is there");
        assert_eq!(steps.finish().len(), 1);
    }

    #[test]
    fn the_tail_of_a_log_skips_empty_lines() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        fs::write(&log, "one\ntwo\n\n  \n").expect("writable");
        assert_eq!(tail(&log, 1), "two");
        assert_eq!(tail(&log, 9), "one\ntwo");
        assert_eq!(tail(&folder.path().join("none"), 1), "");
    }
}
