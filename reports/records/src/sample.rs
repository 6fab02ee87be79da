//! The measured values of a run, by figure.

use std::collections::BTreeMap;

use crate::record::Record;
pub use crate::record::Sample;

/// Samples by figure, each figure's in the order in which they were pushed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples {
    by_figure: BTreeMap<String, Vec<Sample>>,
}

impl Samples {
    /// No samples.
    pub fn new() -> Self {
        Self::default()
    }

    /// The samples among a run's records.
    pub fn from_records<'a>(records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut samples = Self::new();
        for record in records {
            if let Record::Sample(sample) = record {
                samples.push(sample);
            }
        }
        samples
    }

    /// Adds one.
    pub fn push(&mut self, sample: &Sample) {
        match self.by_figure.get_mut(&sample.figure) {
            Some(samples) => samples.push(sample.clone()),
            None => {
                self.by_figure.insert(sample.figure.clone(), vec![sample.clone()]);
            }
        }
    }

    /// Those of one figure; empty when there are none.
    pub fn of(&self, figure: &str) -> &[Sample] {
        self.by_figure.get(figure).map_or(&[], Vec::as_slice)
    }

    /// Those of one figure that `keep` accepts.
    pub fn filter<'a>(
        &'a self,
        figure: &str,
        keep: impl Fn(&Sample) -> bool + 'a,
    ) -> impl Iterator<Item = &'a Sample> + 'a {
        self.of(figure).iter().filter(move |sample| keep(sample))
    }

    /// Figure names with their samples, in the order of the names.
    pub fn figures(&self) -> impl Iterator<Item = (&str, &[Sample])> {
        self.by_figure.iter().map(|(name, samples)| (name.as_str(), samples.as_slice()))
    }

    /// Every sample, figure by figure.
    pub fn iter(&self) -> impl Iterator<Item = &Sample> {
        self.by_figure.values().flatten()
    }

    /// How many there are in all.
    pub fn len(&self) -> usize {
        self.by_figure.values().map(Vec::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_figure.is_empty()
    }
}

impl Extend<Sample> for Samples {
    fn extend<T: IntoIterator<Item = Sample>>(&mut self, samples: T) {
        for sample in samples {
            self.by_figure.entry(sample.figure.clone()).or_default().push(sample);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(figure: &str, value: f64) -> Sample {
        Sample { at_us: 0, figure: figure.into(), value, category: None, tags: BTreeMap::new() }
    }

    #[test]
    fn samples_keep_their_order_within_a_figure() {
        let mut samples = Samples::new();
        samples.extend([sample("b", 2.0), sample("a", 3.0), sample("b", 1.0)]);
        assert_eq!(samples.of("b").iter().map(|s| s.value).collect::<Vec<_>>(), [2.0, 1.0]);
        assert_eq!(samples.figures().map(|(name, of)| (name, of.len())).collect::<Vec<_>>(), [("a", 1), ("b", 2)]);
        assert_eq!(samples.filter("b", |s| s.value > 1.0).count(), 1);
        assert_eq!((samples.len(), samples.of("c").len()), (3, 0));
    }
}
