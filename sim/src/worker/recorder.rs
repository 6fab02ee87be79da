//! The records of a run: written as they come, and kept as samples for the expectations.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use darkswap_records::expectation::Expectation;
use darkswap_records::record::{Event, Record, Sample, Tags};
use darkswap_records::sample::Samples;

/// Events that are written; a run that reports more is counted in `event_lag` instead of filling the disk.
const EVENTS: u64 = 500_000;

/// A shared recorder. Clones write to the same file.
#[derive(Clone)]
pub(super) struct Recorder {
    inner: Arc<Mutex<Inner>>,
    start: tokio::time::Instant,
}

struct Inner {
    file: Box<dyn Write + Send>,
    samples: Samples,
    /// Figures with the tags that some expectation reads. Other tags are in the file only: they take most of a sample's memory.
    read: BTreeSet<(&'static str, &'static str)>,
    events: u64,
    dropped: u64,
    error: Option<String>,
}

impl Recorder {
    /// Writes to `file`; times count from now. Of the samples it keeps what the `expectations` read.
    pub(super) fn new(file: impl Write + Send + 'static, expectations: &[Expectation]) -> Self {
        let read = |line: &Expectation| {
            let figure = line.figure.name;
            line.filters.iter().map(move |filter| (figure, filter.tag)).collect::<Vec<_>>()
        };
        let inner = Inner {
            file: Box::new(file),
            samples: Samples::new(),
            read: expectations.iter().flat_map(read).collect(),
            events: 0,
            dropped: 0,
            error: None,
        };
        Self { inner: Arc::new(Mutex::new(inner)), start: tokio::time::Instant::now() }
    }

    /// Virtual time since the start of the run.
    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Records a value of a figure now.
    pub(super) fn value(&self, figure: &str, value: f64, tags: Tags) {
        self.sample(self.now(), figure, value, None, tags);
    }

    /// Records a duration of a figure now.
    pub(super) fn time(&self, figure: &str, elapsed: Duration, tags: Tags) {
        self.value(figure, seconds(elapsed), tags);
    }

    /// Records one occurrence of a category now.
    pub(super) fn category(&self, figure: &str, category: &str, tags: Tags) {
        self.sample(self.now(), figure, 1.0, Some(category), tags);
    }

    /// Records a value at a time of the past.
    pub(super) fn sample(&self, at: Duration, figure: &str, value: f64, category: Option<&str>, tags: Tags) {
        let sample =
            Sample { at_us: micros(at), figure: figure.to_owned(), value, category: category.map(str::to_owned), tags };
        let record = Record::Sample(sample);
        let mut inner = self.lock();
        inner.write(&record);
        if let Record::Sample(sample) = record {
            inner.keep(sample);
        }
    }

    /// Records something that happened.
    pub(super) fn event(&self, host: &str, kind: &str, fields: Tags) {
        let at_us = micros(self.now());
        let mut inner = self.lock();
        if inner.events >= EVENTS {
            inner.dropped += 1;
            return;
        }
        inner.events += 1;
        inner.write(&Record::Event(Event { at_us, host: host.to_owned(), kind: kind.to_owned(), fields }));
    }

    /// Writes any other record.
    pub(super) fn record(&self, record: &Record) {
        self.lock().write(record);
    }

    /// Events that were not written.
    pub(super) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// Looks at the samples so far, with the tags that expectations read.
    pub(super) fn samples<T>(&self, look: impl FnOnce(&Samples) -> T) -> T {
        look(&self.lock().samples)
    }

    /// Flushes the file.
    ///
    /// # Errors
    /// When anything could not be written.
    pub(super) fn finish(&self) -> Result<()> {
        let mut inner = self.lock();
        if let Some(error) = inner.error.take() {
            anyhow::bail!("cannot write records: {error}");
        }
        inner.file.flush().context("cannot write records")
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn keep(&mut self, mut sample: Sample) {
        // Not `retain`: an emptied map keeps its node.
        sample.tags = std::mem::take(&mut sample.tags)
            .into_iter()
            .filter(|(tag, _)| self.read.contains(&(sample.figure.as_str(), tag.as_str())))
            .collect();
        self.samples.extend([sample]);
    }

    fn write(&mut self, record: &Record) {
        let written =
            serde_json::to_string(record).map_err(std::io::Error::other).and_then(|line| writeln!(self.file, "{line}"));
        if let Err(error) = written {
            self.error.get_or_insert(error.to_string());
        }
    }
}

/// Tags from pairs.
pub(super) fn tags<const N: usize>(pairs: [(&str, &str); N]) -> Tags {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<BTreeMap<_, _>>()
}

/// Seconds with microsecond resolution, so that the text of a record does not depend on rounding.
pub(super) fn seconds(duration: Duration) -> f64 {
    micros(duration) as f64 / 1e6
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
