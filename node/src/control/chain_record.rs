//! What happens with the servers that tell the chain, as JSON.

use serde_json::{Map, Value, json};

use super::record::object;
use crate::chain::ChainEvent;

/// As every event: its name, then its fields. Evidence is text for people, `kind` is for programs.
pub(super) fn chain_record(event: &ChainEvent) -> Map<String, Value> {
    let server = event.server().to_string();
    let record = match event {
        ChainEvent::Connected { .. } => json!({"event": "chain_server_connected", "server": server}),
        ChainEvent::Left { reason, .. } => json!({"event": "chain_server_left", "server": server, "reason": reason}),
        ChainEvent::Misbehaved { misbehaviour, times, .. } => json!({
            "event": "chain_server_misbehaved", "server": server, "kind": misbehaviour.name(),
            "evidence": misbehaviour.to_string(), "times": times,
        }),
        ChainEvent::Reorganised { fork, from, to, .. } => json!({
            "event": "chain_reorganised", "server": server, "fork": fork, "depth": from.height.saturating_sub(*fork),
            "from": from.hash.to_string(), "to": to.hash.to_string(), "height": to.height,
        }),
    };
    object(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::Misbehaviour;

    #[test]
    fn a_misbehaviour_names_its_kind_and_its_evidence() {
        let server = "ssl://a.example.org:50002".parse().unwrap();
        let misbehaviour = Misbehaviour::Lagging { found: 5, known: 9 };
        let record = chain_record(&ChainEvent::Misbehaved { server, misbehaviour, times: 2 });
        assert_eq!(
            Value::Object(record),
            json!({
                "event": "chain_server_misbehaved", "server": "ssl://a.example.org:50002", "kind": "lagging", "times": 2,
                "evidence": "found a tip at height 5 where others show 9: the server is behind",
            })
        );
    }
}
