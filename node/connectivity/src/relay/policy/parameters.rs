//! The parameters of all policies: one struct, and one table that names them to people.

use std::time::Duration;

use thiserror::Error;

/// What the policies can be told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameters {
    /// The round-trip time of a relay that was never measured.
    pub unknown_rtt: Duration,
    /// Among how many of the nearest relays is drawn.
    pub best_n: usize,
    /// How much load adds to the cost of a relay: at 1.0, a full one counts twice.
    pub load_weight: f64,
    /// How much loss adds to it.
    pub loss_weight: f64,
    /// How much refused reservations add to it.
    pub refusal_weight: f64,
    /// What a change must gain in time.
    pub absolute_margin: Duration,
    /// What a change must gain as a share of the cost in use.
    pub relative_margin: f64,
    /// How much the region's hint counts beside the measured round-trip time.
    pub hint_weight: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            unknown_rtt: Duration::from_millis(300),
            best_n: 3,
            load_weight: 1.0,
            loss_weight: 5.0,
            refusal_weight: 0.5,
            absolute_margin: Duration::from_millis(20),
            relative_margin: 0.2,
            hint_weight: 0.5,
        }
    }
}

/// One row of the table.
#[derive(Debug)]
pub struct Parameter {
    /// The name in plans and configurations.
    pub name: &'static str,
    /// In what the value is given.
    pub unit: &'static str,
    /// The least and the largest value.
    pub range: (f64, f64),
    /// What it does, and for which policies.
    pub about: &'static str,
    read: fn(&Parameters) -> f64,
    write: fn(&mut Parameters, f64),
}

impl Parameter {
    /// The value in the parameter's unit.
    #[must_use]
    pub fn value(&self, parameters: &Parameters) -> f64 {
        (self.read)(parameters)
    }
}

/// Why a parameter was not set.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ParameterError {
    /// There is none of this name.
    #[error("found the parameter `{found}`, expected one of {}", PARAMETERS.iter().map(|it| it.name).collect::<Vec<_>>().join(", "))]
    Unknown {
        /// What was asked for.
        found: String,
    },
    /// The value is out of range, or no number.
    #[error("found {found} for {name}, expected {low} to {high} {unit}")]
    Range {
        /// The parameter.
        name: &'static str,
        /// The value.
        found: f64,
        /// The least.
        low: f64,
        /// The largest.
        high: f64,
        /// The unit of all three.
        unit: &'static str,
    },
}

/// Every parameter. A whole number is rounded.
pub const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "unknown_rtt",
        unit: "s",
        range: (0.001, 10.0),
        about: "the round-trip time of a relay that was never measured (all)",
        read: |it| it.unknown_rtt.as_secs_f64(),
        write: |it, value| it.unknown_rtt = Duration::from_secs_f64(value),
    },
    Parameter {
        name: "best_n",
        unit: "relays",
        range: (1.0, 16.0),
        about: "among how many of the nearest is drawn (random_of_best_n)",
        read: |it| it.best_n as f64,
        write: |it, value| it.best_n = value.round() as usize,
    },
    Parameter {
        name: "load_weight",
        unit: "",
        range: (0.0, 100.0),
        about: "what load adds to the cost (latency_x_load, sticky)",
        read: |it| it.load_weight,
        write: |it, value| it.load_weight = value,
    },
    Parameter {
        name: "loss_weight",
        unit: "",
        range: (0.0, 100.0),
        about: "what loss adds to the cost (latency_x_load, sticky)",
        read: |it| it.loss_weight,
        write: |it, value| it.loss_weight = value,
    },
    Parameter {
        name: "refusal_weight",
        unit: "",
        range: (0.0, 100.0),
        about: "what refused reservations add to the cost (latency_x_load, sticky)",
        read: |it| it.refusal_weight,
        write: |it, value| it.refusal_weight = value,
    },
    Parameter {
        name: "absolute_margin",
        unit: "s",
        range: (0.0, 10.0),
        about: "what a change must gain in time (sticky)",
        read: |it| it.absolute_margin.as_secs_f64(),
        write: |it, value| it.absolute_margin = Duration::from_secs_f64(value),
    },
    Parameter {
        name: "relative_margin",
        unit: "",
        range: (0.0, 1.0),
        about: "what a change must gain as a share of the cost in use (sticky)",
        read: |it| it.relative_margin,
        write: |it, value| it.relative_margin = value,
    },
    Parameter {
        name: "hint_weight",
        unit: "",
        range: (0.0, 1.0),
        about: "how much the region's hint counts beside what is measured (geographic_hint)",
        read: |it| it.hint_weight,
        write: |it, value| it.hint_weight = value,
    },
];

impl Parameters {
    /// Sets one parameter by its name.
    ///
    /// # Errors
    /// [`ParameterError`] for an unknown name, or a value out of its range.
    pub fn set(&mut self, name: &str, value: f64) -> Result<(), ParameterError> {
        let Some(parameter) = PARAMETERS.iter().find(|parameter| parameter.name == name) else {
            return Err(ParameterError::Unknown { found: name.to_owned() });
        };
        let (low, high) = parameter.range;
        if !(low..=high).contains(&value) {
            return Err(ParameterError::Range { name: parameter.name, found: value, low, high, unit: parameter.unit });
        }
        (parameter.write)(self, value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_reads_what_it_wrote_and_nothing_else() {
        for parameter in PARAMETERS {
            for value in [parameter.range.0, parameter.range.1] {
                let mut parameters = Parameters::default();
                parameters.set(parameter.name, value).unwrap();
                assert!((parameter.value(&parameters) - value).abs() < 1e-9, "{}", parameter.name);
                let others = PARAMETERS.iter().filter(|other| other.name != parameter.name);
                for other in others {
                    assert_eq!(other.value(&parameters), other.value(&Parameters::default()), "{}", other.name);
                }
            }
        }
    }

    #[test]
    fn defaults_are_in_their_ranges() {
        for parameter in PARAMETERS {
            let value = parameter.value(&Parameters::default());
            assert!((parameter.range.0..=parameter.range.1).contains(&value), "{}", parameter.name);
        }
    }

    #[test]
    fn a_value_out_of_range_and_an_unknown_name_are_refused_with_what_was_expected() {
        let mut parameters = Parameters::default();
        for value in [-1.0, 17.0, f64::NAN, f64::INFINITY] {
            assert!(parameters.set("best_n", value).is_err());
        }
        assert_eq!(
            parameters.set("best_n", 99.0).unwrap_err().to_string(),
            "found 99 for best_n, expected 1 to 16 relays"
        );
        assert!(parameters.set("bestn", 1.0).unwrap_err().to_string().contains("unknown_rtt, best_n,"));
        assert_eq!(parameters, Parameters::default());
    }
}
