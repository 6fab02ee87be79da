//! What an expectation computes, without what it is compared with.

use super::{Condition, Expectation, ExpectationError, Filter, Function, Operator, parser};
use crate::figure::{Better, Figure, Unit, better, of_category};
use crate::record::Sample;
use crate::sample::Samples;
use crate::statistic::{self, NoSamples};

/// One number of a run: the left side of an expectation, such as `p95(connect_time where to_nat == EI/APD)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// The line as written.
    pub line: String,
    /// What is computed.
    pub function: Function,
    /// Over which figure.
    pub figure: &'static Figure,
    /// Which samples count; only for [`Function::Count`] and [`Function::Share`].
    pub condition: Option<Condition>,
    /// Which samples are looked at; all must accept.
    pub filters: Vec<Filter>,
}

impl Measure {
    /// Parses a line and checks it against the catalogue.
    ///
    /// # Errors
    /// The first thing in the line that is not as the grammar or the catalogue wants it.
    pub fn parse(line: &str) -> Result<Self, ExpectationError> {
        parser::measure(line)
    }

    /// The unit of the value.
    pub fn unit(&self) -> Unit {
        unit(self.function, self.figure)
    }

    /// Which way the number is better; none when it is neither good nor bad by itself.
    pub fn better(&self) -> Option<Better> {
        match self.function {
            // An even share is what the index is for.
            Function::Jain => Some(Better::More),
            Function::Count | Function::Share => self.condition.as_ref().and_then(|it| better_when(it, self.figure)),
            Function::Sum
            | Function::Min
            | Function::Max
            | Function::Mean
            | Function::Last
            | Function::Percentile(_) => better(self.figure.name),
        }
    }

    /// The value over these samples.
    ///
    /// # Errors
    /// No samples of the figure, or none after the filters.
    pub fn value(&self, samples: &Samples) -> Result<f64, NoSamples> {
        value(self.function, self.figure, self.condition.as_ref(), &self.filters, samples)
    }
}

impl From<Expectation> for Measure {
    fn from(expectation: Expectation) -> Self {
        let Expectation { line, function, figure, condition, filters, operator: _, threshold: _ } = expectation;
        Self { line, function, figure, condition, filters }
    }
}

/// Which way the number of samples that meet a condition is better.
fn better_when(condition: &Condition, figure: &Figure) -> Option<Better> {
    match condition {
        Condition::Category { category, negated } => {
            of_category(category).map(|side| if *negated { side.reversed() } else { side })
        }
        Condition::Value { operator, .. } => match operator {
            Operator::Less | Operator::LessOrEqual => better(figure.name).map(Better::reversed),
            Operator::Greater | Operator::GreaterOrEqual => better(figure.name),
            Operator::Equal | Operator::NotEqual => None,
        },
    }
}

pub(super) fn unit(function: Function, figure: &Figure) -> Unit {
    match function {
        Function::Count => Unit::Count,
        Function::Share => Unit::Share,
        Function::Jain => Unit::Ratio,
        Function::Sum | Function::Min | Function::Max | Function::Mean | Function::Last | Function::Percentile(_) => {
            figure.unit
        }
    }
}

pub(super) fn value(
    function: Function,
    figure: &Figure,
    condition: Option<&Condition>,
    filters: &[Filter],
    samples: &Samples,
) -> Result<f64, NoSamples> {
    let looked_at: Vec<&Sample> = samples.filter(figure.name, |sample| looks_at(filters, sample)).collect();
    if looked_at.is_empty() {
        return Err(NoSamples);
    }
    let counted = || looked_at.iter().filter(|sample| counts(condition, sample)).count();
    let values: Vec<f64> = looked_at.iter().map(|sample| sample.value).collect();
    match function {
        Function::Count => Ok(counted() as f64),
        Function::Share => statistic::share(counted(), looked_at.len()),
        Function::Sum => statistic::sum(&values),
        Function::Min => statistic::min(&values),
        Function::Max => statistic::max(&values),
        Function::Mean => statistic::mean(&values),
        Function::Last => statistic::last(&values),
        Function::Percentile(percentile) => statistic::percentile(&values, percentile),
        Function::Jain => statistic::jain(&values),
    }
}

fn looks_at(filters: &[Filter], sample: &Sample) -> bool {
    filters.iter().all(|filter| (sample.tags.get(filter.tag) == Some(&filter.value)) != filter.negated)
}

fn counts(condition: Option<&Condition>, sample: &Sample) -> bool {
    match condition {
        None => true,
        Some(Condition::Category { category, negated }) => (sample.category.as_deref() == Some(category)) != *negated,
        Some(Condition::Value { operator, value }) => operator.holds(sample.value, *value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measure_is_an_expectation_without_its_end() {
        for line in ["p95(connect_time)", "share(path == direct)", "count(message == lost where path == relayed)"] {
            let measure = Measure::parse(line).unwrap();
            let threshold = if measure.unit() == Unit::Seconds {
                "1s"
            } else if measure.unit() == Unit::Share {
                "1%"
            } else {
                "1"
            };
            let expectation = Expectation::parse(&format!("{line} >= {threshold}")).unwrap();
            assert_eq!(expectation.unit(), measure.unit());
            let expected = Measure { line: line.into(), ..expectation.into() };
            assert_eq!(measure, expected);
        }
    }

    #[test]
    fn the_better_side_follows_from_figure_function_and_condition() {
        for (line, side) in [
            ("p95(connect_time)", Some(Better::Less)),
            ("mean(gossip_coverage)", Some(Better::More)),
            ("jain(relay_load)", Some(Better::More)),
            ("jain(connect_time)", Some(Better::More)),
            ("last(packets_sent)", None),
            ("count(connect_time)", None),
            ("share(connect_time < 1s)", Some(Better::More)),
            ("count(connect_time >= 1s)", Some(Better::Less)),
            ("share(path == direct)", Some(Better::More)),
            ("share(path != direct)", Some(Better::Less)),
            ("count(message == lost)", Some(Better::Less)),
            ("count(home_change == better)", None),
        ] {
            assert_eq!(Measure::parse(line).unwrap().better(), side, "{line}");
        }
    }

    #[test]
    fn a_measure_has_no_threshold_and_no_unknown_name() {
        let error = |line: &str| Measure::parse(line).unwrap_err();
        let threshold = error("p95(connect_time) < 3s");
        assert_eq!((threshold.offset, threshold.expected.as_str()), (18, "the end of the line"));
        assert_eq!(error("p95(conect_time)").nearest.as_deref(), Some("connect_time"));
        assert!(error("share(path)").expected.contains("`share` needs one"));
    }
}
