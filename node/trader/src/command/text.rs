//! Values as text in JSON: units have up to 128 bits, more than a number in JSON is sure to keep (RFC 8259, section 6).

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Units, as text; a number is read as well.
pub(super) mod units {
    use super::{Deserializer, Serializer, Units};

    pub(in crate::command) fn serialize<S: Serializer>(units: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(units)
    }

    pub(in crate::command) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        deserializer.deserialize_any(Units)
    }
}

/// Units that may be missing.
pub(super) mod maybe_units {
    use super::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Wrapped(#[serde(with = "super::units")] u128);

    pub(in crate::command) fn serialize<S: Serializer>(units: &Option<u128>, serializer: S) -> Result<S::Ok, S::Error> {
        units.map(Wrapped).serialize(serializer)
    }

    pub(in crate::command) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<u128>, D::Error> {
        Ok(Option::<Wrapped>::deserialize(deserializer)?.map(|wrapped| wrapped.0))
    }
}

/// What has a text form, in it.
pub(super) mod shown {
    use std::fmt::Display;
    use std::str::FromStr;

    use super::{Deserialize, Deserializer, Error, Serializer};

    pub(in crate::command) fn serialize<T: Display, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(in crate::command) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// The same, where it may be missing.
pub(super) mod maybe_shown {
    use std::fmt::Display;
    use std::str::FromStr;

    use super::{Deserialize, Deserializer, Error, Serialize, Serializer};

    pub(in crate::command) fn serialize<T: Display, S: Serializer>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().map(ToString::to_string).serialize(serializer)
    }

    pub(in crate::command) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

/// A price: satoshis as a number, units as text.
pub(super) mod price {
    use darkswap_trade::order::Price;

    use super::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written {
        sats: u64,
        #[serde(with = "super::units")]
        units: u128,
    }

    pub(in crate::command) fn serialize<S: Serializer>(price: &Price, serializer: S) -> Result<S::Ok, S::Error> {
        Written { sats: price.sats, units: price.units }.serialize(serializer)
    }

    pub(in crate::command) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Price, D::Error> {
        let Written { sats, units } = Written::deserialize(deserializer)?;
        Ok(Price { sats, units })
    }
}

struct Units;

impl Visitor<'_> for Units {
    type Value = u128;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("units of an asset, as text of digits")
    }

    fn visit_u64<E: Error>(self, units: u64) -> Result<u128, E> {
        Ok(u128::from(units))
    }

    fn visit_u128<E: Error>(self, units: u128) -> Result<u128, E> {
        Ok(units)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u128, E> {
        text.parse().map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }
}
