use super::candidate::Candidate;

/// Which side of an exchange we are. In libp2p the side that dials sends the offers, the first and those that restart ICE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We opened the stream.
    Offerer,
    /// The peer opened it.
    Answerer,
}

/// What the exchange tells the connection, in the order that the connection needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The peer's offer, the first or one that restarts ICE; to be answered with [`super::Session::send_answer`].
    Offer {
        /// The text of the session description.
        sdp: String,
    },
    /// The peer's answer to our offer.
    Answer {
        /// The text of the session description.
        sdp: String,
    },
    /// A candidate of the peer.
    Candidate(Candidate),
    /// The peer has no more candidates for its description.
    EndOfCandidates,
    /// The connection did not come up in time.
    TimedOut(Waiting),
}

/// What an exchange waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The first offer: ours if we are the offerer.
    Offer,
    /// The answer: ours if we are the answerer.
    Answer,
    /// The connection.
    Connection,
}

/// Why the exchange cannot do what it was asked to, or has come to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The description does not fit the state of the exchange.
    #[error("the exchange waits for {waiting:?} as {role:?}: send the description that is due")]
    NotDue {
        /// Our role.
        role: Role,
        /// What is due.
        waiting: Waiting,
    },
    /// There were enough offers for now.
    #[error("this node has sent {limit} offers within a minute: wait, or dial again")]
    TooManyOffers {
        /// The bound.
        limit: u32,
    },
    /// We have more candidates than the peer would take.
    #[error("this node has more than {limit} candidates for one description: the rest is not signalled")]
    TooManyCandidates {
        /// The bound.
        limit: usize,
    },
    /// The exchange is over: the stream was closed, or the peer misbehaved.
    #[error("the signalling stream is closed: dial again")]
    Closed,
    /// The peer closed the stream before the descriptions were exchanged.
    #[error("the peer closed the signalling stream while {waiting:?} was due: it refuses, or it has failed")]
    ClosedEarly {
        /// What was due.
        waiting: Waiting,
    },
}
