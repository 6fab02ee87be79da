//! What happened in a relay, as the one that serves, as JSON.

use serde_json::{Map, Value, json};

use super::record::object;
use crate::event::RelayServerEvent;

/// As [`event_record`](super::event_record), for what happens in a relay.
pub(super) fn relay_record(event: &RelayServerEvent) -> Map<String, Value> {
    let record = match event {
        RelayServerEvent::ReservationGranted { peer, renewal } => {
            json!({"event": "reservation_granted", "peer": peer.to_string(), "renewal": renewal})
        }
        RelayServerEvent::ReservationDenied { peer, reason } => json!({
            "event": "reservation_denied", "peer": peer.to_string(), "kind": reason.name(), "reason": reason.to_string(),
        }),
        RelayServerEvent::ReservationEnded { peer, end } => {
            json!({"event": "reservation_ended", "peer": peer.to_string(), "kind": end.name()})
        }
        RelayServerEvent::CircuitOpened { from, to } => {
            json!({"event": "circuit_opened", "from": from.to_string(), "to": to.to_string()})
        }
        RelayServerEvent::CircuitDenied { from, to, reason } => json!({
            "event": "circuit_denied", "from": from.to_string(), "to": to.to_string(), "kind": reason.name(),
            "reason": reason.to_string(),
        }),
        RelayServerEvent::CircuitClosed { from, to, bytes, end } => json!({
            "event": "circuit_closed", "from": from.to_string(), "to": to.to_string(), "size": bytes, "kind": end.name(),
            "reason": end.to_string(),
        }),
        RelayServerEvent::Drained { cut } => json!({"event": "drained", "size": cut}),
    };
    object(record)
}
