//! The libp2p behaviours of a node and their configuration.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use darkswap_connectivity::relay::estimate::PROBE_ANSWER;
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{PeerId, StreamProtocol, autonat, dcutr, gossipsub, identify, kad, ping, relay, request_response};

use super::NodeError;
use super::discovery::Store;
use super::relays::{Announced, Direct, Lasting};
use super::{alive, candidates};
use crate::Runtime;
use crate::config::{Config, Reachability, Sealing};
use crate::limits::{Limits, fixed};
use crate::message_codec::{Codec, PROTOCOL};
use crate::trading::{self, ORDERS};
use crate::transport::webrtc::signalling;
use crate::{relay_load, relay_server, sealed_codec};

/// What identify tells of the protocol family and the program.
const PROTOCOL_FAMILY: &str = "/darkswap/1";
const AGENT: &str = concat!("darkswap/", env!("CARGO_PKG_VERSION"));
/// The DHT of this network, apart from IPFS'.
const DHT: StreamProtocol = StreamProtocol::new("/darkswap/kad/1");

#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    pub(super) limits: connection_limits::Behaviour,
    pub(super) relay_client: Lasting<relay::client::Behaviour>,
    pub(super) relay_load: Direct<request_response::Behaviour<relay_load::Codec>>,
    pub(super) relay_server: Toggle<relay_server::Behaviour>,
    pub(super) dcutr: Toggle<dcutr::Behaviour>,
    pub(super) signalling: Toggle<Announced<signalling::Behaviour>>,
    pub(super) candidates: candidates::Behaviour,
    pub(super) identify: candidates::Filtered<Announced<identify::Behaviour>>,
    pub(super) ping: ping::Behaviour,
    pub(super) alive: alive::Behaviour,
    pub(super) autonat_client: Toggle<autonat::v2::client::Behaviour>,
    pub(super) autonat_server: Toggle<autonat::v2::server::Behaviour>,
    pub(super) kad: Toggle<kad::Behaviour<Store>>,
    pub(super) gossip: gossipsub::Behaviour,
    pub(super) messages: request_response::Behaviour<Codec>,
    pub(super) sealed: request_response::Behaviour<sealed_codec::Codec>,
    pub(super) sync: Toggle<request_response::Behaviour<trading::codec::Codec>>,
    pub(super) trade: Toggle<request_response::Behaviour<trading::codec::Codec>>,
}

/// What trading asks of the behaviours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judged {
    /// Whether the protocols of traders are spoken.
    pub(super) trades: bool,
    /// Whether gossip is judged before it is passed on.
    pub(super) validates: bool,
}

pub(super) fn build(
    config: &Config,
    identity: &Keypair,
    runtime: &Arc<dyn Runtime>,
    circuits: relay::client::Behaviour,
    signalling: Option<signalling::Behaviour>,
    judged: Judged,
) -> Result<Behaviour, NodeError> {
    let local = identity.public().to_peer_id();
    let public = config.reachability == Reachability::Public;
    let auto = config.reachability == Reachability::Auto;
    Ok(Behaviour {
        limits: connection_limits(&config.limits),
        relay_client: Lasting::new(circuits),
        relay_load: Direct::new(request_response::Behaviour::with_codec(
            relay_load::Codec::default(),
            [(relay_load::PROTOCOL, request_response::ProtocolSupport::Full)],
            request_response::Config::default()
                .with_request_timeout(PROBE_ANSWER)
                .with_max_concurrent_streams(fixed::relay::QUESTIONS),
        )),
        relay_server: config
            .relay_server
            .then(|| relay_server::Behaviour::new(identity.clone(), Arc::clone(runtime), config.relay_limits))
            .into(),
        dcutr: config.hole_punching.then(|| dcutr::Behaviour::new(local)).into(),
        signalling: signalling.map(Announced::new).into(),
        candidates: candidates::Behaviour::default(),
        identify: candidates::Filtered::new(Announced::new(identify::Behaviour::new(
            identify::Config::new(PROTOCOL_FAMILY.to_owned(), identity.public())
                .with_agent_version(AGENT.to_owned())
                .with_interval(fixed::identify::INTERVAL)
                .with_cache_size(fixed::identify::CACHE)
                .with_push_listen_addr_updates(true),
        ))),
        ping: ping::Behaviour::new(
            ping::Config::new().with_interval(fixed::ping::INTERVAL).with_timeout(fixed::ping::TIMEOUT),
        ),
        alive: alive::Behaviour::default(),
        autonat_client: auto.then(autonat::v2::client::Behaviour::default).into(),
        autonat_server: public.then(autonat::v2::server::Behaviour::default).into(),
        kad: config.discovery.then(|| dht(local, config.reachability)).into(),
        gossip: gossip(identity, &config.limits, config.relay_server, judged.validates)?,
        messages: request_response::Behaviour::with_codec(
            Codec::new(config.limits.message_size),
            (config.messages.sealing != Sealing::Required)
                .then_some((PROTOCOL, request_response::ProtocolSupport::Full)),
            request_response::Config::default()
                .with_request_timeout(fixed::message::ATTEMPT)
                .with_max_concurrent_streams(fixed::message::STREAMS),
        ),
        sealed: request_response::Behaviour::with_codec(
            sealed_codec::Codec::new(config.limits.message_size.max(fixed::message::BATCH)),
            (config.messages.sealing != Sealing::Off)
                .then_some((sealed_codec::PROTOCOL, request_response::ProtocolSupport::Full)),
            request_response::Config::default()
                .with_request_timeout(fixed::message::ATTEMPT)
                .with_max_concurrent_streams(fixed::message::STREAMS),
        ),
        sync: judged.trades.then(|| traders(trading::codec::SYNC, trading::limits::SYNC, trading::limits::SYNC)).into(),
        trade: judged
            .trades
            .then(|| traders(trading::codec::TRADE, trading::limits::TRADE, trading::codec::TAKEN.len()))
            .into(),
    })
}

/// A protocol of traders with requests and answers of at most so many bytes.
fn traders(
    protocol: StreamProtocol,
    request: usize,
    answer: usize,
) -> request_response::Behaviour<trading::codec::Codec> {
    request_response::Behaviour::with_codec(
        trading::codec::Codec::new(request, answer),
        [(protocol, request_response::ProtocolSupport::Full)],
        request_response::Config::default()
            .with_request_timeout(trading::limits::EXCHANGE)
            .with_max_concurrent_streams(trading::limits::STREAMS),
    )
}

fn connection_limits(limits: &Limits) -> connection_limits::Behaviour {
    connection_limits::Behaviour::new(
        ConnectionLimits::default()
            .with_max_established(Some(limits.connections))
            .with_max_established_per_peer(Some(limits.connections_per_peer))
            .with_max_pending_incoming(Some(limits.pending_connections))
            .with_max_pending_outgoing(Some(limits.pending_connections)),
    )
}

fn dht(local: PeerId, reachability: Reachability) -> kad::Behaviour<Store> {
    let mut config = kad::Config::new(DHT);
    config
        .set_query_timeout(fixed::dht::QUERY)
        .set_parallelism(NonZeroUsize::new(fixed::dht::PARALLELISM).unwrap_or(NonZeroUsize::MIN))
        .set_max_packet_size(fixed::dht::PACKET)
        .set_record_filtering(kad::StoreInserts::FilterBoth)
        .set_kbucket_inserts(kad::BucketInserts::Manual)
        // The node publishes again by itself, and nobody does it for others.
        .set_record_ttl(Some(crate::peer_record::LIFETIME))
        .set_publication_interval(None)
        .set_replication_interval(None)
        .set_caching(kad::Caching::Disabled)
        .set_provider_record_ttl(Some(fixed::dht::PROVIDER_LIFETIME))
        .set_provider_publication_interval(None);
    let mut dht = kad::Behaviour::with_config(local, Store::new(local), config);
    dht.set_mode(Some(match reachability {
        Reachability::Public => kad::Mode::Server,
        // The node makes it a server when a direct address is confirmed. The DHT itself would take a circuit's address for one.
        Reachability::Private | Reachability::Auto => kad::Mode::Client,
    }));
    dht
}

/// A relay is the hub of many peers that know nobody else, far more than a mesh holds. It announces every message to all of them
/// (IHAVE), so that those outside its mesh can ask for it within a heartbeat. Forwarding to all at once would be faster for them, and
/// cost twice as much.
fn gossip(identity: &Keypair, limits: &Limits, hub: bool, validates: bool) -> Result<gossipsub::Behaviour, NodeError> {
    let mut config = gossipsub::ConfigBuilder::default();
    if hub {
        config.gossip_factor(1.0);
    }
    if validates {
        config.validate_messages();
    }
    let config = config
        .message_id_fn(gossip_id)
        .history_gossip(fixed::gossip::ANNOUNCEMENTS)
        .validation_mode(gossipsub::ValidationMode::Strict)
        .max_transmit_size(limits.gossip_size)
        .connection_handler_queue_len(fixed::gossip::QUEUE)
        .publish_queue_duration(fixed::gossip::QUEUED)
        .forward_queue_duration(fixed::gossip::QUEUED)
        .build()
        .map_err(|error| NodeError::Gossip(error.to_string()))?;
    let mut gossip = gossipsub::Behaviour::new(gossipsub::MessageAuthenticity::Signed(identity.clone()), config)
        .map_err(|error| NodeError::Gossip(error.to_owned()))?;
    if validates {
        gossip.with_peer_score(scores(), gossipsub::PeerScoreThresholds::default()).map_err(NodeError::Gossip)?;
    }
    Ok(gossip)
}

/// Scores only for what is wrong. Nothing is earned: a forger must not save up for it by passing on what is right. Few
/// deliveries are no fault: orders are rare. Many peers of one address are none either: a carrier's NAT, or a relay.
fn scores() -> gossipsub::PeerScoreParams {
    use trading::limits::score;
    let decay = |time: Duration| gossipsub::score_parameter_decay(time);
    let orders = gossipsub::TopicScoreParams {
        topic_weight: 1.0,
        time_in_mesh_weight: 0.0,
        first_message_deliveries_weight: 0.0,
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        invalid_message_deliveries_weight: score::INVALID,
        invalid_message_deliveries_decay: decay(score::FORGIVEN),
        ..gossipsub::TopicScoreParams::default()
    };
    gossipsub::PeerScoreParams {
        topics: std::iter::once((gossipsub::IdentTopic::new(ORDERS).hash(), orders)).collect(),
        ip_colocation_factor_weight: 0.0,
        behaviour_penalty_threshold: score::PROMISES,
        retain_score: score::REMEMBERED,
        ..gossipsub::PeerScoreParams::default()
    }
}

/// The name of a gossip message: the end of its signer's peer id, and its number. libp2p's own is three times as long and costs a
/// base58 encoding at every hop. Sixteen bytes of a key are more than anybody can imitate.
fn gossip_id(message: &gossipsub::Message) -> gossipsub::MessageId {
    const KEY: usize = 16;
    let source = message.source.map(PeerId::to_bytes).unwrap_or_default();
    let mut id = source[source.len().saturating_sub(KEY)..].to_vec();
    id.extend_from_slice(&message.sequence_number.unwrap_or_default().to_be_bytes());
    id.into()
}
