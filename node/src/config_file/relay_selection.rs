//! How relays are chosen, as operators write it. The names come from the tables of policies and of parameters: one that is added
//! there needs no line here.

use darkswap_connectivity::relay::policy::{PARAMETERS, ParameterError, Parameters, Policy, names, policy};
use toml::de::DeValue;

use super::problem::suggestion;
use super::value::{Fault, Raw, quoted};

/// Reads a policy's name.
pub(super) fn read_policy(raw: Raw<'_>) -> Result<&'static dyn Policy, Vec<Fault>> {
    let found = raw.text().unwrap_or_default();
    policy(found).map_err(|_| {
        let names = names();
        let hint = suggestion(found, names.iter().copied());
        raw.unexpected(&format!("one of {}{hint}", quoted(&names)))
    })
}

/// Reads parameters: a table in the file, `name=value` elsewhere. Those that are not named keep their defaults.
pub(super) fn read_parameters(raw: Raw<'_>) -> Result<Parameters, Vec<Fault>> {
    let (mut parameters, mut faults) = (Parameters::default(), Vec::new());
    let mut set = |name: &str, value: Option<f64>, at: Raw<'_>| {
        let read = value.ok_or_else(|| at.unexpected("a number"));
        let result = read.and_then(|value| {
            parameters.set(name, value).map_err(|error| {
                let names = PARAMETERS.iter().map(|parameter| parameter.name);
                let is_unknown = matches!(error, ParameterError::Unknown { .. });
                let hint = if is_unknown { suggestion(name, names) } else { String::new() };
                vec![at.fault(format!("{error}{hint}"))]
            })
        });
        faults.extend(result.err().into_iter().flatten());
    };
    match raw {
        Raw::Text(text) => {
            for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
                let (name, value) = item.split_once('=').unwrap_or((item, ""));
                set(name.trim(), value.trim().parse().ok(), Raw::Text(item));
            }
        }
        Raw::Toml(value) => {
            let DeValue::Table(table) = value.get_ref() else { return Err(raw.unexpected("a table of parameters")) };
            for (name, value) in table {
                set(name.get_ref(), number(value.get_ref()), Raw::Toml(value));
            }
        }
    }
    if faults.is_empty() { Ok(parameters) } else { Err(faults) }
}

/// The parameters that are not as they are by default.
pub(super) fn show_parameters(parameters: &Parameters) -> toml::Value {
    let default = Parameters::default();
    let changed = PARAMETERS.iter().filter(|it| it.value(parameters) != it.value(&default));
    changed.map(|it| (it.name.to_owned(), it.value(parameters).into())).collect::<toml::Table>().into()
}

fn number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Float(number) => number.as_str().replace('_', "").parse().ok(),
        DeValue::Integer(number) => number.as_str().replace('_', "").parse().ok(),
        _ => None,
    }
}
