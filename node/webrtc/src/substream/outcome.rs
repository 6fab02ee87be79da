use bytes::Bytes;

use crate::frame::FrameError;

/// What [`super::Substream::read`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// The next bytes, at least one.
    Data(Bytes),
    /// Nothing yet.
    Pending,
    /// The peer has sent everything and it has been read, or the application has stopped reading.
    End,
    /// The stream ended before the peer had sent everything.
    Failed(Abort),
}

/// How a stream ended other than by a FIN of each side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Abort {
    /// The application reset it.
    #[error("the stream was reset by this node")]
    ResetByUs,
    /// The peer reset it.
    #[error("the stream was reset by the peer")]
    ResetByPeer,
    /// Its data channel closed before the peer's FIN.
    #[error("the data channel of the stream closed before the peer had closed the stream")]
    ChannelClosed,
    /// We reset it because of a [`Fault`].
    #[error("the stream was reset by this node because of what the peer sent")]
    Fault,
}

/// Why [`super::Substream::write`] takes no bytes any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The application has closed its side.
    #[error("this node has closed the stream for writing")]
    Closed,
    /// The peer reads no more.
    #[error("the peer has stopped reading the stream")]
    Stopped,
    /// The stream is over.
    #[error(transparent)]
    Aborted(#[from] Abort),
}

/// Why a message of the peer made us reset the stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The peer broke the protocol.
    #[error(transparent)]
    Misbehaviour(#[from] Misbehaviour),
    /// The application reads slower than the peer sends. Nobody's fault: the protocol has no way to hold the peer back.
    #[error(
        "found {limit} bytes or more that the application has not read: read faster, or let the peer send less at once"
    )]
    ReadBufferFull {
        /// The bound that would have been crossed.
        limit: usize,
    },
    /// The same for all substreams of a connection together: this one asked for what is not left.
    #[error(
        "found {found} bytes where the connection's substreams have room for {room} more: read the others faster, or let the peer send less at once"
    )]
    ConnectionFull {
        /// What the piece costs.
        found: usize,
        /// What was left.
        room: usize,
    },
}

/// What a peer must not do on a stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misbehaviour {
    /// The channel carries something else than frames.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// Bytes after the FIN (RFC 9000, section 4.5, has FINAL_SIZE_ERROR for it).
    #[error("found {found} bytes after the FIN of the stream, expected none")]
    DataAfterFin {
        /// How many bytes the frame held.
        found: usize,
    },
}

/// The end of our writing, for the application that waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteState {
    /// Not closed yet.
    Open,
    /// Closed by the application (or stopped by the peer), the peer has not confirmed yet.
    Closing,
    /// The peer has received every byte.
    Confirmed,
    /// The wait for the confirmation is over: the peer may or may not have received every byte.
    Unconfirmed,
    /// The stream is over.
    Aborted(Abort),
}
