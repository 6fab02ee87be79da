//! What a client asks.

use bytes::Bytes;
use darkswap_trader::command::Command;
use data_encoding::BASE64;
use libp2p::{Multiaddr, PeerId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::text;

/// What a client asks of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// The node's own state.
    Status,
    /// Every connected or wanted peer.
    Peers,
    /// Every relay that the node can choose.
    Relays,
    /// Make a path to a peer and keep it.
    Connect {
        /// Whom.
        #[serde(with = "text")]
        peer: PeerId,
        /// Where, besides what the node knows already.
        #[serde(default)]
        addresses: Vec<Multiaddr>,
    },
    /// Stop wanting a path to a peer and close its connections.
    Disconnect {
        /// Whom.
        #[serde(with = "text")]
        peer: PeerId,
    },
    /// Send a message and wait for its acknowledgement.
    Send {
        /// To whom.
        #[serde(with = "text")]
        peer: PeerId,
        /// What.
        payload: Payload,
    },
    /// Publish on a gossip topic.
    Publish {
        /// Where.
        topic: String,
        /// What.
        payload: Payload,
    },
    /// Ask the node's trader.
    Trade(Command),
    /// From now on write every event to this connection, and answer nothing else on it.
    Subscribe,
    /// Close every connection in good order and end the node.
    Stop,
}

/// Bytes in JSON: as text where they are UTF-8, else in base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// UTF-8 text.
    Text(String),
    /// Any bytes, in base64 with padding (RFC 4648 section 4).
    Base64(String),
}

/// A payload is not what it says.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the payload is not base64: {0}")]
pub struct PayloadError(data_encoding::DecodeError);

impl Payload {
    /// The bytes.
    ///
    /// # Errors
    /// [`PayloadError`] when the base64 is malformed.
    pub fn into_bytes(self) -> Result<Bytes, PayloadError> {
        match self {
            Self::Text(text) => Ok(text.into_bytes().into()),
            Self::Base64(text) => BASE64.decode(text.as_bytes()).map(Bytes::from).map_err(PayloadError),
        }
    }
}

impl From<&[u8]> for Payload {
    fn from(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Base64(BASE64.encode(bytes)),
        }
    }
}
