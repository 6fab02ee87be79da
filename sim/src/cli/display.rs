//! What is shown while runs are running: a bar on a terminal, lines elsewhere.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::Duration;

use darkswap_records::summary::{RunSummary, Status};
use darkswap_records::unit::show_seconds;
use darkswap_sim::orchestrator::pool::Event;
use darkswap_sim::orchestrator::task::Task;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output;
use super::paint::Paint;

/// How often the bar is drawn again when nothing happens, for its estimate of the time left.
const TICK: Duration = Duration::from_millis(500);

/// What is shown while runs are running.
#[derive(Debug)]
pub(super) struct Display {
    labels: Vec<String>,
    durations: Vec<u64>,
    width: usize,
    done: usize,
    failed: usize,
    /// Simulated microseconds of what has ended.
    ended_us: u64,
    running: BTreeMap<usize, Running>,
    bar: Option<ProgressBar>,
}

#[derive(Debug, Default)]
struct Running {
    simulated_us: u64,
    again: bool,
}

impl Display {
    /// Nothing of `tasks` has begun.
    pub(super) fn new(tasks: &[Task]) -> Self {
        let labels: Vec<String> = tasks.iter().map(|task| label(&task.scenario, task.seed)).collect();
        let durations: Vec<u64> = tasks.iter().map(|task| micros(task.duration)).collect();
        let bar = std::io::stderr().is_terminal().then(|| bar(durations.iter().sum()));
        Self {
            width: labels.iter().map(|label| label.chars().count()).max().unwrap_or(0),
            labels,
            durations,
            done: 0,
            failed: 0,
            ended_us: 0,
            running: BTreeMap::new(),
            bar,
        }
    }

    /// Shows what happened.
    pub(super) fn show(&mut self, event: &Event) {
        match event {
            Event::Started { task } => {
                self.running.insert(*task, Running::default());
            }
            Event::Progress { task, progress } => {
                self.running.entry(*task).or_default().simulated_us = progress.simulated_us;
            }
            Event::Again { task } => {
                self.running.insert(*task, Running { simulated_us: 0, again: true });
            }
            Event::Ended { task, run } => {
                self.running.remove(task);
                self.ended_us += self.durations.get(*task).copied().unwrap_or(0);
                self.ended(run);
            }
            Event::Interrupted { task } => {
                self.running.remove(task);
            }
        }
        self.draw();
    }

    /// Takes the bar away.
    pub(super) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }

    fn ended(&mut self, run: &RunSummary) {
        self.done += 1;
        self.failed += usize::from(!run.passed);
        let line = self.line(run);
        match &self.bar {
            None => output::note(line),
            // On a terminal the bar counts those that passed; the table at the end has them all.
            Some(bar) if !run.passed => bar.println(line),
            Some(_) => {}
        }
    }

    /// `[ 3/20] pass  quickstart seed 1  60 s simulated in 1.2 s`
    fn line(&self, run: &RunSummary) -> String {
        let total = self.labels.len();
        let digits = total.to_string().len();
        let width = self.width;
        format!(
            "[{:>digits$}/{total}] {}  {:<width$}  {} simulated in {}",
            self.done,
            word(run.status, Paint::stderr()),
            label(&run.scenario, run.seed),
            show_seconds(run.simulated_s),
            show_seconds(run.wall_s),
        )
    }

    fn draw(&self) {
        let Some(bar) = &self.bar else { return };
        let failed = if self.failed == 0 { String::new() } else { format!(", {} failed", self.failed) };
        bar.set_prefix(format!("{}/{} done{failed}", self.done, self.labels.len()));
        let current = self.running.iter().filter_map(|(task, running)| {
            let simulated = show_seconds(running.simulated_us as f64 / 1e6);
            let again = if running.again { " again" } else { "" };
            Some(format!("{}{again} {simulated}", self.labels.get(*task)?))
        });
        bar.set_message(current.collect::<Vec<_>>().join(" · "));
        let first_times = self.running.values().filter(|running| !running.again);
        bar.set_position(self.ended_us + first_times.map(|running| running.simulated_us).sum::<u64>());
    }
}

/// How a run ended, in a word of four letters.
pub(super) fn word(status: Status, paint: Paint) -> String {
    match status {
        Status::Passed => paint.green("pass"),
        Status::Failed => paint.red("FAIL"),
        Status::Crashed => paint.red("DIED"),
        Status::Hung => paint.red("HUNG"),
        Status::Invalid => paint.red("BAD "),
    }
}

/// What a run is called.
pub(super) fn label(scenario: &str, seed: u64) -> String {
    format!("{scenario} seed {seed}")
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn bar(length_us: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length_us), ProgressDrawTarget::stderr());
    let colours = if Paint::stderr().is_on() { ".cyan/dim" } else { "" };
    let template = format!("{{bar:24{colours}}} {{prefix}}, {{eta}} left  {{wide_msg}}");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}

#[cfg(test)]
mod tests {
    use darkswap_sim::orchestrator::process::Ending;
    use darkswap_sim::orchestrator::result::summarise;

    use super::*;

    #[test]
    fn lines_are_aligned() {
        let task = |scenario: &str, seed| Task {
            scenario: scenario.into(),
            seed,
            duration: Duration::from_secs(60),
            file: scenario.into(),
            text: [].into(),
        };
        let tasks: Vec<Task> = (1..=9).map(|seed| task("nat/matrix", seed)).chain([task("quickstart", 10)]).collect();
        let mut display = Display { bar: None, ..Display::new(&tasks) };
        display.done = 3;
        let run = summarise("nat/matrix", 3, Ending::Crashed("x".into()), Duration::from_millis(1_200));
        let line = run.map(|run| display.line(&RunSummary { simulated_s: 60.0, status: Status::Failed, ..run }));
        assert_eq!(line.as_deref(), Some("[ 3/10] FAIL  nat/matrix seed 3   60 s simulated in 1.2 s"));
    }
}
