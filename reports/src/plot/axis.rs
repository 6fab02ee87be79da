//! A range with ticks that people read, linear or logarithmic.

use darkswap_records::unit::{show_bytes, show_count, show_rate, show_ratio, show_seconds, show_share};

/// What the numbers along an axis are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantity {
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    Rate,
    /// A number of things.
    Count,
    /// A plain number.
    Ratio,
    /// A share of 0 to 1.
    Share,
}

impl Quantity {
    /// A value with its unit, rounded for people.
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            Self::Seconds => show_seconds(value),
            Self::Bytes => show_bytes(value),
            Self::Rate => show_rate(value),
            Self::Count => show_count(value),
            Self::Ratio => show_ratio(value),
            Self::Share => show_share(value),
        }
    }

    /// Sensible distances between ticks within one order of magnitude, and the factor between orders.
    fn steps(self, about: f64) -> (&'static [f64], f64) {
        match self {
            Self::Seconds if about > 10.0 => (&[1.0, 2.0, 5.0, 10.0, 20.0, 30.0], 60.0),
            Self::Bytes | Self::Rate => (&[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0], 1_024.0),
            Self::Seconds | Self::Count | Self::Ratio | Self::Share => (&[1.0, 2.0, 5.0], 10.0),
        }
    }
}

/// A range with ticks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    /// What the axis shows, with its unit where the ticks do not carry one.
    pub(crate) title: String,
    /// Value and label of each tick, ascending.
    pub(crate) ticks: Vec<(f64, String)>,
    low: f64,
    high: f64,
    logarithmic: bool,
}

impl Axis {
    /// From zero to at least `high`, ending on a tick.
    pub(crate) fn from_zero(title: &str, quantity: Quantity, high: f64, ticks: usize) -> Self {
        let high = if high.is_finite() && high > 0.0 { high } else { 1.0 };
        let step = step(quantity, high, ticks);
        let count = (high / step - 1e-9).ceil().max(1.0);
        let ticks = (0..=count as usize).map(|n| (n as f64 * step, label(quantity, n as f64 * step, step))).collect();
        Self { title: title.to_string(), ticks, low: 0.0, high: count * step, logarithmic: false }
    }

    /// From zero to exactly `high`: for time, where an empty end would look like a silence.
    pub(crate) fn up_to(title: &str, quantity: Quantity, high: f64, ticks: usize) -> Self {
        let mut axis = Self::from_zero(title, quantity, high, ticks);
        if high.is_finite() && high > 0.0 {
            axis.high = high;
            axis.ticks.retain(|(at, _)| *at <= high * (1.0 + 1e-9));
        }
        axis
    }

    /// From `low` to exactly `high`, both positive: for a part of a time; from zero when most of the time before `high` is shown.
    pub(crate) fn between(title: &str, quantity: Quantity, low: f64, high: f64, ticks: usize) -> Self {
        if !(low.is_finite() && high.is_finite() && low > high * 0.3 && high > low) {
            return Self::up_to(title, quantity, high, ticks);
        }
        let step = step(quantity, high - low, ticks);
        let first = (low / step - 1e-9).ceil();
        let count = ((high / step + 1e-9).floor() - first).max(0.0) as usize;
        let ticks = (0..=count).map(|n| (first + n as f64) * step).map(|at| (at, label(quantity, at, step))).collect();
        Self { title: title.to_string(), ticks, low, high, logarithmic: false }
    }

    /// A share from 0 to 100 %.
    pub(crate) fn share(title: &str) -> Self {
        let ticks = [0.0, 0.25, 0.5, 0.75, 1.0].map(|share| (share, show_share(share))).to_vec();
        Self { title: title.to_string(), ticks, low: 0.0, high: 1.0, logarithmic: false }
    }

    /// Linear from zero when the values are of one order of magnitude, logarithmic when they are not.
    pub(crate) fn spanning(title: &str, quantity: Quantity, low: f64, high: f64) -> Self {
        if !(low > 0.0 && high.is_finite() && high / low > 60.0) {
            return Self::from_zero(title, quantity, high, 5);
        }
        let decades = (high / low).log10();
        let digits: &[f64] = if decades > 3.0 {
            &[1.0]
        } else if decades > 2.2 {
            &[1.0, 3.0]
        } else {
            &[1.0, 2.0, 5.0]
        };
        let first = low.log10().floor() as i32;
        let last = high.log10().ceil() as i32;
        let all: Vec<f64> =
            (first..=last).flat_map(|power| digits.iter().map(move |digit| digit * 10_f64.powi(power))).collect();
        let start = all.iter().rposition(|tick| *tick <= low * (1.0 + 1e-9)).unwrap_or(0);
        let end = all.iter().position(|tick| *tick >= high * (1.0 - 1e-9)).unwrap_or(all.len() - 1);
        let ticks = all[start..=end].iter().map(|tick| (*tick, quantity.show(*tick))).collect();
        Self { title: format!("{title}, logarithmic"), ticks, low: all[start], high: all[end], logarithmic: true }
    }

    /// Where a value lies, 0 at the start of the axis and 1 at its end; clamped to it.
    pub(crate) fn position(&self, value: f64) -> f64 {
        let place = if self.logarithmic {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        if place.is_finite() { place.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// The value at which the axis starts.
    pub(crate) fn low(&self) -> f64 {
        self.low
    }

    /// The value at which the axis ends.
    pub(crate) fn high(&self) -> f64 {
        self.high
    }
}

/// The smallest sensible distance that needs at most `ticks` of them up to `high`.
fn step(quantity: Quantity, high: f64, ticks: usize) -> f64 {
    let least = high / ticks.max(1) as f64;
    let (steps, factor) = quantity.steps(least);
    let mut order = if factor == 60.0 { 1.0 } else { factor.powf(least.log(factor).floor()) };
    loop {
        if let Some(step) = steps.iter().map(|step| step * order).find(|step| *step >= least * (1.0 - 1e-9)) {
            return step;
        }
        order *= factor;
    }
}

/// A tick in the unit of its step, so that neighbours compare at a glance.
fn label(quantity: Quantity, value: f64, step: f64) -> String {
    if quantity != Quantity::Seconds || value == 0.0 {
        return quantity.show(value);
    }
    let (size, unit) = match step {
        step if step >= 3_600.0 => (3_600.0, "h"),
        step if step >= 60.0 => (60.0, "min"),
        step if step >= 0.1 || value >= 1.0 && step >= 0.001 => (1.0, "s"),
        step if step >= 0.001 => (0.001, "ms"),
        _ => return quantity.show(value),
    };
    let decimals = match step / size {
        step if step >= 1.0 => return format!("{:.0} {unit}", value / size),
        step if step >= 0.1 => 1,
        step if step >= 0.01 => 2,
        _ => 3,
    };
    let text = format!("{:.decimals$}", value / size);
    format!("{} {unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_in_the_unit_people_use() {
        assert_eq!(labels(&Axis::from_zero("", Quantity::Seconds, 1.7, 5)), ["0 s", "0.5 s", "1 s", "1.5 s", "2 s"]);
        assert_eq!(
            labels(&Axis::from_zero("", Quantity::Seconds, 0.42, 5)),
            ["0 s", "0.1 s", "0.2 s", "0.3 s", "0.4 s", "0.5 s"]
        );
        assert_eq!(
            labels(&Axis::from_zero("", Quantity::Seconds, 0.08, 4)),
            ["0 s", "20 ms", "40 ms", "60 ms", "80 ms"]
        );
        assert_eq!(
            labels(&Axis::from_zero("", Quantity::Seconds, 600.0, 5)),
            ["0 s", "2 min", "4 min", "6 min", "8 min", "10 min"]
        );
        assert_eq!(
            labels(&Axis::from_zero("", Quantity::Rate, 3_000.0, 4)),
            ["0 B/s", "1 KiB/s", "2 KiB/s", "3 KiB/s"]
        );
        assert_eq!(labels(&Axis::from_zero("", Quantity::Count, 42.0, 5)), ["0", "10", "20", "30", "40", "50"]);
    }

    #[test]
    fn several_orders_of_magnitude_become_logarithmic() {
        let axis = Axis::spanning("time", Quantity::Seconds, 0.03, 9.0);
        assert_eq!(labels(&axis), ["30 ms", "100 ms", "300 ms", "1 s", "3 s", "10 s"]);
        assert_eq!((axis.position(0.03), axis.position(10.0)), (0.0, 1.0));
        assert!(axis.title.contains("logarithmic"));
        assert!(!Axis::spanning("time", Quantity::Seconds, 0.1, 0.9).logarithmic);
    }

    #[test]
    fn nonsense_still_gives_an_axis() {
        for value in [f64::NAN, f64::INFINITY, -1.0, 0.0, f64::MIN_POSITIVE, 1e300] {
            for quantity in [Quantity::Seconds, Quantity::Rate, Quantity::Count, Quantity::Share] {
                for axis in [
                    Axis::from_zero("", quantity, value, 5),
                    Axis::spanning("", quantity, value, value * 1e6),
                    Axis::between("", quantity, value, value * 1.5, 5),
                ] {
                    assert!((1..50).contains(&axis.ticks.len()), "{axis:?}");
                    assert!((0.0..=1.0).contains(&axis.position(value)), "{value} on {axis:?}");
                }
            }
        }
    }

    #[test]
    fn a_time_axis_ends_where_the_run_ends() {
        let axis = Axis::up_to("", Quantity::Seconds, 65.0, 6);
        assert_eq!(axis.high(), 65.0);
        assert_eq!(labels(&axis), ["0 s", "20 s", "40 s", "60 s"]);
    }

    #[test]
    fn a_part_of_a_time_has_round_ticks_inside_it() {
        let axis = Axis::between("", Quantity::Seconds, 20.4, 27.1, 6);
        assert_eq!((axis.low(), axis.high()), (20.4, 27.1));
        assert_eq!(labels(&axis), ["22 s", "24 s", "26 s"]);
        assert_eq!(Axis::between("", Quantity::Seconds, 1.0, 9.0, 6).low(), 0.0);
        assert_eq!(labels(&Axis::between("", Quantity::Seconds, 5.11, 5.24, 4)), ["5.15 s", "5.2 s"]);
    }
}
