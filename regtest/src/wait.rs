//! Waiting for other processes: real time, always with a bound.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Between two looks. Short, because most waits are over after a few of them.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks with `probe` until it finds something, at most for `limit` and at least once.
pub(crate) fn until<T>(limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let begin = now();
    loop {
        if let Some(found) = probe() {
            return Some(found);
        }
        if begin.elapsed() >= limit {
            return None;
        }
        pause(PAUSE);
    }
}

/// What `command` prints, if it ends within `limit`; a command that does not is ended.
pub(crate) fn output_within(command: &mut Command, limit: Duration) -> std::io::Result<Option<(ExitStatus, String)>> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if exit_within(&mut child, limit)?.is_none() {
        child.kill()?;
        child.wait()?;
        return Ok(None);
    }
    let output = child.wait_with_output()?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    Ok(Some((output.status, text)))
}

/// How `child` ended, if it does within `limit`.
pub(crate) fn exit_within(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    until(limit, || child.try_wait().transpose()).transpose()
}

/// Real time: what is waited for is a process of the operating system.
pub(crate) fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "real processes run in real time")]
    Instant::now()
}

/// Stops this thread for `time`.
pub(crate) fn pause(time: Duration) {
    #[expect(clippy::disallowed_methods, reason = "nothing simulated runs beside real processes")]
    std::thread::sleep(time);
}
