//! Lines of an Electrum server, as messages: bounded, and nothing but answers and notifications.

use bytes::{Buf as _, BytesMut};
use electrum_streaming_client::notification::Notification;
use electrum_streaming_client::{ElectrumScriptHash, RawNotificationOrResponse};
use serde_json::Value;

use super::misbehaviour::Misbehaviour;

/// The longest line in bytes: a transaction that fills a block, in hexadecimal, and what is around it.
pub(super) const MAX_LINE: usize = 9 << 20;

/// How much of a line or an error is shown or passed on, in characters.
const SHOWN: usize = 200;

/// What a server says by itself.
#[derive(Debug, Clone)]
pub(super) enum Notice {
    /// There is another tip. Which one it says is not kept: by the time it is read there may be yet another, so the server
    /// is asked.
    Tip,
    /// The history of a script changed.
    Script(ElectrumScriptHash),
}

/// A message of a server.
#[derive(Debug, Clone)]
pub(super) enum Message {
    /// To the request with this id: what was asked for, or the server's word why not.
    Answer(u32, Result<Value, String>),
    /// A notification; none where its method is unknown.
    Notice(Option<Notice>),
}

/// Bytes from a server that are not yet a line.
#[derive(Debug, Default)]
pub(super) struct Lines {
    bytes: BytesMut,
    /// How much of them has no end of line.
    searched: usize,
}

impl Lines {
    /// Where to read into. Take every [`message`](Self::next_message) before reading more.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }

    /// The next message, if its line is complete.
    pub(super) fn next_message(&mut self) -> Result<Option<Message>, Misbehaviour> {
        let Some(end) = self.bytes[self.searched..].iter().position(|byte| *byte == b'\n') else {
            self.searched = self.bytes.len();
            return if self.searched > MAX_LINE { Err(Misbehaviour::Line) } else { Ok(None) };
        };
        let line = self.bytes.split_to(self.searched + end);
        self.bytes.advance(1);
        self.searched = 0;
        if line.len() > MAX_LINE {
            return Err(Misbehaviour::Line);
        }
        message(&line).map(Some)
    }
}

/// Reads one line, without its end.
pub(super) fn message(line: &[u8]) -> Result<Message, Misbehaviour> {
    let unreadable = || Misbehaviour::Message(shown(&String::from_utf8_lossy(&line[..line.len().min(SHOWN)])));
    match serde_json::from_slice(line).map_err(|_| unreadable())? {
        RawNotificationOrResponse::Response(response) => {
            Ok(Message::Answer(response.id, response.result.map_err(|error| refusal(&error))))
        }
        RawNotificationOrResponse::Notification(raw) => match Notification::new(&raw).map_err(|_| unreadable())? {
            Notification::Header(_) => Ok(Message::Notice(Some(Notice::Tip))),
            Notification::ScriptHash(script) => Ok(Message::Notice(Some(Notice::Script(script.script_hash())))),
            Notification::Unknown(_) => Ok(Message::Notice(None)),
        },
    }
}

/// The server's word in an error: its message, or all of it where it has none.
fn refusal(error: &Value) -> String {
    match error.get("message").and_then(Value::as_str) {
        Some(message) => shown(message),
        None => shown(&error.to_string()),
    }
}

/// The beginning of a text from a stranger, without anything that moves a terminal's cursor.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(SHOWN).map(|character| if character.is_control() { ' ' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(lines: &mut Lines, bytes: &[u8]) -> Result<Vec<Message>, Misbehaviour> {
        lines.buffer().extend_from_slice(bytes);
        std::iter::from_fn(|| lines.next_message().transpose()).collect()
    }

    #[test]
    fn an_answer_may_arrive_in_pieces() {
        let mut lines = Lines::default();
        assert!(all(&mut lines, b"{\"jsonrpc\":\"2.0\",\"id\":3,").unwrap().is_empty());
        let found =
            all(&mut lines, b"\"result\":7}\n{\"jsonrpc\":\"2.0\",\"id\":4,\"error\":{\"message\":\"no\\u001b\"}}\n");
        let found = found.unwrap();
        assert!(matches!(&found[0], Message::Answer(3, Ok(value)) if value == 7));
        assert!(matches!(&found[1], Message::Answer(4, Err(word)) if word == "no "));
    }

    #[test]
    fn a_line_without_end_is_given_up_at_the_bound() {
        let mut lines = Lines::default();
        assert!(all(&mut lines, &vec![b'a'; MAX_LINE]).unwrap().is_empty());
        assert_eq!(all(&mut lines, b"a").unwrap_err(), Misbehaviour::Line);
    }

    #[test]
    fn what_is_no_message_is_named() {
        for line in [
            "",
            "7",
            "[]",
            "{}",
            "{\"id\":1}",
            "{\"jsonrpc\":\"1.0\",\"id\":1,\"result\":1}",
            "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":1}",
        ] {
            assert!(matches!(message(line.as_bytes()), Err(Misbehaviour::Message(_))), "{line}");
        }
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn no_line_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = message(&bytes);
        }

        #[test]
        fn no_json_makes_it_panic(
            method in prop_oneof![Just("blockchain.headers.subscribe"), Just("blockchain.scripthash.subscribe"), Just("x")],
            params in "\\[(\\{\"height\":-?[0-9]{1,12},\"hex\":\"[0-9a-f]{0,170}\"\\}|\"[0-9a-f]{0,70}\"|null|,){0,4}\\]",
        ) {
            let line = format!("{{\"jsonrpc\":\"2.0\",\"method\":\"{method}\",\"params\":{params}}}");
            let _ = message(line.as_bytes());
        }
    }
}
