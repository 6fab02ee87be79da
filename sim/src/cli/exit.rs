//! Exit codes.

use std::process::ExitCode;

use darkswap_records::summary::Summary;
use darkswap_sim::orchestrator::result::some_worker_died;

/// How an invocation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// Everything holds.
    Holds,
    /// An expectation did not hold, or a fault touched nothing.
    Fails,
    /// Bad input; nothing was run.
    BadInput,
    /// A worker crashed or hung.
    WorkerDied,
    /// The user or the system wanted an end.
    Interrupted,
}

impl Exit {
    /// What the runs of a summary come to: a dead worker outweighs an expectation, since it may hide others.
    pub(super) fn of(summary: &Summary) -> Self {
        match summary.passed() {
            _ if some_worker_died(summary) => Self::WorkerDied,
            true => Self::Holds,
            false => Self::Fails,
        }
    }

    pub(super) fn code(self) -> u8 {
        match self {
            Self::Holds => 0,
            Self::Fails => 1,
            Self::BadInput => 2,
            Self::WorkerDied => 3,
            // What a shell makes of a process that ended by SIGINT.
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use darkswap_records::summary;
    use darkswap_sim::orchestrator::process::Ending;
    use darkswap_sim::orchestrator::result::summarise;
    use darkswap_sim::worker::Finished;

    use super::*;

    #[test]
    fn a_dead_worker_outweighs_an_expectation() {
        let passed = || Ending::Finished(Box::new(Finished { passed: true, error: None, ..Finished::failed("") }));
        let failed = || Ending::Finished(Box::new(Finished::failed("")));
        let code = |endings: Vec<Ending>| {
            let runs = endings.into_iter().filter_map(|ending| summarise("a", 1, ending, Duration::ZERO)).collect();
            let [commit, started, command] = [const { String::new() }; 3];
            Exit::of(&Summary { version: summary::VERSION, commit, started, command, runs }).code()
        };
        assert_eq!(code(vec![passed(), passed()]), 0);
        assert_eq!(code(vec![passed(), failed()]), 1);
        assert_eq!(code(vec![Ending::Crashed("x".into()), failed()]), 3);
        assert_eq!(code(vec![failed(), Ending::Hung("x".into()), passed()]), 3);
    }
}
