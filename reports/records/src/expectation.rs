//! One line of a scenario's `expect:`, such as `p95(connect_time) < 3s`.
//!
//! ```text
//! expectation = function "(" figure [ operator literal ] [ "where" filter { "and" filter } ] ")" operator literal
//! function    = "count" | "sum" | "min" | "max" | "mean" | "last" | "median" | "p" number | "share"
//! filter      = tag ( "==" | "!=" ) ( name | number | '"' text '"' )
//! operator    = "==" | "!=" | "<" | "<=" | ">" | ">="
//! literal     = number [ unit ] | category
//! ```
//!
//! - `where` narrows the samples looked at; the condition behind the figure says which of those count. Only `count` and `share`
//!   take a condition, and `share` needs one.
//! - Every name is checked against the catalogue and every literal against the unit of its figure when the line is parsed.
//! - Without samples (after `where`) an expectation is an error and does not hold. `count(message == lost) == 0` does hold when there
//!   are messages of which none was lost.

use crate::figure::{Figure, Unit};
use crate::record::{Outcome, Sample};
use crate::sample::Samples;
use crate::statistic::{self, NoSamples, Percentile};

mod parser;
mod token;

/// Longest line, so that an error still fits a terminal.
pub const MAX_LINE: usize = 400;

/// A parsed and checked expectation.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
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
    /// How the value is compared.
    pub operator: Operator,
    /// With what, in the unit of [`Expectation::unit`].
    pub threshold: f64,
}

/// What is computed over the samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// How many samples.
    Count,
    /// Their sum.
    Sum,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The arithmetic mean.
    Mean,
    /// The latest.
    Last,
    /// A percentile by nearest rank; `median` is the 50th.
    Percentile(Percentile),
    /// The share of samples that meet the condition.
    Share,
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Which samples count.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// Those whose category is this one, or is not.
    Category {
        /// A category of the figure.
        category: &'static str,
        /// Whether the category must differ instead.
        negated: bool,
    },
    /// Those whose value compares like this.
    Value {
        /// How.
        operator: Operator,
        /// With what, in the figure's unit.
        value: f64,
    },
}

/// Which samples are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// A tag of the figure.
    pub tag: &'static str,
    /// What the tag's value must be, or must not be.
    pub value: String,
    /// Whether it must differ instead. A sample without the tag differs from every value.
    pub negated: bool,
    /// Byte offset of the value in the line.
    pub offset: usize,
}

/// Why a line is no expectation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {}: found {found}, expected {expected}", offset + 1)]
pub struct ExpectationError {
    /// Byte offset of the fault within the line.
    pub offset: usize,
    /// Length of the faulty part in bytes, at least 1.
    pub length: usize,
    /// What stood there, quoted for people.
    pub found: String,
    /// What would have been right.
    pub expected: String,
    /// The nearest known name, when one is near.
    pub nearest: Option<String>,
}

impl Expectation {
    /// Parses a line and checks it against the catalogue.
    ///
    /// # Errors
    /// The first thing in the line that is not as the grammar or the catalogue wants it.
    pub fn parse(line: &str) -> Result<Self, ExpectationError> {
        parser::parse(line)
    }

    /// The unit of the value and the threshold.
    pub fn unit(&self) -> Unit {
        match self.function {
            Function::Count => Unit::Count,
            Function::Share => Unit::Share,
            Function::Sum
            | Function::Min
            | Function::Max
            | Function::Mean
            | Function::Last
            | Function::Percentile(_) => self.figure.unit,
        }
    }

    /// The value of the left side.
    ///
    /// # Errors
    /// No samples of the figure, or none after the filters.
    pub fn value(&self, samples: &Samples) -> Result<f64, NoSamples> {
        let looked_at: Vec<&Sample> = samples.filter(self.figure.name, |sample| self.looks_at(sample)).collect();
        if looked_at.is_empty() {
            return Err(NoSamples);
        }
        let counted = || looked_at.iter().filter(|sample| self.counts(sample)).count();
        let values: Vec<f64> = looked_at.iter().map(|sample| sample.value).collect();
        match self.function {
            Function::Count => Ok(counted() as f64),
            Function::Share => statistic::share(counted(), looked_at.len()),
            Function::Sum => statistic::sum(&values),
            Function::Min => statistic::min(&values),
            Function::Max => statistic::max(&values),
            Function::Mean => statistic::mean(&values),
            Function::Last => statistic::last(&values),
            Function::Percentile(percentile) => statistic::percentile(&values, percentile),
        }
    }

    /// Whether the expectation holds over these samples, and with which value.
    pub fn evaluate(&self, samples: &Samples) -> Outcome {
        let (value, shown, held, error) = match self.value(samples) {
            Ok(value) => (Some(value), self.unit().show(value), self.operator.holds(value, self.threshold), None),
            Err(NoSamples) => (None, "no samples".to_string(), false, Some(self.absence(samples))),
        };
        Outcome { line: self.line.clone(), value, shown, held, error }
    }

    /// Why there is nothing to compute.
    fn absence(&self, samples: &Samples) -> String {
        match samples.of(self.figure.name).len() {
            0 => format!("no samples of `{}` in this run", self.figure.name),
            all => format!("none of the {all} samples of `{}` matches the `where`", self.figure.name),
        }
    }

    fn looks_at(&self, sample: &Sample) -> bool {
        self.filters.iter().all(|filter| (sample.tags.get(filter.tag) == Some(&filter.value)) != filter.negated)
    }

    fn counts(&self, sample: &Sample) -> bool {
        match &self.condition {
            None => true,
            Some(Condition::Category { category, negated }) => {
                (sample.category.as_deref() == Some(category)) != *negated
            }
            Some(Condition::Value { operator, value }) => operator.holds(sample.value, *value),
        }
    }
}

impl Operator {
    /// Whether `left operator right`.
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

#[cfg(test)]
mod tests;
