//! `darkswap events`: what happens in the running node.

use serde_json::{Map, Value};

use super::arguments::{Events, Place};
use super::commands::with_client;
use super::failure::Failure;
use super::output;

/// Prints events until the node ends or enough were printed.
pub(crate) fn events(place: &Place, options: &Events) -> Result<(), Failure> {
    with_client(place, async |client| {
        let mut stream = client.events().await?;
        let mut printed = 0;
        while options.count.is_none_or(|count| printed < count) {
            let Some(event) = stream.next().await? else { break };
            if is_wanted(&event, &options.only) {
                if options.shown.json {
                    output::print_json(&event)?
                } else {
                    output::print(&line(&event))?
                }
                printed += 1;
            }
        }
        Ok(())
    })
}

/// Lost events are always told.
fn is_wanted(event: &Map<String, Value>, only: &[String]) -> bool {
    let name = event.get("event").and_then(Value::as_str).unwrap_or_default();
    only.is_empty() || name == "events_lost" || only.iter().any(|wanted| wanted == name)
}

/// Characters of one field that people are shown; `--json` shows all.
const SHOWN: usize = 200;

/// The event's name, then its fields as `name=value`.
pub(crate) fn line(event: &Map<String, Value>) -> String {
    let name = event.get("event").and_then(Value::as_str).unwrap_or("event");
    let fields = event.iter().filter(|(key, value)| *key != "event" && !value.is_null()).map(|(key, value)| {
        let text = match value {
            Value::String(text) if !text.contains(char::is_whitespace) => text.clone(),
            value => value.to_string(),
        };
        match text.char_indices().nth(SHOWN) {
            Some((end, _)) => format!(" {key}={}... ({} bytes)", &text[..end], text.len()),
            None => format!(" {key}={text}"),
        }
    });
    output::printable(&format!("{name}{}", fields.collect::<String>())).replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_one_bounded_harmless_line() {
        let Value::Object(event) = json!({
            "event": "gossip", "topic": "a\u{1b}[2J\nb", "payload": {"text": "x".repeat(1_000)}, "reason": null,
        }) else {
            panic!("not an object")
        };
        let line = line(&event);
        assert!(line.starts_with("gossip ") && line.contains("... (1011 bytes)"), "{line}");
        assert!(line.len() < 400 && !line.contains(char::is_control) && !line.contains("reason"), "{line}");
    }
}
