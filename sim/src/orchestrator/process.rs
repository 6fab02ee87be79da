//! One worker, from its order to its end.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use darkswap_records::unit::show_seconds;

use crate::cost::real_now;
use crate::worker::{Finished, Message, Order, Progress};

use super::interrupt::Interrupt;
use super::launcher::Launcher;

/// What a worker writes to standard error, in the folder of its run.
pub const STDERR: &str = "stderr.txt";

/// How often the watchdog looks.
const TICK: Duration = Duration::from_millis(50);
/// How long a worker that closed its output may take to end before its end is looked for less often.
const EXIT: Duration = Duration::from_millis(2);
/// Messages that may wait; a worker that writes more of them is slowed down by its pipe.
const WAITING: usize = 16;
/// Longest message in bytes: the last one holds every expectation, fault and figure of a run, of which each is bounded.
const LONGEST: usize = 16 << 20;
/// How much of its standard error is quoted of a worker that crashed, in bytes and in lines.
const LAST_WORDS: (u64, usize) = (2_048, 12);

/// How a worker ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// With a result.
    Finished(Box<Finished>),
    /// Without one: it could not be started, died, or said what no worker says. Holds the reason.
    Crashed(String),
    /// It was killed because it did not go on. Holds the reason.
    Hung(String),
    /// It was killed because of an [`Interrupt`].
    Interrupted,
}

/// When a worker is killed.
#[derive(Debug, Clone)]
pub struct Watch {
    /// The longest real time between two messages.
    pub patience: Duration,
    /// The wish to stop.
    pub interrupt: Interrupt,
}

/// Runs a worker to its end and tells `heard` how far it is.
///
/// The worker is gone when this returns. What it wrote to standard error is in [`STDERR`] in the order's folder.
pub fn supervise(launcher: &Launcher, order: &Order, watch: &Watch, heard: &mut dyn FnMut(Progress)) -> Ending {
    let mut worker = match Worker::start(launcher, order) {
        Ok(worker) => worker,
        Err(error) => return Ending::Crashed(format!("the worker could not be started: {error}")),
    };
    let end = worker.listen(watch, heard);
    // Harmless for one that has ended already.
    let _ = worker.child.kill();
    let _ = worker.child.wait();
    match end {
        End::Result(finished) => Ending::Finished(finished),
        End::Hung => Ending::Hung(format!(
            "the worker was killed: no progress for {} ({})",
            show_seconds(watch.patience.as_secs_f64()),
            worker.place()
        )),
        End::Interrupted => Ending::Interrupted,
        End::Crashed(reason) => Ending::Crashed(match last_words(&order.out.join(STDERR)) {
            Some(words) => format!("{reason} ({})\n{words}", worker.place()),
            None => format!("{reason} ({}), without a word", worker.place()),
        }),
    }
}

enum End {
    Result(Box<Finished>),
    Crashed(String),
    Hung,
    Interrupted,
}

struct Worker {
    child: Child,
    messages: Receiver<Result<Message, String>>,
    at: Option<Progress>,
}

impl Worker {
    fn start(launcher: &Launcher, order: &Order) -> io::Result<Self> {
        let errors = File::create(order.out.join(STDERR))?;
        let json = serde_json::to_vec(order)?;
        let mut command = launcher.command();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors).spawn()?;
        // A worker that died already says so by its end; an order fits into the pipe.
        if let Some(mut input) = child.stdin.take() {
            let _ = input.write_all(&json);
        }
        let (sender, messages) = sync_channel(WAITING);
        if let Some(output) = child.stdout.take() {
            // Ends with the worker's output, or when nobody listens any more.
            std::thread::spawn(move || read(BufReader::new(output), &sender));
        }
        Ok(Self { child, messages, at: None })
    }

    fn listen(&mut self, watch: &Watch, heard: &mut dyn FnMut(Progress)) -> End {
        let mut result = None;
        let mut last = real_now();
        let mut closed = false;
        loop {
            match self.next(closed) {
                Next::Said(Message::Progress(progress)) if result.is_none() => {
                    last = real_now();
                    self.at = Some(progress);
                    heard(progress);
                }
                Next::Said(Message::Finished(finished)) if result.is_none() => {
                    last = real_now();
                    result = Some(Box::new(finished));
                }
                Next::Said(_) => return End::Crashed("the worker went on after its result".into()),
                Next::Garbage(reason) => return End::Crashed(reason),
                Next::Closed => closed = true,
                Next::Ended(status) => return ended(status, result),
                Next::Nothing => {}
            }
            if watch.interrupt.is_raised() {
                return End::Interrupted;
            }
            if real_now().saturating_sub(last) > watch.patience {
                return End::Hung;
            }
        }
    }

    /// Waits for a moment until something happens.
    #[expect(clippy::disallowed_methods, reason = "a real thread waits for a real process")]
    fn next(&mut self, closed: bool) -> Next {
        if closed {
            return match self.child.try_wait() {
                Ok(Some(status)) => Next::Ended(status),
                Ok(None) => {
                    std::thread::sleep(EXIT);
                    Next::Nothing
                }
                Err(error) => Next::Garbage(format!("the worker's end is unknown: {error}")),
            };
        }
        match self.messages.recv_timeout(TICK) {
            Ok(Ok(message)) => Next::Said(message),
            Ok(Err(reason)) => Next::Garbage(reason),
            Err(RecvTimeoutError::Timeout) => Next::Nothing,
            Err(RecvTimeoutError::Disconnected) => Next::Closed,
        }
    }

    /// How far it came, for people.
    fn place(&self) -> String {
        match self.at {
            Some(progress) => format!("at {} of simulated time", show_seconds(progress.simulated_us as f64 / 1e6)),
            None => "before its first progress".into(),
        }
    }
}

enum Next {
    Said(Message),
    Garbage(String),
    Closed,
    Ended(ExitStatus),
    Nothing,
}

fn ended(status: ExitStatus, result: Option<Box<Finished>>) -> End {
    match result {
        Some(finished) if status.success() => End::Result(finished),
        None if status.success() => End::Crashed("the worker ended without a result".into()),
        _ => End::Crashed(format!("the worker ended with {status}")),
    }
}

/// Passes on every line as a message; stops at the first that is none.
fn read(mut output: impl BufRead, messages: &SyncSender<Result<Message, String>>) {
    let mut line = Vec::new();
    loop {
        line.clear();
        let message = match output.by_ref().take(LONGEST as u64).read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(_) if line.ends_with(b"\n") => serde_json::from_slice(&line).map_err(|_| garbage(&line)),
            Ok(_) if line.len() == LONGEST => Err(format!("the worker wrote a line above {LONGEST} bytes")),
            Ok(_) => Err(garbage(&line)),
            Err(error) => Err(format!("the worker's output cannot be read: {error}")),
        };
        let last = message.is_err();
        if messages.send(message).is_err() || last {
            return;
        }
    }
}

fn garbage(line: &[u8]) -> String {
    const QUOTED: usize = 80;
    let text = String::from_utf8_lossy(&line[..line.len().min(QUOTED)]);
    format!("the worker wrote what is no message: `{}`", printable(text.trim_end()))
}

/// The end of a text file; none when there is nothing in it.
fn last_words(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    let (most_bytes, most_lines) = LAST_WORDS;
    file.seek(SeekFrom::Start(length.saturating_sub(most_bytes))).ok()?;
    let mut bytes = Vec::new();
    file.take(most_bytes).read_to_end(&mut bytes).ok()?;
    let text = printable(String::from_utf8_lossy(&bytes).trim());
    let mut lines: Vec<&str> = text.lines().rev().take(most_lines).collect();
    lines.reverse();
    (!text.is_empty()).then(|| lines.join("\n"))
}

/// Text without control characters except line ends: it comes from a process that misbehaved and ends up on a terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|c| *c == '\n' || !c.is_control()).collect()
}

#[cfg(all(test, unix))]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// What a worker that runs this shell script comes to, with the progress heard.
    fn ending(script: &str) -> (Ending, Vec<u64>) {
        ending_watched(script, &Watch { patience: Duration::from_secs(20), interrupt: Interrupt::default() })
    }

    fn ending_watched(script: &str, watch: &Watch) -> (Ending, Vec<u64>) {
        let dir = tempfile::tempdir().expect("a folder");
        let order = Order {
            scenario: PathBuf::from("quickstart.yaml"),
            seed: 7,
            out: dir.path().to_path_buf(),
            commit: "c".into(),
            capture: false,
            trace: false,
            log: false,
        };
        let mut heard = Vec::new();
        let launcher = Launcher::new("/bin/sh", ["-c", script]);
        let ending = supervise(&launcher, &order, watch, &mut |progress| heard.push(progress.simulated_us));
        (ending, heard)
    }

    fn crash(script: &str) -> String {
        match ending(script).0 {
            Ending::Crashed(reason) => reason,
            other => panic!("{other:?}"),
        }
    }

    const PROGRESS: &str = r#"echo '{"message":"progress","simulated_us":5,"duration_us":10}'; "#;
    const RESULT: &str = r#"echo '{"message":"finished","passed":true,"trace_hash":"ab","simulated_us":10,"wall_s":1.0,"cpu_s":1.0,"peak_memory_bytes":1,"packets":{},"expectations":[],"faults":[],"figures":{},"error":null}'; "#;

    #[test]
    fn a_worker_gets_its_order_reports_progress_and_a_result() {
        let (ending, heard) = ending(&format!("grep -q '\"seed\":7' || exit 1; {PROGRESS}{RESULT}"));
        assert!(
            matches!(&ending, Ending::Finished(finished) if finished.passed && finished.trace_hash == "ab"),
            "{ending:?}"
        );
        assert_eq!(heard, [5]);
    }

    #[test]
    fn a_worker_that_fails_after_its_result_has_crashed() {
        assert!(crash(&format!("{RESULT}exit 4")).contains("exit status: 4"));
    }

    #[test]
    fn a_crash_tells_the_end_the_place_and_the_last_words() {
        let reason = crash(&format!("{PROGRESS}echo 'thread main panicked: \u{1b}[31mno route' >&2; exit 101"));
        assert_eq!(
            reason,
            "the worker ended with exit status: 101 (at 5 µs of simulated time)\nthread main panicked: [31mno route"
        );
        assert!(crash("kill -SEGV $$").contains("SIGSEGV"));
    }

    #[test]
    fn only_the_end_of_a_long_complaint_is_quoted() {
        let reason = crash("i=0; while [ $i -lt 5000 ]; do i=$((i+1)); echo line $i >&2; done; exit 1");
        assert!(reason.ends_with("line 4999\nline 5000") && !reason.contains("line 4988\n"), "{reason}");
    }

    #[test]
    fn garbage_and_silence_are_crashes() {
        assert!(crash("echo hello; exec sleep 60").contains("no message: `hello`"));
        assert!(crash("printf '{\"message\":\"prog'").contains("no message"));
        assert!(crash("true").contains("without a result"));
        assert!(crash(&format!("{RESULT}{PROGRESS}")).contains("went on after its result"));
    }

    #[test]
    fn a_worker_that_does_not_exist_could_not_be_started() {
        let dir = tempfile::tempdir().expect("a folder");
        let order = Order {
            scenario: PathBuf::new(),
            seed: 0,
            out: dir.path().to_path_buf(),
            commit: String::new(),
            capture: false,
            trace: false,
            log: false,
        };
        let watch = Watch { patience: Duration::from_secs(20), interrupt: Interrupt::default() };
        let ending = supervise(&Launcher::new("/nonexistent", ["x"]), &order, &watch, &mut |_| {});
        assert!(matches!(ending, Ending::Crashed(reason) if reason.contains("could not be started")));
    }

    #[test]
    fn a_worker_without_progress_is_killed() {
        let watch = Watch { patience: Duration::from_millis(300), interrupt: Interrupt::default() };
        for script in [format!("{PROGRESS}exec sleep 60"), "exec >&-; exec sleep 60".to_string()] {
            let (ending, _) = ending_watched(&script, &watch);
            assert!(matches!(&ending, Ending::Hung(reason) if reason.contains("no progress for 300 ms")), "{ending:?}");
        }
    }

    #[test]
    fn an_interrupt_kills_the_worker() {
        let watch = Watch { patience: Duration::from_secs(20), interrupt: Interrupt::default() };
        watch.interrupt.raise();
        assert_eq!(ending_watched("exec sleep 60", &watch).0, Ending::Interrupted);
    }
}
