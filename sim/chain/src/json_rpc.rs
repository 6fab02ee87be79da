//! JSON-RPC: requests, and errors with a code.

use serde_json::{Value, json};

/// One call.
pub(crate) struct Call {
    pub(crate) id: Value,
    pub(crate) method: String,
    pub(crate) params: Value,
    /// Whether the caller says that it speaks version 2.0.
    pub(crate) version_two: bool,
}

/// What a text holds.
pub(crate) enum Calls {
    Single(Call),
    Batch(Vec<Call>),
}

/// An error with its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CallError {
    pub(crate) code: i64,
    pub(crate) message: String,
}

impl CallError {
    pub(crate) fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The text is no JSON (JSON-RPC 2.0, section 5.1).
    pub(crate) fn parse() -> Self {
        Self::new(-32700, "parse error")
    }

    /// The JSON is no request.
    pub(crate) fn invalid_request() -> Self {
        Self::new(-32600, "invalid request")
    }

    /// No such method.
    pub(crate) fn method_not_found() -> Self {
        Self::new(-32601, "method not found")
    }

    /// Wrong parameters.
    pub(crate) fn invalid_params() -> Self {
        Self::new(-32602, "invalid params")
    }

    pub(crate) fn to_value(&self) -> Value {
        json!({"code": self.code, "message": self.message})
    }
}

/// Parses a text. A batch with anything else than requests in it is refused as a whole.
pub(crate) fn parse(text: &[u8]) -> Result<Calls, CallError> {
    match serde_json::from_slice(text).map_err(|_| CallError::parse())? {
        Value::Array(items) => {
            let calls: Option<Vec<Call>> = items.into_iter().map(call).collect();
            calls.map(Calls::Batch).ok_or(CallError::invalid_request())
        }
        single => call(single).map(Calls::Single).ok_or(CallError::invalid_request()),
    }
}

fn call(value: Value) -> Option<Call> {
    let Value::Object(mut fields) = value else { return None };
    let Some(Value::String(method)) = fields.remove("method") else { return None };
    let version_two = fields.get("jsonrpc").is_some_and(|version| version == "2.0");
    let params = fields.remove("params").unwrap_or(Value::Null);
    Some(Call { id: fields.remove("id")?, method, params, version_two })
}

/// Reads parameters into a type.
pub(crate) fn params<T: serde::de::DeserializeOwned>(params: Value) -> Result<T, CallError> {
    serde_json::from_value(params).map_err(|_| CallError::invalid_params())
}
