//! Logs, to standard error.

use std::io::IsTerminal as _;

use darkswap_node::Event;
use darkswap_node::chain::ChainEvent;
use darkswap_node::control::event_record;
use darkswap_node::event::RelayServerEvent;
use darkswap_trader::command::TradeEvent;
use serde_json::Value;
use tracing::Level;
use tracing_subscriber::EnvFilter;

use super::arguments::LogFormat;
use super::failure::Failure;

/// What is logged when DARKSWAP_LOG does not say otherwise. libp2p warns whenever a DHT without peers is asked to join, and the WebRTC
/// stack of what any stranger sends: of every extension of TLS in a browser's greeting, say.
const FILTER: &str =
    "warn,darkswap=info,darkswap_node=info,libp2p_kad=error,rtc_dtls=error,rtc_ice=error,rtc_sctp=error,rtc_stun=error";

const VARIABLE: &str = "DARKSWAP_LOG";

/// Starts logging.
pub(crate) fn start(format: LogFormat) -> Result<(), Failure> {
    let filter = std::env::var(VARIABLE).unwrap_or_else(|_| FILTER.to_owned());
    let filter = EnvFilter::try_new(&filter).map_err(|error| {
        Failure::bad_input(format!("{VARIABLE}: found `{filter}`, expected for example `info,darkswap=debug`: {error}"))
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    Ok(())
}

/// Logs what happened in the node. What applications sent is never logged.
pub(crate) fn event(event: &Event) {
    /// The level has to be a constant, and so have the fields' names; those that an event does not have are left out.
    macro_rules! log {
        ($level:expr) => {
            if tracing::enabled!(target: "darkswap", $level) {
                let record = event_record(event);
                let text = |name: &str| record.get(name).and_then(Value::as_str);
                let number = |name: &str| record.get(name).and_then(Value::as_f64);
                let flag = |name: &str| record.get(name).and_then(Value::as_bool);
                let size = record.get("size").and_then(Value::as_u64);
                tracing::event!(
                    target: "darkswap",
                    $level,
                    peer = text("peer"),
                    relay = text("relay"),
                    source = text("source"),
                    path = text("path"),
                    from = text("from"),
                    to = text("to"),
                    transport = text("transport"),
                    address = text("address"),
                    dialer = flag("dialer"),
                    role = text("role"),
                    succeeded = flag("succeeded"),
                    renewal = flag("renewal"),
                    reachable = flag("reachable"),
                    id = text("id"),
                    topic = text("topic"),
                    size = size,
                    elapsed_seconds = number("elapsed_seconds"),
                    round_trip_seconds = number("round_trip_seconds"),
                    kind = text("kind"),
                    evidence = text("evidence"),
                    reason = text("reason"),
                    order = text("order"),
                    swap = text("swap"),
                    txid = text("txid"),
                    server = text("server"),
                    "{}",
                    text("event").unwrap_or_default()
                );
            }
        };
    }
    match level(event) {
        Level::WARN => log!(Level::WARN),
        Level::INFO => log!(Level::INFO),
        Level::DEBUG => log!(Level::DEBUG),
        _ => log!(Level::TRACE),
    }
}

/// What concerns the node's own money is told, what concerns others' orders is not.
fn trade_level(event: &TradeEvent) -> Level {
    match event {
        TradeEvent::Failed { .. }
        | TradeEvent::SwapMisbehaviour { .. }
        | TradeEvent::Chain { down: Some(_) }
        | TradeEvent::StatementRefused { misbehaviour: true, .. } => Level::WARN,
        TradeEvent::SwapMoved { .. } | TradeEvent::EtchingMoved(_) | TradeEvent::Chain { down: None } => Level::INFO,
        TradeEvent::StatementRefused { misbehaviour: false, .. }
        | TradeEvent::Reconciled { .. }
        | TradeEvent::Balance(_) => Level::DEBUG,
        TradeEvent::OrderAdded { .. } | TradeEvent::OrderRemoved { .. } => Level::TRACE,
    }
}

/// A server that is gone may be back soon; one that is not believed, and blocks that are not there any more, concern money.
fn chain_level(event: &ChainEvent) -> Level {
    match event {
        ChainEvent::Misbehaved { .. } | ChainEvent::Reorganised { .. } => Level::WARN,
        ChainEvent::Connected { .. } | ChainEvent::Left { .. } => Level::INFO,
    }
}

/// A busy relay opens circuits all the time.
fn relay_level(event: &RelayServerEvent) -> Level {
    match event {
        RelayServerEvent::Drained { .. } => Level::INFO,
        RelayServerEvent::ReservationGranted { .. }
        | RelayServerEvent::ReservationDenied { .. }
        | RelayServerEvent::ReservationEnded { .. }
        | RelayServerEvent::CircuitOpened { .. }
        | RelayServerEvent::CircuitDenied { .. }
        | RelayServerEvent::CircuitClosed { .. } => Level::DEBUG,
    }
}

/// Warnings ask for an operator; information is rare in a healthy node and names no peer's network address.
fn level(event: &Event) -> Level {
    match event {
        Event::ListenerClosed { reason: Some(_), .. }
        | Event::ReservationLost { .. }
        | Event::MessageFailed { .. }
        | Event::PoolRefused { .. }
        | Event::Misbehaviour { .. } => Level::WARN,
        Event::RelayServer(event) => relay_level(event),
        Event::Trade(event) => trade_level(event),
        Event::Chain(event) => chain_level(event),
        Event::Listening { .. }
        | Event::ListenerClosed { reason: None, .. }
        | Event::ExternalAddress { .. }
        | Event::ReservationAccepted { renewal: false, .. }
        | Event::HomeRelay { .. }
        | Event::RelaysAnnounced { .. }
        | Event::PathChanged { .. }
        | Event::Roamed { .. }
        | Event::Reachability { .. } => Level::INFO,
        Event::ReservationAccepted { renewal: true, .. }
        | Event::RelayFound { .. }
        | Event::PeerRecordFound { .. }
        | Event::ConnectionOpened { .. }
        | Event::ConnectionClosed { .. }
        | Event::Doubt { .. }
        | Event::PoolClosed { .. }
        | Event::PathFailed { .. }
        | Event::QualityAction { .. }
        | Event::QualityRecovered { .. }
        | Event::HolePunch { .. }
        | Event::Negotiation { .. }
        | Event::IceState { .. }
        | Event::IceSelected { .. }
        | Event::ChannelOpened { .. }
        | Event::DialFailed { .. }
        | Event::MessageDuplicate { .. }
        | Event::SessionOpened { .. }
        | Event::SessionEnded { .. } => Level::DEBUG,
        Event::RelayProbed { .. }
        | Event::Ping { .. }
        | Event::Quality { .. }
        | Event::MessageReceived { .. }
        | Event::MessageDelivered { .. }
        | Event::MessageBytes { .. }
        | Event::Gossip { .. } => Level::TRACE,
    }
}
