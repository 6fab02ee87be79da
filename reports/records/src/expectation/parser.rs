//! From a line to a checked expectation.

use super::token::{Kind, Token, tokens};
use super::{Condition, Expectation, ExpectationError, Filter, Function, MAX_LINE, Measure, Operator};
use crate::figure::{self, FIGURES, Figure, Unit};
use crate::nearest::nearest;
use crate::statistic::Percentile;
use crate::unit::{self, quote};

const FUNCTIONS: [(&str, Function); 9] = [
    ("count", Function::Count),
    ("sum", Function::Sum),
    ("min", Function::Min),
    ("max", Function::Max),
    ("mean", Function::Mean),
    ("last", Function::Last),
    ("median", Function::Percentile(Percentile::MEDIAN)),
    ("jain", Function::Jain),
    ("share", Function::Share),
];

pub(super) fn expectation(line: &str) -> Result<Expectation, ExpectationError> {
    whole(line, Parser::expectation)
}

pub(super) fn measure(line: &str) -> Result<Measure, ExpectationError> {
    whole(line, Parser::measure)
}

/// Reads a line from its beginning to its end.
fn whole<'a, T>(
    line: &'a str,
    read: impl FnOnce(&mut Parser<'a>) -> Result<T, ExpectationError>,
) -> Result<T, ExpectationError> {
    if line.len() > MAX_LINE {
        return Err(ExpectationError {
            offset: 0,
            length: 1,
            found: format!("a line of {} bytes", line.len()),
            expected: format!("at most {MAX_LINE}"),
            nearest: None,
        });
    }
    let mut parser = Parser { line, tokens: tokens(line), next: 0 };
    let read = read(&mut parser)?;
    parser.end()?;
    Ok(read)
}

struct Parser<'a> {
    line: &'a str,
    tokens: Vec<Token<'a>>,
    next: usize,
}

impl<'a> Parser<'a> {
    fn measure(&mut self) -> Result<Measure, ExpectationError> {
        let function_token = self.peek();
        let function = self.function()?;
        self.open()?;
        let figure = self.figure(function)?;
        let condition = self.condition(function, figure, function_token)?;
        let filters = self.filters(figure, condition.is_some())?;
        self.close(condition.is_some(), !filters.is_empty(), function)?;
        Ok(Measure { line: self.line.to_string(), function, figure, condition, filters })
    }

    fn expectation(&mut self) -> Result<Expectation, ExpectationError> {
        let measure = self.measure()?;
        let operator = self.operator("a comparison such as `>=` or `<`")?;
        let token = self.peek();
        let threshold = self.number(measure.unit())?;
        if measure.function == Function::Jain && threshold > 1.0 {
            return Err(self.error(token, "a number from `0` to `1`: Jain's index is 1 when all is shared equally"));
        }
        let Measure { line, function, figure, condition, filters } = measure;
        Ok(Expectation { line, function, figure, condition, filters, operator, threshold })
    }

    fn function(&mut self) -> Result<Function, ExpectationError> {
        const EXPECTED: &str =
            "a function: count, sum, min, max, mean, last, median, jain, share or a percentile such as p95";
        let token = self.take();
        let Kind::Name(name) = token.kind else { return Err(self.error(token, EXPECTED)) };
        if let Some((_, function)) = FUNCTIONS.iter().find(|(known, _)| *known == name) {
            return Ok(*function);
        }
        if let Some(percentile) = name.strip_prefix('p').and_then(percentile) {
            return percentile
                .map(Function::Percentile)
                .ok_or_else(|| self.error(token, "a percentile from p0 to p100"));
        }
        Err(self.error_near(token, EXPECTED, nearest(name, FUNCTIONS.iter().map(|(known, _)| *known))))
    }

    fn figure(&mut self, function: Function) -> Result<&'static Figure, ExpectationError> {
        let token = self.take();
        let Kind::Name(name) = token.kind else { return Err(self.error(token, "a figure such as `connect_time`")) };
        let Some(figure) = figure::find(name) else {
            let near = figure::nearest(name).map(|figure| figure.name);
            let expected = match near {
                Some(_) => "the name of a figure".to_string(),
                None => format!("one of the figures {}", list(FIGURES.iter().map(|figure| figure.name))),
            };
            return Err(self.error_near(token, &expected, near));
        };
        if figure.unit == Unit::Category && !matches!(function, Function::Count | Function::Share) {
            let expected =
                format!("`count` or `share` in front of it, or a figure with values: `{name}` has categories");
            return Err(self.error(token, &expected));
        }
        Ok(figure)
    }

    fn condition(
        &mut self,
        function: Function,
        figure: &'static Figure,
        function_token: Token<'a>,
    ) -> Result<Option<Condition>, ExpectationError> {
        let takes_condition = matches!(function, Function::Count | Function::Share);
        let token = self.peek();
        let Kind::Operator(operator) = token.kind else {
            return match function {
                Function::Share => {
                    Err(self.error(token, "a condition such as `== direct` or `< 1s`: `share` needs one"))
                }
                _ => Ok(None),
            };
        };
        if !takes_condition {
            let name = &self.line[function_token.offset..function_token.offset + function_token.length];
            let expected = format!("`where` or `)`: `{name}` takes no condition, only `count` and `share` do");
            return Err(self.error(token, &expected));
        }
        self.take();
        if figure.unit != Unit::Category {
            return Ok(Some(Condition::Value { operator, value: self.number(figure.unit)? }));
        }
        let negated = self.equality(token, operator)?;
        let token = self.take();
        let expected = format!("a category of `{}`: {}", figure.name, list(figure.categories.iter().copied()));
        let (Kind::Name(name) | Kind::Text(name)) = token.kind else { return Err(self.error(token, &expected)) };
        match figure.categories.iter().find(|category| **category == name) {
            Some(category) => Ok(Some(Condition::Category { category, negated })),
            None => Err(self.error_near(token, &expected, nearest(name, figure.categories.iter().copied()))),
        }
    }

    fn filters(&mut self, figure: &'static Figure, condition: bool) -> Result<Vec<Filter>, ExpectationError> {
        let mut filters = Vec::new();
        let mut keyword = "where";
        while self.peek().kind == Kind::Name(keyword) {
            self.take();
            filters.push(self.filter(figure)?);
            keyword = "and";
        }
        let token = self.peek();
        if let Kind::Name(name) = token.kind {
            let expected = match (filters.is_empty(), condition) {
                (true, true) => "`where` or `)`",
                (true, false) => "a comparison, `where` or `)`",
                (false, _) => "`and` or `)`",
            };
            return Err(self.error_near(token, expected, nearest(name, [keyword])));
        }
        Ok(filters)
    }

    fn filter(&mut self, figure: &'static Figure) -> Result<Filter, ExpectationError> {
        let token = self.take();
        let expected = match figure.tags {
            [] => format!("no `where`: `{}` has no tags", figure.name),
            tags => format!("a tag of `{}`: {}", figure.name, list(tags.iter().copied())),
        };
        let Kind::Name(name) = token.kind else { return Err(self.error(token, &expected)) };
        let Some(tag) = figure.tags.iter().find(|tag| **tag == name) else {
            return Err(self.error_near(token, &expected, nearest(name, figure.tags.iter().copied())));
        };
        let token = self.peek();
        let operator = self.operator("`==` or `!=`")?;
        let negated = self.equality(token, operator)?;
        let token = self.take();
        let offset = token.offset + usize::from(matches!(token.kind, Kind::Text(_)));
        match token.kind {
            Kind::Name(value) | Kind::Number(value) | Kind::Text(value) => {
                Ok(Filter { tag, value: value.to_string(), negated, offset })
            }
            _ => Err(self.error(token, "a value such as `alice` or `\"EI/APD\"`")),
        }
    }

    fn operator(&mut self, expected: &str) -> Result<Operator, ExpectationError> {
        let token = self.take();
        match token.kind {
            Kind::Operator(operator) => Ok(operator),
            Kind::Unknown("=") => Err(self.error_near(token, expected, Some("=="))),
            _ => Err(self.error(token, expected)),
        }
    }

    /// Whether the operator is `!=`; only that and `==` make sense for words.
    fn equality(&self, token: Token<'a>, operator: Operator) -> Result<bool, ExpectationError> {
        match operator {
            Operator::Equal => Ok(false),
            Operator::NotEqual => Ok(true),
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
                Err(self.error(token, "`==` or `!=`: words have no order"))
            }
        }
    }

    /// A number of this unit, in the unit that samples have.
    fn number(&mut self, unit: Unit) -> Result<f64, ExpectationError> {
        let token = self.take();
        let form = match unit {
            Unit::Seconds => unit::DURATION_FORM,
            Unit::Bytes => unit::SIZE_FORM,
            Unit::BytesPerSecond => "a rate in bytes per second such as `64KiB/s`",
            Unit::Share => "a share from `0%` to `100%`",
            Unit::Ratio => "a plain number such as `0.9`",
            Unit::Count | Unit::Category => "a plain number such as `0` or `20`",
        };
        let Kind::Number(text) = token.kind else { return Err(self.error(token, form)) };
        let parsed = match unit {
            // Samples are whole microseconds in seconds; one division keeps `==` exact.
            Unit::Seconds => unit::parse_duration(text).map(|duration| duration.as_nanos() as f64 / 1e9),
            Unit::Bytes => unit::parse_size(text).map(|bytes| bytes as f64),
            Unit::BytesPerSecond => match text.strip_suffix("/s") {
                Some(size) => unit::parse_size(size).map(|bytes| bytes as f64),
                None => return Err(self.error(token, form)),
            },
            Unit::Share => match unit::parse_share(text) {
                Ok(share) if share > 1.0 => return Err(self.error(token, form)),
                result => result,
            },
            Unit::Ratio | Unit::Count | Unit::Category => return plain(text).ok_or_else(|| self.error(token, form)),
        };
        parsed.map_err(|error| ExpectationError {
            offset: token.offset + error.offset.min(token.length.saturating_sub(1)),
            length: token.length.saturating_sub(error.offset).max(1),
            found: error.found,
            expected: form.to_string(),
            nearest: error.nearest,
        })
    }

    fn open(&mut self) -> Result<(), ExpectationError> {
        let token = self.take();
        if token.kind == Kind::Open { Ok(()) } else { Err(self.error(token, "`(`")) }
    }

    fn close(&mut self, condition: bool, filtered: bool, function: Function) -> Result<(), ExpectationError> {
        let token = self.take();
        let expected = match (filtered, condition, function) {
            _ if token.kind == Kind::Close => return Ok(()),
            (true, _, _) => "`and` or `)`",
            (false, false, Function::Count) => "a comparison, `where` or `)`",
            (false, _, _) => "`where` or `)`",
        };
        let near = if token.kind == Kind::Unknown("=") { Some("==") } else { None };
        Err(self.error_near(token, expected, near))
    }

    fn end(&mut self) -> Result<(), ExpectationError> {
        let token = self.take();
        if token.kind == Kind::End { Ok(()) } else { Err(self.error(token, "the end of the line")) }
    }

    fn peek(&self) -> Token<'a> {
        // `tokens` always gives the end, and `take` never goes past it.
        self.tokens[self.next]
    }

    fn take(&mut self) -> Token<'a> {
        let token = self.peek();
        if token.kind != Kind::End {
            self.next += 1;
        }
        token
    }

    fn error(&self, token: Token<'a>, expected: &str) -> ExpectationError {
        self.error_near(token, expected, None)
    }

    fn error_near(&self, token: Token<'a>, expected: &str, nearest: Option<&str>) -> ExpectationError {
        let found = match token.kind {
            Kind::End => "the end of the line".to_string(),
            Kind::Unknown(text) if text.starts_with('"') => "a text without its closing `\"`".to_string(),
            _ => quote(&self.line[token.offset..token.offset + token.length]),
        };
        ExpectationError {
            offset: token.offset,
            length: token.length.max(1),
            found,
            expected: expected.to_string(),
            nearest: nearest.map(str::to_string),
        }
    }
}

/// `95` and `99.9`: None when it is no number, `Some(None)` when it is out of range.
fn percentile(text: &str) -> Option<Option<Percentile>> {
    let (whole, tenth) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(tenth) || tenth.len() > 1 {
        return None;
    }
    let tenths = whole.parse::<u16>().ok().and_then(|w| w.checked_mul(10)?.checked_add(tenth.parse().ok()?));
    Some(tenths.and_then(Percentile::of_tenths))
}

/// A number without unit, sign or exponent.
fn plain(text: &str) -> Option<f64> {
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') { text.parse().ok() } else { None }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
