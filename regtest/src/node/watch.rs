//! What a node's swaps do, from its log: it is there before anybody asks, so that no step is missed.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow};
use serde::Deserialize;

use crate::wait;

/// How long a test waits for a step.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks: short, because a test wants to be there while a step is under way.
const PAUSE: Duration = Duration::from_millis(1);

/// The steps of swaps from some moment on.
#[derive(Debug)]
pub struct Watch {
    log: File,
    /// What was read and is not a whole line yet.
    rest: Vec<u8>,
}

/// A swap that is somewhere else now.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Moved {
    /// What happened: another line of the log is not one of these.
    message: String,
    /// Which swap.
    pub swap: String,
    /// Where it was.
    pub from: String,
    /// Where it is.
    pub to: String,
}

impl Watch {
    /// From the end of the log on.
    pub(super) fn begin(log: &Path) -> Result<Self> {
        let mut log = File::open(log)?;
        log.seek(SeekFrom::End(0))?;
        Ok(Self { log, rest: Vec::new() })
    }

    /// Waits until some swap gets into one of `phases`.
    ///
    /// # Errors
    ///
    /// When none does within a minute.
    pub fn until(&mut self, phases: &[&str]) -> Result<Moved> {
        let begin = wait::now();
        loop {
            while let Some(line) = self.line()? {
                let moved = serde_json::from_slice::<Moved>(&line).ok();
                if let Some(moved) = moved.filter(|it| it.message == "swap_moved" && phases.contains(&&*it.to)) {
                    return Ok(moved);
                }
            }
            if begin.elapsed() > PATIENCE {
                return Err(anyhow!("no swap got to {phases:?} within {} s", PATIENCE.as_secs()));
            }
            wait::pause(PAUSE);
        }
    }

    /// The next line, if it is there.
    fn line(&mut self) -> Result<Option<Vec<u8>>> {
        self.log.read_to_end(&mut self.rest)?;
        let end = self.rest.iter().position(|byte| *byte == b'\n');
        Ok(end.map(|end| self.rest.drain(..=end).collect()))
    }
}
