//! What is shown while a setup works: a spinner on a terminal, lines elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::wait;

/// Between two lines of a step, where nobody sees a spinner: often enough that no watchdog takes silence for death.
const LINE: Duration = Duration::from_secs(30);

/// Characters of a compiler's line that are shown.
const SHOWN: usize = 70;

/// What is shown on standard error.
#[derive(Debug)]
pub struct Progress {
    terminal: bool,
    bar: Option<ProgressBar>,
    step: String,
    begin: Instant,
    line: Instant,
}

impl Default for Progress {
    fn default() -> Self {
        let now = wait::now();
        let terminal = std::io::stderr().is_terminal();
        Self { terminal, bar: None, step: String::new(), begin: now, line: now }
    }
}

impl Progress {
    /// Says one thing.
    pub fn note(&self, text: &str) {
        // Nothing is to be done about a standard error that is closed.
        let write = || {
            let _ = writeln!(std::io::stderr(), "{text}");
        };
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// A step begins.
    pub(super) fn begin(&mut self, step: &str) {
        step.clone_into(&mut self.step);
        self.begin = wait::now();
        self.line = self.begin;
        if self.terminal {
            let style =
                ProgressStyle::with_template("{spinner} {prefix} ({elapsed}): {msg}").expect("a valid template");
            let bar = ProgressBar::new_spinner().with_style(style).with_prefix(step.to_owned());
            bar.enable_steady_tick(Duration::from_millis(200));
            self.bar = Some(bar);
        } else {
            self.note(&format!("{step} ..."));
        }
    }

    /// The step is still at work; `line` is the last that it printed.
    pub(super) fn tick(&mut self, line: &str) {
        let line: String = line.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
        if let Some(bar) = &self.bar {
            bar.set_message(line);
        } else if self.line.elapsed() >= LINE {
            self.line = wait::now();
            self.note(&format!("{}, {}: {line}", self.step, show(self.begin.elapsed())));
        }
    }

    /// The step ended. Returns how long it took.
    pub(super) fn end(&mut self, how: &str) -> Duration {
        let took = self.begin.elapsed();
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        self.note(&format!("{}: {how} after {}", self.step, show(took)));
        took
    }
}

/// A duration as a person says it.
fn show(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        60.. => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_shown_in_seconds_and_then_in_minutes() {
        assert_eq!(show(Duration::from_millis(1540)), "1.5 s");
        assert_eq!(show(Duration::from_secs(125)), "2 min 5 s");
    }
}
