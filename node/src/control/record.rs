//! What every record of an event is: a JSON object.

use serde_json::{Map, Value};

/// The fields of a record that was written as an object.
pub(super) fn object(record: Value) -> Map<String, Value> {
    match record {
        Value::Object(record) => record,
        other => Map::from_iter([("event".to_owned(), other)]),
    }
}
