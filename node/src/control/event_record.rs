//! An event as JSON.

use std::time::Duration;

use darkswap_core::message::MessageId;
use darkswap_core::path::PathKind;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::chain_record::chain_record;
use super::record::object;
use super::relay_record::relay_record;
use super::reply::{Path, QualityReport};
use super::request::Payload;
use super::trade_record::trade_record;
use crate::event::{Event, HolePunchRole, TransportKind};

/// An event as a flat JSON object: its name in snake case under `event`, then its fields. Peers, addresses and ids are text, times are
/// numbers of seconds, payloads are `{"text": ..}` or `{"base64": ..}`.
#[must_use]
pub fn event_record(event: &Event) -> Map<String, Value> {
    let record = match event {
        Event::Listening { address } => json!({"event": "listening", "address": address}),
        Event::ListenerClosed { addresses, reason } => {
            json!({"event": "listener_closed", "addresses": addresses, "reason": reason})
        }
        Event::ExternalAddress { address } => json!({"event": "external_address", "address": address}),
        Event::ReservationAccepted { relay, renewal, elapsed } => json!({
            "event": "reservation_accepted", "relay": text(relay), "renewal": renewal, "elapsed_seconds": seconds(elapsed),
        }),
        Event::ReservationLost { relay, reason, asked } => json!({
            "event": "reservation_lost", "relay": text(relay), "reason": reason, "asked_seconds": asked.as_ref().map(seconds),
        }),
        Event::HomeRelay { from, to, reason } => json!({
            "event": "home_relay", "from": from.as_ref().map(text), "to": to.as_ref().map(text), "reason": reason.name(),
        }),
        Event::RelaysAnnounced { relays } => {
            json!({"event": "relays_announced", "relays": relays.iter().map(text).collect::<Vec<_>>()})
        }
        Event::RelayProbed { relay, round_trip, load } => json!({
            "event": "relay_probed", "relay": text(relay), "round_trip_seconds": round_trip.as_ref().map(seconds), "load": load,
        }),
        Event::RelayFound { relay, addresses } => {
            json!({"event": "relay_found", "relay": text(relay), "addresses": addresses})
        }
        Event::PeerRecordFound { peer, addresses } => {
            json!({"event": "peer_record_found", "peer": text(peer), "addresses": addresses})
        }
        Event::ConnectionOpened { peer, path, transport, address, dialer } => json!({
            "event": "connection_opened", "peer": text(peer), "path": path_name(path), "transport": transport_name(transport),
            "address": address, "dialer": dialer,
        }),
        Event::ConnectionClosed { peer, path, sent, received, reason } => json!({
            "event": "connection_closed", "peer": text(peer), "path": path_name(path), "sent_bytes": sent,
            "received_bytes": received, "reason": reason,
        }),
        Event::PathChanged { peer, from, to, elapsed, transport, relayed } => json!({
            "event": "path_changed", "peer": text(peer), "from": from.as_ref().map(path_name), "to": to.as_ref().map(path_name),
            "elapsed_seconds": seconds(elapsed), "transport": transport.as_ref().map(transport_name), "relayed_bytes": relayed,
        }),
        Event::Doubt { peer, path, state, silent } => json!({
            "event": "doubt", "peer": text(peer), "path": path_name(path), "state": state.name(), "silent_seconds": seconds(silent),
        }),
        Event::Roamed { addresses } => json!({"event": "roamed", "addresses": addresses}),
        Event::PoolClosed { peer, reason } => {
            json!({"event": "pool_closed", "peer": text(peer), "reason": reason.name()})
        }
        Event::PoolRefused { peer, reason } => {
            json!({"event": "pool_refused", "peer": text(peer), "reason": text(reason)})
        }
        Event::PathFailed { peer, reason } => json!({"event": "path_failed", "peer": text(peer), "reason": reason}),
        Event::HolePunch { peer, role, succeeded, reason } => json!({
            "event": "hole_punch", "peer": text(peer), "role": role_name(role), "succeeded": succeeded, "reason": reason,
        }),
        Event::Negotiation { peer, role, restart, succeeded, elapsed, reason } => json!({
            "event": "negotiation", "peer": text(peer), "role": role.name(), "restart": restart,
            "succeeded": succeeded, "elapsed_seconds": seconds(elapsed), "reason": reason,
        }),
        Event::IceState { peer, state } => {
            json!({"event": "ice_state", "peer": text(peer), "state": state.name()})
        }
        Event::IceSelected { peer, local, remote } => json!({
            "event": "ice_selected", "peer": text(peer), "local": local.name(), "remote": remote.name(),
        }),
        Event::ChannelOpened { peer, label } => json!({"event": "channel_opened", "peer": text(peer), "label": label}),
        Event::DialFailed { peer, reason } => {
            json!({"event": "dial_failed", "peer": peer.as_ref().map(text), "reason": reason})
        }
        Event::Ping { peer, path, round_trip } => json!({
            "event": "ping", "peer": text(peer), "path": path_name(path), "round_trip_seconds": seconds(round_trip),
        }),
        Event::Quality { peer, path, transport, quality } => {
            let report = QualityReport::from(quality);
            let mut record = json!({
                "event": "quality", "peer": text(peer), "path": path_name(path), "transport": transport_name(transport),
            });
            if let (Some(record), Ok(Value::Object(report))) = (record.as_object_mut(), serde_json::to_value(report)) {
                record.extend(report);
            }
            record
        }
        Event::QualityAction { peer, action, reason } => json!({
            "event": "quality_action", "peer": text(peer), "action": action.name(), "score": reason.score.points,
            "weakest": reason.weakest().name(), "low_for_seconds": seconds(&reason.low_for), "attempt": reason.attempt,
        }),
        Event::QualityRecovered { peer, low_for, attempts } => json!({
            "event": "quality_recovered", "peer": text(peer), "low_for_seconds": seconds(low_for), "attempts": attempts,
        }),
        Event::MessageReceived { peer, id, path, payload } => json!({
            "event": "message_received", "peer": text(peer), "id": message_id(id), "path": path_name(path),
            "payload": Payload::from(&payload[..]),
        }),
        Event::MessageDuplicate { peer, id } => {
            json!({"event": "message_duplicate", "peer": text(peer), "id": message_id(id)})
        }
        Event::MessageDelivered { peer, id, elapsed, path, size } => json!({
            "event": "message_delivered", "peer": text(peer), "id": message_id(id), "elapsed_seconds": seconds(elapsed),
            "path": path_name(path), "size": size,
        }),
        Event::MessageFailed { peer, id, reason } => {
            json!({"event": "message_failed", "peer": text(peer), "id": message_id(id), "reason": reason})
        }
        Event::SessionOpened { peer, initiator } => {
            json!({"event": "session_opened", "peer": text(peer), "initiator": initiator})
        }
        Event::SessionEnded { peer, reason } => {
            json!({"event": "session_ended", "peer": text(peer), "reason": reason.name()})
        }
        Event::MessageBytes { peer, messages, plain, wire } => json!({
            "event": "message_bytes", "peer": text(peer), "messages": messages, "plain": plain, "wire": wire,
        }),
        Event::Gossip { topic, source, payload } => json!({
            "event": "gossip", "topic": topic, "source": text(source), "payload": Payload::from(&payload[..]),
        }),
        Event::Misbehaviour { peer, kind, evidence } => json!({
            "event": "misbehaviour", "peer": text(peer), "kind": kind.name(), "evidence": evidence,
        }),
        Event::Reachability { address, reachable } => {
            json!({"event": "reachability", "address": address, "reachable": reachable})
        }
        Event::RelayServer(event) => return relay_record(event),
        Event::Trade(event) => return trade_record(event),
        Event::Chain(event) => return chain_record(event),
    };
    object(record)
}

fn text(value: &impl ToString) -> String {
    value.to_string()
}

fn seconds(duration: &Duration) -> f64 {
    duration.as_secs_f64()
}

fn message_id(id: &MessageId) -> String {
    id.to_string()
}

fn path_name(path: &PathKind) -> impl Serialize + use<> {
    Path::from(*path)
}

pub(super) fn transport_name(transport: &TransportKind) -> &'static str {
    match transport {
        TransportKind::Quic => "quic",
        TransportKind::Tcp => "tcp",
        TransportKind::WebSocket => "websocket",
        TransportKind::WebRtc => "webrtc",
        TransportKind::Circuit => "circuit",
    }
}

fn role_name(role: &HolePunchRole) -> &'static str {
    match role {
        HolePunchRole::Server => "server",
        HolePunchRole::Client => "client",
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use libp2p::PeerId;

    use super::*;

    #[test]
    fn a_record_names_the_event_and_its_units() {
        let peer = PeerId::random();
        let event = Event::Ping { peer, path: PathKind::Direct, round_trip: Duration::from_millis(20) };
        let record = Value::Object(event_record(&event));
        assert_eq!(
            record,
            json!({"event": "ping", "peer": peer.to_string(), "path": "direct", "round_trip_seconds": 0.02})
        );
    }

    #[test]
    fn payloads_are_text_or_base64() {
        let gossip = |payload: &'static [u8]| {
            let event =
                Event::Gossip { topic: "t".to_owned(), source: PeerId::random(), payload: Bytes::from_static(payload) };
            event_record(&event)["payload"].clone()
        };
        assert_eq!(gossip(b"hi"), json!({"text": "hi"}));
        assert_eq!(gossip(b"\xff"), json!({"base64": "/w=="}));
    }
}
