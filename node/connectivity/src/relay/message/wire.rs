//! The protobuf of [`super`]. Fields that the specification requires are optional here, so that a missing one is noticed: a required
//! one would read as its default.

use prost::Message as _;

use super::{HopMessage, Limit, MAX_MESSAGE, Malformed, Reservation, Status, StopMessage, Voucher};

#[derive(Clone, PartialEq, prost::Message)]
struct WireHop {
    #[prost(int32, optional, tag = "1")]
    kind: Option<i32>,
    #[prost(message, optional, tag = "2")]
    peer: Option<WirePeer>,
    #[prost(message, optional, tag = "3")]
    reservation: Option<WireReservation>,
    #[prost(message, optional, tag = "4")]
    limit: Option<WireLimit>,
    #[prost(int32, optional, tag = "5")]
    status: Option<i32>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireStop {
    #[prost(int32, optional, tag = "1")]
    kind: Option<i32>,
    #[prost(message, optional, tag = "2")]
    peer: Option<WirePeer>,
    #[prost(message, optional, tag = "3")]
    limit: Option<WireLimit>,
    #[prost(int32, optional, tag = "4")]
    status: Option<i32>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WirePeer {
    #[prost(bytes = "vec", optional, tag = "1")]
    id: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireReservation {
    #[prost(uint64, optional, tag = "1")]
    expires: Option<u64>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    addresses: Vec<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    voucher: Option<Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct WireLimit {
    #[prost(uint32, optional, tag = "1")]
    duration: Option<u32>,
    #[prost(uint64, optional, tag = "2")]
    data: Option<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireVoucher {
    #[prost(bytes = "vec", optional, tag = "1")]
    relay: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    peer: Option<Vec<u8>>,
    #[prost(uint64, optional, tag = "3")]
    expires: Option<u64>,
}

/// Types of the messages to the relay.
const HOP: [i32; 3] = [0, 1, 2];
/// Types of those to a destination.
const STOP: [i32; 2] = [0, 1];

impl HopMessage {
    /// The message with its length before it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let [reserve, connect, status_kind] = HOP;
        let wire = match self.clone() {
            Self::Reserve => WireHop { kind: Some(reserve), ..WireHop::default() },
            Self::Connect { peer } => WireHop { kind: Some(connect), peer: Some(peer.into()), ..WireHop::default() },
            Self::Status { status, reservation, limit } => WireHop {
                kind: Some(status_kind),
                peer: None,
                reservation: reservation.map(Into::into),
                limit: limit.map(Into::into),
                status: Some(status.into()),
            },
        };
        wire.encode_length_delimited_to_vec()
    }

    /// Reads a message without its length.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let wire: WireHop = read(bytes)?;
        let [reserve, connect, status] = HOP;
        match wire.kind.ok_or(Malformed::Missing { field: "type" })? {
            found if found == reserve => Ok(Self::Reserve),
            found if found == connect => Ok(Self::Connect { peer: peer(wire.peer)? }),
            found if found == status => Ok(Self::Status {
                status: read_status(wire.status)?,
                reservation: wire.reservation.map(TryInto::try_into).transpose()?,
                limit: wire.limit.map(Into::into),
            }),
            found => Err(Malformed::Unknown { field: "type", found }),
        }
    }
}

impl StopMessage {
    /// The message with its length before it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let [connect, status_kind] = STOP;
        let wire = match self.clone() {
            Self::Connect { peer, limit } => {
                WireStop { kind: Some(connect), peer: Some(peer.into()), limit: limit.map(Into::into), status: None }
            }
            Self::Status(status) => {
                WireStop { kind: Some(status_kind), status: Some(status.into()), ..WireStop::default() }
            }
        };
        wire.encode_length_delimited_to_vec()
    }

    /// Reads a message without its length.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let wire: WireStop = read(bytes)?;
        let [connect, status] = STOP;
        match wire.kind.ok_or(Malformed::Missing { field: "type" })? {
            found if found == connect => {
                Ok(Self::Connect { peer: peer(wire.peer)?, limit: wire.limit.map(Into::into) })
            }
            found if found == status => Ok(Self::Status(read_status(wire.status)?)),
            found => Err(Malformed::Unknown { field: "type", found }),
        }
    }
}

impl Voucher {
    /// The voucher's bytes, which the relay signs.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Self { relay, peer, expires } = self.clone();
        WireVoucher { relay: Some(relay), peer: Some(peer), expires: Some(expires) }.encode_to_vec()
    }
}

fn read<T: prost::Message + Default>(bytes: &[u8]) -> Result<T, Malformed> {
    if bytes.len() > MAX_MESSAGE {
        return Err(Malformed::TooLarge { found: bytes.len() });
    }
    T::decode(bytes).map_err(|error| Malformed::Protobuf { reason: error.to_string() })
}

fn peer(peer: Option<WirePeer>) -> Result<Vec<u8>, Malformed> {
    peer.and_then(|peer| peer.id).ok_or(Malformed::Missing { field: "peer" })
}

fn read_status(status: Option<i32>) -> Result<Status, Malformed> {
    let found = status.ok_or(Malformed::Missing { field: "status" })?;
    Status::try_from(found).map_err(|_| Malformed::Unknown { field: "status", found })
}

impl From<Vec<u8>> for WirePeer {
    fn from(id: Vec<u8>) -> Self {
        Self { id: Some(id) }
    }
}

impl From<Reservation> for WireReservation {
    fn from(Reservation { expires, addresses, voucher }: Reservation) -> Self {
        Self { expires: Some(expires), addresses, voucher }
    }
}

impl TryFrom<WireReservation> for Reservation {
    type Error = Malformed;

    fn try_from(WireReservation { expires, addresses, voucher }: WireReservation) -> Result<Self, Malformed> {
        Ok(Self { expires: expires.ok_or(Malformed::Missing { field: "expiration" })?, addresses, voucher })
    }
}

impl From<Limit> for WireLimit {
    fn from(Limit { duration, data }: Limit) -> Self {
        Self { duration, data }
    }
}

impl From<WireLimit> for Limit {
    fn from(WireLimit { duration, data }: WireLimit) -> Self {
        Self { duration, data }
    }
}
