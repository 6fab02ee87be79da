//! One line of a scenario's `expect:`, such as `p95(connect_time) < 3s`.
//!
//! ```text
//! expectation = function "(" figure [ operator literal ] [ "where" filter { "and" filter } ] ")" operator literal
//! function    = "count" | "sum" | "min" | "max" | "mean" | "last" | "median" | "p" number | "jain" | "share"
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
use crate::record::Outcome;
use crate::sample::Samples;
use crate::statistic::{NoSamples, Percentile};

mod measure;
mod parser;
mod token;

pub use measure::Measure;

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
    /// Jain's index of fairness over the values, from 1/n to 1.
    Jain,
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
        parser::expectation(line)
    }

    /// The unit of the value and the threshold.
    pub fn unit(&self) -> Unit {
        measure::unit(self.function, self.figure)
    }

    /// The value of the left side.
    ///
    /// # Errors
    /// No samples of the figure, or none after the filters.
    pub fn value(&self, samples: &Samples) -> Result<f64, NoSamples> {
        measure::value(self.function, self.figure, self.condition.as_ref(), &self.filters, samples)
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
