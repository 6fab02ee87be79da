//! The result in plain English.

use std::fmt::Write as _;

use crate::paired::{Paired, SIGNIFICANT};

/// What a sentence needs beside the numbers.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    /// The variant, such as `tcp`.
    pub variant: &'a str,
    /// What it is compared with, such as `quic`.
    pub baseline: &'a str,
    /// Questions that were asked together.
    pub questions: usize,
    /// Whether higher is better; none when neither side is.
    pub higher_is_better: Option<bool>,
    /// A value of the figure with its unit.
    pub show: &'a dyn Fn(f64) -> String,
}

/// What a comparison comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The variant's values are larger, beyond chance.
    Larger,
    /// They are smaller, beyond chance.
    Smaller,
    /// What was seen can be chance.
    Indistinguishable,
    /// Every seed gave exactly the same on both sides.
    Same,
}

/// What the comparison comes to, by the p-value after correction.
pub fn verdict(paired: &Paired, adjusted: f64) -> Verdict {
    match paired.difference {
        _ if paired.larger + paired.smaller == 0 => Verdict::Same,
        _ if adjusted > SIGNIFICANT => Verdict::Indistinguishable,
        difference if difference > 0.0 => Verdict::Larger,
        _ => Verdict::Smaller,
    }
}

/// What is and what is not distinguishable, in one or two sentences.
pub fn sentence(paired: &Paired, adjusted: f64, words: Words<'_>) -> String {
    let Words { variant, baseline, questions, higher_is_better, show } = words;
    let Paired { seeds, larger, smaller, interval, .. } = *paired;
    match verdict(paired, adjusted) {
        Verdict::Same => format!("{variant} gave exactly the same as {baseline} under each of {seeds} seeds."),
        verdict @ (Verdict::Larger | Verdict::Smaller) => {
            let (word, agreeing, [low, high]) = match verdict {
                Verdict::Larger => ("higher", larger, [interval.low, interval.high]),
                _ => ("lower", smaller, [-interval.high, -interval.low]),
            };
            let good = higher_is_better.map(|higher| higher == (verdict == Verdict::Larger));
            let claim = match good {
                None => format!("{word} than {baseline}"),
                Some(true) => format!("better than {baseline}: {word}"),
                Some(false) => format!("worse than {baseline}: {word}"),
            };
            let relative = paired.relative().map_or_else(String::new, |share| format!("; {}", percent(share)));
            format!(
                "{variant} is {claim} by {} (95 % interval {} to {}{relative}), under {agreeing} of {seeds} seeds; {}.",
                show(paired.difference.abs()),
                show(low),
                show(high),
                chance(adjusted, questions),
            )
        }
        Verdict::Indistinguishable => {
            let mut text = format!(
                "{variant} is not distinguishable from {baseline}: higher under {larger} and lower under {smaller} of {seeds} seeds, {}.",
                chance(adjusted, questions),
            );
            if paired.can_show(questions) {
                let bound = show(interval.low.abs().max(interval.high.abs()));
                let _ = write!(text, " A mean difference above {bound} would be a surprise.");
            } else {
                let _ = write!(text, " So few seeds cannot show a difference among {}: run more.", counted(questions));
            }
            text
        }
    }
}

fn chance(adjusted: f64, questions: usize) -> String {
    let p = if adjusted < 0.001 { "p < 0.001".to_string() } else { format!("p = {}", p_value(adjusted)) };
    if questions > 1 { format!("{p} after correction for {}", counted(questions)) } else { p }
}

fn counted(questions: usize) -> String {
    if questions == 1 { "one comparison".into() } else { format!("{questions} comparisons") }
}

/// A p-value with as many digits as matter.
pub fn p_value(p: f64) -> String {
    match p {
        p if p < 0.001 => "< 0.001".into(),
        p if p < 0.1 => format!("{p:.3}"),
        p => format!("{p:.2}"),
    }
}

/// A relative difference with its sign: `+12 %`.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent.abs() < 0.05 {
        return "±0 %".into();
    }
    let decimals = if percent.abs() < 9.95 { 1 } else { 0 };
    format!("{percent:+.decimals$} %").replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(pairs: &[(f64, f64)], questions: usize) -> String {
        said_of(pairs, questions, None)
    }

    fn said_of(pairs: &[(f64, f64)], questions: usize, higher_is_better: Option<bool>) -> String {
        let paired = Paired::of(pairs).unwrap();
        let show = |value: f64| format!("{:.0} ms", value * 1e3);
        let words = Words { variant: "tcp", baseline: "quic", questions, higher_is_better, show: &show };
        sentence(&paired, (paired.p * questions as f64).min(1.0), words)
    }

    /// A spread that is larger than nothing but smaller than the difference.
    fn pairs(seeds: usize, difference: f64) -> Vec<(f64, f64)> {
        (0..seeds).map(|seed| (0.5, 0.5 + difference + seed as f64 * 0.002)).collect()
    }

    #[test]
    fn a_clear_difference_is_told_with_its_size_and_its_agreement() {
        assert_eq!(
            said(&pairs(8, 0.1), 4),
            "tcp is higher than quic by 107 ms (95 % interval 104 ms to 110 ms; +21 %), under 8 of 8 seeds; p = 0.031 after correction for 4 comparisons."
        );
        assert!(said(&pairs(8, -0.2), 1).starts_with("tcp is lower than quic by 193 ms ("));
    }

    #[test]
    fn a_clear_difference_of_a_figure_with_a_better_side_is_called_better_or_worse() {
        let higher = pairs(8, 0.1);
        assert!(said_of(&higher, 1, Some(true)).starts_with("tcp is better than quic: higher by 107 ms ("));
        assert!(said_of(&higher, 1, Some(false)).starts_with("tcp is worse than quic: higher by "));
        let lower = pairs(8, -0.2);
        assert!(said_of(&lower, 1, Some(false)).starts_with("tcp is better than quic: lower by "));
        let chance = [(1.0, 1.1), (1.0, 0.9), (1.0, 1.0)];
        assert_eq!(said_of(&chance, 1, Some(true)), said(&chance, 1));
    }

    #[test]
    fn what_can_be_chance_is_told_with_what_is_ruled_out() {
        let text = said(&[(1.0, 1.1), (1.0, 0.9), (1.0, 1.05), (1.0, 0.96), (1.0, 1.02), (1.0, 1.0)], 1);
        assert!(
            text.starts_with("tcp is not distinguishable from quic: higher under 3 and lower under 2 of 6 seeds, p = "),
            "{text}"
        );
        assert!(text.ends_with(" ms would be a surprise."), "{text}");
    }

    #[test]
    fn seeds_that_cannot_show_anything_are_told_so() {
        let text = said(&pairs(4, 0.1), 3);
        assert!(text.ends_with("So few seeds cannot show a difference among 3 comparisons: run more."), "{text}");
    }

    #[test]
    fn what_is_the_same_is_not_called_chance() {
        assert_eq!(said(&[(1.0, 1.0), (2.0, 2.0)], 2), "tcp gave exactly the same as quic under each of 2 seeds.");
    }

    #[test]
    fn numbers_have_the_digits_that_matter() {
        assert_eq!([0.0001, 0.0312, 0.5].map(p_value), ["< 0.001", "0.031", "0.50"]);
        assert_eq!([0.1234, 1.5, -0.051, -0.0004].map(percent), ["+12 %", "+150 %", "−5.1 %", "±0 %"]);
    }
}
