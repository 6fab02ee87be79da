//! Time cut into equal pieces, so that samples become values over time.

use crate::plot::time_line::Moment;
use crate::run::{Run, Sample};
use crate::scenario::Scenario;

/// Most pieces of one run.
const PIECES: f64 = 80.0;
/// Lengths of a piece in seconds within one order of magnitude.
const LENGTHS: [f64; 3] = [1.0, 2.0, 5.0];

/// Equal pieces of a run's time; a piece includes its end and excludes its start, as intervals are reported at their end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Buckets {
    length: f64,
    count: usize,
}

impl Buckets {
    /// Pieces for a scenario; `interval` is the distance at which its samples come, when they do so regularly.
    pub(crate) fn new(end: f64, interval: Option<f64>) -> Option<Self> {
        if !(end.is_finite() && end > 0.0) {
            return None;
        }
        let order = 10_f64.powf((end / PIECES).log10().floor());
        let mut length =
            LENGTHS.iter().map(|length| length * order).find(|length| end / length <= PIECES).unwrap_or(order * 10.0);
        // A piece that is no multiple of the interval would hold now one, now two of them.
        if let Some(interval) = interval.filter(|interval| *interval > length / 20.0 && *interval < end) {
            length = (length / interval - 1e-6).ceil().max(1.0) * interval;
        }
        Some(Self { length, count: (end / length - 1e-6).ceil().max(1.0) as usize })
    }

    /// Start and end of each piece.
    pub(crate) fn times(self) -> Vec<(f64, f64)> {
        (0..self.count).map(|index| (index as f64 * self.length, (index + 1) as f64 * self.length)).collect()
    }

    /// Sums of samples per second in each piece that a run completed.
    pub(crate) fn rates<'a>(self, run: &Run, samples: impl Iterator<Item = &'a Sample>) -> Vec<f64> {
        let mut sums = vec![0.0; self.completed(run)];
        for sample in samples {
            if let Some(sum) = sums.get_mut(self.index(sample.at)) {
                *sum += sample.value / self.length;
            }
        }
        sums
    }

    /// Means of samples in each piece that has any.
    pub(crate) fn means<'a>(self, samples: impl Iterator<Item = &'a Sample>) -> Vec<Option<f64>> {
        let mut sums = vec![(0.0, 0_u32); self.count];
        for sample in samples {
            if let Some((sum, count)) = sums.get_mut(self.index(sample.at)) {
                *sum += sample.value;
                *count += 1;
            }
        }
        sums.into_iter().map(|(sum, count)| (count > 0).then(|| sum / f64::from(count))).collect()
    }

    /// The range over runs in each piece in which at least one has a value; it holds until the next.
    pub(crate) fn moments(self, runs: &[Vec<Option<f64>>]) -> Vec<Moment> {
        let moment = |(index, (from, until)): (usize, (f64, f64))| {
            let values: Vec<f64> = runs.iter().filter_map(|run| run.get(index).copied().flatten()).collect();
            let low = values.iter().copied().min_by(f64::total_cmp)?;
            let high = values.iter().copied().max_by(f64::total_cmp)?;
            Some(Moment { from, until, low, mean: values.iter().sum::<f64>() / values.len() as f64, high })
        };
        let mut moments: Vec<Moment> = self.times().into_iter().enumerate().filter_map(moment).collect();
        for index in 1..moments.len() {
            moments[index - 1].until = moments[index].from;
        }
        moments
    }

    /// Pieces that a run reached the end of; a run that ends within its first piece has that one.
    fn completed(self, run: &Run) -> usize {
        ((run.end_s / self.length + 1e-6).floor().max(1.0) as usize).min(self.count)
    }

    fn index(self, at: f64) -> usize {
        (at / self.length - 1e-9).ceil().max(1.0) as usize - 1
    }
}

/// The distance at which the samples of a figure come: the smallest between two different times, none when there is but one time.
pub(crate) fn interval(scenario: &Scenario, figure: &str) -> Option<f64> {
    let gap = |run: &Run| {
        let mut times: Vec<f64> = run.samples(figure).iter().map(|sample| sample.at).collect();
        times.sort_by(f64::total_cmp);
        times.dedup();
        times.windows(2).map(|pair| pair[1] - pair[0]).min_by(f64::total_cmp)
    };
    scenario.runs.iter().filter_map(gap).min_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_have_round_lengths_that_fit_the_interval() {
        let length = |end, interval| Buckets::new(end, interval).map(|buckets| buckets.length);
        assert_eq!(length(60.0, None), Some(1.0));
        assert_eq!(length(120.0, None), Some(2.0));
        assert_eq!(length(120.0, Some(5.0)), Some(5.0));
        assert_eq!(length(600.0, Some(3.0)), Some(12.0));
        assert_eq!(length(0.0, None), None);
        assert_eq!(length(f64::NAN, None), None);
    }

    #[test]
    fn an_interval_belongs_to_the_piece_that_it_ends_in() {
        let buckets = Buckets::new(60.0, Some(1.0)).unwrap();
        assert_eq!([0.0, 0.5, 1.0, 1.000_001, 60.0].map(|at| buckets.index(at)), [0, 0, 0, 1, 59]);
    }

    #[test]
    fn moments_tell_the_range_over_runs_and_skip_silence() {
        let buckets = Buckets::new(3.0, Some(1.0)).unwrap();
        let moments = buckets.moments(&[vec![Some(1.0), None], vec![Some(3.0), None]]);
        assert_eq!(moments, [Moment { from: 0.0, until: 1.0, low: 1.0, mean: 2.0, high: 3.0 }]);
        let paused = buckets.moments(&[vec![Some(1.0), None, Some(2.0)]]);
        assert_eq!(
            paused.iter().map(|moment| (moment.from, moment.until)).collect::<Vec<_>>(),
            [(0.0, 2.0), (2.0, 3.0)]
        );
    }
}
