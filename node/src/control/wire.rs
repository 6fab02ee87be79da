//! The bytes of a line.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::VERSION;
use super::reply::{ErrorKind, Refusal, Reply};
use super::request::Request;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestLine<R> {
    version: u32,
    #[serde(default)]
    id: u64,
    request: R,
}

/// Fields that are unknown are ignored, so that an older client understands a newer node.
#[derive(Serialize, Deserialize, Default)]
struct AnswerLine {
    version: u32,
    id: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply: Option<Reply>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<Refusal>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event: Option<Map<String, Value>>,
}

/// One line from a node.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    Reply(Reply),
    Refused(Refusal),
    Event(Map<String, Value>),
}

/// The line of a request, without its end.
pub(super) fn encode_request(id: u64, request: &Request) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&RequestLine { version: VERSION, id, request })
}

/// The request on a line and its id; or what is wrong with the line, with its id as far as there is one.
pub(super) fn decode_request(line: &[u8]) -> Result<(u64, Request), (Option<u64>, Refusal)> {
    let value: Value = serde_json::from_slice(line).map_err(|error| (None, malformed("not JSON", &error)))?;
    let id = value.get("id").and_then(Value::as_u64);
    match value.get("version").and_then(Value::as_u64) {
        Some(version) if version == u64::from(VERSION) => {}
        Some(version) => {
            let message = format!("found version {version} of the control protocol, expected {VERSION}");
            return Err((id, Refusal { kind: ErrorKind::UnsupportedVersion, message }));
        }
        None => {
            let expected = format!("expected {{\"version\":{VERSION},\"id\":1,\"request\":..}}");
            return Err((id, malformed("there is no version", &expected)));
        }
    }
    // From the text: a `Value` has no numbers beyond 64 bits, which units of assets can be.
    let line: RequestLine<Request> =
        serde_json::from_slice(line).map_err(|error| (id, malformed("not a request", &error)))?;
    Ok((line.id, line.request))
}

/// The line of an answer, without its end.
pub(super) fn encode_answer(id: Option<u64>, answer: Result<Reply, Refusal>) -> serde_json::Result<Vec<u8>> {
    let (reply, error) = match answer {
        Ok(reply) => (Some(reply), None),
        Err(refusal) => (None, Some(refusal)),
    };
    serde_json::to_vec(&AnswerLine { version: VERSION, id, reply, error, event: None })
}

/// The line of an event that is JSON already, without its end.
pub(super) fn encode_event(id: u64, event: &str) -> Vec<u8> {
    format!(r#"{{"version":{VERSION},"id":{id},"event":{event}}}"#).into_bytes()
}

/// The answer on a line, or what is wrong with the line.
pub(super) fn decode_answer(line: &[u8]) -> Result<Answer, String> {
    let line: AnswerLine = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if line.version != VERSION {
        return Err(format!("found version {} of the control protocol, expected {VERSION}", line.version));
    }
    match (line.reply, line.error, line.event) {
        (Some(reply), None, None) => Ok(Answer::Reply(reply)),
        (None, Some(refusal), None) => Ok(Answer::Refused(refusal)),
        (None, None, Some(event)) => Ok(Answer::Event(event)),
        _ => Err("expected one of `reply`, `error`, `event`".to_owned()),
    }
}

fn malformed(what: &str, reason: &dyn std::fmt::Display) -> Refusal {
    Refusal { kind: ErrorKind::Malformed, message: format!("{what}: {reason}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::control::Payload;

    const PEER: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

    fn refusal(line: &str) -> (Option<u64>, Refusal) {
        decode_request(line.as_bytes()).unwrap_err()
    }

    #[test]
    fn requests_are_written_as_documented() {
        let peer = PEER.parse().unwrap();
        let send = Request::Send { peer, payload: Payload::Text("hello".to_owned()) };
        let line = String::from_utf8(encode_request(2, &send).unwrap()).unwrap();
        let expected = r#"{"version":1,"id":2,"request":{"send":{"peer":"PEER","payload":{"text":"hello"}}}}"#;
        assert_eq!(line, expected.replace("PEER", PEER));
        assert_eq!(decode_request(line.as_bytes()).unwrap(), (2, send));
        assert_eq!(decode_request(br#"{"version":1,"id":1,"request":"status"}"#).unwrap(), (1, Request::Status));
    }

    #[test]
    fn a_wrong_line_is_answered_with_its_id_and_what_is_wrong() {
        let (id, wrong) = refusal(r#"{"version":1,"id":7,"request":"statsu"}"#);
        assert_eq!((id, wrong.kind), (Some(7), ErrorKind::Malformed));
        assert!(wrong.message.contains("unknown variant `statsu`, expected one of `status`"), "{wrong}");
        let (id, wrong) = refusal(r#"{"version":2,"id":7,"request":"status"}"#);
        assert_eq!((id, wrong.kind), (Some(7), ErrorKind::UnsupportedVersion));
        assert!(
            refusal(r#"{"version":1,"id":1,"request":{"disconnect":{"peer":"x"}}}"#).1.message.contains("found \"x\"")
        );
        assert!(refusal(r#"{"version":1,"request":"status","more":1}"#).1.message.contains("unknown field `more`"));
        for line in ["", "{", "[]", "null", "{}", r#"{"version":1}"#, r#"{"version":-1,"request":"status"}"#] {
            assert_eq!(refusal(line).1.kind, ErrorKind::Malformed, "{line}");
        }
        assert_eq!(refusal(&"[".repeat(100_000)).1.kind, ErrorKind::Malformed);
    }

    #[test]
    fn answers_read_back() {
        let refused = Refusal { kind: ErrorKind::Busy, message: "busy".to_owned() };
        let line = encode_answer(None, Err(refused.clone())).unwrap();
        assert_eq!(decode_answer(&line), Ok(Answer::Refused(refused)));
        let line = encode_answer(Some(1), Ok(Reply::Done)).unwrap();
        assert_eq!(decode_answer(&line), Ok(Answer::Reply(Reply::Done)));
        assert!(matches!(decode_answer(&encode_event(1, r#"{"event":"x"}"#)), Ok(Answer::Event(_))));
        assert!(decode_answer(br#"{"version":1,"id":1}"#).is_err());
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = decode_request(&bytes);
            let _ = decode_answer(&bytes);
        }

        #[test]
        fn a_damaged_request_never_panics(start in 0_usize..120, length in 0_usize..20, text in "[\"{}\\[\\]:,0-9a-z\\\\]{0,8}") {
            let peer = PEER.parse().unwrap();
            let request = Request::Send { peer, payload: Payload::Base64("AAEC".to_owned()) };
            let mut line = String::from_utf8(encode_request(1, &request).unwrap()).unwrap();
            let end = (start + length).min(line.len());
            line.replace_range(start.min(end)..end, &text);
            if let Ok((_, Request::Send { payload, .. })) = decode_request(line.as_bytes()) {
                let _ = payload.into_bytes();
            }
        }

        #[test]
        fn every_payload_reads_back(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(Payload::from(&bytes[..]).into_bytes().unwrap(), bytes);
        }
    }
}
